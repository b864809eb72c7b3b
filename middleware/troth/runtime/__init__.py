"""Where a policy meets a home and an app: sites, people, lines. Knows no messages; `asgi` carries out the rest."""

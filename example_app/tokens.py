"""Signed links: whoever holds one may do the one thing it names for the one person it names, without signing in."""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeSerializer

LEAVE, AGREE = "leave-the-newsletter", "agree-as-guardian"


class Tokens:
    """Makes and reads the tokens in links. One made for a purpose opens nothing else."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def sign(self, purpose: str, person: str) -> str:
        """The token of a link."""
        return str(URLSafeSerializer(self._secret, salt=purpose).dumps(person))

    def person(self, purpose: str, token: str) -> str | None:
        """Whom a token is for, or None where it is not one of ours."""
        try:
            found = URLSafeSerializer(self._secret, salt=purpose).loads(token)
        except BadSignature:
            return None
        return found if isinstance(found, str) else None

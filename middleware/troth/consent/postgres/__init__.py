"""A consent ledger on a PostgreSQL server, shared by several machines."""

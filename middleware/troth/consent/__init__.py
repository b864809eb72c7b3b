"""Consent: what devices and persons chose, where it is kept, and how workers share it."""

"""Passwords and partner keys, kept only as digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def seal(password: str) -> str:
    """A salted scrypt digest as `salt$digest`; takes some tens of milliseconds."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}${_scrypt(password, salt)}"


def opens(password: str, sealed: str) -> bool:
    """Whether `password` is the one that was sealed."""
    salt, _, digest = sealed.partition("$")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), digest)


def key_digest(key: str) -> str:
    """How a partner's API key is kept; keys are long and random, so no salt."""
    return hashlib.sha256(key.encode()).hexdigest()


def _scrypt(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**13, r=8, p=1).hex()

"""Charsets that a body says it has. Bodies are read as UTF-8; who believes another charset must see the same text."""

from __future__ import annotations

import re
from typing import Final

from troth.errors import UnreadableBody

FIELD: Final = "_charset_"
"""The field of a form in which browsers say how they wrote it (HTML Standard, form submission)."""
_SAID: Final = re.compile(rb";\s*charset\*?\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_PLAIN: Final = frozenset((b"utf-8", b"utf8", b"us-ascii", b"ascii"))
_LIKE_ASCII: Final = re.compile(rb"(?:iso-?8859-|iso_8859-|latin-?|windows-125|cp125)\d{1,2}")
"""Charsets in which bytes below 128 are what they are in ASCII. Not so in UTF-7, UTF-16, EBCDIC, Shift-JIS."""


def check(body: bytes, content_type: bytes) -> None:
    """Raise UnreadableBody (``malformed``) where a reader who believes the content type sees another text."""
    for said in _SAID.findall(content_type):
        check_said(body, said.strip(b"'"))


def check_said(body: bytes, charset: bytes) -> None:
    """Do the same for a charset by its name."""
    name = charset.lower()
    if name not in _PLAIN and not (_LIKE_ASCII.fullmatch(name) and body.isascii()):
        raise UnreadableBody("malformed")

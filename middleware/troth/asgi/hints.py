"""Early hints (103): what a browser would load before the answer comes is held to the rules on elements as well."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from troth._types import Message
from troth.asgi.judging import Judging, takes_away
from troth.engines.embedded.views import ElementView
from troth.model.facts import Element
from troth.model.words import Thing

EARLY_HINT: Final = "http.response.early_hint"
_LINK: Final = re.compile(rb"\s*<([^>]*)>(.*)", re.DOTALL)
_AS: Final = re.compile(rb"\bas\s*=\s*\"?(\w+)")
_KINDS: Final = {b"script": "script", b"image": "image", b"document": "frame"}


def filtered(judging: Judging, message: Message) -> Message:
    """Return a message of early hints without the links that a rule on elements withholds; the same if none goes."""
    links = list(message.get("links", ()))
    kept = [link for link in links if not _withheld(judging, bytes(link))]
    return message if len(kept) == len(links) else {**message, "links": kept}


def _withheld(judging: Judging, link: bytes) -> bool:
    """Judge one link as the element that it stands for; one that cannot be read is let be, a browser drops it too."""
    parts = _LINK.match(link)
    if parts is None:
        return False
    try:
        target = urlsplit(parts[1].decode("latin-1").strip())
        host = target.hostname
    except ValueError:
        return True
    kind = _AS.search(parts[2])
    element = Element(
        kind=_KINDS.get(kind[1] if kind else b"", "link"),
        host=host,
        secure=None if not target.scheme else target.scheme in ("https", "wss"),
    )
    engine = judging.site.engine
    found = engine.settle(engine.rules[Thing.ELEMENT], ElementView(engine.tables, judging.x, element))
    judging.found(found, None)
    return takes_away(found)

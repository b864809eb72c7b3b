"""The express lane, compiled: where the C part was built, it takes the place of what is written in Python beside it.

Each compiled function does the plain case alone and calls its Python namesake for everything else; decisions are never
made there. ``TROTH_PURE=1`` in the environment leaves it out.
"""

from __future__ import annotations

import os
import time
from importlib import import_module
from typing import Any, Final

from troth.asgi import shapes
from troth.asgi.entrance import Entrance
from troth.asgi.express import Express, nothing, send_both
from troth.asgi.kinds import CONTENTS
from troth.asgi.lanes import Entry, Lane
from troth.asgi.outcomes import Outcome
from troth.asgi.verdicts import SetCookies, SetCookieVerdict
from troth.asgi.visitors import Visitor
from troth.consent.device import COOKIE_NAME
from troth.errors import TrailError
from troth.filters.headers import READABLE_CODINGS
from troth.filters.places import Node, Place
from troth.filters.quiet import Quiet

_CLASSES: Final = {
    one.__name__: one
    for one in (Entrance, Entry, Express, Lane, Node, Outcome, Place, Quiet, SetCookieVerdict, SetCookies, Visitor)
}
_THINGS: Final = {
    "contents": CONTENTS,
    "consent_prefix": COOKIE_NAME.encode() + b"=",
    "no_signals": frozenset[str](),
    "no_fields": shapes.NO_FIELDS,
    "readable": READABLE_CODINGS,
    "nothing": nothing,
    "both": send_both,
    "trail_error": TrailError,
    "time": time.time,
}


def _built() -> Any:
    """Return the compiled module; None where it was not built, or is not wanted."""
    if os.environ.get("TROTH_PURE"):
        return None
    try:
        return import_module("troth._native")
    except ImportError:
        return None


def _install(native: Any) -> bool:
    """Put the compiled part in its place; return whether there is one."""
    if native is None:
        return False
    native.configure(_CLASSES, _THINGS)
    Entrance.enter = native.enter
    Express.send = native.send
    shapes.find_places = native.places
    return True


COMPILED: Final = _install(_built())
"""Whether the express lane runs compiled in this process."""

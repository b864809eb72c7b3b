"""Refusals that a browser sends with each request: Global Privacy Control and Do Not Track.

`Sec-GPC` counts with the exact value ``1`` only; any other value is ignored, and of several headers one such is enough
(W3C Global Privacy Control, section on the header). It is no list and no structured field, so ``1, 1`` is nothing.
`DNT` is read the same way.
"""

from __future__ import annotations

from typing import Final

from troth._types import RawHeaders

GPC: Final = "gpc"
DNT: Final = "dnt"

NO_SIGNALS: Final[frozenset[str]] = frozenset()
_ONLY_GPC: Final = frozenset({GPC})
_ONLY_DNT: Final = frozenset({DNT})
_BOTH: Final = frozenset({GPC, DNT})


def signals_of(headers: RawHeaders) -> frozenset[str]:
    """Return which of ``gpc`` and ``dnt`` the request headers send. Names are in lower case, as ASGI gives them."""
    gpc = dnt = False
    for name, value in headers:
        if name == b"sec-gpc":
            gpc = gpc or value == b"1"
        elif name == b"dnt":
            dnt = dnt or value == b"1"
    if gpc:
        return _BOTH if dnt else _ONLY_GPC
    return _ONLY_DNT if dnt else NO_SIGNALS

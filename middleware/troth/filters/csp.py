"""A Content-Security-Policy of allowed hosts, sent beside the app's own: two policies intersect, none is loosened.

Scripts of the page itself stay free (inline, eval, blob, data): the app's own policy judges those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

OWN_SOURCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "script-src": ("'self'", "'unsafe-inline'", "'unsafe-eval'", "blob:", "data:"),
        "img-src": ("'self'", "data:", "blob:"),
        "connect-src": ("'self'", "data:", "blob:"),
        "frame-src": ("'self'", "data:", "blob:"),
        "object-src": ("'self'",),
        "form-action": ("'self'",),
        "media-src": ("'self'", "data:", "blob:"),
        "font-src": ("'self'", "data:"),
        "style-src": ("'self'", "'unsafe-inline'", "data:", "blob:"),
        "manifest-src": ("'self'",),
        "worker-src": ("'self'", "blob:", "data:"),
    }
)
"""The directives that can be limited, each with what a page may always do to itself."""
DEFAULT_DIRECTIVES: Final = ("script-src", "img-src", "connect-src", "frame-src", "object-src")
"""What loads or reaches third parties unseen; media, fonts, styles and form targets are limited only where asked."""
_LONGEST: Final = 260
"""A host name of 253 characters and a port."""
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(rf"(?:(?:https?|wss?)://)?(?:\*\.)?{_LABEL}(?:\.{_LABEL})*(?::(?:\d{{1,5}}|\*))?", re.ASCII)


def is_host(host: str) -> bool:
    """Say whether `host` can stand as a source: ``x.example``, ``*.x.example``, with scheme or port, and no more."""
    return len(host) <= _LONGEST and _HOST.fullmatch(host) is not None


def build(hosts: Mapping[str, Iterable[str]], *, also: Iterable[str] = ()) -> bytes:
    """Return the header value that limits `DEFAULT_DIRECTIVES` and the directives in `also` to own and given hosts.

    `hosts` maps a directive, or ``*`` for all of them, to allowed hosts. Order and repetition do not matter. Raises
    ValueError for a directive that is not in `OWN_SOURCES` and for what is no host: nothing else can get in.
    """
    for directive in (*hosts, *also):
        if directive != "*" and directive not in OWN_SOURCES:
            raise ValueError(f"unknown directive `{directive}`")
    everywhere = tuple(hosts.get("*", ()))
    chosen = {*DEFAULT_DIRECTIVES, *also, *(name for name in hosts if name != "*")}
    return "; ".join(
        " ".join((name, *own, *_sources((*everywhere, *hosts.get(name, ())))))
        for name, own in OWN_SOURCES.items()
        if name in chosen
    ).encode("ascii")


def _sources(hosts: Iterable[str]) -> list[str]:
    found = sorted({host.lower() for host in hosts})
    for host in found:
        if not is_host(host):
            raise ValueError("not a host that a policy can name")
    return found

"""Redirects to other sites: what their address says of somebody is a field that is sent to the party of that site."""

from __future__ import annotations

from collections.abc import Iterator

from troth._types import HeaderList
from troth.asgi.judging import Judging, denying, masks, takes_away
from troth.filters import query
from troth.filters.redirects import Address, read, without
from troth.model.facts import Direction, Field
from troth.model.words import Carrier

_LOCATION = b"location"


def filtered(judging: Judging, status: int, headers: HeaderList) -> HeaderList:
    """Report what redirects send to other sites; return the headers without what has to go, the same if nothing has.

    Query and fragment are cut; a path cannot be, and where a part of it has to go the exchange is denied.
    """
    if not 300 <= status < 400:
        return headers
    kept = [(name, _kept(judging, value) if name.lower() == _LOCATION else value) for name, value in headers]
    return headers if kept == headers else kept


def _kept(judging: Judging, location: bytes) -> bytes:
    address = read(location)
    if address is None or judging.site.engine.tables.is_own(address.host, judging.x.host):
        return location
    gone = set()
    for field, name in _fields(judging, address):
        found = judging.field_sent_on(field)
        judging.depends = judging.depends or judging.head.sent_on_depends(field)
        if not (takes_away(found) or masks(found)):
            continue
        if name is None:
            judging.found([denying(finding) for finding in found if not finding.dry], field.category)
        else:
            gone.add(name)
    return without(location, gone) if gone else location


def _fields(judging: Judging, address: Address) -> Iterator[tuple[Field, str | None]]:
    """Yield every field of an address with the name of its pair; None for what stands in the path."""
    tagging = judging.site.tagging(judging.x.route)
    for category in sorted(tagging.probes.find_within(address.path, judging.known)):
        yield _field(category, Carrier.PATH, address, ""), None
    for part in (address.query, address.fragment):
        pairs = query.split(part)
        for found in query.tag(pairs, tagging.names, probes=tagging.probes, known=judging.known):
            for category in found.categories:
                yield _field(category, Carrier.QUERY, address, found.shown), pairs[found.at].name


def _field(category: str, carrier: Carrier, address: Address, name: str) -> Field:
    return Field(category=category, carrier=carrier, direction=Direction.RESPONSE, name=name, host=address.host)

"""The line of an exchange: whether one is due, and its members, from memory where the head has settled everything."""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Iterable
from typing import Any, Final

from troth.asgi.judging import Judging
from troth.consent.device import ConsentReading, CookieOutcome, consent_digest
from troth.model.facts import Actor, Person
from troth.model.words import UNDECLARED, Action, Thing
from troth.runtime.heads import CookieEntry
from troth.runtime.line import encode, grouped, is_known_child, released

_REMEMBERED: Final = 512
"""Lines kept per site. Each is about 1 KB; visitors of one kind on one route share one."""


def line_due(judging: Judging) -> bool:
    """Whether the exchange has to be told: something was seen, edited, denied, alerted, or evidence was asked for.

    What was to be looked at and was not read whole is told as well: nothing is known of what it held.
    """
    return bool(
        judging.anything()
        or judging.tags
        or judging.x.records
        or judging.inspect
        or judging.changed
        or judging.happened
        or (judging.x.route is not None and judging.x.route.data)
    )


def line(judging: Judging) -> bytes:
    """Return the members of the line, encoded."""
    x = judging.x
    special = judging.reasons or judging.inspect or x.ages or x.party == UNDECLARED or x.purpose == UNDECLARED
    if special or isinstance(x.actor, Actor) or isinstance(x.subject, Person) or x.records:
        return encode(members(judging))
    remembered = judging.site.lines
    key = (
        id(judging.head), x.method, x.status, _names(judging.cookies_in), _names(judging.cookies_out),
        tuple(judging.tags.items()), id(judging.closing), judging.duties,
    )  # fmt: skip
    found = remembered.get(key)
    if found is None:
        told = encode(_shared(judging))
        if len(remembered) >= _REMEMBERED:
            remembered.pop(next(iter(remembered)))
        # The objects whose ids stand in the key are kept with the line, so that no other can take their ids.
        found = remembered[key] = (told, judging.head, judging.closing)
    reading = judging.consent
    if reading is None or reading.device is None:
        return found[0]
    return found[0] + consent_members(reading, refuses=judging.head.refuses)


def members(judging: Judging) -> dict[str, Any]:
    """Return the members of the line, built from nothing remembered."""
    told = _shared(judging)
    if judging.inspect:
        told["inspect"] = judging.inspect
    consent_entry(judging, told)
    return told


def _shared(judging: Judging) -> dict[str, Any]:
    """What all exchanges of one kind tell alike."""
    why = [_with_remainder(judging, entry) for entry in grouped(judging.all_reasons())]
    told = released(judging.site, judging.x, why, judging.runtime.names, tag_entries(judging))
    if judging.x.signals and not is_known_child(judging.x):
        told["signals"] = sorted(judging.x.signals)
    return told


def _with_remainder(judging: Judging, entry: dict[str, Any]) -> dict[str, Any]:
    """Say of marks that should have been put on a page that they were not: mark-up is read, not edited."""
    wanted = judging.site.mark_rules.get(entry["rule"])
    if not wanted or entry["action"] != Action.AMEND or entry["thing"] != Thing.PAGE:
        return entry
    lacks = not isinstance(judging.shown, frozenset) or not wanted <= judging.shown
    return {**entry, "remainder": "markup"} if lacks else entry


def _names(entries: list[CookieEntry]) -> object:
    """Return the names of cookies as a key: a set, unless one stands there twice."""
    names = frozenset([entry.name for entry in entries])
    return names if len(names) == len(entries) else tuple(sorted(entry.name for entry in entries))


def shared_line(judging: Judging) -> bytes:
    """Return the encoded members that all exchanges of one kind share."""
    return encode(_shared(judging))


def consent_members(reading: ConsentReading, *, refuses: bool) -> bytes:
    """Return what a device's own cookie adds to a line, with the comma before it. No id of one that refuses."""
    device = reading.device
    told = b""
    if reading.outcome is not CookieOutcome.VALID:
        told = b',"consent_cookie":"%b"' % reading.outcome.value.encode()
    if device is None or device.id is None or refuses:
        return told
    return b'%b,"consent":"%b"' % (told, hexlify(consent_digest(device.id)))


def tag_entries(judging: Judging) -> list[dict[str, Any]]:
    """Return the data that were seen: category, place, number of values, by what they were known."""
    entries: list[dict[str, Any]] = [
        {"cat": category, "loc": carrier, "path": path, "n": n}
        for (category, carrier, path), n in sorted(judging.tags.items())
    ]
    declared: Iterable[str] = judging.x.route.data if judging.x.route is not None else ()
    return entries + [{"cat": category, "loc": "response", "by": "route"} for category in declared]


def consent_entry(judging: Judging, told: dict[str, Any]) -> None:
    """Add what the device's cookie came to. Of one that refused or signals no id; of a child or a person none."""
    reading = judging.consent
    if reading is None or reading.device is None or judging.x.ages or is_known_child(judging.x):
        return
    if reading.outcome.value != "valid":
        told["consent_cookie"] = reading.outcome.value
    if reading.device.id is not None and not judging.head.refuses and not isinstance(judging.x.actor, Actor):
        told["consent"] = consent_digest(reading.device.id).hex()

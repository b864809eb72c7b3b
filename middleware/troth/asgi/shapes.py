"""JSON bodies on a lane: their fields by the verdicts of the head, looked up by the places that hold something."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from troth.asgi.bodies import by_place
from troth.asgi.ground import Ground
from troth.asgi.judging import masks, takes_away
from troth.errors import UnreadableBody
from troth.filters.places import Node, Place
from troth.filters.slices import LARGE
from troth.filters.splicing import Edit
from troth.filters.tagging import Look
from troth.model.facts import Direction
from troth.model.findings import Finding
from troth.model.words import UNDECLARED, Action, Carrier

_MOST_SHAPES: Final = 256
FindPlaces = Callable[[bytes, Node, Look | None], dict[Place, int] | None]
find_places: FindPlaces | None = None
"""Finds the places of a body faster than the tagger; None where it leaves the body to it. Set by `compiled`."""
_Found = tuple[tuple[Place, int], ...]


class Fields:
    """What a JSON body holds: where which categories stand, how often, and what has to go. One per shape of body."""

    __slots__ = ("depends", "edits", "found", "seen", "tags")

    def __init__(self) -> None:
        self.seen: set[tuple[str, Carrier, Direction]] = set()
        self.tags: dict[tuple[str, str, str], int] = {}
        self.edits: dict[object, Edit] = {}
        self.found: list[tuple[tuple[Finding, ...], str]] = []
        """What the rules say of each field, with its category."""
        self.depends = False

    def add(self, place: Place, category: str, n: int, findings: tuple[Finding, ...]) -> None:
        """Add the values of a category that stand at one place."""
        self.seen.add((category, Carrier.JSON, Direction.RESPONSE))
        key = (category, Carrier.JSON.value, place.shown)
        self.tags[key] = self.tags.get(key, 0) + n
        if findings:
            self.found.append((findings, category))
        if takes_away(findings):
            self.edits[place.path, category] = Edit.REMOVE
        elif masks(findings):
            self.edits[place.path, category] = Edit.MASK

    def content(self) -> object:
        """Return everything, to be compared with another."""
        return tuple(self.tags.items()), tuple(self.found), tuple(self.edits.items()), self.depends


NO_FIELDS: Final = Fields()


class Shapes:
    """Reads the JSON bodies of one ground."""

    __slots__ = ("_fields", "_find", "_ground", "_limit", "_look", "_shapes", "_tagger", "_today")

    def __init__(self, ground: Ground, today: date) -> None:
        limits = (ground.route.limits if ground.route else None) or ground.site.binding.limits
        self._ground = ground
        self._limit = min(limits.hold_response, LARGE)
        self._tagger = ground.site.tagging(ground.route).json
        self._find = find_places if self._tagger.screened else None
        self._look = self._tagger.look
        self._today = today
        self._shapes: dict[_Found, Fields | None] = {}
        self._fields: dict[object, Fields] = {}

    def read(self, body: bytes) -> tuple[bytes, Fields] | None:
        """Return a body as it goes out (the same object if it stays) and its fields; None to leave the ground."""
        if len(body) > self._limit:
            return None
        try:
            places = None if self._find is None else self._find(body, self._tagger.fresh_root(), self._look)
            if places is None:
                places = self._tagger.tag(body, today=self._today).places
        except UnreadableBody:
            return None
        found: _Found = tuple(places.items())
        fields = self._shapes.get(found) or self._learn(found)
        if fields is None:
            return None
        if fields.edits:
            return self._tagger.edit(body, by_place(fields.edits)), fields
        return body, fields

    def _learn(self, found: _Found) -> Fields | None:
        """Judge what stands where, unless it is known to leave the ground; equal bodies share one object."""
        if found in self._shapes:
            return None
        if len(self._shapes) >= _MOST_SHAPES:
            self._shapes.clear()
            self._fields.clear()
        fields = self._judged(found)
        if fields is not None:
            fields = self._fields.setdefault(fields.content(), fields)
        self._shapes[found] = fields
        return fields

    def _judged(self, found: _Found) -> Fields | None:
        fields = Fields()
        head = self._ground.head
        for place, n in found:
            for category in place.categories or (UNDECLARED,):
                verdict = head.residual.field(category, Carrier.JSON, Direction.RESPONSE)
                if verdict.live or category == UNDECLARED or _denies(verdict.findings):
                    return None
                fields.add(place, category, n, verdict.findings)
                fields.depends = fields.depends or head.field_depends(category, Carrier.JSON)
        return fields


def _denies(findings: tuple[Finding, ...]) -> bool:
    return any(finding.action is Action.DENY and not finding.dry for finding in findings)

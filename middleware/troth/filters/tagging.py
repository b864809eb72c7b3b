"""Find the fields of a JSON body: members that have a category by the binding, by a declared name, or by a probe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import date
from typing import Any, Final

from troth.errors import UnreadableBody
from troth.filters.ages import Age, age
from troth.filters.json_text import Members, decode, decode_all, is_empty, may_repeat_keys
from troth.filters.names import NONE
from troth.filters.places import ITEM, Node, Path, Place, Shape
from troth.filters.probes import NO_PROBES, NOBODY, Known, Probes, Screen
from troth.filters.splicing import ConcretePath, Cuts, Edit, splice, splice_in_steps

_CONTAINERS: Final = frozenset({dict, list, Members})
Look = Callable[[object, str | None, Place | None, Node], Place | None]
"""Looks at a value under a key (None: an item of a list) of a node, whose place goes by its name; gives its place."""
Verdict = Callable[[Place], Edit | None]
"""Judges a place by its categories. Never by identity: after much has been learned, places are made anew."""


VerdictAt = Callable[[Place | None, ConcretePath], Edit | None]
"""Judges a member or item by its place (None: no field) and by the keys and indexes that lead there."""


class Tags:
    """What a body holds: `places` with the number of values at each, in no promised order, and `ages` that were stated.

    `members` counts the members of all objects, declared or not.
    """

    __slots__ = ("ages", "members", "places")

    def __init__(self) -> None:
        self.places: dict[Place, int] = {}
        self.ages: list[tuple[Place, Age]] = []
        self.members = 0

    def categories(self) -> frozenset[str]:
        """Return every category of which at least one value is there."""
        return frozenset(category for place in self.places for category in place.categories)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of values by category and place as shown in lines; undeclared members under ``""``."""
        counts: dict[tuple[str, str], int] = {}
        for place, n in self.places.items():
            for category in place.categories or ("",):
                key = (category, place.shown)
                counts[key] = counts.get(key, 0) + n
        return counts


class Tagger:
    """Finds fields in the JSON bodies of one route and carrier; made at load, used by every exchange.

    `names` maps declared names (exact or with ``*``, without case) to categories: they make a field of a scalar, or of
    the scalar items of a list; with `whole` of whatever stands there. `selectors` maps ``$.a.b``, ``$[*].email``,
    ``$.by_country.*`` to categories and goes before names; a selector with no category says that nothing there is a
    field by name, and one with a category makes a field of whatever stands there. `probes` look at every scalar. Of the
    categories in `with_age` the stated ages are read. `undeclared` reports scalar members without a category too.
    `depth` bounds nesting.
    """

    __slots__ = ("_by_name", "_probes", "_root", "_screen", "_shape")

    def __init__(
        self,
        names: Mapping[str, Iterable[str]],
        selectors: Mapping[str, Iterable[str]] | None = None,
        *,
        probes: Probes = NO_PROBES,
        with_age: Iterable[str] = (),
        undeclared: bool = False,
        depth: int = 64,
        whole: bool = False,
    ) -> None:
        dated = frozenset(with_age)
        self._shape = Shape(names, selectors or {}, depth=depth, undeclared=undeclared, with_age=dated, whole=whole)
        self._probes = probes
        self._screen = probes.screen(NOBODY)
        self._by_name = not probes and not dated
        self._root = Node(self._shape)

    def tag(self, body: bytes, *, today: date, known: Known = NOBODY) -> Tags:
        """Return what stands in `body`; an empty body holds nothing. `known` are values that the `known` probe seeks.

        Raises UnreadableBody (``malformed``) where readers of JSON could disagree about the body.
        """
        tags = Tags()
        try:
            value = decode(body)
        except UnreadableBody:
            if is_empty(body):
                return tags
            raise
        if type(value) not in _CONTAINERS:
            return tags
        if self._by_name:
            _walk_names(tags, value, self.fresh_root())
        else:
            self._inspect(tags, value, self.fresh_root(), today, known)
        if may_repeat_keys(body, tags.members):
            self._inspect(tags := Tags(), decode_all(body), self.fresh_root(), today, known)
        return tags

    def edit(self, body: bytes, verdict: Verdict, *, known: Known = NOBODY) -> bytes:
        """Return `body` with each field removed or masked for whose place `verdict` says so; the rest byte for byte.

        Sees the very places that `tag` saw, every occurrence of a key that stands twice. Raises UnreadableBody.
        """
        if is_empty(body):
            return body
        return splice(body, _Editor(self.fresh_root(), self._probes, verdict, known))

    def edit_in_steps(
        self, body: bytes | bytearray, verdict: Verdict, *, known: Known = NOBODY
    ) -> Generator[None, None, Cuts]:
        """Find what `edit` takes out a few members at a time, in a body that `slices.tag_in_slices` has read."""
        return splice_in_steps(body, _Editor(self.fresh_root(), self._probes, verdict, known))

    def tag_part(self, value: Any, path: Path, *, today: date, known: Known = NOBODY) -> Tags:
        """Return what stands in one decoded part of a body; `path` leads there, with `ITEM` for items of lists."""
        tags = Tags()
        node = self.fresh_root()
        for step in path:
            node = node.into(step)
        if type(value) in _CONTAINERS:
            self._inspect(tags, value, node, today, known)
        return tags

    def edit_at(self, body: bytes, verdict: VerdictAt, *, known: Known = NOBODY) -> bytes:
        """Return `body` with what `verdict` says taken out: it is asked for every member and item, declared or not."""
        if is_empty(body):
            return body
        return splice(body, _EditorAt(self.fresh_root(), self._probes, verdict, known))

    @property
    def screened(self) -> bool:
        """Whether the form of a value tells that no probe can find anything in it."""
        return not self._probes.has_patterns

    @property
    def look(self) -> Look | None:
        """What looks closely at one scalar and gives its place; None where values do not matter."""
        return self._look if self._probes else None

    def _look(self, value: object, key: str | None, place: Place | None, node: Node) -> Place | None:
        if place is not None and not place.passes:
            place.passes = self._probes.passed(place.categories)
        found = self._probes.find(value, NOBODY, NONE if place is None else place.categories)
        return node.probed(key, place, found) if found else place

    def fresh_root(self) -> Node:
        """Return the tree of places, begun anew where it has learned too much."""
        if self._shape.full:
            self._shape.learned = 0
            self._root = Node(self._shape)
        return self._root

    def _inspect(self, tags: Tags, value: Any, node: Node, today: date, known: Known) -> None:
        screen = self._screen if known is NOBODY else self._probes.screen(known)
        _Inspection(tags, self._probes, screen, today, known).walk(value, node)


def _walk_names(tags: Tags, value: Any, node: Node) -> None:
    """Tag by name alone where no key stands twice. Kept flat: this loop is what most tagged exchanges cost."""
    counts = tags.places
    stack: list[tuple[Any, Node]] = [(value, node)]
    members = 0
    while stack:
        value, node = stack.pop()
        if type(value) is list:
            _walk_items(counts, value, node, stack)
            continue
        members += len(value)
        nodes = node.nodes
        for key, member in value.items():
            place = node[key]
            kind = type(member)
            if kind is dict or kind is list:
                stack.append((member, nodes.get(key) or node.into(key)))
                if place is None or not place.whole:
                    continue
            if place is not None:
                counts[place] = counts.get(place, 0) + 1
    tags.members = members


def _walk_items(counts: dict[Place, int], values: list[Any], node: Node, stack: list[tuple[Any, Node]]) -> None:
    place = node.item
    inside: Node | None = None
    for value in values:
        kind = type(value)
        if kind is dict or kind is list:
            inside = inside or node.nodes.get(ITEM) or node.into(ITEM)
            stack.append((value, inside))
            if place is None or not place.whole:
                continue
        if place is not None:
            counts[place] = counts.get(place, 0) + 1


class _Inspection:
    """One pass over a decoded body that looks at values too: probes on every scalar, ages where they are stated."""

    __slots__ = ("_ages", "_counts", "_known", "_probes", "_screen", "_tags", "_today")

    def __init__(self, tags: Tags, probes: Probes, screen: Screen, today: date, known: Known) -> None:
        self._tags = tags
        self._counts = tags.places
        self._ages = tags.ages
        self._probes = probes
        self._screen = screen
        self._today = today
        self._known = known

    def walk(self, value: Any, node: Node) -> None:  # noqa: C901 - calls per member would cost more than the work
        """Tag a decoded body from its outermost object or list on. Flat: this is what most tagged exchanges cost."""
        screen, counts, members = self._screen, self._counts, 0
        search, shortest, least, is_moment = screen.search, screen.shortest, screen.least, screen.is_moment
        stack: list[tuple[Any, Node]] = [(value, node)]
        while stack:
            value, node = stack.pop()
            if type(value) is list:
                self._items(value, node, stack)
                continue
            members += len(value)
            for key, member in value.items():
                place = node[key]
                kind = type(member)
                if kind is str:
                    if len(member) >= shortest and search(member) and not is_moment(member):
                        place = self._look(member, key, place, node)
                elif kind is int:
                    if member >= least:
                        place = self._look(member, key, place, node)
                elif kind in _CONTAINERS:
                    stack.append((member, node.nodes.get(key) or node.into(key)))
                    if place is None or not place.whole:
                        continue
                if place is not None:
                    counts[place] = counts.get(place, 0) + 1
                    if place.dated:
                        self._state_age(place, key, member)
        self._tags.members += members

    def _items(self, values: list[Any], node: Node, stack: list[tuple[Any, Node]]) -> None:
        for value in values:
            place = node.item
            if type(value) in _CONTAINERS:
                stack.append((value, node.nodes.get(ITEM) or node.into(ITEM)))
                if place is None or not place.whole:
                    continue
            else:
                place = self._look(value, ITEM, place, node)
            if place is not None:
                self._counts[place] = self._counts.get(place, 0) + 1
                if place.dated:
                    self._state_age(place, ITEM, value)

    def _look(self, value: Any, key: str | None, place: Place | None, node: Node) -> Place | None:
        found = self._probes.find(value, self._known, NONE if place is None else place.categories)
        return node.probed(key, place, found) if found else place

    def _state_age(self, place: Place, key: str | None, value: object) -> None:
        stated = age(key or _last_name(place), value, self._today)
        if stated is not None:
            self._ages.append((place, stated))


class _Editor:
    """Guides the splicer along the places of a tagger."""

    __slots__ = ("_known", "_probes", "_verdict", "reads_values", "root")

    def __init__(self, root: Node, probes: Probes, verdict: Verdict, known: Known) -> None:
        self.root = root
        self.reads_values = bool(probes)
        self._probes = probes
        self._verdict = verdict
        self._known = known

    def enter(self, node: Node, key: str | int) -> Node:
        return node.into(key if type(key) is str else ITEM)

    def judge(self, node: Node, key: str | int, token: bytes | None) -> Edit | None:
        place = node[key] if type(key) is str else node.item
        if token is None:
            return self._verdict(place) if place is not None and place.whole else None
        if self.reads_values:
            found = self._probes.find(decode(token), self._known)
            if found:
                place = node.probed(key if type(key) is str else ITEM, place, found)
        return None if place is None else self._verdict(place)


class _EditorAt:
    """Guides the splicer along the places of a tagger and the concrete paths that lead there."""

    __slots__ = ("_editor", "_last", "_verdict", "reads_values", "root")

    def __init__(self, root: Node, probes: Probes, verdict: VerdictAt, known: Known) -> None:
        self.root: tuple[Node, ConcretePath] = (root, ())
        self.reads_values = True
        self._verdict = verdict
        self._last: Place | None = None
        self._editor = _Editor(root, probes, self._note, known)

    def _note(self, place: Place) -> Edit | None:
        self._last = place
        return None

    def enter(self, state: tuple[Node, ConcretePath], key: str | int) -> tuple[Node, ConcretePath]:
        return self._editor.enter(state[0], key), (*state[1], key)

    def judge(self, state: tuple[Node, ConcretePath], key: str | int, token: bytes | None) -> Edit | None:
        self._last = None
        self._editor.judge(state[0], key, token)
        return self._verdict(self._last, (*state[1], key))


def _last_name(place: Place) -> str:
    return next((step for step in reversed(place.path) if step is not None), "")

"""Where a value stands in a JSON body, and what it is there.

A tagger learns each place once: which categories the name has, which selectors end there. The learned tree is bounded
and holds names only, never values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from troth.errors import UnreadableBody
from troth.filters.names import NONE, Categories, Names

ITEM: Final = None
"""The step into a list, any item."""
_ANY: Final = "*"
_REMEMBERED: Final = 4096
_LONGEST: Final = 128
_STEP: Final = re.compile(r"\.(?P<name>[^.\[\]'\"]+)|\[(?P<item>\*)\]|\['(?P<one>[^']+)'\]|\[\"(?P<two>[^\"]+)\"\]")

Path = tuple[str | None, ...]
"""Steps from the root: a key, or `ITEM` for any item of a list."""


class _Step:
    """One step of a selector: into a member `key`, into any item, or (``.*``) into any member or item."""

    __slots__ = ("any", "key")

    def __init__(self, key: str | None, *, any_member: bool) -> None:
        self.key = key
        self.any = any_member

    def fits(self, key: str | None) -> bool:
        return self.any or self.key == key


Selector = tuple[_Step, ...]


@lru_cache(maxsize=256)
def parse_selector(text: str) -> Selector:
    """Read ``$``, ``$.a.b``, ``$[*].email``, ``$.by_country.*``, ``$['odd name']``. Keys keep their case.

    Raises ValueError where `text` is none of these; a single index (``[0]``) is none. Bindings bring the few there are.
    """
    if not text.startswith("$"):
        raise ValueError("a selector starts with `$`")
    steps: list[_Step] = []
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ValueError(f"not a selector from character {at + 1} on")
        key = step["name"] or step["one"] or step["two"]
        steps.append(_Step(key, any_member=step["name"] == _ANY))
        at = step.end()
    return tuple(steps)


class Place:
    """One place in a body and the categories a value has there. Compared by identity; a tagger hands out one for each.

    `path` names it, with names as they stand in the body: only for filters. `shown` is for lines: ``$.order[*].email``,
    where names read as they were declared (``X-Geo-ada`` as ``x-geo-*``) and undeclared ones ``?``. `whole` says that
    an object or list at this place is the value, as where a selector ends; otherwise only a scalar is. `dated` says
    that one of the categories states an age.
    """

    __slots__ = ("categories", "dated", "passes", "path", "shown", "whole")

    def __init__(self, path: Path, shown: str, categories: Categories, *, whole: bool, dated: bool = False) -> None:
        self.path = path
        self.dated = dated
        self.shown = shown
        self.categories = categories
        self.whole = whole
        self.passes = 0
        """Signs of probes (`probes.SIGNS`) that say nothing new of a value here, as far as that has been found out."""

    def __repr__(self) -> str:
        return f"Place({self.shown}: {', '.join(self.categories) or 'undeclared'})"


class Shape:
    """What a tree of places is learned from: declared names, selectors of the binding, a limit of depth, a budget.

    `whole`: a declared name says of an object or list as well what it is, not only of a scalar.
    """

    __slots__ = ("depth", "learned", "names", "selectors", "undeclared", "whole", "with_age")

    def __init__(
        self,
        names: Mapping[str, Iterable[str]],
        selectors: Mapping[str, Iterable[str]],
        *,
        depth: int,
        undeclared: bool,
        with_age: frozenset[str] = frozenset(),
        whole: bool = False,
    ) -> None:
        self.whole = whole
        self.with_age = with_age
        self.names = Names(names)
        self.selectors = tuple((parse_selector(text), tuple(sorted(set(ids)))) for text, ids in selectors.items())
        self.depth = depth
        self.undeclared = undeclared
        self.learned = 0

    def room(self, key: str) -> bool:
        """Say whether one more place may be remembered, and count it."""
        if self.learned >= _REMEMBERED or len(key) > _LONGEST:
            return False
        self.learned += 1
        return True

    @property
    def full(self) -> bool:
        """Whether the budget is used up: time to start a new tree."""
        return self.learned >= _REMEMBERED


class Node(dict[str, Place | None]):
    """The place of an object or list: gives each key its `Place` (None: no thing), and learns it when first asked."""

    __slots__ = ("_probed", "item", "nodes", "path", "shape", "shown", "under")

    def __init__(
        self,
        shape: Shape,
        path: Path = (),
        shown: str = "$",
        under: tuple[tuple[Selector, Categories], ...] | None = None,
        inherited: Categories = NONE,
    ) -> None:
        if len(path) >= shape.depth:
            raise UnreadableBody("malformed")
        super().__init__()
        self.shape = shape
        self.path = path
        self.shown = shown
        self.under = shape.selectors if under is None else under
        self.nodes: dict[str | None, Node] = {}
        """The nodes inside that were learned; `into` gives also those that were not."""
        self._probed: dict[tuple[str | None, Categories], Place] = {}
        self.item = self._place(ITEM, inherited)
        """What scalar items are here, if this is a list: they go by the name of the list."""

    def __missing__(self, key: str) -> Place | None:
        place = self._place(key, self.shape.names.of(key))
        if self.shape.room(key):
            self[key] = place
        return place

    def into(self, key: str | None) -> Node:
        """Return the node of the object or list that stands under `key`, or in a list (`ITEM`).

        Raises UnreadableBody (``malformed``) where the body is nested too deeply.
        """
        found = self.nodes.get(key)
        if found is None:
            place = self.item if key is None else self[key]
            found = Node(
                self.shape,
                (*self.path, key),
                self._shown(key),
                tuple((selector[1:], ids) for selector, ids in self.under if selector and selector[0].fits(key)),
                place.categories if place is not None and not place.whole else NONE,
            )
            if self.shape.room(key or ""):
                self.nodes[key] = found
        return found

    def probed(self, key: str | None, place: Place | None, found: Iterable[str]) -> Place:
        """Return the place of a value in which a probe found categories beside those its name has."""
        if place is not None and all(category in place.categories for category in found):
            return place
        ids: Categories = tuple(sorted({*(place.categories if place else NONE), *found}))
        known = self._probed.get((key, ids))
        if known is None:
            known = self._made(key, ids, whole=place is not None and place.whole)
            if self.shape.room(key or ""):
                self._probed[key, ids] = known
        return known

    def _place(self, key: str | None, by_name: Categories) -> Place | None:
        bound = [ids for selector, ids in self.under if len(selector) == 1 and selector[0].fits(key)]
        ids = tuple(sorted({one for each in bound for one in each})) if bound else by_name
        if not ids and not (self.shape.undeclared and key is not None and not bound):
            return None
        return self._made(key, ids, whole=bool(bound or (ids and self.shape.whole)))

    def _made(self, key: str | None, ids: Categories, *, whole: bool) -> Place:
        dated = not self.shape.with_age.isdisjoint(ids)
        return Place((*self.path, key), self._shown(key), ids, whole=whole, dated=dated)

    def _shown(self, key: str | None) -> str:
        if key is None:
            return self.shown + "[*]"
        steps = [selector[0] for selector, _ in self.under if selector and selector[0].fits(key)]
        if any(step.key == key for step in steps):
            return f"{self.shown}.{key}"
        return f"{self.shown}.{_ANY if steps else self.shape.names.shown(key)}"

"""The binding's routes as a look-up: exact paths by dictionary, templates by a trie of segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from troth.model.binding import Route

Match = tuple[Route, Mapping[str, str]]
_NO_PARAMS: Final[Mapping[str, str]] = {}
_REST: Final = "*"


class _Node:
    __slots__ = ("named", "plain", "rest", "routes")

    def __init__(self) -> None:
        self.plain: dict[str, _Node] = {}
        self.named: _Node | None = None
        self.rest: dict[str, Route] = {}
        self.routes: dict[str, Route] = {}


class RouteTable:
    """Finds the route of a method and path. Literal segments go before parameters, those before a trailing ``*``.

    HEAD is answered by the GET route where it has none of its own; a method ``*`` takes what no other route took.
    """

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._exact: dict[tuple[str, str], Match] = {}
        self._root = _Node()
        for route in routes:
            if "{" not in route.path and not route.path.endswith("/" + _REST):
                self._exact[route.method, route.path] = (route, _NO_PARAMS)
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path.strip("/").split("/"):
            if segment == _REST:
                node.rest[route.method] = route
                return
            if segment.startswith("{"):
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.plain.setdefault(segment, _Node())
        node.routes[route.method] = route

    def match(self, method: str, path: str) -> Match | None:
        """Return the route and its path parameters (decoded), or None."""
        found = self._exact.get((method, path))
        if found is not None:
            return found
        segments = path.strip("/").split("/")
        route = self._found(method, segments)
        return None if route is None else (route, _parameters(route, segments))

    def find(self, method: str, path: str) -> Route | None:
        """Return the route alone."""
        found = self._exact.get((method, path))
        return self._found(method, path.strip("/").split("/")) if found is None else found[0]

    def _found(self, method: str, segments: list[str]) -> Route | None:
        route = self._find(self._root, segments, 0, method)
        if route is None and method == "HEAD":
            route = self._find(self._root, segments, 0, "GET")
        return route

    def _find(self, node: _Node, segments: list[str], at: int, method: str) -> Route | None:
        while at < len(segments) and not node.rest and not (node.plain and node.named):  # only one way to go on
            segment = segments[at]
            inside = node.plain.get(segment) if node.plain else node.named if segment else None
            if inside is None:
                return None
            node, at = inside, at + 1
        if at == len(segments):
            return _of(node.routes, method)
        plain = node.plain.get(segments[at])
        found = None if plain is None else self._find(plain, segments, at + 1, method)
        if found is None and node.named is not None and segments[at]:
            found = self._find(node.named, segments, at + 1, method)
        return found if found is not None else _of(node.rest, method)


def _of(routes: Mapping[str, Route], method: str) -> Route | None:
    return routes.get(method) or routes.get("*")


def _parameters(route: Route, segments: list[str]) -> Mapping[str, str]:
    template = route.path.strip("/").split("/")
    pairs = zip(template, segments, strict=False)
    return {part[1:-1]: unquote(segment) for part, segment in pairs if part.startswith("{")}

"""The express lane, compiled from ``middleware/native``; put in its place by `troth.asgi.compiled`."""

from collections.abc import Callable, Mapping
from typing import Any

def configure(classes: dict[str, Any], things: dict[str, Any], /) -> None: ...
def places(body: bytes, root: Any, look: Callable[..., Any] | None, /) -> Mapping[Any, int] | None: ...
def signs(text: str, /) -> int: ...

enter: Any
send: Any

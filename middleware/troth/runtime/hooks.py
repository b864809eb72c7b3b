"""Callables that a binding names as ``module:name``: imported at start, called with care."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from troth.errors import ConfigurationError, HookError

BATCH: Final = 1000
"""How many ids a look-up is given at once."""
SECONDS: Final = 5.0
"""How long a look-up that is async may take for one batch."""


class Hook:
    """One callable of the app. `call` awaits it where it is async; whatever it raises becomes a HookError."""

    __slots__ = ("_call", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._call = load(name)

    async def look_up(self, ids: list[str]) -> Mapping[Any, Any]:
        """Call it with ids, at most `BATCH` at a time and `SECONDS` a batch; returns one mapping of what it told.

        Raises HookError also where it is too slow, or tells no mapping.
        """
        found: dict[Any, Any] = {}
        for start in range(0, len(ids), BATCH):
            try:
                async with asyncio.timeout(SECONDS):
                    told = await self.call(ids[start : start + BATCH])
            except TimeoutError:
                raise HookError(self.name, "TimeoutError") from None
            if not isinstance(told, Mapping):
                raise HookError(self.name, "TypeError")
            found.update(told)
        return found

    async def call(self, *arguments: Any) -> Any:
        """Call it. Raises HookError with the class name of the cause, never its text."""
        try:
            result = self._call(*arguments)
            return await result if inspect.isawaitable(result) else result
        except Exception as cause:  # noqa: BLE001 - app code may raise anything; what it asked for becomes unreadable
            raise HookError(self.name, type(cause).__name__) from None


def load(name: str) -> Callable[..., Any]:
    """Import ``module:name`` (also ``module.name``). Raises ConfigurationError where it is missing or not callable."""
    module, colon, attribute = name.partition(":")
    if not colon:
        module, _, attribute = name.rpartition(".")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as cause:
        raise ConfigurationError(f"hook {name} cannot be imported ({type(cause).__name__})") from cause
    if not callable(found):
        raise ConfigurationError(f"hook {name} is not callable")
    return found  # type: ignore[no-any-return]  # checked to be callable just above

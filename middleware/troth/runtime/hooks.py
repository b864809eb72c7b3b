"""Callables that a binding names as ``module:name``: imported at start, called with care."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from troth.errors import ConfigurationError, HookError


class Hook:
    """One callable of the app. `call` awaits it where it is async; whatever it raises becomes a HookError."""

    __slots__ = ("_call", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._call = load(name)

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

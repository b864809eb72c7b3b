"""Cookies that frameworks set by themselves, as maps from the cookie's name to a row of the policy.

A binding names presets; a cookie whose row the policy lacks stays undeclared. Where the policy declares the cookie
under the framework's own name, that row is taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from troth.model.policy import CookieRow

PRESETS: Mapping[str, Mapping[str, str]] = {
    "starlette": {"session": "session"},
    "fastapi": {"session": "session"},
    "django": {"sessionid": "session", "csrftoken": "csrf", "messages": "messages"},
    "flask": {"session": "session"},
    "quart": {"session": "session"},
    "litestar": {"session": "session", "csrftoken": "csrf"},
    "fastapi-csrf": {"fastapi-csrf-token": "csrf"},
    "starlette-csrf": {"csrftoken": "csrf"},
}


def preset_cookies(names: tuple[str, ...], rows: tuple[CookieRow, ...]) -> dict[str, str]:
    """Return the app's cookie names with the patterns of the rows they are, for the presets named."""
    declared = {row.pattern for row in rows}
    pairs = [pair for name in names for pair in PRESETS[name].items()]
    return {cookie: row for cookie, row in pairs if row in declared and cookie not in declared}

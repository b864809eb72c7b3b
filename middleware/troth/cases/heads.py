"""Checks of headers and cookies."""

from __future__ import annotations

from collections.abc import Iterator

from troth.cases.failure import Failure
from troth.cases.values import CookiesWanted, Headers, HeadersWanted
from troth.consent.device import COOKIE_NAME

# headers ---------------------------------------------------------------------------------------------------------


def check_headers(what: str, wanted: HeadersWanted, headers: Headers) -> Iterator[Failure]:
    """Check headers: there, not there, exactly so."""
    for name, values in wanted.has:
        found = values_of(headers, name)
        if not found or (values and not any(_says(one, value) for one in found for value in values)):
            yield Failure(f"{what} has {name}", " or ".join(values) or "any value", ", ".join(found) or "not there")
    for name, values in wanted.absent:
        found = values_of(headers, name)
        if found and (not values or any(_says(one, value) for one in found for value in values)):
            yield Failure(f"{what} not {name}", "not there", ", ".join(found))
    for name, values in wanted.exact:
        found = values_of(headers, name)
        if found != list(values):
            yield Failure(f"{what} is {name}", ", ".join(values), ", ".join(found) or "not there")


def values_of(headers: Headers, name: str) -> list[str]:
    """Return all values of a header."""
    return [value.decode("latin-1") for key, value in headers if key.lower() == name.encode("latin-1", "replace")]


def _says(found: str, wanted: str) -> bool:
    """Whether a header's value is the one wanted, or holds it as one of its directives; in any case of letters."""
    directives = {part.strip().lower() for whole in found.split(",") for part in (whole, *whole.split(";"))}
    return wanted.lower() == found.lower() or wanted.strip().lower() in directives or _has_all(found, wanted)


def _has_all(found: str, wanted: str) -> bool:
    asked = directives(wanted)
    return len(asked) > 1 and asked <= directives(found)


def directives(text: str) -> set[str]:
    """Return the directives of a header of lists, in lower case."""
    return {part.strip().lower() for whole in text.split(",") for part in whole.split(";") if part.strip()}


# cookies ---------------------------------------------------------------------------------------------------------


def check_cookies(wanted: CookiesWanted, headers: Headers) -> Iterator[Failure]:
    """Check `Set-Cookie` headers; one that ends a cookie sets nothing."""
    lines = values_of(headers, "set-cookie")
    expired = [line for line in lines if _expires(line)]
    live = [line for line in lines if line not in expired]
    values = {_name(line): line.partition(";")[0].partition("=")[2] for line in live}
    for name, value in wanted.set:
        if name not in values or value not in (None, values[name]):
            yield Failure(f"cookies set {name}", value or "set", values.get(name, "not set"))
    for name in wanted.absent:
        if name in values:
            yield Failure(f"cookies not-set {name}", "not set", "set")
    for name in wanted.expired:
        if name not in map(_name, expired):
            yield Failure(f"cookies expired {name}", "expired", "set" if name in values else "not mentioned")
    for line in wanted.exact:
        if line not in lines:
            yield Failure("cookies exact", line, " | ".join(lines) or "none")
    names = [_name(line) for line in live if _name(line) != COOKIE_NAME or COOKIE_NAME in (wanted.only or ())]
    if wanted.only is not None and names != list(wanted.only):
        yield Failure("cookies only", ", ".join(wanted.only) or "none", ", ".join(names) or "none")
    yield from _attributes(wanted, live)


def _attributes(wanted: CookiesWanted, live: list[str]) -> Iterator[Failure]:
    held = {_name(line): {part.strip().lower() for part in line.split(";")[1:]} for line in live}
    for name, asked in wanted.has:
        missing = [one for one in asked if one.lower() not in held.get(name, set())]
        if missing:
            yield Failure(
                f"cookies with {name}", ", ".join(missing), ", ".join(sorted(held.get(name, ()))) or "not set"
            )
    for name, refused in wanted.lacks:
        names = {one.partition("=")[0] for one in held.get(name, ())} | held.get(name, set())
        there = [one for one in refused if one.lower() in names]
        if there:
            yield Failure(f"cookies without {name}", "not there", ", ".join(there))


def _name(line: str) -> str:
    return line.partition(";")[0].partition("=")[0].strip()


def _expires(line: str) -> bool:
    attributes = [part.strip().lower() for part in line.split(";")[1:]]
    return "max-age=0" in attributes or any(one.startswith("expires=thu, 01 jan 1970") for one in attributes)

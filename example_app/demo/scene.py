"""One step of the walk, and what can be read off its bytes."""

from __future__ import annotations

from dataclasses import dataclass

from example_app.demo.wire import Exchange, expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A sentence and whether the bytes bear it out."""

    text: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One step of the walk."""

    title: str
    exchange: Exchange
    claims: tuple[Claim, ...]


def scene(title: str, exchange: Exchange, *claims: Claim) -> Scene:
    """Put a step of the walk together."""
    return Scene(title=title, exchange=exchange, claims=claims)


def sent(exchange: Exchange) -> set[str]:
    """The cookies that the shop sent."""
    return set(exchange.inside.answer.set_cookies) if exchange.inside else set()


def seen(exchange: Exchange) -> set[str]:
    """The cookies that the shop saw."""
    return set(exchange.inside.cookies) if exchange.inside else set()


def arrived(exchange: Exchange) -> set[str]:
    """The cookies that arrived at the browser, expiries included."""
    return set(exchange.arrived.set_cookies)


def expired_cookies(exchange: Exchange) -> set[str]:
    """The cookies that the answer ends."""
    return {name for name, value in exchange.arrived.set_cookies.items() if expired(value)}


def given(exchange: Exchange) -> set[str]:
    """The cookies that arrived to stay."""
    return arrived(exchange) - expired_cookies(exchange)


def untouched(exchange: Exchange, names: set[str] | frozenset[str]) -> bool:
    """Whether these cookies arrived as the shop sent them."""
    if exchange.inside is None:
        return False
    sent, arrived = exchange.inside.answer.set_cookies, exchange.arrived.set_cookies
    return all(name in sent and sent[name] == arrived.get(name) for name in names)


def same_body(exchange: Exchange) -> bool:
    """Whether the body arrived as the shop sent it."""
    return exchange.inside is not None and exchange.inside.answer.body == exchange.arrived.body


def returns(exchange: Exchange) -> bool:
    """Whether a form comes back to the shop."""
    return exchange.arrived.status == 303 and exchange.arrived.all("location") == ("/choices/saved",)


def csp_without(exchange: Exchange, host: str) -> bool:
    """Whether a policy for scripts keeps a host out."""
    policies = exchange.arrived.all("content-security-policy")
    return any("script-src" in policy and host not in policy for policy in policies)


def removed(exchange: Exchange, *names: str) -> bool:
    """Whether these members left the shop and did not arrive."""
    sent = exchange.inside.answer.json if exchange.inside else {}
    return all(name in sent and name not in exchange.arrived.json for name in names)


def kept(exchange: Exchange, *names: str) -> bool:
    """Whether these members arrived as they left the shop."""
    sent = exchange.inside.answer.json if exchange.inside else {}
    return all(name in sent and sent[name] == exchange.arrived.json.get(name) for name in names)


def lives(exchange: Exchange, name: str, seconds: int) -> bool:
    """Whether a cookie lives as long as this."""
    return f"max-age={seconds}" in exchange.arrived.set_cookies.get(name, "").lower()

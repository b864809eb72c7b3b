"""What trail and log say of the rules themselves: another state of the files, one that was refused, switches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from troth.diagnostics import InvalidFiles
from troth.errors import ActivationRefused, ConfigurationError
from troth.rules.switches import Switch
from troth.runtime.loading import Sites
from troth.runtime.site import Site

KIND: Final = "policy"
"""The `kind` of these lines."""
Members = Mapping[str, Any]


def changes(before: Sites, after: Sites, today: date) -> Iterator[Members]:
    """Yield the lines of going over from one state of the files to another: the files first, then each switch."""
    for host, site in after.by_host.items():
        was = before.by_host[host]
        if (was.policy.fingerprint, before.binding_hash) != (site.policy.fingerprint, after.binding_hash):
            yield {
                **_line("policy-loaded", site, today),
                **_hashes(site, after),
                "was": {"policy": _named(was, today), **_hashes(was, before)},
            }
    yield from _turned(before, after, today)


def switched(loaded: Sites, today: date) -> Iterator[Members]:
    """Yield the lines of the switches that hold when a process starts."""
    nothing = Sites(by_host=loaded.by_host, switches=(), binding_hash=None)
    yield from _turned(nothing, loaded, today)


def refused(kept: Sites, today: date, cause: ConfigurationError) -> Members:
    """Return the line of files that cannot be used: `kept` goes on. Says how much is wrong, never what stands there."""
    line = {**_line("policy-refused", kept.first, today), **_hashes(kept.first, kept)}
    alert = {"thing": "policy", "action": "alert", "n": 1}
    match cause:
        case ActivationRefused(version=version, found=found):
            why = [{"rule": rule, "clause": [*clauses], "thing": "event", "action": "withhold", "n": 1}
                   for rule, clauses in found]  # fmt: skip
            return {**line, "reason": "activation-refused", "version": version, "why": [*why, alert]}
        case InvalidFiles(diagnostics=diagnostics) if diagnostics:
            return {**line, "reason": "invalid-files", "findings": len(diagnostics), "why": [alert]}
        case _:
            return {**line, "reason": type(cause).__name__, "findings": 0, "why": [alert]}


def spoken(loaded: Sites) -> Iterator[str]:
    """Yield what the log says of the switches: which rule is turned off, by whom, why, and which are no rules."""
    for switch in loaded.switches:
        yield f"rule {switch.rule} is switched to {switch.mode} by {switch.who}: {switch.why}"
    for name in loaded.unknown():
        yield f"switches.yaml names {name}, which is no rule: it switches nothing"


def _turned(before: Sites, after: Sites, today: date) -> Iterator[Members]:
    old = {switch.rule: switch for switch in before.switches}
    new = {switch.rule: switch for switch in after.switches}
    for name in [*new, *(name for name in old if name not in new)]:
        if old.get(name) != new.get(name):
            for site in after.by_host.values():
                yield from _switch(name, old.get(name), new.get(name), site, today)


def _switch(name: str, old: Switch | None, new: Switch | None, site: Site, today: date) -> Iterator[Members]:
    """Yield the line of one switch for one site, if that has the rule."""
    rule = next((rule for rule in site.given.rules if rule.id == name), None)
    if rule is None:
        return
    line = {**_line("rule-switched", site, today), "rule": name, "clause": list(rule.clauses)}
    running = site.rules.get(name)
    line["mode"] = "off" if running is None else running.mode.value
    if old is not None:
        line["was"] = old.mode.value
    if new is not None:
        line |= {"who": new.who, "reason": new.why}
    yield line


def _line(event: str, site: Site, today: date) -> dict[str, Any]:
    return {"kind": KIND, "event": event, "policy": _named(site, today)}


def _named(site: Site, today: date) -> str:
    return f"{site.policy.identity.id}@{site.version_at(today)[0]}"


def _hashes(site: Site, sites: Sites) -> dict[str, Any]:
    return {"hash": site.policy.fingerprint, "binding": sites.binding_hash}

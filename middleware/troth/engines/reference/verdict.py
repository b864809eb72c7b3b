"""What follows for the whole exchange: protection and denial (`docs/judging.md` section 10)."""

from __future__ import annotations

from dataclasses import replace

from troth.engines.reference.duties import is_own_copy, is_protected
from troth.engines.reference.rules import atoms
from troth.engines.reference.view import View, subject
from troth.model.facts import Actor, Cookie, Direction, Element, Event, Exchange, Field, Page, Person, Record
from troth.model.findings import Denial, Finding
from troth.model.rules import Https, Rule
from troth.model.words import RESTRICTING, Action, Carrier, Thing

Found = tuple[Rule, View, Finding]


def protect(found: Found) -> Found:
    """Return the finding as it stands on a protected exchange."""
    rule, view, finding = found
    if not is_protected(view) or finding.action not in RESTRICTING:
        return found
    action = _protected_action(rule, view, finding)
    status = finding.status if action is Action.DENY else None
    return rule, view, replace(finding, action=action, status=status)


def _protected_action(rule: Rule, view: View, finding: Finding) -> Action:
    action = finding.action
    if _is_of_another(view):
        return _no_denial(action)
    match view.part:
        case Record():
            return Action.PROTECTED
        case Field() as field:
            return _on_field(field, action)
        case Cookie() | Element():
            return _no_denial(action)
        case Page():
            return Action.PROTECTED if action is Action.DENY else action
        case Event():
            return action
        case None:
            asks_who = action is Action.DENY and finding.status == 401
            return action if asks_who or _lacks_https(rule, view.exchange) else Action.PROTECTED


def _is_of_another(view: View) -> bool:
    """Tell whether this is somebody else's record, or a part of one, in what is a copy for who asks."""
    in_record = isinstance(view.part, Record) or (isinstance(view.part, Field) and view.part.record is not None)
    if not in_record or not is_own_copy(view):
        return False
    owner, asker = subject(view), view.exchange.actor
    return isinstance(owner, Person) and isinstance(asker, Actor) and owner.id != asker.person.id


def _on_field(field: Field, action: Action) -> Action:
    if field.carrier is Carrier.TRAIL or field.direction is Direction.REQUEST:
        return _no_denial(action)
    return Action.PROTECTED


def _no_denial(action: Action) -> Action:
    return Action.WITHHOLD if action is Action.DENY else action


def _lacks_https(rule: Rule, exchange: Exchange) -> bool:
    return not exchange.https and any(isinstance(atom, Https) for atom in atoms(rule))


def denial(exchange: Exchange, found: list[Found]) -> Denial | None:
    """Return the denial that the findings ask for; `found` stands in the order of the rules."""
    denying = [one for one in found if _denies(one)]
    if not denying:
        return None
    _, _, first = denying[0]
    status, redirect = first.status or 403, False
    if any(view.thing is Thing.EXCHANGE and _lacks_https(rule, exchange) for rule, view, _ in denying):
        redirect = exchange.method in ("GET", "HEAD")
        status = 308 if redirect else 403
    return Denial(status=status, redirect=redirect, findings=tuple(sorted(finding for _, _, finding in denying)))


def _denies(found: Found) -> bool:
    _, view, finding = found
    if finding.dry or isinstance(view.part, Event):
        return False
    if finding.action is Action.DENY:
        return True
    if finding.action is Action.WITHHOLD and view.thing is Thing.EXCHANGE:
        return True
    whole = isinstance(view.part, Record) and view.part.whole_body
    return whole and finding.action in (Action.WITHHOLD, Action.MASK)

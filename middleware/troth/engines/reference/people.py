"""Who asks, whose data, how old: `docs/judging.md` sections 5 (`under`) and 9."""

from __future__ import annotations

from troth.engines.reference import truth
from troth.engines.reference.truth import Value
from troth.engines.reference.view import View, is_of_a_record, subject
from troth.model.binding import Route
from troth.model.facts import Actor, Age, Cookie, Direction, Element, Field, Missing, Page, Person, Record
from troth.model.period import Period
from troth.model.words import ANY, NONE, OWN


def actor_value(view: View, classes: tuple[str, ...]) -> Value:
    """Return whether the actor is one of these classes."""
    asked = tuple(one for name in classes for one in _of_route(view, name))
    actor = view.actor
    if any(class_fits(view, name) for name in asked):
        return truth.TRUE
    if set(asked) <= {"public", "party"}:
        return truth.FALSE
    if actor is Missing.ABSENT:
        return truth.ABSENT
    if actor is Missing.UNREADABLE:
        return truth.UNREADABLE
    if "subject" not in asked or actor is None:
        return truth.FALSE
    if view.varies:
        return truth.OPEN
    return truth.UNREADABLE if _addressed(view) is Missing.UNREADABLE else truth.FALSE


def _of_route(view: View, name: str) -> tuple[str, ...]:
    if name != "of-route":
        return (name,)
    route: Route | None = view.exchange.route
    return route.audience if route else ()


def class_fits(view: View, name: str) -> bool:
    """Tell whether one class is known to fit the actor."""
    actor = view.actor
    match name:
        case "public":
            return True
        case "party":
            return view.exchange.party != OWN and view.exchange.party in view.policy.parties
        case "nobody":
            return actor is None
        case _ if name == NONE:
            return actor is None
    if not isinstance(actor, Actor):
        return False
    return _account_fits(view, actor, name)


def _account_fits(view: View, actor: Actor, name: str) -> bool:
    match name:
        case "account":
            return True
        case "subject":
            return not view.varies and _is_subject(view, actor)
        case "shared":
            return actor.shared
        case _:
            return name == ANY or name in actor.roles


def is_subject(view: View) -> bool:
    """Tell whether somebody is authenticated and is the subject, without regard to records (section 10)."""
    return isinstance(view.actor, Actor) and _is_subject(view, view.actor)


def _is_subject(view: View, actor: Actor) -> bool:
    if isinstance(view.part, Cookie | Element | Page):
        return True
    addressed = _addressed(view)
    if addressed is None:
        return True
    return isinstance(addressed, Person) and addressed.id == actor.person.id


def _addressed(view: View) -> Person | Missing | None:
    """Return the subject that is named other than by the actor: a record's, or the addressed one."""
    return subject(view) if is_of_a_record(view) else view.exchange.subject


def classes_of(view: View) -> tuple[str, ...]:
    """Return each class and role that fits the actor, for ``of-actor``."""
    names = ["public", "party", "nobody", "account", "subject", "shared"]
    found = [name for name in names if class_fits(view, name)]
    roles = sorted(view.actor.roles) if isinstance(view.actor, Actor) else []
    return (*found, *roles)


def verified_value(view: View, within: Period) -> Value:
    """Return whether the actor has proved the identity within a period."""
    actor = view.actor
    if actor is None:
        return truth.FALSE
    if actor is Missing.UNREADABLE:
        return truth.UNREADABLE
    if not isinstance(actor, Actor) or actor.verified is None:
        return truth.ABSENT
    return truth.known(actor.verified >= within.before(view.exchange.now))


# --- ages ----------------------------------------------------------------------------------------------------------


def under_value(view: View, years: int) -> Value:
    """Return whether there is evidence of an age below `years`."""
    value = _under(_evidence(view), _unreadable_people(view), years)
    return truth.OPEN if view.varies and not value.certain else value


def _under(ages: list[Age], unreadable: bool, years: int) -> Value:
    if any(age.readable and age.high is not None and age.high <= years for age in ages):
        return truth.TRUE
    if unreadable or any(not age.readable for age in ages):
        return truth.UNREADABLE
    if any(age.low is not None and age.low >= years for age in ages):
        return truth.FALSE
    return truth.ABSENT


def _subject_alone(view: View) -> bool:
    """Whether only the age of the record's subject counts."""
    part = view.part
    if isinstance(part, Record):
        return True
    return isinstance(part, Field) and part.record is not None and part.direction is Direction.RESPONSE


def _people(view: View) -> list[Person | Missing | None]:
    return [subject(view)] if _subject_alone(view) else [subject(view), view.person]


def _evidence(view: View) -> list[Age]:
    stated = [] if _subject_alone(view) else list(view.exchange.ages)
    return stated + [one.age for one in _people(view) if isinstance(one, Person) and one.age is not None]


def _unreadable_people(view: View) -> bool:
    return Missing.UNREADABLE in _people(view)

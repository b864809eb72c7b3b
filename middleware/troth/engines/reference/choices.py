"""Consents, refusals and states with their parameters (`docs/judging.md` sections 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from troth.engines.reference import truth
from troth.engines.reference.names import NOT_DECLARED, NOTHING, Nothing, referred
from troth.engines.reference.truth import Value
from troth.engines.reference.view import View, basis, is_of_a_record, purposes, subject
from troth.model.consent import Choice, ChoiceState, Params
from troth.model.facts import Event, Missing, Person
from troth.model.policy import ConsentRow, Purpose, SignalRule
from troth.model.rules import ConsentIs, StateIs
from troth.model.words import ANY, NONE, Word, reference

Wanted = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one consent: parameters without references, form, and the version that must be reached."""

    row: ConsentRow
    wanted: Wanted = ()
    wild: bool = False
    """Any parameters will do."""
    form: str | None = None
    since: str | None = None


def consent_value(view: View, asked: ConsentIs) -> Value:
    """Return whether a consent is granted, or refused, whichever the atom asks."""
    event = view.part
    if asked.word is Word.CONSENT and isinstance(event, Event) and event.consent is not None:
        return _event_is_about(view, event, asked)
    if asked.name == ANY:
        rows = view.policy.consents.values()
        heard = [_answer(view, asked.word, _question(view, row, asked)) for row in rows]
        return truth.any_of(one for one in heard if one is not None)
    if asked.name == "of-purpose":
        return _of_purposes(view, asked)
    row = view.policy.consents.get(asked.name)
    return truth.FALSE if row is None else _with_params(view, asked, row, _since_of(view, row))


def _question(view: View, row: ConsentRow, asked: ConsentIs) -> Question:
    return Question(row=row, wild=True, form=asked.form or row.form, since=_since_of(view, row))


def _since_of(view: View, row: ConsentRow) -> str | None:
    purpose = view.policy.purposes.get(row.id)
    return purpose.since if purpose is not None and _consent_name(purpose) == row.id else None


def _consent_name(purpose: Purpose) -> str:
    return purpose.consent or purpose.id


def _of_purposes(view: View, asked: ConsentIs) -> Value:
    found = purposes(view)
    if found is None:
        return truth.FALSE
    rows = [view.policy.purposes[name] for name in found if name != NONE]
    if asked.word is Word.REFUSED:
        return truth.any_of(
            _for_purpose(view, asked, row) for row in rows if _consent_name(row) in view.policy.consents
        )
    resting = [row for row in rows if basis(view, row.id) == "consent"]
    if not resting:
        return truth.ABSENT
    return truth.all_of(_for_purpose(view, asked, purpose) for purpose in resting)


def _for_purpose(view: View, asked: ConsentIs, purpose: Purpose) -> Value:
    row = view.policy.consents.get(_consent_name(purpose))
    return truth.FALSE if row is None else _with_params(view, asked, row, purpose.since)


def _event_is_about(view: View, event: Event, asked: ConsentIs) -> Value:
    if asked.name == "of-purpose":
        found = [name for name in purposes(view) or () if name != NONE]
        about = event.consent in {_consent_name(view.policy.purposes[name]) for name in found}
    else:
        about = asked.name in (ANY, event.consent)
    if not about:
        return truth.FALSE
    every = all(_value_fits(view, event.params, name, value) for name, value in asked.params)
    return truth.known(not event.params or every)


def _value_fits(view: View, params: Params, name: str, value: str) -> bool:
    target = reference(value)
    if value == ANY:
        return True
    found = (value,) if target is None else referred(view, target)
    return not isinstance(found, Nothing) and any(_names_parameter(params, name, one) for one in found)


# --- parameters ------------------------------------------------------------------------------------------------------


def _with_params(view: View, asked: ConsentIs, row: ConsentRow, since: str | None) -> Value:
    """Ask for every value of the references: each must hold, for a refusal one; of an actor's classes one will do."""
    question = Question(row=row, form=asked.form or row.form, since=since)
    named = [(name, value) for name, value in asked.params if value != ANY]
    if not named:
        return _varying(view, asked.word, replace(question, wild=bool(asked.params)))
    choices = [_values(view, name, value) for name, value in named]
    for missing, value in ((NOT_DECLARED, truth.FALSE), (NOTHING, truth.ABSENT)):
        if missing in choices:
            return value
    lists = [one for one in choices if not isinstance(one, Nothing)]
    actors = [value == "of-actor" for _, value in named]
    fixed = product(*(one for one, by_actor in zip(lists, actors, strict=True) if not by_actor))
    free = list(product(*(one for one, by_actor in zip(lists, actors, strict=True) if by_actor)))
    rows = [[_varying(view, asked.word, replace(question, wanted=one + other)) for other in free] for one in fixed]
    return _weigh(view, asked, rows)


def _weigh(view: View, asked: ConsentIs, rows: list[list[Value]]) -> Value:
    unknown = _unknown_actor(view) if any(value == "of-actor" for _, value in asked.params) else []
    each = [truth.any_of((*row, *unknown)) for row in rows]
    return truth.any_of(each) if asked.word is Word.REFUSED else truth.all_of(each)


def _unknown_actor(view: View) -> list[Value]:
    return {Missing.ABSENT: [truth.ABSENT], Missing.UNREADABLE: [truth.UNREADABLE]}.get(_missing(view.actor), [])


def _missing(found: object) -> Missing:
    return found if isinstance(found, Missing) else Missing.PENDING


def _values(view: View, name: str, value: str) -> tuple[tuple[str, str], ...] | Nothing:
    target = reference(value)
    found = (value,) if target is None else referred(view, target)
    return found if isinstance(found, Nothing) else tuple((name, one) for one in found)


def _names_parameter(params: Params, name: str, value: str) -> bool:
    return any(value == given and name in (parameter, "*") for parameter, given in params)


# --- holders ---------------------------------------------------------------------------------------------------------


def _varying(view: View, word: Word, question: Question) -> Value:
    if view.varies and "person" in question.row.holders:
        return truth.OPEN
    return _answer(view, word, question) or truth.ABSENT


def _answer(view: View, word: Word, question: Question) -> Value | None:
    """Ask every holder: refused if one refuses, granted if one grants and none refuses; None if no one is known."""
    asked = [_ask(view, holder, question) for holder in question.row.holders]
    heard = [one for one in asked if one is not None]
    if not heard:
        return None
    refused = truth.any_of(no for _, no in heard)
    if word is Word.REFUSED:
        return refused
    return truth.all_of((truth.any_of(yes for yes, _ in heard), truth.negation(refused)))


def _ask(view: View, holder: str, question: Question) -> tuple[Value, Value] | None:
    """Return (granted, refused) of one holder, or None where nobody is known."""
    if holder == "device":
        choices = _merged(view.exchange.device.of(question.row.id), _recorded(view, "device", question))
        refused = _refuses(choices, question) or _signals(view, choices, question)
        return truth.known(_grants(view, choices, question)), truth.known(refused)
    found = _choices_of_person(view, question)
    if found is None:
        return None
    if isinstance(found, Missing):
        return truth.UNREADABLE, truth.UNREADABLE
    return truth.known(_grants(view, found, question)), truth.known(_refuses(found, question))


def _choices_of_person(view: View, question: Question) -> tuple[Choice, ...] | Missing | None:
    person = subject(view)
    new = _recorded(view, "person", question)
    if person is Missing.UNREADABLE:
        return Missing.UNREADABLE
    if not isinstance(person, Person):
        return None if is_of_a_record(view) else new or None
    if isinstance(person.choices, Missing):
        return Missing.UNREADABLE
    return _merged(person.choices.of(question.row.id), new if _is_of_exchange(view, person) else ())


def _is_of_exchange(view: View, person: Person) -> bool:
    if not is_of_a_record(view):
        return True
    addressed = view.person if view.exchange.subject is None else view.exchange.subject
    return isinstance(addressed, Person) and addressed.id == person.id


def _recorded(view: View, holder: str, question: Question) -> tuple[Choice, ...]:
    if isinstance(view.part, Event) and view.part.name == "consent-recorded":
        return ()
    return tuple(
        choice for who, choices in view.exchange.recorded if who == holder for choice in choices.of(question.row.id)
    )


def _merged(old: tuple[Choice, ...], new: tuple[Choice, ...]) -> tuple[Choice, ...]:
    latest = {choice.params: choice for choice in (*old, *new)}
    return tuple(latest.values())


# --- one holder ------------------------------------------------------------------------------------------------------


def _grants(view: View, choices: tuple[Choice, ...], question: Question) -> bool:
    if _refuses(choices, question):
        return False
    valid = [choice for choice in choices if _is_valid(view, choice, question)]
    if question.wild:
        return bool(valid)
    if any(not choice.params for choice in valid):
        return True
    if question.wanted:
        return any(_fits(choice.params, question.wanted) for choice in valid)
    row = question.row
    wanted = [((row.per[0] if row.per else "*", value),) for value in row.lists]
    return bool(wanted) and all(any(_fits(choice.params, one) for choice in valid) for one in wanted)


def _fits(params: Params, wanted: Wanted) -> bool:
    return all(_names_parameter(params, name, value) for name, value in wanted)


def _is_valid(view: View, choice: Choice, question: Question) -> bool:
    if choice.state is not ChoiceState.GRANTED:
        return False
    if question.form is not None and choice.form != question.form:
        return False
    lasts = question.row.lasts
    if lasts is not None and lasts.after(choice.at) <= view.exchange.now:
        return False
    return question.since is None or _age_of(view, choice.version) >= _age_of(view, question.since)


def _age_of(view: View, version: str) -> int:
    known = [one.id for one in view.policy.versions]
    return known.index(version) if version in known else -1


def _refuses(choices: tuple[Choice, ...], question: Question) -> bool:
    return any(
        choice.state is not ChoiceState.GRANTED and _refusal_fits(choice.params, question.wanted) for choice in choices
    )


def _refusal_fits(params: Params, wanted: Wanted) -> bool:
    given = dict(params)
    return all(given[name] == value if name in given else _agrees_on_any(given, name, value) for name, value in wanted)


def _agrees_on_any(given: dict[str, str], name: str, value: str) -> bool:
    return name != "*" or not given or value in given.values()


def _signals(view: View, choices: tuple[Choice, ...], question: Question) -> bool:
    rules = [rule for signal, rule in question.row.signals.items() if signal.value in view.exchange.signals]
    if SignalRule.ALWAYS in rules:
        return True
    return SignalRule.UNTIL_CHOICE in rules and not _grants(view, choices, replace(question, wild=not question.wanted))


# --- states ----------------------------------------------------------------------------------------------------------


def state_value(view: View, asked: StateIs) -> Value:
    """Return whether the subject is in a state; one that is held for all holds for every value, named or not."""
    if view.varies:
        return truth.OPEN
    held = _held(view, asked.name)
    if isinstance(held, Value):
        return held
    found = [_values(view, name, value) for name, value in asked.params if value != ANY]
    for missing, value in ((NOT_DECLARED, truth.FALSE), (NOTHING, truth.ABSENT)):
        if missing in found:
            return truth.TRUE if () in held else value
    lists = [one for one in found if not isinstance(one, Nothing)]
    return truth.known(any(not params or _fits(params, one) for one in product(*lists) for params in held))


def _held(view: View, name: str) -> list[Params] | Value:
    """Return the parameters under which the subject is in a state, or why that cannot be said."""
    person = subject(view)
    if person is Missing.UNREADABLE:
        return truth.UNREADABLE
    if not isinstance(person, Person):
        return truth.ABSENT
    if isinstance(person.states, Missing):
        return truth.UNREADABLE
    return [params for state, params in person.states if state == name]


def in_state(view: View, name: str) -> Value:
    """Return whether the subject is in a state, whatever its parameters."""
    held = _held(view, name)
    return held if isinstance(held, Value) else truth.known(bool(held))

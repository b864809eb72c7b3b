"""Operators about people: consent, refused, state, under, actor, verified (judging, sections 5 and 7 to 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import ALL, ANY, FALSE, OPEN, TRUE, UNREADABLE, known
from troth.engines.embedded.views import EventView, ExchangeView, FieldView, RecordView, Values, View
from troth.model.consent import Choice, Choices, ChoiceState
from troth.model.facts import Actor, Direction, Missing, Person, Subject
from troth.model.period import Period
from troth.model.policy import ConsentRow, Signal, SignalRule
from troth.model.words import ANY as ANY_NAME
from troth.model.words import OWN, UNDECLARED, reference
from troth.plan.tables import Tables

Judge = Callable[[View], int]
Wanted = dict[str, str]


def missing(why: Missing) -> int:
    """Return the truth of a fact that is not there."""
    if why is Missing.PENDING:
        return OPEN
    return A if why is Missing.ABSENT else UNREADABLE


# references -----------------------------------------------------------------------------------------------------


def refer(view: View, name: str) -> Values | Missing:
    """Return the values of ``of-NAME`` for a thing: None undeclared, empty nothing there, PENDING not yet known."""
    match name:
        case "purpose":
            found = view.purposes()
            return found if found is None else found - {"none"}
        case "basis":
            return view.bases()
        case "party":
            return view.party_names()
        case "country":
            countries = view.countries()
            return countries if countries is None else frozenset(c for c in countries if c is not None)
        case "data":
            return exchange_data(view) if isinstance(view, ExchangeView) else view.data()
        case "route":
            return view.named("route")
        case "actor":
            return _classes(view)
        case "version":
            return frozenset((view.x.version,)) if view.x.version else frozenset()
        case "coming":
            return frozenset((view.x.coming,)) if view.x.coming else frozenset()
        case _:
            value = view.x.bound.get(name)
            return Missing.ABSENT if value is None else frozenset((value,))


def exchange_data(view: View) -> frozenset[str]:
    """Categories seen so far in an exchange, the route's declared ones included."""
    found = set(view.x.route.data) if view.x.route else set()
    found |= {field.category for field in view.x.fields if field.category != UNDECLARED}
    for record in view.x.records:
        found |= record.data
    return frozenset(found)


def _classes(view: View) -> Values | Missing:
    asker = view.asker()
    if asker is Missing.PENDING:
        return asker
    found = {"public"}
    if view.x.party not in (OWN, UNDECLARED):
        found.add("party")
    if isinstance(asker, Actor):
        found |= asker.roles | {"account"}
        if asker.shared:
            found.add("shared")
        if view.fits_subject() is True:
            found.add("subject")
    elif asker is None:
        found.add("nobody")
    return frozenset(found)


def spread(view: View, params: tuple[tuple[str, str], ...]) -> tuple[list[Wanted], bool, int]:
    """Resolve parameters: every combination wanted, whether one is enough, and the truth if a reference has nothing."""
    wanted: list[Wanted] = [{}]
    one_is_enough = False
    for name, value in params:
        ref = reference(value)
        if ref is None:
            values: Iterable[str] = (value,)
        else:
            found = refer(view, ref)
            if found is None or isinstance(found, Missing) or not found:
                return [], False, FALSE if found is None else missing(found) if isinstance(found, Missing) else A
            one_is_enough = one_is_enough or ref == "actor"
            values = sorted(found)
        wanted = [{**given, name: one} for given in wanted for one in values]
    return wanted, one_is_enough, 0


# consent --------------------------------------------------------------------------------------------------------


def _merged(choices: Choices, view: View, holder: str, name: str) -> tuple[Choice, ...]:
    """Return the choices of one consent, those that this exchange records in place of older ones."""
    found = {choice.params: choice for choice in choices.of(name)}
    for recorded_holder, recorded in view.x.recorded:
        if recorded_holder == holder:
            found.update({choice.params: choice for choice in recorded.of(name)})
    return tuple(found.values())


def _has(choice: Choice, wanted: Wanted) -> bool:
    """Whether a choice speaks for these parameters: made for all, or the same on each that is wanted."""
    if not choice.params:
        return True
    given = dict(choice.params)
    return all(value == ANY_NAME or given.get(name) == value for name, value in wanted.items())


def _bears(choice: Choice, wanted: Wanted) -> bool:
    """Whether a refusal touches these parameters: it disagrees on none that both name."""
    given = dict(choice.params)
    return all(value == ANY_NAME or given.get(name, value) == value for name, value in wanted.items())


class ConsentJudge:
    """Judges one consent of one row at one version floor: granted or refused by a holder."""

    def __init__(self, tables: Tables, row: ConsentRow, floor: int, form: str | None) -> None:
        self._versions = tables.version_index
        self._row = row
        self._floor = floor
        self._form = form or row.form

    def _valid(self, choice: Choice, now: datetime) -> bool:
        if choice.state is not ChoiceState.GRANTED or self._versions.get(choice.version, -1) < self._floor:
            return False
        if self._form is not None and choice.form != self._form:
            return False
        return self._row.lasts is None or self._row.lasts.after(choice.at) > now

    def granted(self, choices: tuple[Choice, ...], wanted: Wanted, now: datetime) -> bool:
        """Whether a valid grant stands for what is wanted; without parameters: for all, or for every known list."""
        valid = [choice for choice in choices if self._valid(choice, now)]
        if wanted:
            return any(_has(choice, wanted) for choice in valid)
        if any(not choice.params for choice in valid):
            return True
        values = self._row.lists
        return bool(values) and all(any(v in dict(c.params).values() for c in valid) for v in values)

    def granted_any(self, choices: tuple[Choice, ...], now: datetime) -> bool:
        """Whether any valid grant stands."""
        return any(self._valid(choice, now) for choice in choices)

    def refused(self, choices: tuple[Choice, ...], wanted: Wanted) -> bool:
        """Whether a refusal stands against what is wanted."""
        return any(choice.state is not ChoiceState.GRANTED and _bears(choice, wanted) for choice in choices)

    def signalled(self, view: View, choices: tuple[Choice, ...], wanted: Wanted) -> bool:
        """Whether the browser refuses for the device."""
        rules = {self._row.signals.get(Signal(signal), SignalRule.NEVER) for signal in view.x.signals}
        if SignalRule.ALWAYS in rules:
            return True
        if SignalRule.UNTIL_CHOICE not in rules:
            return False
        return not (self.granted(choices, wanted, view.x.now) if wanted else self.granted_any(choices, view.x.now))

    def _holders(self, view: View) -> Iterator[tuple[str, Subject | Choices]]:
        if "device" in self._row.holders:
            yield "device", view.x.device
        if "person" in self._row.holders:
            yield "person", view.subject()

    def judge(self, view: View, wanted: Wanted, *, refusal: bool, loosely: bool = False) -> int:
        """Return the truth of `consent` (or `refused`) over all holders. `loosely`: any parameters will do."""
        if view.x.records_open:
            return OPEN
        grants, refusals, unknown = 0, 0, 0
        asked = 0
        for holder, whose in self._holders(view):
            choices = whose if isinstance(whose, Choices) else _choices_of(whose)
            if isinstance(choices, Missing):
                unknown = max(unknown, missing(choices))
                continue
            if holder == "person" and view.varies:
                return OPEN
            asked += 1
            mine = _merged(choices, view, holder, self._row.id)
            no = self.refused(mine, wanted) or (holder == "device" and self.signalled(view, mine, wanted))
            refusals += no
            yes = self.granted_any(mine, view.x.now) if loosely else self.granted(mine, wanted, view.x.now)
            grants += yes and not no
        if view.varies and "person" in self._row.holders:
            return OPEN
        return _verdict(asked, grants, refusals, unknown, refusal=refusal)


def _verdict(asked: int, grants: int, refusals: int, unknown: int, *, refusal: bool) -> int:
    if unknown in (UNREADABLE, OPEN):
        # A refusal that is known settles it; anything else may still be turned over by the holder that is not known.
        return unknown if not refusals else known(refusal)
    if not asked:
        return unknown or A
    return known(refusals) if refusal else known(grants and not refusals)


def _choices_of(whose: Subject) -> Choices | Missing:
    if isinstance(whose, Person):
        return whose.choices
    return Missing.ABSENT if whose is None else whose


def consent_operator(
    tables: Tables, word: str, name: str, params: tuple[tuple[str, str], ...], form: str | None
) -> Judge:
    """Compile `consent` or `refused`."""
    refusal = word == "refused"
    if name == ANY_NAME:
        return _any_consent(tables, refusal=refusal)
    if name == "of-purpose":
        return _consent_of_purpose(tables, form, refusal=refusal)
    plain = _named_consent(tables, name, params, form, refusal=refusal)

    def judge(view: View) -> int:
        if isinstance(view, EventView) and view.item.consent is not None:
            return _about_event(view, name, params)
        return plain(view)

    return judge


def _floor(tables: Tables, since: str | None) -> int:
    return -1 if since is None else tables.version_index.get(since, 0)


def _named_consent(
    tables: Tables, name: str, params: tuple[tuple[str, str], ...], form: str | None, *, refusal: bool
) -> Judge:
    row = tables.policy.consents.get(name)
    if row is None:
        return lambda _view: FALSE
    own = tables.policy.purposes.get(name)
    rests = own is not None and (own.consent or own.id) == name
    floor = _floor(tables, own.since if own is not None and rests else None)
    judge = ConsentJudge(tables, row, floor, form)
    loosely = any(value == ANY_NAME for _, value in params)

    def named(view: View) -> int:
        wanted, one_is_enough, nothing = spread(view, params)
        if nothing:
            return nothing
        truths = [judge.judge(view, one, refusal=refusal, loosely=loosely) for one in wanted]
        return _fold(truths, ANY if one_is_enough or refusal else ALL)

    return named


def _fold(truths: list[int], table: tuple[tuple[int, ...], ...]) -> int:
    result = truths[0]
    for truth in truths[1:]:
        result = table[result][truth]
    return result


def _about_event(view: EventView, name: str, params: tuple[tuple[str, str], ...]) -> int:
    if view.item.consent != name:
        return FALSE
    wanted, one_is_enough, nothing = spread(view, params)
    if nothing:
        return nothing
    given = dict(view.item.params)
    hits = [
        not given or all(value == ANY_NAME or given.get(key) == value for key, value in one.items()) for one in wanted
    ]
    return known(any(hits) if one_is_enough else all(hits))


def _consent_of_purpose(tables: Tables, form: str | None, *, refusal: bool) -> Judge:
    def of_purpose(view: View) -> int:
        if view.purposes() is None:
            return FALSE
        truths = []
        for purpose in view.rows():
            if not refusal and view.basis_of(purpose) != "consent":
                continue
            row = tables.policy.consents.get(purpose.consent or purpose.id)
            if row is None:
                if not refusal:
                    truths.append(FALSE)
                continue
            truths.append(
                ConsentJudge(tables, row, _floor(tables, purpose.since), form).judge(view, {}, refusal=refusal)
            )
        if not truths:
            return FALSE if refusal else A
        return _fold(truths, ANY if refusal else ALL)

    return of_purpose


def _any_consent(tables: Tables, *, refusal: bool) -> Judge:
    judges = [ConsentJudge(tables, row, -1, None) for row in tables.policy.consents.values()]

    def any_consent(view: View) -> int:
        result = FALSE
        for judge in judges:
            truth = judge.judge(view, {}, refusal=refusal, loosely=True)
            result = ANY[result][FALSE if truth == A else truth]
        return result

    return any_consent


# state, age, actor ----------------------------------------------------------------------------------------------


def state_operator(name: str, params: tuple[tuple[str, str], ...]) -> Judge:
    """Compile `state`: the subject is in it, for these parameters."""

    def state(view: View) -> int:
        if view.varies:
            return OPEN
        subject = view.subject()
        if not isinstance(subject, Person):
            return A if subject is None else missing(subject)
        if isinstance(subject.states, Missing):
            return missing(subject.states)
        held = [given for state_name, given in subject.states if state_name == name]
        wanted, _, nothing = spread(view, params)
        if nothing:
            return TRUE if () in held else nothing
        return known(any(not given or any(_state_fits(dict(given), one) for one in wanted) for given in held))

    return state


def _state_fits(given: Wanted, wanted: Wanted) -> bool:
    return all(value in given.values() if name == "*" else given.get(name) == value for name, value in wanted.items())


def under_operator(years: int) -> Judge:
    """Compile `under`: evidence of an age below `years`, in the request or on record."""

    def under(view: View) -> int:
        in_record = isinstance(view, RecordView) or (
            isinstance(view, FieldView) and view.item.record is not None and view.item.direction is Direction.RESPONSE
        )
        ages = [] if in_record else list(view.x.ages)
        if any(age.high is not None and age.high <= years for age in ages):
            return TRUE
        if view.varies:
            return OPEN
        people = [view.subject()] if in_record else [view.subject(), view.visitor()]
        ages += [person.age for person in people if isinstance(person, Person) and person.age is not None]
        if any(age.high is not None and age.high <= years for age in ages):
            return TRUE
        if Missing.PENDING in people or (view.x.body_pending and not in_record):
            return OPEN
        if Missing.UNREADABLE in people or any(not age.readable for age in ages):
            return UNREADABLE
        return FALSE if any(age.low is not None and age.low >= years for age in ages) else A

    return under


def actor_operator(classes: tuple[str, ...]) -> Judge:
    """Compile `actor`: who asks is one of these classes."""

    def actor(view: View) -> int:
        wanted = classes
        if "of-route" in classes:
            audience = view.x.route.audience if view.x.route else ()
            wanted = tuple(name for name in classes if name != "of-route") + audience
        return _fits_one(view, frozenset(wanted))

    return actor


def _fits_one(view: View, wanted: frozenset[str]) -> int:
    if "public" in wanted or ("party" in wanted and view.x.party not in (OWN, UNDECLARED)):
        return TRUE
    asker = view.asker()
    about_people = wanted - {"public", "party"}
    if not about_people:
        return FALSE
    if isinstance(asker, Missing):
        return missing(asker)
    if asker is None:
        return known(wanted & {"nobody", "none"})
    if wanted & {"account", ANY_NAME} or wanted & asker.roles or ("shared" in wanted and asker.shared):
        return TRUE
    if "subject" not in wanted:
        return FALSE
    if view.varies:
        return OPEN
    fits = view.fits_subject()
    return missing(fits) if isinstance(fits, Missing) and fits is not Missing.ABSENT else known(fits is True)


def verified_operator(within: Period) -> Judge:
    """Compile `actor: {verified: …}`: the identity was proved within a period."""

    def verified(view: View) -> int:
        asker = view.asker()
        if isinstance(asker, Missing):
            return missing(asker)
        if asker is None:
            return FALSE
        if asker.verified is None:
            return A
        return known(asker.verified >= within.before(view.x.now))

    return verified

"""Operators about people: consent, refused, state, under, actor, verified (judging, sections 5 and 7 to 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from troth.engines.embedded.truth import ABSENT as A
from troth.engines.embedded.truth import ALL, ANY, FALSE, OPEN, TRUE, UNREADABLE, known
from troth.engines.embedded.views import EventView, ExchangeView, FieldView, RecordView, Values, View
from troth.model.consent import NO_CHOICES, Choice, Choices, ChoiceState
from troth.model.facts import Actor, Direction, Field, Missing, Person, Subject
from troth.model.period import Period
from troth.model.policy import ConsentRow, Signal, SignalRule
from troth.model.words import ANY as ANY_NAME
from troth.model.words import OWN, UNDECLARED, Carrier, reference
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
            return _stated(view.countries())
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


def _stated(countries: frozenset[str | None] | None) -> Values:
    """Return countries, or none at all where that of one party is not stated."""
    if countries is None:
        return None
    known_ones = frozenset(country for country in countries if country is not None)
    return known_ones if len(known_ones) == len(countries) else frozenset()


def counts(field: Field, carriers: tuple[str, ...]) -> bool:
    """Whether a field is among the data of its exchange: not the trail's, and an address only where asked for."""
    if field.carrier is Carrier.CONNECTION:
        return Carrier.CONNECTION in carriers
    return field.category != UNDECLARED and field.carrier is not Carrier.TRAIL


def exchange_data(view: View) -> frozenset[str]:
    """Categories seen so far in an exchange, the route's declared ones included."""
    found = set(view.x.route.data) if view.x.route else set()
    found |= {field.category for field in view.x.fields if counts(field, ())}
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


def _merged(choices: Choices, recorded: Iterable[Choice], name: str) -> tuple[Choice, ...]:
    """Return the choices of one consent, those that this exchange records in place of older ones."""
    found = {choice.params: choice for choice in choices.of(name)}
    found.update({choice.params: choice for choice in recorded})
    return tuple(found.values())


def _recorded(view: View, holder: str, whose: Subject | Choices, name: str) -> tuple[Choice, ...]:
    """Return what this exchange records for a holder: of a record's subject only if the exchange is about that one.

    The recording itself is judged by what was recorded before it.
    """
    if not view.x.recorded or (isinstance(view, EventView) and view.item.name == "consent-recorded"):
        return ()
    if holder == "person" and not _is_of_exchange(view, whose):
        return ()
    return tuple(choice for who, choices in view.x.recorded if who == holder for choice in choices.of(name))


def _is_of_exchange(view: View, whose: Subject | Choices) -> bool:
    in_record = isinstance(view, RecordView) or (isinstance(view, FieldView) and view.item.record is not None)
    if not in_record:
        return True
    addressed = view.visitor() if view.x.subject is None else view.x.subject
    return isinstance(addressed, Person) and isinstance(whose, Person) and addressed.id == whose.id


def _has(choice: Choice, wanted: Wanted) -> bool:
    """Whether a choice speaks for these parameters: made for all, or the same on each that is wanted."""
    if not choice.params:
        return True
    given = dict(choice.params)
    return all(given.get(name) == value for name, value in wanted.items())


def _bears(choice: Choice, wanted: Wanted) -> bool:
    """Whether a refusal touches these parameters: it disagrees on none that both name."""
    given = dict(choice.params)
    return all(given.get(name, value) == value for name, value in wanted.items())


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

    def judge(
        self, view: View, wanted: Wanted, *, refusal: bool, loosely: bool = False, known_only: bool = False
    ) -> int:
        """Return the truth of `consent` (or `refused`) over all holders. `loosely`: any parameters will do.

        `known_only`: people of records are not asked, so that nothing varies.
        """
        if view.x.records_open:
            return OPEN
        varies = view.varies and not known_only
        grants, refusals, unknown = 0, 0, 0
        asked = 0
        for holder, whose in self._holders(view):
            choices = whose if isinstance(whose, Choices) else _choices_of(whose)
            new = _recorded(view, holder, whose, self._row.id)
            if choices is Missing.ABSENT and new:
                choices = NO_CHOICES
            if isinstance(choices, Missing):
                unknown = max(unknown, missing(choices))
                continue
            if holder == "person" and varies:
                return OPEN
            asked += 1
            mine = _merged(choices, new, self._row.id)
            no = self.refused(mine, wanted) or (holder == "device" and self.signalled(view, mine, wanted))
            refusals += no
            yes = self.granted_any(mine, view.x.now) if loosely else self.granted(mine, wanted, view.x.now)
            grants += yes and not no
        if varies and "person" in self._row.holders:
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
        plain = _any_consent(tables, form, refusal=refusal)
    elif name == "of-purpose":
        plain = _consent_of_purpose(tables, params, form, refusal=refusal)
    else:
        plain = _named_consent(tables, name, params, form, refusal=refusal)
    if refusal:
        return plain

    def judge(view: View) -> int:
        if isinstance(view, EventView) and view.item.consent is not None:
            return _about_event(view, _meant(view, name), params)
        return plain(view)

    return judge


def _meant(view: EventView, name: str) -> Iterable[str | None]:
    """Return the consents that a name on an event stands for."""
    if name == ANY_NAME:
        return (view.item.consent,)
    return [row.consent or row.id for row in view.rows()] if name == "of-purpose" else (name,)


def _floor(tables: Tables, since: str | None) -> int:
    return -1 if since is None else tables.version_index.get(since, 0)


def _named_consent(
    tables: Tables, name: str, params: tuple[tuple[str, str], ...], form: str | None, *, refusal: bool
) -> Judge:
    row = tables.policy.consents.get(name)
    if row is None:
        return lambda _view: FALSE
    return _with_params(ConsentJudge(tables, row, _own_floor(tables, name), form), params, refusal=refusal)


def _own_floor(tables: Tables, name: str) -> int:
    """Return the version floor of a consent asked for by name: that of the purpose of this name."""
    own = tables.policy.purposes.get(name)
    rests = own is not None and (own.consent or own.id) == name
    return _floor(tables, own.since if own is not None and rests else None)


def _with_params(judge: ConsentJudge, params: tuple[tuple[str, str], ...], *, refusal: bool) -> Judge:
    """Ask for every value that is wanted; of the actor's classes one is enough, and of refusals one."""
    asked = tuple(pair for pair in params if pair[1] != ANY_NAME)
    by_actor = frozenset(name for name, value in asked if value == "of-actor")
    loosely = bool(params) and not asked

    def named(view: View) -> int:
        wanted, _, nothing = spread(view, asked)
        if nothing:
            return nothing
        groups: dict[frozenset[tuple[str, str]], list[int]] = {}
        for one in wanted:
            fixed = frozenset(pair for pair in one.items() if pair[0] not in by_actor)
            groups.setdefault(fixed, []).append(judge.judge(view, one, refusal=refusal, loosely=loosely))
        unknown = [missing(asker)] if by_actor and isinstance(asker := view.asker(), Missing) else []
        truths = [_fold([*found, *unknown], ANY) for found in groups.values()]
        return _fold(truths, ANY if refusal else ALL)

    return named


def _fold(truths: list[int], table: tuple[tuple[int, ...], ...]) -> int:
    result = truths[0]
    for truth in truths[1:]:
        result = table[result][truth]
    return result


def _about_event(view: EventView, names: Iterable[str | None], params: tuple[tuple[str, str], ...]) -> int:
    if view.item.consent not in names:
        return FALSE
    given = dict(view.item.params)
    if not given:
        return TRUE
    wanted, _, nothing = spread(view, tuple(pair for pair in params if pair[1] != ANY_NAME))
    if nothing:
        return FALSE
    return known(any(all(given.get(key) == value for key, value in one.items()) for one in wanted))


def _consent_of_purpose(
    tables: Tables, params: tuple[tuple[str, str], ...], form: str | None, *, refusal: bool
) -> Judge:
    asked: dict[str, Judge] = {}
    for purpose in tables.policy.purposes.values():
        row = tables.policy.consents.get(purpose.consent or purpose.id)
        if row is not None:
            judge = ConsentJudge(tables, row, _floor(tables, purpose.since), form)
            asked[purpose.id] = _with_params(judge, params, refusal=refusal)

    def of_purpose(view: View) -> int:
        if view.purposes() is None:
            return FALSE
        truths = []
        for purpose in view.rows():
            if not refusal and view.basis_of(purpose) != "consent":
                continue
            judge = asked.get(purpose.id)
            if judge is not None:
                truths.append(judge(view))
            elif not refusal:
                truths.append(FALSE)
        if not truths:
            return FALSE if refusal else A
        return _fold(truths, ANY if refusal else ALL)

    return of_purpose


def _any_consent(tables: Tables, form: str | None, *, refusal: bool) -> Judge:
    judges = [ConsentJudge(tables, row, _own_floor(tables, row.id), form) for row in tables.policy.consents.values()]

    def any_consent(view: View) -> int:
        result = FALSE
        for judge in judges:
            truth = judge.judge(view, {}, refusal=refusal, loosely=True, known_only=True)
            result = ANY[result][FALSE if truth == A else truth]
        return result

    return any_consent


# state, age, actor ----------------------------------------------------------------------------------------------


def state_operator(name: str, params: tuple[tuple[str, str], ...]) -> Judge:
    """Compile `state`: the subject is in it, for these parameters; `any` asks nothing of one."""
    params = tuple(pair for pair in params if pair[1] != ANY_NAME)

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
        people = [view.subject()] if in_record else [view.subject(), view.visitor()]
        ages += [person.age for person in people if isinstance(person, Person) and person.age is not None]
        if any(age.readable and age.high is not None and age.high <= years for age in ages):
            return TRUE
        if view.varies:
            return OPEN
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

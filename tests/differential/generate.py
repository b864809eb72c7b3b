"""Random exchanges over a policy and a binding, biased so that each rule both acts and rests often.

Plain `random.Random(seed)`: the same seed gives the same exchanges. Things stand in the order of the phases that bring
them, so that their indexes hold in every partial view (`phases.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TypeVar

from tests.differential.phases import has_body, phase_of
from tests.differential.pools import FREE, KINDS, SIGNALS, Pools, Target, target
from troth.model.binding import Binding, Route, Source
from troth.model.consent import Choice, Choices, ChoiceState, Params
from troth.model.facts import (
    ABSENT,
    UNREADABLE,
    Actor,
    Age,
    Asker,
    Cookie,
    Direction,
    Element,
    Event,
    Exchange,
    Field,
    Missing,
    Page,
    Person,
    Record,
    Subject,
)
from troth.model.policy import ConsentRow, Policy
from troth.model.words import NONE, OWN, UNDECLARED, Carrier, Thing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_T = TypeVar("_T")
_STATES = (ChoiceState.GRANTED,) * 4 + (ChoiceState.DECLINED, ChoiceState.WITHDRAWN)
_REQUEST = (Carrier.QUERY, Carrier.PATH, Carrier.HEADER, Carrier.FORM, Carrier.JSON, Carrier.JSON, Carrier.MULTIPART)
_RESPONSE = (Carrier.JSON, Carrier.JSON, Carrier.HEADER, Carrier.HTML, Carrier.QUERY)
_PLACES = [(Direction.REQUEST, one) for one in _REQUEST] + [(Direction.RESPONSE, one) for one in _RESPONSE]
_STATUSES = (200, 200, 200, 200, 201, 204, 302, 401, 403, 404, 451, 500)
_OWN_ROUTES = ("policy", "consent", "refuse", "withdraw")
_CLOCK = ((0.1, timedelta(days=-1)), (0.7, timedelta(0)), (0.8, timedelta(seconds=1)), (1.0, timedelta(days=40)))
"""Up to which share of a run it is how late: time never runs back, and what was remembered has to run out."""
_PEOPLE = ("p0", "p1", "p2")


class Generator:
    """Draws exchanges. One generator serves one policy with its binding."""

    def __init__(self, policy: Policy, binding: Binding, seed: int) -> None:
        self.policy, self.binding = policy, binding
        self.pools = Pools(policy, binding)
        self.random = Random(seed)
        self.now = NOW
        self.targets = [target(self.pools, rule) for rule in policy.rules]

    def exchanges(self, count: int) -> Iterator[Exchange]:
        """Yield so many exchanges; every rule in its turn is what they are drawn for."""
        for index in range(count):
            self.now = NOW + next(late for share, late in _CLOCK if index < share * count or share == 1)
            yield self.exchange(self.targets[index % len(self.targets)])

    # drawing

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def one(self, values: Sequence[_T]) -> _T:
        return values[int(self.random.random() * len(values))]

    def some(self, values: Sequence[_T], most: int) -> list[_T]:
        """Return up to `most` different values, none of them in one of four cases."""
        count = self.one((0, 1, 1, *range(1, most + 1)))
        return self.random.sample(values, min(count, len(values))) if values and count else []

    # the exchange

    def exchange(self, aim: Target) -> Exchange:
        pools = self.pools
        route = self.one(aim.routes) if self.chance(0.7) else self.one(pools.routes)
        x = Exchange(now=self.now, response_pending=False)
        x.method = "POST" if (route is None and self.chance(0.3)) or (route and route.method != "GET") else "GET"
        x.route, x.host, x.https = route, self.one(pools.own), self.chance(0.8)
        x.purpose = self._purpose(route)
        x.own_route = self.one(_OWN_ROUTES) if route is None and self.chance(0.1) else None
        x.signals = frozenset(self.some(SIGNALS, 2)) if self.chance(0.2) else frozenset()
        x.region = self._region()
        x.serving = self._serving()
        x.party = self._party(aim, route)
        x.asked = self._asked(route)
        x.bound = {name: self.one(FREE) for name in pools.bound if self.chance(0.85)}
        x.version = self.one(pools.versions)
        x.coming = self.one((None, *pools.versions)) if self.chance(0.5) else None
        x.attested = frozenset(self.some(pools.statements, 4)) if self.chance(0.6) else frozenset()
        self._people(x, aim)
        self._things(x, aim)
        self._answer(x)
        return x

    def _purpose(self, route: Route | None) -> str:
        if route is None or route.purpose is None:
            return NONE
        return self.one(self.pools.purposes) if isinstance(route.purpose, Source) else route.purpose

    def _region(self) -> str | None:
        return self.one(self.pools.countries) if self.chance(0.85) else None

    def _serving(self) -> str | None:
        """Return where the app runs: a case may move it out of the country that the binding names."""
        known = self.binding.serving
        return known if known is None or self.chance(0.8) else self.one(self.pools.countries)

    def _party(self, aim: Target, route: Route | None) -> str:
        takes_part = route is not None and (route.party is not None or bool(self.binding.credentials))
        if not self.chance(0.9 if takes_part else 0.15):
            return OWN
        parties = aim.parties if self.chance(0.6) else self.pools.parties
        return self.one(parties) if parties and self.chance(0.85) else UNDECLARED

    def _asked(self, route: Route | None) -> frozenset[str]:
        acts = set(route.act) if route is not None and self.chance(0.8) else set()
        return frozenset(acts | set(self.some(self.pools.acts, 1))) if self.chance(0.5) else frozenset(acts)

    # people

    def _people(self, x: Exchange, aim: Target) -> None:
        x.device = self._choices("device") if self.chance(0.7) else Choices({})
        people = [self.person(name) for name in _PEOPLE]
        hooks = self.binding.actor
        x.actor_before = self._asker(people) if hooks.before else ABSENT
        if hooks.after is None:
            x.actor = x.actor_before
        else:
            same = isinstance(x.actor_before, Actor) and self.chance(0.8)
            x.actor = x.actor_before if same else self._asker(people)
        x.subject = self._subject(x, people)
        if self.chance(0.1):
            holder = self.one(("device", "person"))
            x.recorded = ((holder, self._choices(holder)),)
        x.ages = tuple(self._age() for _ in range(self.one((0, 0, 1, 1, 2)))) if has_body(x) else ()
        x.request_unreadable = has_body(x) and self.chance(0.04)

    def person(self, name: str) -> Person:
        return Person(
            id=name,
            choices=UNREADABLE if self.chance(0.05) else self._choices("person"),
            states=UNREADABLE if self.chance(0.05) else self._states(),
            age=self._age() if self.chance(0.5) else None,
        )

    def _age(self) -> Age:
        if self.chance(0.1):
            return Age(readable=False)
        years = self.one(self.pools.ages) + self.one((-6, -1, 0, 1, 20))
        return Age(low=years if self.chance(0.9) else None, high=years + 1 if self.chance(0.9) else None)

    def _asker(self, people: list[Person]) -> Asker:
        drawn = self.random.random()
        if drawn < 0.2:
            return None
        if drawn < 0.26:
            return UNREADABLE if drawn < 0.23 else ABSENT
        return Actor(
            person=self.one(people),
            roles=frozenset(self.some(self.pools.roles, 2)),
            shared=self.chance(0.1),
            verified=self._verified(),
        )

    def _verified(self) -> datetime | None:
        if not self.pools.verified or self.chance(0.1):
            return None
        start = self.one(self.pools.verified).before(NOW)
        return start + self.one((timedelta(0), timedelta(minutes=1), timedelta(minutes=-1)))

    def _subject(self, x: Exchange, people: list[Person]) -> Subject:
        if x.route is None or x.route.subject is None:
            return None
        drawn = self.random.random()
        if drawn < 0.06:
            return UNREADABLE if drawn < 0.04 else ABSENT
        if drawn < 0.5 and isinstance(x.actor, Actor):
            return x.actor.person
        return self.one(people)

    def _choices(self, holder: str) -> Choices:
        rows = [row for row in self.policy.consents.values() if holder in row.holders]
        if self.chance(0.25):
            return Choices({row.id: (self._for_all(row),) for row in rows})
        return Choices({row.id: self._choices_of(row) for row in rows if self.chance(0.75)})

    def _for_all(self, row: ConsentRow) -> Choice:
        """Return a grant that leaves nothing to be wished for."""
        at = NOW - timedelta(hours=1)
        return Choice(state=ChoiceState.GRANTED, at=at, version=self.pools.versions[-1], form=row.form)

    def _choices_of(self, row: ConsentRow) -> tuple[Choice, ...]:
        made = {choice.params: choice for choice in (self._choice(row) for _ in range(self.one((1, 1, 2, 3))))}
        return tuple(made.values())

    def _choice(self, row: ConsentRow) -> Choice:
        age = timedelta(hours=1)
        if row.lasts is not None:
            age = NOW - row.lasts.before(NOW) + self.one((timedelta(days=-30),) * 4 + (timedelta(0), timedelta(1)))
        form = row.form if row.form and self.chance(0.7) else self.one((None, *self.pools.forms))
        return Choice(
            state=self.one(_STATES), at=NOW - age, version=self._version(), params=self._params(row.per), form=form
        )

    def _version(self) -> str:
        return "0" if self.chance(0.04) else self.one(self.pools.versions[-2:])

    def _params(self, names: tuple[str, ...]) -> Params:
        if not names or self.chance(0.3):
            return ()
        kept = [name for name in names if self.chance(0.9)]
        return tuple(sorted((name, self.one(self.pools.parameter_values(name))) for name in kept))

    def _states(self) -> frozenset[tuple[str, Params]]:
        rows = self.policy.states.values()
        return frozenset((row.id, self._params(row.per)) for row in rows if self.chance(0.4))

    # things

    def _things(self, x: Exchange, aim: Target) -> None:
        cookies = [self._cookie(aim) for _ in range(self.one((0, 1, 2, 3)) or (Thing.COOKIE in aim.things))]
        x.cookies = tuple(sorted(cookies, key=phase_of))
        x.records = tuple(sorted(self._records(x, aim), key=phase_of))
        fields = [self._field(x, aim) for _ in range(self.one((0, 1, 2, 3)) or (Thing.FIELD in aim.things))]
        x.fields = tuple(sorted((one for one in fields if one is not None), key=phase_of))
        wanted = Thing.ELEMENT in aim.things or Thing.PAGE in aim.things
        if self.chance(0.9 if wanted else 0.25):
            x.elements = tuple(self._element(aim) for _ in range(self.one((0, 1, 2, 3))))
            x.page = Page(shows=self._shows() if self.chance(0.95) else self.one((UNREADABLE, ABSENT)))
        if self.chance(0.95 if Thing.EVENT in aim.things else 0.1):
            events = [self._event(aim) for _ in range(self.one((1, 1, 2)))]
            x.events = tuple(sorted(events, key=phase_of))

    def _cookie(self, aim: Target) -> Cookie:
        name, row = self.one(aim.cookies if self.chance(0.7) else self.pools.cookies)
        name = "unknown" if self.chance(0.12) else name
        row = None if name == "unknown" else row
        data = frozenset(self.some(self._likely(aim), 2)) if self.chance(0.4) else frozenset[str]()
        if self.chance(0.45):
            return Cookie(name=name, row=row, direction=Direction.REQUEST, data=data)
        return Cookie(
            name=name, row=row, direction=Direction.RESPONSE, data=data, lifetime=self._lifetime(),
            attributes=self._attributes(), came_in=self.chance(0.3),
        )  # fmt: skip

    def _likely(self, aim: Target) -> list[str]:
        return aim.categories if self.chance(0.7) else self.pools.categories

    def _lifetime(self) -> timedelta | None:
        if self.chance(0.3):
            return None
        limit = self.one(self.pools.periods).after(NOW) - NOW
        return limit + self.one((timedelta(0), timedelta(days=-1), timedelta(days=1), timedelta(days=300)))

    def _attributes(self) -> dict[str, str]:
        if not self.pools.attributes:
            return {}
        good = self.chance(0.5)
        wanted = {one.name: one.value for one in self.pools.attributes if one.name != "lifetime"}
        return {name: value if good or self.chance(0.6) else "other" for name, value in wanted.items()}

    def _records(self, x: Exchange, aim: Target) -> list[Record]:
        route, found = x.route, []
        if route is not None and route.request_records and has_body(x):
            found += [self._record(x, aim, Direction.REQUEST) for _ in range(self.one((0, 1, 2)))]
        if route is not None and route.records:
            several = "*" in route.records
            found += [
                self._record(x, aim, Direction.RESPONSE, whole=not several)
                for _ in range(self.one((0, 1, 1, 1, 2)) if several else 1)
            ]
        return found

    def _record(self, x: Exchange, aim: Target, direction: Direction, *, whole: bool = False) -> Record:
        counted = bool(x.route and x.route.counts)
        bare = counted and self.chance(0.5)
        return Record(
            direction=direction,
            subject=None if bare else self._record_subject(x),
            data=frozenset() if bare else frozenset(self.some(self._likely(aim), 3)),
            since=self._since(),
            counts=tuple(self.one((3, 9, 10, 11, 120)) for _ in range(self.one((0, 1, 2)))) if counted else (),
            whole_body=whole,
        )

    def _record_subject(self, x: Exchange) -> Subject:
        route = x.route
        if route is not None and route.record_subject is not None:
            return UNREADABLE if self.chance(0.06) else self._someone(x)
        return x.subject if isinstance(x.subject, Person | Missing) else None

    def _someone(self, x: Exchange) -> Person:
        known = [one.person for one in (x.actor, x.actor_before) if isinstance(one, Actor)]
        if known and self.chance(0.3):
            return self.one(known)
        return self.person(self.one(_PEOPLE))

    def _since(self) -> datetime | Missing | None:
        drawn = self.random.random()
        if drawn < 0.2:
            return (UNREADABLE, ABSENT, None)[int(drawn * 15)]
        limit = self.one(self.pools.periods).before(NOW)
        return limit + self.one((timedelta(0), timedelta(days=-1), timedelta(days=1), timedelta(days=20)))

    def _field(self, x: Exchange, aim: Target) -> Field | None:
        often = 0.7 if {Carrier.TRAIL, Carrier.CONNECTION} & set(aim.carriers) else 0.3
        special = self.one(self.pools.special_fields) if self.pools.special_fields and self.chance(often) else None
        category = special if isinstance(special, str) and special == UNDECLARED else self.one(self._likely(aim))
        if isinstance(special, Carrier):
            return Field(category=category, carrier=special, direction=self._own_direction(special), name="n")
        direction, carrier = self._place(aim)
        record = self._inside(x, direction) if carrier is Carrier.JSON else None
        redirect = direction is Direction.RESPONSE and carrier is Carrier.QUERY
        host = self.one((*self.pools.hosts, *self.pools.own, "stranger.example")) if redirect else None
        field = Field(category=category, carrier=carrier, direction=direction, name="n", record=record, host=host)
        in_body = direction is Direction.REQUEST and carrier in (Carrier.FORM, Carrier.JSON, Carrier.MULTIPART)
        return None if in_body and not has_body(x) else field

    def _place(self, aim: Target) -> tuple[Direction, Carrier]:
        """Return where a field stands: more often than not where the rule looks, where it says so."""
        asked = [place for place in _PLACES if {Carrier(place[0].value), place[1]} & set(aim.carriers)]
        if asked and self.chance(0.6):
            return self.one(asked)
        direction = self.one(tuple(Direction))
        return direction, self.one(_REQUEST if direction is Direction.REQUEST else _RESPONSE)

    @staticmethod
    def _own_direction(carrier: Carrier) -> Direction:
        return Direction.REQUEST if carrier is Carrier.CONNECTION else Direction.RESPONSE

    def _inside(self, x: Exchange, direction: Direction) -> int | None:
        """Return the record that a body field stands in, if there is one on its side."""
        inside = [index for index, record in enumerate(x.records) if record.direction is direction]
        return self.one(inside) if inside and self.chance(0.8) else None

    def _element(self, aim: Target) -> Element:
        kind = self.one(aim.kinds) if self.chance(0.7) else self.one(KINDS)
        drawn = self.random.random()
        hosts = aim.hosts if self.chance(0.7) else self.pools.hosts
        host: str | None = None
        if drawn < 0.6 and hosts:
            host = self.one(hosts).replace("*", "a")
            host = "www." + host if self.chance(0.3) else host
        elif drawn < 0.75:
            host = "unknown.example"
        elif drawn < 0.85:
            host = self.one(self.pools.own)
        return Element(
            kind=kind,
            host=host,
            secure=self.one((None, None, True, False)) if host else None,
            tokens=frozenset(self.some(self.pools.tokens, 3)) if self.chance(0.3) else frozenset(),
            data=frozenset(self.some(self._likely(aim), 2)) if self.chance(0.7) else frozenset(),
            shows=self._shows(),
            attributes=self._attributes(),
        )

    def _shows(self) -> frozenset[str]:
        marks = self.pools.marks
        return frozenset(marks if self.chance(0.35) else [mark for mark in marks if self.chance(0.5)])

    def _event(self, aim: Target) -> Event:
        name = self.one(aim.events) if self.chance(0.8) else self.one(self.pools.events)
        consent: str | None = None
        params: Params = ()
        if name == "consent-recorded" and self.policy.consents:
            row = self.one(list(self.policy.consents.values()))
            consent, params = row.id, self._params(row.per)
        at, later = self._followed()
        return Event(name=name, consent=consent, params=params, at=at, later=later, recent=self._recent())

    def _followed(self) -> tuple[datetime | None, tuple[tuple[str, datetime], ...]]:
        if not self.pools.followed or self.chance(0.2):
            return None, ()
        duty = self.one(self.pools.followed)
        steps = (timedelta(0), timedelta(days=-1), timedelta(days=1))
        at = duty.within.before(NOW) + self.one(steps)
        later = ((duty.event if self.chance(0.8) else "other", duty.within.after(at) + self.one(steps)),)
        return at, later if self.chance(0.5) else ()

    def _recent(self) -> dict[str, tuple[datetime, ...]]:
        if not self.pools.counted or self.chance(0.1):
            return {}
        duty = self.one(self.pools.counted)
        count = duty.count + self.one((-1, 0, 1, 2))
        start = duty.within.before(NOW)
        stale = 1 if self.chance(0.3) else 0
        instants = [start + timedelta(seconds=0 if number < stale else 1) for number in range(max(count, 0))]
        return {duty.per: tuple(instants)}

    # the answer

    def _answer(self, x: Exchange) -> None:
        x.status = self.one(_STATUSES)
        x.response_unreadable = self.chance(0.03)
        headers: dict[str, tuple[str, ...]] = {}
        for duty in self.pools.headers:
            drawn = self.random.random()
            if drawn < 0.45:
                headers[duty.name] = (self._header(x, self.one(duty.values)),)
            elif drawn < 0.65:
                headers[duty.name] = ("other", "max-age=9")
        if x.status == 302:
            walls = self.binding.walls or ("/wall",)
            headers["location"] = (self.one((*walls, "/elsewhere", "https://site.example/login?next=1")),)
        x.headers = headers

    def _header(self, x: Exchange, value: str) -> str:
        value = (x.coming or x.version) if value == "of-version" else value
        return self.one((value, value, f"{value}; other=1", value.upper()))

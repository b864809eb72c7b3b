"""A small policy to ask the reference about, and short ways to make facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from troth.engines.reference import judge
from troth.model.binding import Binding, Route
from troth.model.consent import Choice, Choices, ChoiceState, params
from troth.model.facts import Actor, Age, Cookie, Direction, Exchange, Field, Person, Record
from troth.model.findings import Judgement
from troth.model.policy import Policy
from troth.model.words import Carrier
from troth.rules import load_inline

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GRANTED, DECLINED, WITHDRAWN = ChoiceState.GRANTED, ChoiceState.DECLINED, ChoiceState.WITHDRAWN
IN, OUT = Direction.REQUEST, Direction.RESPONSE

VOCABULARY = """
policy:
  identity: {id: shop, hosts: [shop.example, '*.cdn.example']}
  versions: [{id: 1}, {id: 2}]
  data:
    name: {fields: [name]}
    email: {fields: [email]}
    special: {umbrella: [health, faith]}
    health: {fields: [health]}
    amount: {fields: [amount], personal: false}
    ip: {fields: [ip], connection: true}
  purposes:
    shop: {basis: contract, data: [name, email], keep: {set: P30D}}
    legal: {basis: law, data: personal-data}
    support: {basis: contract, data: [name], keep: {set: {until: closed}}}
    analytics: {basis: consent, data: [ip]}
    ads: {basis: consent, data: [email], on: [cookie, element], since: 2}
    mail: {basis: consent, data: [name, email], consent: letters}
  consents:
    analytics: {holder: device, lasts: P6M, signals: {gpc: until-choice, dnt: never}}
    ads: {holder: device}
    letters: {holder: person, per: list, lists: [news, offers]}
    program: {holder: person, per: party}
    transfer: {holder: [device, person], per: country}
    publication: {holder: person, per: [data, actor], form: written}
  parties:
    stats: {role: processor, country: US, hosts: [stats.example, {host: ads.stats.example, purpose: ads}],
            scripts: [stats.js], cookies: [_s*], purpose: analytics, data: [ip]}
    friend: {role: partner, country: SE, hosts: [friend.example], purpose: shop, data: [name]}
    pay: {role: processor, country: SE, hosts: [pay.example], purpose: shop, essential-on: [checkout]}
    mystery: {role: partner, hosts: [mystery.example]}
  cookies:
    sid: {purpose: shop}
    _both: {purpose: [shop, analytics, ads]}
    s*: {purpose: analytics, keep: P14D}
  states:
    restricted: {of: person}
    closed: {of: person}
    objected: {of: person, per: [purpose, basis]}
    customer: {of: person, per: topic}
  events: [asked-for, done]
  areas: {EEA: [SE, DE]}
  marks: {link: {link: policy}, note: {text: a note}}
  origins: [orders]
"""


def policy(rules: str) -> Policy:
    """Load the vocabulary with these rules, in flow style, one a line."""
    listed = "\n".join(f"- {{clause: W-1, {line.strip()}}}" for line in rules.strip().splitlines())
    loaded = load_inline(f"{VOCABULARY}rules:\n{listed}\n", name="asked.yaml")
    assert loaded.policy is not None, loaded.diagnostics
    return loaded.policy


def asked(rules: str, exchange: Exchange, binding: Binding | None = None) -> Judgement:
    """Judge an exchange by these rules."""
    return judge(policy(rules), binding or Binding(), exchange)


def told(rules: str, exchange: Exchange) -> list[str]:
    """Return what was found, as ``rule action item``; the item only where there are several of its kind."""
    found = asked(rules, exchange).findings
    return [f"{one.rule} {one.action}" + ("" if one.item is None else f" {one.item}") for one in found]


def acts(condition: str, exchange: Exchange, thing: str = "exchange") -> bool:
    """Tell whether a rule with this match, and nothing else, acts on the (only) thing."""
    return bool(told(f"id: r, for: {thing}, match: {condition}, otherwise: alert", exchange))


def passes(condition: str, exchange: Exchange, thing: str = "exchange") -> bool:
    """Tell whether this condition, as the only way out, is met."""
    return not told(f"id: r, for: {thing}, only-if: {condition}, otherwise: alert", exchange)


def exchange(**facts: object) -> Exchange:
    """Return a complete exchange at noon on 1 March 2026."""
    x = Exchange(now=NOW, host="shop.example", version="1", response_pending=False, status=200)
    for name, value in facts.items():
        setattr(x, name, value)
    return x


def route(**row: object) -> Route:
    return Route(**{"method": "GET", "path": "/x", **row})  # type: ignore[arg-type]  # rows of many types


def choice(
    state: ChoiceState = GRANTED, *, days: int = 1, version: str = "1", form: str | None = None, **given: str
) -> Choice:
    return Choice(state=state, at=NOW - timedelta(days=days), version=version, form=form, params=params(**given))


def choices(**by_name: Choice | tuple[Choice, ...]) -> Choices:
    return Choices({name: one if isinstance(one, tuple) else (one,) for name, one in by_name.items()})


def person(name: str = "ann", *, age: int | None = None, states: object = (), **by_name: Choice) -> Person:
    held = frozenset((one, ()) if isinstance(one, str) else one for one in states)  # type: ignore[attr-defined]  # short
    evidence = None if age is None else Age(low=age, high=age + 1)
    return Person(id=name, age=evidence, states=held, choices=choices(**by_name))


def actor(name: str = "ann", *roles: str, **facts: object) -> Actor:
    return Actor(person=person(name), roles=frozenset(roles), **facts)  # type: ignore[arg-type]  # facts of many types


def incoming(name: str, *data: str) -> Cookie:
    return Cookie(name=name, direction=IN, data=frozenset(data))


def outgoing(name: str, *data: str, **facts: object) -> Cookie:
    return Cookie(name=name, direction=OUT, data=frozenset(data), **facts)  # type: ignore[arg-type]  # many types


def sent(category: str, carrier: Carrier = Carrier.JSON, record: int | None = None) -> Field:
    return Field(category=category, carrier=carrier, direction=IN, record=record)


def shown(category: str, carrier: Carrier = Carrier.JSON, record: int | None = None) -> Field:
    return Field(category=category, carrier=carrier, direction=OUT, record=record)


def record(*data: str, **facts: object) -> Record:
    return Record(data=frozenset(data), **facts)  # type: ignore[arg-type]  # facts of many types

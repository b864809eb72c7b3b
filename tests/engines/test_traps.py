"""Where two rules meet: the traps of the rule language, each with what must come out.

Four of them are no matter of judging: a site's own contacts and short ids (filters), the trail's moment (runtime) and
routes where the actor comes too late (`check`).
"""

from __future__ import annotations

from datetime import timedelta

from tests.engines.ground import (
    actor,
    asked,
    choice,
    choices,
    exchange,
    incoming,
    outgoing,
    person,
    record,
    route,
    sent,
    shown,
    told,
)
from troth.model.facts import Age, Page
from troth.model.words import Action

LIST = route(records="$[*]", record_subject="$.id")
WAITS = "id: waits, for: field, match: {basis: consent}, only-if: {consent: of-purpose}"


def test_the_form_that_subscribes_keeps_the_address_it_subscribes() -> None:
    form = exchange(method="POST", purpose="mail", fields=(sent("email"),))
    assert told(WAITS, form) == ["waits withhold 0"]
    form.recorded = (("person", choices(letters=choice(days=0))),)
    assert told(WAITS, form) == []


def test_a_permission_opens_its_prohibition_and_is_no_second_rule() -> None:
    rule = "id: nobody, for: record, match: {party: any}, except: [{clause: W-2, if: {role: processor, aggregate: 10}}]"
    counts = exchange(party="stats", records=(record(counts=(99,)), record("email", counts=(99,))))
    assert told(rule, counts) == ["nobody withhold 1"]


def test_the_own_copy_loses_nothing_to_restriction_age_or_health() -> None:
    rules = """
    id: old, for: record, expect: {keep: of-purpose}, otherwise: withhold
    id: restricted, for: record, match: {state: restricted}
    id: sensitive, for: field, match: {data: special}
    """
    ann = person("ann", states=["restricted"])
    x = exchange(
        route=route(tags=("access",)), purpose="shop", subject=ann, actor=actor("ann"),
        records=(record("health", subject=ann, since=exchange().now - timedelta(days=900)),),
        fields=(shown("health", record=0),),
    )  # fmt: skip
    assert {one.action for one in asked(rules, x).findings} == {Action.PROTECTED}
    x.actor = actor("eve", "staff")
    assert {one.action for one in asked(rules, x).findings} == {Action.WITHHOLD}


def test_a_row_that_takes_the_birth_date_does_not_blind_the_rule_on_age() -> None:
    rules = """
    id: row, for: field, only-if: {data: of-purpose}
    id: age, for: exchange, match: {under: 18}, otherwise: deny
    """
    x = exchange(purpose="shop", fields=(sent("health"),), ages=(Age(low=12, high=13),))
    assert told(rules, x) == ["age deny", "row withhold 0"]


def test_an_objection_outweighs_an_earlier_opt_in() -> None:
    rules = """
    id: asked, for: record, only-if: {consent: letters}
    id: objected, for: record, match: {state: {objected: of-purpose}}
    """
    ann = person("ann", states=[("objected", (("purpose", "mail"),))], letters=choice())
    assert told(rules, exchange(purpose="mail", records=(record(subject=ann),))) == ["objected withhold 0"]


def test_a_cart_set_by_an_act_comes_back_without_one() -> None:
    rule = "id: cart, for: cookie, match: {purpose: shop}, only-if: {asked: cart}"
    assert told(rule, exchange(cookies=(outgoing("sid"),))) == ["cart withhold 0"]
    assert told(rule, exchange(cookies=(outgoing("sid"),), asked=frozenset({"cart"}))) == []
    assert told(rule, exchange(cookies=(incoming("sid"), outgoing("sid", came_in=True)))) == []


def test_a_cookie_in_no_row_raises_no_alarm_about_duties() -> None:
    duty = "id: session, for: cookie, match: {purpose: shop}, expect: {attribute: {secure: true}}, otherwise: alert"
    assert told(duty, exchange(cookies=(outgoing("stray"), outgoing("sid")))) == ["session alert 1"]


def test_a_list_is_open_about_its_people_and_each_of_them_is_judged() -> None:
    rule = "id: members, for: [exchange, record], match: {party: any}, only-if: {consent: {program: of-party}}"
    ann, bob = person("ann", program=choice(party="friend")), person("bob")
    x = exchange(route=LIST, party="friend", records=(record(subject=ann), record(subject=bob)))
    assert told(rule, x) == ["members withhold 1"]
    assert asked(rule, x).denial is None


def test_a_list_may_end_up_empty_and_is_still_served() -> None:
    rule = "id: members, for: [exchange, record], match: {party: any}, only-if: {consent: {program: of-party}}"
    x = exchange(route=LIST, party="friend", records=(record(subject=person()),))
    assert asked(rule, x).denial is None


def test_a_card_number_is_dropped_where_leaving_must_not_be_refused() -> None:
    leaving = exchange(method="POST", route=route(tags=("unsubscribe",)), fields=(sent("health"),))
    rule = "id: never, for: field, match: {data: health, carrier: request}, otherwise: deny"
    assert told(rule, leaving) == ["never withhold 0"]
    assert asked(rule, leaving).denial is None
    leaving.route = None
    assert asked(rule, leaving).denial is not None


def test_who_registers_is_asked_as_a_device_first() -> None:
    rule = "id: abroad, for: exchange, only-if: {consent: {transfer: of-country}}, otherwise: deny"
    stranger = exchange(serving="US", actor=None, device=choices(transfer=choice(country="US")))
    assert told(rule, stranger) == []
    assert told(rule, exchange(serving="US", actor=None)) == ["abroad deny"]


def test_a_header_depends_on_the_addressed_person() -> None:
    duty = (
        "id: index, for: exchange, match: {not: {consent: {publication: any}}}, "
        "expect: {header: {X-Robots-Tag: noindex}}, otherwise: amend"
    )
    public = person("bob", publication=choice(form="written", data="email", actor="public"))
    assert told(duty, exchange(subject=person("bob"), actor=actor("ann"))) == ["index amend"]
    assert told(duty, exchange(subject=public, actor=actor("ann"))) == []


def test_under_opt_in_nobody_asked_is_treated_as_who_refused() -> None:
    wall = (
        "id: wall, for: exchange, match: {any: [{refused: any}, {not: {consent: any}}]}, "
        "expect: {status: open}, otherwise: alert"
    )
    for device, alert in ((choices(), True), (choices(analytics=choice()), False)):
        assert told(wall, exchange(status=451, device=device)) == (["wall alert"] if alert else [])


def test_a_page_without_a_visitor_known_has_no_states() -> None:
    rule = "id: breach, for: page, match: {state: restricted}, expect: {shows: note}, otherwise: amend"
    assert told(rule, exchange(page=Page(), actor=None)) == []

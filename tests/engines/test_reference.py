"""The reference interpreter against sentences of `troth/docs/judging.md`, section by section."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.engines.ground import (
    DECLINED,
    NOW,
    WITHDRAWN,
    actor,
    acts,
    asked,
    choice,
    choices,
    exchange,
    incoming,
    outgoing,
    passes,
    person,
    record,
    route,
    sent,
    shown,
    told,
)
from troth.engines.reference import truth
from troth.model.binding import Binding, Source
from troth.model.facts import ABSENT, UNREADABLE, Actor, Age, Element, Event, Exchange, Missing, Page
from troth.model.words import Action, Carrier

LIST = route(records="$[*]", record_subject="$.id")

# --- 1. truth --------------------------------------------------------------------------------------------------------


def test_all_is_false_before_absent_before_true() -> None:
    assert truth.all_of([truth.TRUE, truth.ABSENT, truth.FALSE]) == truth.FALSE
    assert truth.all_of([truth.TRUE, truth.ABSENT]) == truth.ABSENT
    assert truth.all_of([]) == truth.TRUE


def test_any_is_true_before_absent_before_false() -> None:
    assert truth.any_of([truth.FALSE, truth.ABSENT, truth.TRUE]) == truth.TRUE
    assert truth.any_of([truth.FALSE, truth.ABSENT]) == truth.ABSENT
    assert truth.any_of([]) == truth.FALSE


def test_not_leaves_absent_alone() -> None:
    assert truth.negation(truth.ABSENT) == truth.ABSENT
    assert truth.negation(truth.TRUE) == truth.FALSE


def test_what_is_false_anyway_is_not_open() -> None:
    assert truth.all_of([truth.FALSE, truth.OPEN]) == truth.FALSE
    assert truth.any_of([truth.TRUE, truth.OPEN]) == truth.TRUE


def test_open_stays_open_beside_unreadable() -> None:
    assert truth.all_of([truth.OPEN, truth.UNREADABLE]).open
    assert not truth.all_of([truth.TRUE, truth.UNREADABLE]).open


# --- 2. a rule on one thing ------------------------------------------------------------------------------------------


def test_a_rule_without_ways_out_acts_whenever_it_matches() -> None:
    assert told("id: r, for: exchange, match: {https: false}, otherwise: deny", exchange(https=False)) == ["r deny"]
    assert told("id: r, for: exchange, match: {https: false}, otherwise: deny", exchange()) == []


def test_a_rule_without_match_is_about_everything_of_its_kind() -> None:
    x = exchange(cookies=(incoming("sid"), outgoing("x")))
    assert told("id: r, for: cookie, only-if: {asked: cart}", x) == ["r withhold 1"]


def test_an_absent_fact_neither_matches_nor_opens() -> None:
    unknown = exchange(region=None)
    assert not acts("{region: SE}", unknown)
    assert not acts("{not: {region: SE}}", unknown)
    assert not passes("{region: SE}", unknown)
    assert not passes("{not: {region: SE}}", unknown)


def test_a_rule_acts_on_what_cannot_be_read_unless_it_says_pass() -> None:
    x = exchange(actor=UNREADABLE)
    assert told("id: r, for: exchange, match: {actor: staff}, otherwise: deny", x) == ["r deny"]
    assert told("id: r, for: exchange, match: {actor: staff}, otherwise: deny, unreadable: pass", x) == []
    assert told("id: r, for: exchange, only-if: {actor: staff}, otherwise: deny", x) == ["r deny"]
    assert told("id: r, for: exchange, only-if: {actor: staff}, otherwise: deny, unreadable: pass", x) == []


def test_evidence_tells_what_was_kept_and_what_was_opened() -> None:
    rule = (
        "id: r, for: exchange, match: {party: any}, only-if: {country: SE}, evidence: true, "
        "except: [{clause: W-9, if: {role: processor}}]"
    )
    assert told(rule, exchange(party="friend")) == ["r kept"]
    opened = asked(rule, exchange(party="stats")).findings
    assert [(one.action, one.clauses) for one in opened] == [(Action.OPENED, ("W-9",))]
    assert told(rule, exchange(party="mystery")) == ["r withhold"]
    assert told(rule, exchange()) == []


def test_the_first_exception_that_holds_is_the_one_told() -> None:
    rule = (
        "id: r, for: exchange, match: {party: any}, evidence: true, except: "
        "[{clause: W-8, if: {role: source}}, {clause: W-9, if: {role: processor}}, {clause: W-10, if: {https: true}}]"
    )
    assert asked(rule, exchange(party="stats")).findings[0].clauses == ("W-9",)


def test_an_exception_opens_its_own_rule_only() -> None:
    rules = """
    id: a, for: exchange, match: {party: any}, except: [{clause: W-9, if: {role: processor}}]
    id: b, for: exchange, match: {party: any}
    """
    assert told(rules, exchange(party="stats")) == ["b withhold"]


def test_exceptions_are_alternatives() -> None:
    rule = (
        "id: r, for: exchange, match: {party: any}, "
        "except: [{clause: W-8, if: {role: partner}}, {clause: W-9, if: {country: US}}]"
    )
    assert told(rule, exchange(party="stats")) == []
    assert told(rule, exchange(party="friend")) == []
    assert told(rule, exchange(party="pay")) == ["r withhold"]


def test_a_dry_run_finds_the_same_and_denies_nothing() -> None:
    found = asked("id: r, for: exchange, otherwise: deny, match: {https: true}, mode: dry-run", exchange())
    assert [(one.action, one.dry) for one in found.findings] == [(Action.DENY, True)]
    assert found.denial is None


def test_a_rule_that_is_off_finds_nothing() -> None:
    assert told("id: r, for: exchange, otherwise: deny, match: {https: true}, mode: off", exchange()) == []


def test_each_effect_is_a_finding() -> None:
    x = exchange(https=False)
    found = told("id: r, for: exchange, only-if: {https: true}, otherwise: [{deny: 401}, alert]", x)
    assert found == ["r alert", "r deny"]


def test_a_page_is_alerted_about_where_nothing_else_is_said() -> None:
    x = exchange(page=Page(), elements=(Element(kind="frame", host="x.example"),))
    assert told("id: r, for: page, match: {actor: any}", exchange(page=Page(), actor=actor())) == ["r alert"]
    assert told("id: r, for: element, match: {kind: frame}", x) == ["r withhold 0"]


# --- 3. undeclared ---------------------------------------------------------------------------------------------------

STRANGE = exchange(cookies=(outgoing("unheard-of"),))


@pytest.mark.parametrize(
    "condition",
    [
        "{purpose: shop}",
        "{not: {purpose: shop}}",
        "{basis: consent}",
        "{party: friend}",
        "{not: {any: [{role: x}, {country: SE}]}}",
    ],
)
def test_an_undeclared_cookie_matches_whatever_can_take_it_away(condition: str) -> None:
    assert told(f"id: r, for: cookie, match: {condition}, otherwise: withhold", STRANGE) == ["r withhold 0"]
    assert told(f"id: r, for: cookie, match: {condition}, otherwise: alert", STRANGE) == []


def test_an_undeclared_cookie_meets_no_condition_and_no_duty() -> None:
    assert told("id: r, for: cookie, only-if: {purpose: shop}", STRANGE) == ["r withhold 0"]
    assert told("id: r, for: cookie, only-if: {not: {purpose: shop}}", STRANGE) == ["r withhold 0"]
    duty = "id: r, for: cookie, match: {purpose: shop}, expect: {attribute: {secure: true}}, otherwise: alert"
    assert told(duty, STRANGE) == []


def test_all_other_facts_of_an_undeclared_thing_count_as_they_are() -> None:
    rule = "id: r, for: cookie, match: {purpose: shop, data: email}, otherwise: withhold"
    assert told(rule, STRANGE) == []
    assert told(rule, exchange(cookies=(outgoing("unheard-of", "email"),))) == ["r withhold 0"]


def test_undeclared_and_declared_are_answered_plainly() -> None:
    known = exchange(cookies=(outgoing("sid"),))
    for condition, strange in (("{purpose: undeclared}", True), ("{purpose: declared}", False)):
        assert acts(condition, STRANGE, "cookie") is strange
        assert acts(condition, known, "cookie") is not strange
        assert acts(f"{{not: {condition}}}", STRANGE, "cookie") is not strange


def test_not_over_a_list_is_not_for_each_name() -> None:
    rule = "id: r, for: cookie, match: {not: {purpose: [undeclared, shop]}}, otherwise: withhold"
    assert told(rule, STRANGE) == []


def test_any_party_includes_undeclared_and_excludes_own() -> None:
    assert acts("{party: any}", exchange(party="undeclared"))
    assert acts("{party: any}", exchange(party="friend"))
    assert not acts("{party: any}", exchange())
    assert not acts("{not: {party: any}}", exchange(party="undeclared"))


# --- 4. what each thing has ------------------------------------------------------------------------------------------


def test_a_route_without_purpose_has_the_purpose_none_which_is_declared() -> None:
    x = exchange()
    assert passes("{purpose: declared}", x)
    assert passes("{purpose: none}", x)
    assert not passes("{purpose: any}", x)
    assert not passes("{data: of-purpose}", x)


def test_a_purpose_on_other_things_only_is_undeclared() -> None:
    assert not passes("{purpose: declared}", exchange(purpose="ads"))
    assert passes("{purpose: declared}", exchange(cookies=(outgoing("_both"),)), "cookie")


def test_the_row_that_fits_a_cookie_best_is_its_row() -> None:
    assert acts("{purpose: shop}", exchange(cookies=(outgoing("sid"),)), "cookie")
    assert acts("{purpose: analytics}", exchange(cookies=(outgoing("side"),)), "cookie")
    assert not acts("{purpose: analytics}", exchange(cookies=(outgoing("Side"),)), "cookie")


def test_a_cookie_without_row_has_the_purposes_of_its_party() -> None:
    x = exchange(cookies=(outgoing("_sess"),))
    assert acts("{purpose: analytics}", x, "cookie")
    assert acts("{party: stats}", x, "cookie")


def test_a_party_is_known_by_host_subdomain_or_script_name() -> None:
    for element in (
        Element(kind="script", host="stats.example"),
        Element(kind="script", host="cdn.stats.example"),
        Element(kind="inline", tokens=frozenset({"stats.js"})),
        Element(kind="inline", tokens=frozenset({"_s1"})),
        Element(kind="inline", tokens=frozenset({"stats.example"})),
    ):
        assert acts("{party: stats}", exchange(elements=(element,)), "element"), element
    assert not acts("{party: stats}", exchange(elements=(Element(kind="script", host="notstats.example"),)), "element")


def test_the_own_host_and_the_page_itself_are_own() -> None:
    for host, own in ((None, True), ("shop.example", True), ("a.cdn.example", True), ("www.shop.example", False)):
        assert acts("{party: own}", exchange(elements=(Element(kind="image", host=host),)), "element") is own
    local = exchange(host="localhost", elements=(Element(kind="image", host="localhost"),))
    assert acts("{party: own}", local, "element")


def test_a_host_row_has_purposes_of_its_own() -> None:
    ads = exchange(elements=(Element(kind="image", host="ads.stats.example"),))
    assert acts("{purpose: ads}", ads, "element")
    assert not acts("{purpose: analytics}", ads, "element")


def test_one_party_without_purposes_leaves_an_element_undeclared() -> None:
    both = Element(kind="inline", tokens=frozenset({"stats.example", "mystery.example"}))
    assert acts("{purpose: undeclared}", exchange(elements=(both,)), "element")


def test_an_essential_party_rests_on_consent_elsewhere() -> None:
    element = (Element(kind="script", host="pay.example"),)
    assert not acts("{basis: consent}", exchange(elements=element, route=route(tags=("checkout",))), "element")
    assert acts("{basis: consent}", exchange(elements=element), "element")


def test_each_of_several_parties_must_pass_and_one_is_enough_to_match() -> None:
    snippet = exchange(elements=(Element(kind="inline", tokens=frozenset({"stats.example", "friend.example"})),))
    assert acts("{party: stats}", snippet, "element")
    assert acts("{not: {party: stats}}", snippet, "element")
    assert not passes("{party: stats}", snippet, "element")
    assert not passes("{not: {party: stats}}", snippet, "element")
    assert passes("{party: [stats, friend]}", snippet, "element")
    assert not passes("{country: SE}", snippet, "element")


def test_an_exchange_holds_the_data_of_its_route_fields_and_records() -> None:
    x = exchange(route=route(data=("health",)), fields=(sent("email"),), records=(record("name"),))
    for name in ("health", "email", "name"):
        assert acts(f"{{data: {name}}}", x)
    assert acts("{data: health, carrier: response}", x)
    assert not acts("{data: email, carrier: response}", x)
    assert acts("{data: email, carrier: json}", x)


def test_what_the_trail_holds_is_no_data_of_the_exchange() -> None:
    assert not acts("{data: ip}", exchange(fields=(shown("ip", Carrier.TRAIL),)))


def test_the_address_is_data_only_for_who_asks_for_the_connection() -> None:
    x = exchange(fields=(sent("ip", Carrier.CONNECTION),))
    assert not acts("{data: ip}", x)
    assert acts("{data: ip, carrier: connection}", x)


@pytest.mark.parametrize(("field", "naming"), [
    (shown("ip", Carrier.TRAIL), "carrier: trail"),
    (sent("ip", Carrier.CONNECTION), "carrier: connection"),
    (sent("undeclared"), "data: undeclared"),
])  # fmt: skip
def test_some_fields_are_things_only_for_rules_that_name_them(field: object, naming: str) -> None:
    x = exchange(fields=(field,), purpose="shop")
    assert told("id: r, for: field, only-if: {purpose: legal}", x) == []
    assert told(f"id: r, for: field, match: {{{naming}}}", x) == ["r withhold 0"]


def test_whose_a_field_is() -> None:
    x = exchange(
        actor=actor("ann"),
        actor_before=actor("ann"),
        records=(record("email", subject=person("bob", states=["restricted"])),),
        fields=(shown("email", record=0), shown("name")),
    )
    assert told("id: r, for: field, match: {state: restricted}", x) == ["r withhold 0"]


def test_the_addressed_subject_goes_before_the_actor() -> None:
    bob = person("bob", states=["restricted"])
    assert acts("{state: restricted}", exchange(subject=bob, actor=actor("ann")))
    assert not acts("{state: restricted}", exchange(actor=actor("ann")))


def test_what_came_in_is_judged_by_who_was_known_before() -> None:
    x = exchange(actor_before=None, actor=actor("ann"), fields=(sent("email"), shown("email")))
    assert told("id: r, for: field, only-if: {actor: account}", x) == ["r withhold 0"]


# --- 5. atoms --------------------------------------------------------------------------------------------------------


def test_an_umbrella_is_met_by_one_member() -> None:
    x = exchange(fields=(sent("health"),))
    assert acts("{data: special}", x)
    assert acts("{data: personal-data}", x)
    assert not acts("{data: personal-data}", exchange(fields=(sent("amount"),)))


def test_an_umbrella_with_a_personal_member_is_personal() -> None:
    assert acts("{data: personal-data}", exchange(route=route(data=("special",))))


def test_data_of_purpose_asks_every_row() -> None:
    cookie = exchange(cookies=(outgoing("_both", "email"),))
    assert not passes("{data: of-purpose}", cookie, "cookie")
    assert passes("{data: of-purpose}", exchange(purpose="shop", fields=(sent("email"),)), "field")
    assert not passes("{data: of-purpose}", exchange(purpose="shop", fields=(sent("health"),)), "field")
    assert passes("{data: of-purpose}", exchange(purpose="legal", fields=(sent("health"),)), "field")


def test_complete_wants_every_category() -> None:
    assert passes("{complete: of-purpose}", exchange(purpose="shop", fields=(sent("email"), sent("name"))))
    assert not passes("{complete: of-purpose}", exchange(purpose="shop", fields=(sent("email"),)))
    assert passes("{complete: [special]}", exchange(fields=(sent("faith"),)))


def test_a_body_that_cannot_be_read_may_hold_anything() -> None:
    x = exchange(request_unreadable=True)
    rule = "id: r, for: exchange, match: {data: email%s}, otherwise: deny"
    assert told(rule % "", x) == ["r deny"]
    assert told(rule % ", carrier: form", x) == ["r deny"]
    assert told(rule % ", carrier: query", x) == []
    assert told(rule % ", carrier: response", x) == []


def test_asked_holds_for_a_cookie_that_came_in() -> None:
    x = exchange(cookies=(incoming("sid"), outgoing("sid", came_in=True), outgoing("sid")))
    assert told("id: r, for: cookie, only-if: {asked: cart}", x) == ["r withhold 2"]


def test_an_area_covers_its_countries() -> None:
    assert passes("{region: EEA}", exchange(region="DE"))
    assert not passes("{region: EEA}", exchange(region="US"))
    assert passes("{country: EEA}", exchange(party="friend"))


def test_the_country_of_the_own_site_is_where_it_serves() -> None:
    assert passes("{country: SE}", exchange(serving="SE"))
    assert not passes("{country: SE}", exchange())


def test_a_value_from_the_request_is_never_a_word_of_the_language() -> None:
    x = exchange(bound={"topic": "any"}, purpose="shop")
    assert not acts("{purpose: of-topic}", x)
    assert not acts("{purpose: of-topic}", exchange(purpose="shop"))
    assert not acts("{not: {purpose: of-topic}}", exchange(purpose="shop"))


@pytest.mark.parametrize(
    ("ages", "on_record", "expected"),
    [
        ((Age(low=12, high=13),), None, "T"),
        ((Age(low=13, high=14),), None, "F"),
        ((Age(low=12, high=20),), None, "A"),
        ((), 12, "T"),
        ((), None, "A"),
        ((Age(readable=False),), None, "U"),
        ((Age(readable=False),), 12, "T"),
        ((Age(readable=False), Age(low=30)), None, "U"),
        ((Age(low=30), Age(high=10)), None, "T"),
    ],
)
def test_evidence_of_an_age(ages: tuple[Age, ...], on_record: int | None, expected: str) -> None:
    x = exchange(ages=ages, subject=person(age=on_record))
    assert acts("{under: 13}", x) is (expected in "TU")
    assert passes("{under: 13}", x) is (expected == "T")
    assert acts("{not: {under: 13}}", x) is (expected in "FU")


def test_a_list_shows_the_age_of_its_own_people() -> None:
    x = exchange(route=LIST, records=(record(subject=person("kid", age=9)), record(subject=person("ann", age=40))))
    assert told("id: r, for: record, match: {under: 13}", x) == ["r withhold 0"]
    assert not acts("{under: 13}", x)


def test_a_child_who_asks_is_known_also_on_a_route_of_records() -> None:
    child = exchange(route=LIST, actor=Actor(person=person("kid", age=9)))
    assert acts("{under: 13}", child)


def test_proof_of_identity_runs_out() -> None:
    for minutes, fresh in ((5, True), (10, True), (11, False)):
        x = exchange(actor=actor(verified=NOW - timedelta(minutes=minutes)))
        assert passes("{actor: {verified: PT10M}}", x) is fresh
    assert not passes("{actor: {verified: PT10M}}", exchange(actor=None))
    assert acts("{not: {actor: {verified: PT10M}}}", exchange(actor=None))
    assert not acts("{not: {actor: {verified: PT10M}}}", exchange(actor=actor()))


def test_a_statement_about_each_party() -> None:
    x = exchange(party="friend", attested=frozenset({("controls", "friend")}))
    assert passes("{attested: {controls: of-party}}", x)
    assert passes("{attested: controls}", x)
    assert not passes(
        "{attested: {controls: of-party}}", exchange(party="friend", attested=frozenset({("controls", "x")}))
    )
    assert not passes("{attested: {controls: of-party}}", exchange(attested=frozenset({("controls", None)})))


def test_an_announcement_is_of_the_coming_version() -> None:
    facts = {"attested": frozenset({("announcement", "2")}), "events": (Event(name="policy-activated"),)}
    assert passes("{attested: {announcement: of-version}}", exchange(coming="2", **facts), "event")
    assert not passes("{attested: {announcement: of-version}}", exchange(coming=None, version="2", **facts), "event")


def test_https_of_an_element_is_that_of_its_target() -> None:
    plain = exchange(elements=(Element(kind="image", host="friend.example", secure=False),))
    assert not passes("{https: true}", plain, "element")
    assert passes("{https: true}", exchange(elements=(Element(kind="image"),)), "element")


@pytest.mark.parametrize(
    ("facts", "passed"),
    [
        ({"counts": (10, 99)}, True),
        ({"counts": (9, 99)}, False),
        ({}, False),
        ({"counts": (99,), "subject": person()}, False),
        ({"counts": (99,), "subject": UNREADABLE}, False),
        ({"counts": (99,), "subject": ABSENT}, True),
    ],
)
def test_an_aggregate_has_nobody_in_it_and_enough_of_them(facts: dict[str, object], passed: bool) -> None:
    assert passes("{aggregate: 10}", exchange(records=(record(**facts),)), "record") is passed
    assert not passes("{aggregate: 10}", exchange(records=(record("email", **facts),)), "record")


def test_a_page_shows_all_marks_that_are_asked_for() -> None:
    duty = "id: r, for: page, expect: {shows: [link, note]}, otherwise: alert"
    assert told(duty, exchange(page=Page(shows=frozenset({"link", "note"})))) == []
    assert told(duty, exchange(page=Page(shows=frozenset({"link"})))) == ["r alert"]
    assert told(duty, exchange(page=Page(shows=UNREADABLE))) == ["r alert"]


@pytest.mark.parametrize(("days", "kept"), [(None, True), (29, True), (30, True), (31, False)])
def test_a_cookie_lives_no_longer_than_its_row(days: int | None, kept: bool) -> None:
    lifetime = None if days is None else timedelta(days=days)
    x = exchange(cookies=(outgoing("sid", lifetime=lifetime), incoming("sid")))
    found = told("id: r, for: cookie, expect: {keep: of-purpose}, otherwise: amend", x)
    assert found == ([] if kept else ["r amend 0"])


def test_the_shortest_period_counts() -> None:
    x = exchange(cookies=(outgoing("sx", lifetime=timedelta(days=20)),))
    assert told("id: r, for: cookie, expect: {keep: of-purpose}, otherwise: amend", x) == ["r amend 0"]


@pytest.mark.parametrize(
    ("since", "kept"),
    [
        (NOW - timedelta(days=30), True),
        (NOW - timedelta(days=31), False),
        (ABSENT, False),
        (None, False),
        (UNREADABLE, False),
    ],
)
def test_a_record_is_no_older_than_its_row(since: object, kept: bool) -> None:
    x = exchange(purpose="shop", records=(record(since=since),))
    assert told("id: r, for: record, expect: {keep: of-purpose}, otherwise: withhold", x) == (
        [] if kept else ["r withhold 0"]
    )
    assert (
        told("id: r, for: record, expect: {keep: of-purpose}, otherwise: withhold", exchange(records=x.records)) == []
    )


def test_kept_until_a_state_holds() -> None:
    open_ = exchange(purpose="support", records=(record(subject=person()), record(subject=person(states=["closed"]))))
    assert told("id: r, for: record, expect: {keep: of-purpose}, otherwise: withhold", open_) == ["r withhold 1"]


OPEN = "id: r, for: exchange, expect: {status: open}, otherwise: alert"


@pytest.mark.parametrize(("status", "location", "open_"), [
    (200, None, True), (500, None, True), (401, None, False), (403, None, False), (404, None, False),
    (451, None, False),
    (302, "/login?next=1", False), (302, "https://shop.example/login", False), (302, "/else", True),
])  # fmt: skip
def test_open_means_not_turned_away(status: int, location: str | None, open_: bool) -> None:
    headers = {"location": (location,)} if location else {}
    x = exchange(status=status, headers=headers, route=route(audience=("public",)))
    found = asked(OPEN, x, Binding(walls=("/login",))).findings
    assert (found == ()) is open_


def test_open_is_asked_of_public_protected_and_unbound_routes_only() -> None:
    assert told(OPEN, exchange(status=403, route=route(audience=("account",)))) == []
    assert told(OPEN, exchange(status=403)) == ["r alert"]
    assert told(OPEN, exchange(status=403, route=route(tags=("unsubscribe",)))) == ["r alert"]


@pytest.mark.parametrize(
    ("name", "wanted", "sent_", "met"),
    [
        ("Content-Type", "[application/json, text/csv]", "application/JSON; charset=utf-8", True),
        ("Content-Type", "application/json", "text/html", False),
        ("Cache-Control", "no-store", "private, no-store", True),
        ("Cache-Control", "no-store", "private", False),
        ("Strict-Transport-Security", "max-age=100", "max-age=200; preload", True),
        ("Strict-Transport-Security", "max-age=100", "max-age=99", False),
        ("Content-Security-Policy", "\"frame-ancestors 'self'\"", "default-src *; frame-ancestors 'self'", True),
        ("Content-Security-Policy", "\"frame-ancestors 'self'\"", "frame-ancestors 'self' x.example", False),
        ("Permissions-Policy", "geolocation=()", "camera=(), geolocation=()", True),
        ("Policy-Next", "of-version", "2", True),
        ("X-Kept", "None", "none", True),
    ],
)
def test_a_header_has_the_value_whatever_stands_beside_it(name: str, wanted: str, sent_: str, met: bool) -> None:
    duty = f"id: r, for: exchange, expect: {{header: {{{name}: {wanted}}}}}, otherwise: alert"
    x = exchange(headers={name.lower(): (sent_,)}, coming="2")
    assert told(duty, x) == ([] if met else ["r alert"])
    assert told(duty, exchange(coming="2")) == ["r alert"]


@pytest.mark.parametrize(
    ("wanted", "sent_", "met"),
    [
        ("none", (), True),
        ("none", ("DPR",), False),
        ("none", ("none",), False),
        ("[DPR, none]", (), True),
        ("[DPR, none]", ("dpr",), True),
        ("[none, DPR]", ("Width", "DPR"), True),
        ("[none, DPR]", ("Width",), False),
    ],
)
def test_a_header_that_is_not_to_be_sent(wanted: str, sent_: tuple[str, ...], met: bool) -> None:
    duty = f"id: r, for: exchange, expect: {{header: {{Accept-CH: {wanted}}}}}, otherwise: alert"
    x = exchange(headers={"accept-ch": sent_} if sent_ else {})
    assert told(duty, x) == ([] if met else ["r alert"])


def test_attributes_that_are_not_there_have_a_meaning() -> None:
    duty = "id: r, for: cookie, expect: {attribute: {%s}}, otherwise: alert"
    bare = exchange(cookies=(outgoing("sid"),))
    assert told(duty % "domain: own, lifetime: session, secure: false", bare) == []
    assert told(duty % "secure: true", bare) == ["r alert 0"]
    assert told(duty % "same-site: lax", bare) == ["r alert 0"]
    assert told(duty % "secure: true", exchange(cookies=(incoming("sid"),))) == []


def test_an_event_is_followed_in_time_or_still_may_be() -> None:
    duty = "id: r, for: event, expect: {followed-by: {event: done, within: P30D}}, otherwise: alert"

    def at(days: int, done: int | None = None) -> Exchange:
        later = () if done is None else (("done", NOW - timedelta(days=done)),)
        return exchange(events=(Event(name="asked-for", at=NOW - timedelta(days=days), later=later),))

    assert told(duty, at(10)) == []
    assert told(duty, at(30)) == ["r alert 0"]
    assert told(duty, at(40, done=20)) == []
    assert told(duty, at(40, done=5)) == ["r alert 0"]


def test_no_more_events_than_so_many_in_a_period() -> None:
    duty = "id: r, for: event, expect: {at-most: {count: 2, per: client, within: PT1M}}, otherwise: alert"

    def seen(*seconds: int) -> Exchange:
        recent = {"client": tuple(NOW - timedelta(seconds=one) for one in seconds)}
        return exchange(events=(Event(name="denied", recent=recent),))

    assert told(duty, seen(0, 1)) == []
    assert told(duty, seen(0, 1, 2)) == ["r alert 0"]
    assert told(duty, seen(0, 1, 60)) == []
    assert told(duty, exchange(events=(Event(name="denied"),))) == []


# --- 6. exchange and record ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        "{state: restricted}",
        "{consent: program}",
        "{refused: letters}",
        "{aggregate: 5}",
        "{actor: subject}",
        "{under: 13}",
    ],
)
def test_on_a_route_of_records_facts_about_people_are_open(condition: str) -> None:
    x = exchange(route=LIST, actor=actor())
    assert told(f"id: r, for: exchange, match: {condition}, otherwise: deny", x) == []
    assert told(f"id: r, for: exchange, only-if: {condition}, otherwise: deny", x) == []


def test_what_no_record_could_pass_is_denied() -> None:
    rule = "id: r, for: exchange, only-if: {party: friend, consent: {program: of-party}}, otherwise: deny"
    assert told(rule, exchange(route=LIST, party="stats")) == ["r deny"]
    assert told(rule, exchange(route=LIST, party="friend")) == []


def test_a_consent_of_the_device_is_not_open() -> None:
    assert told("id: r, for: exchange, only-if: {consent: analytics}, otherwise: deny", exchange(route=LIST)) == [
        "r deny"
    ]


def test_with_an_addressed_subject_only_its_records_are_open() -> None:
    x = exchange(route=LIST, subject=person(states=["restricted"]))
    assert acts("{state: restricted}", x)
    assert told("id: r, for: exchange, only-if: {aggregate: 5}, otherwise: deny", x) == []


def test_nobody_is_the_subject_of_no_record() -> None:
    assert not passes("{actor: subject}", exchange(route=LIST, actor=None))


# --- 7. consent ------------------------------------------------------------------------------------------------------


def device(**by_name: object) -> Exchange:
    return exchange(device=choices(**by_name))  # type: ignore[arg-type]  # choices


def test_nobody_was_asked_is_neither_consent_nor_refusal() -> None:
    assert not passes("{consent: analytics}", exchange())
    assert not passes("{refused: analytics}", exchange())
    assert passes("{not: {consent: analytics}}", exchange())


@pytest.mark.parametrize("state", [DECLINED, WITHDRAWN])
def test_what_was_declined_or_withdrawn_is_refused(state: object) -> None:
    x = device(analytics=choice(state, days=4000))  # type: ignore[arg-type]  # a state
    assert passes("{refused: analytics}", x)
    assert not passes("{consent: analytics}", x)


def test_a_grant_runs_out_and_a_refusal_does_not() -> None:
    assert passes("{consent: analytics}", device(analytics=choice(days=100)))
    assert not passes("{consent: analytics}", device(analytics=choice(days=190)))


def test_a_grant_of_an_older_version_does_not_hold_for_what_came_later() -> None:
    assert not passes("{consent: ads}", device(ads=choice(version="1")))
    assert passes("{consent: ads}", device(ads=choice(version="2")))
    assert not passes("{consent: ads}", device(ads=choice(version="unheard-of")))


def test_a_signal_refuses_always_or_until_a_choice() -> None:
    gpc = frozenset({"gpc"})
    granted = device(analytics=choice(), ads=choice(version="2"))
    granted.signals = gpc
    assert passes("{consent: analytics}", granted)
    assert not passes("{consent: ads}", granted)
    assert passes("{refused: analytics}", exchange(signals=gpc))
    assert not passes("{refused: analytics}", exchange(signals=frozenset({"dnt"})))


def test_a_consent_of_each_purpose_that_rests_on_consent() -> None:
    both = {"cookies": (outgoing("_both"),)}
    half = exchange(device=choices(analytics=choice()), **both)
    whole = exchange(device=choices(analytics=choice(), ads=choice(version="2")), **both)
    assert not passes("{consent: of-purpose}", half, "cookie")
    assert passes("{consent: of-purpose}", whole, "cookie")
    assert not acts("{not: {consent: of-purpose}}", exchange(cookies=(outgoing("sid"),)), "cookie")


def test_refused_of_purpose_is_one_of_them() -> None:
    x = exchange(device=choices(ads=choice(DECLINED)), cookies=(outgoing("_both"),))
    assert acts("{refused: of-purpose}", x, "cookie")


def test_a_parameter_is_met_by_its_value_or_by_a_grant_for_all() -> None:
    for given, passed in (({"party": "friend"}, True), ({"party": "stats"}, False), ({}, True)):
        x = exchange(party="friend", subject=person(program=choice(**given)))  # type: ignore[arg-type]  # parameters
        assert passes("{consent: {program: of-party}}", x) is passed
        assert passes("{consent: program}", x) is (not given)
        assert passes("{consent: {program: any}}", x)


def test_a_refusal_for_any_counts_where_no_parameter_is_asked() -> None:
    x = exchange(party="friend", subject=person(program=choice(DECLINED, party="stats")))
    assert passes("{refused: program}", x)
    assert not passes("{refused: {program: of-party}}", x)


def test_every_known_list_is_a_grant_for_all() -> None:
    news, offers = choice(list="news"), choice(list="offers")
    ann = person()
    for given, passed in (((news,), False), ((news, offers), True)):
        x = exchange(subject=type(ann)(id="ann", choices=choices(letters=given)))
        assert passes("{consent: letters}", x) is passed


def test_a_party_nobody_declared_has_no_consent_and_the_own_site_needs_none() -> None:
    for party, absent in (("undeclared", False), ("own", True)):
        x = exchange(party=party, subject=person(program=choice()))
        assert not passes("{consent: {program: of-party}}", x)
        assert acts("{not: {consent: {program: of-party}}}", x) is not absent


def test_one_class_of_the_actor_is_enough_and_each_category_is_wanted() -> None:
    rule = "id: r, for: field, only-if: {consent: {publication: {data: of-data, actor: of-actor}}}"
    bob = person("bob", publication=choice(form="written", data="email", actor="staff"))
    x = exchange(subject=bob, actor=actor("eve", "staff"), fields=(shown("email"), shown("name")))
    assert told(rule, x) == ["r withhold 1"]
    x.actor = actor("eve")
    assert told(rule, x) == ["r withhold 0", "r withhold 1"]


def test_the_form_is_asked_for() -> None:
    for form, passed in (("written", True), ("click", False), (None, False)):
        x = exchange(subject=person(publication=choice(form=form)))
        assert passes("{consent: publication}", x) is passed
    clicked = exchange(subject=person(program=choice(form="click")))
    assert not passes("{consent: {program: any, form: written}}", clicked)


def test_either_holder_grants_and_either_refuses() -> None:
    yes, no = choice(country="SE"), choice(DECLINED, country="SE")
    for held, given, passed in (
        (yes, None, True),
        (None, yes, True),
        (yes, no, False),
        (no, yes, False),
        (None, None, False),
    ):
        x = exchange(party="friend")
        x.device = choices(transfer=held) if held else x.device
        x.subject = person(transfer=given) if given else person()
        assert passes("{consent: {transfer: of-country}}", x) is passed


def test_an_unknown_person_leaves_the_answer_to_the_device() -> None:
    x = exchange(party="friend", device=choices(transfer=choice(country="SE")))
    assert passes("{consent: {transfer: of-country}}", x)
    assert not passes("{consent: program}", x)
    assert not acts("{not: {consent: program}}", x)


def test_any_consent_asks_known_holders_only() -> None:
    assert acts("{not: {consent: any}}", exchange())
    assert acts("{not: {consent: any}}", exchange(route=LIST))
    assert not acts("{not: {consent: any}}", exchange(subject=person(program=choice(party="stats"))))


def test_a_consent_that_this_exchange_records_counts_in_it() -> None:
    recorded = (("device", choices(analytics=choice(days=0))),)
    old = choices(analytics=choice(DECLINED))
    assert passes("{consent: analytics}", exchange(device=old, recorded=recorded))


def test_a_recorded_consent_is_of_one_person_only() -> None:
    recorded = (("person", choices(program=choice(days=0))),)
    x = exchange(
        actor=actor("ann"), recorded=recorded, records=(record(subject=person("ann")), record(subject=person("bob")))
    )
    assert told("id: r, for: record, only-if: {consent: program}", x) == ["r withhold 1"]
    assert passes("{consent: program}", exchange(recorded=recorded))


def test_an_event_is_about_its_own_consent() -> None:
    x = exchange(events=(Event(name="consent-recorded", consent="program", params=(("party", "stats"),)),))
    assert acts("{event: consent-recorded, consent: program}", x, "event")
    assert not acts("{event: consent-recorded, consent: analytics}", x, "event")
    assert not acts("{event: consent-recorded, consent: {program: friend}}", x, "event")


# --- 8. and 9. state and actor ---------------------------------------------------------------------------------------


def test_a_state_with_its_parameter() -> None:
    bob = person("bob", states=[("objected", (("purpose", "shop"),))])
    assert acts("{state: {objected: of-purpose}}", exchange(subject=bob, purpose="shop"))
    assert not acts("{state: {objected: of-purpose}}", exchange(subject=bob, purpose="legal"))
    assert acts("{state: objected}", exchange(subject=bob))
    assert acts("{state: {objected: of-basis}}", exchange(subject=person(states=["objected"]), purpose="shop"))


@pytest.mark.parametrize(("unknown", "read"), [(None, True), (ABSENT, True), (UNREADABLE, False)])
def test_the_state_of_nobody_known_is_absent(unknown: Missing | None, read: bool) -> None:
    x = exchange(subject=unknown, actor=unknown)
    assert acts("{state: restricted}", x) is not read
    assert acts("{not: {state: restricted}}", x) is not read


def test_classes_of_who_asks() -> None:
    staff = exchange(actor=actor("eve", "staff"), subject=person("ann"))
    for name, fits in (("staff", True), ("account", True), ("subject", False), ("nobody", False), ("public", True)):
        assert passes(f"{{actor: {name}}}", staff) is fits
    assert passes("{actor: nobody}", exchange(actor=None))
    assert passes("{actor: shared}", exchange(actor=actor(shared=True)))
    assert passes("{actor: subject}", exchange(actor=actor("ann"), subject=person("ann")))
    assert passes("{actor: subject}", exchange(actor=actor("ann")))


def test_the_audience_of_a_route() -> None:
    x = exchange(route=route(audience=("staff",)), actor=actor("ann"))
    assert not passes("{actor: of-route}", x)
    x.actor = actor("eve", "staff")
    assert passes("{actor: of-route}", x)
    assert not passes("{actor: of-route}", exchange(actor=actor("ann")))


def test_nobody_tells_who_asks_is_absent() -> None:
    x = exchange(actor=ABSENT)
    assert not passes("{actor: account}", x)
    assert not acts("{not: {actor: account}}", x)


# --- 10. protected, denial, order ------------------------------------------------------------------------------------

EVERYTHING = """
id: e, for: exchange, match: {https: true}, otherwise: deny
id: f, for: field, match: {data: personal-data}, otherwise: deny
id: r, for: record, match: {purpose: none}, otherwise: withhold
id: c, for: cookie, match: {carrier: cookie}, otherwise: deny
"""


def protected(**facts: object) -> Exchange:
    things = {"fields": (sent("email"), shown("email")), "records": (record("email", whole_body=True),)}
    return exchange(**{"route": route(tags=("unsubscribe",)), **things, **facts})


def test_a_protected_exchange_is_never_denied() -> None:
    found = asked(EVERYTHING, protected(cookies=(outgoing("x"),)))
    assert found.denial is None
    assert [(one.rule, one.item, one.action) for one in found.findings] == [
        ("c", 0, Action.WITHHOLD),
        ("e", None, Action.PROTECTED),
        ("f", 0, Action.WITHHOLD),
        ("f", 1, Action.PROTECTED),
        ("r", 0, Action.PROTECTED),
    ]


def test_own_routes_and_own_copies_are_protected() -> None:
    deny = "id: e, for: exchange, match: {https: true}, otherwise: deny"
    assert told(deny, exchange(own_route="withdraw")) == ["e protected"]
    copy = route(tags=("export",))
    assert told(deny, exchange(route=copy, actor=actor("ann"), subject=person("ann"))) == ["e protected"]
    assert told(deny, exchange(route=copy, actor=actor("eve"), subject=person("ann"))) == ["e deny"]
    assert told(deny, exchange(route=copy, actor=None)) == ["e deny"]


def test_asking_who_someone_is_and_redirecting_to_https_are_no_refusal() -> None:
    export = route(tags=("unsubscribe",))
    who = asked("id: e, for: exchange, match: {https: true}, otherwise: {deny: 401}", exchange(route=export))
    assert who.denial is not None
    assert who.denial.status == 401
    plain = asked("id: e, for: exchange, only-if: {https: true}, otherwise: deny", exchange(route=export, https=False))
    assert plain.denial is not None
    assert (plain.denial.status, plain.denial.redirect) == (308, True)


def test_a_trail_of_a_protected_route_still_leaves_children_out() -> None:
    x = exchange(route=route(tags=("unsubscribe",)), fields=(shown("ip", Carrier.TRAIL),))
    assert told("id: r, for: field, match: {carrier: trail}", x) == ["r withhold 0"]


@pytest.mark.parametrize(("method", "status"), [("GET", 308), ("HEAD", 308), ("POST", 403)])
def test_only_what_is_safe_to_repeat_is_redirected(method: str, status: int) -> None:
    found = asked("id: e, for: exchange, only-if: {https: true}, otherwise: deny", exchange(https=False, method=method))
    assert found.denial is not None
    assert (found.denial.status, found.denial.redirect) == (status, status == 308)


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        ("id: r, for: exchange, match: {https: true}", True),
        ("id: r, for: exchange, match: {https: true}, otherwise: alert", False),
        ("id: r, for: field, match: {data: email}", False),
        ("id: r, for: field, match: {data: email}, otherwise: deny", True),
        ("id: r, for: record, match: {data: email}", True),
        ("id: r, for: cookie, match: {carrier: cookie}, otherwise: withhold", False),
        ("id: r, for: event, match: {event: done}, otherwise: withhold", False),
    ],
)
def test_what_denies_a_whole_exchange(rule: str, denied: bool) -> None:
    x = exchange(
        fields=(shown("email"),), records=(record("email", whole_body=True),), cookies=(outgoing("x"),),
        events=(Event(name="done"),),
    )  # fmt: skip
    found = asked(rule, x)
    assert found.findings
    assert (found.denial is not None) is denied


def test_a_record_among_others_is_taken_out() -> None:
    assert asked("id: r, for: record, match: {data: email}", exchange(records=(record("email"),))).denial is None


def test_the_first_rule_of_the_policy_names_the_status() -> None:
    rules = """
    id: z, for: exchange, match: {https: true}, otherwise: {deny: 405}
    id: a, for: exchange, match: {https: true}, otherwise: {deny: 401}
    """
    found = asked(rules, exchange()).denial
    assert found is not None
    assert found.status == 405
    assert [one.rule for one in found.findings] == ["a", "z"]


def test_a_route_reads_a_purpose_from_the_request() -> None:
    x = exchange(route=route(purpose=Source(place="header", name="x-purpose")), purpose="undeclared")
    assert told("id: r, for: exchange, only-if: {purpose: declared}, otherwise: deny", x) == ["r deny"]

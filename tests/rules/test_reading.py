"""What stands in the files is what stands in the model."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from troth.diagnostics import InvalidFiles
from troth.model import rules as model
from troth.model.binding import Binding, Credential, Source
from troth.model.policy import Policy, Signal, SignalRule
from troth.model.rules import Condition, Effect, Rule
from troth.model.words import Action, Mode, Thing, Word
from troth.rules import check_together, load_binding, load_inline, load_policy, load_texts
from troth.rules.coverage import State, coverage

SAMPLE = (Path(__file__).parent / "sample.yaml").read_text(encoding="utf-8")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def policy() -> Policy:
    loaded = load_inline(SAMPLE).policy
    assert loaded is not None
    return loaded


@pytest.fixture(scope="module")
def binding() -> Binding:
    loaded = load_inline(SAMPLE).binding
    assert loaded is not None
    return loaded


def read(rule: str, vocabulary: str = "") -> Rule:
    """Return the rule of a few lines; `vocabulary` is flow YAML inside `policy`."""
    text = f"policy: {{{vocabulary}}}\nrules:\n- {{id: a, clause: T-1, {rule}}}\n"
    loaded = load_inline(text)
    assert loaded.policy is not None, [one.short() for one in loaded.diagnostics]
    return loaded.policy.rules[0]


def condition(text: str, thing: str, vocabulary: str = "") -> Condition | None:
    return read(f"for: {thing}, match: {text}", vocabulary).match


def test_norway_is_a_country_and_no_boolean(policy: Policy) -> None:
    assert policy.parties["stats"].country == "NO"
    assert policy.areas["EEA"] == ("SE", "NO")


def test_rows_keep_their_clauses_lists_and_periods(policy: Policy) -> None:
    orders = policy.purposes["orders"]
    assert orders.clauses == ("T-1", "T-2")
    assert orders.keep is not None
    assert orders.keep.period is not None
    assert (orders.keep.stated, orders.keep.period.months) == ("as needed", 36)
    assert policy.cookies[1].pattern == "_st*"
    assert policy.cookies[1].domains == ("shop.example",)
    assert policy.versions[1].effective == date(2026, 6, 1)


def test_a_purpose_of_another_inherits_and_adds(policy: Policy) -> None:
    returns = policy.purposes["returns"]
    assert returns.data == ("email", "health")
    assert returns.basis == "contract"
    assert returns.clauses == ()


def test_what_an_umbrella_lists_is_declared(policy: Policy) -> None:
    assert policy.data["special"].members == ("health", "religion")
    assert "religion" in policy.data


def test_a_row_may_say_which_umbrella_it_is_under() -> None:
    loaded = load_inline("policy:\n  data: {all: {}, part: {umbrella: all}}\n").policy
    assert loaded is not None
    assert loaded.data["all"].members == ("part",)


def test_a_signal_that_is_not_mentioned_keeps_its_default() -> None:
    loaded = load_inline("policy: {consents: {ads: {signals: {gpc: never}}, more: }}\n").policy
    assert loaded is not None
    assert loaded.consents["ads"].signals == {Signal.GPC: SignalRule.NEVER, Signal.DNT: SignalRule.ALWAYS}
    assert loaded.consents["more"].holders == ("device",)


def test_a_purpose_that_rests_on_consent_brings_a_consent_of_its_own_name() -> None:
    loaded = load_inline("policy: {purposes: {ads: {basis: consent}}}\n").policy
    assert loaded is not None
    assert loaded.consents["ads"].holders == ("device",)


def test_hosts_of_a_party_may_have_purposes_of_their_own(policy: Policy) -> None:
    assert [(row.host, row.purposes) for row in policy.parties["stats"].hosts] == [
        ("stats.example", ()),
        ("ads.example", ("analytics",)),
    ]


def test_keeping_may_end_with_a_state() -> None:
    text = "policy: {states: {closed: {}}, purposes: {a: {basis: law, keep: {set: {until: closed}}}}}\n"
    loaded = load_inline(text).policy
    assert loaded is not None
    keep = loaded.purposes["a"].keep
    assert keep is not None
    assert keep.until == "closed"


def test_a_flat_map_means_all_and_a_list_one_of() -> None:
    assert condition("{basis: consent, party: any}", "cookie") == model.All(
        (model.Names(word=Word.BASIS, names=("consent",)), model.Names(word=Word.PARTY, names=("any",)))
    )
    assert condition("{basis: [law, contract]}", "cookie") == model.Names(word=Word.BASIS, names=("law", "contract"))


def test_a_carrier_beside_data_limits_it_and_alone_is_a_fact() -> None:
    data = "data: {email: {}}"
    assert condition("{data: email, carrier: query}", "field", data) == model.Names(
        word=Word.DATA, names=("email",), carriers=("query",)
    )
    assert condition("{carrier: trail}", "field") == model.Names(word=Word.CARRIER, names=("trail",))


@pytest.mark.parametrize(
    ("text", "name", "params", "form"),
    [
        ("of-purpose", "of-purpose", (), None),
        ("any", "any", (), None),
        ("program", "program", (), None),
        ("{program: of-party}", "program", (("party", "of-party"),), None),
        ("{program: p1, form: written}", "program", (("party", "p1"),), "written"),
        ("{public: of-data}", "public", (("data", "of-data"),), None),
        ("{public: any}", "public", (("actor", "any"), ("data", "any")), None),
        ("{public: {data: of-data, actor: staff}}", "public", (("actor", "staff"), ("data", "of-data")), None),
    ],
)
def test_consents_are_named_with_their_parameters(
    text: str, name: str, params: tuple[tuple[str, str], ...], form: str | None
) -> None:
    vocabulary = "consents: {program: {per: party}, public: {per: [data, actor]}}"
    expected = model.ConsentIs(word=Word.CONSENT, name=name, params=params, form=form)
    assert condition(f"{{consent: {text}}}", "field", vocabulary) == expected


def test_a_list_of_consents_is_an_alternative_and_a_map_asks_for_all() -> None:
    vocabulary = "consents: {a: {per: party}, b: {per: party}}"
    assert isinstance(condition("{consent: [a, b]}", "cookie", vocabulary), model.AnyOf)
    assert isinstance(condition("{consent: {a: of-party, b: of-party}}", "cookie", vocabulary), model.All)


def test_a_state_is_asked_for_with_the_parameter_it_refers_to() -> None:
    vocabulary = "states: {objected: {per: [purpose, basis]}}"
    assert condition("{state: {objected: of-basis}}", "record", vocabulary) == model.StateIs(
        name="objected", params=(("basis", "of-basis"),)
    )


def test_effects_default_by_kind_and_a_page_alerts() -> None:
    prohibits = read("for: [cookie, page], match: {under: 13}")
    assert prohibits.defaulted
    assert prohibits.effects_for(Thing.COOKIE) == (Effect(action=Action.WITHHOLD),)
    assert prohibits.effects_for(Thing.PAGE) == (Effect(action=Action.ALERT),)
    assert read("for: exchange, expect: {status: open}").effects == (Effect(action=Action.ALERT),)
    both = read("for: exchange, match: {https: false}, otherwise: [{deny: 401}, alert]")
    assert both.effects == (Effect(action=Action.DENY, status=401), Effect(action=Action.ALERT))
    assert not both.defaulted


def test_mode_off_is_a_mode_and_no_boolean() -> None:
    assert read("for: cookie, match: {party: any}, mode: off").mode is Mode.OFF


def test_an_exception_opens_the_rules_it_names_as_well(policy: Policy) -> None:
    by_id = {rule.id: rule for rule in policy.rules}
    assert [opening.law for opening in by_id["wait"].openings] == ["duty to tell"]
    assert len(by_id["share-with-nobody"].openings) == 2


def test_duties_are_read(policy: Policy) -> None:
    by_id = {rule.id: rule for rule in policy.rules}
    assert isinstance(by_id["deadlines"].expect, model.FollowedBy)
    guarded = by_id["guarded"].expect
    assert isinstance(guarded, model.All)
    attributes = guarded.parts[0]
    assert isinstance(attributes, model.All)
    assert attributes.parts[1] == model.Attribute(name="secure", value="true")
    assert by_id["written"].unreadable_passes


def test_a_binding_is_read(binding: Binding) -> None:
    routes = {route.key: route for route in binding.routes}
    orders = routes["GET /orders/{id}"]
    assert (orders.subject, orders.record_subject) == (Source(place="path", name="id"), "$.id")
    assert orders.records == "$[*]"
    assert routes["POST /leave"].subject == Source(hook="app:resolve")
    assert routes["POST /bio"].writes[0].params == (("actor", "public"), ("data", "bio"))
    assert binding.actor.before == "app:before"
    assert binding.credentials == (Credential(source=Source(place="header", name="x-api-key")),)
    assert (binding.serving, binding.limits.hold_response) == ("SE", 2 * 1024 * 1024)
    limits = routes["POST /orders"].limits
    assert limits is not None
    assert limits.hold_request == 1024 * 1024


def test_a_preset_maps_cookies_only_to_rows_that_are_declared() -> None:
    text = (
        "policy: {purposes: {s: {basis: contract}}, cookies: {session: {purpose: s}}}\nbinding: {presets: [django]}\n"
    )
    loaded = load_inline(text).binding
    assert loaded is not None
    assert loaded.cookies == {"sessionid": "session"}


def test_a_binding_may_be_a_python_mapping(policy: Policy) -> None:
    good = load_binding({"routes": {"GET /x": {"purpose": "orders"}}}, policy)
    assert good.require().routes[0].purpose == "orders"
    bad = load_binding({"routes": {"GET /x": {"purpos": "orders"}}}, policy)
    assert [(one.code, one.span.file) for one in bad.diagnostics] == [("TR101", "<binding>")]
    with pytest.raises(InvalidFiles) as raised:
        bad.require()
    assert raised.value.diagnostics == bad.diagnostics


def test_no_binding_is_the_empty_one(policy: Policy) -> None:
    assert load_binding(None, policy).require() == Binding()


def test_a_broken_vocabulary_brings_no_findings_about_its_names() -> None:
    loaded = load_texts({"policy.yaml": "purposes: [\n", "rules.yaml": "rules:\n- {id: a, clause: T-1, for: cookie, "
                         "match: {purpose: orders}}\n"})  # fmt: skip
    assert [one.code for one in loaded.diagnostics] == ["TR005"]
    assert loaded.policy is None


def test_a_section_of_the_wrong_kind_is_said_once() -> None:
    text = "policy: {consents: 7}\nrules:\n- {id: a, clause: T-1, for: cookie, only-if: {consent: ads}}\n"
    assert [one.code for one in load_inline(text).diagnostics] == ["TR103"]


def test_sections_of_another_part_are_handed_back(policy: Policy) -> None:
    loaded = load_inline("policy: {}\ncases: [{id: one}]\n")
    assert set(loaded.rest) == {"cases"}


def test_a_fingerprint_changes_with_any_file() -> None:
    texts = {"policy.yaml": "identity: {id: a}\n", "policy.md": "### T-1\n\nText.\n"}
    first = load_texts(texts).require().fingerprint
    assert len(first) == 64
    assert load_texts(texts).require().fingerprint == first
    assert load_texts({**texts, "policy.md": "### T-1\n\nText!\n"}).require().fingerprint != first
    assert load_texts({**texts, "rules.yaml": "rules: []\n"}).require().fingerprint != first


@pytest.mark.parametrize(
    ("text", "ids", "last"),
    [
        ("# T\n\nIntro.\n\n## Who\n\n### T-1\n\nOne\nline.\n\nMore.\n\n### T-B\n\nTwo.\n", ["T-1", "T-B"], "Two."),
        ("# T\n\n## Who {#who}\n\nOne.\n\nTwo.\n\n- A thing {#thing}\n- other\n", ["who", "thing"], "A thing"),
        ('<a id="first"></a>One.\n\nTwo.\n', ["first"], "One."),
        ("Start.\n\n## Your choices\n\nOne.\n\n- two\n- three\n", ["text-1", "your-choices-1", "your-choices-2",
                                                                   "your-choices-3"], "three"),
        ("## A\n\n```\n# no heading\n```\n", ["a-1"], "``` # no heading ```"),
    ],
)  # fmt: skip
def test_a_text_is_taken_apart_by_ids_by_anchors_or_by_counting(text: str, ids: list[str], last: str) -> None:
    loaded = load_texts({"policy.yaml": "identity: {id: a}\n", "policy.md": text}).require()
    assert [clause.id for clause in loaded.clauses] == ids
    assert loaded.clauses[-1].text == last


def test_a_restated_clause_is_all_that_stands_under_its_id() -> None:
    text = "## Who\n\n### T-1\n\nOne\nline.\n\nMore.\n\n## Else\n\nNot part of it.\n"
    clause = load_texts({"policy.yaml": "identity: {id: a}\n", "policy.md": text}).require().clauses[0]
    assert (clause.heading, clause.text) == ("Who", "One line. More.")


COVERED = """\
policy:
  purposes: {orders: {clause: T-6, basis: contract, data: []}, idle: {clause: T-9, basis: law}}
  cookies: {session: {clause: T-7, purpose: orders}}
rules:
  rules:
  - {id: guards, clause: T-1, for: exchange, only-if: {https: true}}
  - {id: watches, clause: [T-1, T-2], for: exchange, expect: {status: open}, reading: {against: T-8, why: it is}}
  - {id: dry, clause: T-3, for: cookie, match: {party: any}, mode: dry-run}
  - {id: sleeps, clause: T-4, for: cookie, match: {party: own}, mode: off}
  - {id: rows, clause: T-1, for: cookie, only-if: {purpose: orders}}
  none: {T-5: it explains}
  remainder: {T-2: person}
attestations:
  past: {clause: T-10, what: a, role: dpo, expires: 2026-01-01}
  valid: {clause: T-11, what: a, role: dpo, dated: 2026-01-01, expires: 2027-01-01}
"""


def states(results: dict[str, tuple[int, int]] | None = None) -> dict[str, State]:
    loaded = load_inline(COVERED).policy
    assert loaded is not None
    return {one.id: one.state for one in coverage(loaded, today=date(2026, 6, 1), results=results).clauses}


def test_coverage_is_what_stands_behind_a_clause() -> None:
    assert states() == {
        "T-1": State.ENFORCED, "T-2": State.OBSERVED, "T-8": State.OBSERVED, "T-3": State.OBSERVED,
        "T-4": State.OPEN, "T-5": State.NONE, "T-6": State.ENFORCED, "T-7": State.ENFORCED, "T-11": State.ATTESTED,
    }  # fmt: skip


def test_with_cases_a_rule_counts_only_if_it_fires_and_rests() -> None:
    found = states({"guards": (3, 0), "watches": (1, 1), "rows": (1, 4)})
    assert (found["T-1"], found["T-2"], found["T-3"]) == (State.ENFORCED, State.OBSERVED, State.OPEN)
    assert states({"guards": (3, 0), "watches": (1, 1)})["T-1"] is State.OBSERVED


def test_what_waits_for_markup_is_an_element_or_a_mark_to_be_put_on_a_page() -> None:
    text = """\
policy:
  marks: {notice: {text: privacy}}
rules:
- {id: gate, clause: M-1, for: [cookie, element], match: {party: any}}
- {id: read, clause: M-2, for: page, expect: {shows: notice}}
- {id: head, clause: M-3, for: page, expect: {header: {X-Frame-Options: deny}}, otherwise: amend}
- {id: put, clause: M-4, for: page, expect: {shows: notice}, otherwise: amend}
"""
    loaded = load_inline(text).policy
    assert loaded is not None
    found = {one.id: one.remainder for one in coverage(loaded, today=date(2026, 6, 1)).clauses}
    assert found == {"M-1": "markup", "M-2": None, "M-3": None, "M-4": "markup"}


def test_the_policy_and_the_binding_of_the_shop_go_together() -> None:
    loaded = load_policy(ROOT / "policies" / "toontrack")
    assert [one.short() for one in loaded.diagnostics if one.is_error] == []
    bound = load_binding(ROOT / "example_app" / "binding.yaml", loaded.require())
    assert [one.short() for one in bound.diagnostics] == []
    found = check_together(loaded, bound.require())
    assert [one.short() for one in found if one.is_error] == []


@pytest.mark.parametrize("day", ["of-version", "2026-11-22"])
def test_a_mark_has_a_day_or_that_of_the_version(day: str) -> None:
    loaded = load_inline(f"policy: {{identity: {{id: x}}, marks: {{m: {{date: {day}}}}}}}")
    assert loaded.policy is not None
    assert loaded.policy.marks["m"].signs == (("date", day),)


@pytest.mark.parametrize("day", ["of-party", "22.11.2026", "2026-13-01", "soon", "20261122"])
def test_a_day_of_a_mark_that_is_none_is_refused(day: str) -> None:
    loaded = load_inline(f"policy: {{identity: {{id: x}}, marks: {{m: {{date: '{day}', near: since}}}}}}")
    assert [one.code for one in loaded.diagnostics if one.is_error] == ["TR108"]


def test_a_header_that_goes_contradicts_one_that_is_added() -> None:
    rule = "- {{id: {}, clause: T-1, for: exchange, expect: {{header: {{Accept-CH: {}}}}}, otherwise: amend}}\n"
    for first, second, found in (("none", "DPR", ["TR307"]), ("none", "none", []), ("[DPR, none]", "none", [])):
        text = "policy: {}\nrules:\n" + rule.format("a", first) + rule.format("b", second)
        assert [one.code for one in load_inline(text).diagnostics if one.is_error] == found


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("{route: shop}", "{not: {route: shop}}", []),
        ("{not: {https: true}, route: shop}", "{https: true, consent: ads}", []),
        ("{route: shop}", "{not: {route: [shop, cart]}}", ["TR307"]),
        ("{consent: ads}", "{not: {consent: ads}}", ["TR307"]),
        ("{party: own}", "{not: {party: own}}", ["TR307"]),
        ("{https: true}", "{https: true}", ["TR307"]),
    ],
)
def test_amends_clash_unless_one_match_denies_a_part_of_the_other(first: str, second: str, found: list[str]) -> None:
    rule = "- {{id: {}, clause: T-1, for: exchange, match: {}, expect: {{header: {{X-A: {}}}}}, otherwise: amend}}\n"
    text = "policy: {consents: {ads: {}}}\nrules:\n" + rule.format("a", first, "one") + rule.format("b", second, "two")
    assert [one.code for one in load_inline(text).diagnostics if one.is_error] == found

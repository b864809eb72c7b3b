"""The tool that changes rules, tried on a policy small enough to know each fate; then the policies, which it judges."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.mutation.harness import Ground, Tally, Verdict, run
from tests.mutation.mutants import Pools, mutants

ROOT = Path(__file__).resolve().parents[2]
REVIEWED = Path(__file__).parent / "survivors.yaml"
"""Policy to mutant to the reason why no case can tell it apart."""
MOST = 0.03
TEXTS = {
    "policy.yaml": """\
identity: {id: shop, hosts: [www.example.com]}
data: {email: {fields: [email]}, gender: {fields: [gender]}, score: {fields: [score]}}
purposes: {order: {basis: contract}, analytics: {basis: consent}, billing: {basis: law}}
consents: {analytics: {holder: device}}
cookies: {_ga: {purpose: analytics}, sid: {purpose: order}}
""",
    "rules.yaml": """\
rules:
- {id: wait, clause: [CK-1, CK-2], for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
- id: nobody-under-age
  clause: CHD-1
  for: exchange
  match: {route: order, under: 18}
  otherwise: deny
- id: few-data
  clause: DATA-1
  for: field
  match: {carrier: request}
  only-if: {data: [email, gender]}
  except: [{clause: DATA-2, if: {purpose: billing}}]
""",
}
CASES = """\
binding:
  actor: {before: app.session}
  state: app.states
  routes:
    POST /order: {tag: order, purpose: order}
    POST /bill: {purpose: billing}
cases:
- id: no-choice
  clause: CK-1
  request: {url: /, cookies: {_ga: '1', sid: '2'}}
  expect: {app-sees: {only-cookies: [sid]}, reasons: [{rule: wait, clause: CK-1, action: withhold}]}
- id: accepted
  clause: CK-1
  given: {consents: {device: {analytics: granted}}}
  request: {url: /, cookies: {_ga: '1'}}
  expect: {app-sees: {only-cookies: [_ga]}, no-reason: true}
- id: seventeen
  clause: CHD-1
  given: {actor: ann, states: {ann: {age: 17}}}
  request: {method: POST, url: /order, json: {email: a@example.org}}
  app: never
  expect: {status: 403, reasons: [{rule: nobody-under-age, action: deny}]}
- id: grown-up
  clause: CHD-1
  given: {actor: ann, states: {ann: {age: 40}}}
  request: {method: POST, url: /order, json: {email: a@example.org}}
  expect: {unchanged: true}
- id: too-much
  clause: DATA-1
  request: {method: POST, url: /order, json: {email: a@example.org, score: 3}}
  expect: {app-sees: {json: {with: [email], without: [score]}}, reasons: [{rule: few-data, action: withhold}]}
- id: the-bill
  clause: DATA-2
  request: {method: POST, url: /bill, json: {score: 3}}
  expect: {unchanged: true}
"""


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.of_texts(TEXTS, CASES)


@pytest.fixture(scope="module")
def verdicts(ground: Ground) -> dict[str, Verdict]:
    return {one.name: one for one in map(ground.verdict, ground.mutants())}


def test_every_case_holds_before_anything_is_changed(ground: Ground) -> None:
    assert set(ground.seen) == {case.id for file in ground.files for case in file.cases}


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("wait: deleted", "no-choice"),
        ("wait: clause.without CK-1", "no-choice"),
        ("wait: match.basis negated", "no-choice"),
        ("wait: only-if.consent negated", "no-choice"),
        ("wait: only-if dropped", "accepted"),
        ("wait: only-if.consent is refused", "accepted"),
        ("wait: otherwise alert", "no-choice"),
        ("nobody-under-age: match.route dropped", ""),
        ("nobody-under-age: match.under dropped", "grown-up"),
        ("nobody-under-age: match.under.18 is 17", "seventeen"),
        ("few-data: only-if.data.without email", "too-much"),
        ("few-data: except dropped", "the-bill"),
        ("few-data: except.DATA-2.if.purpose.billing is order", "too-much"),
    ],
)
def test_a_mutant_dies_by_the_case_that_shows_its_rule(verdicts: dict[str, Verdict], name: str, case: str) -> None:
    assert (verdicts[name].fate, verdicts[name].by) == (("killed", case) if case else ("survived", ""))


@pytest.mark.parametrize(
    "name",
    [
        "wait: clause.without CK-2",  # no case asks for the second clause
        "nobody-under-age: match.under.18 is 19",  # nobody is exactly eighteen in any case
        "nobody-under-age: match.under.18 is 36",
        "few-data: only-if.data.without gender",  # no case sends one
    ],
)
def test_what_no_case_looks_at_survives(verdicts: dict[str, Verdict], name: str) -> None:
    assert verdicts[name].fate == "survived"


@pytest.mark.parametrize(
    ("name", "code"), [("nobody-under-age: otherwise mask", "TR304"), ("few-data: otherwise amend", "TR304")]
)
def test_what_the_language_refuses_is_counted_apart(verdicts: dict[str, Verdict], name: str, code: str) -> None:
    assert (verdicts[name].fate, verdicts[name].by) == ("refused", code)


def test_each_mutant_has_a_name_of_its_own_and_differs_from_the_rules(ground: Ground) -> None:
    found = ground.mutants()
    assert len({one.name for one in found}) == len(found)
    untouched = yaml.load(TEXTS["rules.yaml"], Loader=yaml.SafeLoader)
    assert [one.name for one in found if yaml.load(one.rules, Loader=yaml.SafeLoader) == untouched] == []


@pytest.mark.parametrize(
    ("asked", "swapped"),
    [("email", False), ("[email]", False), ("personal-data", False), ("[email, gender]", True), ("of-purpose", True)],
)
def test_each_of_one_category_is_one_of_it_and_no_mutant(asked: str, swapped: bool) -> None:
    rules = f"rules:\n- {{id: a, clause: A-1, for: exchange, match: {{data: {asked}}}}}\n"
    assert ("a: match.data is complete" in [one.name for one in mutants(rules, Pools())]) == swapped


def test_no_mutant_breaks_the_engine_or_parts_it_from_the_reference(verdicts: dict[str, Verdict]) -> None:
    assert [one for one in verdicts.values() if one.fate == "broke" or one.aside] == []


def test_the_share_leaves_out_what_is_refused() -> None:
    tally = Tally([Verdict("a", "killed"), Verdict("b", "survived"), Verdict("c", "refused"), Verdict("d", "killed")])
    assert tally.share == pytest.approx(1 / 3)
    assert str(tally) == "4 mutants: 2 killed, 1 survived, 1 refused, 0 broke; 33.3% of those allowed survive"


# the policies --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["toontrack"])
def judged(request: pytest.FixtureRequest) -> tuple[str, Tally]:
    return request.param, Tally(list(run(ROOT / "policies" / request.param)))


def reasons(policy: str) -> dict[str, str]:
    """Return the reviewed survivors of a policy."""
    found: dict[str, dict[str, str]] = yaml.load(REVIEWED.read_text("utf-8"), Loader=yaml.SafeLoader)
    return found[policy]


@pytest.mark.real
def test_no_mutant_of_a_policy_breaks_troth_and_each_reviewed_one_still_survives(judged: tuple[str, Tally]) -> None:
    policy, tally = judged
    assert len(tally.named("killed")) > 500
    assert [one for one in tally.verdicts if one.fate == "broke" or one.aside] == []
    assert set(reasons(policy)) <= set(tally.named("survived")), "a reason for what is killed by now"


@pytest.mark.real
def test_few_mutants_of_a_policy_survive_each_with_its_reason(
    judged: tuple[str, Tally], capsys: pytest.CaptureFixture[str]
) -> None:
    policy, tally = judged
    with capsys.disabled():
        print(f"\n{policy}: {tally}")
    assert tally.share <= MOST, str(tally)
    assert set(tally.named("survived")) == set(reasons(policy))

"""Rules restated in English: each word in what it says and in what it denies, and the shapes of whole rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.as_json import read
from troth.diagnostics import Source
from troth.model.policy import Policy
from troth.model.rules import All, AnyOf, Attested, Condition, ConsentIs, Names, Not, Rule, StateIs, Under
from troth.model.words import ANY, DECLARED, NONE, OWN, PERSONAL_DATA, UNDECLARED, Word, reference
from troth.rules import load_inline, load_policy
from troth.rules.english import _pushed, sentences
from troth.rules.excerpt import excerpt

ROOT = Path(__file__).parents[2]
POLICY = """
policy:
  areas: {EEA: [DE, SE]}
  data: {email: {fields: [email]}, name: {fields: [name]}}
  purposes: {ads: {basis: consent}, mail: {basis: consent}, shop: {basis: contract}}
  consents: {ads: {}, mail: {}, letters: {holder: person, per: topic}}
  parties: {stats: {role: processor, country: US, purpose: ads}}
  states: {restricted: {of: person}, objected: {of: person, per: purpose}}
  origins: [survey]
  events: [request, answered]
  marks: {notice: {text: privacy}, date: {date: of-version}}
attestations:
  a: {what: dpa, about: stats, role: legal}
rules:
- """
SAID = {
    "for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}": (
        "A cookie whose legal basis is `consent` is withheld unless consent to each of its purposes holds."
    ),
    "for: [cookie, element], only-if: {purpose: declared}": (
        "Every cookie or element is withheld unless its purpose is declared in the policy."
    ),
    "for: cookie, match: {purpose: [ads, none]}": (
        "A cookie is withheld, when either its purpose is `ads` or it has no purpose."
    ),
    "for: exchange, match: {not: {purpose: any}, origin: survey}": (
        "An exchange that has no purpose is withheld, when the origin of its data is `survey`."
    ),
    "for: field, match: {data: [personal-data, email], carrier: request}, only-if: {data: of-purpose}": (
        "A field that is personal data or `email` in the request is withheld unless it is data that belong to its "
        "purpose."
    ),
    "for: field, match: {data: email}, otherwise: mask": "A field that is `email` is masked.",
    "for: record, match: {data: email}, expect: {complete: [email, name]}": (
        "Expected of a record that holds `email`: it holds all of `email` and `name`. "
        "Otherwise it is reported in the trail."
    ),
    "for: exchange, match: {party: any, not: {role: [processor, partner]}}, otherwise: {deny: 451}": (
        "An exchange that involves a party other than the site itself and whose party does not have the role "
        "`processor` or `partner` is denied with status 451."
    ),
    "for: exchange, match: {not: {country: EEA}, region: [EEA, US]}": (
        "An exchange whose party is not in `EEA` is withheld, when the visitor is in `EEA` or `US`."
    ),
    "for: exchange, match: {refused: any}, only-if: {consent: {letters: {topic: of-topic}, form: written}}": (
        "An exchange is withheld, when the visitor has refused anything, unless consent to `letters` (for its topic) "
        "holds in the form `written`."
    ),
    "for: exchange, match: {state: {objected: ads}}, only-if: {actor: [subject, staff, admin]}": (
        "An exchange is withheld, when the person is in the state `objected` (for the purpose `ads`), unless whoever "
        "asks is the person it is about or of the role `staff` or `admin`."
    ),
    "for: exchange, match: {actor: nobody}, only-if: {actor: {verified: PT10M}}": (
        "An exchange is withheld, when whoever asks is not signed in, unless whoever asks has proved who they are "
        "within the last 10 minutes."
    ),
    "for: exchange, match: {under: 13}, only-if: {any: [{attested: {dpa: of-party}}, {https: true}]}": (
        "An exchange is withheld, when the person is known to be under 13, unless either a valid statement `dpa` about "
        "its party is there or it comes over https."
    ),
    "for: event, match: {event: request}, only-if: {asked: [order, cart]}": (
        "An event that is `request` is withheld unless the user asked for it by `order` or `cart`."
    ),
    "for: record, match: {route: report, carrier: [json, trail]}, only-if: {aggregate: 10}": (
        "A record that stands in JSON or the trail is withheld, when the route is tagged `report`, unless it holds "
        "nothing but counts of 10 or more, about nobody."
    ),
    "for: element, match: {kind: [script, frame]}": "An element that is `script` or `frame` is withheld.",
    "for: page, match: {not: {shows: notice}}, expect: {shows: [notice, date]}": (
        "Expected of a page that does not show `notice`: it shows `notice` and `date`. "
        "Otherwise it is reported in the trail."
    ),
    "for: cookie, expect: {keep: P1Y2M}, otherwise: amend": (
        "Expected of every cookie: it is kept no longer than 1 year and 2 months. Otherwise it is amended."
    ),
    "for: cookie, expect: {attribute: {secure: true, lifetime: P30D}}, otherwise: [amend, alert]": (
        "Expected of every cookie: its `secure` is set and it lives no longer than 30 days. "
        "Otherwise it is amended and reported in the trail."
    ),
    "for: exchange, expect: {status: open}": (
        "Expected of every exchange: the answer lets the visitor in. Otherwise it is reported in the trail."
    ),
    "for: exchange, expect: {not: {status: [200, 3xx]}, header: {X-A: none, X-B: [a, b]}}": (
        "Expected of every exchange: the status is not `200` or `3xx` and the header `x-a` is not sent and the header "
        "`x-b` is `a` or `b`. Otherwise it is reported in the trail."
    ),
    "for: event, match: {event: request}, expect: {followed-by: {event: answered, within: P1M}}": (
        "Expected of an event that is `request`: it is followed by `answered` within 1 month. "
        "Otherwise it is reported in the trail."
    ),
    "for: event, match: {event: denied}, expect: {at-most: {count: 3, per: client, within: PT1H}}": (
        "Expected of an event that is `denied`: it happens 3 times or less per client within 1 hour. "
        "Otherwise it is reported in the trail."
    ),
    "for: [page, element], match: {state: restricted}": (
        "A page or element is withheld (a page is only reported), when the person is in the state `restricted`."
    ),
}  # fmt: skip


def rule(written: str) -> Rule:
    inline = load_inline(f"{POLICY}{{id: r, clause: C-1, {written}}}\n")
    assert inline.policy is not None, [one.short() for one in inline.diagnostics]
    return inline.policy.rules[0]


@pytest.mark.parametrize("written", SAID)
def test_a_rule_says_in_english_what_it_does(written: str) -> None:
    assert sentences(rule(written))[0] == SAID[written]


def test_each_word_is_said_once_at_least() -> None:
    told = " ".join(SAID)
    assert [word for word in Word if f"{word}: " not in told] == []


def test_exceptions_say_who_permits_them() -> None:
    openings = "[{clause: [C-2, C-3], if: {https: false}}, {law: L 6, if: {basis: law}}]"
    told = rule(f"for: exchange, match: {{party: any}}, except: {openings}")
    assert sentences(told)[1:3] == (
        "It passes all the same if it does not come over https: C-2 and C-3 permit it.",
        "It passes all the same if its legal basis is `law`: L 6 permits it.",
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("unreadable: pass", "What cannot be read passes."),
        ("evidence: true", "The trail also tells where it let something pass."),
        ("mode: dry-run", "It is in dry-run: nothing is edited or denied, the trail tells what would have been done."),
        ("mode: off", "It is off."),
    ],
)
def test_how_a_rule_is_turned_is_a_sentence(written: str, said: str) -> None:
    assert said in sentences(rule(f"for: exchange, {written}"))
    assert said not in sentences(rule("for: exchange"))


# not -----------------------------------------------------------------------------------------------------------------

ATOMS = st.integers(0, 3).map(lambda number: Under(years=number))
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts)))
        | st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
        | inner.map(Not)
    ),
)


def truth(what: Condition, atoms: tuple[bool | None, ...]) -> bool | None:
    """Return true, false or, where nobody stated it, nothing."""
    match what:
        case Under(years=number):
            return atoms[number]
        case Not(part):
            inner = truth(part, atoms)
            return None if inner is None else not inner
        case All(parts):
            told = {truth(part, atoms) for part in parts}
            return False if False in told else None if None in told else True
        case AnyOf(parts):
            told = {truth(part, atoms) for part in parts}
            return True if True in told else None if None in told else False
        case _:
            raise AssertionError(what)


def has_compound_under_not(what: Condition) -> bool:
    match what:
        case Not(part):
            return not isinstance(part, Under)
        case All(parts) | AnyOf(parts):
            return any(map(has_compound_under_not, parts))
        case _:
            return False


@given(CONDITIONS, st.tuples(*[st.sampled_from([True, False, None])] * 4))
def test_a_not_moved_inwards_says_the_same(what: Condition, atoms: tuple[bool | None, ...]) -> None:
    moved = _pushed(what)
    assert truth(moved, atoms) == truth(what, atoms)
    assert not has_compound_under_not(moved)


# whole policies ------------------------------------------------------------------------------------------------------


def leaves(what: Condition | None) -> Iterator[Condition]:
    match what:
        case None:
            return
        case Not(part):
            yield from leaves(part)
        case All(parts) | AnyOf(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield what


def names_in(told: Rule) -> set[str]:
    """Return the names of the policy that a rule speaks of."""
    found: set[str] = set()
    for whole in (told.match, told.only_if, told.expect, *(one.condition for one in told.openings)):
        for leaf in leaves(whole):
            found |= set(leaf.names) if isinstance(leaf, Names) and leaf.word is not Word.CARRIER else set()
            found |= {leaf.name} if isinstance(leaf, ConsentIs | StateIs) else set()
            found |= {leaf.what} if isinstance(leaf, Attested) else set()
    with_a_meaning = {ANY, NONE, OWN, DECLARED, UNDECLARED, PERSONAL_DATA}
    return {name for name in found if name not in with_a_meaning and reference(name) is None}


def policies() -> Iterator[tuple[Policy, Source]]:
    folder = ROOT / "policies" / "toontrack"
    yield load_policy(folder).require(), Source("rules.yaml", (folder / "rules.yaml").read_text("utf-8"))
    for path in sorted((ROOT / "tests" / "golden").glob("*.yaml")):
        text = path.read_text("utf-8")
        policy = load_inline(text).policy
        assert policy is not None
        yield policy, Source(path.name, text)


def test_no_name_of_a_rule_is_left_out_and_the_yaml_beside_is_that_of_the_rule() -> None:
    seen = 0
    for policy, source in policies():
        whole = read(source.text)["rules"]
        for told in policy.rules:
            said = " ".join(sentences(told))
            assert {name for name in names_in(told) if f"`{name}`" not in said} == set(), told.id
            assert read(excerpt(source, told.id)) == [one for one in whole if one["id"] == told.id]
            seen += 1
    assert seen > 120

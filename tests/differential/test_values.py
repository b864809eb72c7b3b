"""Every word with every value that it may have: the engine on the wire and the reference judge each of them alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from troth.cases import load_cases_text, run_files
from troth.model.words import Action, Thing, Word
from troth.rules.words import ACTIONS, WORDS

GROUND = Path(__file__).with_name("values.yaml").read_text("utf-8")
VALUES = {
    "purpose": ["declared", "undeclared", "none", "any", "purchase", "of-purpose", "of-route", "[purchase, none]"],
    "basis": ["undeclared", "none", "any", "consent", "[consent, contract]", "of-basis"],
    "origin": ["any", "none", "survey"],
    "data": ["personal-data", "undeclared", "any", "none", "email", "contact", "of-purpose", "of-party", "of-data"],
    "complete": ["personal-data", "of-purpose", "[email, name]"],
    "party": ["any", "own", "declared", "undeclared", "none", "shipper", "of-party"],
    "role": ["processor", "[processor, partner]"],
    "country": ["undeclared", "SE", "EEA", "of-country"],
    "region": ["undeclared", "SE", "EEA", "[undeclared, EEA]", "of-country"],
    "consent": ["any", "of-purpose", "analytics", "both", "letters", "{letters: any}", "{letters: of-topic}"],
    "refused": ["any", "of-purpose", "analytics", "both"],
    "state": ["restricted", "{objected: any}", "{objected: of-purpose}"],
    "actor": ["subject", "account", "nobody", "party", "shared", "public", "staff", "of-route", "{verified: PT10M}"],
    "asked": ["cart", "of-route"],
    "route": ["a", "[a, c]", "of-route"],
    "https": ["true", "false"],
    "carrier": ["request", "response", "json", "query", "path", "header", "cookie"],
    "kind": ["script", "inline"],
    "event": ["asked", "denied"],
    "under": ["13", "18", "50"],
    "attested": ["dpa", "{dpa: of-party}", "{dpa: shipper}", "{adequacy: of-country}"],
    "aggregate": ["1", "10"],
    "keep": ["P30D", "P2Y", "of-purpose"],
    "shows": ["greeting", "imprint", "[greeting, imprint]"],
    "status": ["200", "2xx", "[2xx, 303]", "open"],
    "header": ["{X-A: 1}", "{X-B: [a, b]}", "{X-A: none}", "{Cache-Control: no-store}", "{X-V: of-version}"],
    "attribute": [
        "{secure: true}",
        "{http-only: true, domain: own}",
        "{same-site: strict}",
        "{checked: false}",
        "{lifetime: P1D}",
        "{lifetime: session}",
    ],
    "followed-by": ["{event: told, within: P5D}", "{event: told, within: P1Y}"],
    "at-most": [
        f"{{count: {n}, per: {key}, within: PT1H}}" for n, key in ((2, "client"), (1, "actor"), (1, "subject"))
    ],
}
FACT = ("match: {%s}", "match: {not: {%s}}", "only-if: {%s}", "only-if: {not: {%s}}")
DUTY = ("expect: {%s}", "expect: {not: {%s}}")
PROHIBITED = ("state", "under")
"""What is known of a person is prohibited in `match`, never asked for under `not`."""


def rules(word: str) -> Iterator[str]:
    """Yield rules that ask for each value, and for not having it: as conditions, and in prohibitions of each kind."""
    spec = WORDS[word]  # type: ignore[index]  # a word is its own text
    things = [thing for thing in Thing if thing in spec.things]
    forms = [*(FACT if spec.fact else ()), *(DUTY if spec.duty else ())]
    lost = [thing for thing in things if thing in ACTIONS[Action.WITHHOLD] and thing is not Thing.EXCHANGE]
    for value in VALUES[word]:
        asked = f"{word}: {value}"
        for form in forms:
            if word not in PROHIBITED or form != FACT[-1]:
                yield f"for: [{', '.join(things)}], {form % asked}, otherwise: alert, evidence: true"
        for form in forms[:2]:
            if lost:
                yield f"for: [{', '.join(lost)}], {form % asked}, otherwise: withhold, mode: dry-run"
            if Thing.EXCHANGE in things:
                yield f"for: exchange, {form % asked}, otherwise: deny, mode: dry-run"


HELD = "for: field, match: {under: 1}, otherwise: withhold"
"""Takes nothing, and bodies are held for it: an age in one that only passes comes too late for the address."""


@pytest.mark.parametrize("word", VALUES)
def test_both_engines_agree_on_every_value_of_a_word(word: str) -> None:
    made = "".join(f"- {{id: r{n}, clause: V-1, {rule}}}\n" for n, rule in enumerate([HELD, *rules(word)]))
    file = load_cases_text(f"{GROUND}rules:\n{made}", name=word)
    assert [str(one) for one in file.diagnostics if one.is_error] == []
    tally = run_files([file])
    assert [(one.case.id, [str(each) for each in one.failures]) for one in tally.failed] == []
    assert len({rule for one in tally.outcomes for rule in one.fired}) > len(VALUES[word])


def test_every_word_is_asked_for_with_every_value_of_its_own() -> None:
    assert set(VALUES) == {word.value for word in WORDS}
    special = {word: set(getattr(spec.shape, "special", ())) for word, spec in WORDS.items() if word != Word.HEADER}
    missing = {word: values - set(VALUES[word]) for word, values in special.items()}
    assert {word: values for word, values in missing.items() if values} == {}

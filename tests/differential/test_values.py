"""Every word with every value that it may have: the engine on the wire and the reference judge each of them alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from troth.cases import load_cases_text, run_files
from troth.model.words import Action, Thing
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
}
ALIKE = ("match: {%s}", "match: {not: {%s}}", "only-if: {%s}", "only-if: {not: {%s}}")


def rules(word: str) -> Iterator[str]:
    """Yield rules that ask for each value, and for not having it: as conditions, and in prohibitions of each kind."""
    things = [thing for thing in Thing if thing in WORDS[word].things]  # type: ignore[index]  # a word is its own text
    lost = [thing for thing in things if thing in ACTIONS[Action.WITHHOLD] and thing is not Thing.EXCHANGE]
    for value in VALUES[word]:
        asked = f"{word}: {value}"
        for form in ALIKE:
            if not (word == "state" and form == ALIKE[-1]):  # what is known of a person is prohibited in `match`
                yield f"for: [{', '.join(things)}], {form % asked}, otherwise: alert"
        for form in ALIKE[:2]:
            if lost:
                yield f"for: [{', '.join(lost)}], {form % asked}, otherwise: withhold, mode: dry-run"
            if Thing.EXCHANGE in things:
                yield f"for: exchange, {form % asked}, otherwise: deny, mode: dry-run"


@pytest.mark.parametrize("word", VALUES)
def test_both_engines_agree_on_every_value_of_a_word(word: str) -> None:
    made = "".join(f"- {{id: r{n}, clause: V-1, {rule}}}\n" for n, rule in enumerate(rules(word)))
    file = load_cases_text(f"{GROUND}rules:\n{made}", name=word)
    assert [str(one) for one in file.diagnostics if one.is_error] == []
    tally = run_files([file])
    assert [(one.case.id, [str(each) for each in one.failures]) for one in tally.failed] == []
    assert len({rule for one in tally.outcomes for rule in one.fired}) > len(VALUES[word])


def test_every_word_with_values_of_its_own_is_among_them() -> None:
    special = {word: set(getattr(spec.shape, "special", ())) for word, spec in WORDS.items()}
    missing = {word: values - set(VALUES.get(word, ())) for word, values in special.items() if word != "header"}
    assert {word: values for word, values in missing.items() if values} == {}

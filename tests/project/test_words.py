"""One page per word of the rule language: each is there, has its parts, and its examples fire and rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.project.test_docs import DOCS, FENCE, LINK, prose
from tests.project.test_pages import section, yaml_of
from troth.cases import load_cases_text, run_files
from troth.cli import main
from troth.model.words import OWN_COPY_TAGS, PROTECTED_TAGS, REFERENCES, Action, Carrier, Thing
from troth.rules.conditions import COMBINATORS
from troth.rules.duties import _ATTRIBUTE_NAMES as ATTRIBUTES
from troth.rules.duties import _PER as COUNTED_BY
from troth.rules.rows import BASES, BUILT_IN_EVENTS, PROBES, SIGNS
from troth.rules.words import ACTIONS, KINDS, WORDS

INDEX = DOCS / "words.md"
FOLDER = DOCS / "words"
LISTS = ("of-x", "values", "marks", "tags")
"""Pages of words that are entries of a list."""
NAMES = dict.fromkeys(map(str, [*Thing, *COMBINATORS, *WORDS, *ACTIONS, *PROBES, *LISTS]))
IN_EXAMPLES = {"of-x": "of-", "values": "undeclared", "tags": "tag"}
"""What stands in an example where it is not the name of the page."""
HEADINGS = ["Where it may stand", "Values", "Example", "Traps", "See also"]


def page(name: str) -> Path:
    return FOLDER / f"{name}.md"


def standing(name: str) -> str:
    return section(page(name), "Where it may stand")


def quoted(text: str) -> set[str]:
    """Return the words in backticks of a text, those within a longer piece of code too."""
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"[\w-]+", code)}


def things_of(names: Iterable[Thing]) -> str:
    """Return things as a page writes them: `a`, `b` and `c`, or all things."""
    listed = [f"`{thing}`" for thing in Thing if thing in set(names)]
    if len(listed) == len(Thing):
        return "all things"
    return " and ".join([", ".join(listed[:-1]), listed[-1]]) if listed[1:] else listed[0]


# every word has a page -----------------------------------------------------------------------------------------------


def test_every_word_has_a_page_and_no_page_is_about_another() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(NAMES)


def test_every_page_stands_once_in_the_index() -> None:
    rows = re.findall(r"(?m)^\| \[`([^`]+)`\]\(words/([a-z-]+)\.md\) \| .+ \|$", INDEX.read_text("utf-8"))
    assert sorted(page for _, page in rows) == sorted(NAMES)
    assert [name for name, page in rows if page not in LISTS and name != page] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_what_where_and_what_goes_wrong(name: str) -> None:
    text = prose(page(name))
    title, lead, promise, *_ = text.split("\n\n")
    assert title == f"# {name}".replace("of-x", "of-X")
    assert lead.endswith("."), "one sentence says what it means"
    assert re.fullmatch(r"(> .+\n?)+", promise), "a sentence of a policy that needs it"
    found = re.findall(r"(?m)^## (.+)$", text)
    assert found == [heading for heading in HEADINGS if heading in found]
    assert set(HEADINGS) - set(found) <= {"Values"}
    assert re.search(r"(?m)^- ", section(page(name), "Traps"))
    assert LINK.search(section(page(name), "See also"))


# what a page says holds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", WORDS)
def test_a_fact_or_duty_names_its_things_and_places(word: str) -> None:
    spec = WORDS[word]  # type: ignore[index]  # a word is its own text
    kind = "Fact and duty" if spec.fact and spec.duty else "Duty" if spec.duty else "Fact"
    assert f"{kind} of {things_of(spec.things)}. Known " in " ".join(standing(word).split())
    places = {"`match`, `only-if`": spec.fact, "`expect`": spec.duty}
    assert {place for place in places if place in standing(word)} == {place for place, is_ in places.items() if is_}


@pytest.mark.parametrize("word", WORDS)
def test_a_fact_or_duty_names_its_values(word: str) -> None:
    special = set(getattr(WORDS[word].shape, "special", ()))  # type: ignore[index]  # a word is its own text
    assert special - {"of-purpose"} <= quoted(section(page(word), "Values"))


@pytest.mark.parametrize("thing", Thing)
def test_a_thing_names_the_words_that_not_all_things_take(thing: Thing) -> None:
    takes = {word.value for word, spec in WORDS.items() if thing in spec.things and set(spec.things) != set(Thing)}
    text = " ".join(standing(thing).split())
    named = re.search(r"Besides the words for all things it takes ([^.]*)\.", text)
    assert set(re.findall(r"`([^`]+)`", named[1] if named else "")) == takes


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_names_the_things_that_it_can_be_done_to(action: Action) -> None:
    assert f"In `otherwise`, on {things_of(ACTIONS[action])}." in " ".join(standing(action).split())


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("basis", BASES),
        ("carrier", tuple(Carrier)),
        ("kind", KINDS),
        ("event", BUILT_IN_EVENTS),
        ("attribute", ATTRIBUTES),
        ("at-most", COUNTED_BY.words),
        ("of-x", tuple(f"of-{one}" for one in REFERENCES)),
        ("marks", (*SIGNS, "within")),
        ("tags", (*PROTECTED_TAGS, *OWN_COPY_TAGS)),
    ],
)
def test_every_entry_of_a_list_stands_on_its_page(name: str, entries: tuple[str, ...]) -> None:
    rows = re.findall(r"(?m)^\| (`[^|]+`) +\| (.+) \|$", section(page(name), "Values"))
    told = {entry: text for names, text in rows for entry in re.findall(r"`([^`]+)`", names)}
    assert set(map(str, entries)) - set(told) == set()


def test_each_value_with_a_meaning_of_its_own_names_the_words_that_take_it() -> None:
    taken: dict[str, set[str]] = {}
    for word, spec in WORDS.items():
        for value in getattr(spec.shape, "special", ()):
            taken.setdefault(value, set()).add(word.value)
    told = {}
    for row in re.findall(r"(?m)^\| `.*$", section(page("values"), "Values")):
        _, name, of, *_ = row.split("|")
        told[name.strip(" `")] = set(re.findall(r"`([^`]+)`", of))
    for value in ("any", "none", "own", "declared", "undeclared"):
        assert told[value] == taken[value], value


# examples ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_example_holds_on_the_wire_and_in_the_reference_and_its_rules_fire_and_rest(name: str) -> None:
    examples = yaml_of(page(name))
    assert examples
    word = IN_EXAMPLES.get(name, name)
    assert any(re.search(rf"(?<![\w-]){word}", one.body) for one in examples)
    for example in examples:
        file = load_cases_text(example.body, name=example.place)
        assert [str(one) for one in file.diagnostics] == []
        assert file.policy is not None
        tally = run_files([file])
        assert [(one.case.id, [str(failure) for failure in one.failures]) for one in tally.failed] == []
        counts = tally.per_rule()
        assert {
            rule.id: counts.get(rule.id) for rule in file.policy.rules if not all(counts.get(rule.id, (0, 0)))
        } == {}


def test_no_example_stands_on_two_pages() -> None:
    bodies = [block["body"] for name in NAMES for block in FENCE.finditer(page(name).read_text("utf-8"))]
    assert len(bodies) == len(set(bodies))


# in a terminal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "shown"), [("consent", "consent"), ("of-party", "of-x"), ("own", "values"), ("any", "any")]
)
def test_the_command_shows_the_page_of_a_word(asked: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["word", asked]) == 0
    assert capsys.readouterr().out == page(shown).read_text("utf-8")


def test_the_command_lists_all_words_and_knows_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["word"]) == 0
    assert capsys.readouterr().out == INDEX.read_text("utf-8")
    assert main(["word", "../words"]) == 2
    assert main(["word", "consnet"]) == 2
    assert "did you mean `consent`?" in capsys.readouterr().err

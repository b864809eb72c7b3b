"""Lists of records drawn at random: what is left of them is told by the clause alone, whatever form they come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.wire import NOW, POLICY, Reply, Shop, as_json, policy_text, run
from troth.cases.compare import compare
from troth.cases.stage import Judged
from troth.model.facts import Exchange
from troth.model.findings import Denial, Finding

RULES = """
- {id: restricted, clause: C-1, for: record, match: {route: people, state: restricted}}
- {id: counts, clause: C-2, for: record, match: {route: stats}, only-if: {aggregate: 5}}
- {id: no-longer, clause: C-3, for: record, match: {route: old}, only-if: {keep: of-purpose}}
"""
ROUTES = """
binding:
  state: tests.asgi.test_records_drawn:states
  routes:
    'GET /people': {tag: people, purpose: sale, records: '$.items[*]', subject: '$.id'}
    'POST /people': {tag: people, purpose: sale, records: {request: '$.items[*]'}, subject: '$.id'}
    'GET /stats': {tag: stats, purpose: sale, records: '$.items[*]', counts: ['$.n', '$.by.*']}
    'POST /stats': {tag: stats, purpose: sale, records: {request: '$.items[*]'}, counts: ['$.n', '$.by.*']}
    'GET /old': {tag: old, purpose: sale, records: '$.items[*]', since: '$.at'}
    'POST /old': {tag: old, purpose: sale, records: {request: '$.items[*]'}, since: '$.at'}
    'GET /stats/{id}': {tag: stats, purpose: sale, records: '$', counts: ['$.n', '$.by.*']}
"""
OFTEN = settings(max_examples=120, deadline=None)


def states(ids: list[str]) -> dict[str, list[str]]:
    return {one: ["restricted"] for one in ids if one.startswith("r")}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    policy = POLICY.rstrip().replace("data: [name, email, birth]}", "data: [name, email, birth], keep: {set: P30D}}")
    text = policy_text(RULES, ROUTES, policy + "\n  states: {restricted: {of: person}}\n")
    one: Shop = Shop(tmp_path_factory.mktemp("home"), text, observer=lambda *seen: as_the_reference(one, *seen))
    yield one
    one.close()


def as_the_reference(one: Shop, x: Exchange, findings: tuple[Finding, ...], denial: Denial | None) -> None:
    """Hold what was judged on the wire against the reference."""
    site = one.middleware.runtime.first
    judged = Judged(exchange=replace(x), findings=findings, denial=denial)
    assert compare(judged, site.policy, site.binding).differences == ()


# what the clauses say ---------------------------------------------------------------------------------------------


def is_of_somebody_free(item: dict[str, Any]) -> bool:
    """Whose a record is stands in it as a text or number; a record of nobody does not pass."""
    given_ = item.get("id")
    return isinstance(given_, str | int) and given_ != "" and not str(given_).startswith("r")


def counts_enough(item: dict[str, Any]) -> bool:
    """At least one count is there, none is under five, and nobody is named."""
    counts = [count for count in (item.get("n"), *item.get("by", {}).values()) if count is not None]
    numbers = [int(count) if str(count).isdigit() and not isinstance(count, float) else 0 for count in counts]
    return bool(numbers) and min(numbers) >= 5 and "email" not in item


def is_young(item: dict[str, Any]) -> bool:
    """A date that can be read, within thirty days of now."""
    try:
        at = datetime.fromisoformat(item["at"])
    except (KeyError, TypeError, ValueError):
        return False
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) + timedelta(days=30) >= NOW


COUNTS = st.sampled_from([0, 4, 5, 6, 1000, "5", "7 or so", 5.5, True, None])
ODD_DATES: st.SearchStrategy[Any] = st.sampled_from(["2026-05-01", "1 May", "", None, {}])
DATES: st.SearchStrategy[Any] = st.integers(-70, 2).map(lambda n: (NOW + timedelta(days=n)).isoformat()) | ODD_DATES
ITEMS: dict[str, tuple[st.SearchStrategy[dict[str, Any]], Callable[[dict[str, Any]], bool]]] = {
    "people": (
        st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from(["ann", "rob", "", 7, None, {"id": "ann"}, ["ann"]]),
                "name": st.sampled_from(["Rob", "r", '"}],']),
                "x": st.sampled_from([1.5, [{"id": "rob"}], {"items": [{"id": "rob"}]}]),
            },
        ),
        is_of_somebody_free,
    ),
    "stats": (
        st.fixed_dictionaries(
            {},
            optional={
                "n": COUNTS,
                "by": st.dictionaries(st.sampled_from(["SE", "NO"]), COUNTS),
                "email": st.just("a@example.org"),
            },
        ),
        counts_enough,
    ),
    "old": (st.fixed_dictionaries({}, optional={"at": DATES, "name": st.just("x")}), is_young),
}
LISTS = st.sampled_from(sorted(ITEMS)).flatmap(
    lambda name: st.tuples(st.just(name), st.lists(ITEMS[name][0], max_size=6))
)


@OFTEN
@given(LISTS, st.sampled_from([None, 1]), st.lists(st.integers(0, 200), max_size=3))
def test_a_list_holds_what_may_stay_and_nothing_else(
    drawn: Shop, listed: tuple[str, list[dict[str, Any]]], indent: int | None, cuts: list[int]
) -> None:
    name, items = listed
    body = json.dumps({"a": 1.50, "items": items, "z": []}, indent=indent).encode()
    kept = [item for item in items if ITEMS[name][1](item)]
    edges = tuple(sorted(min(cut, len(body)) for cut in cuts))
    drawn.reply = as_json(body, cuts=edges)
    answer = run(drawn.ask("GET", f"/{name}"))
    assert json.loads(answer.body) == {"a": 1.50, "items": kept, "z": []}
    if len(kept) == len(items):
        assert answer.body == body
    drawn.reply = as_json({})
    sent = run(drawn.ask("POST", f"/{name}", body=[*_cut(body, edges)]))
    assert sent.body_seen == answer.body  # both ways alike
    if items:
        assert sum(one["n"] for one in drawn.lines()[-1]["why"]) == len(items) - len(kept)


def _cut(body: bytes, edges: tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for edge in (*edges, len(body)):
        yield body[at:edge]
        at = edge


@OFTEN
@given(LISTS)
def test_lines_hold_what_may_stay_and_nothing_else(drawn: Shop, listed: tuple[str, list[dict[str, Any]]]) -> None:
    name, items = listed
    lines = [json.dumps(item).encode() + b"\n" for item in items]
    drawn.reply = Reply(body=b"".join(lines), kind=b"application/x-ndjson")
    answer = run(drawn.ask("GET", f"/{name}"))
    assert answer.body == b"".join(line for line, item in zip(lines, items, strict=True) if ITEMS[name][1](item))


@OFTEN
@given(ITEMS["stats"][0])
def test_counts_that_are_the_whole_body_pass_or_are_denied(drawn: Shop, item: dict[str, Any]) -> None:
    drawn.reply = as_json(item)
    answer = run(drawn.ask("GET", "/stats/7"))
    assert answer.status == (200 if counts_enough(item) else 403)
    if answer.status == 200:
        assert json.loads(answer.body) == item

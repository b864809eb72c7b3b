"""Files in forms: lists of records are read and edited inside of them; others pass, and the line says so."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.test_request_records import CHILDREN, RULES, guarded
from tests.asgi.wire import FIELDS, Shop, policy_text, run

KIND = b"multipart/form-data; boundary=b"
RECORDS_ONLY = RULES.splitlines()[1]


def part(name: bytes, data: bytes, filename: bytes = b"", kind: bytes = b"") -> bytes:
    file = b'; filename="' + filename + b'"' if filename else b""
    head = b'--b\r\nContent-Disposition: form-data; name="' + name + b'"' + file + b"\r\n"
    return head + (b"Content-Type: " + kind + b"\r\n" if kind else b"") + b"\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


CSV = b"id,gender,note\r\nann,f,x\r\nbob,m,y\r\ncid,,z\r\n"
LINES = b'{"id":"ann","gender":"f"}\n{"id":"bob"}\n'
LIST = b'[{"id":"bob"}, {"id":"ann", "gender": 1, "n": 1.50}]'


@pytest.mark.parametrize(
    ("data", "filename", "kind", "kept"),
    [
        (CSV, b"people.csv", b"text/csv", b"id,gender,note\r\nann,,x\r\ncid,,z\r\n"),
        (CSV, b"People.CSV", b"application/vnd.ms-excel", b"id,gender,note\r\nann,,x\r\ncid,,z\r\n"),
        (CSV, b"x", b"text/csv; charset=utf-8", b"id,gender,note\r\nann,,x\r\ncid,,z\r\n"),
        (LINES, b"people.jsonl", b"application/octet-stream", b'{"id":"ann"}\n'),
        (LIST, b"people.json", b"", b'[{"id":"ann", "n": 1.50}]'),
        (LIST, b"x", b"application/vnd.api+json", b'[{"id":"ann", "n": 1.50}]'),
    ],
)
async def test_records_in_a_file_are_judged_and_cut_out_of_it(
    shop: MakeShop, data: bytes, filename: bytes, kind: bytes, kept: bytes
) -> None:
    site = guarded(shop)
    note, sex = part(b"note", b"hello"), part(b"gender", b"f")
    answer = await site.ask("POST", "/import", body=form(note, sex, part(b"f", data, filename, kind)), kind=KIND)
    assert (answer.status, answer.body_seen) == (200, form(note, part(b"f", kept, filename, kind)))
    assert answer.app_values(b"content-length") == [b"%d" % len(answer.body_seen)]
    line = site.lines()[-1]
    assert {(one["rule"], one["thing"], one["n"]) for one in line["why"]} >= {("restricted", "record", 1)}
    assert "inspect" not in line


async def test_two_files_are_judged_each_and_one_that_has_to_go_goes_whole(shop: MakeShop) -> None:
    site = guarded(shop)
    body = form(
        part(b"a", b"id\nbob\n", b"a.csv"), part(b"gender", b"id\nbob\n", b"b.csv"), part(b"c", b"id\nann\n", b"c.csv")
    )
    answer = await site.ask("POST", "/import", body=body, kind=KIND)
    assert answer.body_seen == form(part(b"a", b"id\n", b"a.csv"), part(b"c", b"id\nann\n", b"c.csv"))
    assert site.lines()[-1]["subj_n"] == 3


async def test_files_in_which_nothing_has_to_go_stay_as_they_were_cut(shop: MakeShop) -> None:
    site = guarded(shop)
    body = form(part(b"f", b"id\nann\n", b"a.csv"), part(b"g", b"", b"empty.xlsx"))
    answer = await site.ask("POST", "/import", body=[body[:40], body[40:]], kind=KIND)
    assert (answer.status, answer.body_seen) == (200, body)
    assert "inspect" not in site.lines()[-1]


@pytest.mark.parametrize(
    ("data", "filename", "status", "told"),
    [
        (b"PK\3\4", b"people.xlsx", 415, "kind"),
        (b"\x1f\x8b", b"people.csv.gz", 415, "kind"),
        (b"id,x\nann\n", b"people.csv", 400, "malformed"),
        (b"name\nAnn\n", b"people.csv", 400, "malformed"),
        (b"[", b"people.json", 400, "malformed"),
    ],
)
async def test_a_file_in_which_records_may_hide_does_not_pass(
    shop: MakeShop, data: bytes, filename: bytes, status: int, told: str
) -> None:
    site = guarded(shop, RECORDS_ONLY)
    answer = await site.ask("POST", "/import", body=form(part(b"f", data, filename)), kind=KIND)
    assert (answer.status, answer.called) == (status, False)
    assert (site.lines()[-1]["inspect"], site.reasons()) == ({"request": told}, [("restricted", "deny")])


async def test_children_in_a_file_are_taken_out_and_nobody_else(shop: MakeShop) -> None:
    site = guarded(shop, CHILDREN)
    body = form(part(b"f", b"id,birth\nann,1990-01-01\ntim,2020-01-01\n", b"a.csv"))
    answer = await site.ask("POST", "/import", body=body, kind=KIND)
    assert (answer.status, answer.body_seen) == (200, form(part(b"f", b"id,birth\nann,1990-01-01\n", b"a.csv")))
    nobodys = await site.ask("POST", "/mine/ann", body=form(part(b"f", b"birth\n2020-01-01\n", b"a.csv")), kind=KIND)
    assert nobodys.body_seen == form(part(b"f", b"birth\n", b"a.csv"))


@pytest.mark.parametrize("rules", [FIELDS, ""])
async def test_of_other_files_the_line_says_that_they_were_read_in_part(shop: MakeShop, rules: str) -> None:
    site = shop(rules)
    body = form(part(b"email", b"a@example.org"), part(b"photo", b"\x89PNG gender=f", b"me.png", b"image/png"))
    answer = await site.ask("POST", "/order", body=body, kind=KIND)
    assert (answer.status, answer.body_seen) == (200, body)
    assert site.lines()[-1]["inspect"] == {"request": "partial"}


BOMBS = {
    "parts": form(*[part(b"a", b"")] * 1001),
    "headers": form(part(b"a", b"").replace(b"\r\n\r\n", b"".join(b"\r\nx-%d: y" % n for n in range(9)) + b"\r\n\r\n")),
    "a header": form(part(b"a" * 9000, b"")),
    "a name of a file": form(part(b"a", b"x", b"f" * 9000)),
    "forms in a form": form(part(b"a", b"--c\r\n\r\nx\r\n--c--", b"", b"multipart/mixed; boundary=c")),
    "almost boundaries": form(part(b"a", b"\r\n--" * 10_000 + b"b")),
    "dashes": b"-" * 60_000,
    "line ends": b"\r\n" * 30_000,
    "quotes": form(part(b'a"' + b"\\" * 4000, b"")),
    "parameters": form(part(b'a"' + b"; x=y" * 1500 + b'; z="', b"")),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_is_refused_at_once(shop: MakeShop, name: str) -> None:
    site = shop(FIELDS)
    began = time.perf_counter()
    answer = await site.ask("POST", "/order", body=BOMBS[name], kind=KIND)
    assert (answer.status, answer.called) == (400, False)
    assert site.lines()[-1]["inspect"] == {"request": "malformed"}
    assert time.perf_counter() - began < 2
    contact = await site.ask("POST", "/contact", body=BOMBS[name], kind=KIND)
    assert (contact.status, contact.body_seen) == (200, b"")


async def test_a_boundary_without_end_is_refused(shop: MakeShop) -> None:
    site = shop(FIELDS)
    for length, status in ((256, 200), (257, 400), (5000, 400)):
        edge = b"b" * length
        body = form(part(b"email", b"x")).replace(b"--b", b"--" + edge)
        answer = await site.ask("POST", "/order", body=body, kind=b"multipart/form-data; boundary=" + edge)
        assert answer.status == status


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("home"), policy_text(FIELDS))


PARTS = st.lists(
    st.tuples(
        st.sampled_from([b"email", b"gender", b"note", b"Gender"]),
        st.lists(st.sampled_from([b"x", b"\r\n", b"--", b"-", b"\n", b"\xff", b"gender", b"--c"])).map(b"".join),
        st.sampled_from([b"", b"a.txt"]),
    ),
    max_size=5,
)


@settings(max_examples=150)
@given(PARTS, st.lists(st.integers(0, 400), max_size=5))
def test_what_is_left_of_a_form_is_the_same_however_it_is_cut(
    drawn: Shop, parts: list[tuple[bytes, bytes, bytes]], cuts: list[int]
) -> None:
    written = [(name, part(name, data, filename)) for name, data, filename in parts]
    body = form(*(text for _, text in written))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[a:b] for a, b in pairwise(edges)]
    answer = run(drawn.ask("POST", "/order", body=chunks, kind=KIND, length=False))
    kept = form(*(text for name, text in written if name.lower() != b"gender"))
    assert (answer.status, answer.body_seen) == (200, kept)

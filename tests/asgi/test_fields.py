"""Fields in bodies, query and headers: taken out by cutting bytes, tagged in the line, never refused by accident."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import FIELDS, ROUTES, Reply, Shop, as_json, policy_text, run

ORDER = b'{ "email":"a@b.example" , "gender" : "f","price": 1.10, "gender":"m", "e":1e2,"note":"\\u00e5" }'
LEFT = b'{ "email":"a@b.example" ,"price": 1.10, "e":1e2,"note":"\\u00e5" }'


def cuts(body: bytes) -> list[list[bytes]]:
    """Return every way to send a body in two chunks, and byte by byte."""
    return [[body[:n], body[n:]] for n in range(len(body) + 1)] + [[body[n : n + 1] for n in range(len(body))]]


def tags(line: dict[str, object]) -> list[tuple[object, ...]]:
    pd = line.get("pd", [])
    assert isinstance(pd, list)
    return [(tag["cat"], tag["loc"], tag["path"], tag["n"]) for tag in pd]


async def test_a_field_of_the_request_is_cut_out_and_the_rest_stays_byte_for_byte(shop: MakeShop) -> None:
    one = shop(FIELDS)
    answer = await one.ask("POST", "/order", body=ORDER)
    assert answer.body_seen == LEFT
    assert answer.app_values(b"content-length") == [b"%d" % len(LEFT)]
    (line,) = one.lines()
    assert one.reasons(line) == [("in-the-row", "withhold")]
    assert ("email", "json", "$.email", 1) in tags(line)
    assert ("gender", "json", "$.gender", 2) in tags(line)
    assert (line["route"], line["purpose"], line["basis"]) == ("POST /order", "sale", "contract")


async def test_every_cut_of_a_request_gives_the_same(shop: MakeShop) -> None:
    one = shop(FIELDS)
    for chunks in cuts(ORDER):
        for length in (True, False):
            answer = await one.ask("POST", "/order", body=chunks, length=length)
            assert answer.body_seen == LEFT
            assert answer.app_values(b"transfer-encoding") == []


async def test_a_body_from_which_nothing_goes_arrives_as_it_was_cut(shop: MakeShop) -> None:
    one = shop(FIELDS)
    seen = []

    async def app(scope, receive, send):
        while True:
            message = await receive()
            seen.append(message)
            if not message.get("more_body"):
                break
        for message in Reply().messages():
            await send(message)

    one.inner = app
    await one.ask("POST", "/order", body=[b'{"email"', b"", b':"a@b.example"}'])
    assert [message["body"] for message in seen] == [b'{"email"', b"", b':"a@b.example"}']


async def test_a_field_of_the_response_is_cut_out(shop: MakeShop) -> None:
    one = shop(FIELDS)
    headers = [(b"etag", b'"v1"'), (b"content-md5", b"x"), (b"accept-ranges", b"bytes")]
    one.reply = as_json(ORDER, headers=headers)
    answer = await one.ask("GET", "/account")
    assert answer.body == LEFT
    assert answer.values(b"content-length") == [b"%d" % len(LEFT)]
    assert answer.values(b"content-md5") == []
    (line,) = one.lines()
    assert one.reasons(line) == [("in-the-row", "withhold")]
    assert (line["stage"], line["status"]) == ("released", 200)


async def test_every_cut_of_a_response_gives_the_same(shop: MakeShop) -> None:
    one = shop(FIELDS)
    for at in range(len(ORDER)):
        for length in (True, False):
            one.reply = as_json(ORDER, cuts=(at,), length=length)
            assert (await one.ask("GET", "/account")).body == LEFT
    assert {line["stage"] for line in one.lines()} == {"released"}


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"x-gzip", b"gzip, deflate"])
async def test_compressed_bodies_are_read_and_edited_plain(shop: MakeShop, coding: bytes) -> None:
    one = shop(FIELDS)
    packed = gzip.compress(ORDER) if b"gzip" in coding else zlib.compress(ORDER)
    packed = zlib.compress(packed) if coding == b"gzip, deflate" else packed
    one.reply = as_json(packed, headers=[(b"content-encoding", coding)])
    answer = await one.ask("GET", "/account")
    assert (answer.body, answer.values(b"content-encoding")) == (LEFT, [])
    sent = await one.ask("POST", "/order", body=packed, headers=[(b"content-encoding", coding)])
    assert (sent.body_seen, sent.app_values(b"content-encoding")) == (LEFT, [])


async def test_a_compressed_body_from_which_nothing_goes_stays_compressed(shop: MakeShop) -> None:
    one = shop(FIELDS)
    packed = gzip.compress(b'{"email": "a@b.example"}')
    one.reply = as_json(packed, headers=[(b"content-encoding", b"gzip")])
    answer = await one.ask("GET", "/account")
    assert answer.messages == one.reply.messages()
    assert tags(one.lines()[-1]) == [("email", "json", "$.email", 1)]


async def test_the_app_is_asked_only_for_codings_that_a_guard_can_read(shop: MakeShop) -> None:
    one = shop(FIELDS.replace("only-if", "match: {purpose: sale}\n  only-if"))
    headers = [(b"accept-encoding", b"br;q=1.0, gzip;q=0.8, zstd, *;q=0.1")]
    guarded = await one.ask("GET", "/account", headers=headers)
    assert guarded.app_values(b"accept-encoding") == [b"gzip;q=0.8"]
    free = await one.ask("GET", "/", headers=headers)
    assert free.app_values(b"accept-encoding") == [headers[0][1]]
    only = await one.ask("GET", "/account", headers=[(b"accept-encoding", b"br")])
    assert only.app_values(b"accept-encoding") == [b"identity"]


async def test_query_pairs_are_cut_out(shop: MakeShop) -> None:
    one = shop(FIELDS)
    answer = await one.ask("GET", "/account?a=1&gender=f&b=%20+&&%67ender=m&email=x%40y.example")
    assert answer.scope is not None
    assert answer.scope["query_string"] == b"a=1&b=%20+&&email=x%40y.example"
    (line,) = one.lines()
    assert ("gender", "query", "gender", 2) in tags(line)
    assert one.reasons(line) == [("in-the-row", "withhold")]


async def test_form_pairs_are_cut_out(shop: MakeShop) -> None:
    one = shop(FIELDS)
    kind = b"application/x-www-form-urlencoded"
    for chunks in cuts(b"a=1&gender=f&email=x%40y.example&gender=m"):
        answer = await one.ask("POST", "/order", body=chunks, kind=kind)
        assert answer.body_seen == b"a=1&email=x%40y.example"


async def test_members_without_a_category_are_cut_out_where_no_other_rule_reads_the_body(shop: MakeShop) -> None:
    """A rule that names `undeclared` reads bodies by itself: no category of the policy need be in danger."""
    one = shop("- {id: odd, clause: C-4, for: field, match: {data: undeclared}}\n")
    sent = await one.ask("POST", "/order", body=b'{"email": "a@b.example", "shoe": 43, "in": {"x": 1}}')
    assert sent.body_seen == b'{"email": "a@b.example", "in": {}}'
    form = await one.ask(
        "POST", "/order", body=b"email=x%40y.example&shoe=43", kind=b"application/x-www-form-urlencoded"
    )
    assert form.body_seen == b"email=x%40y.example"
    one.reply = as_json(b'{"email": "a@b.example", "shoe": 43}')
    for route in ("/account", "/elsewhere"):
        assert (await one.ask("GET", route)).body == b'{"email": "a@b.example"}'
    assert [one.reasons(line) for line in one.lines()] == [[("odd", "withhold")]] * 4


YOUNG = "- {id: young, clause: C-5, for: field, match: {under: 13, data: email}}\n"


@pytest.mark.parametrize("rule", [YOUNG, YOUNG.replace("data: email", "data: email, carrier: query")])
async def test_a_field_of_the_address_is_judged_by_an_age_that_the_body_states(shop: MakeShop, rule: str) -> None:
    one = shop(rule)
    child = await one.ask("POST", "/order?email=x%40y.example&a=1", body=b'{"birth": "2020-05-05"}')
    assert child.scope is not None
    assert child.scope["query_string"] == b"a=1"
    assert child.body_seen == b'{"birth": "2020-05-05"}'
    grown = await one.ask("POST", "/order?email=x%40y.example&a=1", body=b'{"birth": "1980-05-05"}')
    assert grown.scope is not None
    assert grown.scope["query_string"] == b"email=x%40y.example&a=1"
    nobody = await one.ask("POST", "/order?email=x%40y.example&a=1", body=b'{"total": 3}')
    assert nobody.scope is not None
    assert nobody.scope["query_string"] == b"email=x%40y.example&a=1"
    assert [one.reasons(line) for line in one.lines()] == [[("young", "withhold")], [], []]


async def test_a_field_of_the_body_is_judged_by_an_age_that_the_address_states(shop: MakeShop) -> None:
    one = shop(YOUNG)
    child = await one.ask("POST", "/order?birth=2020-05-05", body=b'{"email": "x@y.example", "a": 1}')
    assert child.body_seen == b'{"a": 1}'
    assert one.reasons() == [("young", "withhold")]


async def test_header_fields_are_removed(shop: MakeShop) -> None:
    one = shop(FIELDS)
    headers = [(b"x-email", b"a@b.example"), (b"x-gender", b"f"), (b"x", b"1"), (b"x-gender", b"m")]
    answer = await one.ask("POST", "/order", headers=headers, body=b'{"gender": 1, "a": 2}')
    assert (answer.app_values(b"x-gender"), answer.app_values(b"x"), answer.body_seen) == ([], [b"1"], b'{"a": 2}')
    assert {tag[1] for tag in tags(one.lines()[-1])} == {"header", "json"}


async def test_masks_hide_values_and_keep_members(shop: MakeShop) -> None:
    one = shop("- {id: hide, clause: C-3, for: field, match: {data: [email, birth]}, otherwise: mask}\n")
    one.reply = as_json(b'{"email": "a@b.example", "birth": 1990, "n": 1.10}')
    answer = await one.ask("GET", "/account")
    assert answer.body == b'{"email": "***", "birth": null, "n": 1.10}'
    assert one.reasons() == [("hide", "mask")]


async def test_a_path_cannot_lose_a_part_so_the_exchange_is_denied(shop: MakeShop) -> None:
    one = shop("- {id: no-name, clause: C-3, for: field, match: {data: name, carrier: path}}\n")
    answer = await one.ask("PUT", "/order/ann")
    assert (answer.status, answer.called) == (403, False)
    assert ("no-name", "deny") in one.reasons()
    assert b"ann" not in answer.body


MULTIPART = b"multipart/form-data; boundary=b"


async def test_multipart_fields_and_files_are_cut_out_with_every_duplicate(shop: MakeShop) -> None:
    one = shop(FIELDS)
    kept = (
        b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\nx@y.example\r\n',
        b'--b\r\nContent-Disposition: form-data; name="cv"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\ngender\r\n--c\r\n\r\n",
    )
    gone = (
        b'--b\r\nContent-Disposition: form-data; name="gender"\r\n\r\nf\r\n',
        b'--b\r\nContent-Disposition: form-data; name="gender"; filename="f.png"\r\n\r\n\x89PNG\r\n',
    )
    body = gone[0] + kept[0] + gone[1] + kept[1] + b"--b--\r\n"
    for chunks in cuts(body):
        answer = await one.ask("POST", "/order", body=chunks, kind=MULTIPART)
        assert answer.body_seen == b"".join(kept) + b"--b--\r\n"
        if answer.app_values(b"content-length"):
            assert answer.app_values(b"content-length") == [b"%d" % len(answer.body_seen)]
    line = one.lines()[-1]
    assert tags(line) == [("email", "multipart", "email", 1), ("gender", "multipart", "gender", 2)]
    assert one.reasons(line) == [("in-the-row", "withhold")]


async def test_a_multipart_body_that_may_stay_is_the_same_to_the_byte(shop: MakeShop) -> None:
    one = shop(FIELDS)
    body = b'\r\n--b\r\nContent-Disposition: form-data; name="email"\r\n\r\nf\r\n--b--'
    answer = await one.ask("POST", "/order", body=body, kind=MULTIPART)
    assert answer.body_seen == body
    assert tags(one.lines()[-1]) == [("email", "multipart", "email", 1)]


async def test_a_multipart_body_that_readers_could_take_for_two_is_refused(shop: MakeShop) -> None:
    one = shop(FIELDS)
    body = b'--b\r\nContent-Disposition: form-data; name="email"; name="gender"\r\n\r\nf\r\n--b--\r\n'
    answer = await one.ask("POST", "/order", body=body, kind=MULTIPART)
    assert (answer.status, answer.called) == (400, False)
    assert one.lines()[-1]["inspect"] == {"request": "malformed"}


async def test_tagging_alone_changes_nothing_and_is_told(shop: MakeShop) -> None:
    one = shop()
    one.reply = as_json(ORDER, cuts=(3, 9))
    answer = await one.ask("POST", "/order", body=[ORDER[:5], ORDER[5:]], length=False)
    assert answer.messages == one.reply.messages()
    assert answer.body_seen == ORDER
    (line,) = one.lines()
    assert line["why"] == []
    assert ("gender", "json", "$.gender", 4) in tags(line)


async def test_a_stream_on_a_tagged_route_is_told_before_and_after(shop: MakeShop) -> None:
    one = shop()
    one.reply = as_json(ORDER, cuts=(9,), length=False)
    told: list[int] = []
    await one.ask("GET", "/account", on_send=lambda message: told.append(len(one.lines())))
    assert told == [1, 1, 2]
    released, outcome = one.lines()
    assert released["inspect"] == {"response": "streamed"}
    assert (outcome["stage"], outcome["outcome"]) == ("outcome", "complete")


async def test_what_the_app_reads_after_its_answer_began_is_told_as_well(shop: MakeShop) -> None:
    one = shop()

    async def app(scope, receive, send):
        start, *parts = Reply(length=False).messages()
        await send(start)
        await receive()
        for part in parts:
            await send(part)

    one.inner = app
    await one.ask("POST", "/order", body=ORDER)
    line = one.lines()[-1]
    assert (line["stage"], line["outcome"]) == ("outcome", "read late")
    assert ("email", "json", "$.email", 1) in tags(line)


@pytest.mark.parametrize("fails", ["before", "after", "never answers"])
async def test_an_app_that_fails_leaves_a_line_of_what_it_was_given(shop: MakeShop, fails: str) -> None:
    one = shop(FIELDS)

    async def app(scope, receive, send):
        await receive()
        if fails == "after":
            await send(as_json(ORDER, length=False).messages()[0])
        if fails != "never answers":
            raise LookupError("a@b.example")

    one.inner = app
    if fails == "never answers":
        answer = await one.ask("POST", "/order", body=ORDER)
        assert answer.messages == []
    else:
        with pytest.raises(LookupError):
            await one.ask("POST", "/order", body=ORDER)
    (line,) = one.lines()
    assert (line["outcome"], one.reasons(line)) == ("failed", [("in-the-row", "withhold")])
    assert "a@b.example" not in one.trail().decode()


async def test_a_stream_that_breaks_off_is_told(shop: MakeShop) -> None:
    one = shop()

    async def app(scope, receive, send):
        for message in as_json(ORDER, cuts=(4,), length=False).messages()[:2]:
            await send(message)
        raise LookupError

    one.inner = app
    with pytest.raises(LookupError):
        await one.ask("GET", "/account")
    assert [line.get("outcome") for line in one.lines()] == [None, "aborted"]


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
async def test_a_file_sent_past_a_guard_is_not_sent(shop: MakeShop, kind: str) -> None:
    one = shop(FIELDS)

    async def app(scope, receive, send):
        await send(as_json(ORDER).messages()[0])
        await send({"type": kind, "path": "/srv/secret.json", "file": 3})

    one.inner = app
    answer = await one.ask("GET", "/account")
    assert answer.status == 502
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]
    line = one.lines()[-1]
    assert (line["status"], line["app_status"], line["inspect"]) == (502, 200, {"response": "not in the response"})


async def test_a_file_is_sent_where_it_was_only_to_be_tagged(shop: MakeShop) -> None:
    one = shop()
    file = {"type": "http.response.pathsend", "path": "/srv/file.json"}

    async def app(scope, receive, send):
        await send(as_json(ORDER).messages()[0])
        await send(file)

    one.inner = app
    answer = await one.ask("GET", "/account")
    assert answer.messages == [as_json(ORDER).messages()[0], file]
    assert one.lines()[-1]["inspect"] == {"response": "not in the response"}


async def test_a_body_without_length_is_read_on_http_2(shop: MakeShop) -> None:
    one = shop(FIELDS)
    answer = await one.ask("POST", "/order", body=ORDER, http_version="2", length=None)
    assert answer.body_seen == LEFT


NAMES = st.sampled_from(["email", "gender", "GENDER", "n", "x-gender", "note"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def _without_gender(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_gender(one) for key, one in value.items() if key.lower() not in ("gender", "x-gender")}
    return [_without_gender(one) for one in value] if isinstance(value, list) else value


def test_what_is_left_of_any_json_is_what_may_be_left(tmp_path_factory: pytest.TempPathFactory) -> None:
    home: Path = tmp_path_factory.mktemp("home")
    with Shop(home / "h", policy_text(FIELDS)).closing() as one:

        @given(st.dictionaries(NAMES, VALUES, max_size=4), st.integers(0, 60), st.booleans())
        @settings(max_examples=120)
        def check(value: dict[str, object], at: int, spaced: bool) -> None:
            body = json.dumps(value, separators=(", ", " : ") if spaced else (",", ":")).encode()
            answer = run(one.ask("POST", "/order", body=[body[:at], body[at:]]))
            assert json.loads(answer.body_seen) == _without_gender(value)
            one.reply = as_json(body)
            assert json.loads(run(one.ask("GET", "/account")).body) == _without_gender(value)

        check()


PARTS = """
- {id: grown-up, clause: C-8, for: exchange, match: {under: 18}, otherwise: deny}
- {id: in-the-row, clause: C-3, for: field, only-if: {data: of-purpose}}
"""


@pytest.mark.parametrize(
    ("kind", "body", "called"),
    [
        (b"application/json", b'{"birth": {"year": 2010, "month": 5, "day": 5}}', False),
        (b"application/json", b'{"birth": {"year": 1990, "month": 5, "day": 5}}', True),
        (b"application/x-www-form-urlencoded", b"birth[year]=2010&birth[month]=5&birth[day]=5", False),
        (b"application/x-www-form-urlencoded", b"birth%5Bday%5D=5&birth%5Byear%5D=1990&birth%5Bmonth%5D=5", True),
        (b"application/x-www-form-urlencoded", b"birth[year]=1990&birth[year]=2010", False),
        (b"application/x-www-form-urlencoded", b"birth=1990-05-05&birth=2010-05-05", False),
    ],
)
async def test_a_birth_date_in_parts_is_one(shop: MakeShop, kind: bytes, body: bytes, called: bool) -> None:
    one = shop(PARTS)
    answer = await one.ask("POST", "/order", body=body, kind=kind)
    assert (answer.called, answer.status) == (called, 200 if called else 403)


async def test_an_object_under_a_declared_name_goes_as_a_whole(shop: MakeShop) -> None:
    one = shop(PARTS)
    body = {"name": {"first": "Ann"}, "gender": {"is": "f", "said": [{"by": "her"}]}, "n": [1]}
    assert json.loads((await one.ask("POST", "/order", json_body=body)).body_seen) == {"name": body["name"], "n": [1]}
    one.reply = as_json(body)
    for _ in range(2):  # the second from what the lane has learned
        assert json.loads((await one.ask("GET", "/account")).body) == {"name": body["name"], "n": [1]}
    assert ("in-the-row", "withhold") in one.reasons()
    one.reply = as_json(body)
    assert json.loads((await one.ask()).body) == body, "a route without purpose knows strong names alone"


async def test_what_holds_records_is_no_field_itself(shop: MakeShop) -> None:
    routes = ROUTES + "    'GET /all': {purpose: sale, records: '$.gender[*]'}\n"
    one = shop(PARTS, routes=routes)
    one.reply = as_json({"gender": [{"name": "Ann", "gender": "f"}]})
    assert json.loads((await one.ask("GET", "/all")).body) == {"gender": [{"name": "Ann"}]}

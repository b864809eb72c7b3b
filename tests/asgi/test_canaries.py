"""Values never travel: canaries planted everywhere are found nowhere that Troth writes, logs, raises or answers."""

from __future__ import annotations

import base64
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

import troth
from tests.asgi.conftest import MakeShop
from tests.asgi.test_websocket import ACCEPT, Talk
from tests.asgi.wire import HOST, POLICY, Answer, Shop, as_json, policy_text, read
from troth.errors import TrothError

PLACES = (
    "body-value", "body-name", "query-value", "query-name", "header-value", "header-name", "cookie-value",
    "cookie-name", "path", "set-cookie-value", "set-cookie-name", "answer-value", "answer-name", "answer-header",
    "error", "hook", "actor", "known", "host", "choice", "method", "form-value", "form-name", "part-value", "part-name",
    "content-type", "person", "region", "topic", "etag", "subprotocol", "mail",
)  # fmt: skip
CANARY = {place: f"Zq{n:02d}Kanarie+/ {place}" for n, place in enumerate(PLACES)}
"""Each has capitals, a space and signs that codes change, and says where it was planted."""
NAME = {place: text.replace("+/ ", "_") for place, text in CANARY.items()}
"""The same where only letters may stand."""

RULES = """
- {id: wait, clause: C-1, for: cookie, match: {basis: consent}, only-if: {consent: of-purpose}}
- {id: rows, clause: C-2, for: cookie, only-if: {purpose: declared}, otherwise: [withhold, alert]}
- {id: row, clause: C-3, for: field, match: {not: {data: undeclared}}, only-if: {data: of-purpose}}
- {id: odd, clause: C-4, for: field, match: {data: undeclared}}
- {id: stats, clause: C-5, for: exchange, match: {purpose: analytics}, otherwise: deny}
- {id: path, clause: C-6, for: field, match: {data: name, carrier: path}}
- {id: mail, clause: C-7, for: cookie, match: {data: email}, otherwise: deny}
- {id: own-only, clause: C-8, for: exchange, match: {route: mine}, only-if: {actor: subject}, otherwise: deny}
- {id: gate, clause: C-9, for: element, match: {party: any}, only-if: {consent: ads}}
- {id: fresh, clause: C-9, for: page, expect: {header: {x-frame-options: deny}}, otherwise: amend}
"""
BINDING = f"""
binding:
  routes:
    'GET /': {{audience: public}}
    'POST /order': {{purpose: sale, subject: body.customer}}
    'POST /free': {{purpose: query.why}}
    'PUT /order/{{name}}': {{purpose: sale}}
    'GET /account': {{purpose: sale}}
    'GET /stats': {{purpose: analytics}}
    'GET /mine/{{who}}': {{purpose: sale, tag: mine, subject: path.who}}
    'POST /contact': {{tag: contact, purpose: sale}}
  region: header.x-region
  credentials: {{header.x-key: party}}
  actor: {{before: '{__name__}:before', known: [name]}}
  state: '{__name__}:states'
"""
STATES = POLICY.replace("  cookies:", "  states: {restricted: {}}\n  cookies:").replace(
    "fields: [name]", "fields: [name], probe: known"
)
HERE: dict[str, Any] = {"who": None}


def before(scope: Any) -> Any:
    match HERE["who"]:
        case "fails":
            raise LookupError(CANARY["hook"])
        case "nonsense":
            return {"id": 1, "roles": 5, "verified": CANARY["hook"], "known": [CANARY["hook"]]}
        case "somebody":
            return {"id": CANARY["actor"], "roles": ["member"], "known": {"name": CANARY["known"]}}
        case _:
            return None


def states(ids: Any) -> Any:
    if HERE["who"] == "fails":
        raise LookupError(CANARY["hook"])
    return {one: [CANARY["hook"]] for one in ids}


def forms(text: str) -> Iterator[bytes]:
    """Yield how a text may stand in bytes: plain, percent-coded, base64 at each offset, in lower case."""
    raw = text.encode()
    for one in {text, quote(text), quote(text, safe=""), quote_plus(text)}:
        yield one.encode().lower()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        yield coded[4 * (shift > 0) : len(coded) - 4]
    yield raw.hex().encode()


NEEDLES = tuple({(place, form) for place in PLACES for text in (CANARY[place], NAME[place]) for form in forms(text)})


def assert_clean(where: str, data: bytes) -> None:
    lower = data.lower()
    for place, form in NEEDLES:
        assert form not in data, f"{place} in {where}"
    for n, place in enumerate(PLACES):
        assert f"zq{n:02d}kanarie".encode() not in lower, f"{place} in {where}"


@pytest.mark.parametrize("wrap", [str, str.lower, str.upper, quote, quote_plus, lambda text: text.encode().hex()])
@pytest.mark.parametrize("place", ["body-value", "hook"])
def test_a_canary_would_be_found(place: str, wrap: Any) -> None:
    for text in (CANARY[place], NAME[place]):
        coded = [base64.b64encode(b"x" * n + text.encode() + b"yz") for n in range(3)]
        for data in (wrap(text).encode(), *coded):
            with pytest.raises(AssertionError):
                assert_clean("a test", b"before" + data + b"after")


def assert_files_clean(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert_clean(path.name, path.read_bytes())


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[TrothError]:
    """Return every exception of Troth's own that was made."""
    made: list[TrothError] = []
    original = TrothError.__init__

    def remember(self: TrothError, *arguments: object) -> None:
        made.append(self)
        original(self, *arguments)

    monkeypatch.setattr(TrothError, "__init__", remember)
    return made


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with canaries in everything that an app can say."""
    await read(receive)
    if scope["path"] == "/fails":
        raise LookupError(CANARY["error"])
    reply = as_json({"gender": CANARY["answer-value"], NAME["answer-name"]: CANARY["answer-value"]})
    if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
        reply.kind = b"text/html"
    reply.headers = [
        (b"set-cookie", f"_ga={NAME['set-cookie-value']}; Path=/".encode()),
        (b"set-cookie", f"{NAME['set-cookie-name']}=1; Domain={NAME['set-cookie-value']}".encode()),
        (b"x-answer", CANARY["answer-header"].encode()),
        (NAME["answer-header"].lower().encode(), b"1"),
        (b"etag", f'"{NAME["etag"]}"'.encode()),
    ]
    for message in reply.messages():
        await send(message)


def head() -> list[tuple[bytes, bytes]]:
    cookies = (
        f"{NAME['cookie-name']}=1; _ga={NAME['cookie-value']}; session={NAME['cookie-value']}; {NAME['cookie-name']}"
    )
    return [
        (b"cookie", cookies.encode()),
        (b"x-gender", CANARY["header-value"].encode()),
        (b"x-email", f"{NAME['mail']}@example.org".encode()),
        (NAME["header-name"].lower().encode(), CANARY["header-value"].encode()),
        (b"x-region", CANARY["region"].encode()),
        (b"if-none-match", f'"{NAME["etag"]}~c.0123456789ab"'.encode()),
        (b"user-agent", CANARY["header-value"].encode()),
        (b"referer", f"https://x.example/{NAME['query-value']}".encode()),
    ]


def bodies() -> list[tuple[bytes, bytes]]:
    value, name = CANARY["body-value"], NAME["body-name"]
    json_body = (
        f'{{"gender": "{value}", "{name}": 1, "email": "{NAME["mail"]}@x.example", "customer": "{CANARY["person"]}"}}'
    )
    form = f"gender={quote(CANARY['form-value'])}&{NAME['form-name']}=1"
    part = (
        f'--b\r\nContent-Disposition: form-data; name="{NAME["part-name"]}"\r\n\r\n{CANARY["part-value"]}\r\n--b--\r\n'
    )
    return [
        (b"application/json", json_body.encode()),
        (b"application/json", json_body[:-3].encode()),
        (b"application/json", json_body.encode() + b"\xff"),
        (b"application/json", json_body.encode() * 2000),
        (f"application/json; charset={NAME['content-type']}".encode(), json_body.encode("utf-16")),
        (b"application/x-www-form-urlencoded", form.encode()),
        (b"application/x-www-form-urlencoded", form.encode() + b"%00\0"),
        (b"multipart/form-data; boundary=b", part.encode()),
        (f"multipart/form-data; boundary={NAME['content-type']}".encode(), part.encode()),
    ]


async def walk(one: Shop) -> list[Answer]:
    """Send canaries every way there is; returns the answers that Troth made itself."""
    one.inner = app
    made: list[Answer] = []
    query = f"gender={quote(CANARY['query-value'])}&{NAME['query-name']}=1&why={quote(CANARY['topic'])}"
    asks = [
        ("GET", "/"), ("GET", "/account"), ("GET", "/stats"), ("HEAD", "/stats"), ("PUT", f"/order/{NAME['path']}"),
        ("GET", f"/mine/{quote(CANARY['path'])}"), ("GET", f"/{NAME['path']}"), (NAME["method"], "/account"),
        ("POST", "/free"), ("GET", "/fails"),
    ]  # fmt: skip
    for method, path in asks:
        for accept in (b"text/html", b"application/json"):
            for host in (HOST, NAME["host"].encode() + b".example"):
                try:
                    headers = [*head(), (b"accept", accept)]
                    answer = await one.ask(method, f"{path}?{query}", headers=headers, host=host)
                except LookupError:
                    continue
                made += [answer] if not answer.called else []
    for path in ("/order", "/contact", "/free", "/.privacy/accept", "/.privacy/refuse", "/.privacy/withdraw"):
        for kind, body in bodies():
            answer = await one.ask("POST", path, headers=head(), body=[body[:20], body[20:]], kind=kind)
            made += [answer] if not answer.called else []
    for value in ({"consents": [CANARY["choice"]]}, {"consents": {NAME["choice"]: 1}}, [CANARY["choice"]]):
        made.append(await one.ask("POST", "/.privacy/accept", headers=head(), json_body=value))
    for path in ("state", "policy", NAME["path"]):
        answer = await one.ask("GET", f"/.privacy/{path}?{query}", headers=head())
        made += [answer] if not answer.called else []
    made.append(await one.ask("POST", "/.privacy/accept", headers=[(b"origin", b"https://" + NAME["host"].encode())]))
    mail = [(b"cookie", f"session={quote(NAME['mail'])}%40example.org".encode())]
    made.append(await one.ask("GET", "/", headers=mail))
    return made


@pytest.mark.parametrize("who", [None, "somebody", "fails", "nonsense"])
async def test_no_canary_leaves_the_exchange_it_was_planted_in(
    shop: MakeShop,
    who: str | None,
    tmp_path: Path,
    raised: list[TrothError],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    HERE["who"] = who
    one = shop(text=policy_text(RULES, BINDING, STATES))
    made = await walk(one)
    talk = Talk(one, ACCEPT, fails=True)
    with pytest.raises(LookupError):
        await talk.run(f"/stats2?{NAME['query-name']}=1", *head(), subprotocols=[CANARY["subprotocol"]])
    refused = await Talk(one, ACCEPT).run(f"/stats?{NAME['query-name']}=1", *head(), offered=True)
    one.close()

    assert len(made) > 40
    assert {answer.status for answer in made} >= {200, 400, 403, 413}
    for answer in made:
        assert_clean(f"an answer of {answer.status}", repr(answer.messages).encode() + answer.body)
    assert_clean("a denied handshake", repr(refused.out).encode())
    assert len(one.lines()) > 40
    assert_files_clean(tmp_path)
    assert_clean("the log", caplog.text.encode())
    printed = capfd.readouterr()
    assert_clean("what was printed", (printed.out + printed.err).encode())
    for error in raised:
        assert_clean("an exception", "".join(traceback.format_exception(error)).encode() + repr(vars(error)).encode())


async def test_headers_that_troth_adds_hold_no_canary(shop: MakeShop) -> None:
    HERE["who"] = None
    one = shop(text=policy_text(RULES, BINDING, STATES))
    one.inner = app
    consent = await one.choose("refuse")
    headers = [*head(), (b"accept", b"text/html"), (b"cookie", consent + b"; _ga=1")]
    answer = await one.ask("GET", "/", headers=headers)
    sent = {
        (b"x-answer", CANARY["answer-header"].encode()),
        (NAME["answer-header"].lower().encode(), b"1"),
    }
    ours = [pair for pair in answer.headers if pair not in sent and pair[0] != b"etag"]
    assert {name for name, _ in ours} >= {b"content-security-policy", b"x-frame-options", b"set-cookie", b"vary"}
    assert_clean("headers", repr(ours).encode())


async def test_no_id_of_a_person_is_kept_by_the_ledger_or_told(shop: MakeShop, tmp_path: Path) -> None:
    HERE["who"] = "somebody"
    policy = STATES.replace("consents: {", "consents: {program: {holder: person}, ")
    one = shop(text=policy_text(RULES, BINDING, policy))

    async def recording(scope: Any, receive: Any, send: Any) -> None:
        await troth.consent(scope).record("program", form="click")
        await app(scope, receive, send)

    one.inner = recording
    await one.ask("GET", "/account", headers=head())
    one.inner = app
    assert any(line["kind"] == "consent" for line in one.lines())
    one.close()
    assert_files_clean(tmp_path)

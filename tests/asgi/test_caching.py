"""What depends on consent is kept from caches, and validators of another consent earn nothing."""

from __future__ import annotations

from tests.asgi.conftest import MakeShop
from tests.asgi.wire import COOKIES, Reply, as_json

PLAIN = [(b"etag", b'"v1"'), (b"cache-control", b"public, max-age=60"), (b"vary", b"Accept")]
GA = (b"set-cookie", b"_ga=1; Path=/")
VARIED = [b"Accept, Cookie, Sec-GPC"]
CONSENTED = """
- id: stats-wait
  clause: C-5
  for: field
  match: {data: gender}
  only-if: {consent: analytics}
"""
GATES = "- {id: gate, clause: C-6, for: element, match: {party: any}, only-if: {consent: ads}}\n"


async def test_an_answer_that_depends_on_consent_says_so(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=[*PLAIN, GA, (b"cdn-cache-control", b"max-age=9")])
    answers = {"nobody asked": await one.ask()}
    for act in ("accept", "refuse"):
        answers[act] = await one.ask(headers=[(b"cookie", await one.choose(act))])
    tags = set()
    for answer in answers.values():
        assert answer.values(b"vary") == VARIED
        assert answer.values(b"cache-control") == [b"private, max-age=60"]
        assert answer.values(b"cdn-cache-control") == []
        (etag,) = answer.values(b"etag")
        assert etag.startswith(b'"v1~c.')
        tags.add(etag)
    assert len(tags) == 3, "three consents, three validators"


async def test_an_answer_that_does_not_depend_on_it_stays_as_it_is(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=[*PLAIN, (b"set-cookie", b"session=1")])
    answer = await one.ask(headers=[(b"cookie", b"_ga=1; undeclared=2")])
    assert answer.messages == one.reply.messages(), "stripping what came in alone does not count"


async def test_no_store_stays(shop: MakeShop) -> None:
    one = shop(COOKIES)
    one.reply = Reply(headers=[(b"cache-control", b"no-store"), GA])
    assert (await one.ask()).values(b"cache-control") == [b"no-store"]


async def test_json_whose_fields_depend_on_consent(shop: MakeShop) -> None:
    one = shop(CONSENTED)
    one.reply = as_json({"gender": "f", "n": 1}, headers=PLAIN)
    without = await one.ask("GET", "/account")
    consent = await one.choose("accept")
    given = await one.ask("GET", "/account", headers=[(b"cookie", consent)])
    assert (without.body, given.body) == (b'{"n": 1}', b'{"gender": "f", "n": 1}')
    for answer in (without, given):
        assert answer.values(b"vary") == VARIED
        assert answer.values(b"etag")[0].startswith(b'"v1~c.')
    assert without.values(b"etag") != given.values(b"etag")


async def test_a_validator_of_another_consent_earns_no_304(shop: MakeShop) -> None:
    one = shop(GATES)
    one.reply = Reply(kind=b"text/html", headers=PLAIN)
    html = (b"accept", b"text/html")
    first = await one.ask(headers=[html])
    (mine,) = first.values(b"etag")
    again = await one.ask(headers=[html, (b"if-none-match", mine), (b"if-modified-since", b"Mon, 04 May 2026")])
    assert again.app_values(b"if-none-match") == [b'"v1"']
    assert again.app_values(b"if-modified-since") == []
    consent = await one.choose("accept")
    other = await one.ask(headers=[html, (b"if-none-match", mine), (b"cookie", consent)])
    assert other.app_values(b"if-none-match") == []


async def test_a_304_carries_the_marked_validator(shop: MakeShop) -> None:
    one = shop(GATES)
    one.reply = Reply(body=b"", status=304, headers=PLAIN, kind=b"text/html", length=False)
    answer = await one.ask(headers=[(b"accept", b"text/html")])
    assert answer.status == 304
    assert answer.values(b"etag")[0].startswith(b'"v1~c.')


async def test_a_marked_validator_is_understood_whatever_is_asked_for(shop: MakeShop) -> None:
    one = shop(CONSENTED)
    one.reply = as_json({"gender": "f"}, headers=PLAIN)
    (mine,) = (await one.ask("GET", "/account")).values(b"etag")
    again = await one.ask("GET", "/account", headers=[(b"if-none-match", mine)])
    assert again.app_values(b"if-none-match") == [b'"v1"']
    consent = await one.choose("accept")
    other = await one.ask("GET", "/account", headers=[(b"if-none-match", mine), (b"cookie", consent)])
    assert other.app_values(b"if-none-match") == []


async def test_a_write_is_guarded_by_the_apps_own_validator(shop: MakeShop) -> None:
    one = shop(CONSENTED)
    headers = [(b"if-match", b'"v1~c.0123456789ab", W/"v2"')]
    answer = await one.ask("PUT", "/order/x", headers=headers)
    assert answer.app_values(b"if-match") == [b'"v1", W/"v2"']


async def test_third_parties_are_held_back_beside_the_apps_own_policy(shop: MakeShop) -> None:
    one = shop(GATES)
    own = (b"content-security-policy", b"default-src 'self' https://cdn.example; script-src 'nonce-x'")
    one.reply = Reply(kind=b"text/html; charset=utf-8", headers=[own])
    answer = await one.ask()
    policies = answer.values(b"content-security-policy")
    assert policies[0] == own[1]
    assert len(policies) == 2
    assert b"'unsafe-inline'" in policies[1]
    assert b"undeclared.invalid" not in policies[1]
    consent = await one.choose("accept")
    granted = await one.ask(headers=[(b"cookie", consent)])
    assert granted.values(b"content-security-policy") == [own[1]]
    assert granted.values(b"vary") == [b"Cookie, Sec-GPC"]


async def test_only_pages_get_a_policy(shop: MakeShop) -> None:
    one = shop(GATES)
    one.reply = Reply(kind=b"image/png")
    assert (await one.ask()).messages == one.reply.messages()


async def test_header_duties_are_added_once(shop: MakeShop) -> None:
    rules = (
        "- {id: frames, clause: C, for: page, expect: {header: {x-frame-options: deny}}, otherwise: amend}\n"
        "- {id: hsts, clause: C, for: exchange, expect: {header: {strict-transport-security: max-age=60}},"
        " otherwise: amend}\n"
    )
    one = shop(rules)
    one.reply = Reply(kind=b"text/html")
    answer = await one.ask()
    assert answer.values(b"x-frame-options") == [b"deny"]
    assert answer.values(b"strict-transport-security") == [b"max-age=60"]
    assert sorted(one.reasons()) == [("frames", "amend"), ("hsts", "amend")]
    one.reply = Reply(
        kind=b"text/html", headers=[(b"X-Frame-Options", b"DENY"), (b"strict-transport-security", b"max-age=99")]
    )
    before = len(one.lines())
    assert (await one.ask()).messages == one.reply.messages()
    assert len(one.lines()) == before


async def test_withdrawal_clears_the_cache(shop: MakeShop) -> None:
    one = shop(COOKIES)
    consent = await one.choose("accept")
    answer = await one.ask("POST", "/.privacy/withdraw", headers=[(b"cookie", consent)], json_body={})
    assert answer.values(b"clear-site-data") == [b'"cache"']
    assert answer.values(b"cache-control") == [b"no-store"]

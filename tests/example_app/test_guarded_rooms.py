"""Downloads, forum, rights and back office under the Toontrack policy: what people demand is kept, by all who ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from example_app.app import create_app
from example_app.seed import PARTNER_KEYS
from example_app.tokens import AGREE

TOO_MUCH = {"date_of_birth", "gender"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TROTH_HOME", str(tmp_path / "home"))
        yield create_app(database=tmp_path / "shop.sqlite3")


def events(tmp_path: Path) -> list[tuple[str, str]]:
    """Return what the trail tells of events: which, and on which route."""
    return [(line["event"], line["route"]) for line in lines(tmp_path) if "event" in line and "route" in line]


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """Return the trail's lines."""
    paths = sorted((tmp_path / "home" / "trail").glob("access-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def as_party(name: str) -> dict[str, str]:
    return {"x_api_key": PARTNER_KEYS[name], "accept": "application/json"}


async def test_downloads_arrive_byte_for_byte(ann: Any) -> None:
    assert "NK4F-7Q2M-88TD" in (await ann.get("/account/downloads")).text
    assert (await ann.get("/downloads/DL-NORRLAND")).body.startswith(b"PK")


async def test_forum_works_for_who_refuses_everything(ann: Any, visitor: Any) -> None:
    await ann.form("/.privacy/refuse", return_to="/choices/saved")
    begun = await ann.form("/forum", title="Hats", username="ann_l", body="Too loud?")
    assert begun.status == 303
    assert "ann_l" in (await visitor.get(begun.location)).text


async def test_restriction_hides_people_from_staff_and_not_from_themselves(ann: Any, erik: Any, tmp_path: Path) -> None:
    assert {"c-1001", "c-1002", "c-1003"} == await listed(erik, "/admin/people", "people")
    assert (await ann.form("/account/rights/restriction", restrict="on")).status == 303
    assert {"c-1002", "c-1003"} == await listed(erik, "/admin/people", "people")
    orders = (await erik.get("/internal/orders")).json["orders"]
    assert {order["customer"] for order in orders} == {"c-1002"}
    assert (await ann.get("/api/account")).json["email"] == "ann@example.org"
    assert (await ann.get("/api/orders")).json["orders"]
    assert (await ann.form("/account/rights/restriction", restrict="off")).status == 303
    assert {"c-1001", "c-1002", "c-1003"} == await listed(erik, "/admin/people", "people")
    route = "POST /account/rights/restriction"
    assert [event for event, on in events(tmp_path) if on == route] == [
        "state-set", "restriction-requested", "state-cleared", "restriction-requested",
    ]  # fmt: skip


async def test_who_objects_is_not_invited_any_more(ann: Any, erik: Any) -> None:
    assert {"c-1001", "c-1003"} == await listed(erik, "/admin/invitations", "invited")
    assert (await ann.form("/account/rights/objection", purpose="customer-survey")).status == 303
    assert {"c-1003"} == await listed(erik, "/admin/invitations", "invited")
    assert {"c-1001", "c-1002", "c-1003"} == await listed(erik, "/admin/people", "people")


async def listed(browser: Any, path: str, name: str) -> set[str]:
    """Return who stands in an answer, and see that nothing does that nobody needs."""
    answer = await browser.get(path)
    assert answer.status == 200, answer.text
    assert not any(TOO_MUCH & set(person) for person in answer.json[name])
    return {person["id"] for person in answer.json[name]}


async def test_a_profile_is_put_right_and_told_as_a_request(ann: Any, tmp_path: Path) -> None:
    given = {"name": "Ann Lind", "email": "ann@example.org", "phone": "+46 1", "address": "Nygatan 1"}
    assert (await ann.form("/account/rights/rectification", **given)).status == 303
    assert (await ann.get("/api/account")).json["name"] == "Ann Lind"
    assert ("rectification-requested", "POST /account/rights/rectification") in events(tmp_path)


async def test_erasure_is_told_and_ends_the_account(ann: Any, tmp_path: Path) -> None:
    assert (await ann.form("/account/rights/erasure")).status == 303
    assert (await ann.get("/api/account", accept="*/*")).status == 401
    told = [event for event, route in events(tmp_path) if route == "POST /account/rights/erasure"]
    assert told == ["state-set", "erasure-requested"]


async def test_an_answer_to_a_request_is_told_of_the_one_who_asked(ann: Any, erik: Any, tmp_path: Path) -> None:
    await ann.form("/account/rights/access")
    assert (await erik.form("/admin/requests/1")).status == 303
    asked, answered = (
        next(line for line in lines(tmp_path) if line.get("event") == event) for event in ("access-requested", "done")
    )
    assert answered["route"] == "POST /admin/requests/{id}"
    assert answered["subj"] == [asked["actor"]["ref"]]
    assert answered["actor"]["ref"] != asked["actor"]["ref"]


async def test_own_copy_is_whole_even_when_restricted(ann: Any) -> None:
    await ann.form("/account/rights/restriction", restrict="on")
    copy = await ann.get("/account/export")
    assert copy.status == 200
    assert set(copy.json) >= {*TOO_MUCH, "email", "orders"}


async def test_a_program_gets_who_entered_it_and_only_while_they_are_in(ann: Any, visitor: Any) -> None:
    async def members() -> list[dict[str, Any]]:
        answer = await visitor.get("/partner/p1/members", **as_party("p1"))
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json["members"]
        return found

    assert await members() == []
    assert (await ann.form("/account/programs", party="p1", act="join")).status == 303
    (member,) = await members()
    assert (member["name"], member["email"]) == ("Ann Lindqvist", "ann@example.org")
    assert not {*TOO_MUCH, "phone", "address"} & set(member)
    assert (await ann.form("/account/programs", party="p1", act="leave")).status == 303
    assert await members() == []


async def test_a_program_says_nothing_for_another_partner(ann: Any, visitor: Any) -> None:
    await ann.form("/account/programs", party="p1", act="join")
    answer = await visitor.get("/partner/artist/members", **as_party("artist"))
    assert answer.json["members"] == []
    assert (await visitor.get("/partner/artist/members", **as_party("p1"))).status == 403


async def test_a_copy_goes_to_whom_its_owner_names(ann: Any, visitor: Any, tmp_path: Path) -> None:
    path = "/partner/artist/copies/c-1001"
    assert (await visitor.get(path, **as_party("artist"))).status == 403
    assert (await ann.form("/account/rights/portability", party="artist")).status == 303
    copy = await visitor.get(path, **as_party("artist"))
    assert copy.status == 200
    assert copy.json["email"] == "ann@example.org"
    assert (await visitor.get("/partner/artist/copies/c-1002", **as_party("artist"))).status == 403
    assert ("portability", "POST /account/rights/portability") in events(tmp_path)


async def test_analysts_get_counts_of_ten_and_more_or_nothing(visitor: Any) -> None:
    kinds = await visitor.get("/partner/m2/figures", **as_party("m2"))
    assert [row["buyers"] for row in kinds.json["figures"]] == [412, 198, 243]
    towns = await visitor.get("/partner/m2/figures?by=town", **as_party("m2"))
    assert towns.status == 403
    assert "Arvidsjaur" not in towns.text


async def test_the_post_office_brings_addresses_and_nothing_else(visitor: Any, erik: Any, shop: Any) -> None:
    sent = {
        "customer": "c-1001",
        "address": "Strandgatan 5",
        "phone": "+46 70 000 00 00",
        "date_of_birth": "1988-04-17",
    }
    assert (await visitor.post("/import/addresses", sent, **as_party("postal-service"))).status == 200
    with shop.state.shop.people._database.reading() as connection:
        (kept,) = [row["body"] for row in connection.execute("SELECT body FROM inbox WHERE kind = 'import'")]
    assert json.loads(kept) == {"customer": "c-1001", "address": "Strandgatan 5"}
    assert (await visitor.post("/import/addresses", sent, **as_party("shipper"))).status == 403
    assert (await visitor.post("/import/addresses", sent, accept="*/*")).status in (401, 403)


async def test_leaving_the_newsletter_needs_the_link_alone(visitor: Any, shop: Any) -> None:
    assert (await visitor.form("/newsletter", email="eve@example.org")).status == 303
    token = shop.state.shop.people.subscribe("eve@example.org")
    await visitor.form("/.privacy/refuse", return_to="/")
    assert (await visitor.get(f"/unsubscribe?t={token}")).status == 200
    assert (await visitor.form(f"/unsubscribe?t={token}")).status == 303
    held = await choices(shop, "eve@example.org")
    assert [choice.state for choice in held] == ["withdrawn"]
    assert (await visitor.form("/unsubscribe?t=made-up")).status == 404


async def choices(shop: Any, person: str) -> list[Any]:
    guard = shop.middleware_stack.app
    while not hasattr(guard, "runtime"):
        guard = guard.app
    found = guard.runtime.ledger.choices_of([person])[person]
    return list(found.of("marketing-email"))


async def test_a_guardian_agrees_without_an_account(visitor: Any, ann: Any, shop: Any, tmp_path: Path) -> None:
    assert (await ann.form("/account/guardian", email="parent@example.org")).status == 303
    token = shop.state.shop.tokens.sign(AGREE, "c-1001")
    assert (await visitor.get(f"/guardian?t={token}")).status == 200
    assert (await visitor.form(f"/guardian?t={token}", agree="yes")).status == 303
    assert ("state-set", "POST /guardian") in events(tmp_path)
    assert (await visitor.form("/guardian?t=made-up", agree="yes")).status == 403, "whose child it is cannot be told"
    assert "We do not know that link." in (await visitor.get("/guardian?t=made-up")).text


async def test_a_child_is_not_registered_and_a_birth_date_is_not_taken_in(visitor: Any) -> None:
    given = {
        "name": "Kim",
        "email": "kim@example.org",
        "phone": "1",
        "address": "Here 1",
        "password": "brushes-and-bells",
    }
    assert (await visitor.form("/register", **given, date_of_birth="2019-02-03")).status == 403
    assert (await visitor.form("/login", email="kim@example.org", password=given["password"])).status == 401
    assert (await visitor.form("/register", **given, date_of_birth="1990-02-03")).status == 303
    copy = (await visitor.get("/account/export")).json
    assert (copy["email"], copy["date_of_birth"]) == ("kim@example.org", None)


async def test_back_rooms_are_closed_to_customers(ann: Any) -> None:
    for path in ("/admin", "/admin/people", "/admin/invitations"):
        assert (await ann.get(path, accept="application/json")).status == 403

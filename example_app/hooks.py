"""What the binding asks of the shop: who is acting, and how some people stand."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, date, datetime
from urllib.parse import parse_qs

from itsdangerous import BadSignature, TimestampSigner
from starlette.requests import cookie_parser

from example_app.clock import now
from example_app.models import Customer
from example_app.shop import Shop
from example_app.tokens import AGREE

SESSION_KEPT = 14 * 24 * 60 * 60
_shops: list[Shop] = []


def serve(shop: Shop) -> None:
    """Say which shop the hooks of this process answer for: the one put together last."""
    _shops[:] = [shop]


def actor(scope: MutableMapping[str, object]) -> Mapping[str, object] | None:
    """Who acts, or None for a visitor: id, roles, proof of identity, and the values that identify them.

    Works before the app, when the session is still a signed cookie, and after it.
    """
    session = scope.get("session")
    held = session if isinstance(session, Mapping) else _session(scope)
    customer = _shops[0].people.customer(str(held["customer"])) if "customer" in held else None
    if customer is None:
        return None
    return {
        "id": customer.id,
        "roles": [customer.role] if customer.role == "staff" else [],
        "account": True,
        "verified": _moment(held.get("signed_in")),
        "known": _known(customer),
    }


def states(ids: Sequence[str]) -> Mapping[str, Sequence[object]]:
    """How some people stand, by id: names of states, those with a parameter as a pair, and the age in years."""
    people = _shops[0].people
    found: dict[str, list[object]] = {person: [] for person in ids}
    for person, state, parameter in people.standing(ids):
        found[person].append({state: parameter} if parameter else state)
    for person, born in people.born(ids):
        found[person].append({"age": _age(date.fromisoformat(born))})
    return found


def leaving(scope: Mapping[str, object]) -> str | None:
    """Whose mail the link in a request ends, or None: the address that its token was made for."""
    return _shops[0].people.subscriber(_token(scope))


def child(scope: Mapping[str, object]) -> str | None:
    """For whom a guardian speaks, or None: the customer that the token of the link was signed for."""
    return _shops[0].tokens.person(AGREE, _token(scope))


def asking(scope: Mapping[str, object]) -> str | None:
    """Whose request it is that staff marks as answered, or None: the customer of the ticket in the path."""
    number = str(scope.get("path", "")).rpartition("/")[2]
    return _shops[0].desk.asked_by(int(number)) if number.isdecimal() and len(number) < 10 else None


def _token(scope: Mapping[str, object]) -> str:
    query = scope.get("query_string", b"")
    return parse_qs(query.decode("latin-1") if isinstance(query, bytes) else "").get("t", [""])[0]


def _session(scope: Mapping[str, object]) -> Mapping[str, object]:
    headers = scope.get("headers")
    pairs = headers if isinstance(headers, list) else []
    sent = "; ".join(value.decode("latin-1") for name, value in pairs if name == b"cookie")
    cookie = cookie_parser(sent).get("session", "")
    try:
        session = json.loads(b64decode(TimestampSigner(_shops[0].secret).unsign(cookie, max_age=SESSION_KEPT)))
    except (BadSignature, ValueError):
        return {}
    return session if isinstance(session, dict) else {}


def _known(customer: Customer) -> dict[str, str]:
    return {
        "account-id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "postal-address": customer.address,
    }


def _moment(value: object) -> datetime | None:
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None


def _age(born: date) -> int:
    today = now().date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

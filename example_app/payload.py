"""What a form or a JSON body brought, read leniently as strings, and refused with a sentence when it cannot be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from math import isfinite

from starlette.exceptions import HTTPException
from starlette.requests import Request

from example_app.clock import now
from example_app.models import Buyer, Customer

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def is_json(request: Request) -> bool:
    """Whether the body calls itself JSON."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


async def payload(request: Request) -> dict[str, object]:
    """The body as a mapping, whether it is a form or JSON. Raises HTTPException 400."""
    if not is_json(request):
        async with request.form() as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, "That is not JSON.") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "A JSON object is wanted.")
    return body


def text(body: Mapping[str, object], name: str, fallback: str = "") -> str:
    """One value as text, without outer blanks; `fallback` if it is not there."""
    value = body.get(name)
    return str(value).strip() if isinstance(value, str | int | float) else fallback


def required(body: Mapping[str, object], *names: str) -> dict[str, str]:
    """Several values that must be there and not be empty. Raises HTTPException 422."""
    values = {name: text(body, name) for name in names}
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise HTTPException(422, f"Please fill in: {', '.join(missing).replace('_', ' ')}.")
    if "email" in values and not _ADDRESS.fullmatch(values["email"]):
        raise HTTPException(422, "An e-mail address looks like you@example.org.")
    return values


def day(body: Mapping[str, object], name: str) -> str | None:
    """A day of the past, or None if nobody says. Raises HTTPException 422."""
    given = text(body, name)
    if not given:
        return None
    try:
        told = date.fromisoformat(given)
    except ValueError as error:
        raise HTTPException(422, f"A {name.replace('_', ' ')} looks like 1988-04-17.") from error
    if told > now().date():
        raise HTTPException(422, f"That {name.replace('_', ' ')} is yet to come.")
    return told.isoformat()


def quantity(body: Mapping[str, object]) -> int:
    """How many of something, one if nobody says. Raises HTTPException 422."""
    try:
        return max(-99, min(99, int(text(body, "quantity", "1"))))
    except ValueError as error:
        raise HTTPException(422, "The quantity is a whole number.") from error


def number(body: Mapping[str, object], name: str) -> float:
    """A value that must be a number. Raises HTTPException 422."""
    try:
        value = float(text(body, name))
    except ValueError as error:
        raise HTTPException(422, f"{name} is a number.") from error
    if not isfinite(value):
        raise HTTPException(422, f"{name} is a number.")
    return value


def buyer(body: Mapping[str, object], customer: Customer | None, ip: str) -> Buyer:
    """Who an order is for; what the body leaves out comes from the account. Raises HTTPException 422."""
    known = {} if customer is None else {
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "address": customer.address,
        "date_of_birth": customer.date_of_birth or "",
        "gender": customer.gender or "",
    }  # fmt: skip
    merged = {**known, **{name: value for name, value in body.items() if value not in ("", None)}}
    return Buyer(
        **required(merged, "name", "email", "phone", "address"),
        date_of_birth=text(merged, "date_of_birth") or None,
        gender=text(merged, "gender") or None,
        ip=ip,
    )


def wanted(body: Mapping[str, object]) -> dict[str, int]:
    """Quantities by SKU from `items`. Raises HTTPException 422."""
    items = body.get("items")
    if not isinstance(items, list) or not items:
        raise HTTPException(422, "`items` is a list of {sku, quantity}.")
    quantities: dict[str, int] = {}
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("sku"), str):
            raise HTTPException(422, "`items` is a list of {sku, quantity}.")
        quantities[item["sku"]] = quantities.get(item["sku"], 0) + quantity(item)
    return quantities

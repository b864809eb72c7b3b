"""What does one filter operation cost? Microseconds per operation, best and median of interleaved rounds.

Run ``python -m benchmarks.bench_filters``. Isolated loops flatter: inside a request the same code costs up to twice as
much. Compare rows of one run only.
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from http.cookies import SimpleCookie
from typing import Any, Final

import msgspec

from troth.filters import caching, csp, headers, query
from troth.filters.cookies import Jar, filter_headers, split
from troth.filters.html import Scanner
from troth.filters.html_outline import Outline
from troth.filters.names import Names
from troth.filters.places import Place
from troth.filters.probes import Probes, probe_cookie
from troth.filters.set_cookie import Wanted, amend, expire, name_of
from troth.filters.splicing import Edit
from troth.filters.tagging import Tagger

TODAY: Final = date(2026, 11, 22)
NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
ROUNDS: Final = 15
BLOCK_SECONDS: Final = 0.002
NAMES: Final = {
    name: [name]
    for name in [
        "name",
        "email",
        "phone",
        "street",
        "city",
        "zip",
        "lat",
        "lon",
        "dob",
        "gender",
        "vat",
        "iban",
        "ip",
        "ua",
    ]
}


def record(n: int) -> dict[str, Any]:
    """Return a record of about 1 KB with 45 keys on three levels, 14 of them declared."""
    return {
        "id": 81230 + n, "order": f"SO-2026-{n:06d}", "status": "open", "currency": "EUR", "total": 908.4, "tax": 151.4,
        "created": "2026-01-02T03:04:05Z", "updated": "2026-02-02T03:04:05Z", "channel": "web", "locale": "sv_SE",
        "customer": {
            "name": "Ada Lovelace", "email": f"ada{n}@example.com", "phone": "+46701234567", "dob": "1990-12-10",
            "gender": "f", "tier": "gold", "since": "2019-05-01", "newsletter": False, "vat": "SE556677889901",
            "address": {
                "street": "Storgatan 5", "city": "Umeå", "zip": "90330", "country": "SE", "lat": 63.8, "lon": 20.2,
            },
        },
        "payment": {
            "method": "invoice", "iban": "SE4550000000058398257466", "due": "2026-02-01", "paid": True, "ref": "7781",
        },
        "client": {
            "ip": "192.0.2.44", "ua": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "session": "9f8e7d6c5b4a",
        },
        "shipping": {
            "carrier": "none", "mode": "download", "weight": 0, "tracking": None, "note": "deliver the keys at once",
        },
        "flags": {"gift": False, "b2b": True, "fraud": 0.01, "beta": False, "hold": False}, "version": 3,
    }  # fmt: skip


def cookie_header() -> bytes:
    """Return 12 cookies in about 400 bytes."""
    names = "session csrftoken lang _ga _gid _fbp cart theme _gcl_au uid seen choice"
    return "; ".join(f"{name}={random.Random(name).randbytes(12).hex()}" for name in names.split()).encode()


def walk(value: Any) -> int:
    """Do what any tagger must do at least: look every key up in a dict."""
    found, stack = 0, [value]
    while stack:
        value = stack.pop()
        if type(value) is dict:
            for key, member in value.items():
                if key in NAMES:
                    found += 1
                if type(member) is dict or type(member) is list:
                    stack.append(member)
        else:
            stack += [item for item in value if type(item) is dict or type(item) is list]
    return found


PAGE = (
    "<!doctype html><html><head><title>Shop</title><script src='/a.js'></script></head><body>"
    + "<div class=card><h2>Title</h2><p>Words <a href='/x'>that lead</a> on and stand here for a while</p></div>\n" * 80
    + "<footer><a href='/privacy'>Privacy policy</a></footer></body></html>"
)


def read_page(page: str) -> Outline:
    outline = Outline()
    scanner = Scanner(outline)
    scanner.feed(page)
    scanner.close()
    return outline


def no_email(place: Place) -> Edit | None:
    return Edit.REMOVE if "email" in place.categories else None


def cases() -> dict[str, Callable[[], object]]:
    """Return what is measured: a description to an operation without arguments."""
    cookies = cookie_header()
    request = [(b"host", b"shop.example"), *((b"x-header-%d" % n, b"value") for n in range(8)), (b"cookie", cookies)]
    dropped = dict.fromkeys((b"_ga", b"_gid", b"_fbp", b"_gcl_au"), True)
    nothing: dict[bytes, bool] = {}
    response = [(b"content-type", b"text/html"), (b"etag", b'"a1b2"'), (b"cache-control", b"max-age=60")]
    kilobyte = json.dumps(record(1), separators=(",", ":"), ensure_ascii=False).encode()
    pretty = json.dumps(record(1), indent=2).encode()
    hundred = json.dumps([record(n) for n in range(100)], separators=(",", ":"), ensure_ascii=False).encode()
    tagger, names, plain = Tagger(NAMES), Names(NAMES), msgspec.json.Decoder().decode
    probes = Probes([(name, name, None) for name in ("email", "phone", "ip")] + [("card", "luhn", None)])
    probing = Tagger(NAMES, probes=probes)
    set_cookie = b"_ga=GA1.2.3; Expires=Tue, 22 Nov 2028 12:00:00 GMT; Max-Age=63072000; Path=/; SameSite=Lax"
    search = b"page=2&email=ada%40example.com&sort=price&utm_source=x"
    wanted = Wanted(max_age=2_592_000, secure=True)
    vendors = {"script-src": ["cdn.example", "*.vendor.example"], "img-src": ["img.example"]}
    return {
        "cookies: SimpleCookie, for scale": lambda: SimpleCookie(cookies.decode()),
        "cookies: split 12": lambda: split(cookies),
        "cookies: filter 12, nothing goes": lambda: filter_headers(request, nothing.get),
        "cookies: filter 12, four go": lambda: filter_headers(request, dropped.get),
        "cookies: read one, then filter, four go": lambda: _read_then_filter(request, dropped),
        "cookies: probe one value": lambda: probe_cookie(probes, b"GA1.2.1234567890.1700000000"),
        "set-cookie: name": lambda: name_of(set_cookie),
        "set-cookie: cap and secure": lambda: amend(set_cookie, wanted, NOW),
        "set-cookie: expire": lambda: expire(b"_ga", domain="shop.example"),
        f"json {len(kilobyte)} B: decode": lambda: plain(kilobyte),
        f"json {len(kilobyte)} B: decode and bare walk": lambda: walk(plain(kilobyte)),
        f"json {len(kilobyte)} B: tag": lambda: tagger.tag(kilobyte, today=TODAY),
        f"json {len(pretty)} B indented: tag": lambda: tagger.tag(pretty, today=TODAY),
        f"json {len(kilobyte)} B: tag with four probes": lambda: probing.tag(kilobyte, today=TODAY),
        f"json {len(kilobyte)} B: remove one member": lambda: tagger.edit(kilobyte, no_email),
        f"json {len(hundred)} B: decode and bare walk": lambda: walk(plain(hundred)),
        f"json {len(hundred)} B: tag": lambda: tagger.tag(hundred, today=TODAY),
        f"json {len(hundred)} B: remove 100 members": lambda: tagger.edit(hundred, no_email),
        "query: split and tag four": lambda: query.tag(query.split(search), names),
        "query: remove one of four": lambda: query.remove_names(search, {"email"}),
        f"html {len(PAGE)} B: read": lambda: read_page(PAGE),
        "headers: vary, private, etag": lambda: caching.mark_etags(
            caching.made_private(caching.varied(response)), b"a1"
        ),
        "headers: second policy": lambda: headers.appended_csp(response, b"script-src 'self'"),
        "csp: build": lambda: csp.build(vendors),
    }


def _read_then_filter(request: list[tuple[bytes, bytes]], dropped: dict[bytes, bool]) -> object:
    jar = Jar(request)
    return jar.values(b"choice"), jar.without(dropped.get)


def measure(operations: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return microseconds per operation, one value a round; the operations are shuffled every round."""
    repeats = {
        name: max(1, int(BLOCK_SECONDS / max(_timed(operation, 1), 1e-7))) for name, operation in operations.items()
    }
    results: dict[str, list[float]] = {name: [] for name in operations}
    order = list(operations)
    for seed in range(ROUNDS):
        random.Random(seed).shuffle(order)
        for name in order:
            results[name].append(_timed(operations[name], repeats[name]) / repeats[name] * 1e6)
    return results


def _timed(operation: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        operation()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    print(f"Python {platform.python_version()}, msgspec {msgspec.__version__}; µs per operation, {ROUNDS} rounds")
    for name, times in measure(cases()).items():
        print(f"{name:45} {min(times):10.2f} min {statistics.median(times):10.2f} median")


if __name__ == "__main__":
    main()

"""Hostile bodies by the names that the page of bodies gives them. What becomes of each stands there, and only there."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from troth._types import HeaderList

JSON: Final = b"application/json"
FORM: Final = b"application/x-www-form-urlencoded"
PARTS: Final = b"multipart/form-data; boundary=b"
CSV: Final = b"text/csv"
LINES: Final = b"application/x-ndjson"
BROTLI: Final = b'\x8f\x07\x80{"gender":"f"}\x03'
ZSTD: Final = b'(\xb5/\xfd\x04\x00q\x00\x00{"gender":"f"}'
PLAIN: Final = b'{"gender":"f","a":1.10}'
KEPT: Final = b'{"a":1.10}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A body as it is sent, under which type; `left` is what must be left of it where `gender` may not pass."""

    body: bytes
    kind: bytes = JSON
    left: bytes | None = None
    headers: HeaderList = field(default_factory=list)

    @property
    def kept(self) -> bytes:
        """What reaches the other side where nothing but `gender` has to go."""
        return self.body if self.left is None else self.left


def coded(body: bytes, coding: bytes, left: bytes | None = None) -> Hostile:
    return Hostile(body=body, left=left, headers=[(b"content-encoding", coding)])


def bare(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


def form(body: bytes, left: bytes | None = None, kind: bytes = FORM) -> Hostile:
    return Hostile(body=body, left=left, kind=kind)


def part(name: bytes, data: bytes = b"f", more: bytes = b"", head: bytes = b"") -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="'
        + name
        + b'"'
        + more
        + b"\r\n"
        + head
        + b"\r\n"
        + data
        + b"\r\n"
    )


def parts(*given: bytes, left: bytes | None = None, kind: bytes = PARTS, end: bytes = b"--b--\r\n") -> Hostile:
    return Hostile(body=b"".join(given) + end, left=left, kind=kind)


def table(body: bytes, kind: bytes = CSV) -> Hostile:
    return Hostile(body=body, kind=kind)


def keys(count: int) -> bytes:
    return b"{" + b",".join(b'"k%d":1' % n for n in range(count))


def utf7(text: str) -> bytes:
    """Encode every letter, as an attacker would: Python's own codec leaves letters as they are."""
    return b"+" + b64encode(text.encode("utf-16-be")).rstrip(b"=") + b"-"


BODIES: Final[dict[str, Callable[[], Hostile]]] = {
    # JSON
    "lists or objects, 5,000 deep": lambda: Hostile(body=b'[{"a":' * 2500 + b"1" + b"}]" * 2500),
    "objects, 65 deep": lambda: Hostile(body=b'{"a":' * 65 + b"1" + b"}" * 65),
    "objects, 64 deep": lambda: Hostile(
        body=b'{"a":' * 63 + b'{"gender":1}' + b"}" * 63, left=b'{"a":' * 63 + b"{}" + b"}" * 63
    ),
    "5,000 keys": lambda: Hostile(body=keys(5000) + b',"gender":1}', left=keys(5000) + b"}"),
    "100,000 keys": lambda: Hostile(body=keys(100_000) + b',"gender":1}', left=keys(100_000) + b"}"),
    "a key of 60,000 characters": lambda: Hostile(
        body=b'{"' + b"k" * 60_000 + b'":1,"gender":1}', left=b'{"' + b"k" * 60_000 + b'":1}'
    ),
    "a key given 3,000 times": lambda: Hostile(
        body=b'{"a":0' + b',"gender":1,"a":2' * 3000 + b"}", left=b'{"a":0' + b',"a":2' * 3000 + b"}"
    ),
    "a key in escapes or capitals": lambda: Hostile(body=b'{"\\u0067ender":1,"GENDER":2,"a":1}', left=b'{"a":1}'),
    "a text of 60,000 characters": lambda: Hostile(body=b'{"gender":"' + b"x" * 60_000 + b'","a":1}', left=b'{"a":1}'),
    "30,000 items": lambda: Hostile(body=b"[" + b"0," * 29_999 + b"0]"),
    "bytes that are no UTF-8": lambda: Hostile(body=b'{"gender":"\xff\xfe"}'),
    "overlong UTF-8": lambda: Hostile(body=b'{"gender":"\xc0\xaf"}'),
    "a byte order mark": lambda: Hostile(body=b"\xef\xbb\xbf" + PLAIN),
    "UTF-16 or UTF-32": lambda: Hostile(body=PLAIN.decode().encode("utf-16")),
    "`NaN`, `Infinity`": lambda: Hostile(body=b'{"gender":"f","n":[NaN,-Infinity]}'),
    "half of a surrogate pair": lambda: Hostile(body=b'{"gender":"\\ud800"}'),
    "a number of 4,000 digits": lambda: Hostile(
        body=b'{"n":' + b"1" * 4000 + b',"gender":1}', left=b'{"n":' + b"1" * 4000 + b"}"
    ),
    "a number of 60,000 digits, `1e400`": lambda: Hostile(body=b'{"gender":1,"n":' + b"1" * 60_000 + b"}"),
    "control characters in a text": lambda: Hostile(body=b'{"gender":"a\nb"}'),
    "cut off": lambda: Hostile(body=PLAIN[:-1]),
    "anything behind the value": lambda: Hostile(body=PLAIN + PLAIN),
    "comments, trailing commas, single quotes, `cb(…)`": lambda: Hostile(body=b'{"gender":1,/* */}'),
    "nothing, white space, a scalar": lambda: Hostile(body=b" \n "),
    "70,000 bytes": lambda: Hostile(
        body=b'{"gender":"f","a":"' + b"x" * 70_000 + b'"}', left=b'{"a":"' + b"x" * 70_000 + b'"}'
    ),
    "17 MiB": lambda: Hostile(body=b'{"a":"' + b"x" * (17 << 20) + b'"}'),
    # types and charsets
    "JSON that says it is `text/plain`, or nothing": lambda: Hostile(body=PLAIN, left=KEPT, kind=b"text/plain"),
    "the same with bytes that are no UTF-8": lambda: Hostile(body=b'{"gender":"\xff"}', kind=b"text/plain"),
    "the same in UTF-16": lambda: Hostile(body=PLAIN.decode().encode("utf-16"), kind=b"text/plain"),
    "the same with a number of 60,000 digits": lambda: Hostile(
        body=b'{"gender":1,"n":' + b"1" * 60_000 + b"}", kind=b"text/plain"
    ),
    "the same with control characters in a text": lambda: Hostile(body=b'{"gender":"a\nb"}', kind=b"text/plain"),
    "what no reader takes for JSON, under such a type": lambda: Hostile(body=b"{gender: f", kind=b"image/png"),
    "two types that differ": lambda: Hostile(body=PLAIN, left=KEPT, headers=[(b"content-type", b"text/plain")]),
    "`charset=utf-16`, and it is": lambda: Hostile(
        body=PLAIN.decode().encode("utf-16"), kind=b"application/json; charset=utf-16"
    ),
    "`charset=utf-7`, and it is": lambda: Hostile(
        body=b'{"' + utf7("gender") + b'":"f"}', kind=b'application/json;Charset = "utf-7"'
    ),
    "`charset=utf-7`, and it is not": lambda: Hostile(
        body=b'{"gender":"f"}', left=b"{}", kind=b"application/json; charset=utf-7"
    ),
    "`charset=iso-8859-1`, all of it ASCII": lambda: Hostile(
        body=PLAIN, left=KEPT, kind=b"application/json; charset=iso-8859-1"
    ),
    "`charset=iso-8859-1`, not all of it ASCII": lambda: Hostile(
        body='{"gender":"ö","a":1}'.encode(), left=b'{"a":1}', kind=b"application/json; charset=iso-8859-1"
    ),
    # codings
    "gzip, deflate with or without its wrapper": lambda: coded(bare(PLAIN), b"deflate", KEPT),
    "gzip in gzip": lambda: coded(gzip.compress(gzip.compress(PLAIN)), b"gzip, gzip", KEPT),
    "gzip, three times": lambda: coded(gzip.compress(gzip.compress(gzip.compress(PLAIN))), b"gzip, gzip, gzip"),
    "brotli": lambda: coded(BROTLI, b"br"),
    "zstd": lambda: coded(ZSTD, b"zstd"),
    "a bomb: 20 MB in 20 KB of gzip": lambda: coded(gzip.compress(b" " * 20_000_000 + PLAIN), b"gzip"),
    "the same in deflate": lambda: coded(zlib.compress(b" " * 20_000_000 + PLAIN), b"deflate"),
    "a bomb in gzip in gzip": lambda: coded(gzip.compress(gzip.compress(b" " * 20_000_000 + PLAIN)), b"gzip, gzip"),
    "2,500 empty members of gzip before one that is not": lambda: coded(
        gzip.compress(b"") * 2500 + gzip.compress(PLAIN), b"gzip", KEPT
    ),
    "plain, but says gzip": lambda: coded(PLAIN, b"gzip"),
    "gzip, but says nothing": lambda: Hostile(body=gzip.compress(PLAIN)),
    "gzip that is cut off": lambda: coded(gzip.compress(PLAIN)[:-4], b"gzip"),
    "anything behind the gzip": lambda: coded(gzip.compress(PLAIN) + b"junk", b"gzip"),
    "two headers, one coding in each": lambda: Hostile(
        body=gzip.compress(zlib.compress(PLAIN)),
        left=KEPT,
        headers=[(b"content-encoding", b"deflate"), (b"content-encoding", b"gzip")],
    ),
    # forms
    "30,000 pairs": lambda: form(b"a&" * 30_000 + b"gender=f", b"a&" * 29_999 + b"a"),
    "percent signs that code nothing": lambda: form(b"%=%zz&%&gen%64er=f&%ff=1", b"%=%zz&%&%ff=1"),
    "10,000 brackets": lambda: form(b"a" + b"[" * 10_000 + b"=1&a[gender]=f", b"a" + b"[" * 10_000 + b"=1"),
    "a name given twice, in any spelling": lambda: form(
        b"gender=f&a=1&gender=g&user[gender]=h&gender[]=i&GENDER=j", b"a=1"
    ),
    "a form of bytes that are no UTF-8": lambda: form(b"gender=\xff"),
    "a form with a NUL": lambda: form(b"g\0ender=f"),
    "a form with `charset=utf-7` or `_charset_=utf-7`": lambda: form(utf7("gender") + b"=f&_charset_=utf-7"),
    # multipart
    "1,001 parts": lambda: parts(part(b"a") * 1001),
    "1,000 parts": lambda: parts(part(b"a", b"") * 999, part(b"gender"), left=part(b"a", b"") * 999 + b"--b--\r\n"),
    "no boundary": lambda: parts(part(b"gender"), kind=b"multipart/form-data"),
    "a boundary of 257 bytes": lambda: Hostile(
        body=parts(part(b"gender")).body.replace(b"--b", b"--" + b"b" * 257),
        kind=b"multipart/form-data; boundary=" + b"b" * 257,
    ),
    "no end": lambda: parts(part(b"gender"), end=b""),
    "text before or behind": lambda: parts(b"x\r\n", part(b"gender")),
    "the boundary inside a part": lambda: parts(part(b"a", b"x\r\n--bx\r\n\r\ny"), part(b"gender")),
    "10,000 beginnings of a boundary": lambda: parts(
        part(b"a", b"\r\n--" * 10_000), part(b"gender"), left=parts(part(b"a", b"\r\n--" * 10_000)).body
    ),
    "lines that end in LF alone": lambda: Hostile(body=parts(part(b"gender")).body.replace(b"\r\n", b"\n"), kind=PARTS),
    "parts in a part": lambda: parts(part(b"a", head=b"Content-Type: multipart/mixed; boundary=c\r\n")),
    "nine headers in a part": lambda: parts(part(b"gender", head=b"".join(b"X-%d: y\r\n" % n for n in range(8)))),
    "a header of more than 8 KiB": lambda: parts(part(b"gender" + b"x" * 8192)),
    "a header or parameter given twice": lambda: parts(part(b"a", more=b'; name="gender"')),
    "`name*`": lambda: parts(part(b"a", more=b"; name*=utf-8''gender")),
    "escapes in a name": lambda: parts(part(b"g\\ender")),
    "a transfer encoding to be decoded": lambda: parts(part(b"gender", head=b"Content-Transfer-Encoding: base64\r\n")),
    "a charset of a part that is not UTF-8": lambda: parts(
        part(b"a", utf7("f"), head=b"Content-Type: text/plain; charset=utf-7\r\n")
    ),
    "`charset=utf-7` of the whole, or `_charset_`": lambda: parts(
        part(utf7("gender")), kind=PARTS + b"; charset=utf-7"
    ),
    "a name of several parts": lambda: parts(
        part(b"gender"), part(b"a", b"1"), part(b"gender"), left=part(b"a", b"1") + b"--b--\r\n"
    ),
    "a file, by `filename` or `filename*`": lambda: parts(
        part(b"a", b"gender=f", b"; filename*=utf-8''x"),
        part(b"gender"),
        left=part(b"a", b"gender=f", b"; filename*=utf-8''x") + b"--b--\r\n",
    ),
    # rows
    "one endless line of CSV": lambda: table(b"id,a\nann," + b"x" * 60_000),
    "30,000 columns": lambda: table(b"id" + b",a" * 29_999 + b"\n"),
    "30,000 rows of one column": lambda: table(b"id\n" + b"1\n" * 30_000),
    "a quote that nothing ends": lambda: table(b'id,a\nann,"x\nbob,y\n'),
    "quotes inside a bare cell": lambda: table(b'id,a\nann,x"y"\n'),
    "rows of different lengths": lambda: table(b"id,a\nann,1\nbob\n"),
    "a carriage return alone": lambda: table(b"id,a\nann,1\rbob,2\n"),
    "two delimiters that both fit": lambda: table(b"id,a;b\nann,1;2\n"),
    "CSV of bytes that are no UTF-8, or with a NUL": lambda: table(b"id,a\nann,\xff\n"),
    "CSV with a byte order mark": lambda: table(b"\xef\xbb\xbfid,a\nann,1\n"),
    "CSV in another charset": lambda: table(b"id,a\nann,1\n", b"text/csv; charset=utf-16"),
    "no first row of names": lambda: table(b"ann,1\nbob,2\n"),
    "one endless line of NDJSON": lambda: table(b'{"id":"ann","a":"' + b"x" * 60_000 + b'"}', LINES),
    "a line that is no JSON, among others": lambda: table(b'{"id":"ann"}\n{"id":\n{"id":"bob"}\n', LINES),
    "a line 5,000 deep": lambda: table(b'{"id":"ann"}\n' + b"[" * 5000 + b"]" * 5000 + b"\n", LINES),
    "a carriage return inside a line": lambda: table(b'{"id":"ann"}\r{"id":"bob"}\n', LINES),
    "NDJSON in another charset": lambda: table(b'{"id":"ann"}\n', LINES + b"; charset=utf-7"),
}
"""How each body is made; those of a megabyte are made when they are asked for."""
GROWING: Final[dict[str, Callable[[int], Hostile]]] = {
    "keys": lambda n: Hostile(body=keys(n) + b"}"),
    "one key": lambda n: Hostile(body=b'{"a":0' + b',"gender":1' * n + b"}"),
    "pairs of keys": lambda n: Hostile(body=b"[" + b",".join([b'{"a":1,"a":2}'] * n) + b"]"),
    "levels": lambda n: Hostile(body=b"[" + b",".join([b"[" * 60 + b"]" * 60] * (n // 60)) + b"]"),
    "quotes": lambda n: Hostile(body=b'{"a":"' + b'\\"' * n + b'"}'),
    "brackets in texts": lambda n: Hostile(body=b'{"a":"' + b"[{" * n + b'"}'),
    "white space": lambda n: Hostile(body=b" " * n + PLAIN, kind=b"text/plain"),
    "members of gzip": lambda n: coded(gzip.compress(b"", 1) * (n // 4) + gzip.compress(PLAIN), b"gzip"),
    "pairs": lambda n: form(b"a=b&" * n),
    "names": lambda n: form(b"".join(b"%d=b&" % at for at in range(n))),
    "percent signs": lambda n: form(b"%25" * n),
    "parts": lambda n: parts(part(b"a") * (n // 8)),
    "beginnings of a boundary": lambda n: parts(part(b"a", b"\r\n--" * n)),
    "backslashes": lambda n: parts(part(b"a" + b"\\" * n)),
    "columns": lambda n: table(b"id" + b",a" * n + b"\n"),
    "rows": lambda n: table(b"id\n" + b"1\n" * n),
    "quotes in a cell": lambda n: table(b'id\n"' + b'""' * n + b'"\n'),
    "lines": lambda n: table(b"{}\n" * n, LINES),
}
"""Bodies that grow: each with how it is made of a size."""

"""Who believes the charset that a body says it has must see the text that was read."""

import pytest

from troth.errors import UnreadableBody
from troth.filters.charset import check


@pytest.mark.parametrize(
    "kind",
    [
        b"application/json",
        b"application/json; charset=utf-8",
        b'application/json; Charset = "UTF-8"; v=1',
        b"application/json;charset=utf8",
        b"application/json;charset='utf-8'",
        b"text/plain; charset=us-ascii",
    ],
)
def test_text_that_is_said_to_be_utf_8_is_that(kind):
    check("ö".encode(), kind)


@pytest.mark.parametrize("name", [b"iso-8859-1", b"ISO-8859-15", b"latin1", b"windows-1252", b"cp1252"])
def test_a_charset_like_ascii_will_do_for_ascii_alone(name):
    check(b"abc", b"text/csv; charset=" + name)
    with pytest.raises(UnreadableBody, match="malformed"):
        check("ö".encode(), b"text/csv; charset=" + name)


@pytest.mark.parametrize(
    "said",
    [
        b"; charset=utf-7", b"; charset=utf-16", b"; charset=utf-16le", b"; charset=cp037", b"; charset=ibm500",
        b"; charset=shift_jis", b"; charset=iso-2022-jp", b"; charset=hz-gb-2312", b"; charset=x", b"; charset=",
        b"; charset='utf-7'", b'; CHARSET="utf-7"', b"; charset = utf-7", b"; charset*=utf-8''utf-7",
        b"; charset=utf-8; charset=utf-7", b"; charset=utf-7; charset=utf-8", b"; v=1;charset=utf-7",
    ],
)  # fmt: skip
def test_any_other_is_unreadable(said):
    with pytest.raises(UnreadableBody, match="malformed"):
        check(b"abc", b"application/json" + said)

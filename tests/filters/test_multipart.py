"""Parts go with their boundary, bytes stay; what readers could disagree about is unreadable."""

from __future__ import annotations

from email.parser import BytesParser
from email.policy import HTTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.errors import UnreadableBody
from troth.filters import multipart

BODY = (
    b'--B\r\nContent-Disposition: form-data; name="email"\r\n\r\nada@example.com\r\n'
    b'--B\r\ncontent-disposition: form-data; name="file"; filename="cv ada.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\n%PDF\r\n"
    b'--B\r\nContent-Disposition: form-data; name="empty"\r\n\r\n\r\n--B--\r\n'
)
TYPE = b"multipart/form-data; boundary=B"
HEAD = b'Content-Disposition: form-data; name="a"'


def one(head: bytes, data: bytes = b"x") -> bytes:
    return b"--B\r\n" + head + b"\r\n\r\n" + data + b"\r\n--B--\r\n"


def pairs(body: bytes, kind: bytes = TYPE) -> list[tuple[str, str]]:
    return [(part.name, part.value) for part in multipart.read(body, kind)]


def test_names_and_values_are_read() -> None:
    assert pairs(BODY) == [("email", "ada@example.com"), ("file", "cv ada.pdf"), ("empty", "")]
    assert pairs(b"\r\n" + BODY[:-2]) == pairs(BODY)
    assert pairs(b"--B--\r\n") == []


@pytest.mark.parametrize("end", range(1, len(BODY) - 4, 7))
def test_a_body_that_is_cut_is_unreadable(end: int) -> None:
    with pytest.raises(UnreadableBody):
        multipart.read(BODY[:end], TYPE)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (BODY, b"multipart/form-data"),
        (BODY, b"text/plain; boundary=B"),
        (BODY, b"multipart/form-data; boundary=C"),
        (BODY, b"multipart/form-data; boundary=" + b"B" * 5000),
        (b"", TYPE),
        (BODY.replace(b' name="email"', b""), TYPE),
        (BODY.replace(b"; filename", b";" + b"x" * 9000), TYPE),
        (b"preamble\r\n" + BODY, TYPE),
        (BODY + b"epilogue", TYPE),
        (BODY + BODY, TYPE),
        (BODY.replace(b"%PDF", b"x\r\n--Bad\r\ny"), TYPE),
        (BODY.replace(b"--B\r\nc", b"--B \r\nc"), TYPE),
        (BODY.replace(b"\r\n", b"\n"), TYPE),
        (one(HEAD + b"\r\n" + HEAD.replace(b'"a"', b'"b"')), TYPE),
        (one(HEAD + b'; name="b"'), TYPE),
        (one(HEAD + b'; Name="b"'), TYPE),
        (one(HEAD + b"; name*=UTF-8''b"), TYPE),
        (one(HEAD.replace(b'"a"', b'"a\\b"')), TYPE),
        (one(HEAD.replace(b'"a"', b'"\xe4"')), TYPE),
        (one(HEAD.replace(b"form-data", b"attachment")), TYPE),
        (one(HEAD + b"\r\nContent-Transfer-Encoding: base64", b"YUBiLnNl"), TYPE),
        (one(HEAD + b"\r\nContent-Type: multipart/mixed; boundary=C", b"--C\r\n\r\nx\r\n--C--"), TYPE),
        (one(HEAD + b"".join(b"\r\nx-%d: y" % n for n in range(100))), TYPE),
        ((b"--B\r\n" + HEAD + b"\r\n\r\n\r\n") * 1001 + b"--B--\r\n", TYPE),
    ],
)
def test_what_readers_could_disagree_about_is_unreadable(body: bytes, kind: bytes) -> None:
    with pytest.raises(UnreadableBody) as caught:
        multipart.read(body, kind)
    assert caught.value.reason == "malformed"


def test_a_thousand_parts_are_read() -> None:
    assert len(pairs((b"--B\r\n" + HEAD + b"\r\n\r\n\r\n") * 1000 + b"--B--\r\n")) == 1000


def test_the_name_of_a_file_is_read_in_both_its_spellings() -> None:
    head = HEAD + b"; filename=\"cv.pdf\"; filename*=UTF-8''cv%20ada%40example.com.pdf"
    assert pairs(one(head)) == [("a", "cv.pdf UTF-8''cv ada@example.com.pdf")]


NAMES = st.sampled_from(["a", "b", 'q"x', "ö", "a b", "a;b"])
DATA = st.lists(st.sampled_from([b"x", b"\r\n", b"\n", b"-", b"--", b"B", b"--x", b"\xff", b"\0"])).map(b"".join)


@given(
    st.lists(st.tuples(NAMES, st.none() | st.sampled_from(["f.txt", "ö;.png"]), DATA), max_size=6),
    st.sets(NAMES),
    st.booleans(),
)
def test_another_reader_sees_exactly_the_parts_that_were_kept(
    drawn: list[tuple[str, str | None, bytes]], gone: set[str], line_end: bool
) -> None:
    boundary = b"----boundary7"
    written = []
    for name, filename, data in drawn:
        said = 'Content-Disposition: form-data; name="' + name.replace('"', '\\"') + '"'
        said += "" if filename is None else f'; filename="{filename}"\r\nContent-Type: text/plain'
        written.append(b"--" + boundary + b"\r\n" + said.encode() + b"\r\n\r\n" + data + b"\r\n")
    end = b"--" + boundary + b"--" + (b"\r\n" if line_end else b"")
    body = b"".join(written) + end
    kind = b"multipart/form-data; boundary=" + boundary
    parts = multipart.read(body, kind)
    assert [part.name for part in parts] == [name for name, _, _ in drawn]
    edited = multipart.edit(body, parts, lambda part: part.name in gone)
    kept = [text for text, (name, _, _) in zip(written, drawn, strict=True) if name not in gone]
    assert edited == b"".join(kept) + end
    if len(kept) == len(written):
        assert edited is body
    if kept:
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind + b"\r\n\r\n" + edited)
        assert message.is_multipart()
        assert len(list(message.iter_parts())) == len(kept)
    assert [part.name for part in multipart.read(edited, kind)] == [name for name, _, _ in drawn if name not in gone]

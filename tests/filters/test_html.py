"""Pages read for marks: what a visitor is shown counts, whatever the cut of the bytes; hostile pages end in time."""

from __future__ import annotations

import re
import time
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from turbohtml import Element, Node, Text, parse

from troth.errors import UnreadableBody
from troth.filters.html import Scanner, decode
from troth.filters.html_addresses import Addresses
from troth.filters.html_dates import spelled
from troth.filters.html_marks import Page, compiled
from troth.filters.html_outline import Outline, composed
from troth.model.policy import Mark

ROUTES = {
    ("GET", "/privacy"): ("policy",),
    ("GET", "/cookies"): ("consent",),
    ("POST", "/consent"): ("consent",),
    ("POST", "/no"): ("refuse",),
}
MAY = date(2018, 5, 2)


def outline(text: str, *cuts: int) -> Outline:
    seen = Outline()
    scanner = Scanner(seen)
    edges = [0, *sorted(cuts), len(text)]
    for low, high in pairwise(edges):
        scanner.feed(text[low:high])
    scanner.close()
    return seen


def page(text: str, *cuts: int, path: str = "/shop/", mount: str = "") -> Page:
    addresses = Addresses(
        scheme="https", host="shop.example", path=mount + path, mount=mount,
        own=lambda host: host == "www.shop.example", tags=lambda method, inner: ROUTES.get((method, inner), ()),
    )  # fmt: skip
    return Page(outline=outline(composed(text), *cuts), addresses=addresses, effective=MAY)


def shows(html: str, /, *, within: str = "page", path: str = "/shop/", mount: str = "", **signs: str) -> bool:
    mark = compiled(Mark(id="m", signs=tuple(signs.items()), within=within))
    return mark.is_shown(page(html, path=path, mount=mount), frozenset())


# words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "<p>Our Privacy Policy</p>",
        "<p>our pri<b>va</b>cy\n\t policy",
        "<p>privacy&nbsp;policy</p>",
        "<p>privacy<br>policy</p>",
        "<p>pri&shy;vacy policy</p>",
        "<p>pri<!-- x -->vacy policy</p>",
        "<p>privacy policies? <em>The privacy policy</em>",
        '<input type="submit" value="Privacy policy">',
        '<img src="x.png" alt="Privacy policy">',
        "<noscript>x</noscript>privacy policy",
        "<p hidden>none<p>privacy policy",
        "<ul><li hidden>none<li>privacy policy</ul>",
        "<table><tr><td hidden>none<td>privacy policy</table>",
        "<details><summary>More</summary>privacy policy</details>",
        "<script>if (a</script>privacy policy",
        "<div hidden></div>privacy policy",
        "<div hidden><p>x</div>privacy policy",
        "privacy &#112;olicy",
    ],
)
def test_words_that_a_visitor_sees_are_shown(text: str) -> None:
    assert shows(text, text="privacy policy")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<p>Our policy on privacy</p>",
        "<p>privacy</p><p>policy</p>",
        "<!-- privacy policy -->",
        "<title>Privacy policy</title>",
        "<script>privacy policy</script>",
        "<script><!--<script>x</script>privacy policy--></script>",
        "<style>privacy policy</style>",
        "<template><p>privacy policy</p></template>",
        "<noscript><p>privacy policy</p></noscript>",
        "<textarea>privacy policy</textarea>",
        '<p title="privacy policy">x</p>',
        "<p hidden>privacy policy</p>",
        '<p style="color: red; DISPLAY:none">privacy policy</p>',
        '<div style="visibility : hidden"><b>privacy policy</b></div>',
        "<div hidden><table><tr><td></div>privacy policy</td></tr></table></div>",
        "<div hidden><template></div></template>privacy policy</div>",
        '<input type="hidden" value="privacy policy">',
        "<p>Imprivacy policy</p>",
    ],
)
def test_words_that_a_visitor_does_not_see_are_not_shown(text: str) -> None:
    assert not shows(text, text="privacy policy")


def test_letters_that_are_written_in_two_ways_are_one() -> None:
    assert shows("<p>Datenschutzerkl\u0061\u0308rung", text="DATENSCHUTZERKL\u00c4RUNG")


@pytest.mark.parametrize("mark", ["help(at)shop.example", "help@shop.example"])
def test_an_address_is_one_however_its_at_is_written(mark: str) -> None:
    for text in ("help@shop.example", "help (at) shop.example", "HELP[at]shop.example", "help at shop.example"):
        assert shows(f"<p>Write to {text}.", text=mark)
    assert not shows("<p>Write to help.shop.example or sales@shop.example", text=mark)


# links, controls, notices, scripts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ('<a href="/privacy">x</a>', "policy"),
        ('<a href="/privacy?lang=en#top">x</a>', "policy"),
        ('<a href="../privacy/">x</a>', "policy"),
        ('<a href=" /priv\nacy ">x</a>', "policy"),
        ('<a href="https://www.shop.example/privacy">x</a>', "policy"),
        ('<a href="//shop.example/%70rivacy">x</a>', "policy"),
        ('<base href="/legal/x"><a href="../privacy">x</a>', "policy"),
        ('<area href="/privacy">', "policy"),
        ('<a href="/imprint.html">x</a>', "/imprint.html"),
        ('<a href="imprint.html">x</a>', "/shop/imprint.html"),
        ('<a href="/find?q=1">x</a>', "/find?q=1"),
        ('<a href="https://tools.example/optout#now">x</a>', "https://tools.example/optout"),
        ('<a href="MAILTO:Privacy@shop.example?subject=x">x</a>', "mailto:privacy@shop.example"),
    ],
)
def test_a_link_leads_where_a_browser_would_go(text: str, link: str) -> None:
    assert shows(text, link=link)


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ('<a href="/privacy-of-others">x</a>', "policy"),
        ('<a href="https://tools.example/privacy">x</a>', "policy"),
        ('<a href="https://tools.example/privacy">x</a>', "/privacy"),
        ('<a href="/consent">x</a>', "consent"),
        ('<a name="/privacy">x</a>', "policy"),
        ('<a hidden href="/privacy">x</a>', "policy"),
        ('<template><a href="/privacy">x</a></template>', "policy"),
        ('<!-- <a href="/privacy">x</a> -->', "policy"),
        ('<a href="http://[">x</a>', "policy"),
        ('<a href="javascript:/privacy">x</a>', "/privacy"),
        ('<a href="/find?q=2">x</a>', "/find?q=1"),
        ('<a href="/imprint">x</a>', "https://tools.example/imprint"),
    ],
)
def test_a_link_elsewhere_is_none(text: str, link: str) -> None:
    assert not shows(text, link=link)


def test_a_link_below_a_mount_is_that_of_the_app() -> None:
    assert shows('<a href="/app/privacy">x</a>', link="policy", mount="/app")
    assert shows('<a href="/app/imprint">x</a>', link="/imprint", mount="/app")
    assert not shows('<a href="/apple/privacy">x</a>', link="policy", mount="/app")


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ('<form action="/consent" method="post"><button>Yes</button></form>', "consent"),
        ('<form action="/consent"><input type="submit"></form>', "consent"),
        ('<form id="f" action="/no"></form><button form="f">No</button>', "refuse"),
        ('<form action="/consent"><button formaction="/no">No</button></form>', "refuse"),
        ('<button type="button" data-choice="refuse">No</button>', "refuse"),
        ('<button value="refuse">No</button>', "refuse"),
        ('<span role="button" id="refuse">No</span>', "refuse"),
        ('<a href="/consent">Yes</a>', "consent"),
        ('<form action="/consent"><input type="image" alt="Yes"></form>', "consent"),
    ],
)
def test_a_control_is_something_to_press_that_leads_there_or_is_called_so(text: str, control: str) -> None:
    assert shows(text, control=control)


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ('<form action="/consent"></form>', "consent"),
        ('<form action="/consent"><button disabled>Yes</button></form>', "consent"),
        ('<form action="/consent"><button type="button">Yes</button></form>', "consent"),
        ('<form action="/consent"><button>Yes</button></form>', "refuse"),
        ('<form action="/consent"></form><button>Yes</button>', "consent"),
        ('<form action="/consent" hidden><button>Yes</button></form>', "consent"),
        ('<input type="text" value="refuse">', "refuse"),
        ('<p id="refuse">No</p>', "refuse"),
        ('<form action="/consent"><input type="hidden" value="consent"></form>', "consent"),
    ],
)
def test_what_cannot_be_pressed_or_leads_elsewhere_is_no_control(text: str, control: str) -> None:
    assert not shows(text, control=control)


def test_a_notice_is_known_by_its_name() -> None:
    assert shows('<div data-notice="breach">x</div>', notice="breach.html")
    assert shows('<div id="breach.html">x</div>', notice="breach.html")
    assert not shows('<div hidden id="breach">x</div>', notice="breach.html")
    assert not shows("<div>breach</div>", notice="breach.html")


def test_what_is_shown_once_was_shown_to_whoever_is_in_that_state() -> None:
    mark = compiled(Mark(id="m", signs=(("notice", "breach.html"), ("once", "delivered"))))
    assert mark.is_shown(page("x"), frozenset({"delivered"}))
    assert not mark.is_shown(page("x"), frozenset({"other"}))


def test_scripts_are_known_by_what_they_hold_or_load() -> None:
    assert shows("<script>ga('set', 'anonymizeIp', true)</script>", script="anonymizeIp")
    assert shows('<script src="/js/anonymizeIp.js"></script>', script="anonymizeIp")
    assert not shows("<p>anonymizeIp</p><template><script>anonymizeIp</script></template>", script="anonymizeIp")
    assert not shows("<script>anonymizeIp", script="anonymizeIp")


# dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "2018-05-02", "2018/5/2", "2 May 2018", "2nd May, 2018", "2nd of May 2018", "May 2, 2018", "May 2nd 2018",
        "02.05.2018", "2. 5. 2018", "02/05/2018", "05/02/2018", "2.5.18", "2. Mai 2018", "den 2 maj 2018", "2 mai 2018",
        "2 de mayo de 2018", "2 maggio 2018", "2 mei 2018", "2018年5月2日", "<b>2</b> May&nbsp;2018.", "(2018-05-02)",
    ],
)  # fmt: skip
def test_a_day_is_found_in_any_spelling(text: str) -> None:
    assert shows(f"<p>In force since {text}", date="of-version")


@pytest.mark.parametrize(
    "text", ["2018-05-03", "12 May 2018", "2 May 20180", "2 March 2018", "2018-05-021", "1.2.5.2018", "22018-05-02", ""]
)
def test_another_day_is_not(text: str) -> None:
    assert not shows(f"<p>In force since {text}", date="of-version")


def test_a_day_may_stand_in_a_time_element_and_may_be_a_fixed_one() -> None:
    assert shows('<time datetime="2018-05-02">last spring</time>', date="of-version")
    assert shows("<p>1 July 2018", date="2018-07-01")


@given(st.dates(min_value=date(1000, 1, 1)))
def test_each_day_is_found_as_it_is_formatted_and_not_as_the_next(day: date) -> None:
    pattern = spelled(day)
    for form in ("%Y-%m-%d", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"):
        assert pattern.search(day.strftime(form).lower())
    if day < date.max:
        other = spelled(date.fromordinal(day.toordinal() + 1))
        assert not other.search(day.strftime("%d %B %Y").lower())
        assert not other.search(day.isoformat())


# together --------------------------------------------------------------------------------------------------------

LINKED = {"text": "privacy policy", "link": "/privacy"}


@pytest.mark.parametrize(
    ("text", "within", "expected"),
    [
        ('privacy policy<hr><a href="/privacy">x</a>', "page", True),
        ('<p>privacy policy<p><a href="/privacy">x</a>', "element", False),
        ('<p>privacy policy <a href="/privacy">x</a></p>', "element", True),
        ('<div>privacy policy <p><a href="/privacy">x</a></p></div>', "element", True),
        ('<form>privacy policy <a href="/privacy">x</a></form>', "form", True),
        ('<form>privacy policy</form><a href="/privacy">x</a>', "form", False),
        ('<form>privacy policy</form><a href="/privacy">x</a>', "after", True),
        ('<form>privacy policy</form><form></form><a href="/privacy">x</a>', "after", False),
        ('<form></form><form></form><p>privacy policy</p><a href="/privacy">x</a>', "after", True),
        ('privacy policy<a href="/privacy">x</a><form></form>', "after", False),
        ('privacy policy<a href="/privacy">x</a>', "form", False),
    ],
)
def test_signs_stand_together_within_the_span(text: str, within: str, *, expected: bool) -> None:
    assert shows(text, within=within, **LINKED) is expected


def test_one_sign_alone_has_to_stand_within_its_span() -> None:
    assert shows("<form>privacy policy</form>", within="form", text="privacy policy")
    assert not shows("<p>privacy policy</p><form></form>", within="form", text="privacy policy")
    assert shows("<form></form><p>privacy policy</p>", within="after", text="privacy policy")


def test_near_is_within_a_hundred_characters() -> None:
    signs = {"date": "of-version", "near": "effective date"}
    assert shows("<table><td>Effective date</td><td>2 May 2018</td>", **signs)
    assert shows("<p>2 May 2018: effective date", **signs)
    assert not shows(f"<p>Effective date: see below. {'word ' * 30} 2 May 2018", **signs)
    assert shows(f"<p>2 May 2018. {'word ' * 30} Effective date: 2 May 2018", **signs)


# bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("é".encode(), b"text/html"),
        ("é".encode("latin-1"), b"text/html"),
        ("é".encode("latin-1"), b"text/html; charset=ISO-8859-1"),
        ("é".encode(), b'text/html; Charset="utf-8"'),
        (b"\xef\xbb\xbf" + "é".encode(), b"text/html; charset=iso-8859-1"),
        (b"\xff\xfe" + "é".encode("utf-16-le"), b"text/html"),
        ("é".encode("utf-16-be"), b"text/html; charset=utf-16be"),
    ],
)
def test_the_charset_is_that_of_mark_type_or_neither(body: bytes, kind: bytes) -> None:
    assert decode(body, kind) == "é"


def test_a_page_says_its_charset_itself() -> None:
    assert decode('<meta charset="windows-1251">Привет'.encode("cp1251"), b"text/html").endswith("Привет")
    said = b'<meta http-equiv="content-type" content="text/html; charset=shift_jis">' + "日本".encode("shift_jis")
    assert decode(said, b"text/html").endswith("日本")
    assert decode("<meta charset=utf-16>é".encode(), b"text/html").endswith("é")


@pytest.mark.parametrize(
    "label", [b"utf-7", b"zip", b"base64", b"rot13", b"idna", b"x-none", b"\xff", b"unicode_escape"]
)
def test_a_charset_that_is_none_is_unreadable(label: bytes) -> None:
    with pytest.raises(UnreadableBody, match="charset"):
        decode(b"abc", b"text/html; charset=" + label)


# any cut, any page -----------------------------------------------------------------------------------------------

SAMPLE = (
    '<!doctype html><html><head><title>Caf&eacute;</title><base href="/a/"><script src="x.js">if (a<b) "</p>"</script>'
    '</head><body class=x><p hidden>no<p>Our <a href="/privacy?x=1&amp;y=2">privacy&nbsp;policy</a>, 2 May 2018'
    '<!-- c --><form id=f action="/consent"><input type=submit value="Yes &amp; no">'
    '<button formaction=/no data-c=refuse>No</button></form><template><p>x</template>'
    '<time datetime="2018-05-02">t</time><div role=button id=z>é</div></body></html>'
)  # fmt: skip


def seen(one: Outline) -> tuple[object, ...]:
    items = [(i.kind, i.at, i.names, i.address, i.sends, i.form, i.form_id, i.block) for i in one.items]
    return one.words, items, [(form.action, form.id) for form in one.forms], one.base, len(one.blocks)


@pytest.mark.parametrize("cut", range(len(SAMPLE)))
def test_every_cut_of_a_page_shows_the_same(cut: int) -> None:
    assert seen(outline(SAMPLE, cut)) == seen(outline(SAMPLE))


PIECES = st.sampled_from(
    [*"<>/=\"'&;-! abé\n\0\u0301", "<p>", "</p>", "<div hidden>", "</div>", "<form action=/no>", "</form>", "<button>",
     "</button>", "<script>", "</script>", "<!--", "-->", "<template>", "</template>", "<td>", "<table>", "</table>",
     "<a href=x>", "</a>", "<li>", "<br>", "&amp;", "&nbsp", "<textarea>", "</textarea>", "<svg>", "<![CDATA[", "]]>"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=60).map("".join), st.lists(st.integers(0, 200), max_size=5))
def test_any_page_is_read_and_its_cuts_do_not_matter(text: str, cuts: list[int]) -> None:
    text = composed(text)
    assert seen(outline(text, *(min(cut, len(text)) for cut in cuts))) == seen(outline(text))


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_what_stands_in_a_template_or_a_comment_is_never_shown(text: str) -> None:
    inert = text.replace("template", "x").replace("-->", "").replace("--!>", "")
    assert not shows(f"<!--{inert.lstrip('->')} secret --><p>x", text="secret")
    closed = inert.replace("<script>", "").replace("<textarea>", "").replace("<!--", "").replace("<![CDATA[", "")
    assert not shows(f"<template>{closed} <b>secret</b></template><p>x", text="secret")


def seen_in_tree(html: str) -> set[str]:
    """Return the words that are seen in the tree that the standard builds of a page."""
    words: set[str] = set()

    def walk(node: Node) -> None:
        if isinstance(node, Text):
            words.update(node.data.split())
        elif not isinstance(node, Element) or not (node.tag in UNDRAWN or "hidden" in node.attrs):
            for child in node.children:
                walk(child)

    walk(parse(html, scripting=True))
    return words


UNDRAWN = frozenset({"template", "script", "style", "textarea", "noscript", "title"})
HIDDEN = [
    "p", "div", "span", "ul", "ol", "li", "dl", "dt", "dd", "h1", "h2", "section", "button", "label", "details",
    "td", "th", "center", "fieldset",
]  # fmt: skip
NEVER_HIDDEN = ["b", "i", "em", "br", "hr", "script", "style", "template", "noscript", "textarea"]
TAGS = st.one_of(
    st.sampled_from(HIDDEN).map("<{}>".format),
    st.sampled_from(HIDDEN).map("<{} hidden>".format),
    st.sampled_from([*HIDDEN, *NEVER_HIDDEN, "table"]).map("</{}>".format),
    st.sampled_from(NEVER_HIDDEN).map("<{}>".format),
    st.sampled_from(["<table><tr><td>", "</td></tr></table>", "<svg><path/></svg>", "<svg><g><p>", "</body>"]),
    st.just(" "),
)


@settings(max_examples=1500)
@given(st.lists(TAGS, max_size=14))
def test_what_is_seen_is_what_is_seen_in_the_tree_of_the_standard(tags: list[str]) -> None:
    html = "<!doctype html>" + "".join(f"{tag} w{n} " if n % 2 else tag for n, tag in enumerate(tags))
    if "<table><tr><td>" in html and html.count("</t") > 0:
        return  # words between the cells of a table are moved out of it, which is not followed
    if len(re.findall("<h[12]", html)) > 1 and re.search("<(b|i|em)>", html):
        return  # one that nobody ended is opened anew inside a heading, and holds what follows: not followed either
    assert set(outline(html).words.split()) == seen_in_tree(html)


def test_drawings_and_their_parts_end_as_they_say() -> None:
    icons = "<svg hidden/>" + "<svg viewBox='0 0 1 1'>" + "<path d='M0 0'/>" * 3000 + "<g hidden/></svg>"
    assert shows(f"<p>{icons} privacy policy", text="privacy policy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [("<div>" * 2000, "too-deep"), ("<b>" * 2000, "too-deep"), ("<a href=x></a>" * 200_001, "too-large")],
)
def test_pages_beyond_all_measure_are_unreadable(text: str, reason: str) -> None:
    with pytest.raises(UnreadableBody, match=reason):
        outline(text)


@pytest.mark.parametrize(
    "unit",
    ["<p>", "<li>x", "</i>", "<", "&", "<!--", "<a href='", "<td>", "<option>", "<form>", "<form></form>",
     "</template>", "<br>", "<p><button></button>", "privacy ", "1.1.", "<b></b></p>"],
)  # fmt: skip
def test_a_page_twice_as_long_takes_about_twice_the_time(unit: str) -> None:
    def took(n: int) -> float:
        text = "<table><tr><td><b><b><b>" + unit * n + "2 May 2018"
        begun = time.process_time()
        shows(text, text="privacy policy", date="of-version", near="effective", within="element")
        return time.process_time() - begun

    small = min(took(4_000) for _ in range(3))
    assert min(took(32_000) for _ in range(2)) < 30 * small + 0.05  # eight times, were it a square sixty-four

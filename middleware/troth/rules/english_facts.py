"""What each fact and duty says of a thing, in English: one function per form, as the shapes in `facts` read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from troth.model import rules as model
from troth.model.consent import Params
from troth.model.period import Period
from troth.model.rules import Condition
from troth.model.words import ANY, DECLARED, NONE, OPEN, OWN, PERSONAL_DATA, UNDECLARED, Thing, Word, reference


@dataclass(frozen=True, slots=True)
class Said:
    """One clause: its subject, and what is said of it where the fact holds, and where it does not."""

    subject: str
    held: str
    denied: str


def _is(subject: str, what: str) -> Said:
    return Said(subject, f"is {what}", f"is not {what}")


def said_of(what: Condition, things: tuple[Thing, ...]) -> tuple[Said, ...]:
    """Return the clauses of one fact or duty, of which one is enough."""
    match what:
        case model.Names():
            return _names(what, things)
        case model.ConsentIs(word=word, name=name, params=params, form=form):
            return (_consent(word, name, params, form),)
        case model.StateIs(name=name, params=params):
            return (_is("the person", f"in the state {_held(name, params)}"),)
        case model.Under(years=years):
            return (_is("the person", f"known to be under {years}"),)
        case model.ActorIs(classes=classes, verified=verified):
            return _actor(classes, verified)
        case model.Attested(what=kind, about=about):
            whom = f"its {reference(about)}" if about and reference(about) else quoted(about or "")
            valid = f"a valid statement {quoted(kind)}" + (f" about {whom}" if about else "")
            return (Said(valid, "is there", "is missing"),)
        case model.Https(wanted=wanted):
            safe = Said("it", "comes over https", "does not come over https")
            return (safe if wanted else Said("it", safe.denied, safe.held),)
        case model.Aggregate(minimum=minimum):
            counts = f"holds nothing but counts of {minimum} or more, about nobody"
            return (Said("it", counts, f"holds something about people, or counts below {minimum}"),)
        case _:
            return (_duty(what),)


# names ---------------------------------------------------------------------------------------------------------------

_SUBJECTS = {
    Word.PURPOSE: "its purpose", Word.BASIS: "its legal basis", Word.ORIGIN: "the origin of its data",
    Word.PARTY: "its party", Word.COUNTRY: "the country of its party", Word.REGION: "the visitor's region",
}  # fmt: skip
_NOUNS = {
    Word.PURPOSE: "a purpose", Word.BASIS: "a legal basis", Word.PARTY: "a party", Word.DATA: "data of a category",
    Word.ORIGIN: "data of an origin",
}  # fmt: skip


def _names(what: model.Names, things: tuple[Thing, ...]) -> tuple[Said, ...]:
    special = [name for name in what.names if name in (ANY, NONE, OWN, DECLARED, UNDECLARED)]
    plain = tuple(name for name in what.names if name not in special)
    told = [_value_of(what.word, name) for name in special]
    return (*([_plain(what, plain, things)] if plain else ()), *told)


def _value_of(word: Word, name: str) -> Said:
    """Return the clause of a value with a meaning of its own."""
    subject = _SUBJECTS.get(word, "it")
    match name:
        case "any" if word is Word.PARTY:
            return Said("it", "involves a party other than the site itself", "involves no party but the site itself")
        case "any":
            return Said("it", f"has {_NOUNS[word]}", f"has no {_NOUNS[word].removeprefix('a ')}")
        case "none":
            return Said("it", f"has no {_NOUNS[word].removeprefix('a ')}", f"has {_NOUNS[word]}")
        case "own":
            return _is(subject, "the site itself")
        case "declared":
            return _is(subject, "declared in the policy")
        case _ if word is Word.DATA:
            return Said("it", "holds members of no declared category", "holds no member without a category")
        case _:
            return Said(subject, "stands in no row of the policy", "stands in a row of the policy")


def _plain(what: model.Names, names: tuple[str, ...], things: tuple[Thing, ...]) -> Said:
    word, listed = what.word, either([_value(name) for name in names])
    place = f" in {_places(what.carriers)}" if what.carriers else ""
    match word:
        case Word.DATA if set(things) == {Thing.FIELD}:
            return _is("it", either([_data(name) for name in names]) + place)
        case Word.DATA:
            held = either([_data(name) for name in names]) + place
            return Said("it", f"holds {held}", f"does not hold {held}")
        case Word.COMPLETE:
            each = _each([_data(name) for name in names]) + place
            return Said("it", f"holds all of {each}", f"does not hold all of {each}")
        case Word.ROLE:
            return Said("its party", f"has the role {listed}", f"does not have the role {listed}")
        case Word.ASKED:
            return Said("the user", f"asked for it by {listed}", f"did not ask for it by {listed}")
        case Word.ROUTE:
            return _is("the route", f"tagged {listed}")
        case Word.CARRIER:
            return Said("it", f"stands in {_places(names)}", f"does not stand in {_places(names)}")
        case Word.COUNTRY | Word.REGION:
            return _is("its party" if word is Word.COUNTRY else "the visitor", f"in {listed}")
        case Word.SHOWS:
            marks = _each([_value(name) for name in names])
            return Said("it", f"shows {marks}", f"does not show {marks}")
        case _:
            return _is(_SUBJECTS.get(word, "it"), listed)


def _data(name: str) -> str:
    if name == PERSONAL_DATA:
        return "personal data"
    return f"data that belong to its {reference(name)}" if reference(name) else quoted(name)


_PLACES = {
    "query": "the query", "path": "the path", "form": "a form", "json": "JSON", "multipart": "a multipart body",
    "header": "a header", "cookie": "a cookie", "html": "a page", "connection": "the connection",
}  # fmt: skip


def _places(carriers: Sequence[str]) -> str:
    return either([_PLACES.get(one, f"the {one}") for one in carriers])


def _value(name: str) -> str:
    """Return a name in quotes; ``of-X`` as that of X."""
    return f"that of the {reference(name)}" if reference(name) else quoted(name)


# people --------------------------------------------------------------------------------------------------------------


def _consent(word: Word, name: str, params: Params, form: str | None) -> Said:
    every = "each of its purposes" if word is Word.CONSENT else "one of its purposes"
    named = {"of-purpose": every, ANY: "anything"}.get(name) or _held(name, params)
    if word is Word.CONSENT:
        given = f" in the form {quoted(form)}" if form else ""
        return Said(f"consent to {named}", f"holds{given}", f"does not hold{given}")
    return Said("the visitor", f"has refused {named}", f"has not refused {named}")


def _held(name: str, params: Params) -> str:
    """Return a consent or state with what it is about."""
    told = [_about(key, value) for key, value in params]
    return quoted(name) + (f" (for {_each(told)})" if told else "")


def _about(key: str, value: str) -> str:
    if value == ANY:
        return f"any {key}"
    return f"its {key}" if reference(value) == key else f"the {key} {_value(value)}"


_CLASSES = {
    "subject": "the person it is about", "account": "signed in", "nobody": "not signed in", "party": "its party",
    "shared": "at a device that several people use", "public": "anybody", "of-route": "one of those the route is for",
}  # fmt: skip


def _actor(classes: tuple[str, ...], verified: Period | None) -> tuple[Said, ...]:
    if verified is not None:
        within = f"proved who they are within the last {span(verified)}"
        return (Said("whoever asks", f"has {within}", f"has not {within}"),)
    roles = [quoted(one) for one in classes if one not in _CLASSES]
    told = [_CLASSES[one] for one in classes if one in _CLASSES] + ([f"of the role {either(roles)}"] if roles else [])
    if told == [_CLASSES["nobody"]]:
        return (Said("whoever asks", "is not signed in", "is signed in"),)
    return (_is("whoever asks", either(told)),)


# duties --------------------------------------------------------------------------------------------------------------


def _duty(what: Condition) -> Said:
    match what:
        case model.Keep(limit=limit):
            least = "its purpose allows" if limit is None else span(limit)
            return Said("it", f"is kept no longer than {least}", f"is kept longer than {least}")
        case model.Status(wanted=wanted) if wanted == (OPEN,):
            return Said("the answer", "lets the visitor in", "shuts the visitor out")
        case model.Status(wanted=wanted):
            return _is("the status", either([quoted(one) for one in wanted]))
        case model.Header(name=name, values=(only,)) if only == NONE:
            return Said(f"the header {quoted(name)}", "is not sent", "is sent")
        case model.Header(name=name, values=values):
            return _is(f"the header {quoted(name)}", either([_value(one) for one in values]))
        case model.Attribute(name=name, value=value):
            return _attribute(name, value)
        case model.FollowedBy(event=event, within=within):
            after = f"followed by {quoted(event)} within {span(within)}"
            return _is("it", after)
        case model.AtMost(count=count, per=per, within=within):
            often = f"happens {count} times or less per {per} within {span(within)}"
            return Said("it", often, f"happens more than {count} times per {per} within {span(within)}")
        case _:
            raise AssertionError(what)


def _attribute(name: str, value: str) -> Said:
    if value in ("true", "false"):
        held, denied = ("is set", "is not set")
        return Said(f"its {quoted(name)}", *((held, denied) if value == "true" else (denied, held)))
    if name == "lifetime":
        least = "the session" if value == "session" else span(Period.parse(value))
        return Said("it", f"lives no longer than {least}", f"lives longer than {least}")
    return _is(f"its {quoted(name)}", quoted(value))


# words ---------------------------------------------------------------------------------------------------------------

_DATE_UNITS = {"Y": "year", "M": "month", "W": "week", "D": "day"}
_TIME_UNITS = {"H": "hour", "M": "minute", "S": "second"}


def span(period: Period) -> str:
    """Return a period in words: ``P1Y2M`` is *1 year and 2 months*."""
    days, _, time = period.text.removeprefix("P").partition("T")
    told = [_counted(found, _DATE_UNITS) for found in re.findall(r"(\d+)([YMWD])", days)]
    told += [_counted(found, _TIME_UNITS) for found in re.findall(r"(\d+)([HMS])", time)]
    return _each(told)


def _counted(found: tuple[str, str], units: dict[str, str]) -> str:
    number, unit = int(found[0]), units[found[1]]
    return f"{number} {unit}{'' if number == 1 else 's'}"


def quoted(name: str) -> str:
    """Return a name of the policy as the manual writes names."""
    return f"`{name}`"


def either(words: Sequence[str], first: str = "") -> str:
    """Return words as alternatives; `first` stands before several of them."""
    return (first if len(words) > 1 else "") + _listed(words, "or")


def _each(words: Sequence[str]) -> str:
    return _listed(words, "and")


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

"""The closed words of the rule language as enumerations. What each means: `troth/docs/words.md`."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class Thing(StrEnum):
    """What a rule is about."""

    COOKIE = "cookie"
    ELEMENT = "element"
    FIELD = "field"
    RECORD = "record"
    EXCHANGE = "exchange"
    PAGE = "page"
    EVENT = "event"


class Phase(IntEnum):
    """When facts arrive (`troth/docs/phases.md`). Values are ordered in time."""

    HEAD = 0
    REQUEST_BODY = 1
    RESPONSE_START = 2
    RESPONSE_BODY = 3
    END = 4


class Action(StrEnum):
    """What a rule does to a thing, strongest first, then the three that only a line shows."""

    DENY = "deny"
    WITHHOLD = "withhold"
    MASK = "mask"
    AMEND = "amend"
    ALERT = "alert"
    KEPT = "kept"
    OPENED = "opened"
    PROTECTED = "protected"
    """A rule would have denied or withheld, but the exchange is protected (`troth/docs/judging.md`, section 10)."""


RESTRICTING: Final = frozenset({Action.DENY, Action.WITHHOLD, Action.MASK})


class Mode(StrEnum):
    """Whether a rule acts. A dry run makes no edit and alerts what it would have done."""

    ENFORCE = "enforce"
    DRY_RUN = "dry-run"
    OFF = "off"


class Word(StrEnum):
    """Facts and duties: the keys of `match`, `only-if`, `if` and `expect`."""

    PURPOSE = "purpose"
    BASIS = "basis"
    ORIGIN = "origin"
    DATA = "data"
    COMPLETE = "complete"
    PARTY = "party"
    ROLE = "role"
    COUNTRY = "country"
    REGION = "region"
    CONSENT = "consent"
    REFUSED = "refused"
    STATE = "state"
    UNDER = "under"
    ACTOR = "actor"
    ATTESTED = "attested"
    ASKED = "asked"
    ROUTE = "route"
    HTTPS = "https"
    CARRIER = "carrier"
    KIND = "kind"
    AGGREGATE = "aggregate"
    EVENT = "event"
    SHOWS = "shows"
    KEEP = "keep"
    STATUS = "status"
    HEADER = "header"
    ATTRIBUTE = "attribute"
    FOLLOWED_BY = "followed-by"
    AT_MOST = "at-most"


class Carrier(StrEnum):
    """Where data stand. `request` and `response` name a direction and cover every place in it."""

    REQUEST = "request"
    RESPONSE = "response"
    QUERY = "query"
    PATH = "path"
    FORM = "form"
    JSON = "json"
    MULTIPART = "multipart"
    HEADER = "header"
    COOKIE = "cookie"
    HTML = "html"
    CONNECTION = "connection"
    TRAIL = "trail"


# Values with a meaning of their own.
ANY: Final = "any"
NONE: Final = "none"
OWN: Final = "own"
DECLARED: Final = "declared"
UNDECLARED: Final = "undeclared"
OPEN: Final = "open"
PERSONAL_DATA: Final = "personal-data"
"""The umbrella over every data row that does not say ``personal: false``."""

REFERENCES: Final = frozenset({"purpose", "basis", "party", "country", "data", "actor", "route", "version"})
"""What ``of-X`` may name, besides the names that a binding gives (``of-topic``)."""

PROTECTED_TAGS: Final = frozenset({"policy", "consent", "refuse", "withdraw", "unsubscribe", "contact"})
OWN_COPY_TAGS: Final = frozenset({"access", "export"})
"""Route tags under which a subject's own copy is protected when the actor is that subject."""


def reference(value: str) -> str | None:
    """Return X of ``of-X``, else None: ``of-purpose`` gives ``purpose``."""
    return value[3:] if value.startswith("of-") else None

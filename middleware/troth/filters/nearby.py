"""What stands just before a number says what it is: ``Tel:``, ``order no.``, ``version``. A few characters are read."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WINDOW: Final = 48
_GAP: Final = r"[\s.:\uff1a#=°º_\-/(\"']{0,4}"
_PHONE: Final = re.compile(
    r"(?:(?<![^\W_])(?:tel|t[ée]l[ée]|phone|mob|m[óo]vil|cel|handy|portable|fax|call|ring|sms|whatsapp|tlf|gsm|puh|rufn|"
    r"тел|моб)[^\W\d_]{0,12}|電話|电话|手机)(?:番号|号码)?" + _GAP + r"(?:[^\W\d_]{1,7}" + _GAP + r"){0,2}$",
    re.IGNORECASE,
)
_OTHER: Final = re.compile(
    r"(?<![^\W_])(?:order|ord|best[eä]ll|commande|pedido|inv|invoice|faktur|rechn|factur|ticket|case|rma|po|so|ref|"
    r"book|reserv|track|parcel|paket|sku|ean|gtin|upc|isbn|issn|ismn|serial|s/n|part|art|lot|batch|charge|licen[cs]|"
    r"lizenz|code|key|imei|imsi|iccid|meid|sir[ei][tn]|iban|account|konto|voucher|coupon|customer|kund|client|"
    r"transaction|txn|trace|request|req|session|snowflake|tweet|event|msg|message|device|machine|model)"
    r"[^\W\d_]{0,12}" + _GAP + r"(?:(?:no|nr|num|number|nummer|n|id|code|ref|key)" + _GAP + r")?$",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?:(?<!\w)(?=\w{0,11}\d)(?=\w{0,11}[A-Za-z])\w{2,12} |[A-Z]{1,6}[\-_]|[^\W_]|#)$")
_VERSION: Final = re.compile(
    r"(?:(?<![^\W_])(?:v|ver|version|firmware|fw|build|release|rel|section|sec|chapter|kapitel|kap|oid|rev|revision)"
    r"[\s.:#=_]{0,3}|§{1,2}\s?)$",
    re.IGNORECASE,
)
_PRODUCT: Final = re.compile(r"(?:^|[\s(;,])[A-Z][\w.\-]{0,40}/$")
_SPACES: Final = frozenset("\u00a0\u2007\u2009\u202f\u3000")
_DASHES: Final = frozenset("\u2010\u2011\u2012\u2013\u2212\uff0d")


def says_phone(text: str, at: int) -> bool:
    """Say whether a word for a telephone stands before the place `at`."""
    return _PHONE.search(text, max(0, at - _WINDOW), at) is not None


def says_other(text: str, at: int) -> bool:
    """Say whether the number at `at` is said to be of another kind (order, parcel, device), or is part of a code."""
    start = max(0, at - _WINDOW)
    return _OTHER.search(text, start, at) is not None or _CODE.search(text, start, at) is not None


def says_version(text: str, at: int) -> bool:
    """Say whether the dotted number at `at` is named as a version or section, as in ``firmware 2.4.1.0``."""
    start = max(0, at - _WINDOW)
    return _VERSION.search(text, start, at) is not None or _PRODUCT.search(text, start, at) is not None


def plain_digits(text: str) -> str:
    """Return `text` with the digits, spaces and dashes of other scripts and typesetters as ASCII writes them."""
    return text if text.isascii() else "".join(map(_plain, text))


def _plain(one: str) -> str:
    if one.isascii():
        return one
    if one.isdecimal():
        return str(unicodedata.decimal(one))
    return " " if one in _SPACES else "-" if one in _DASHES else "+" if one == "\uff0b" else one

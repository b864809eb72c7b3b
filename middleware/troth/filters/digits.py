"""Numbers that identify: payment cards and telephone numbers, told from time stamps, dates and ids."""

from __future__ import annotations

import re
from typing import Final

_CARD: Final = re.compile(
    r"(?<!\d)(?<!\d\.)(?=("
    r"\d{13,19}"
    r"|\d{4}([ -])\d{4}\2\d{4}\2\d{4}(?:\2\d{3})?"
    r"|\d{4}([ -])\d{6}\3\d{4,5}"
    r")(?!\d))"
)
_CARD_START: Final = re.compile(r"[2-6]\d{3}(?:\d{9}|[ -]\d{4})")
_ISSUERS: Final = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d{2})\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners Club
    r"|62\d{14}(?:\d{3})?"  # UnionPay
    r"|(?:50(?:18|20|38)|5893|6304|6759|676[123])\d{12}(?:\d{3})?"  # Maestro
)
_NO_DIGIT: Final = re.compile(r"\D+")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_SHORTEST_CARD: Final = 13
_LONGEST_CARD: Final = 19
_PHONE: Final = re.compile(
    r"(?<![\w+.\-])(?:"
    r"\+[1-9](?:[ ().\-/]{0,2}\d){6,14}"
    r"|\(?[2-9]\d{2}\)?([ .\-])\d{3}\1\d{4}"
    r"|\([2-9]\d{2}\) ?\d{3}[ .\-]\d{4}"
    r"|\(?0\d{1,4}\)?[ \-/]\d{2,4}(?:[ \-]?\d{2,4}){1,3}"
    r")(?![\w\-]|\.\d|:\d)"
)
_RUN: Final = re.compile("[0-9\x80-\U0010ffff][0-9 ().\\-/\x80-\U0010ffff]{6}")
"""What no telephone number can do without: cheap to look for. Other scripts have digits too."""
_DATE: Final = re.compile(r"\d{1,2}[-/. ]\d{1,2}[-/. ](?:19|20)\d{2}")
_FEWEST_PHONE_DIGITS: Final = 8
_MOST_PHONE_DIGITS: Final = 15


def is_card(text: str) -> bool:
    """Say whether a payment card number stands in `text`: Luhn, issuer prefix and that issuer's length all agree.

    Takes digits in one run or in the groups that cards print. Time stamps and snowflake ids have no issuer's prefix.
    """
    if len(text) < _SHORTEST_CARD or not _CARD_START.search(text):
        return False
    for found in _CARD.finditer(text):
        number = _NO_DIGIT.sub("", found[1])
        if _ISSUERS.fullmatch(number) and _luhn(number):
            return True
    return False


def is_card_number(number: int) -> bool:
    """Say the same of an integer: JSON also carries cards without quotes."""
    return 10 ** (_SHORTEST_CARD - 1) <= number < 10**_LONGEST_CARD and is_card(str(number))


def is_phone(text: str) -> bool:
    """Say whether a telephone number stands in `text`: international with ``+``, or national with its separators.

    A bare run of digits is none: it may as well be an id, a time or a price.
    """
    if len(text) <= _FEWEST_PHONE_DIGITS or not _RUN.search(text):
        return False
    for found in _PHONE.finditer(text):
        digits = len(_NO_DIGIT.sub("", found[0]))
        if _FEWEST_PHONE_DIGITS <= digits <= _MOST_PHONE_DIGITS and not _DATE.match(found[0]):
            return True
    return False


def _luhn(number: str) -> bool:
    plain, doubled = number[-1::-2], number[-2::-2].translate(_DOUBLED)
    return sum(map(int, plain + doubled)) % 10 == 0

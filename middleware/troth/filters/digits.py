"""Payment card numbers, told from time stamps, order numbers, device numbers and ids."""

from __future__ import annotations

import re
from typing import Final

from troth.filters.nearby import plain_digits, says_other
from troth.filters.phones import is_phone

__all__ = ["is_card", "is_card_number", "is_phone"]

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


def is_card(text: str) -> bool:
    """Say whether a payment card number stands in `text`: Luhn, issuer prefix and that issuer's length all agree.

    Takes digits in one run or in the groups that cards print. Time stamps and snowflake ids have no issuer's prefix; a
    number that is named as one of an order, a parcel or a device is taken for that, and one of 13 digits that is also a
    valid article number (EAN) for an article.
    """
    text = plain_digits(text)
    if len(text) < _SHORTEST_CARD or not _CARD_START.search(text):
        return False
    return any(_is_card(text, found) for found in _CARD.finditer(text))


def _is_card(text: str, found: re.Match[str]) -> bool:
    number = _NO_DIGIT.sub("", found[1])
    if not _ISSUERS.fullmatch(number) or not _luhn(number) or says_other(text, found.start()):
        return False
    return len(number) != _SHORTEST_CARD or not _is_article(number)


def is_card_number(number: int) -> bool:
    """Say the same of an integer: JSON also carries cards without quotes."""
    return 10 ** (_SHORTEST_CARD - 1) <= number < 10**_LONGEST_CARD and is_card(str(number))


def _luhn(number: str) -> bool:
    plain, doubled = number[-1::-2], number[-2::-2].translate(_DOUBLED)
    return sum(map(int, plain + doubled)) % 10 == 0


def _is_article(number: str) -> bool:
    return (sum(map(int, number[::2])) + 3 * sum(map(int, number[1::2]))) % 10 == 0

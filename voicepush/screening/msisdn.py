"""
The normal form of a phone number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TypeAlias

import attrs

from voicepush.errors import InputError
from voicepush.screening.numbering_plans import (
    Country,
    Unclear,
    country_of,
)
from voicepush.screening.refusals import Reason


def normalise(
    text: str, *, country: str | None = None, international: bool = False
) -> str | Reason:
    """
    The msisdn in *text* as ``+`` and 7 to 15 digits, or why there is none.

    Args:
        country: As for `Screening`.
        international: As for `Screening`.
    """
    return normalise_one(text, completion_of(country, international=international))


Texts: TypeAlias = Sequence[str]


# Normal form. [0-9] and not \d throughout: \d takes digits of other scripts.


_E164 = r"\+[1-9][0-9]{6,14}+"

E164 = re.compile(_E164)


#: Such texts, joined by line feeds.
E164_LINES = re.compile(rf"(?:{_E164}\n)*+{_E164}")


# The start of a line of digits that lacks nothing but a plus.
_WITHOUT_PLUS = re.compile(r"\n(?=[1-9][0-9]{6,14}$)", re.MULTILINE)


# What a spreadsheet makes of a number, with all its digits: 919812345678.0 and, if
# there are enough, 9.19812345678E+11.
_FLOAT = re.compile(r"(\+?[0-9]{6,})[.,]0|([1-9][0-9]{6,})[.,]00", re.ASCII)


_EXPONENT = re.compile(r"([1-9])[.,]([0-9]+)e\+?([0-9]{1,2})", re.IGNORECASE)


_ROUNDED = re.compile(
    r"""[+-]?[0-9]+(?:[.,][0-9]+)?e[+-]?[0-9]+  # 9.19812E+11
      | \+?[0-9]{6,}[.,]0{1,2}                  # +919812345678.00: or is that a group?
    """,
    re.IGNORECASE | re.VERBOSE,
)


# An apostrophe, or a formula of nothing but the number: ="919812345678".
_COVER = re.compile(r"""'\s*+(.*)|="?+([^"]*)"?""", re.DOTALL)


# Not the line feed, nor the tab: two numbers in one cell must not become one.
_SEPARATORS = str.maketrans("", "", " -./()")


# Those that can go without a second look at what they stood between.
_HARMLESS = str.maketrans("", "", " -")


# Two numbers with nothing but separators between them.
_TWO_RUNS = re.compile(r"(?<![0-9])[0-9]{7,}+[ \t./()-]++\+?+[0-9]{7}")


_NUMBERS = re.compile(r"\+?[0-9][0-9 ().-]{5,}[0-9]")


_FEWEST_DIGITS = 7


_MOST_DIGITS = 15


def normalise_all(
    texts: Texts, completion: Completion
) -> tuple[Texts, dict[int, Reason]]:
    """
    The msisdns in *texts*, and by place why there is none; there the text is left.
    """
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:  # one text would be taken for two
        return _each(texts, texts, completion)
    if E164_LINES.fullmatch(joined):
        return texts, {}
    closed = joined.translate(_HARMLESS)
    if closed != joined and _TWO_RUNS.search(joined):
        closed = joined
    usual = completion.complete_usual("\n" + closed)[1:]
    numbers = usual.split("\n")
    if E164_LINES.fullmatch(usual):
        return numbers, {}
    return _each(texts, numbers, completion)


def _each(
    texts: Texts, usual: Texts, completion: Completion
) -> tuple[Texts, dict[int, Reason]]:
    numbers, reasons = list(usual), {}
    for place, number in enumerate(map(E164.fullmatch, usual)):
        if number is None:
            found = normalise_one(texts[place], completion)
            if isinstance(found, Reason):
                reasons[place] = found
                found = texts[place]
            numbers[place] = found
    return numbers, reasons


def normalise_one(text: str, completion: Completion) -> str | Reason:
    """
    The msisdn in *text*, or why there is none.
    """
    text = str(text)
    if E164.fullmatch(text):
        return text
    number = _number_in(text)
    if isinstance(number, Reason):
        return number
    if not number.startswith("+"):
        completed = completion.complete(number)
        if isinstance(completed, Reason):
            return completed
        number = completed
    return number if E164.fullmatch(number) else _misshapen(number)


def _number_in(text: str) -> str | Reason:
    """
    The digits in *text*, after a plus if there is one or ``00`` in its place.
    """
    text = _uncovered(text.strip())
    if not text.isascii():
        text = _uncovered(_in_ascii(text).strip())
    if not text:
        return Reason.EMPTY
    text = _whole(text)
    if _ROUNDED.fullmatch(text):
        return Reason.ROUNDED
    number = _bare(text)
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        several = len(_NUMBERS.findall(text)) > 1
        return Reason.SEVERAL if several else Reason.NOT_A_NUMBER
    if _TWO_RUNS.search(text):
        return Reason.SEVERAL
    return f"+{number[2:]}" if number.startswith("00") else number


def _uncovered(text: str) -> str:
    found = _COVER.fullmatch(text)
    return text if found is None else (found[1] or found[2] or "").strip()


def _whole(text: str) -> str:
    """
    *text*, or its digits if a spreadsheet made a float of it that lost none of them.
    """
    if found := _FLOAT.fullmatch(text):
        return found[1] or found[2]
    found = _EXPONENT.fullmatch(text)
    if found and len(found[2]) == int(found[3]):
        return found[1] + found[2]
    return text


def _bare(text: str) -> str:
    if text[:4].lower() == "tel:":
        text = text[4:].lstrip()
    if text.startswith(("+", "00")):
        # +44 (0) 7700 900123: the 0 is for callers within the country.
        text = text.replace("(0)", "")
    return text.translate(_SEPARATORS)


def _in_ascii(text: str) -> str:
    """
    *text* with digits of all scripts, dashes and spaces turned into those of ASCII.
    """
    return "".join(map(_ascii_of, text))


def _ascii_of(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    # Dashes, spaces, and marks of direction that come along with a pasted number.
    if unicodedata.category(character) in ("Pd", "Zs", "Cf"):
        return " "
    return _LOOKALIKES.get(character, character)


_LOOKALIKES = {"\N{FULLWIDTH PLUS SIGN}": "+", "\N{MINUS SIGN}": "-"}


def _misshapen(number: str) -> Reason:
    digits = number.removeprefix("+")
    if len(digits) < _FEWEST_DIGITS:
        return Reason.TOO_SHORT
    if len(digits) > _MOST_DIGITS:
        return Reason.TOO_LONG
    return Reason.ZERO


# What becomes of digits without a plus.

_UNCLEAR = {
    Unclear.IMPOSSIBLE: Reason.NOT_NATIONAL,
    Unclear.AMBIGUOUS: Reason.AMBIGUOUS,
}


@attrs.frozen
class Completion:
    """
    What becomes of digits without a plus.
    """

    country: Country | None
    international: bool

    def complete(self, digits: str) -> str | Reason:
        """
        The number that *digits* stand for, or why it can't be told.
        """
        if self.country is not None:
            found = self.country.read(digits)
            return _UNCLEAR[found] if isinstance(found, Unclear) else found
        return f"+{digits}" if self.international else Reason.NO_COUNTRY

    def complete_usual(self, text: str) -> str:
        """
        *text* with those of its lines completed that have a usual form.

        Each line begins with a line feed.
        """
        if self.country is not None:
            return self.country.read_usual(text)
        return _WITHOUT_PLUS.sub("\n+", text) if self.international else text


def completion_of(country: str | None, *, international: bool) -> Completion:
    """
    How numbers are completed that someone in *country* wrote.
    """
    if country is None:
        return Completion(None, international)
    if international:
        raise InputError(
            "numbers are of one country (--country) or begin with their calling code "
            "(--international); both can't be"
        )
    return Completion(country_of(country), international=False)

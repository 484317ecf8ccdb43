"""
The numbering plans of all countries, as regular expressions made when first needed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from voicepush.errors import InputError


class Unclear(enum.Enum):
    """
    Why digits have no reading in a country.
    """

    IMPOSSIBLE = "neither a national number nor one with the calling code"
    AMBIGUOUS = "both are possible, and not exactly one is in the plan"


class NumberingPlans:
    """
    Tells which numbers *phonenumbers* takes for valid, at a tenth of its time.
    """

    def missing(self, numbers: Sequence[str]) -> list[int]:
        """
        The places of those of *numbers*, in normal form, that no plan has.
        """
        if not numbers:
            return []
        text = "\n" + "\n".join(numbers)
        end = _end_of_code(numbers[0])
        code = numbers[0][:end]
        if end > 1 and text.count(f"\n{code}") == len(numbers):
            return _missing_in(text, code[1:])
        places: list[int] = []
        for code, theirs in _by_code(numbers).items():
            text = "\n" + "\n".join(numbers[place] for place in theirs)
            places += map(theirs.__getitem__, _missing_in(text, code))
        return sorted(places)


class Country:
    """
    Reads numbers that have no ``+``, as someone in one country writes them.

    Args:
        name: A region such as ``GB``, or a calling code such as ``+44``, which stands
            for the main region that has it.

    Raises:
        InputError: There is no such country.
    """

    def __init__(self, name: str) -> None:
        plan = _plan_of(name)
        self._code = str(plan.country_code)
        self._lengths = frozenset(plan.general_desc.possible_length)
        self._general = re.compile(plan.general_desc.national_number_pattern, re.ASCII)
        self._trunk = re.compile(plan.national_prefix_for_parsing or "(?!)", re.ASCII)
        self._rule = plan.national_prefix_transform_rule
        valid = _valid(self._code)
        # A calling code has a plan, or it would have had no region.
        self._valid: Callable[[str], Any] = valid.fullmatch if valid else bool
        self._make_patterns(valid.pattern if valid else "(?!)")

    def read(self, digits: str) -> str | Unclear:
        """
        The number that *digits* stand for, in normal form, or why it can't be told.
        """
        national = self._national(digits)
        readings = [national] if self._is_possible(national) else []
        if digits.startswith(self._code):
            rest = digits[len(self._code) :]
            if rest != national and self._is_possible(rest):
                readings.append(rest)
        if len(readings) > 1:
            readings = list(filter(self._valid, readings))
            if len(readings) != 1:
                return Unclear.AMBIGUOUS
        return f"+{self._code}{readings[0]}" if readings else Unclear.IMPOSSIBLE

    def read_usual(self, text: str) -> str:
        """
        *text* with a plus and the calling code in those of its lines that are usual.

        Usual are lines of digits without a national prefix that have one reading, or
        two of which the plan has one. They become what `read` gives. Each line begins
        with a line feed.
        """
        if self._all_plain.fullmatch(text):
            return text.replace("\n", f"\n+{self._code}")
        text = self._national_line.sub(f"\n+{self._code}", text)
        return self._whole_line.sub("\n+", text)

    def _make_patterns(self, valid: str) -> None:
        """
        Make what tells the usual lines, from what *valid* national numbers look like.
        """
        code, trunk = self._code, self._trunk.pattern
        lengths, missing = self._lengths, len(self._code)
        # Few countries have numbers that begin with 0.
        possible = f"(?={_digits(lengths)}$)(?:(?!0)|(?=(?:{self._general.pattern})$))"
        no_trunk = f"(?!(?:{trunk})(?<!\n))"  # but it may match an empty text
        # Those that can't begin with the calling code.
        plain = f"(?!0|{code}){no_trunk}{_digits(_of_e164(lengths, missing))}$"
        national = (
            f"(?!00)(?={_digits(_of_e164(range(16), missing))}$){no_trunk}{possible}"
            f"(?:(?!{code}{possible})|(?!{code}{valid}$){valid}$)"
        )
        # A national prefix that is the calling code leaves what stands behind it.
        whole = (
            f"(?={code})(?={_digits(_of_e164(range(16), 0))}$)"
            f"{'' if trunk == code else no_trunk}(?={code}{possible})"
            f"(?:(?!{possible})|(?!{valid}$){code}{valid}$)"
        )
        self._all_plain = re.compile(rf"(?:\n{plain})*+", re.ASCII | re.MULTILINE)
        self._national_line = _line(f"(?:{plain}|{national})")
        self._whole_line = _line(whole)

    def _is_possible(self, national: str) -> bool:
        return len(national) in self._lengths and (
            # Few countries have numbers that begin with 0; there they have a pattern.
            not national.startswith("0")
            or self._general.fullmatch(national) is not None
        )

    def _national(self, digits: str) -> str:
        """
        *digits* without the national prefix, by the rules of *phonenumbers*.
        """
        found = self._trunk.match(digits)
        if not found:
            return digits
        rest = digits[found.end() :]
        if self._rule and found.re.groups and found[found.re.groups] is not None:
            rest = found.expand(self._rule) + rest
        is_usual = self._general.fullmatch
        if (is_usual(digits) and not is_usual(rest)) or len(rest) not in self._lengths:
            return digits
        return rest


@cache
def country_of(name: str) -> Country:
    """
    The country called *name*, made once.
    """
    return Country(name)


def _of_e164(lengths: Iterable[int], missing: int) -> list[int]:
    """
    Those of *lengths* that E.164 has once *missing* digits are in front.
    """
    return [length for length in lengths if 7 <= length + missing <= 15]  # noqa: PLR2004


def _digits(lengths: Iterable[int]) -> str:
    every = sorted(lengths)
    if not every:
        return "(?!)"
    if every == list(range(every[0], every[-1] + 1)):
        return f"[0-9]{{{every[0]},{every[-1]}}}+"
    return f"(?:{'|'.join(f'[0-9]{{{length}}}$' for length in every)})"


def _line(start: str) -> re.Pattern[str]:
    # A line feed in front is found faster than the start of a line.
    return re.compile(rf"\n(?={start})", re.ASCII | re.MULTILINE)


def _plan_of(name: str) -> Any:
    library = _phonenumbers()
    code = re.fullmatch(r"(?:\+|00)?([1-9][0-9]{0,2})", name)
    region = name.upper()
    if code is not None:
        regions = library.COUNTRY_CODE_TO_REGION_CODE.get(int(code[1]))
        if regions is not None:
            return library.PhoneMetadata.metadata_for_region_or_calling_code(
                int(code[1]), regions[0]
            )
    elif region in library.SUPPORTED_REGIONS:
        return library.PhoneMetadata.metadata_for_region(region)
    raise InputError(
        f"the country {name[:20]!r} is not known; "
        "give two letters such as GB, or a calling code such as +44"
    )


def _phonenumbers() -> Any:
    # It takes a while to import, and few lists need it.
    import phonenumbers  # noqa: PLC0415

    return phonenumbers


@cache
def _valid(code: str) -> re.Pattern[str] | None:
    """
    What national numbers of the calling *code* look like, if there is such a code.
    """
    library = _phonenumbers()
    regions = library.COUNTRY_CODE_TO_REGION_CODE.get(int(code))
    if regions is None:
        return None
    # The library decides by the first region whose leading digits fit, or which
    # has none and takes the number. The innermost alternative is the last region.
    pattern = "(?!)"
    for region in reversed(regions):
        plan = library.PhoneMetadata.metadata_for_region_or_calling_code(
            int(code), region
        )
        if plan.leading_digits is None:
            pattern = f"(?:{_valid_in(plan)}|{pattern})"
        else:
            leading = f"(?:{plan.leading_digits})"
            pattern = f"(?:(?={leading}){_valid_in(plan)}|(?!{leading}){pattern})"
    return re.compile(pattern, re.ASCII)


def _end_of_code(number: str) -> int:
    """
    Where the calling code of *number* ends, in normal form; 1 if it has none.
    """
    # No calling code begins with another.
    return next((end for end in (2, 3, 4) if _valid(number[1:end])), 1)


def _by_code(numbers: Sequence[str]) -> dict[str, list[int]]:
    """
    The places of *numbers* by calling code.
    """
    ends: dict[str, int] = {}
    places: dict[str, list[int]] = {}
    for place, number in enumerate(numbers):
        start = number[:4]
        end = ends.get(start)
        if end is None:
            end = ends[start] = _end_of_code(number)
        places.setdefault(number[1:end], []).append(place)
    return places


def _missing_in(text: str, code: str) -> list[int]:
    """
    Which lines of *text* hold numbers of the calling *code* that are not in its plan.

    Each line begins with a line feed.
    """
    found = _not_in_plan(code).finditer(text)
    places, before, place = [], 0, 0
    for each in found:
        place += text.count("\n", before, each.start())
        before = each.start()
        places.append(place)
    return places


@cache
def _not_in_plan(code: str) -> re.Pattern[str]:
    valid = _valid(code) if code else None
    body = valid.pattern if valid else "(?!)"
    return _line(rf"(?!\+{code}{body}$)")


# Most lists are of mobiles, which are therefore looked for first.
_TYPES = (
    "mobile",
    "fixed_line",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "personal_number",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


def _valid_in(plan: Any) -> str:
    types = [getattr(plan, name) for name in _TYPES]
    alternatives = "|".join(_fits(each) for each in types if each is not None)
    return f"(?={_fits(plan.general_desc)}$)(?:{alternatives})"


def _fits(description: Any) -> str:
    pattern = f"(?:{description.national_number_pattern})"
    lengths = description.possible_length
    return f"(?={_digits(lengths)}$){pattern}" if lengths else pattern

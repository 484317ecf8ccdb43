"""
The numbering plans of all countries, as regular expressions made when first needed.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from voicepush.errors import InputError


class Doubt(enum.Enum):
    """
    Why digits have no reading in a country.
    """

    IMPOSSIBLE = "neither a national number nor one with the calling code"
    AMBIGUOUS = "both are possible, and not exactly one is in the plan"


class NumberingPlans:
    """
    Tells which numbers *phonenumbers* takes for valid, at a tenth of its time.
    """

    def has(self, number: str) -> bool:
        """
        Whether *number*, in normal form, is valid as it stands.
        """
        for end in (2, 3, 4):
            pattern = _valid(number[1:end])
            if pattern is not None:
                return pattern.fullmatch(number, end) is not None
        return False


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
        body = valid.pattern if valid else "(?!)"
        trunk = self._trunk.pattern
        self._all_national = _lines(
            f"{_of_length(len(self._code))}(?!{trunk})(?!{self._code}{body}$){body}$"
        )
        self._all_whole = _lines(f"{_of_length(0)}(?!{body}$){self._code}{body}$")

    def read(self, digits: str) -> str | Doubt:
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
                return Doubt.AMBIGUOUS
        return f"+{self._code}{readings[0]}" if readings else Doubt.IMPOSSIBLE

    def read_all(self, joined: str) -> list[str] | None:
        """
        What `read` gives for each line of *joined*, if all are of one usual kind.

        Usual are numbers that are valid in one reading and not in the other.
        """
        if self._all_national.fullmatch(joined):
            start = f"+{self._code}"
        elif self._all_whole.fullmatch(joined):
            start = "+"
        else:
            return None
        return (start + joined.replace("\n", f"\n{start}")).split("\n")

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


def _of_length(missing: int) -> str:
    # Of E.164, and not with the 00 that stands for a plus.
    return f"(?=[0-9]{{{7 - missing},{15 - missing}}}$)(?!00)"


def _lines(one: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{one}\n)*+{one}", re.ASCII | re.MULTILINE)


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


_TYPES = (
    "fixed_line",
    "mobile",
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
    lengths = "|".join(f"[0-9]{{{length}}}" for length in description.possible_length)
    return f"(?=(?:{lengths})$){pattern}" if lengths else pattern

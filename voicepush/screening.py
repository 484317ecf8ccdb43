"""
Recipients are brought into one form; bad, repeated and suppressed ones are refused.
"""

from __future__ import annotations

import enum
import importlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import compress, count
from operator import attrgetter, not_
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import attrs
import msgspec
from pyroaring import BitMap64

from voicepush.errors import InputError
from voicepush.model import Destination, Recipient, mask
from voicepush.recipients import Block, Malformed, read_file


class Kind(enum.StrEnum):
    """
    Which of the three counts a refusal goes into.
    """

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"


class Reason(enum.StrEnum):
    """
    Why a recipient is refused, in words for whoever made the list.
    """

    EMPTY = "empty"
    NOT_A_TEXT = "not a text"
    NOT_A_NUMBER = "not a phone number"
    ROUNDED = "looks like a number that a spreadsheet rounded; store it as text"
    NO_COUNTRY = "a national number; give its country (--country)"
    NOT_NATIONAL = "not a number of the country given"
    ZERO = "no country's calling code begins with 0"
    TOO_SHORT = "too short for E.164"
    TOO_LONG = "too long for E.164"
    NOT_IN_USE = "not a valid number in its country's numbering plan"
    REPEATED_ID = "its correlation id was used before"
    DUPLICATE = "duplicate of an earlier row"
    SUPPRESSED = "on the suppression list"

    @property
    def kind(self) -> Kind:
        """
        The count it goes into.
        """
        return _KINDS.get(self, Kind.INVALID)


_KINDS = {
    Reason.DUPLICATE: Kind.DUPLICATE,
    Reason.SUPPRESSED: Kind.SUPPRESSED,
}


@attrs.frozen
class Refusal:
    """
    One value that will not be called, and why.
    """

    row: int
    #: As it came.
    recipient: str = attrs.field(repr=mask)
    #: A `Reason`, or what `Malformed` says: one of a few fixed sentences.
    reason: str
    kind: Kind = Kind.INVALID


def _count(found: Sequence[object]) -> str:
    return f"<{len(found)}>"


@attrs.define(eq=False)
class Screened:
    """
    What is left of a block, and what was refused.
    """

    recipients: Sequence[Recipient] = attrs.field(repr=_count)
    #: The row of each recipient.
    rows: Sequence[int]
    refusals: list[Refusal] = attrs.field(factory=list, repr=_count)
    #: Whether all recipients are known to be bare msisdns.
    plain: bool = attrs.field(default=False, kw_only=True)


def normalise(text: str, *, country: str | None = None) -> str | Reason:
    """
    The msisdn in *text* as ``+`` and 7 to 15 digits, or why there is none.

    Args:
        country: As for `Screening`.
    """
    return _normalise(text, _completion(country))


@attrs.define(eq=False)
class Suppressed:
    """
    Numbers and customer ids that must not be called.
    """

    numbers: BitMap64 = attrs.field(factory=BitMap64, repr=_count)
    customer_ids: set[str] = attrs.field(factory=set, repr=_count)
    #: How many entries of the lists could not be understood, and so suppress nobody.
    unusable: int = 0

    @classmethod
    def read(
        cls,
        *paths: Path | str,
        country: str | None = None,
        column: str | None = None,
        encoding: str | None = None,
    ) -> Suppressed:
        """
        What the files at *paths* list; they are read as lists of recipients are.

        Args:
            country: As for `Screening`.
            column: As for `recipients.read_file`.
            encoding: As for `recipients.read_file`.
        """
        suppressed = cls()
        screening = Screening(country=country, duplicates=False)
        for path in paths:
            for block in read_file(path, column=column, encoding=encoding):
                suppressed._add(screening.screen(block).recipients)
        suppressed.unusable = screening.invalid
        return suppressed

    def _add(self, recipients: Sequence[Recipient]) -> None:
        numbers: list[str] = []
        for recipient in recipients:
            if isinstance(recipient, str):
                numbers.append(recipient)
            else:
                numbers.extend(recipient.msisdn)
                self.customer_ids.update(recipient.customer_id)
        self.numbers.update(_integers(numbers))

    def __len__(self) -> int:
        return len(self.numbers) + len(self.customer_ids)


_Texts: TypeAlias = Sequence[str]


class _Column(NamedTuple):
    rows: Sequence[int]
    texts: Sequence[str]  # as they came
    numbers: Sequence[str]  # the same, normalised


class Screening:
    """
    Lets through what can be called, each recipient once, and counts the rest.

    What is counted everywhere is values: a destination of three adds three. It loses
    its bad values and stays with the good ones. A suppressed value counts as
    suppressed however often it comes. It serves one plan at a time.

    Args:
        country: Where numbers without a calling code belong: a region such as
            ``GB``, which needs the optional *phonenumbers*, or a calling code such
            as ``+44``, which only replaces a leading 0. Italy and a few others keep
            that 0: give them as a region.
        suppressed: Who must not be called.
        duplicates: Whether to refuse numbers, customer ids and correlation ids that
            came before. Without it no memory is held.
        validity: Whether to look every number up in the numbering plans of
            *phonenumbers*.

    Raises:
        InputError: The country is not known, or *phonenumbers* is not installed.
    """

    def __init__(
        self,
        *,
        country: str | None = None,
        suppressed: Suppressed | None = None,
        duplicates: bool = True,
        validity: bool = False,
    ) -> None:
        self._complete = _completion(country)
        # Within a region, digits without a plus may be national without a 0 to tell.
        self._shape = _E164 if _is_region(country) else _WITH_OR_WITHOUT_PLUS
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self._duplicates = duplicates
        self._plans = _NumberingPlans() if validity else None
        self._numbers = _Seen()
        self._customer_ids: set[str] = set()
        self._correlation_ids: set[str] = set()
        self._refused: Counter[Kind] = Counter()
        #: How many values came in.
        self.read = 0
        #: How many values were refused for each reason.
        self.reasons: Counter[str] = Counter()

    @property
    def invalid(self) -> int:
        """
        How many values can't be called.
        """
        return self._refused[Kind.INVALID]

    @property
    def duplicate(self) -> int:
        """
        How many values came before.
        """
        return self._refused[Kind.DUPLICATE]

    @property
    def suppressed(self) -> int:
        """
        How many values are on the suppression list.
        """
        return self._refused[Kind.SUPPRESSED]

    def screen(self, block: Block) -> Screened:
        """
        What of *block* is to be called; never raises for what is in it.
        """
        try:
            joined = "\n".join(cast("_Texts", block.recipients))
        except TypeError:  # not all of them are texts
            screened = self._screen_each(block)
        else:
            screened = self._screen_texts(
                block.rows, cast("_Texts", block.recipients), joined
            )
        for refusal in screened.refusals:
            self.reasons[refusal.reason] += 1
            self._refused[refusal.kind] += 1
        return screened

    # The rule: a block of texts, looked at as a column.

    def _screen_texts(
        self, rows: Sequence[int], texts: _Texts, joined: str
    ) -> Screened:
        self.read += len(texts)
        refusals: list[Refusal] = []
        column = self._normalised(rows, texts, joined, refusals)
        if self._plans is not None:
            unknown = map(not_, map(self._plans.has, column.numbers))
            column = _sift(column, _places(unknown, Reason.NOT_IN_USE), refusals)
        if self._suppressed.numbers:
            listed = map(
                self._suppressed.numbers.__contains__, _integers(column.numbers)
            )
            column = _sift(column, _places(listed, Reason.SUPPRESSED), refusals)
        if self._duplicates:
            repeated = dict.fromkeys(
                self._numbers.repeated(column.numbers), Reason.DUPLICATE
            )
            column = _sift(column, repeated, refusals)
        refusals.sort(key=attrgetter("row"))
        return Screened(column.numbers, column.rows, refusals, plain=True)

    def _normalised(
        self,
        rows: Sequence[int],
        texts: _Texts,
        joined: str,
        refusals: list[Refusal],
    ) -> _Column:
        numbers = _normalise_all(texts, joined, self._shape)
        if numbers is not None:
            return _Column(rows, texts, numbers)
        numbers, reasons = list(texts), {}
        for place, usual in enumerate(map(self._shape.one.fullmatch, texts)):
            if usual is None:
                found = _normalise(texts[place], self._complete)
                if isinstance(found, Reason):
                    reasons[place] = found
                else:
                    numbers[place] = found
        column = _sift(_Column(rows, texts, numbers), reasons, refusals)
        return column._replace(numbers=_with_plus(column.numbers))

    # The exception: destinations, malformed rows and what is no recipient at all.

    def _screen_each(self, block: Block) -> Screened:
        rows: list[int] = []
        recipients: list[Recipient] = []
        refusals: list[Refusal] = []
        for row, entry in zip(block.rows, block.recipients, strict=True):
            kept = self._screen_one(row, entry, refusals)
            if kept is not None:
                rows.append(row)
                recipients.append(kept)
        return Screened(recipients, rows, refusals)

    def _screen_one(
        self, row: int, entry: object, refusals: list[Refusal]
    ) -> Recipient | None:
        if isinstance(entry, Destination):
            return self._screen_destination(row, entry, refusals)
        self.read += 1
        if isinstance(entry, Malformed):
            refusals.append(Refusal(row, entry.text, entry.reason))
        elif isinstance(entry, str):
            found = self._msisdn(entry)
            if not isinstance(found, Reason):
                return found
            refusals.append(_refusal(row, entry, found))
        else:
            shown = f"<{type(entry).__name__}>"
            refusals.append(_refusal(row, shown, Reason.NOT_A_TEXT))
        return None

    def _screen_destination(
        self, row: int, destination: Destination, refusals: list[Refusal]
    ) -> Destination | None:
        values = destination.values
        self.read += len(values)
        own_id = destination.correlation_id
        if own_id is not None and own_id in self._correlation_ids:
            refusals += [_refusal(row, value, Reason.REPEATED_ID) for value in values]
            return None
        check = self._msisdn if destination.msisdn else self._customer_id
        good = []
        for value in values:
            found = check(value)
            if isinstance(found, Reason):
                refusals.append(_refusal(row, value, found))
            else:
                good.append(found)
        if not good:
            return None
        if own_id is not None and self._duplicates:
            self._correlation_ids.add(own_id)
        if destination.msisdn:
            return attrs.evolve(destination, msisdn=good)
        return attrs.evolve(destination, customer_id=good)

    def _msisdn(self, text: str) -> str | Reason:
        number = _normalise(text, self._complete)
        if isinstance(number, Reason):
            return number
        if self._plans is not None and not self._plans.has(number):
            return Reason.NOT_IN_USE
        if int(number) in self._suppressed.numbers:
            return Reason.SUPPRESSED
        if self._duplicates and self._numbers.repeated([number]):
            return Reason.DUPLICATE
        return number

    def _customer_id(self, text: str) -> str | Reason:
        customer_id = text.strip()
        if not customer_id:
            return Reason.EMPTY
        if customer_id in self._suppressed.customer_ids:
            return Reason.SUPPRESSED
        if self._duplicates:
            if customer_id in self._customer_ids:
                return Reason.DUPLICATE
            self._customer_ids.add(customer_id)
        return customer_id


#: Up to about so many numbers are kept as texts, which takes some 100 MB.
_KEPT_AS_TEXTS = 1_200_000


class _Seen:
    """
    The numbers that came before.

    In a set of texts they are found and added in a third of the time that a bitmap
    takes, but with ten times the memory. So once there are many, whatever comes goes
    into a bitmap, and so do the texts little by little.
    """

    def __init__(self) -> None:
        self._texts: set[str] = set()
        self._bitmap = BitMap64()
        self._are_many = False

    def repeated(self, numbers: _Texts) -> Sequence[int]:
        """
        The places of those of *numbers* that came before; from now on all did.
        """
        if self._are_many:
            return self._repeated_of_many(numbers)
        before = len(self._texts)
        places: Sequence[int] = ()
        if not self._texts.isdisjoint(numbers):
            places = self._add_each(numbers)
        else:
            self._texts.update(numbers)
            if len(self._texts) < before + len(numbers):
                # Some come twice among themselves.
                self._texts.difference_update(numbers)
                places = self._add_each(numbers)
        self._are_many = len(self._texts) > _KEPT_AS_TEXTS
        return places

    def _add_each(self, numbers: _Texts) -> list[int]:
        places = []
        for place, number in enumerate(numbers):
            if number in self._texts:
                places.append(place)
            else:
                self._texts.add(number)
        return places

    def _repeated_of_many(self, numbers: _Texts) -> list[int]:
        some = min(len(self._texts), len(numbers))
        self._bitmap.update(_integers([self._texts.pop() for _ in range(some)]))
        if not self._texts:
            self._texts.clear()  # gives back its table, which popping does not
        if self._texts and not self._texts.isdisjoint(numbers):
            among_texts = self._texts.intersection(numbers)
            self._texts -= among_texts
            self._bitmap.update(_integers(list(among_texts)))
        add, places = self._bitmap.add_checked, []
        for place, number in enumerate(_integers(numbers)):
            try:
                add(number)
            except KeyError:
                places.append(place)
        return places


def _places(refused: Iterable[bool], reason: Reason) -> dict[int, Reason]:
    return dict.fromkeys(compress(count(), refused), reason)


def _sift(
    column: _Column, reasons: Mapping[int, Reason], refusals: list[Refusal]
) -> _Column:
    """
    *column* without the places that have a reason; those go to *refusals*.
    """
    if not reasons:
        return column
    good = bytearray(b"\1") * len(column.texts)
    for place, reason in reasons.items():
        good[place] = 0
        refusals.append(_refusal(column.rows[place], column.texts[place], reason))
    return _Column(
        list(compress(column.rows, good)),
        list(compress(column.texts, good)),
        list(compress(column.numbers, good)),
    )


def _refusal(row: int, text: str, reason: Reason) -> Refusal:
    return Refusal(row, text, reason, reason.kind)


# Normal form. [0-9] and not \d throughout: \d takes digits of other scripts.


class _Shape(NamedTuple):
    one: re.Pattern[str]
    block: re.Pattern[str]  # of texts that are joined by line feeds


def _shape(plus: str) -> _Shape:
    one = rf"{plus}[1-9][0-9]{{6,14}}+"
    return _Shape(re.compile(one), re.compile(rf"(?:{one}\n)*+{one}"))


_E164 = _shape(r"\+")
_WITH_OR_WITHOUT_PLUS = _shape(r"\+?+")
_ROUNDED = re.compile(
    r"""[+-]?[0-9]+(?:[.,][0-9]+)?e[+-]?[0-9]+  # 9.19812E+11
      | \+?[0-9]{6,}[.,]0{1,2}                  # 919812345678.0
    """,
    re.IGNORECASE | re.VERBOSE,
)
# Not the line feed: two numbers in one cell must not become one.
_SEPARATORS = str.maketrans("", "", " \t-./()")
# Those that can go without a second look at what they stood between.
_HARMLESS = str.maketrans("", "", " \t-")
_FEWEST_DIGITS = 7
_MOST_DIGITS = 15


def _normalise_all(texts: _Texts, joined: str, shape: _Shape) -> _Texts | None:
    """
    *texts* normalised, if all of them have the *shape*, spaces and hyphens aside.

    Args:
        joined: The *texts*, with line feeds between them.
    """
    if joined.count("\n") != len(texts) - 1:  # one text would be taken for two
        return None
    if joined.startswith("+") and _E164.block.fullmatch(joined):
        # A list of a text-like type of someone's own becomes one of texts.
        return texts if type(texts[0]) is str else joined.split("\n")
    if shape.block.fullmatch(joined):
        return _with_plus(texts)
    closed = joined.translate(_HARMLESS)
    return _with_plus(closed.split("\n")) if shape.block.fullmatch(closed) else None


def _with_plus(numbers: _Texts) -> _Texts:
    joined = "\n".join(numbers)
    if joined.count("+") == len(numbers):
        return numbers
    return ("+" + joined.replace("+", "").replace("\n", "\n+")).split("\n")


def _integers(numbers: _Texts) -> list[int]:
    # The JSON parser is three times as fast as int() for each.
    listed: list[int] = msgspec.json.decode(f"[{','.join(numbers).replace('+', '')}]")
    return listed


def _normalise(text: str, complete: _Completion) -> str | Reason:
    text = str(text)
    if _E164.one.fullmatch(text):
        return text
    text = text.strip()
    if not text.isascii():
        text = _in_ascii(text).strip()
    if not text:
        return Reason.EMPTY
    if _ROUNDED.fullmatch(text):
        return Reason.ROUNDED
    number = _bare(text)
    digits = number.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()):
        return Reason.NOT_A_NUMBER
    if number.startswith("00"):
        number = f"+{number[2:]}"
    elif number == digits:
        completed = complete(digits)
        if isinstance(completed, Reason):
            return completed
        number = completed
    return number if _E164.one.fullmatch(number) else _misshapen(number)


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


# Countries: what becomes of digits without a plus.

_Completion: TypeAlias = Callable[[str], str | Reason]


def _is_region(country: str | None) -> bool:
    return country is not None and country.isalpha()


@cache
def _completion(country: str | None) -> _Completion:
    if country is None:
        return _without_country
    if _is_region(country):
        return _within_region(country)
    code = re.fullmatch(r"(?:\+|00)?([1-9][0-9]{0,2})", country)
    if code is None:
        raise _unknown_country(country)
    return _within_code(code[1])


def _unknown_country(country: str) -> InputError:
    return InputError(
        f"the country {country!r} is not known; "
        "give two letters such as GB, or a calling code such as +44"
    )


def _without_country(digits: str) -> str | Reason:
    return Reason.NO_COUNTRY if digits.startswith("0") else f"+{digits}"


def _within_code(code: str) -> _Completion:
    def complete(digits: str) -> str:
        return f"+{code}{digits[1:]}" if digits.startswith("0") else f"+{digits}"

    return complete


def _within_region(country: str) -> _Completion:
    library = _phonenumbers()
    region = country.upper()
    if region not in library.SUPPORTED_REGIONS:
        raise _unknown_country(country)

    plans = _NumberingPlans()
    plan = library.PhoneMetadata.metadata_for_region(region)
    trunk = plan.national_prefix_for_parsing or ""
    # In a few regions it is an expression with rules of its own.
    plain = not trunk or trunk.isdecimal()

    def complete(digits: str) -> str | Reason:
        usual = f"+{plan.country_code}{digits.removeprefix(trunk)}"
        if plain and plans.has(usual):  # a twentieth of the time that parsing takes
            return usual
        national = _national(library, digits, region)
        if digits.startswith("0"):
            return national or Reason.NOT_NATIONAL
        whole = f"+{digits}"
        # Some regions take almost any length, so numbers of another region that lack
        # their plus would pass for national.
        if national and (plans.has(national) or not plans.has(whole)):
            return national
        return whole

    return complete


def _national(library: Any, digits: str, region: str) -> str | None:
    try:
        number = library.parse(digits, region)
    except library.NumberParseException:
        return None
    if not library.is_possible_number(number):
        return None
    return str(library.format_number(number, library.PhoneNumberFormat.E164))


def _phonenumbers() -> Any:
    try:
        return importlib.import_module("phonenumbers")
    except ImportError as error:
        raise InputError(
            "regions and numbering plans need the library phonenumbers; "
            "install it with: pip install 'voicepush[numbers]'"
        ) from error


# Numbering plans.


class _NumberingPlans:
    """
    Tells which numbers *phonenumbers* takes for valid, at a tenth of its time.

    One regular expression per calling code, made from its metadata when first needed.
    """

    def __init__(self) -> None:
        self._library = _phonenumbers()
        self._patterns: dict[str, re.Pattern[str] | None] = {}

    def has(self, number: str) -> bool:
        for end in (2, 3, 4):
            code = number[1:end]
            if code not in self._patterns:
                self._patterns[code] = self._pattern(int(code))
            if (pattern := self._patterns[code]) is not None:
                return pattern.fullmatch(number, end) is not None
        return False

    def _pattern(self, code: int) -> re.Pattern[str] | None:
        regions = self._library.COUNTRY_CODE_TO_REGION_CODE.get(code)
        if regions is None:
            return None
        # The library decides by the first region whose leading digits fit, or which
        # has none and takes the number. The innermost alternative is the last region.
        pattern = "(?!)"
        for region in reversed(regions):
            plan = self._library.PhoneMetadata.metadata_for_region_or_calling_code(
                code, region
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

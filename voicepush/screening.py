"""
Recipients are brought into one form; bad, repeated and suppressed ones are refused.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import compress, count
from operator import attrgetter, not_
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import attrs
import msgspec
from pyroaring import BitMap64

from voicepush.errors import InputError
from voicepush.model import Destination, Recipient, is_generated_id, mask
from voicepush.numbering_plans import Country, Doubt, NumberingPlans, country_of
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
    SEVERAL = "more than one number; give each a row of its own"
    NO_COUNTRY = (
        "does not begin with + or 00; give its country (--country), or say that all "
        "begin with their calling code (--international)"
    )
    NOT_NATIONAL = (
        "not possible in the country given; write it with + and its calling code"
    )
    AMBIGUOUS = (
        "may be a national number or begin with its calling code; write it with +"
    )
    ZERO = "no country's calling code begins with 0"
    TOO_SHORT = "too short for E.164"
    TOO_LONG = "too long for E.164"
    NOT_IN_USE = "not a valid number in its country's numbering plan"
    REPEATED_ID = "its correlation id was used before"
    GENERATED_ID = (
        "its correlation id has the form of those that voicepush makes; leave it out "
        "or use another"
    )
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


def _count(found: Sized) -> str:
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
    #: The texts of those recipients that were changed, by place, as they came; of a
    #: destination of several values the first that was changed.
    as_came: Mapping[int, str] = attrs.field(factory=dict, kw_only=True, repr=_count)
    #: Whether all recipients are known to be bare msisdns.
    plain: bool = attrs.field(default=False, kw_only=True)


def normalise(
    text: str, *, country: str | None = None, international: bool = False
) -> str | Reason:
    """
    The msisdn in *text* as ``+`` and 7 to 15 digits, or why there is none.

    Args:
        country: As for `Screening`.
        international: As for `Screening`.
    """
    return _normalise(text, _completion(country, international=international))


#: A suppression list names at most so many entries that can't be understood.
MOST_UNUSABLE = 1000
_SHOWN_UNUSABLE = 3


@attrs.frozen
class Unusable:
    """
    An entry of a suppression list that can't be understood, and so suppresses nobody.
    """

    file: str
    row: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}: {self.reason}"


@attrs.define(eq=False)
class Suppressed:
    """
    Numbers and customer ids that must not be called.
    """

    numbers: BitMap64 = attrs.field(factory=BitMap64, repr=_count)
    customer_ids: set[str] = attrs.field(factory=set, repr=_count)
    #: Entries of the lists that suppress nobody, at most `MOST_UNUSABLE` of them.
    unusable: list[Unusable] = attrs.field(factory=list, repr=_count)
    #: How many there are of them.
    unusable_count: int = 0

    @classmethod
    def read(
        cls,
        *paths: Path | str,
        country: str | None = None,
        international: bool = False,
        column: str | None = None,
        encoding: str | None = None,
        allow_unusable: bool = False,
    ) -> Suppressed:
        """
        What the files at *paths* list; they are read as lists of recipients are.

        Args:
            country: As for `Screening`.
            international: As for `Screening`.
            column: As for `recipients.read_file`.
            encoding: As for `recipients.read_file`.
            allow_unusable: Go on although some entries can't be understood. Those who
                are meant by them may be called.

        Raises:
            InputError: A file can't be read, or an entry can't be understood.
        """
        suppressed = cls()
        screening = Screening(
            country=country, international=international, duplicates=False
        )
        for path in paths:
            with read_file(path, column=column, encoding=encoding) as blocks:
                for block in blocks:
                    screened = screening.screen(_without_ids(block))
                    suppressed._add(screened.recipients)
                    suppressed._name(blocks.name, screened.refusals)
        if suppressed.unusable and not allow_unusable:
            raise InputError(suppressed._complaint())
        return suppressed

    def _name(self, file: str, refusals: Sequence[Refusal]) -> None:
        room = MOST_UNUSABLE - len(self.unusable)
        self.unusable += [
            Unusable(file, refusal.row, refusal.reason) for refusal in refusals[:room]
        ]
        self.unusable_count += len(refusals)

    def _complaint(self) -> str:
        shown = "; ".join(map(str, self.unusable[:_SHOWN_UNUSABLE]))
        more = self.unusable_count - _SHOWN_UNUSABLE
        return (
            f"{self.unusable_count:,} of the suppression list can't be understood and "
            f"would suppress nobody: {shown}{f'; and {more:,} more' * (more > 0)}; "
            "correct them, or give --allow-unusable to call people all the same"
        )

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


def _without_ids(block: Block) -> Block:
    """
    *block* without correlation ids, which say nothing of whom not to call.
    """
    if not any(isinstance(entry, Destination) for entry in block.recipients):
        return block
    return Block(
        block.rows,
        [
            attrs.evolve(entry, correlation_id=None)
            if isinstance(entry, Destination)
            else entry
            for entry in block.recipients
        ],
    )


_Texts: TypeAlias = Sequence[str]


class _Column(NamedTuple):
    rows: Sequence[int]
    texts: Sequence[str]  # as they came
    numbers: Sequence[str]  # the same, normalised


class _Kept(NamedTuple):
    recipient: Recipient
    came: str | None  # as it was, where it was changed


class Screening:
    """
    Lets through what can be called, each recipient once, and counts the rest.

    What is counted everywhere is values: a destination of three adds three. It loses
    its bad values and stays with the good ones. A suppressed value counts as
    suppressed however often it comes. It serves one plan at a time.

    Args:
        country: Where numbers without ``+`` or ``00`` belong: a region such as
            ``GB``, or a calling code such as ``+44``, which means its main region.
            One that begins with the calling code is taken as it stands; if it may be
            both, it must be valid in exactly one reading. Without a country such
            numbers are refused.
        international: That numbers without ``+`` begin with their calling code.
        suppressed: Who must not be called.
        duplicates: Whether to refuse numbers, customer ids and correlation ids that
            came before. Without it no memory is held.
        validity: Whether to look every number up in the numbering plans of
            *phonenumbers*.

    Raises:
        InputError: The country is not known, or *international* is said beside it.
    """

    def __init__(
        self,
        *,
        country: str | None = None,
        international: bool = False,
        suppressed: Suppressed | None = None,
        duplicates: bool = True,
        validity: bool = False,
    ) -> None:
        self._completion = _completion(country, international=international)
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self._duplicates = duplicates
        self._plans = NumberingPlans() if validity else None
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
        return Screened(
            column.numbers,
            column.rows,
            refusals,
            as_came=_changed(column.texts, column.numbers),
            plain=True,
        )

    def _normalised(
        self,
        rows: Sequence[int],
        texts: _Texts,
        joined: str,
        refusals: list[Refusal],
    ) -> _Column:
        numbers = _normalise_all(texts, joined, self._completion)
        if numbers is not None:
            return _Column(rows, texts, numbers)
        numbers, reasons = list(texts), {}
        for place, usual in enumerate(map(_E164.one.fullmatch, texts)):
            if usual is None:
                found = _normalise(texts[place], self._completion)
                if isinstance(found, Reason):
                    reasons[place] = found
                else:
                    numbers[place] = found
        return _sift(_Column(rows, texts, numbers), reasons, refusals)

    # The exception: destinations, malformed rows and what is no recipient at all.

    def _screen_each(self, block: Block) -> Screened:
        rows: list[int] = []
        recipients: list[Recipient] = []
        refusals: list[Refusal] = []
        as_came: dict[int, str] = {}
        for row, entry in zip(block.rows, block.recipients, strict=True):
            kept = self._screen_one(row, entry, refusals)
            if kept is not None:
                if kept.came is not None:
                    as_came[len(recipients)] = kept.came
                rows.append(row)
                recipients.append(kept.recipient)
        return Screened(recipients, rows, refusals, as_came=as_came)

    def _screen_one(
        self, row: int, entry: object, refusals: list[Refusal]
    ) -> _Kept | None:
        if isinstance(entry, Destination):
            return self._screen_destination(row, entry, refusals)
        self.read += 1
        if isinstance(entry, Malformed):
            refusals.append(Refusal(row, entry.text, entry.reason))
        elif isinstance(entry, str):
            found = self._msisdn(entry)
            if not isinstance(found, Reason):
                return _Kept(found, None if found == entry else str(entry))
            refusals.append(_refusal(row, entry, found))
        else:
            shown = f"<{type(entry).__name__}>"
            refusals.append(_refusal(row, shown, Reason.NOT_A_TEXT))
        return None

    def _screen_destination(
        self, row: int, destination: Destination, refusals: list[Refusal]
    ) -> _Kept | None:
        values = destination.values
        self.read += len(values)
        own_id = destination.correlation_id
        if own_id is not None and (reason := self._reason_against(own_id)) is not None:
            refusals += [_refusal(row, value, reason) for value in values]
            return None
        check = self._msisdn if destination.msisdn else self._customer_id
        good: list[str] = []
        came: str | None = None
        for value in values:
            found = check(value)
            if isinstance(found, Reason):
                refusals.append(_refusal(row, value, found))
            else:
                good.append(found)
                if came is None and found != value:
                    came = value
        if not good:
            return None
        if own_id is not None and self._duplicates:
            self._correlation_ids.add(own_id)
        if came is None and len(good) == len(values):
            return _Kept(destination, None)
        if destination.msisdn:
            return _Kept(attrs.evolve(destination, msisdn=good), came)
        return _Kept(attrs.evolve(destination, customer_id=good), came)

    def _reason_against(self, own_id: str) -> Reason | None:
        if is_generated_id(own_id):
            return Reason.GENERATED_ID
        return Reason.REPEATED_ID if own_id in self._correlation_ids else None

    def _msisdn(self, text: str) -> str | Reason:
        number = _normalise(text, self._completion)
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
    texts = list(compress(column.texts, good))
    same = column.numbers is column.texts
    return _Column(
        list(compress(column.rows, good)),
        texts,
        texts if same else list(compress(column.numbers, good)),
    )


def _changed(texts: _Texts, numbers: _Texts) -> dict[int, str]:
    """
    Those of *texts* that became other *numbers*, by place.
    """
    if texts is numbers:
        return {}
    return {
        place: text
        for place, (text, number) in enumerate(zip(texts, numbers, strict=True))
        if text != number
    }


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


def _normalise_all(
    texts: _Texts, joined: str, completion: _Completion
) -> _Texts | None:
    """
    *texts* normalised, if all of them have one usual form, spaces and hyphens aside.

    Args:
        joined: The *texts*, with line feeds between them.
    """
    if joined.count("\n") != len(texts) - 1:  # one text would be taken for two
        return None
    if joined.startswith("+") and _E164.block.fullmatch(joined):
        # A list of a text-like type of someone's own becomes one of texts.
        return texts if type(texts[0]) is str else joined.split("\n")
    if (found := completion.complete_all(joined)) is not None:
        return found
    closed = joined.translate(_HARMLESS)
    if closed == joined or _TWO_RUNS.search(joined):
        return None
    return completion.complete_all(closed)


def _with_plus(numbers: _Texts) -> _Texts:
    joined = "\n".join(numbers)
    if joined.count("+") == len(numbers):
        return numbers
    return ("+" + joined.replace("+", "").replace("\n", "\n+")).split("\n")


def _integers(numbers: _Texts) -> list[int]:
    # The JSON parser is three times as fast as int() for each.
    listed: list[int] = msgspec.json.decode(f"[{','.join(numbers).replace('+', '')}]")
    return listed


def _normalise(text: str, completion: _Completion) -> str | Reason:
    text = str(text)
    if _E164.one.fullmatch(text):
        return text
    number = _number_in(text)
    if isinstance(number, Reason):
        return number
    if not number.startswith("+"):
        completed = completion.complete(number)
        if isinstance(completed, Reason):
            return completed
        number = completed
    return number if _E164.one.fullmatch(number) else _misshapen(number)


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

_DOUBTS = {Doubt.IMPOSSIBLE: Reason.NOT_NATIONAL, Doubt.AMBIGUOUS: Reason.AMBIGUOUS}


@attrs.frozen
class _Completion:
    country: Country | None
    international: bool

    def complete(self, digits: str) -> str | Reason:
        if self.country is not None:
            found = self.country.read(digits)
            return _DOUBTS[found] if isinstance(found, Doubt) else found
        return f"+{digits}" if self.international else Reason.NO_COUNTRY

    def complete_all(self, joined: str) -> _Texts | None:
        """
        The numbers in the lines of *joined*, if all of them have one usual form.
        """
        if self.country is not None and (found := self.country.read_all(joined)):
            return found
        shape = _WITH_OR_WITHOUT_PLUS if self.international else _E164
        if not shape.block.fullmatch(joined):
            return None
        return _with_plus(joined.split("\n"))


def _completion(country: str | None, *, international: bool) -> _Completion:
    if country is None:
        return _Completion(None, international)
    if international:
        raise InputError(
            "numbers are of one country (--country) or begin with their calling code "
            "(--international); both can't be"
        )
    return _Completion(country_of(country), international=False)

"""
Recipients are brought into one form; bad, repeated and suppressed ones refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, count
from operator import attrgetter, not_
from typing import NamedTuple, cast

import attrs

from voicepush.masking import only_count
from voicepush.model.batch import is_generated_id
from voicepush.model.recipients import Destination, Recipient
from voicepush.screening.duplicates import Seen
from voicepush.screening.msisdn import (
    E164,
    Texts,
    completion_of,
    integers,
    normalise_all,
    normalise_one,
)
from voicepush.screening.numbering_plans import (
    NumberingPlans,
)
from voicepush.screening.refusals import Kind, Reason, Refusal
from voicepush.screening.suppression import Suppressed
from voicepush.sources.blocks import Block, Malformed


@attrs.define(eq=False)
class Screened:
    """
    What is left of a block, and what was refused.
    """

    recipients: Sequence[Recipient] = attrs.field(repr=only_count)
    #: The row of each recipient.
    rows: Sequence[int]
    refusals: list[Refusal] = attrs.field(factory=list, repr=only_count)
    #: The texts of those recipients that were changed, by place, as they came; of a
    #: destination of several values the first that was changed.
    as_came: Mapping[int, str] = attrs.field(
        factory=dict, kw_only=True, repr=only_count
    )
    #: Whether all recipients are known to be bare msisdns.
    plain: bool = attrs.field(default=False, kw_only=True)


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
        self._completion = completion_of(country, international=international)
        self._suppressed = Suppressed() if suppressed is None else suppressed
        self._duplicates = duplicates
        self._plans = NumberingPlans() if validity else None
        self._numbers = Seen()
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
            joined = "\n".join(cast("Texts", block.recipients))
        except TypeError:  # not all of them are texts
            screened = self._screen_each(block)
        else:
            screened = self._screen_texts(
                block.rows, cast("Texts", block.recipients), joined
            )
        for refusal in screened.refusals:
            self.reasons[refusal.reason] += 1
            self._refused[refusal.kind] += 1
        return screened

    # The rule: a block of texts, looked at as a column.

    def _screen_texts(self, rows: Sequence[int], texts: Texts, joined: str) -> Screened:
        self.read += len(texts)
        refusals: list[Refusal] = []
        column = self._normalised(rows, texts, joined, refusals)
        if self._plans is not None:
            unknown = map(not_, map(self._plans.has, column.numbers))
            column = _sift(column, _places(unknown, Reason.NOT_IN_USE), refusals)
        if self._suppressed.numbers:
            listed = map(
                self._suppressed.numbers.__contains__, integers(column.numbers)
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
        texts: Texts,
        joined: str,
        refusals: list[Refusal],
    ) -> _Column:
        numbers = normalise_all(texts, joined, self._completion)
        if numbers is not None:
            return _Column(rows, texts, numbers)
        numbers, reasons = list(texts), {}
        for place, usual in enumerate(map(E164.one.fullmatch, texts)):
            if usual is None:
                found = normalise_one(texts[place], self._completion)
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
        number = normalise_one(text, self._completion)
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


def _changed(texts: Texts, numbers: Texts) -> dict[int, str]:
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

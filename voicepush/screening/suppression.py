"""
Who must not be called.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.recipients import Kind
from voicepush.screening.duplicates import Seen
from voicepush.screening.msisdn import Completion, completion_of, normalise_all
from voicepush.screening.refusals import Reason
from voicepush.sources.blocks import Block
from voicepush.sources.files import read_file

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


def _seen(numbers: Seen | Iterable[str]) -> Seen:
    if isinstance(numbers, Seen):
        return numbers
    seen = Seen.of_numbers()
    seen.repeated(list(numbers))
    return seen


@attrs.define(eq=False)
class Suppressed:
    """
    Numbers and customer ids that must not be called.
    """

    #: In normal form, as `normalise` gives it.
    numbers: Seen = attrs.field(
        factory=Seen.of_numbers, converter=_seen, repr=only_count
    )
    customer_ids: set[str] = attrs.field(factory=set, repr=only_count)
    #: Entries of the lists that suppress nobody, at most `MOST_UNUSABLE` of them.
    unusable: list[Unusable] = attrs.field(factory=list, repr=only_count)
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
        completion = completion_of(country, international=international)
        for path in paths:
            with read_file(path, column=column, encoding=encoding) as blocks:
                for block in blocks:
                    suppressed._add(block, completion, blocks.name)
        if suppressed.unusable and not allow_unusable:
            raise InputError(suppressed._complaint())
        return suppressed

    def _add(self, block: Block, completion: Completion, file: str) -> None:
        for each in block.malformed:
            self._name(file, each.row, each.reason)
        # Correlation ids say nothing of whom not to call.
        recipients = block.recipients
        if recipients.kind is Kind.MSISDN:
            values, reasons = normalise_all(recipients.values, completion)
        else:
            values = list(map(str.strip, recipients.values))
            reasons = {
                place: Reason.EMPTY for place, each in enumerate(values) if not each
            }
        if reasons:
            owners, rows = recipients.places_of_values(), recipients.rows
            for place, reason in reasons.items():
                owner = owners[place]
                self._name(file, owner + 1 if rows is None else rows[owner], reason)
            values = [each for place, each in enumerate(values) if place not in reasons]
        if recipients.kind is Kind.MSISDN:
            self.numbers.repeated(values)
        else:
            self.customer_ids.update(values)

    def _name(self, file: str, row: int, reason: str) -> None:
        if self.unusable_count < MOST_UNUSABLE:
            self.unusable.append(Unusable(file, row, reason))
        self.unusable_count += 1

    def _complaint(self) -> str:
        shown = "; ".join(map(str, self.unusable[:_SHOWN_UNUSABLE]))
        more = self.unusable_count - _SHOWN_UNUSABLE
        return (
            f"{self.unusable_count:,} of the suppression list can't be understood and "
            f"would suppress nobody: {shown}{f'; and {more:,} more' * (more > 0)}; "
            "correct them, or give --allow-unusable to call people all the same"
        )

    def parts(self) -> Iterator[tuple[Kind, Sequence[str]]]:
        """
        All of them, some at a time.
        """
        for numbers in self.numbers.texts():
            yield Kind.MSISDN, numbers
        if self.customer_ids:
            yield Kind.CUSTOMER_ID, sorted(self.customer_ids)

    def __len__(self) -> int:
        return len(self.numbers) + len(self.customer_ids)

"""
Who must not be called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
from pyroaring import BitMap64

from voicepush.errors import InputError
from voicepush.masking import only_count
from voicepush.model.recipients import Destination, values_of
from voicepush.screening.msisdn import (
    Completion,
    completion_of,
    integers,
    normalise_one,
)
from voicepush.screening.refusals import Reason
from voicepush.sources.blocks import Block, Malformed
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


@attrs.define(eq=False)
class Suppressed:
    """
    Numbers and customer ids that must not be called.
    """

    numbers: BitMap64 = attrs.field(factory=BitMap64, repr=only_count)
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
        numbers: list[str] = []
        for row, entry in zip(block.rows, block.recipients, strict=True):
            if isinstance(entry, Malformed):
                self._name(file, row, entry.reason)
            elif isinstance(entry, Destination) and entry.customer_id:
                self._add_customers(entry.customer_id, file, row)
            else:
                # Correlation ids say nothing of whom not to call.
                for value in values_of(entry):
                    found = normalise_one(value, completion)
                    if isinstance(found, Reason):
                        self._name(file, row, found)
                    else:
                        numbers.append(found)
        self.numbers.update(integers(numbers))

    def _add_customers(self, customer_ids: Sequence[str], file: str, row: int) -> None:
        for customer_id in map(str.strip, customer_ids):
            if customer_id:
                self.customer_ids.add(customer_id)
            else:
                self._name(file, row, Reason.EMPTY)

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

    def __len__(self) -> int:
        return len(self.numbers) + len(self.customer_ids)

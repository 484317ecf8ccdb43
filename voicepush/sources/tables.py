"""
Tables with all their columns, for readers to whom recipients are not the point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, TypeAlias

from voicepush.sources.columns import SampleRow, sample_of_sheet, sample_tables
from voicepush.sources.decoding import Piece
from voicepush.sources.delimited import (
    Table,
    check_quotes,
    head_of,
    tables_of,
    without,
)
from voicepush.sources.excel import Row

#: So many rows of a sheet are taken at a time.
_ROWS = 1000


class Start(NamedTuple):
    """
    Where the rows of a table begin, and how wide they are.
    """

    delimiter: str
    lines: int  #: how many lines the header and what is above it take
    width: int  #: how many columns are taken

    @classmethod
    def below(cls, header: SampleRow) -> Start:
        """
        The rows are those below *header*.
        """
        return cls(header.delimiter, header.lines, len(header.cells))

    @classmethod
    def at(cls, first: SampleRow) -> Start:
        """
        There is no header; *first* is the first row.
        """
        return cls(first.delimiter, 0, len(first.cells))


#: Tells where the rows begin, from the first rows as each delimiter cuts them.
Find: TypeAlias = Callable[[Sequence[SampleRow]], Start]


def read_table(pieces: Iterator[Piece], name: str, find: Find) -> Iterator[Table]:
    """
    All columns of a table in text, some rows at a time.
    """
    first = next(pieces, None)
    if first is None:
        return
    head = head_of(chain([first], pieces))
    sample = list(chain.from_iterable(sample_tables(head.text)))
    if not sample:
        check_quotes(head, pieces, name)
        return
    start = find(sample)
    pieces = chain([without(head, start.lines)], pieces)
    places = list(range(start.width))
    for table in tables_of(pieces, places, start.delimiter, name):
        if table.rows:
            yield table


def read_sheet(head: Sequence[Row], rows: Iterator[Row], find: Find) -> Iterator[Table]:
    """
    All columns of a sheet that begins with *head*.
    """
    start = find(sample_of_sheet(head))
    below = (row for row in chain(head, rows) if row[0] > start.lines)
    while some := list(islice(below, _ROWS)):
        columns = [
            [cells[place] if place < len(cells) else "" for _, cells in some]
            for place in range(start.width)
        ]
        yield Table([row for row, _ in some], columns)

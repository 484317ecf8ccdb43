"""
Which row of a list is its header, which columns are taken, and what divides them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import (
    Iterator,
    Sequence,
)
from itertools import chain, islice
from typing import NamedTuple

from voicepush.model.recipients import Kind
from voicepush.sources.blocks import Block
from voicepush.sources.choosing import (
    Choice,
    Undecided,
    is_place,
    kept_in,
    kept_places,
    looks_like_number,
    named,
    numbered,
    place_of,
)
from voicepush.sources.entries import Columns, block_of
from voicepush.sources.headers import Rank, choose, rank_of

#: A header is looked for among so many rows.
HEADER_ROWS = 20


#: What may stand between cells.
DELIMITERS = ",;\t|"


#: The delimiter of a list with one column: what no list holds, so that nothing is cut.
NO_DELIMITER = "\0"


class Layout(NamedTuple):
    """
    Where everything is in a table.
    """

    place: int  #: of the values, from 0
    kind: Kind
    header: str | None  #: of the values
    correlation_id: int | None = None
    kept: tuple[tuple[str, int], ...] = ()  #: what they are called, and their places
    delimiter: str = NO_DELIMITER
    titles: int = 0  #: how many rows stand above the header
    lines: int = 0  #: how many lines the header and what is above it take

    @property
    def places(self) -> list[int]:
        """
        The columns to take out: the values, their correlation ids, what is kept.
        """
        ids = [] if self.correlation_id is None else [self.correlation_id]
        return [self.place, *ids, *(place for _, place in self.kept)]

    def block(self, rows: Sequence[int], columns: Sequence[Sequence[object]]) -> Block:
        """
        The block of *rows* of which *columns* stand at `places`.
        """
        values, *others = columns
        own_ids = None if self.correlation_id is None else others.pop(0)
        headers = (header for header, _ in self.kept)
        kept = dict(zip(headers, others, strict=True))
        return block_of(self.kind, Columns(rows, values, own_ids, kept))

    @property
    def words(self) -> str:
        """
        Which column was taken, for its owner.
        """
        shown = "" if self.header is None else f' ("{self.header.strip()[:40]}")'
        return f"column {self.place + 1}{shown}"


class SampleRow(NamedTuple):
    """
    One of the first rows of a table, cut by some delimiter.
    """

    delimiter: str
    row: int  # its first line
    lines: int  # those up to its end
    above: int  # rows
    cells: list[str]

    @property
    def filled(self) -> int:
        """
        How many cells have something in them.
        """
        return sum(map(bool, map(str.strip, self.cells)))


def find_layout(sample: str, choice: Choice) -> Layout | None:
    """
    The layout of a table that begins with *sample*.

    None if it has no rows, or if a quoted cell in the first one does not end.

    Args:
        sample: Its beginning, as text.
        choice: What its owner says of its columns.

    Raises:
        Undecided: It is not clear which column it is.
    """
    tables = sample_tables(sample)
    header = _header(tables, choice)
    if header is not None:
        return _layout(header, choice)
    return _without_header(tables, choice) if all(tables) else None


def sample_tables(sample: str) -> list[list[SampleRow]]:
    """
    The rows that each delimiter makes of *sample*, at most those of `HEADER_ROWS`.
    """
    return [list(_rows(sample, each)) for each in (NO_DELIMITER, *DELIMITERS)]


def sample_of_sheet(rows: Sequence[tuple[int, list[str]]]) -> list[SampleRow]:
    """
    The first *rows* of a sheet, each with where it stands.
    """
    return [
        SampleRow(NO_DELIMITER, row, row, above, cells)
        for above, (row, cells) in enumerate(rows)
    ]


def layout_of_sheet(rows: Sequence[tuple[int, list[str]]], choice: Choice) -> Layout:
    """
    The layout of a sheet that begins with *rows*, each with where it stands.

    Raises:
        Undecided: It is not clear which column it is.
    """
    table = sample_of_sheet(rows)
    header = _header([table], choice)
    if header is not None:
        return _layout(header, choice)
    return _without_header([table], choice)


def layout_of(headers: Sequence[str], choice: Choice) -> Layout:
    """
    The layout of a table whose *headers* are known to be headers.

    Raises:
        Undecided: It is not clear which column it is.
    """
    return _layout(SampleRow(NO_DELIMITER, 1, 0, 0, list(headers)), choice)


def _rows(sample: str, delimiter: str) -> Iterator[SampleRow]:
    ended = False

    def feed() -> Iterator[str]:
        nonlocal ended
        yield from io.StringIO(sample)
        ended = True

    reader = csv.reader(feed(), delimiter=delimiter)
    above = 0
    try:
        while above < HEADER_ROWS:
            before = reader.line_num
            cells = next(reader, None)
            if cells is None or ended:  # the second: a quote is open at the end
                return
            if cells:
                yield SampleRow(delimiter, before + 1, reader.line_num, above, cells)
                above += 1
    except csv.Error:
        return  # reading the rows will say what is wrong


def _header(tables: Sequence[Sequence[SampleRow]], choice: Choice) -> SampleRow | None:
    column = choice.column
    if column is not None:
        rows_named = [
            row
            for rows in tables
            for row in rows
            if named(column, row.cells) and not _is_place_only(column, row, rows)
        ]
        if rows_named:
            return _first(rows_named)
    known = [row for row in _above_numbers(tables) if choose(row.cells)]
    first = _first(known)
    if first is None:
        # What is to be kept stands in a header, too.
        names = [name for name in choice.keep if not is_place(name)]
        rows = _above_numbers(tables) if names else ()
        return _first(
            [row for row in rows if all(named(name, row.cells) for name in names)]
        )
    if first.filled == 1:
        # A title such as "Mobile numbers" over a table with headers of its own.
        return _first([row for row in known if row.filled > 1]) or first
    return first


def _first(rows: Sequence[SampleRow]) -> SampleRow | None:
    # Uncut where no delimiter makes more cells of it.
    return min(rows, key=lambda row: (row.row, -len(row.cells)), default=None)


def _above_numbers(tables: Sequence[Sequence[SampleRow]]) -> Iterator[SampleRow]:
    """
    The rows that may be headers: no number is in them, nor above them.

    A list without a header may well hold "mobile" or "phone" in a cell; who stands
    above must not be taken for a title.
    """
    everything = list(chain.from_iterable(tables))
    numbers = (row for row in everything if any(map(looks_like_number, row.cells)))
    end = min((row.row for row in numbers), default=None)
    for row in everything:
        if end is None or row.row < end:
            yield row


def _is_place_only(column: str, row: SampleRow, rows: Sequence[SampleRow]) -> bool:
    """
    Whether *column* is a place although *row* holds such a cell.

    It is a header only beside another that is known, or above a number.
    """
    if not is_place(column):
        return False
    if any(map(looks_like_number, row.cells)):
        return True
    below = next((each.cells for each in rows if each.row > row.row), [])
    return not choose(row.cells) and not any(
        place < len(below) and looks_like_number(below[place])
        for place in named(column, row.cells)
    )


def _place(cells: Sequence[str], column: str | None, row: int) -> int:
    if column is not None:
        return place_of(column, cells, row)
    found = choose(cells)
    if not found:
        raise Undecided("can't tell which column holds the numbers", cells, row)
    if len(found) > 1:
        names = " or ".join(cells[place].strip()[:40] for place in found)
        raise Undecided(f"can't tell which column to take, {names}", cells, row)
    return found[0]


def _without_header(tables: Sequence[Sequence[SampleRow]], choice: Choice) -> Layout:
    rows = [rows[0] for rows in tables]
    # One number in it is what a row of a list has; then the more cells the better.
    first = max(
        rows,
        key=lambda row: (
            len(row.cells) > 1,
            sum(map(looks_like_number, row.cells)) == 1,
            len(row.cells),
        ),
    )
    if choice.column is not None:
        place = numbered(choice.column, first.cells, first.row)
    elif len(first.cells) == 1:
        place = 0
    else:
        numbers = [
            place for place, cell in enumerate(first.cells) if looks_like_number(cell)
        ]
        # With two of them, guessing would ring up dates or order numbers.
        if len(numbers) != 1:
            raise Undecided(
                "can't tell which column holds the numbers", first.cells, first.row
            )
        place = numbers[0]
    kept = kept_places(first.cells, choice.keep, first.row)
    return Layout(place, Kind.MSISDN, None, kept=kept, delimiter=first.delimiter)


def _layout(header: SampleRow, choice: Choice) -> Layout:
    place = _place(header.cells, choice.column, header.row)
    ranks = list(map(rank_of, header.cells))
    ids = [at for at, rank in enumerate(ranks) if rank is Rank.CORRELATION_ID]
    return Layout(
        place,
        Kind.CUSTOMER_ID if ranks[place] is Rank.CUSTOMER_ID else Kind.MSISDN,
        header.cells[place],
        ids[0] if ids else None,
        kept=kept_in(header.cells, choice.keep, header.row),
        delimiter=header.delimiter,
        titles=header.above,
        lines=header.lines,
    )


def is_sample(text: str) -> bool:
    """
    Whether *text* has enough rows for `find_layout`, whatever follows.
    """
    lines = filter(None, text.split("\n"))
    return len(list(islice(lines, HEADER_ROWS + 1))) > HEADER_ROWS

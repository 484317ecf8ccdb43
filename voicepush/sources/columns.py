"""
Which column of a list holds the numbers, and which row is its header.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import (
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from itertools import chain, islice
from typing import NamedTuple

from voicepush.errors import SourceError
from voicepush.masking import mask
from voicepush.sources.headers import Rank, choose, rank_of

#: A header is looked for among so many rows.
HEADER_ROWS = 20


#: What may stand between cells.
DELIMITERS = ",;\t|"


#: The delimiter of a list with one column: what no list holds, so that nothing is cut.
NO_DELIMITER = "\0"


_NUMBER = re.compile(r"(?:tel:)?[\W_]*\d[\W\d_]*(?:e[+-]?\d+)?", re.IGNORECASE)


_DATE = re.compile(
    r"""\s*(?:(?:19|20)\d\d([-./]?)\d\d?\1\d\d?      # 2030-01-31, 20300131
      | \d\d?([-./])\d\d?\2(?:19|20)\d\d)            # 31.01.2030
      (?:[T\s][\d:.]+)?\s*                           # and a time
    """,
    re.VERBOSE,
)


_FEWEST_DIGITS = 7


_MOST_PLACE_DIGITS = 4  # no table has more columns


def looks_like_number(cell: str) -> bool:
    """
    Whether *cell* could be a phone number, and is no date.
    """
    digits = sum(map(str.isdecimal, cell))
    return (
        digits >= _FEWEST_DIGITS
        and _NUMBER.fullmatch(cell) is not None
        and _DATE.fullmatch(cell) is None
    )


class Undecided(Exception):  # noqa: N818 -- a question to the list's owner
    """
    Which column it is can't be told; the text lists those that there are.
    """

    def __init__(self, problem: str, cells: Sequence[str], row: int = 1) -> None:
        shown = ", ".join(
            mask(cell) if looks_like_number(cell) else cell.strip()[:40]
            for cell in cells[:20]
        )
        super().__init__(
            f"{problem}; the columns are {shown}; "
            "choose one with --column, by name or by place (1 is the first)"
        )
        self.row = row


class Layout(NamedTuple):
    """
    Where everything is in a table.
    """

    place: int  #: of the values, from 0
    correlation_id: int | None
    customers: bool
    header: str | None  #: of the values
    delimiter: str = NO_DELIMITER
    titles: int = 0  #: how many rows stand above the header
    lines: int = 0  #: how many lines the header and what is above it take

    @property
    def places(self) -> list[int]:
        """
        The columns to take out: the values, then their correlation ids.
        """
        if self.correlation_id is None:
            return [self.place]
        return [self.place, self.correlation_id]

    @property
    def words(self) -> str:
        """
        Which column was taken, for its owner.
        """
        shown = "" if self.header is None else f' ("{self.header.strip()[:40]}")'
        return f"column {self.place + 1}{shown}"


class _Row(NamedTuple):
    delimiter: str
    row: int  # its first line
    lines: int  # those up to its end
    above: int  # rows
    cells: list[str]

    @property
    def filled(self) -> int:
        return sum(map(bool, map(str.strip, self.cells)))


def find_layout(sample: str, column: str | None) -> Layout | None:
    """
    The layout of a table that begins with *sample*.

    None if it has no rows, or if a quoted cell in the first one does not end.

    Args:
        column: As the owner gave it: a header, or a place counted from 1.

    Raises:
        Undecided: It is not clear which column it is.
    """
    tables = [list(_rows(sample, each)) for each in (NO_DELIMITER, *DELIMITERS)]
    header = _header(tables, column)
    if header is not None:
        return _layout(header, _place(header.cells, column, header.row))
    return _without_header(tables, column) if all(tables) else None


def layout_of(headers: Sequence[str], column: str | None) -> Layout:
    """
    The layout of a table whose *headers* are known to be headers.

    Raises:
        Undecided: It is not clear which column it is.
    """
    row = _Row(NO_DELIMITER, 1, 0, 0, list(headers))
    return _layout(row, _place(row.cells, column, 1))


def _rows(sample: str, delimiter: str) -> Iterator[_Row]:
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
                yield _Row(delimiter, before + 1, reader.line_num, above, cells)
                above += 1
    except csv.Error:
        return  # reading the rows will say what is wrong


def _header(tables: Sequence[Sequence[_Row]], column: str | None) -> _Row | None:
    if column is not None:
        named = [
            row
            for rows in tables
            for row in rows
            if _named(column, row.cells) and not _is_place_only(column, row, rows)
        ]
        if named:
            return _first(named)
    known = list(_known(tables))
    first = _first(known)
    if first is not None and first.filled == 1:
        # A title such as "Mobile numbers" over a table with headers of its own.
        return _first([row for row in known if row.filled > 1]) or first
    return first


def _first(rows: Sequence[_Row]) -> _Row | None:
    # Uncut where no delimiter makes more cells of it.
    return min(rows, key=lambda row: (row.row, -len(row.cells)), default=None)


def _known(tables: Sequence[Sequence[_Row]]) -> Iterator[_Row]:
    """
    The rows that may be headers: no number is in them, nor above them.

    A list without a header may well hold "mobile" or "phone" in a cell; who stands
    above must not be taken for a title.
    """
    everything = list(chain.from_iterable(tables))
    numbers = (row for row in everything if any(map(looks_like_number, row.cells)))
    end = min((row.row for row in numbers), default=None)
    for row in everything:
        if (end is None or row.row < end) and choose(row.cells):
            yield row


def _named(column: str, cells: Sequence[str]) -> list[int]:
    """
    The places whose cell is *column*: exactly, else in any case, else but for signs.
    """
    wanted = column.strip()
    for same in (str, str.casefold, _letters):
        found = [
            place
            for place, cell in enumerate(cells)
            if same(cell.strip()) == same(wanted) != ""
        ]
        if found:
            return found
    return []


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _is_place(column: str) -> bool:
    column = column.strip()
    return (
        column.isascii()
        and column.isdecimal()
        and len(column.lstrip("0")) <= _MOST_PLACE_DIGITS
    )


def _is_place_only(column: str, row: _Row, rows: Sequence[_Row]) -> bool:
    """
    Whether *column* is a place although *row* holds such a cell.

    It is a header only beside another that is known, or above a number.
    """
    if not _is_place(column):
        return False
    if any(map(looks_like_number, row.cells)):
        return True
    below = next((each.cells for each in rows if each.row > row.row), [])
    return not choose(row.cells) and not any(
        place < len(below) and looks_like_number(below[place])
        for place in _named(column, row.cells)
    )


def _place(cells: Sequence[str], column: str | None, row: int) -> int:
    if column is None:
        found = choose(cells)
        if not found:
            raise Undecided("can't tell which column holds the numbers", cells, row)
        if len(found) > 1:
            names = " or ".join(cells[place].strip()[:40] for place in found)
            raise Undecided(f"can't tell which column to take, {names}", cells, row)
        return found[0]
    named = _named(column, cells)
    if not named:
        return _numbered(column, cells, row)
    if cells.count(column) > 1:
        raise Undecided(f"several columns are called {_shown(column)}", cells, row)
    return named[0]


def _numbered(column: str, cells: Sequence[str], row: int) -> int:
    if _is_place(column) and 1 <= int(column) <= len(cells):
        return int(column) - 1
    raise Undecided(f"there is no column {_shown(column)}", cells, row)


def _shown(column: str) -> str:
    return repr(column if len(column) <= 40 else f"{column[:40]}…")  # noqa: PLR2004 -- a line's worth


def _without_header(tables: Sequence[Sequence[_Row]], column: str | None) -> Layout:
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
    if column is not None:
        place = _numbered(column, first.cells, first.row)
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
    return Layout(place, None, customers=False, header=None, delimiter=first.delimiter)


def _layout(header: _Row, place: int) -> Layout:
    ranks = list(map(rank_of, header.cells))
    ids = [at for at, rank in enumerate(ranks) if rank is Rank.CORRELATION_ID]
    return Layout(
        place,
        ids[0] if ids else None,
        customers=ranks[place] is Rank.CUSTOMER_ID,
        header=header.cells[place],
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


@contextmanager
def deciding(name: str) -> Iterator[None]:
    """
    Let a question about columns name the source.
    """
    try:
        yield
    except Undecided as error:
        raise SourceError(str(error), source=name, row=error.row) from error

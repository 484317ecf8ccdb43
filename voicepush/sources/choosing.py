"""
Which columns their owner means.
"""

from __future__ import annotations

import re
from collections.abc import (
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from typing import NamedTuple, Self

from voicepush.errors import InputError, SourceError
from voicepush.masking import mask
from voicepush.masking import shown as on_one_line

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


_LONGEST_SHOWN = 40  # a line's worth


class KeptFor(str):
    """
    A column that is kept because another option than ``--keep`` names it.
    """

    __slots__ = ("option",)

    def __new__(cls, column: str, option: str) -> Self:
        """
        The *column* that was named by *option*.
        """
        made = super().__new__(cls, column)
        made.option = option
        return made

    option: str


def option_of(column: str) -> str:
    """
    Which option has named a *column* that is kept.
    """
    return column.option if isinstance(column, KeptFor) else "--keep"


class Choice(NamedTuple):
    """
    What a list's owner says of its columns.
    """

    #: That of the recipients: a header, a place counted from 1, or a field.
    column: str | None = None
    #: Those that are kept, named in the same way.
    keep: tuple[str, ...] = ()


def chosen(column: str | None, keep: Sequence[str]) -> Choice:
    """
    The choice of *column* and of those to *keep*.

    Raises:
        InputError: *keep* is one text, which would be taken for its letters.
    """
    if isinstance(keep, str):
        raise InputError("the columns to keep come as a list; write [column]")
    return Choice(column, tuple(keep))


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

    def __init__(
        self,
        problem: str,
        cells: Sequence[str],
        row: int = 1,
        *,
        option: str = "--column",
        are_fields: bool = False,
    ) -> None:
        listed = ", ".join(
            mask(cell)
            if looks_like_number(cell)
            else on_one_line(cell.strip()[:_LONGEST_SHOWN])
            for cell in cells[:20]
        )
        words = "fields" if are_fields else "columns"
        how = "by name" if are_fields else "by name or by place (1 is the first)"
        there = f"the {words} are {listed}" if cells else f"there are no {words}"
        super().__init__(f"{problem}; {there}; choose one with {option}, {how}")
        self.row = row


@contextmanager
def deciding(name: str) -> Iterator[None]:
    """
    Let a question about columns name the source.
    """
    try:
        yield
    except Undecided as error:
        raise SourceError(str(error), source=name, row=error.row) from error


def named(column: str, cells: Sequence[str]) -> list[int]:
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


def is_place(column: str) -> bool:
    """
    Whether *column* could be a place, counted from 1.
    """
    column = column.strip()
    return (
        column.isascii()
        and column.isdecimal()
        and len(column.lstrip("0")) <= _MOST_PLACE_DIGITS
    )


def place_of(
    column: str, headers: Sequence[str], row: int, *, option: str = "--column"
) -> int:
    """
    The place of *column* among *headers*, by name or by number.

    Raises:
        Undecided: There is none, or more than one.
    """
    found = named(column, headers)
    if not found:
        return numbered(column, headers, row, option=option)
    if headers.count(column) > 1:
        problem = f"several columns are called {shown(column)}"
        raise Undecided(problem, headers, row, option=option)
    return found[0]


def numbered(
    column: str, cells: Sequence[str], row: int, *, option: str = "--column"
) -> int:
    """
    The place that *column* is, counted from 0.

    Raises:
        Undecided: There is none.
    """
    # Stripped as there: int() leaves characters in place that separate text.
    if is_place(column) and 1 <= (place := int(column.strip())) <= len(cells):
        return place - 1
    raise Undecided(f"there is no column {shown(column)}", cells, row, option=option)


def kept_in(
    headers: Sequence[str], keep: Sequence[str], row: int
) -> tuple[tuple[str, int], ...]:
    """
    The columns to *keep* among *headers*, each with what it is called and its place.

    Raises:
        Undecided: One of them is not there, or two are called the same.
    """
    found: dict[str, int] = {}
    for column in keep:
        place = place_of(column, headers, row, option=option_of(column))
        called = headers[place].strip() or column.strip()
        if isinstance(column, KeptFor) and not named(column, headers):
            called = column.strip()  # by its place, under which it is looked for
        if found.setdefault(called, place) != place:
            problem = f"several columns are called {shown(called)}"
            raise Undecided(problem, headers, row, option="--keep")
    return tuple(found.items())


def kept_places(
    cells: Sequence[str], keep: Sequence[str], row: int
) -> tuple[tuple[str, int], ...]:
    """
    The same for a list without a header, whose first row is *cells*.

    Raises:
        Undecided: One of them is no place.
    """
    return tuple(
        {
            column.strip(): numbered(column, cells, row, option=option_of(column))
            for column in keep
        }.items()
    )


def shown(column: str) -> str:
    """
    What someone called a *column*, as it may stand in a message.
    """
    cut = column if len(column) <= _LONGEST_SHOWN else f"{column[:_LONGEST_SHOWN]}…"
    return repr(cut)

"""
Columns become lines of CSV, which a spreadsheet shows and does not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

#: What a spreadsheet takes for a formula; a plus and digits alone are a number.
_FORMULA = re.compile(r"[=@\-\t\r]|\+(?!\d+\Z)")
_SOME_FORMULA = re.compile(r"^(?:[=@\-\t\r]|\+(?!\d+$))", re.MULTILINE)
_NEEDS_QUOTES = re.compile(r'[",\r\n]')

#: A column of cells, or the one cell that stands in all rows.
Column: TypeAlias = Sequence[str] | str


@lru_cache(maxsize=4096)
def guarded(cell: str) -> str:
    """
    *cell* with a ``'`` before what a spreadsheet would run as a formula.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def csv_line(cells: Iterable[str]) -> str:
    """
    One line of CSV.
    """
    return ",".join(map(_cell, cells)) + "\n"


def csv_lines(columns: Sequence[Column], number: int) -> str:
    """
    So many lines of CSV, whose cells stand in *columns*.
    """
    # Constant cells and the commas around them become one text; all that stands in a
    # row is put into every so-manieth place of one list at once.
    slots: list[Column] = [""]
    for column in columns:
        cells = _cell(column) if isinstance(column, str) else _cells(column)
        for part in (cells, ","):
            if isinstance(part, str) and isinstance(slots[-1], str):
                slots[-1] += part
            else:
                slots.append(part)
    end = slots[-1]
    slots[-1] = f"{str(end)[:-1]}\n"
    pieces = [""] * (len(slots) * number)
    for at, slot in enumerate(slots):
        pieces[at :: len(slots)] = [slot] * number if isinstance(slot, str) else slot
    return "".join(pieces)


def _cell(text: str) -> str:
    text = guarded(text)
    if _NEEDS_QUOTES.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _cells(column: Sequence[str]) -> Sequence[str]:
    """
    *column* as cells, which are mostly what they were.
    """
    joined = "\n".join(column)
    if (
        joined.count("\n") == len(column) - 1
        and not _SOME_FORMULA.search(joined)
        and not any(sign in joined for sign in '",\r')
    ):
        return column
    return list(map(_cell, column))

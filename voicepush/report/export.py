"""
Everyone in a batch as rows of a table, joined from columns.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import compress
from typing import TypeAlias

import msgspec

from voicepush.model.outcome import BatchResult, Outcome, Result

#: The columns of an export. No reader of recipients takes ``sent_as`` for correlation
#: ids: those of one campaign must not be used again by another.
EXPORTED = (*Result._fields[:-1], "sent_as", "row", "as_came")

#: What a spreadsheet takes for a formula; a plus and digits alone are a number.
_FORMULA = re.compile(r"[=@\-\t\r]|\+(?!\d+\Z)")
_SOME_FORMULA = re.compile(r"^(?:[=@\-\t\r]|\+(?!\d+$))", re.MULTILINE)
_NEEDS_QUOTES = re.compile(r'[",\r\n]')

#: A column of cells, or the one cell that stands in all rows.
_Column: TypeAlias = Sequence[str] | str


@lru_cache(maxsize=4096)
def guarded(cell: str) -> str:
    """
    *cell* with a ``'`` before what a spreadsheet would run as a formula.
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def csv_head(kept: Sequence[str] = ()) -> str:
    """
    The header of what `csv_rows` writes.
    """
    return ",".join(map(_cell, _names(kept))) + "\n"


def csv_rows(
    result: BatchResult, wanted: Collection[Outcome], kept: Sequence[str] = ()
) -> str:
    """
    Everyone in *result* with a *wanted* outcome, as lines of CSV.

    Args:
        kept: Which of the columns that were kept are written, too.
    """
    number, columns = _columns(result, wanted, kept)
    if not number:
        return ""
    # Constant cells and the commas around them become one text; all that stands in a
    # row is put into every so-manieth place of one list at once.
    slots: list[_Column] = [""]
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


def json_rows(
    result: BatchResult, wanted: Collection[Outcome], kept: Sequence[str] = ()
) -> str:
    """
    The same as one JSON object per line.
    """
    names = _names(kept)
    number, columns = _columns(result, wanted, kept)
    whole = [
        [column] * number if isinstance(column, str) else column for column in columns
    ]
    rows = [
        {
            **dict(zip(names, cells, strict=True)),
            "row": int(cells[6]) if cells[6] else None,
            "code": cells[2] or None,
            "transaction_id": cells[4] or None,
        }
        for cells in zip(*whole, strict=True)
    ]
    return msgspec.json.Encoder().encode_lines(rows).decode()


def _names(kept: Sequence[str]) -> list[str]:
    """
    What the columns are called: one that was *kept* is not taken for one of ours.
    """
    return [*EXPORTED, *(f"kept_{each}" if each in EXPORTED else each for each in kept)]


def _columns(
    result: BatchResult, wanted: Collection[Outcome], kept: Sequence[str]
) -> tuple[int, list[_Column]]:
    """
    How many rows there are, and their columns in the order of `EXPORTED`.
    """
    batch, recipients = result.batch, result.batch.recipients
    places: Sequence[int] = recipients.places_of_values()
    values: Sequence[str] = recipients.values
    if result.exceptions or result.verdict.outcome not in wanted:
        good = [result.at(place).outcome in wanted for place in places]
        places = list(compress(places, good))
        values = list(compress(values, good))
    verdict: list[_Column] = [
        str(result.verdict.outcome.value),
        result.verdict.code or "",
        result.verdict.description,
    ]
    if result.exceptions:
        verdicts = [result.at(place) for place in places]
        verdict = [
            [each.outcome.value for each in verdicts],
            [each.code or "" for each in verdicts],
            [each.description for each in verdicts],
        ]
    transactions: _Column = ""
    if result.transaction_ids:
        transactions = [result.transaction_id(place) or "" for place in places]
    rows: _Column = ""
    if recipients.rows:
        rows = [str(recipients.rows[place]) for place in places]
    as_came: Sequence[str] = values
    if recipients.as_came:
        as_came = [
            recipients.as_came.get(place) or value
            for place, value in zip(places, values, strict=True)
        ]
    ids = batch.correlation_ids
    columns: list[_Column] = [
        values,
        *verdict,
        transactions,
        _at(ids, places),
        rows,
        as_came,
    ]
    for header in kept:
        column = recipients.kept.get(header)
        columns.append(_at(column, places) if column else "")
    return len(values), columns


def _at(column: Sequence[str], places: Sequence[int]) -> Sequence[str]:
    if isinstance(places, range) and len(places) == len(column):
        return column
    return [column[place] for place in places]


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

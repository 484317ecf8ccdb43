"""
CSV and plain lists; what has no quotes is split, the rest is csv.reader's.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import (
    Iterable,
    Iterator,
    Sequence,
)
from itertools import chain, compress, count
from operator import methodcaller
from typing import NamedTuple

from voicepush.errors import SourceError
from voicepush.sources.blocks import Block, Facts
from voicepush.sources.choosing import Choice, deciding
from voicepush.sources.columns import (
    DELIMITERS,
    NO_DELIMITER,
    find_layout,
    is_sample,
)
from voicepush.sources.decoding import Piece


class Table(NamedTuple):
    """
    Some rows of a table, taken apart into columns.
    """

    rows: Sequence[int]
    columns: list[list[str]]  # those that were asked for


# Delimited text. Pieces without a quote are split; the others are csv.reader's.


def read_delimited(
    pieces: Iterator[Piece], name: str, facts: Facts, choice: Choice
) -> Iterator[Block]:
    """
    The blocks of a table in text.
    """
    head = head_of(pieces)
    with deciding(name):
        layout = find_layout(head.text, choice)
    if layout is None:
        check_quotes(head, pieces, name)
        return
    facts.titles, facts.column = layout.titles, layout.words
    pieces = chain([without(head, layout.lines)], pieces)
    for table in tables_of(pieces, layout.places, layout.delimiter, name):
        if table.rows:
            yield layout.block(table.rows, table.columns)


def head_of(pieces: Iterator[Piece]) -> Piece:
    """
    The first of *pieces*, joined with the next ones until it is enough for a look.
    """
    head = next(pieces)
    while not is_sample(head.text) and (more := next(pieces, None)):
        head = head._replace(text=head.text + more.text, lines=head.lines + more.lines)
    return head


def check_quotes(head: Piece, pieces: Iterator[Piece], name: str) -> None:
    """
    Say what is wrong with a table in whose *head* no row was found: nothing but blank
    lines, or a quote that does not end.
    """
    for delimiter in (NO_DELIMITER, *DELIMITERS):
        list(_by_csv(head, pieces, delimiter, name))


def without(piece: Piece, lines: int) -> Piece:
    """
    *piece* without its first *lines*.
    """
    rest = piece.text.split("\n", lines)[lines] if lines else piece.text
    return Piece(piece.row + lines, rest, piece.lines - lines)


def tables_of(
    pieces: Iterator[Piece], places: list[int], delimiter: str, name: str
) -> Iterator[Table]:
    """
    The columns at *places* of a table, some rows at a time.
    """
    for piece in pieces:
        if '"' not in piece.text:
            yield _split_evenly(piece, places, delimiter) or _split_each(
                piece, places, delimiter
            )
        else:
            bare = _unquoted(piece, delimiter)
            even = _split_evenly(bare, places, delimiter) if bare else None
            yield even or _table(_by_csv(piece, pieces, delimiter, name), places)


def _unquoted(piece: Piece, delimiter: str) -> Piece | None:
    """
    *piece* without its quotes, if none of them hides a delimiter, quote or line end.
    """
    cell = rf'[^"\n{delimiter}]*+'
    simple = rf'(?:(?:"{cell}"|{cell})[\n{delimiter}])*+'
    if not re.fullmatch(simple, piece.text):
        return None
    return piece._replace(text=piece.text.replace('"', ""))


def _split_evenly(piece: Piece, places: list[int], delimiter: str) -> Table | None:
    """
    The table in *piece*, if all its rows have equally many cells.
    """
    rows = range(piece.row, piece.row + piece.lines)
    if delimiter not in piece.text:
        lines = piece.text[:-1].split("\n")
        return Table(rows, [lines]) if places == [0] and all(lines) else None
    width = piece.text.count(delimiter, 0, piece.text.index("\n")) + 1
    # Line ends become cells of their own; in even rows all stand where they must.
    cells = piece.text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    cells.pop()
    if max(places) >= width or cells[width :: width + 1] != ["\n"] * len(rows):
        return None
    return Table(rows, [cells[place :: width + 1] for place in places])


def _split_each(piece: Piece, places: list[int], delimiter: str) -> Table:
    lines = piece.text[:-1].split("\n")
    rows = list(compress(count(piece.row), lines))  # a blank line is no record
    lines = list(filter(None, lines))
    return Table(
        rows,
        [
            [
                cells[place] if place < len(cells) else ""
                for cells in map(methodcaller("split", delimiter, place + 1), lines)
            ]
            for place in places
        ],
    )


def _by_csv(
    piece: Piece, pieces: Iterator[Piece], delimiter: str, name: str
) -> Iterator[tuple[int, list[str]]]:
    """
    The records of *piece*, and of as many *pieces* as a quoted cell reaches into.
    """
    lines, ended = piece.lines, False
    of_record: list[str] = []

    def feed() -> Iterator[str]:
        nonlocal lines, ended
        for each in chain([piece], pieces):
            if each is not piece:
                lines += each.lines
            for line in io.StringIO(each.text):
                of_record.append(line)
                yield line
        ended = True

    reader = csv.reader(feed(), delimiter=delimiter)
    row = piece.row
    try:
        while reader.line_num < lines:
            row = piece.row + reader.line_num
            of_record.clear()
            cells = next(reader)
            if ended:
                raise SourceError(
                    "a quoted cell begins here and never ends; "
                    "close or remove the quote",
                    source=name,
                    row=row,
                )
            if len(of_record) > 1:
                # Two stray quotes would swallow all the rows between them.
                next(csv.reader(of_record, delimiter=delimiter, strict=True))
            if cells:
                yield row, cells
    except csv.Error as error:
        raise SourceError(
            f"a quoted cell of this row is not CSV ({error}); close or remove a stray "
            f"quote, and shorten cells of more than {csv.field_size_limit():,} "
            "characters",
            source=name,
            row=row,
        ) from error


def _table(records: Iterable[tuple[int, list[str]]], places: list[int]) -> Table:
    rows: list[int] = []
    columns: list[list[str]] = [[] for _ in places]
    for row, cells in records:
        rows.append(row)
        for column, place in zip(columns, places, strict=True):
            column.append(cells[place] if place < len(cells) else "")
    return Table(rows, columns)

"""
One JSON text per line.
"""

from __future__ import annotations

from collections.abc import (
    Iterator,
    Sequence,
)
from functools import lru_cache
from itertools import compress

import msgspec

from voicepush.sources.blocks import Block, Entry, Facts
from voicepush.sources.decoding import Piece
from voicepush.sources.entries import NOT_A_RECORD, UNDECIDED_FIELD, entry_of, malformed
from voicepush.sources.headers import Rank, choose, rank_of

# JSON lines and Parquet.


def read_json_lines(
    pieces: Iterator[Piece], facts: Facts, column: str | None
) -> Iterator[Block]:
    """
    The blocks of a text with one JSON value per line.
    """
    for piece in pieces:
        lines = piece.text[:-1].split("\n")
        rows: Sequence[int] = range(piece.row, piece.row + len(lines))
        filled = [bool(line) and not line.isspace() for line in lines]
        if not all(filled):
            rows = list(compress(rows, filled))
            lines = list(compress(lines, filled))
        if rows:
            yield Block(rows, [_from_json(line, facts, column) for line in lines])


def _from_json(line: str, facts: Facts, column: str | None) -> Entry:
    try:
        found = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return malformed(line, NOT_A_RECORD)
    if not isinstance(found, dict):
        return entry_of(found, None, customers=False, shown=line)
    filled = tuple(key for key, value in found.items() if value is not None)
    keys, own_id, customers = _fields(filled, column)
    if len(keys) != 1:
        return malformed(line, UNDECIDED_FIELD if keys else NOT_A_RECORD)
    facts.column = facts.column or f'field "{keys[0][:40]}"'
    return entry_of(
        found[keys[0]],
        found[own_id] if own_id else None,
        customers=customers,
        shown=line,
    )


@lru_cache(maxsize=1024)
def _fields(
    keys: tuple[str, ...], column: str | None
) -> tuple[list[str], str | None, bool]:
    """
    Those of *keys* that hold the values, that of the correlation id, and the kind.
    """
    if column is None:
        taken = [keys[place] for place in choose(keys)]
    else:
        taken = [column] if column in keys else []
    own_ids = (key for key in keys if rank_of(key) is Rank.CORRELATION_ID)
    customers = rank_of(taken[0]) is Rank.CUSTOMER_ID if taken else False
    return taken, next(own_ids, None), customers

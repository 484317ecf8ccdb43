"""
Parquet files: the only module that uses pyarrow.
"""

from __future__ import annotations

import importlib
from collections.abc import (
    Generator,
    Iterator,
    Sequence,
)
from typing import Any

from voicepush.errors import InputError
from voicepush.sources.blocks import Block, Facts
from voicepush.sources.choosing import Choice, deciding
from voicepush.sources.columns import layout_of
from voicepush.sources.opening import digest_stream, look_at, opened, reading

_PARQUET_ROWS = 5000


def read_parquet(
    name: str, facts: Facts, choice: Choice
) -> Generator[Block, None, None]:
    """
    The blocks of a Parquet file.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"{name}: reading Parquet needs pyarrow; "
            "install it with: pip install 'voicepush[parquet]'"
        ) from error
    with opened(name) as stream:
        look_at(stream, facts)
        # Of the same file, whatever the name means now.
        digest = digest_stream(stream, name)
        with reading(name):
            stream.seek(0)
            file = parquet.ParquetFile(stream)
        with file:
            yield from _parquet_blocks(file, name, facts, choice)
        facts.digest = digest


def _parquet_blocks(
    file: Any, name: str, facts: Facts, choice: Choice
) -> Iterator[Block]:
    headers = file.schema_arrow.names
    with deciding(name):
        layout = layout_of(headers, choice)
    facts.column = layout.words
    wanted = [headers[place] for place in layout.places]
    batches = file.iter_batches(_PARQUET_ROWS, columns=list(dict.fromkeys(wanted)))
    row = 1
    while (columns := _next_of(batches, wanted, name)) is not None:
        rows = range(row, row + len(columns[0]))
        if rows:
            yield layout.block(rows, columns)
        row = rows.stop


def _next_of(
    batches: Iterator[Any], wanted: Sequence[str], name: str
) -> list[list[Any]] | None:
    # A text that is not UTF-8 is found only when it becomes a text of ours.
    with reading(name):
        batch = next(batches, None)
        if batch is None:
            return None
        return [batch.column(header).to_pylist() for header in wanted]

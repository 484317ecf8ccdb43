"""
Parquet files: the only module that uses pyarrow.
"""

from __future__ import annotations

import importlib
from collections.abc import (
    Generator,
    Iterator,
)
from typing import Any

from voicepush.errors import InputError
from voicepush.sources.blocks import Block, Facts
from voicepush.sources.columns import deciding, layout_of
from voicepush.sources.entries import entries
from voicepush.sources.opening import digest_stream, look_at, opened, reading

_PARQUET_ROWS = 5000


def read_parquet(
    name: str, facts: Facts, column: str | None
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
            yield from _parquet_blocks(file, name, facts, column)
        facts.digest = digest


def _parquet_blocks(
    file: Any, name: str, facts: Facts, column: str | None
) -> Iterator[Block]:
    headers = file.schema_arrow.names
    with deciding(name):
        layout = layout_of(headers, column)
    facts.column = layout.words
    wanted = [headers[place] for place in layout.places]
    batches = file.iter_batches(_PARQUET_ROWS, columns=wanted)
    row = 1
    while (batch := _next_of(batches, name)) is not None:
        columns = [batch.column(header).to_pylist() for header in wanted]
        found = entries(columns, customers=layout.customers)
        yield Block(range(row, row + len(found)), found)
        row += len(found)


def _next_of(batches: Iterator[Any], name: str) -> Any:
    with reading(name):
        return next(batches, None)

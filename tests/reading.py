"""
Lists are read, and what was read is taken apart to be compared.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.sources import decoding
from voicepush.sources.blocks import Block, Malformed
from voicepush.sources.files import read_stream

ANN, BEN, CAT = "447700900101", "447700900102", "447700900103"

#: What stands at a row.
Entry: TypeAlias = Recipient | Malformed

#: So small that everything is cut somewhere.
SMALL = 7


def read(
    content: str | bytes, *, chunk_bytes: int | None = None, **options: Any
) -> list[tuple[int, Entry]]:
    """
    The rows of a file with *content*, read so many bytes at a time.
    """
    return flat(blocks_of(content, chunk_bytes=chunk_bytes, **options))


def blocks_of(
    content: str | bytes, *, chunk_bytes: int | None = None, **options: Any
) -> list[Block]:
    """
    The blocks of a file with *content*.
    """
    data = content if isinstance(content, bytes) else content.encode()
    with pytest.MonkeyPatch.context() as patch:
        if chunk_bytes is not None:
            patch.setattr(decoding, "CHUNK_BYTES", chunk_bytes)
        return list(read_stream(io.BytesIO(data), **options))


def flat(blocks: Iterable[Block]) -> list[tuple[int, Entry]]:
    """
    What stands at each row of *blocks*, none of which may be empty.
    """
    found: list[tuple[int, Entry]] = []
    for block in blocks:
        recipients, malformed = block.recipients, block.malformed
        assert len(recipients) or malformed
        assert recipients.rows is not None
        for rows in (list(recipients.rows), [each.row for each in malformed]):
            assert rows == sorted(set(rows))
        found += zip(recipients.rows, one_by_one(recipients), strict=True)
        found += [(each.row, each) for each in malformed]
    return sorted(found, key=lambda each: each[0])


def one_by_one(recipients: Recipients) -> list[Recipient]:
    """
    The destinations in *recipients* as one would give them: texts where that is enough.
    """
    assert_tidy(recipients)
    are_msisdns = recipients.kind is Kind.MSISDN
    ids = recipients.correlation_ids or [""] * len(recipients)
    found: list[Recipient] = []
    for values, own_id in zip(recipients.by_destination(), ids, strict=True):
        if list(values) == [""] or (are_msisdns and len(values) == 1 and not own_id):
            assert not own_id
            found += values
        elif are_msisdns:
            found.append(Destination(values, correlation_id=own_id or None))
        else:
            found.append(Destination(customer_id=values, correlation_id=own_id or None))
    return found


def assert_tidy(recipients: Recipients) -> None:
    """
    All columns are equally long, hold texts, and are left out where nothing is in them.
    """
    ids, widths = recipients.correlation_ids, recipients.widths
    many = len(recipients)
    for column in (recipients.values, ids or (), *recipients.kept.values()):
        assert all(type(each) is str for each in column)
    if ids is not None:
        assert len(ids) == many
        assert any(ids)
    if widths is not None:
        assert sum(widths) == len(recipients.values)
        assert set(widths) > {1} or set(widths) & set(range(2, 1001))
    for kept in recipients.kept.values():
        assert len(kept) == many


def kept_in(blocks: Iterable[Block]) -> list[tuple[int, dict[str, str]]]:
    """
    What was kept of each row of *blocks*.
    """
    found: list[tuple[int, dict[str, str]]] = []
    for block in blocks:
        recipients = block.recipients
        assert_tidy(recipients)
        for place, row in enumerate(recipients.rows or ()):
            kept = {header: texts[place] for header, texts in recipients.kept.items()}
            found.append((row, kept))
    return sorted(found, key=lambda each: each[0])


def parquet(path: Path, **columns: Any) -> Path:
    """
    A Parquet file of *columns*.
    """
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    writer.write_table(pyarrow.table(columns), path)
    return path

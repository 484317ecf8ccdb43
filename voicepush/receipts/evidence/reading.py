"""
Reads evidence for the unknown: the console's logs, and notifications that failed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from datetime import UTC, tzinfo
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeAlias

import attrs

from voicepush.masking import only_count
from voicepush.receipts.evidence.columns import named_columns
from voicepush.receipts.evidence.files import Part, parts_of
from voicepush.receipts.evidence.rows import (
    Listed,
    RowReader,
    Unproven,
    Unreadable,
)

#: So many rows of a file make a block.
BLOCK_SIZE = 500


@attrs.frozen(kw_only=True)
class EvidenceBlock:
    """
    Some rows of a file.
    """

    #: Those that say that the platform took a call.
    listed: Sequence[Listed] = attrs.field(default=(), repr=only_count)
    #: Those that prove nothing: the platform refused the call, or gave it no id.
    unproven: Sequence[int] = ()
    #: Those that can't be understood.
    unreadable: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.listed) + len(self.unproven) + len(self.unreadable)


class EvidenceFile(Iterator[EvidenceBlock]):
    """
    A file of evidence that is read block by block; what was found out stays known.

    It can be read once. Leaving ``with``, `close`, or forgetting it closes the file.
    """

    def __init__(self, name: str, reader: RowReader, blocks: _Blocks) -> None:
        #: What errors call it: its path, or "standard input".
        self.name = name
        self._reader = reader
        self._blocks = blocks

    def __repr__(self) -> str:
        return f"<voicepush.EvidenceFile {self.name}>"

    def __next__(self) -> EvidenceBlock:
        return next(self._blocks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """
        Read no further.
        """
        # Where a thread waits for its next row, it ends with that.
        with suppress(ValueError):
            self._blocks.close()

    @property
    def columns(self) -> str | None:
        """
        Which columns were taken, in words, once the first block was read.
        """
        return self._reader.columns


_Blocks: TypeAlias = Generator[EvidenceBlock, None, None]


def read_evidence(
    path: Path | str,
    *,
    columns: Mapping[str, str] = MappingProxyType({}),
    encoding: str | None = None,
    zone: tzinfo = UTC,
) -> EvidenceFile:
    """
    The calls that the file at *path* lists, or standard input if it is ``-``.

    Reads what the console exports: its logs, and the payloads of notifications that
    failed, as CSV with any usual delimiter, Excel, one JSON object per line, or a JSON
    array; also as ``.gz`` and in a zip archive. It takes a few megabytes, however long
    the file is, but for Excel. Nothing is opened before the first block is asked for.

    Args:
        columns: What its columns are called, or their places counted from 1, where
            that can't be told; the keys are ``transaction``, ``correlation``,
            ``number``, ``status``, ``code``, ``time`` and ``payload``.
        encoding: Without it the byte order mark decides, then it is UTF-8.
        zone: Of times without an offset.

    Raises:
        SourceError: It can't be read, or a column can't be found; the text says what
            was looked for, and what there is.
        InputError: *columns* or *encoding* say nothing that is known.
    """
    named = named_columns([f"{key}={name}" for key, name in columns.items()])
    reader = RowReader(named, zone)
    return EvidenceFile(
        "standard input" if str(path) == "-" else str(path),
        reader,
        _blocks_of(reader, parts_of(str(path), encoding)),
    )


def _blocks_of(reader: RowReader, parts: Generator[Part, None, None]) -> _Blocks:
    # Whatever happens to its rows, the file is closed at once.
    with closing(parts):
        entries = chain.from_iterable(map(reader.read, parts))
        while some := list(islice(entries, BLOCK_SIZE)):
            yield EvidenceBlock(
                listed=[each for each in some if isinstance(each, Listed)],
                unproven=[each.row for each in some if isinstance(each, Unproven)],
                unreadable=[each.row for each in some if isinstance(each, Unreadable)],
            )

"""
Recipients as they came, some at a time, each with its row.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Sequence,
)
from itertools import islice
from typing import TypeAlias

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask
from voicepush.model.recipients import Destination, Recipient

#: How many recipients of an iterable make a block.
BLOCK_SIZE = 1000


@attrs.frozen
class Malformed:
    """
    A row that is no recipient; screening counts it and says why.
    """

    text: str = attrs.field(repr=mask)
    reason: str


#: What a block holds at each place.
Entry: TypeAlias = Recipient | Malformed


@attrs.define(eq=False)
class Block:
    """
    Some recipients as they came, unscreened, each with its row.
    """

    #: Counted from 1. In a text file it is the line, so that a header is row 1.
    rows: Sequence[int]
    recipients: Sequence[Entry] = attrs.field(repr=lambda found: f"<{len(found)}>")


@attrs.define(eq=False)
class Facts:
    """
    What is found out while a source is read.
    """

    digest: str | None = None
    size: int | None = None
    modified_ns: int | None = None
    column: str | None = None
    titles: int = 0


def from_iterable(
    recipients: Iterable[Recipient], *, size: int = BLOCK_SIZE
) -> Iterator[Block]:
    """
    Blocks of at most *size* from *recipients*, read no further ahead than one block.

    What the iterable raises comes out unchanged.
    """
    if isinstance(recipients, (str, bytes, Destination)):
        raise InputError(
            "recipients come as a list or another iterable; write [number]"
        )
    groups: Iterable[list[Recipient]]
    if isinstance(recipients, list):
        groups = (
            recipients[start : start + size]
            for start in range(0, len(recipients), size)
        )
    else:
        stream = iter(recipients)
        groups = iter(lambda: list(islice(stream, size)), [])
    row = 1
    for group in groups:
        yield Block(range(row, row + len(group)), group)
        row += len(group)


async def from_async(
    recipients: AsyncIterable[Recipient], *, size: int = BLOCK_SIZE
) -> AsyncIterator[Block]:
    """
    Blocks of *size* from *recipients*; the last may be smaller.

    What the iterable raises comes out unchanged.
    """
    row = 1
    group: list[Recipient] = []
    async for recipient in recipients:
        group.append(recipient)
        if len(group) == size:
            yield Block(range(row, row + size), group)
            row += size
            group = []
    if group:
        yield Block(range(row, row + len(group)), group)

"""
Recipients as they came, some at a time: what every source gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from itertools import islice
from operator import attrgetter
from typing import cast

import attrs

from voicepush.errors import InputError
from voicepush.masking import mask, only_count
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients

#: How many recipients of an iterable make a block.
BLOCK_SIZE = 1000

#: Why something that a program gave is no recipient.
NOT_A_TEXT = "not a text"


@attrs.frozen
class Malformed:
    """
    A row that is no recipient; screening counts it and says why.
    """

    #: Counted from 1. In a text file it is the line, so that a header is row 1.
    row: int
    text: str = attrs.field(repr=mask)
    reason: str


@attrs.frozen(eq=False)
class Block:
    """
    Some recipients of one kind as they came, unscreened, and rows that are none.
    """

    recipients: Recipients
    malformed: Sequence[Malformed] = attrs.field(default=(), repr=only_count)


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
        yield from blocks_of(group, row)
        row += len(group)


async def from_async(
    recipients: AsyncIterable[Recipient] | AsyncIterable[Block],
    *,
    size: int = BLOCK_SIZE,
    ended: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Block]:
    """
    Blocks of *size* from *recipients*; the last may be smaller. Blocks stay as they
    are.

    What the iterable raises comes out unchanged.

    Args:
        ended: Whether no more are wanted, where waiting for the next is cancelled: then
            those who came already are given yet.
    """
    row = 1
    group: list[Recipient] = []
    try:
        async for recipient in recipients:
            if isinstance(recipient, Block):
                yield recipient
                continue
            group.append(recipient)
            if len(group) == size:
                for block in blocks_of(group, row):
                    yield block
                row += size
                group = []
    except asyncio.CancelledError:
        if not ended():
            raise
    for block in blocks_of(group, row):
        yield block


def blocks_of(group: Sequence[Recipient], row: int) -> Iterator[Block]:
    """
    *group* as columns, one block for each kind in it; nobody looks at objects again.

    Args:
        row: That of the first.
    """
    types: set[type] = set(map(type, group))
    if types == {str}:
        texts = cast("Sequence[str]", group)
        yield Block(Recipients(Kind.MSISDN, texts, range(row, row + len(group))))
        return
    rows = range(row, row + len(group))
    if types == {Destination}:
        whole = _of_one_kind(cast("Sequence[Destination]", group), rows)
        if whole is not None:
            yield Block(whole)
            return
    if types <= {str, Destination}:
        yield from _by_kind(group, rows)
        return
    malformed = []
    good: list[Recipient] = []
    rows_: list[int] = []
    # Of what a program gives only its type checker knows that it is a recipient.
    for at, each in enumerate(cast("Sequence[object]", group), row):
        if isinstance(each, (str, Destination)):
            # A text-like type of someone's own becomes a text.
            good.append(str(each) if isinstance(each, str) else each)
            rows_.append(at)
        else:
            malformed.append(Malformed(at, f"<{type(each).__name__}>", NOT_A_TEXT))
    yield from _by_kind(good, rows_)
    if malformed:
        yield Block(Recipients(Kind.MSISDN, ()), malformed)


_msisdn, _customer_id, _correlation_id = map(
    attrgetter, ("msisdn", "customer_id", "correlation_id")
)


def _of_one_kind(group: Sequence[Destination], rows: range) -> Recipients | None:
    """
    *group* as columns, if all in it are of one kind: taken column by column, in a third
    of the time that one by one takes.
    """
    kind, values = Kind.MSISDN, list(map(_msisdn, group))
    if not any(values):
        kind, values = Kind.CUSTOMER_ID, list(map(_customer_id, group))
    if not all(values):
        return None
    ids = [each or "" for each in map(_correlation_id, group)]
    return Recipients.of_values(kind, values, ids, rows)


def _by_kind(group: Sequence[Recipient], rows: Sequence[int]) -> Iterator[Block]:
    columns: dict[Kind, tuple[list[Sequence[str]], list[str], list[int]]] = {}
    for each, row in zip(group, rows, strict=True):
        values: Sequence[str]
        if isinstance(each, str):
            kind, values, own_id = Kind.MSISDN, (each,), ""
        else:
            kind = Kind.MSISDN if each.msisdn else Kind.CUSTOMER_ID
            values, own_id = each.values, each.correlation_id or ""
        of_kind = columns.get(kind)
        if of_kind is None:
            of_kind = columns[kind] = ([], [], [])
        of_kind[0].append(values)
        of_kind[1].append(own_id)
        of_kind[2].append(row)
    for kind, (groups, ids, rows_) in columns.items():
        yield Block(Recipients.of_values(kind, groups, ids, rows_))

"""
Any source becomes blocks without holding up the event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import suppress
from itertools import chain, islice
from typing import TypeAlias, TypeVar, cast

from voicepush.model.recipients import Destination, Recipient
from voicepush.sources.blocks import BLOCK_SIZE, Block, from_async, from_iterable
from voicepush.sources.files import ListFile

_T = TypeVar("_T")

#: Where recipients come from: a list, anything that yields them, of any length, or
#: what `read_file` gives.
Source: TypeAlias = (
    Iterable[Recipient]
    | AsyncIterable[Recipient]
    | Iterable[Block]
    | AsyncIterable[Block]
)

#: What a thread is called that reads a file, and may wait for it for ever.
READING = "voicepush-reading"

#: So many blocks of a file are worked on by a thread at a time.
_TOGETHER = 8


async def fed(
    source: Source,
    work: Callable[[Iterable[Block]], _T | None],
    *,
    size: int = BLOCK_SIZE,
    ended: Callable[[], bool] = lambda: False,
) -> AsyncGenerator[_T, None]:
    """
    What *work* makes of the blocks of *source*, some at a time.

    The blocks of a file are read and worked on in a thread, since nobody else has a
    hold of them and a pipe may be silent for long; all others on the event loop, where
    their owner makes them.

    Args:
        work: Takes some blocks; gives None if there were none.
        size: How many recipients of an iterable make a block.
        ended: See `from_async`.
    """
    if isinstance(source, AsyncIterable):
        async for block in from_async(source, size=size, ended=ended):
            if (done := work([block])) is not None:
                yield done
        return
    if isinstance(source, ListFile):
        is_file, whole = True, cast("Iterable[object]", source)
    else:
        is_file, whole = _peek(source)
    if is_file:
        blocks = _Until(cast("Iterable[Block]", whole))
        try:
            while (done := await beside(lambda: work(blocks.some()))) is not None:
                yield done
        finally:
            blocks.ended = True  # a thread that is still at work ends with its block
        return
    for block in from_iterable(cast("Iterable[Recipient]", whole), size=size):
        if (done := work([block])) is not None:
            yield done


class _Until:
    """
    *blocks* until someone has enough of them.
    """

    def __init__(self, blocks: Iterable[Block]) -> None:
        self.ended = False
        self._blocks = iter(blocks)

    def some(self) -> Iterator[Block]:
        """
        The next few.
        """
        for block in islice(self._blocks, _TOGETHER):
            yield block
            if self.ended:
                return


def _peek(
    source: Iterable[Recipient] | Iterable[Block],
) -> tuple[bool, Iterable[object]]:
    """
    Whether the first of *source* is a block, and all of it.
    """
    if isinstance(source, (Sequence, Destination)):
        return not isinstance(source, Destination) and _are_blocks(source[:1]), source
    stream = iter(source)
    first = list(islice(stream, 1))
    return _are_blocks(first), chain(first, stream)


def _are_blocks(first: Sequence[object]) -> bool:
    return bool(first) and isinstance(first[0], Block)


async def beside(work: Callable[[], _T]) -> _T:
    """
    The value of *work*, done in a thread of its own that nobody has to wait for.

    A pipe may be silent for ever, and must not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[_T] = loop.create_future()

    def tell(value: _T | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(cast("_T", value))

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except Exception as raised:  # noqa: BLE001 -- the caller gets it
            error = raised
        # The loop may be gone, and the caller with it.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=run, name=READING, daemon=True).start()
    return await answer

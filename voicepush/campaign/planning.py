"""
A source becomes batches in a ledger.
"""

from __future__ import annotations

import asyncio
import stat
import threading
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import timedelta
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

from voicepush import clock
from voicepush.campaign.dispatching import BEAT
from voicepush.errors import LedgerError
from voicepush.ledger import Draft, Fingerprint
from voicepush.masking import mask
from voicepush.model.batch import Batch
from voicepush.model.message import Priority, VoiceMessage
from voicepush.model.recipients import Recipient
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending.batching import Batcher
from voicepush.sources.blocks import Block, from_async, from_iterable
from voicepush.sources.files import ListFile

_T = TypeVar("_T")


#: Where the recipients of a campaign come from: anything that yields them, or blocks
#: of them as `recipients.read_file` gives.
Source = Iterable[Recipient] | AsyncIterable[Recipient] | Iterable[Block]


#: What a thread is called that reads a file, and may wait for it for ever.
READING = "voicepush-reading"


#: So many blocks of a file are read and screened by a thread at a time.
_CUT_TOGETHER = 8


#: So many batches are written into the ledger together while planning.
_PLANNED_TOGETHER = 64


#: The message's fields that errors must not show.
_HIDDEN = ("cli", "callback_data")


def said(option: str, value: str | None, *, hides: bool = False) -> str:
    """
    What was typed for *option*, as an error tells it; some values are hidden.
    """
    if value is None:
        return f"without --{option}"
    if isinstance(value, Priority):
        value = value.name.lower()
    return f"with --{option} {mask(value) if hides else value}"


def given_options(message: VoiceMessage, given: Mapping[str, str]) -> dict[str, str]:
    """
    What was typed, with the expiry as a program gives it where no one typed it.
    """
    expiry = message.expiry
    if expiry is None:
        return dict(given)
    text = str(expiry) if isinstance(expiry, timedelta) else expiry.isoformat()
    return {"expiry": text, **given}


def nobody(source: str, screening: Screening) -> str:
    """
    Why nobody in *source* can be called.
    """
    most = screening.reasons.most_common(1)
    return (
        f"nobody to call: of {screening.read:,} read from {source}, "
        f"{screening.invalid:,} are invalid, {screening.duplicate:,} duplicates and "
        f"{screening.suppressed:,} suppressed; nothing was planned"
        + "".join(f". {number:,} times: {reason}" for reason, number in most)
    )


def look_at(name: str) -> tuple[int, int] | None:
    """
    Size and time of the file called *name*; None if it has to be read instead.
    """
    found = Path(name).stat()
    is_plain = stat.S_ISREG(found.st_mode)
    return (found.st_size, found.st_mtime_ns) if is_plain else None


def fingerprint_of(recipients: Source) -> Fingerprint | None:
    """
    What tells *recipients* from another list, once all of it was read.
    """
    if not isinstance(recipients, ListFile) or recipients.digest is None:
        return None
    return Fingerprint(
        digest=recipients.digest,
        size=recipients.size,
        modified_ns=recipients.modified_ns,
    )


async def fill(
    draft: Draft,
    recipients: Source,
    screening: Screening,
    batcher: Batcher,
    refused: Callable[[list[Refusal]], None] | None,
) -> bool:
    """
    Put all of *recipients* who are not refused into *draft*; whether there was anyone.
    """
    batches: list[Batch] = []
    is_anyone = False
    cuts = _cuts(recipients, _Cutter(screening, batcher))
    async with aclosing(cuts), beating(draft):
        async for cut in cuts:
            if refused is not None and cut.refusals:
                refused(cut.refusals)
            if cut.error is not None:
                raise cut.error  # after the refusals have been told
            batches += cut.batches
            if len(batches) >= _PLANNED_TOGETHER:
                is_anyone = True
                await draft.add(batches)
                batches = []
    batches += batcher.flush()
    await draft.add(batches)
    return is_anyone or bool(batches)


@asynccontextmanager
async def beating(draft: Draft) -> AsyncIterator[None]:
    """
    Show that the planner is alive, however long its source is silent.
    """

    async def beat() -> None:
        while True:
            await clock.sleep(BEAT)
            # What has gone wrong shows when the next batches are added.
            with suppress(LedgerError):
                await draft.beat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


class _Cut(NamedTuple):
    """
    What became of some blocks of recipients.
    """

    batches: list[Batch]
    refusals: list[Refusal]
    #: What reading any further raised.
    error: Exception | None


class _Cutter:
    """
    Screens blocks and cuts them into batches, on the event loop or beside it.
    """

    def __init__(self, screening: Screening, batcher: Batcher) -> None:
        self.stopped = False
        self._screening = screening
        self._batcher = batcher

    def cut(self, blocks: Iterable[Block]) -> _Cut | None:
        """
        What becomes of *blocks*, or None if there are none.
        """
        seen, error = False, None
        batches: list[Batch] = []
        refusals: list[Refusal] = []
        try:
            for block in blocks:
                seen = True
                screened = self._screening.screen(block)
                refusals += screened.refusals
                batches += self._batcher.feed(
                    screened.recipients,
                    rows=screened.rows,
                    as_came=screened.as_came,
                    plain=screened.plain,
                )
                if self.stopped:
                    break
        except Exception as raised:  # noqa: BLE001 -- raised once the rest is told
            error = raised
        return _Cut(batches, refusals, error) if seen or error else None


async def _cuts(source: Source, cutter: _Cutter) -> AsyncGenerator[_Cut, None]:
    if isinstance(source, AsyncIterable):
        async for block in from_async(source):
            if cut := cutter.cut([block]):
                yield cut
        return
    if isinstance(source, ListFile):
        async for cut in _cuts_beside(iter(source), cutter):
            yield cut
        return
    stream = iter(cast("Iterable[Recipient]", source))
    first = list(islice(stream, 1))
    whole = chain(first, stream)
    if first and isinstance(first[0], Block):
        async for cut in _cuts_beside(cast("Iterator[Block]", whole), cutter):
            yield cut
        return
    recipients = source if isinstance(source, Sequence) else whole
    for block in from_iterable(cast("Iterable[Recipient]", recipients)):
        if cut := cutter.cut([block]):
            yield cut
        # A list is screened without waiting; others get their turn here.
        await clock.sleep(0)


async def _cuts_beside(
    blocks: Iterator[Block], cutter: _Cutter
) -> AsyncGenerator[_Cut, None]:
    """
    What becomes of the *blocks* of a file, which may be a pipe that is silent for long.

    They are no one else's, so the event loop need not wait for them.
    """
    try:
        while cut := await _beside(lambda: cutter.cut(islice(blocks, _CUT_TOGETHER))):
            yield cut
    finally:
        cutter.stopped = True  # a thread that is still at work ends with its block


async def _beside(work: Callable[[], _T]) -> _T:
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

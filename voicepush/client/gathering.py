"""
Gathers single submissions within a linger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from itertools import islice
from typing import TypeAlias

import attrs

from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Result
from voicepush.model.recipients import Kind, Recipients

_Key: TypeAlias = tuple[VoiceMessage, Kind]


@attrs.define(eq=False)
class _Joined:
    """
    Submissions of one message that will leave together.
    """

    waiting: dict[asyncio.Future[Result], Recipients] = attrs.field(factory=dict)
    #: What surrounds each of them, such as the span that it is in.
    contexts: dict[asyncio.Future[Result], Context] = attrs.field(factory=dict)
    size: int = 0
    timer: asyncio.TimerHandle | None = None


class Gatherer:
    """
    Joins callers that submit an equal message into one batch.

    A group leaves when it is full, or when its oldest member has waited *linger*
    seconds. A caller who is cancelled before that is taken out; afterwards only its
    answer goes unheard. The others notice neither.

    Args:
        send: Sends the recipients of one group, with the contexts of its callers.
    """

    def __init__(
        self,
        send: Callable[
            [VoiceMessage, Recipients, Sequence[Context]], Awaitable[BatchResult]
        ],
        *,
        size: int,
        linger: float,
    ) -> None:
        self._send = send
        self._size = size
        self._linger = linger
        self._groups: dict[_Key, _Joined] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def submit(self, message: VoiceMessage, recipient: Recipients) -> Result:
        """
        What became of the one destination in *recipient*, of its first value where it
        holds several.
        """
        loop = asyncio.get_running_loop()
        key = message, recipient.kind
        if key in self._groups and not self._fits(key, recipient):
            self._leave(key)
        group = self._groups.setdefault(key, _Joined())
        answer: asyncio.Future[Result] = loop.create_future()
        group.waiting[answer] = recipient
        group.contexts[answer] = copy_context()
        group.size += recipient.size
        if group.timer is None:
            group.timer = loop.call_later(self._linger, self._leave, key)
        if group.size >= self._size:
            self._leave(key)
        try:
            return await answer
        finally:
            if group.waiting.pop(answer, None) is not None:
                group.size -= recipient.size

    async def close(self) -> None:
        """
        Send what waits, and wait until everything has its answer.
        """
        for key in list(self._groups):
            self._leave(key)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _fits(self, key: _Key, recipient: Recipients) -> bool:
        group = self._groups[key]
        if group.size + recipient.size > self._size:
            return False
        own = recipient.correlation_ids
        return own is None or all(
            own != each.correlation_ids for each in group.waiting.values()
        )

    def _leave(self, key: _Key) -> None:
        group = self._groups.pop(key)
        if group.timer is not None:
            group.timer.cancel()
        if group.waiting:
            task = asyncio.get_running_loop().create_task(self._carry(key[0], group))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _carry(self, message: VoiceMessage, group: _Joined) -> None:
        # Who gave up in the very moment of leaving is not sent.
        waiting = {
            answer: recipient
            for answer, recipient in group.waiting.items()
            if not answer.done()
        }
        group.waiting = {}
        if not waiting:
            return
        try:
            result = await self._send(
                message,
                Recipients.joined(list(waiting.values())),
                [group.contexts[answer] for answer in waiting],
            )
        except Exception as error:  # noqa: BLE001 -- each caller gets it
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        except BaseException:
            for answer in waiting:
                answer.cancel()
            raise
        rows = iter(result)
        for answer, recipient in waiting.items():
            first, *_ = islice(rows, recipient.size)
            if not answer.done():
                answer.set_result(first)

"""
Gathers single submissions within a linger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import attrs

from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Result
from voicepush.model.recipients import Recipient, own_id_of, values_of


@attrs.define(eq=False)
class _Group:
    """
    Submissions of one message that will leave together.
    """

    waiting: dict[asyncio.Future[Result], Recipient] = attrs.field(factory=dict)
    weight: int = 0
    timer: asyncio.TimerHandle | None = None


class Gatherer:
    """
    Joins callers that submit an equal message into one batch.

    A group leaves when it is full, or when its oldest member has waited *linger*
    seconds. A caller who is cancelled before that is taken out; afterwards only its
    answer goes unheard. The others notice neither.

    Args:
        send: Sends the recipients of one group.
    """

    def __init__(
        self,
        send: Callable[[VoiceMessage, Sequence[Recipient]], Awaitable[BatchResult]],
        *,
        size: int,
        linger: float,
    ) -> None:
        self._send = send
        self._size = size
        self._linger = linger
        self._groups: dict[VoiceMessage, _Group] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def submit(self, message: VoiceMessage, recipient: Recipient) -> Result:
        """
        What became of *recipient*, of its first value where it holds several.
        """
        loop = asyncio.get_running_loop()
        weight = len(values_of(recipient))
        if message in self._groups and not self._fits(message, recipient, weight):
            self._leave(message)
        group = self._groups.setdefault(message, _Group())
        answer: asyncio.Future[Result] = loop.create_future()
        group.waiting[answer] = recipient
        group.weight += weight
        if group.timer is None:
            group.timer = loop.call_later(self._linger, self._leave, message)
        if group.weight >= self._size:
            self._leave(message)
        try:
            return await answer
        finally:
            if group.waiting.pop(answer, None) is not None:
                group.weight -= weight

    async def close(self) -> None:
        """
        Send what waits, and wait until everything has its answer.
        """
        for message in list(self._groups):
            self._leave(message)
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _fits(self, message: VoiceMessage, recipient: Recipient, weight: int) -> bool:
        group = self._groups[message]
        if group.weight + weight > self._size:
            return False
        own_id = own_id_of(recipient)
        return own_id is None or own_id not in map(own_id_of, group.waiting.values())

    def _leave(self, message: VoiceMessage) -> None:
        group = self._groups.pop(message)
        if group.timer is not None:
            group.timer.cancel()
        if group.waiting:
            task = asyncio.get_running_loop().create_task(self._carry(message, group))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _carry(self, message: VoiceMessage, group: _Group) -> None:
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
            result = await self._send(message, list(waiting.values()))
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
            first, *_ = [next(rows) for _ in values_of(recipient)]
            if not answer.done():
                answer.set_result(first)

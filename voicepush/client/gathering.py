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

from voicepush.errors import BusyError
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Result
from voicepush.model.recipients import Kind, Recipients
from voicepush.sending.slots import Slots
from voicepush.settings import WhenFull

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
        most_waiting: How many submissions may be without an answer; None for any
            number.
        when_full: Whether others wait for their place then, or are refused.
    """

    def __init__(
        self,
        send: Callable[
            [VoiceMessage, Recipients, Sequence[Context]], Awaitable[BatchResult]
        ],
        *,
        size: int,
        linger: float,
        most_waiting: int | None = None,
        when_full: WhenFull = WhenFull.WAIT,
    ) -> None:
        self._send = send
        self._size = size
        self._linger = linger
        self._most_waiting = most_waiting
        self._when_full = when_full
        self._places = None if most_waiting is None else Slots(most_waiting)
        self._groups: dict[_Key, _Joined] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """
        How many recipients have not left yet.
        """
        return sum(group.size for group in self._groups.values())

    def check_room(self) -> None:
        """
        Refuse another submission where there is no place for it, and none is waited
        for.

        Raises:
            BusyError: It is refused.
        """
        is_full = self._places is not None and self._places.are_taken
        if is_full and self._when_full is WhenFull.REFUSE:
            raise BusyError(
                f"{self._most_waiting:,} submissions have no answer yet "
                "(most_waiting); this one was not sent"
            )

    async def submit(self, message: VoiceMessage, recipient: Recipients) -> Result:
        """
        What became of the one destination in *recipient*, of its first value where it
        holds several.
        """
        if self._places is not None:
            await self._places.take()
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
                self._give_back(1)

    def hurry(self) -> None:
        """
        Send what waits, and let nothing linger any more.
        """
        self._linger = 0.0
        for key in list(self._groups):
            self._leave(key)

    async def close(self) -> None:
        """
        Send what waits, and wait until everything has its answer.
        """
        self.hurry()
        while self._leaving:
            await asyncio.wait(self._leaving)

    def _give_back(self, number: int) -> None:
        """
        Let so many others submit.
        """
        if self._places is not None:
            for _ in range(number):
                self._places.give_back()

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
        left = group.waiting
        try:
            await self._sent(message, group)
        finally:
            self._give_back(len(left))

    async def _sent(self, message: VoiceMessage, group: _Joined) -> None:
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

"""
Cut a stream into batches; gather single submissions within a linger.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

import attrs

from voicepush.model import (
    MOST_PER_REQUEST,
    Batch,
    BatchResult,
    Recipient,
    Result,
    VoiceMessage,
    are_bare,
    values_of,
)


def make_tag() -> str:
    """
    A short text that no other campaign or client has; correlation ids begin with it.
    """
    return secrets.token_hex(5)


def request_id_of(batch: Batch) -> str | None:
    """
    A correlation id for one request of *batch* that no other has; None where the owner
    gave one for all of them.
    """
    if batch.message.correlation_id is not None:
        return None
    # Counted attempts would repeat after a crash, since it may lose one.
    return f"{batch.key}-a{secrets.token_hex(4)}"


def _own_id(recipient: Recipient) -> str | None:
    return None if isinstance(recipient, str) else recipient.correlation_id


class Batcher:
    """
    Cuts recipients into batches of one message, in the order they came.

    It is fed and flushed and never awaits. A batch holds at most *size* values;
    a destination of several values is never divided.

    Args:
        tag: The beginning of each batch's key; the rest is its number.
        first: The number of the first batch.
    """

    def __init__(
        self,
        message: VoiceMessage,
        *,
        tag: str,
        size: int = MOST_PER_REQUEST,
        first: int = 0,
    ) -> None:
        self._message = message
        self._tag = tag
        self._size = size
        self._numbers = count(first)
        self._waiting: list[Recipient] = []
        #: Of what waits; None once something came without its row.
        self._rows: Sequence[int] | None = ()
        self._as_came: dict[int, str] = {}
        self._weight = 0
        #: Whether everything that waits is a bare msisdn.
        self._plain = True
        self._ids: set[str | None] = set()

    def feed(
        self,
        recipients: Sequence[Recipient],
        *,
        rows: Sequence[int] | None = None,
        as_came: Mapping[int, str] | None = None,
        plain: bool | None = None,
    ) -> Iterator[Batch]:
        """
        Take *recipients* in, and give the batches that are full by now.

        Args:
            rows: Where in the source each of them stood, for the batches to keep.
            as_came: What was changed of them, by place, as it came; kept as well.
            plain: Whether all are bare msisdns, where that is known.
        """
        came = _Came(rows, as_came or {})
        if plain is None:
            plain = are_bare(recipients)
        if plain and self._plain:
            yield from self._feed_values(recipients, came)
            return
        for place, recipient in enumerate(recipients):
            weight, own_id = len(values_of(recipient)), _own_id(recipient)
            # Two entries with one correlation id could not be told apart in an answer.
            if self._weight + weight > self._size or own_id in self._ids:
                yield from self.flush()
            self._note(came, place, place + 1)
            self._waiting.append(recipient)
            self._weight += weight
            self._plain = False
            if own_id is not None:
                self._ids.add(own_id)

    def flush(self) -> Iterator[Batch]:
        """
        Give what is left as a last batch, if there is anything.
        """
        if self._waiting:
            batch = Batch(
                self._message,
                f"{self._tag}-{next(self._numbers)}",
                self._waiting,
                plain=self._plain,
                rows=self._rows,
                as_came=self._as_came or None,
            )
            self._waiting, self._weight, self._plain = [], 0, True
            self._rows, self._as_came = (), {}
            self._ids = set()
            yield batch

    def _feed_values(self, values: Sequence[Recipient], came: _Came) -> Iterator[Batch]:
        """
        The same by slices, where everything is one value.
        """
        start = 0
        while start < len(values):
            stop = min(len(values), start + self._size - len(self._waiting))
            self._note(came, start, stop)
            self._waiting.extend(values[start:stop])
            self._weight = len(self._waiting)
            if self._weight == self._size:
                yield from self.flush()
            start = stop

    def _note(self, came: _Came, start: int, stop: int) -> None:
        """
        Keep what is known of those from *start* to *stop*, who are about to wait.
        """
        if self._rows is not None:
            self._rows = came.rows and _joined(self._rows, came.rows[start:stop])
        if came.texts:
            offset = len(self._waiting) - start
            for place in range(start, stop):
                if (text := came.texts.get(place)) is not None:
                    self._as_came[offset + place] = text


class _Came(NamedTuple):
    rows: Sequence[int] | None
    texts: Mapping[int, str]


def _joined(first: Sequence[int], second: Sequence[int]) -> Sequence[int]:
    # Rows of a file follow each other; a range of a thousand takes no room.
    if not first:
        return second
    if isinstance(first, range) and isinstance(second, range):
        both = range(first.start, second.stop)
        if first.stop == second.start and len(both) == len(first) + len(second):
            return both
    if not isinstance(first, list):
        first = list(first)
    first.extend(second)
    return first


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
        own_id = _own_id(recipient)
        return own_id is None or own_id not in map(_own_id, group.waiting.values())

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

"""
Sends each request once, and keeps its answer with the time that it took.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Self

import attrs

from voicepush import clock
from voicepush.checking.harmless import WRONG_KEY, unusable
from voicepush.checking.request import Key, Request
from voicepush.checking.shapes import Shape, shape_of
from voicepush.errors import DeliveryError, InDoubtError, NotSentError
from voicepush.model.batch import make_tag
from voicepush.sending.answer import ResponseItem, decode
from voicepush.sending.codes import Meaning
from voicepush.sending.reply import Reply
from voicepush.sending.transport import Transport
from voicepush.settings import Settings


@attrs.define(eq=False)
class Asked:
    """
    A request, and its answer or what went wrong.
    """

    request: Request
    reply: Reply | None
    failure: DeliveryError | None
    seconds: float
    #: What the first element says, as a sender reads it.
    item: ResponseItem

    @cached_property
    def shape(self) -> Shape:
        """
        How the answer is built.
        """
        return shape_of(b"" if self.reply is None else self.reply.body)

    @property
    def words(self) -> str:
        """
        The answer in words.
        """
        if self.reply is None:
            return str(self.failure)
        said = " ".join(filter(None, (self.item.code, self.item.description)))
        if self.item.code is None:
            return f"{said} ({self.shape.form})"
        return f"{said} (HTTP {self.reply.status})"

    @property
    def source(self) -> str:
        """
        What findings are read from.
        """
        return f"the answer to {self.request.name}"


class Prober:
    """
    Sends requests to one tenant; used with ``async with``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = AsyncExitStack()
        self._transports: dict[Key, Transport] = {}

    async def __aenter__(self) -> Self:
        headers = {
            Key.OWN: None,
            Key.WRONG: {"key": WRONG_KEY},
            Key.NONE: {},
        }
        for key, carried in headers.items():
            self._transports[key] = await self._stack.enter_async_context(
                Transport(self.settings, headers=carried)
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, request: Request) -> Asked:
        """
        Send *request* once, over a connection of its own.
        """
        reply: Reply | None = None
        failure: DeliveryError | None = None
        transport = self._transports[request.key]
        begun = clock.monotonic()
        try:
            async with await transport.connection(fresh=True) as connection:
                reply = await connection.post(
                    request.body,
                    timeout=self.settings.answer_timeout,
                    connect_timeout=self.settings.connect_timeout,
                )
        except (NotSentError, InDoubtError) as error:
            failure = error
        seconds = clock.monotonic() - begun
        return Asked(request, reply, failure, seconds, self._item(request, reply))

    def _item(self, request: Request, reply: Reply | None) -> ResponseItem:
        if reply is None:
            return ResponseItem(Meaning.IN_DOUBT, None, "no answer")
        answer = decode(
            reply.status,
            reply.body,
            list(request.ids) or [""],
            request_id=request.request_id or None,
            asks_to_wait=reply.retry_after is not None,
            secret=self.settings.service_key,
        )
        return answer.items[0]


@attrs.frozen
class Pace:
    """
    How fast requests that ring nobody were taken.
    """

    #: So many in a second, all of which were answered otherwise than by a refusal for
    #: speed; 0 for none.
    taken: int
    #: The pace at which that changed, if it did, and the answer.
    refused_at: int | None = None
    refusal: Asked | None = None


async def find_pace(prober: Prober, up_to: int) -> Pace:
    """
    Send 1, 2, 4 … and at last *up_to* requests in a second, until one is refused for
    speed, or isn't answered.
    """
    taken, pace = 0, 1
    while True:
        asked = await _second(prober, pace)
        for each in asked:
            if each.failure is not None or each.item.meaning is Meaning.THROTTLED:
                return Pace(taken, pace, each)
        taken = pace
        if pace >= up_to:
            return Pace(taken)
        pace = min(2 * pace, up_to)


async def _second(prober: Prober, pace: int) -> list[Asked]:
    """
    The answers to *pace* requests, spread over a second.
    """
    begun = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        tasks = []
        for place in range(pace):
            request = unusable(make_tag(), 1)
            tasks.append(group.create_task(prober.ask(request)))
            await clock.sleep(max(0.0, begun + (place + 1) / pace - clock.monotonic()))
    return [task.result() for task in tasks]

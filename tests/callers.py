"""Callers who submit to a gatherer, in a loop whose time is moved."""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import Context
from typing import Any

from making import batch_of, destinations

from voicepush.client.gathering import Gatherer
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Result, Verdict
from voicepush.model.recipients import Recipient, Recipients

LINGER = 0.02


class MovedSelector(selectors.DefaultSelector):
    """
    Moves the time instead of waiting for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """
        What has happened by the time the next timer is due.
        """
        assert timeout is not None, "nothing is left that could happen"
        self.time += timeout
        return super().select(0)


class MovedLoop(asyncio.SelectorEventLoop):
    """
    An event loop in which a second lasts no time.
    """

    def __init__(self) -> None:
        self._moved = MovedSelector()
        #: What went wrong where nobody could hear of it.
        self.unheard: list[object] = []
        super().__init__(self._moved)
        self.set_exception_handler(lambda _, context: self.unheard.append(context))

    def time(self) -> float:
        """
        The moved time, in seconds.
        """
        return self._moved.time


def moved(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """
    Run *test* in a loop whose time is moved.
    """

    @functools.wraps(test)
    def run() -> None:
        loop = MovedLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test())
        assert [] == loop.unheard

    return run


def now() -> float:
    """
    The time of the running loop.
    """
    return asyncio.get_running_loop().time()


class Service:
    """
    Answers each group after a while, and keeps who was in it and when it came.
    """

    def __init__(
        self, *, takes: float = 0.1, error: BaseException | None = None
    ) -> None:
        self._takes = takes
        self._error = error
        self.groups: list[list[Recipient]] = []
        self.messages: list[VoiceMessage] = []
        self.begun: list[float] = []
        self.callers: list[Sequence[Context]] = []

    async def __call__(
        self,
        message: VoiceMessage,
        recipients: Recipients,
        callers: Sequence[Context],
    ) -> BatchResult:
        """
        Answer with a code that tells the place and the first value.
        """
        self.groups.append(destinations(recipients))
        self.messages.append(message)
        self.begun.append(now())
        self.callers.append(callers)
        batch = batch_of(message, f"k-{len(self.groups)}", destinations(recipients))
        await asyncio.sleep(self._takes)
        if self._error is not None:
            raise self._error
        return BatchResult.of_places(
            batch,
            [
                Verdict(Outcome.ACCEPTED, values[0][-4:])
                for values in recipients.by_destination()
            ],
        )

    def gatherer(self, size: int = 1000) -> Gatherer:
        """
        A gatherer that sends to this service.
        """
        return Gatherer(self, size=size, linger=LINGER)


async def submit(
    gatherer: Gatherer, message: VoiceMessage, recipient: Recipient
) -> Result:
    """
    Submit one recipient.
    """
    return await gatherer.submit(message, Recipients.of(recipient))


def begin(call: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """
    A caller.
    """
    return asyncio.get_running_loop().create_task(call)


async def after(seconds: float, call: Awaitable[Result]) -> Result:
    """
    A caller who comes later.
    """
    await asyncio.sleep(seconds)
    return await call

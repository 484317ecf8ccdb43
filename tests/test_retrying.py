"""When it is tried again: as long as it helps, and never past the end."""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicepush.sending.retrying import until_done


@attrs.frozen
class Left:
    """
    What an attempt left.
    """

    again: bool
    retry_after: float | None = None


DONE = Left(again=False)
AGAIN = Left(again=True)


class MovedClock:
    """
    A clock that moves when someone sleeps, and keeps how long they wanted to.

    Args:
        late: Each sleep lasts so much longer than it should.
    """

    def __init__(self, *, late: float = 0.0) -> None:
        self._now = 1000.0
        self._late = late
        self.sleeps: list[float] = []

    def now(self) -> float:
        """
        The time in seconds.
        """
        return self._now

    async def sleep(self, seconds: float) -> None:
        """
        Let *seconds* pass.
        """
        self.sleeps.append(seconds)
        self._now += seconds + self._late


class Attempts:
    """
    Attempts that leave what they are told to, the last of it for ever.
    """

    def __init__(self, clock: MovedClock, *left: Left, last: float = 0.0) -> None:
        self._clock = clock
        self._left = list(left)
        self._last = last
        self.begun: list[float] = []

    async def __call__(self) -> Left:
        """
        Make one.
        """
        self.begun.append(self._clock.now())
        if self._last:
            self._clock._now += self._last
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


async def go_on(
    clock: MovedClock,
    attempt: Callable[[], Awaitable[Left]],
    first: Left = AGAIN,
    *,
    give_up_at: float = inf,
    first_wait: float = 1.0,
) -> Left:
    """
    Go on from *first* by *clock*.
    """
    return await until_done(
        attempt,
        first,
        give_up_at=lambda: give_up_at,
        first_wait=first_wait,
        now=clock.now,
        sleep=clock.sleep,
    )


async def test_done_at_first() -> None:
    """
    What is done is not tried again, nor waited for.
    """
    clock = MovedClock()
    attempts = Attempts(clock, DONE)

    assert DONE is await go_on(clock, attempts, DONE)
    assert [] == attempts.begun
    assert [] == clock.sleeps


async def test_until_done() -> None:
    """
    It goes on until nothing is left, with one wait before each attempt.
    """
    clock = MovedClock()
    attempts = Attempts(clock, AGAIN, AGAIN, DONE)

    assert DONE is await go_on(clock, attempts)
    assert 3 == len(attempts.begun) == len(clock.sleeps)


@given(
    st.floats(0, 300),
    st.lists(st.none() | st.floats(0, 100), min_size=1, max_size=6),
    st.sampled_from([0, 0.5, 20]),
)
async def test_never_past_the_end(
    patience: float, asked: list[float | None], lasts: float
) -> None:
    """
    No attempt begins at the end or after it, and no wait begins that would reach it.
    """
    clock = MovedClock()
    give_up_at = clock.now() + patience
    left = [Left(again=True, retry_after=each) for each in asked]
    attempts = Attempts(clock, *left, last=lasts or 0.001)

    last = await go_on(clock, attempts, give_up_at=give_up_at)

    assert last.again
    assert all(begun < give_up_at for begun in attempts.begun)
    assert clock.now() < give_up_at + (lasts or 0.001) or not attempts.begun
    assert len(clock.sleeps) == len(attempts.begun)


async def test_end_has_come() -> None:
    """
    Once the end has come, what the last attempt left is given back at once.
    """
    clock = MovedClock()
    attempts = Attempts(clock, DONE)

    assert AGAIN is await go_on(clock, attempts, give_up_at=clock.now())
    assert [] == attempts.begun
    assert [] == clock.sleeps


async def test_wait_that_would_reach_the_end() -> None:
    """
    A wait that the service asks for is not begun if it would end at the very end.
    """
    clock = MovedClock()
    attempts = Attempts(clock, DONE)
    first = Left(again=True, retry_after=60)

    assert first is await go_on(clock, attempts, first, give_up_at=clock.now() + 60)
    assert [] == attempts.begun
    assert [] == clock.sleeps
    assert DONE is await go_on(clock, attempts, first, give_up_at=clock.now() + 60.1)


async def test_sleep_that_ends_late() -> None:
    """
    Even after a sleep that lasted longer than it should, nothing begins after the end.
    """
    clock = MovedClock(late=40)
    attempts = Attempts(clock, AGAIN)
    give_up_at = clock.now() + 30

    await go_on(clock, attempts, give_up_at=give_up_at)

    assert all(begun < give_up_at for begun in attempts.begun)


@pytest.mark.parametrize("asked", [45.0, 3.5])
async def test_retry_after(asked: float) -> None:
    """
    No wait is shorter than the service asked for, even beyond the longest of ours.
    """
    clock = MovedClock()
    attempts = Attempts(clock, *[Left(again=True, retry_after=asked)] * 5, DONE)

    await go_on(clock, attempts, Left(again=True, retry_after=asked))

    assert 6 == len(clock.sleeps)
    assert all(each >= asked for each in clock.sleeps)
    assert asked == clock.sleeps[0]


async def test_retry_after_of_the_last_attempt() -> None:
    """
    What the service asked for once does not hold for the waits that follow.
    """
    clock = MovedClock()
    attempts = Attempts(clock, AGAIN, DONE)

    await go_on(clock, attempts, Left(again=True, retry_after=100))

    assert 100 == clock.sleeps[0]
    assert clock.sleeps[1] <= 30


@pytest.mark.parametrize("first_wait", [1.0, 0.01, 8.0])
async def test_jitter(first_wait: float) -> None:
    """
    Waits are from 0 to a bound that doubles up to 30 seconds, and no two runs agree.
    """
    runs = []
    for _ in range(60):
        clock = MovedClock()
        await go_on(clock, Attempts(clock, *[AGAIN] * 9, DONE), first_wait=first_wait)
        runs.append(clock.sleeps)

    for place, waits in enumerate(zip(*runs, strict=True)):
        bound = min(30, first_wait * 2**place)
        assert 0 <= min(waits) < 0.5 * bound
        assert 0.5 * bound < max(waits) <= bound
        assert len(set(waits)) > 30


async def test_cancelled_attempt() -> None:
    """
    A cancellation passes straight through, and nothing is tried again.
    """
    clock = MovedClock()
    begun = []

    async def cancelled() -> Left:
        begun.append(clock.now())
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await go_on(clock, cancelled)

    assert 1 == len(begun)
    assert 1 == len(clock.sleeps)


async def test_cancelled_wait() -> None:
    """
    Cancelling the task while it waits ends it without another attempt.
    """
    clock = MovedClock()
    attempts = Attempts(clock, AGAIN)
    waits = asyncio.Event()

    async def wait_for_ever(_: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        until_done(
            attempts,
            AGAIN,
            give_up_at=lambda: inf,
            first_wait=1.0,
            now=clock.now,
            sleep=wait_for_ever,
        )
    )
    await waits.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert [] == attempts.begun


async def test_error() -> None:
    """
    An error of ours is raised as it is, and not tried again.
    """
    clock = MovedClock()

    async def wrong() -> Left:
        raise LookupError("ours")

    with pytest.raises(LookupError, match="ours"):
        await go_on(clock, wrong)

    assert 1 == len(clock.sleeps)

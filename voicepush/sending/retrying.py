"""
When to try again, and never past the expiry: the only module that uses tenacity.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

#: No wait of our own is longer, in seconds.
_LONGEST_WAIT = 30.0


class Attempt(Protocol):
    """
    What is left after an attempt.
    """

    @property
    def again(self) -> bool:
        """
        Whether something is left that may be sent again.
        """
        ...

    @property
    def retry_after(self) -> float | None:
        """
        How long the service asked to wait, in seconds.
        """
        ...


_AttemptT = TypeVar("_AttemptT", bound=Attempt)


def load() -> None:
    """
    Import tenacity now, and not when the first retry needs it.

    A process that only looks at a ledger never needs it; one that sends may be out of
    file descriptors in the moment in which it does.
    """
    importlib.import_module("tenacity.wait")


async def until_done(
    attempt: Callable[[], Awaitable[_AttemptT]],
    first: _AttemptT,
    *,
    give_up_at: Callable[[], float],
    first_wait: float,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> _AttemptT:
    """
    Go on from the *first* attempt until nothing is left that may be sent again.

    A wait that would cross *give_up_at* is not begun, so that no attempt starts at or
    after it, and nobody waits for what can't come. (tenacity's own
    ``stop_after_delay`` looks only after the wait.)

    Args:
        give_up_at: Gives a time on the clock that *now* reads.
        first_wait: How long the first wait is at most, in seconds.

    Returns:
        What the last attempt left.
    """
    # See `load`.
    from tenacity import AsyncRetrying, retry_if_result  # noqa: PLC0415
    from tenacity.wait import wait_random_exponential  # noqa: PLC0415

    last, begun = first, False
    jitter = wait_random_exponential(first_wait, _LONGEST_WAIT)

    def wait(state: RetryCallState) -> float:
        # Full jitter, but no less than the service asked for.
        return max(jitter(state), last.retry_after or 0.0)

    async def next_attempt() -> _AttemptT:
        nonlocal last, begun
        # The first attempt was made outside, because few batches need a second one
        # and none should pay for the machinery before it does. A sleep may also end
        # later than it should.
        if begun and now() < give_up_at():
            last = await attempt()
        begun = True
        return last

    policy = AsyncRetrying(
        # A positive predicate: a negative one would retry a CancelledError, too.
        retry=retry_if_result(lambda left: left.again),
        wait=wait,
        stop=lambda state: now() + state.upcoming_sleep >= give_up_at(),
        sleep=sleep,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    return await policy(next_attempt)

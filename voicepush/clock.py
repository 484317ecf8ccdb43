"""
The one source of time, sleep and random ids, so that all three can be simulated.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import overload


def now() -> float:
    """
    Seconds since 1970, by the clock on the wall, which may be set.
    """
    return time.time()


def utc_now() -> datetime:
    """
    The same as a moment.
    """
    return moment(now())


@overload
def moment(seconds: float) -> datetime: ...


@overload
def moment(seconds: float | None) -> datetime | None: ...


def moment(seconds: float | None) -> datetime | None:
    """
    The moment that many *seconds* after the beginning of 1970; None for None.
    """
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def seconds_of(moment: datetime | None) -> float | None:
    """
    *moment* in seconds since 1970; None for None.
    """
    return None if moment is None else moment.timestamp()


def local_time(seconds: float | None) -> str:
    """
    What a clock on the wall shows here that many *seconds* after the beginning of 1970.
    """
    if seconds is None:
        return "later"
    return f"{moment(seconds).astimezone():%Y-%m-%d %H:%M:%S %z}"


def monotonic() -> float:
    """
    Seconds since this machine was started.
    """
    return time.monotonic()


def taken() -> float:
    """
    How many seconds of a core this process has taken.
    """
    return time.process_time()


def never_set_back() -> Callable[[], float]:
    """
    A clock as `now` that is never set back: that would put off every expiry.
    """
    wall, started = now(), monotonic()
    return lambda: max(now(), wall + monotonic() - started)


async def sleep(seconds: float) -> None:
    """
    Let everyone else go on for so many *seconds*.
    """
    await asyncio.sleep(seconds)


def pause(seconds: float) -> None:
    """
    The same for a thread without an event loop.
    """
    time.sleep(seconds)


def random_hex(digits: int) -> str:
    """
    So many hexadecimal *digits* that no one else has.
    """
    return secrets.token_hex(digits // 2)

"""
A ledger as one process has it: slow, failing at times, and looked at after each write.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, cast

from simulated_loop import Process

from voicepush.ledger import Ledger
from voicepush.model.batch import Batch
from voicepush.model.claim import Claimed

#: What gives something that is asked in its turn.
_GIVING = ("join", "share", "draft")

#: What changes what is known of people.
_CHANGING = frozenset(
    (
        *("join", "publish", "claim", "record", "resolve", "leave", "receive", "defer"),
        *("release", "share", "sweep", "record_late"),
    )
)


class Disk(Protocol):
    """
    Where the ledger is kept.
    """

    async def before(self, process: Process | None, name: str) -> None:
        """
        Something is asked of it, and takes its time.
        """
        ...

    async def written(self, process: Process | None, name: str) -> None:
        """
        That is done, and durable.
        """
        ...

    async def after(self, process: Process | None, name: str) -> None:
        """
        Whoever asked is about to be told.
        """
        ...

    def claims(self, process: Process, values: list[str]) -> None:
        """
        Someone wants to claim some.
        """
        ...

    def claimed(self, process: Process, values: list[str]) -> None:
        """
        Some were claimed.
        """
        ...


class _Watched:
    """
    An object of a ledger, whose every coroutine takes its time.
    """

    def __init__(self, inner: object, disk: Disk, process: Process | None) -> None:
        self._inner = inner
        self._disk = disk
        self._process = process

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._slow(name, found) if inspect.iscoroutinefunction(found) else found

    def _slow(
        self, name: str, work: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        disk, process = self._disk, self._process

        async def slowly(*args: Any, **named: Any) -> Any:
            await disk.before(process, name)
            if name == "claim" and process is not None:
                disk.claims(process, _values(*args))
            given = await work(*args, **named)
            if isinstance(given, Claimed) and process is not None:
                disk.claimed(process, _values(args[0], given.places))
            if name in _CHANGING:
                await disk.written(process, name)
            await disk.after(process, name)
            return _Watched(given, disk, process) if name in _GIVING else given

        return slowly


def _values(batch: Batch, places: Sequence[int]) -> list[str]:
    every = list(batch.recipients.by_destination())
    return [value for place in places for value in every[place]]


def watched(inner: Ledger, disk: Disk, process: Process | None) -> Ledger:
    """
    *inner* as *process* has it.
    """
    return cast("Ledger", _Watched(inner, disk, process))

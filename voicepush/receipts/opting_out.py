"""
Opt-outs of many requests are put on the ledger's list together, in short commits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import attrs

from voicepush import clock
from voicepush.errors import LedgerError
from voicepush.ledger.protocol import Ledger
from voicepush.model.recipients import Kind
from voicepush.receipts.opt_out import OptOut

#: Stands in the history of the list.
REASON = "opt-out by key-press"

#: So many go into one commit, and so many may wait for one.
_MOST_TOGETHER = 500
_MOST_WAITING = 5000

#: After a commit those who dispatch have the ledger to themselves for as long as that
#: took, but no longer than so many seconds.
_LONGEST_PAUSE = 0.05


@attrs.define
class OptOutCounts:
    """
    What came since this process began to take opt-outs.
    """

    #: Who was put on the list, and who was on it already.
    taken: int = 0
    known_before: int = 0
    #: Requests that were not understood, and that came too fast.
    unusable: int = 0
    too_fast: int = 0
    #: Requests without the token.
    refused: int = 0
    #: Requests that could not be stored.
    not_stored: int = 0


class _Taken(NamedTuple):
    opt_out: OptOut
    #: Whether someone of it was not on the list before.
    is_new: asyncio.Future[bool]


class OptOuts:
    """
    Puts people on the list of a ledger, and answers once that is durable.

    It is used with ``async with``, and has stored all that it took when that ends.

    Args:
        failed: Hears why the ledger could not be written.
        refuse: Hears of each request that was refused.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        failed: Callable[[Exception], object],
        refuse: Callable[[], object],
    ) -> None:
        self._ledger = ledger
        self._failed = failed
        self.refuse = refuse
        self._waiting: deque[_Taken] = deque()
        self._wake = asyncio.Event()
        self._is_closed = False
        self._storing: asyncio.Task[None] | None = None
        self.counts = OptOutCounts()

    async def __aenter__(self) -> Self:
        """
        Begin.
        """
        self._is_closed = False
        self._storing = asyncio.create_task(self._store_until_closed())
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Store and answer everything that was taken, and take nothing else.
        """
        self._is_closed = True
        self._wake.set()
        if self._storing is not None:
            await self._storing

    @property
    def waiting(self) -> int:
        """
        How many are not durable yet, besides those in the commit that is under way.
        """
        return len(self._waiting)

    async def take(self, opt_out: OptOut) -> bool:
        """
        Whether someone of *opt_out* was not on the list yet, once all of it is. Who
        gives up waiting takes nothing back.

        Raises:
            LedgerError: It could not be stored, and nobody may be on the list.
        """
        if self._is_closed or self._storing is None or self._storing.done():
            raise LedgerError("opt-outs are not taken any more")
        if len(self._waiting) >= _MOST_WAITING:
            raise LedgerError(f"{_MOST_WAITING:,} opt-outs wait to be stored already")
        is_new: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Taken(opt_out, is_new))
        self._wake.set()
        return await is_new

    async def _store_until_closed(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Others arrive in the same turn of the event loop.
            await asyncio.sleep(0)
            while self._waiting:
                began = clock.monotonic()
                await self._store(self._next())
                took = clock.monotonic() - began
                if self._waiting:
                    await clock.sleep(min(took, _LONGEST_PAUSE))
            if self._is_closed:
                return

    def _next(self) -> list[_Taken]:
        """
        Those of one category, for that stands once for all who come together.
        """
        category = self._waiting[0].opt_out.category
        taken: list[_Taken] = []
        others: deque[_Taken] = deque()
        while self._waiting:
            each = self._waiting.popleft()
            is_meant = each.opt_out.category == category
            fits = is_meant and len(taken) < _MOST_TOGETHER
            (taken if fits else others).append(each)
        self._waiting = others
        return taken

    async def _store(self, taken: Sequence[_Taken]) -> None:
        try:
            new = await self._put([each.opt_out for each in taken])
        except Exception as error:  # noqa: BLE001 -- each of them is answered
            self._failed(error)
            for each in taken:
                if not each.is_new.done():  # who waited for it may have given up
                    each.is_new.set_exception(
                        LedgerError(str(error) or type(error).__name__)
                    )
            return
        self.counts.taken += len(new)
        for opt_out, is_new in taken:
            # Who comes twice in one commit is new once.
            found = new.intersection(opt_out.people)
            new -= found
            self.counts.known_before += len(opt_out.people) - len(found)
            if not is_new.done():
                is_new.set_result(bool(found))

    async def _put(self, opt_outs: Sequence[OptOut]) -> set[tuple[Kind, str]]:
        """
        Put all of them on the list; gives who was not on it.
        """
        category = opt_outs[0].category
        people = {each for opt_out in opt_outs for each in opt_out.people}
        for kind in Kind:
            values = sorted(value for each, value in people if each is kind)
            known = await self._ledger.suppressed(kind, values) if values else {}
            new = [value for value in values if value not in known]
            # Who presses again and again leaves nothing in the history of the list.
            if new:
                await self._ledger.suppress(
                    [(kind, new)], category=category, reason=REASON
                )
            people.difference_update((kind, value) for value in known)
        return people

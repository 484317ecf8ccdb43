"""
Receipts of many requests are made durable together, in short commits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple, Self

import attrs

from voicepush import clock
from voicepush.errors import LedgerError
from voicepush.ledger.protocol import Ledger
from voicepush.masking import mask_numbers
from voicepush.model.call import Receipt, ReceiptCounts, Received
from voicepush.model.events import ReceiptsApplied
from voicepush.receipts.receipt import read_receipt

_log = logging.getLogger("voicepush.receipts")

#: So much goes into one commit, so that it holds the ledger's lock for about 10 ms; and
#: so many where nobody dispatches who could need it.
_MOST_REPORTS = 250
_MOST_REPORTS_ALONE = 1000
_MOST_BYTES = 2 << 20

#: So much may wait for a commit; what comes then has to be sent again.
_MOST_WAITING = 20_000
_MOST_BYTES_WAITING = 64 << 20

#: After a commit a dispatcher, if there is one, has the lock to itself for as long as
#: that took, but no longer than so many seconds. More receipts gather meanwhile.
_LONGEST_PAUSE = 0.02


class _Taken(NamedTuple):
    receipt: Receipt
    stored: asyncio.Future[None]


class Receiver:
    """
    Takes receipts of many requests, and answers each once it is durable.

    While one commit is under way the next ones gather and share the next. It is used
    with ``async with``, and has committed everything that it took when that ends.

    Args:
        zone: Of time stamps without an offset.
        told: Hears of each commit at once.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        zone: tzinfo = UTC,
        told: Callable[[ReceiptsApplied], object] | None = None,
    ) -> None:
        self._ledger = ledger
        self._zone = zone
        self._told = told
        self._waiting: deque[_Taken] = deque()
        #: So many are waiting or in the commit that is under way, and so many bytes.
        self._held = self._held_bytes = 0
        self._refused = 0
        self._wake = asyncio.Event()
        self._is_closed = False
        self._is_writable = True
        self._is_crowded = False
        self._committing: asyncio.Task[None] | None = None
        #: Whether someone dispatches by the ledger, as far as this process knows.
        self.is_shared = True
        #: What the ledger has received, likewise.
        self.counts = ReceiptCounts()

    async def __aenter__(self) -> Self:
        """
        Begin.

        Raises:
            LedgerError: The ledger can't be read.
        """
        self.counts = await self._ledger.receipt_counts()
        self._committing = asyncio.create_task(self._commit_until_closed())
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Commit and answer everything that was taken, and take nothing else.
        """
        self._is_closed = True
        self._wake.set()
        if self._committing is not None:
            await self._committing

    @property
    def waiting(self) -> int:
        """
        How many are not durable yet.
        """
        return self._held

    @property
    def is_well(self) -> bool:
        """
        Whether receipts are being taken, and the ledger could be written the last time.
        """
        return self._is_alive and self._is_writable

    @property
    def _is_alive(self) -> bool:
        return self._committing is not None and not self._committing.done()

    async def take(self, body: bytes) -> None:
        """
        Return once *body* is durable. Who gives up waiting takes nothing back.

        Raises:
            LedgerError: It is not; the platform has to send it again.
        """
        if self._is_closed or not self._is_alive:
            raise LedgerError("receipts are not taken any more")
        size = self._held_bytes + len(body)
        if self._held >= _MOST_WAITING or size > _MOST_BYTES_WAITING:
            self._warn_of_crowd()
            raise LedgerError(f"{self._held:,} receipts wait to be stored already")
        receipt = read_receipt(body, clock.now(), self._zone)
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append(_Taken(receipt, stored))
        self._held += 1
        self._held_bytes = size
        self._wake.set()
        await stored

    def refuse(self) -> None:
        """
        Count a request that was refused; it is written with the next receipts.
        """
        self._refused += 1

    def write_refused(self) -> None:
        """
        Let those who were refused be written, also if no receipt comes.
        """
        if self._refused:
            self._wake.set()

    def could_write(self, error: BaseException | None = None) -> None:
        """
        Note that the ledger was written, or could not be because of *error*.
        """
        if error is not None:
            if self._is_writable:
                _log.warning(
                    "receipts can't be stored, and the platform has to send them "
                    "again: %s",
                    mask_numbers(str(error)),
                )
            _log.debug("it came from here", exc_info=error)
        elif not self._is_writable:
            _log.warning("receipts can be stored again")
        self._is_writable = error is None

    def tell(self, event: ReceiptsApplied) -> None:
        """
        Tell of *event*. What is raised by who hears of it is logged.
        """
        if self._told is None:
            return
        try:
            self._told(event)
        except Exception:  # noqa: BLE001 -- it must not disturb anyone
            _log.exception("an observer failed")

    def _warn_of_crowd(self) -> None:
        if not self._is_crowded:
            _log.warning(
                "%s receipts wait to be stored; until there are fewer the platform has "
                "to send what it sends now again",
                f"{self._held:,}",
            )
        self._is_crowded = True

    async def _commit_until_closed(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Others arrive in the same turn of the event loop.
            await asyncio.sleep(0)
            while self._waiting or self._refused:
                began = clock.monotonic()
                if not await self._commit() and not self._waiting:
                    break  # who was refused is written later
                took = clock.monotonic() - began
                await clock.sleep(min(took, _LONGEST_PAUSE) if self.is_shared else 0.0)
            if self._is_closed:
                return

    async def _commit(self) -> bool:
        """
        Write what waits, as far as it is short, and say whether that is durable.
        """
        taken = self._next()
        refused, self._refused = self._refused, 0
        began = clock.monotonic()
        try:
            received = await self._ledger.receive(
                [each.receipt for each in taken], refused=refused
            )
        except Exception as error:  # noqa: BLE001 -- each of them is answered
            self._refused += refused
            self.could_write(error)
            self._answer(taken, str(error) or type(error).__name__)
            return False
        self.could_write()
        self._count(taken, refused, received)
        self._answer(taken)
        self.tell(
            ReceiptsApplied(
                stored=len(taken),
                refused=refused,
                received=received,
                seconds=clock.monotonic() - began,
                states=Counter(
                    report.call.state
                    for each in taken
                    for report in each.receipt.reports
                ),
            )
        )
        return True

    def _next(self) -> list[_Taken]:
        taken: list[_Taken] = []
        reports = size = 0
        most = _MOST_REPORTS if self.is_shared else _MOST_REPORTS_ALONE
        while self._waiting:
            receipt = self._waiting[0].receipt
            reports += max(1, len(receipt.reports))
            size += len(receipt.body)
            if taken and (reports > most or size > _MOST_BYTES):
                break
            taken.append(self._waiting.popleft())
        return taken

    def _count(self, taken: Sequence[_Taken], refused: int, received: Received) -> None:
        counts = self.counts
        self.counts = attrs.evolve(
            counts,
            received=counts.received + len(taken),
            unplaced=counts.unplaced + received.unplaced,
            unreadable=counts.unreadable + received.unreadable,
            refused=counts.refused + refused,
            last_at=taken[-1].receipt.received_at if taken else counts.last_at,
        )

    def _answer(self, taken: Sequence[_Taken], trouble: str | None = None) -> None:
        self._held -= len(taken)
        self._held_bytes -= sum(len(each.receipt.body) for each in taken)
        if not self._held:
            self._is_crowded = False
        for _, stored in taken:
            if stored.done():  # who waited for it has given up
                continue
            if trouble is None:
                stored.set_result(None)
            else:
                stored.set_exception(LedgerError(trouble))

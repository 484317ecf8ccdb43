"""
What happens beside a campaign: what its owner does in other processes, and what the
platform reports.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from setups import NAME, Deed
from simulated_service import Request
from watched_ledger import watched

from voicepush import Campaign
from voicepush.errors import InputError, LedgerError
from voicepush.ledger import Ledger
from voicepush.model.call import Receipt
from voicepush.receipts.receipt import read_receipt

if TYPE_CHECKING:
    from world import World

#: Every receipt has come so many seconds after the last call.
_LATEST_RECEIPT = 50.0

#: By how many seconds a clock is set; and where it is compared with that of a database.
_ALONE = (-3600.0, -90.0, -5.0, 5.0, 90.0)
_TOGETHER = (-5.0, -2.0, 2.0, 5.0)

#: Receipts that were not taken are posted again after so many seconds.
_POSTS_AGAIN = 5.0


class Others:
    """
    Everyone but the dispatchers of *world*.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._receiving: list[asyncio.Task[None]] = []
        self._deeds: list[asyncio.Task[None]] = []
        world.service.report = self.report_later

    def begin(self) -> None:
        """
        Do everything in its time.
        """
        self._deeds = [
            asyncio.create_task(self._later(*each)) for each in self._world.setup.deeds
        ]

    async def all_done(self) -> None:
        """
        Wait until nothing else is to come.
        """
        await asyncio.gather(*self._deeds)
        if self._world.setup.receipts:
            await asyncio.sleep(_LATEST_RECEIPT)
        await asyncio.gather(*self._receiving)

    async def _later(self, when: float, deed: Deed) -> None:
        await asyncio.sleep(when)
        self._world.tell(f"another process: {deed}")
        ledger = watched(self._world.place.beside, self._world, None)
        try:
            campaign = await Campaign.open(ledger, NAME)
            match deed:
                case Deed.PAUSE:
                    await campaign.pause()
                case Deed.CANCEL:
                    await campaign.cancel()
                case Deed.RATE:
                    rate = self._world.chance.choice((1.0, 7.0, 200.0))
                    await campaign.set_rate(rate)
                case Deed.SUPPRESS:
                    await self._suppress(ledger)
                case Deed.SECOND:
                    await self._world.dispatch()
                case Deed.WINDOWS:
                    await self._set_windows()
                case Deed.CLOCK:
                    self._world.promises.clock_was_set = True
                    is_shared = self._world.setup.ledger == "postgres"
                    steps = _TOGETHER if is_shared else _ALONE
                    self._world.set_by += self._world.chance.choice(steps)
                case Deed.REPORT:
                    await self._report()
        except (InputError, LedgerError) as error:
            self._world.tell(f"another process: {error}")

    async def _suppress(self, ledger: Ledger) -> None:
        some = self._world.chance.sample(sorted(self._world.promises.everyone), 1)
        await ledger.suppress([(self._world.setup.kind, some)])
        self._world.promises.suppressed |= set(some)

    async def _set_windows(self) -> None:
        if self._world.setup.gap is not None:
            words = "its owner says so"
            await self._world.place.beside.set_windows(NAME, None, any_hour=words)
            self._world.promises.gap = None

    def report_later(self, seconds: float, request: Request, value: str) -> None:
        """
        Post a receipt of a call, so many seconds from now.
        """

        def report() -> None:
            task = contextvars.Context().run(
                self._world.loop.create_task, self._receive([(request, value)])
            )
            self._receiving.append(task)

        self._world.loop.call_later(seconds, report, context=contextvars.Context())

    async def _report(self) -> None:
        chance, rang = self._world.chance, self._world.service.rang
        rung = [value for value in rang if rang[value]]
        some = chance.sample(rung, chance.randint(0, len(rung)))
        await self._receive([(chance.choice(rang[value]), value) for value in some])

    async def _receive(self, calls: Sequence[tuple[Request, str]]) -> None:
        await asyncio.sleep(self._world.disk_takes())
        if not calls:
            return
        receipts = [
            read_receipt(_receipt(self._world.chance, *each), self._world.wall())
            for each in calls
            for _ in range(self._world.chance.randint(1, 2))
        ]
        while not await self._are_taken(receipts):  # noqa: ASYNC110 -- no event
            await asyncio.sleep(_POSTS_AGAIN)
        self._world.promises.proven.update(value for _, value in calls)
        self._world.tell(f"receipts of {' '.join(value for _, value in calls)}")
        await self._world.look()

    async def _are_taken(self, receipts: Sequence[Receipt]) -> bool:
        try:
            await self._world.place.beside.receive(receipts)
        except LedgerError:
            return False
        return True


def _receipt(chance: Random, request: Request, value: str) -> bytes:
    (own,) = (own for values, own in request.destinations if value in values)
    code, said = chance.choice(
        (("7407", "OFFERED"), ("7519", "ANSWERED"), ("7402", "REJECTED"))
    )
    info = {
        "timeStamp": "2033-05-18T03:34:00.000Z",
        "Description": said,
        "code": code,
        "deliveryChannel": "voice",
        "destination": value,
        "deliveryStatus": said,
    }
    notification = {
        "deliveryInfo": info,
        "transid": f"r-{request.number}",
        "callbackData": "",
        "correlationid": own,
    }
    return json.dumps({"deliveryInfoNotification": notification}).encode()

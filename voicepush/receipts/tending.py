"""
What is done now and then: refusals written, others looked for, late receipts placed,
old ones forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from voicepush import clock
from voicepush.ledger.protocol import Ledger
from voicepush.model.call import Received
from voicepush.model.events import ReceiptsApplied
from voicepush.model.status import CampaignState
from voicepush.receipts.applying import Receiver

#: In seconds: how often refusals are written, receipts kept aside are tried again, and
#: old bodies are forgotten.
_WRITES = 1.0
_SWEEPS = 5.0
_FORGETS = 3600.0

#: After some bodies were forgotten, others have the ledger to themselves for as long as
#: that took, and at least so many seconds.
_SHORTEST_PAUSE = 0.05


@asynccontextmanager
async def tending(
    ledger: Ledger, receiver: Receiver, keep: timedelta | None
) -> AsyncIterator[None]:
    """
    Do it within an ``async with``.

    Args:
        keep: How long bodies are kept; None for ever.
    """
    tasks = [asyncio.create_task(_sweep_for_ever(ledger, receiver))]
    if keep is not None:
        tasks.append(asyncio.create_task(_forget_for_ever(ledger, receiver, keep)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _sweep_for_ever(ledger: Ledger, receiver: Receiver) -> None:
    due = clock.monotonic()
    while True:
        if clock.monotonic() >= due:
            await _sweep(ledger, receiver)
            due = clock.monotonic() + _SWEEPS
        await clock.sleep(_WRITES)
        receiver.write_refused()
        await _look(ledger, receiver)


async def _look(ledger: Ledger, receiver: Receiver) -> None:
    """
    Look whether someone dispatches, whose claims must not wait for receipts.
    """
    try:
        campaigns = await ledger.campaigns()
    except Exception:  # noqa: BLE001 -- then someone may
        receiver.is_shared = True
    else:
        states = {each.state for each in campaigns}
        receiver.is_shared = CampaignState.RUNNING in states


async def _sweep(ledger: Ledger, receiver: Receiver) -> None:
    began = clock.monotonic()
    try:
        # Where the ledger could not be written it is tried although nothing is kept
        # aside: a proxy that asks for our health sends nothing until we are well.
        if receiver.counts.unplaced or not receiver.is_well:
            received = await ledger.place_again()
            receiver.could_write()
            if received != Received():
                seconds = clock.monotonic() - began
                receiver.tell(
                    ReceiptsApplied(
                        stored=0, refused=0, received=received, seconds=seconds
                    )
                )
        receiver.counts = await ledger.receipt_counts()
    except Exception as error:  # noqa: BLE001 -- the next sweep may do better
        receiver.could_write(error)


async def _forget_for_ever(ledger: Ledger, receiver: Receiver, keep: timedelta) -> None:
    while True:
        try:
            await _forget(ledger, clock.now() - keep.total_seconds())
        except Exception as error:  # noqa: BLE001 -- so may the next hour
            receiver.could_write(error)
        await clock.sleep(_FORGETS)


async def _forget(ledger: Ledger, before: float) -> None:
    while True:
        began = clock.monotonic()
        if not await ledger.forget_bodies(before):
            return
        await clock.sleep(max(clock.monotonic() - began, _SHORTEST_PAUSE))

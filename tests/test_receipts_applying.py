"""
Receipts gather, share commits, and are answered once they are durable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from receiving import FULL, Gated, HandClock, receipt, settle

from voicepush import (
    Call,
    CallState,
    LedgerError,
    Receipt,
    ReceiptsApplied,
    Received,
    Report,
)
from voicepush.receipts.applying import Receiver
from voicepush.receipts.tending import tending

if TYPE_CHECKING:
    from ledger_model import Store


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """
    A clock that only the test moves.
    """
    clock = HandClock()
    clock.patch(monkeypatch.setattr)
    return clock


@pytest.fixture
def gated() -> Gated:
    """
    A ledger that can be held up.
    """
    return Gated()


def taking(receiver: Receiver, *bodies: bytes) -> list[asyncio.Task[None]]:
    """
    So many requests at once.
    """
    return [asyncio.create_task(receiver.take(body)) for body in bodies]


async def test_a_receipt_is_stored_before_it_is_answered(gated: Gated) -> None:
    """
    Nobody is answered while the commit is under way.
    """
    gated.gate.clear()
    async with Receiver(gated) as receiver:
        (waiting,) = taking(receiver, receipt())
        await settle()

        assert (1, False, 1) == (gated.begun, waiting.done(), receiver.waiting)
        gated.gate.set()
        await waiting

    assert [[receipt()]] == gated.commits


async def test_those_who_come_meanwhile_share_the_next_commit(gated: Gated) -> None:
    """
    However many they are, up to some that take the ledger a short time.
    """
    gated.gate.clear()
    async with Receiver(gated) as receiver:
        first = taking(receiver, receipt(0))
        await settle()
        others = taking(receiver, *map(receipt, range(1, 400)))
        await settle()
        gated.gate.set()
        await asyncio.gather(*first, *others)

    assert [1, 250, 149] == list(map(len, gated.commits))
    assert list(map(receipt, range(400))) == gated.bodies


async def test_large_bodies_share_smaller_commits(gated: Gated) -> None:
    """
    The lock is held for a short time, whatever is posted.
    """
    large = b"[%s]" % b",".join([receipt()] * 200)
    huge = b" " * (1 << 20)
    async with Receiver(gated) as receiver:
        await asyncio.gather(*taking(receiver, *[large] * 3, *[huge] * 3))

    assert [1, 1, 2, 2] == list(map(len, gated.commits))


async def test_a_dispatcher_has_the_lock_for_as_long(
    gated: Gated, moved: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After a commit the ledger is left alone as long as that took, but not for ever.
    """
    receive = gated.receive
    takes = iter([0.005, 1.0])

    async def slowly(receipts: Sequence[Receipt], *, refused: int = 0) -> Received:
        moved.seconds += next(takes)
        return await receive(receipts, refused=refused)

    monkeypatch.setattr(gated, "receive", slowly)
    async with Receiver(gated) as receiver:
        for _ in range(2):
            taken = asyncio.gather(*taking(receiver, receipt()))
            await moved.move(0)
            await taken
            await moved.move(1)

    assert [0.005, 0.02] == pytest.approx(moved.slept)


async def test_where_a_commit_fails_all_in_it_hear_of_it(
    gated: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is written into the log once, and so is that it is well again.
    """
    caplog.set_level(logging.INFO, "voicepush.receipts")
    gated.failure = FULL
    async with Receiver(gated_at_start(gated)) as receiver:
        for _ in range(2):
            failed = await asyncio.gather(
                *taking(receiver, *map(receipt, range(3))), return_exceptions=True
            )

            assert ["the disk is full"] * 3 == list(map(str, failed))
            assert all(isinstance(each, LedgerError) for each in failed)
            assert not receiver.is_well
        gated.failure = None
        await receiver.take(receipt())

        assert receiver.is_well
    assert [[receipt()]] == gated.commits
    failing, well = [each.message for each in caplog.records]
    assert failing.endswith("the platform has to send them again: the disk is full")
    assert "receipts can be stored again" == well


def gated_at_start(gated: Gated) -> Gated:
    """
    The same ledger, which can be read once before it fails.
    """
    failure, gated.failure = gated.failure, None
    counts = gated.receipt_counts

    async def once() -> object:
        found = await counts()
        gated.failure = failure
        return found

    gated.receipt_counts = once  # type: ignore[method-assign, assignment]
    return gated


async def test_a_mistake_of_a_ledger_stops_nothing(gated: Gated) -> None:
    """
    Who was in the commit is answered, and the next are taken.
    """
    async with Receiver(gated) as receiver:
        gated.failure = KeyError("a mistake")
        with pytest.raises(LedgerError, match="a mistake"):
            await receiver.take(receipt())
        gated.failure = None
        await receiver.take(receipt())

    assert [[receipt()]] == gated.commits


@pytest.mark.slow
async def test_too_many_are_not_taken(
    gated: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Memory is bounded, by their number and by their bytes; once is it logged.
    """
    gated.gate.clear()
    async with Receiver(gated) as receiver:
        small = taking(receiver, *[b"x"] * 20_000)
        await settle()
        for _ in range(2):
            with pytest.raises(LedgerError, match="20,000 receipts wait"):
                await receiver.take(b"x")
        gated.gate.set()
        await asyncio.gather(*small)
        gated.gate.clear()
        large = taking(receiver, *[b"x" * (1 << 20)] * 64)
        await settle()
        with pytest.raises(LedgerError, match="64 receipts wait"):
            await receiver.take(b"x")
        gated.gate.set()
        await asyncio.gather(*large)
        await receiver.take(b"x")

    assert 20_065 == len(gated.bodies)
    assert 2 == sum("wait to be stored" in each.message for each in caplog.records)


async def test_at_the_end_everything_is_committed(gated: Gated) -> None:
    """
    Also what fails is answered, and nothing else is taken.
    """
    gated.gate.clear()
    async with Receiver(gated) as receiver:
        taken = taking(receiver, *map(receipt, range(300)))
        await settle()
        receiver.refuse()
        gated.gate.set()
    await asyncio.gather(*taken)
    with pytest.raises(LedgerError, match="any more"):
        await receiver.take(receipt())

    assert 300 == len(gated.bodies)
    assert 1 == (await gated.receipt_counts()).refused
    assert not receiver.is_well


async def test_the_end_comes_although_the_ledger_fails(gated: Gated) -> None:
    """
    Who was refused is then not counted.
    """
    async with Receiver(gated) as receiver:
        gated.failure = FULL
        receiver.refuse()
        taken = taking(receiver, receipt())
    (failed,) = await asyncio.gather(*taken, return_exceptions=True)

    assert isinstance(failed, LedgerError)


async def test_who_gives_up_waiting_takes_nothing_back(gated: Gated) -> None:
    """
    It is stored, and the others are answered.
    """
    gated.gate.clear()
    async with Receiver(gated) as receiver:
        one, other = taking(receiver, receipt(1), receipt(2))
        await settle()
        one.cancel()
        gated.gate.set()
        await other

    assert [receipt(1), receipt(2)] == gated.bodies


async def test_observers_hear_of_each_commit(
    gated: Gated, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One that fails disturbs nobody.
    """
    heard: list[ReceiptsApplied] = []

    def hear(event: ReceiptsApplied) -> None:
        heard.append(event)
        raise ValueError

    async with Receiver(gated, told=hear) as receiver:
        receiver.refuse()
        await asyncio.gather(*taking(receiver, b"no receipt", receipt()))

    assert [(2, 1)] == [(each.stored, each.refused) for each in heard]
    assert Received(unplaced=1, unreadable=1) == heard[0].received
    assert ["an observer failed"] == [each.message for each in caplog.records]


async def test_a_ledger_that_cannot_be_read_is_told_at_the_start(gated: Gated) -> None:
    """
    Not with the first receipt.
    """
    gated.failure = FULL
    with pytest.raises(LedgerError, match="full"):
        async with Receiver(gated):
            pass


# Now and then


async def test_who_was_refused_is_written_within_a_second(
    gated: Gated, moved: HandClock
) -> None:
    """
    Many at once, and also where no receipt comes.
    """
    async with Receiver(gated) as receiver, tending(gated, receiver, None):
        for _ in range(5):
            receiver.refuse()
        await moved.move(0.9)
        before = gated.begun
        await moved.move(0.2)
        counts = await gated.receipt_counts()

    assert (0, 1, 5) == (before, gated.begun, counts.refused)


async def test_refusals_that_cannot_be_written_are_tried_once_a_second(
    gated: Gated, moved: HandClock
) -> None:
    """
    And none of them is forgotten.
    """
    async with Receiver(gated) as receiver, tending(gated, receiver, None):
        await moved.move(0.1)
        gated.failure = FULL
        receiver.refuse()
        await moved.move(3)
        tries = gated.begun
        receiver.refuse()
        gated.failure = None
        await moved.move(1)
        counts = await gated.receipt_counts()

    assert (3, 2) == (tries, counts.refused)


async def test_late_receipts_are_placed_every_few_seconds(
    gated: Gated, moved: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    But only where some are kept aside.
    """
    tries: list[float] = []
    heard: list[ReceiptsApplied] = []

    async def place_again() -> Received:
        tries.append(moved.seconds)
        return Received(placed_late=1)

    monkeypatch.setattr(gated, "place_again", place_again)
    async with (
        Receiver(gated, told=heard.append) as receiver,
        tending(gated, receiver, None),
    ):
        await moved.move(20)
        nothing_to_do = list(tries)
        await receiver.take(receipt())
        await moved.move(10)

    assert [] == nothing_to_do
    assert [25, 30] == tries
    assert [0, 1, 1] == [each.received.placed_late for each in heard]


async def test_it_is_well_again_without_a_receipt(
    gated: Gated, moved: HandClock
) -> None:
    """
    A proxy that asks for our health would send none before.
    """
    async with Receiver(gated) as receiver, tending(gated, receiver, None):
        await moved.move(1)
        gated.failure = FULL
        with pytest.raises(LedgerError):
            await receiver.take(receipt())
        await moved.move(10)
        before = receiver.is_well
        gated.failure = None
        await moved.move(5)

        assert (False, True) == (before, receiver.is_well)


async def test_old_bodies_are_forgotten_every_hour(
    gated: Gated, moved: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    In small steps, with room for others between them.
    """
    asked: list[tuple[float, float]] = []
    left = iter([50, 50, 0, 0])

    async def forget_bodies(before: float) -> int:
        asked.append((moved.seconds, moved.now() - before))
        return next(left)

    monkeypatch.setattr(gated, "forget_bodies", forget_bodies)
    async with (
        Receiver(gated) as receiver,
        tending(gated, receiver, timedelta(days=90)),
    ):
        await moved.move(3602)

    assert [0, 0.05, 0.1, 3600.1] == pytest.approx([at for at, _ in asked])
    assert [90 * 86_400] * 2 == pytest.approx([asked[0][1], asked[3][1]])


async def test_where_forgetting_fails_the_next_hour_does_it(
    gated: Gated, moved: HandClock
) -> None:
    """
    Meanwhile receipts are taken.
    """
    async with (
        Receiver(gated) as receiver,
        tending(gated, receiver, timedelta(minutes=10)),
    ):
        gated.failure = FULL
        await moved.move(1)
        gated.failure = None
        await receiver.take(receipt())
        await moved.move(3600)
        stored = (await gated.receipt_counts()).unplaced

    assert 0 == stored


# Real ledgers


async def test_every_ledger_takes_them(store: Store) -> None:
    """
    What is answered is there, and what is no receipt is kept as well.
    """
    async with (
        Receiver(store.ledger) as receiver,
        tending(store.ledger, receiver, timedelta(days=90)),
    ):
        receiver.refuse()
        await asyncio.gather(
            *taking(receiver, *map(receipt, range(600)), b"\x00", b"[" * 100_000)
        )
        counts = await store.ledger.receipt_counts()

        assert counts.received == receiver.counts.received
    assert (602, 600, 2, 1) == (
        *(counts.received, counts.unplaced),
        *(counts.unreadable, counts.refused),
    )


def test_a_receipt_does_not_show_its_body() -> None:
    """
    Nor whom it is about.
    """
    report = Report(
        call=Call(state=CallState.REACHED, rank=80), recipient="+999000000001"
    )
    shown = repr(Receipt(body=b"+999000000001", received_at=1.0, reports=[report]))

    assert "+999000000001" not in shown

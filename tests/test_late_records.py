"""
Late records from a file reach the ledger, and change only what they may.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import attrs
import pytest
from ledger_model import (
    ANSWERS,
    PostgresStore,
    is_claimed,
    load,
    status_of,
    two_planned,
)

from voicepush.ledger.late_record import Fate, LateRecord
from voicepush.ledger.sharing import SharedLedger
from voicepush.ledger.sql import tokens
from voicepush.model.batch import Batch, BatchId
from voicepush.model.outcome import BatchResult, Verdict
from voicepush.model.status import CampaignState

ACCEPTED, NOT_SENT, UNKNOWN = ANSWERS[0], ANSWERS[3], ANSWERS[4]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[PostgresStore]:
    """
    An empty ledger in PostgreSQL.
    """
    store = PostgresStore(tmp_path)
    await store.open()
    yield store
    await store.close()


async def lost(store: PostgresStore, *told: Verdict) -> tuple[Batch, LateRecord]:
    """
    A batch that was claimed by a process that is gone, and what that could not record.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    result = BatchResult.of_places(batch, told, ["t-1"], attempts=1)
    store.make_old("june")
    tokens.at_work.clear()
    return batch, LateRecord.of(claimed, result, resends=False)


def shared(store: PostgresStore) -> SharedLedger:
    """
    Its ledger.
    """
    return cast("SharedLedger", store.ledger)


@pytest.mark.parametrize("is_recovered", [False, True])
async def test_a_late_record_reaches_the_ledger(
    store: PostgresStore, *, is_recovered: bool
) -> None:
    """
    Before the next worker has joined and after; it may be told twice.
    """
    _, late = await lost(store, ACCEPTED, NOT_SENT)
    if is_recovered:
        worker = await store.ledger.join("june", load)
        await worker.leave(CampaignState.PAUSED)
    fates = [await shared(store).record_late(late) for _ in range(2)]
    after = await status_of(store.ledger)
    [found] = await store.ledger.lookup("+9991")

    assert [Fate.RECORDED] * 2 == fates
    assert (1, 1, 0, 0) == (
        after.accepted,
        after.not_sent,
        after.unknown,
        after.in_flight,
    )
    assert ("t-1", 1) == (found.result.transaction_id, found.attempts)


async def test_a_late_record_waits_for_who_sends_the_batch(
    store: PostgresStore,
) -> None:
    """
    That one will say more.
    """
    batch, late = await lost(store, ACCEPTED, NOT_SENT)
    worker = await store.ledger.join("june", load, process_is_gone=True)
    await worker.resolve(resend=True, process_is_gone=True)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    fate = await shared(store).record_late(late)
    await worker.record(claimed, BatchResult(batch, UNKNOWN, attempts=1))
    later = await shared(store).record_late(late)
    after = await status_of(store.ledger)

    assert [Fate.UNDER_WAY, Fate.RECORDED] == [fate, later]
    # Who was sent by another since is not sent a third time by itself.
    assert (1, 1, 0) == (after.accepted, after.unknown, after.not_sent)


async def test_a_late_record_makes_nobody_pending_again(store: PostgresStore) -> None:
    """
    Nor anyone not called who was called.
    """
    batch, late = await lost(store, NOT_SENT, NOT_SENT)
    worker = await store.ledger.join("june", load)
    await worker.record(None, BatchResult(batch, ACCEPTED, attempts=1))
    await shared(store).record_late(late)

    assert 2 == (await status_of(store.ledger)).accepted


async def test_a_late_record_of_another_ledger(store: PostgresStore) -> None:
    """
    It is left for that one.
    """
    _, late = await lost(store, ACCEPTED, ACCEPTED)
    strange = attrs.evolve(late, batch=BatchId("fedcba9876", 0))

    assert Fate.NOT_HERE is await shared(store).record_late(strange)


async def test_nobody_is_left_in_a_finished_campaign(store: PostgresStore) -> None:
    """
    A late record that says that someone was not sent makes it a paused one.
    """
    _, late = await lost(store, ACCEPTED, NOT_SENT)
    worker = await store.ledger.join("june", load)
    await worker.leave(CampaignState.FINISHED)
    before = await status_of(store.ledger)
    await shared(store).record_late(late)
    after = await status_of(store.ledger)

    assert (CampaignState.FINISHED, 2) == (before.state, before.unknown)
    assert (CampaignState.PAUSED, 1) == (after.state, after.not_sent)


async def test_a_late_record_that_fits_no_batch(store: PostgresStore) -> None:
    """
    Someone has changed it; it changes nothing.
    """
    _, late = await lost(store, ACCEPTED, ACCEPTED)
    odd = attrs.evolve(late, places=frozenset({0, 7}))
    await shared(store).record_late(odd)

    assert 2 == (await status_of(store.ledger)).in_flight

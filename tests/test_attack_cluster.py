"""
Attacks on several workers of one campaign: each was a fault once.
"""

from __future__ import annotations

import pytest
from ledger_model import load
from test_ledger_receipts import receipt
from test_sharing import (
    ACCEPTED,
    AGAIN,
    batches,
    claimed,
    ledger,
    rows,
    schema,
    status_of,
)

from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.worker import PostgresWorker
from voicepush.model.batch import Batch
from voicepush.model.claim import Claimed, Recorded, Refused
from voicepush.model.outcome import BatchResult, Outcome, Verdict

# Fixtures, which are used by their names.
__all__ = ["batches", "ledger", "schema"]

EXPIRED = Verdict(Outcome.EXPIRED, None, "the expiry passed before it was sent")


# Two workers have the same batch before them: the engine took the job of one that lives
# for lost, since only its connection to the engine was gone, or someone deleted it.


async def both(
    ledger: PostgresLedger, batch: Batch
) -> tuple[PostgresWorker, PostgresWorker]:
    """
    Two workers that have opened *batch*, of which the second has to wait.
    """
    ours, other = [await ledger.share("june", load) for _ in range(2)]
    for each in (ours, other):
        assert await each.open(batch.id) is not None
    return ours, other


@pytest.mark.parametrize("places", [[0, 1], [1], [0]])
async def test_who_was_accepted_is_not_claimed_by_another(
    ledger: PostgresLedger, batches: list[Batch], places: list[int]
) -> None:
    """
    Who knows the batch as it was before can claim nobody of it, nor anyone whom it
    would then forget to be accepted.
    """
    ours, other = await both(ledger, batches[0])
    claim = await claimed(ours, batches[0])
    await ours.record(claim, BatchResult(batches[0], AGAIN, {0: ACCEPTED}, (), 1))
    refused = await other.claim(batches[0], places)
    again = await ours.claim(batches[0], [1])
    await ours.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 2))
    status = await status_of(ledger)

    assert isinstance(refused, Refused)
    assert isinstance(again, Claimed)
    assert (2, 4) == (status.accepted, status.pending)


async def test_one_that_opens_it_anew_may_claim_what_is_left(
    ledger: PostgresLedger, batches: list[Batch]
) -> None:
    """
    It knows then who was accepted.
    """
    ours, other = await both(ledger, batches[0])
    claim = await claimed(ours, batches[0])
    await ours.record(claim, BatchResult(batches[0], AGAIN, {0: ACCEPTED}, (), 1))
    due = await other.open(batches[0].id)
    assert due is not None
    theirs = await other.claim(batches[0], [1])

    assert [1] == list(due.known.places(Outcome.PENDING))
    assert isinstance(theirs, Claimed)
    assert isinstance(await ours.claim(batches[0], [1]), Refused)


@pytest.mark.parametrize("told", [EXPIRED, AGAIN])
async def test_what_another_recorded_is_not_forgotten(
    ledger: PostgresLedger, batches: list[Batch], told: Verdict
) -> None:
    """
    Who waited for its turn meanwhile has the right to say nothing of them.
    """
    ours, other = await both(ledger, batches[0])
    claim = await claimed(ours, batches[0])
    await ours.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))
    record = await other.record(None, BatchResult(batches[0], told, {}, (), 0))

    assert Recorded() == record
    assert 2 == (await status_of(ledger)).accepted


async def test_what_another_has_in_flight_stays_so_after_a_receipt(
    ledger: PostgresLedger, batches: list[Batch]
) -> None:
    """
    A receipt on one of them does not open the batch to others.
    """
    ours, other = await both(ledger, batches[0])
    claim = await claimed(ours, batches[0])
    await ledger.receive([receipt(place=0)])
    await other.record(None, BatchResult(batches[0], AGAIN, {}, (), 1), due_at=1.0)
    between = await status_of(ledger)
    theirs = await other.claim(batches[0], [0, 1])
    await ours.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))
    status = await status_of(ledger)

    assert (1, 1) == (between.accepted, between.in_flight)
    assert isinstance(theirs, Refused)
    assert (2, 4) == (status.accepted, status.pending)


async def test_whom_one_that_is_gone_had_in_flight_is_not_made_pending(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    Between its removal and the moment in which they are unknown.
    """
    ours, other = await both(ledger, batches[0])
    await claimed(ours, batches[0])
    rows(schema, "DELETE FROM worker WHERE token = %s", ours.token)
    await other.record(None, BatchResult(batches[0], AGAIN, {}, (), 1), due_at=1.0)
    between = await status_of(ledger)
    await other.sweep()

    assert 2 == between.in_flight
    assert 2 == (await status_of(ledger)).unknown

"""
What comes late, and whom another process may send yet.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledger_model import (
    ANSWERS,
    LOST,
    MESSAGE,
    PENDING,
    TAG,
    SQLiteStore,
    Store,
    given,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
    two_planned,
)
from making import batch_of

from voicepush.errors import CampaignHeldError, CampaignLostError
from voicepush.ledger.sql.tokens import _namespace, _started
from voicepush.model.batch import Batch
from voicepush.model.claim import Claimed, Recorded, Superseded
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Resolved

ACCEPTED, REJECTED, NOT_SENT = ANSWERS[0], ANSWERS[2], ANSWERS[3]


# Late records


async def test_a_late_record_is_merged(store: Store) -> None:
    """
    Who was lost to the next worker is not unknown any more, and the teller is told.
    """
    batch, stale = await two_planned(store.ledger)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    await store.ledger.join("june", load)
    before = await status_of(store.ledger)
    late = BatchResult.of_places(batch, [ACCEPTED, NOT_SENT], ["t-1"], attempts=1)
    recorded = await stale.record(claim, late)
    after = await status_of(store.ledger)
    (found,) = await store.ledger.lookup("+9991")

    assert isinstance(recorded, Superseded)
    assert 2 == before.unknown
    assert (1, 1, 0) == (after.accepted, after.not_sent, after.pending)
    assert ("t-1", 1) == (found.result.transaction_id, found.attempts)


async def test_a_late_record_ends_the_end(store: Store) -> None:
    """
    A campaign that was finished without its stale worker is paused, and says why, if
    that one tells that someone was not sent: nobody is left in a finished one.
    """
    batch, stale = await two_planned(store.ledger)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    await worker.leave(CampaignState.FINISHED)
    before = await status_of(store.ledger)
    late = BatchResult.of_places(batch, [ACCEPTED, NOT_SENT], ["t-1"], attempts=1)
    await stale.record(claim, late)
    after = await status_of(store.ledger)

    assert (CampaignState.FINISHED, 2) == (before.state, before.unknown)
    assert (CampaignState.PAUSED, 1) == (after.state, after.not_sent)
    assert "some are left; resume goes on" == after.reason


async def test_a_late_record_leaves_alone_what_is_under_way(store: Store) -> None:
    """
    The worker that has it in flight will say more.
    """
    batch, stale = await two_planned(store.ledger, resend=True)
    claim = is_claimed(await stale.claim(batch, [0]))
    store.make_old("june")
    worker = await store.ledger.join("june", load, process_is_gone=True)
    theirs = is_claimed(await worker.claim(batch, [0, 1]))
    recorded = await stale.record(claim, BatchResult(batch, ACCEPTED))
    meanwhile = await status_of(store.ledger)
    await worker.record(theirs, BatchResult(batch, REJECTED))

    assert isinstance(recorded, Superseded)
    assert (2, 0) == (meanwhile.in_flight, meanwhile.accepted)
    assert 2 == (await status_of(store.ledger)).rejected


async def test_a_late_refusal_is_not_that_of_a_later_attempt(store: Store) -> None:
    """
    Whom another worker may have called since is not sent again because an earlier one
    had not reached them.
    """
    batch, stale = await two_planned(store.ledger, resend=True)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    worker = await store.ledger.join("june", load, process_is_gone=True)
    theirs = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(theirs, BatchResult(batch, LOST))
    not_sent = Verdict(Outcome.NOT_SENT, None, "the connection was refused")
    late = BatchResult.of_places(batch, [not_sent, ACCEPTED])
    recorded = await stale.record(claim, late)
    status = await status_of(store.ledger)

    assert isinstance(recorded, Superseded)
    assert (1, 1, 0) == (status.unknown, status.accepted, status.not_sent)


async def test_a_late_record_does_not_undo_a_cancellation(store: Store) -> None:
    """
    Who was not sent stays so, and nobody is pending.
    """
    batch, worker = await two_planned(store.ledger)
    claim = is_claimed(await worker.claim(batch, [0]))
    await worker.leave(CampaignState.CANCELLED, "cancelled by its owner")
    late = BatchResult.of_places(batch, [ACCEPTED, PENDING])
    recorded = await worker.record(claim, late)
    status = await status_of(store.ledger)

    assert isinstance(recorded, Superseded)
    assert (0, 1, 1) == (status.pending, status.accepted, status.not_sent)


async def test_who_was_called_after_all_is_not_given_up(store: Store) -> None:
    """
    The others who were given up stay so, and who is unknown later is decided about.
    """
    batch, stale = await two_planned(store.ledger)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    await worker.resolve(resend=False)
    await stale.record(claim, BatchResult.of_places(batch, [ACCEPTED, LOST]))
    status = await status_of(store.ledger)

    assert (1, 1, 1) == (status.accepted, status.unknown, status.given_up)
    assert [] == await store.ledger.unknown("june")


async def test_a_late_word_is_heard_before_the_next_claim(store: Store) -> None:
    """
    A batch that a worker has in hand is claimed without those who turn out to have
    been called, and recording it leaves them as they are.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992", "+9993"])
    await publish(store.ledger, planned_as(resend=True), batch)
    stale = await store.ledger.join("june", load)
    claim = is_claimed(await stale.claim(batch, [0, 1, 2]))
    store.make_old("june")
    worker = await store.ledger.join("june", load, process_is_gone=True)
    await given(worker)
    late = BatchResult.of_places(batch, [ACCEPTED, NOT_SENT, NOT_SENT])
    await stale.record(claim, late)
    theirs = is_claimed(await worker.claim(batch, [0, 1]))
    under_way = await status_of(store.ledger)
    told = BatchResult.of_places(batch, [PENDING, REJECTED, PENDING])
    recorded = await worker.record(theirs, told)
    status = await status_of(store.ledger)

    assert ([1], {0: ACCEPTED}) == (list(theirs.places), theirs.left_out)
    assert (1, 1, 1) == (under_way.accepted, under_way.in_flight, under_way.pending)
    assert Recorded() == recorded
    assert (1, 1, 1) == (status.accepted, status.rejected, status.pending)


# Whom a process had claimed that may exist


@contextmanager
def another_process() -> Iterator[str]:
    """
    The token of a process that exists, and does nothing.
    """
    with subprocess.Popen(["sleep", "60"]) as process:  # noqa: S607 -- any will do
        try:
            began = f"{_started(process.pid)}-{_namespace()}"
            yield f"{socket.gethostname()}:{process.pid}:{began}:0123abcd"
        finally:
            process.kill()


async def left_in_flight(store: SQLiteStore, token: str) -> Batch:
    """
    A batch that the worker with *token* had claimed when it fell silent.
    """
    batch, worker = await two_planned(store.ledger, resend=True)
    await worker.claim(batch, [0, 1])
    store.execute("UPDATE batch SET claimed_by = ?", token)
    await store.crash(old=True)
    return batch


async def test_who_may_be_sent_yet_is_left_alone(tmp_path: Path) -> None:
    """
    A process that was only stopped may go on, and send what it has claimed: neither
    joining nor deciding makes them pending, whatever their owner wants.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        await left_in_flight(store, token)
        worker = await store.ledger.join("june", load)
        joined = await status_of(store.ledger)
        decided = await worker.resolve(resend=True)
        after = await status_of(store.ledger)
        given_up = await worker.resolve(resend=False)
    await store.close()

    assert (0, 2) == (worker.left_alone.recipients, worker.left_alone.left_alone)
    assert decided == worker.left_alone
    assert f"process {token.split(':')[1]} on" in str(decided.process)
    assert 2 == joined.unknown == after.unknown
    assert Resolved(2) == given_up


async def test_a_worker_of_this_process_may_be_sent_yet(store: Store) -> None:
    """
    One in another event loop, or in a loop that was blocked, may wake up as another
    process may; once it has left, it sends nothing more.
    """
    batch, silent = await two_planned(store.ledger, resend=True)
    await silent.claim(batch, [0, 1])
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    while_silent = await worker.resolve(resend=True)
    with pytest.raises(CampaignLostError):
        await silent.heartbeat(None)
    await silent.leave(CampaignState.FINISHED)
    after = await worker.resolve(resend=True)
    status = await status_of(store.ledger)

    assert (0, 2) == (worker.left_alone.recipients, worker.left_alone.left_alone)
    assert while_silent == worker.left_alone
    assert Resolved(2) == after
    assert 2 == status.pending


@pytest.mark.parametrize("when", ["joining", "deciding"])
async def test_its_owner_knows_that_the_process_is_gone(
    tmp_path: Path, when: str
) -> None:
    """
    Then they are pending again, as wanted.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        await left_in_flight(store, token)
        gone = when == "joining"
        worker = await store.ledger.join("june", load, process_is_gone=gone)
        decided = await worker.resolve(resend=True, process_is_gone=True)
        status = await status_of(store.ledger)
    await store.close()

    assert Resolved(0 if gone else 2) == decided
    assert (0 if gone else 2) == worker.left_alone.left_alone
    assert 2 == status.pending


async def test_a_process_that_ended_is_gone(tmp_path: Path) -> None:
    """
    Nobody has to say so, where it ran on this machine.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        pass
    await left_in_flight(store, token)
    worker = await store.ledger.join("june", load)
    status = await status_of(store.ledger)
    await store.close()

    assert Resolved(0) == worker.left_alone
    assert 2 == status.pending


async def test_a_claim_of_others_does_not_hide_who_claimed_the_first(
    tmp_path: Path,
) -> None:
    """
    A batch is claimed in parts where it is cut: those whom a stopped process has
    claimed are left alone, also when another has claimed and recorded the rest.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    with another_process() as token:
        batch, worker = await two_planned(store.ledger)
        await worker.claim(batch, [0])
        store.execute("UPDATE batch SET claimed_by = ?", token)
        await store.crash(old=True)
        second = await store.ledger.join("june", load)
        claimed = await second.claim(batch, [1])
        assert isinstance(claimed, Claimed)
        lost = BatchResult.of_places(batch, [LOST, ACCEPTED])
        await second.record(claimed, lost)
        decided = await second.resolve(resend=True)
        status = await status_of(store.ledger)
    await store.close()

    assert (0, 1) == (decided.recipients, decided.left_alone)
    assert f"process {token.split(':')[1]} on" in str(decided.process)
    assert (1, 1) == (status.accepted, status.unknown)


async def test_a_process_of_another_container_is_not_gone(tmp_path: Path) -> None:
    """
    Its number means nothing here, so its signs of life are what counts.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await two_planned(store.ledger)
    foreign = f"{socket.gethostname()}:999999:1-4026500000:0123abcd"
    store.execute("UPDATE worker SET token = ?", foreign)
    with pytest.raises(CampaignHeldError):
        await store.ledger.join("june", load)
    await store.close()

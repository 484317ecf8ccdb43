"""
Attacks on several workers of one campaign: each was a fault once.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
from cluster_crashing import Cluster
from ledger_model import load
from mishaps import ended, process, wait_until
from test_cluster_crashes import Make, make
from test_ledger_receipts import receipt
from test_sharing import (
    ACCEPTED,
    AGAIN,
    batches,
    claimed,
    jobs,
    ledger,
    make_silent,
    rows,
    schema,
    status_of,
)

from voicepush import clock
from voicepush.errors import CampaignHeldError
from voicepush.ledger.plan import Command
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.worker import PostgresWorker
from voicepush.model.batch import Batch
from voicepush.model.claim import Claimed, Recorded, Refused
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Waiting

# Fixtures, which are used by their names.
__all__ = ["batches", "ledger", "make", "schema"]

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


# Commands, while a worker gives no sign any more.


@pytest.mark.usefixtures("batches")
async def test_a_pause_that_nobody_is_left_to_hear(
    ledger: PostgresLedger, schema: str
) -> None:
    """
    Those who were told it are gone: it is paused, and can be resumed.
    """
    worker = await ledger.share("june", load)
    await ledger.steer("june", command=Command.PAUSE)
    before = (await status_of(ledger)).state
    make_silent(schema, worker)
    status = await status_of(ledger)
    await ledger.release("june", load)
    other = await ledger.share("june", load)

    assert CampaignState.RUNNING is before
    assert CampaignState.PAUSED is status.state
    assert "paused by its owner" == status.reason
    assert (await other.heartbeat(None)).command is None


@pytest.mark.usefixtures("batches")
async def test_nobody_resumes_what_is_being_stopped(ledger: PostgresLedger) -> None:
    """
    It would say that it is given to the workers, and be paused by them.
    """
    await ledger.share("june", load)
    await ledger.steer("june", command=Command.PAUSE)
    with pytest.raises(CampaignHeldError, match="its workers, which stop"):
        await ledger.release("june", load)


def test_who_comes_after_a_pause_calls_nobody(make: Make) -> None:
    """
    Those who were told it are gone, and another one comes.
    """
    cluster = make(20)
    cluster.plan()
    with psycopg.connect(cluster.address) as connection:
        connection.execute("UPDATE voicepush.campaign SET command = 'pause'")
    cluster.start()
    wait_until(lambda: "paused" in Path("worker-0-0.log").read_text())

    assert "paused" == cluster.stand()["state"]
    assert {} == cluster.simulator.calls


@pytest.mark.usefixtures("batches")
async def test_one_that_waits_beside_others_with_nothing_to_do(
    ledger: PostgresLedger,
) -> None:
    """
    All that is left is before it, such as behind an address that only it has.
    """
    waits, other = [await ledger.share("june", load) for _ in range(2)]
    why = Waiting("the service can't be reached", clock.utc_now())
    await waits.heartbeat(0.0, waiting=why)
    await other.heartbeat(10.0)
    between = await status_of(ledger)
    await other.heartbeat(0.0)
    status = await status_of(ledger)

    assert between.waiting is None
    assert "the service can't be reached" == status.waiting


async def test_what_is_cancelled_by_one_that_is_alone_leaves_no_jobs(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    Of the workers that it was given to none is left.
    """
    before = jobs(schema)
    alone = await ledger.join("june", load)
    await alone.leave(CampaignState.CANCELLED, "cancelled by its owner")
    status = await status_of(ledger)

    assert len(batches) == len(before)
    assert (CampaignState.CANCELLED, 6) == (status.state, status.not_sent)
    assert [] == jobs(schema)


#: Its requests are answered after a while.
SLOWLY = """
import asyncio
from voicepush.sending.posting import Poster
post = Poster.post
async def slowly(*arguments):
    await asyncio.sleep(20)
    return await post(*arguments)
Poster.post = slowly
"""


@pytest.mark.parametrize("command", [["worker"], ["resume", "june"]])
def test_a_second_signal_ends_it_at_once(make: Make, command: list[str]) -> None:
    """
    Without a word of the engine's; nobody who comes later goes on by itself with what
    one terminal looked after.
    """
    cluster = make(20)
    cluster.plan()
    with process(
        *command, "--base-url", cluster.simulator.url, first=SLOWLY
    ) as running:
        wait_until(lambda: cluster.stand()["in_flight"])
        running.send_signal(signal.SIGINT)
        time.sleep(0.5)
        running.send_signal(signal.SIGINT)
        said = ended(running, 15)
    state = "running" if command == ["worker"] else "paused"

    assert "Traceback" not in said.err
    assert state == cluster.stand()["state"]


# The engine's tables, behind everyone's back.


def execute(cluster: Cluster, statement: str) -> None:
    """
    Change the database of *cluster*.
    """
    with psycopg.connect(cluster.address) as connection:
        connection.execute("SET search_path TO voicepush")
        connection.execute(statement.encode())


def test_many_jobs_for_each_batch(make: Make) -> None:
    """
    Also where one worker takes several of them, and some have to be sent again.
    """
    cluster = make(60, "7006@5%")
    cluster.plan()
    execute(
        cluster,
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args) SELECT "
        "queue_name, task_name, args FROM procrastinate_jobs, generate_series(1, 3)",
    )
    for _ in range(2):
        cluster.start()

    assert cluster.people == cluster.check(most_unknown=0)["accepted"]


def test_jobs_that_are_deleted_or_ended_while_they_are_done(make: Make) -> None:
    """
    Nobody is lost or waited for in vain, and nothing of the engine's is told.
    """
    cluster = make(60)
    cluster.start()
    cluster.plan()
    cluster.go_on(5)
    execute(cluster, "DELETE FROM procrastinate_jobs WHERE status = 'doing'")
    cluster.go_on(5)
    execute(
        cluster,
        "UPDATE procrastinate_jobs SET abort_requested = true WHERE status = 'doing'",
    )
    cluster.check(most_unknown=cluster.most_unknown)
    cluster.end()

    assert "Traceback" not in Path("worker-0-0.log").read_text()


def test_a_worker_without_rights_says_so_once(make: Make) -> None:
    """
    And not each second that the ledger is back.
    """
    cluster = make(20)
    cluster.plan()
    role = f"caller_{os.urandom(4).hex()}"
    for statement in (
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA voicepush TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA voicepush TO {role}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA voicepush TO {role}",
        f"REVOKE INSERT ON procrastinate_workers FROM {role}",
    ):
        execute(cluster, statement)
    cluster.start(address=cluster.address.replace("tests@", f"{role}@"))
    log = Path("worker-0-0.log")
    wait_until(lambda: log.read_text().count("takes part") == 4)
    without = log.read_text()
    execute(cluster, f"GRANT INSERT ON procrastinate_workers TO {role}")
    cluster.check(most_unknown=0)

    assert 1 == without.count("Nothing is sent until it is back")
    assert "is back\n" not in without.replace("until it is back\n", "")
    assert 1 == log.read_text().count("the ledger is back")

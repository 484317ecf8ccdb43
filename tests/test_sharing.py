"""
Several workers of one campaign in PostgreSQL, and the jobs that they share.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import attrs
import postgres
import psycopg
import pytest
from ledger_model import COUNTS, LOST, MESSAGE, TAG, load, planned_as, publish
from making import batch_of
from sums import check_sums

from voicepush.errors import CampaignHeldError, CampaignLostError, InputError
from voicepush.ledger.plan import Command, PlannedGroup
from voicepush.ledger.postgres import engine_tables
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.worker import PostgresWorker
from voicepush.ledger.sql import tokens
from voicepush.model.batch import Batch, Group
from voicepush.model.call import Receipt, Report
from voicepush.model.claim import Claimed, Recorded, Refused, Superseded
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.model.windows import Windows
from voicepush.receipts.call_state import call_of

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")
AGAIN = Verdict(Outcome.PENDING, "7020", "Too fast")


@pytest.fixture
def schema() -> str:
    """
    The name of a schema that is not there yet.
    """
    return f"sharing_{os.urandom(4).hex()}"


@pytest.fixture
async def ledger(schema: str) -> AsyncIterator[PostgresLedger]:
    """
    An empty ledger.
    """
    address = postgres.server().address
    async with await PostgresLedger.open(address, schema=schema) as opened:
        yield opened


@pytest.fixture
async def batches(ledger: PostgresLedger) -> list[Batch]:
    """
    Those of a campaign that is given to workers.
    """
    made = [
        batch_of(MESSAGE, f"{TAG}-{number}", [f"+999{number}{place}" for place in "01"])
        for number in range(3)
    ]
    await publish(ledger, planned_as(), *made)
    await ledger.release("june", load)
    return made


def rows(schema: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """
    What a statement gives, behind the ledger's back.
    """
    with psycopg.connect(postgres.server().address) as connection:
        path = psycopg.sql.SQL("SET search_path TO {}")
        connection.execute(path.format(psycopg.sql.Identifier(schema)))
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def jobs(schema: str, status: str = "todo") -> list[object]:
    """
    The numbers of the batches that have a job.
    """
    found = rows(
        schema,
        "SELECT (args->>'number')::int FROM procrastinate_jobs WHERE status = "
        "%s::procrastinate_job_status ORDER BY 1",
        status,
    )
    return [row[0] for row in found]


def take_job(schema: str, *, silent: bool = False) -> None:
    """
    Take the next job as a worker of the engine, which may have been silent for long.
    """
    rows(
        schema,
        "WITH one AS (INSERT INTO procrastinate_workers (last_heartbeat) "
        "VALUES (now() - %s * interval '1 hour') RETURNING id) "
        "SELECT procrastinate_fetch_job_v2(NULL, id) FROM one",
        int(silent),
    )


def make_silent(schema: str, worker: PostgresWorker) -> None:
    """
    Let *worker* have given no sign for long.
    """
    rows(schema, "UPDATE worker SET heartbeat_at = 0 WHERE token = %s", worker.token)


async def status_of(ledger: PostgresLedger) -> CampaignStatus:
    """
    Where the campaign stands; its sums hold.
    """
    status = await ledger.status("june")
    assert status is not None
    check_sums(status)
    return status


async def claimed(worker: PostgresWorker, batch: Batch) -> Claimed:
    """
    The claim of all of *batch*.
    """
    claim = await worker.claim(batch, range(len(batch)))
    assert isinstance(claim, Claimed)
    return claim


# Giving and joining


async def test_each_batch_has_a_job(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    Once, also if it is given to workers twice; and it says that nobody is there yet.
    """
    await ledger.release("june", load)
    status = await status_of(ledger)

    assert [0, 1, 2] == jobs(schema) == list(range(len(batches)))
    assert ["june"] == await ledger.released()
    assert CampaignState.RUNNING is status.state
    assert 0 == status.workers
    assert "no worker is at work" in str(status.waiting)


@pytest.mark.usefixtures("batches")
async def test_many_join(ledger: PostgresLedger) -> None:
    """
    And the status tells how fast all of them are.
    """
    for _ in range(3):
        worker = await ledger.share("june", load)
        await worker.heartbeat(10.0)
    status = await status_of(ledger)

    assert (3, 30.0) == (status.workers, status.throughput)
    assert 3 == await ledger.workers("june")
    assert status.waiting is None


async def test_nobody_joins_what_is_not_given(ledger: PostgresLedger) -> None:
    """
    One that is planned, and one that a process dispatches alone.
    """
    await publish(ledger, planned_as(), batch_of(MESSAGE, f"{TAG}-0", ["+9991"]))
    with pytest.raises(InputError, match="is not given to workers"):
        await ledger.share("june", load)
    await ledger.join("june", load)
    for join in (ledger.share, ledger.release):
        with pytest.raises(CampaignHeldError):
            await join("june", load)

    assert [] == await ledger.released()


@pytest.mark.usefixtures("batches")
async def test_nobody_dispatches_alone_what_others_share(
    ledger: PostgresLedger,
) -> None:
    """
    As long as one of them lives; nor changes what they would not hear of.
    """
    worker = await ledger.share("june", load)
    with pytest.raises(CampaignHeldError):
        await ledger.join("june", load)
    with pytest.raises(CampaignHeldError):
        await ledger.change("june", retry_internal_error=False)
    with pytest.raises(CampaignHeldError):
        await ledger.change("june", stops_at=5.0)
    await ledger.change("june", rate=5.0)

    assert 5.0 == (await worker.heartbeat(None)).rate


# Claims and records


async def test_a_batch_is_claimed_by_one(
    ledger: PostgresLedger, batches: list[Batch]
) -> None:
    """
    Whatever jobs there are, the other is refused and tells nothing.
    """
    ours, other = [await ledger.share("june", load) for _ in range(2)]
    claim = await claimed(ours, batches[0])
    refused = await other.claim(batches[0], [0, 1])
    told = await other.record(None, BatchResult(batches[0], AGAIN, {}, (), 1))
    before = await status_of(ledger)
    await ours.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))

    assert isinstance(refused, Refused)
    assert Recorded() == told
    assert 2 == before.in_flight
    assert 2 == (await status_of(ledger)).accepted


async def test_what_waits_has_a_job_for_that_moment(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    It is due again for whichever worker, and holds nobody up.
    """
    worker = await ledger.share("june", load)
    for _ in batches:
        take_job(schema)
    claim = await claimed(worker, batches[1])
    result = BatchResult(batches[1], AGAIN, {}, (), 1)
    await worker.record(claim, result, due_at=4_000_000_000.0)
    found = rows(
        schema,
        "SELECT (args->>'number')::int, extract(epoch FROM scheduled_at)::bigint "
        "FROM procrastinate_jobs WHERE status = 'todo'",
    )

    assert [(1, 4_000_000_000)] == found
    assert not await worker.is_over()


async def test_a_batch_is_put_back(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    If someone in it is pending, and once.
    """
    worker = await ledger.share("june", load)
    for _ in batches:
        take_job(schema)
    claim = await claimed(worker, batches[0])
    await worker.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))
    for batch in (*batches, *batches):
        await worker.put_back(batch.id)

    assert [1, 2] == jobs(schema)


@pytest.mark.parametrize(
    ("command", "state"),
    [
        (Command.PAUSE, CampaignState.PAUSED),
        (Command.CANCEL, CampaignState.CANCELLED),
    ],
)
async def test_what_its_owner_wanted_is_told_where_all_workers_were_done(
    ledger: PostgresLedger,
    batches: list[Batch],
    command: Command,
    state: CampaignState,
) -> None:
    """
    Also if the last of them leaves before it hears of it.
    """
    worker = await ledger.share("june", load)
    for batch in batches:
        claim = await claimed(worker, batch)
        await worker.record(claim, BatchResult(batch, ACCEPTED, {}, (), 1))
    await ledger.steer("june", command=command)
    await worker.leave(CampaignState.FINISHED)
    status = await status_of(ledger)

    assert (state, f"{state.value} by its owner") == (status.state, status.reason)


# Workers that are gone


async def test_whom_a_silent_worker_had_claimed_is_unknown(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    Until it wakes and records late; by then it can claim nobody else.
    """
    silent, other = [await ledger.share("june", load) for _ in range(2)]
    claim = await claimed(silent, batches[0])
    make_silent(schema, silent)
    swept = [await other.sweep() for _ in range(2)]
    status = await status_of(ledger)
    with pytest.raises(CampaignLostError):
        await silent.claim(batches[1], [0, 1])
    (found,) = await ledger.lookup("+99900")
    late = await silent.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))

    assert [1, 0] == swept
    assert (2, 4, 1) == (status.unknown, status.pending, status.workers)
    assert LOST.description == found.result.description
    assert isinstance(late, Superseded)
    assert 2 == (await status_of(ledger)).accepted
    events = [entry.event for entry in await ledger.history("june")]
    assert "missed" in events


async def test_what_a_silent_worker_had_not_claimed_is_given_to_others(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    By another job, since its own would be ended by it when it wakes.
    """
    worker = await ledger.share("june", load)
    take_job(schema, silent=True)
    take_job(schema)
    taken = rows(
        schema, "SELECT id FROM procrastinate_jobs WHERE (args->>'number')::int = 0"
    )
    await worker.sweep()
    now = rows(
        schema, "SELECT id FROM procrastinate_jobs WHERE (args->>'number')::int = 0"
    )

    assert [0, 2] == jobs(schema)
    assert [1] == jobs(schema, "doing")
    assert taken != now
    assert len(batches) == 3


@pytest.mark.usefixtures("batches")
async def test_the_jobs_of_one_that_is_gone_are_given_to_others_at_once(
    ledger: PostgresLedger, schema: str
) -> None:
    """
    Where it is known which of the engine's workers it was.
    """
    gone, other = [await ledger.share("june", load) for _ in range(2)]
    take_job(schema)
    ((engine,),) = rows(schema, "SELECT max(id) FROM procrastinate_workers")
    assert isinstance(engine, int)
    await gone.known_as(engine)
    make_silent(schema, gone)
    await other.sweep()

    assert [0, 1, 2] == jobs(schema)
    assert [] == jobs(schema, "doing")


@pytest.mark.usefixtures("batches")
async def test_jobs_that_were_lost_are_made_anew(
    ledger: PostgresLedger, schema: str
) -> None:
    """
    Once no other is due: their worker died after it ended them.
    """
    worker = await ledger.share("june", load)
    rows(schema, "DELETE FROM procrastinate_jobs WHERE (args->>'number')::int = 0")
    await worker.sweep()
    before = jobs(schema)
    take_job(schema)
    rows(schema, "DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    await worker.sweep()

    assert [1, 2] == before
    assert [0, 2] == jobs(schema)


# The end


async def recorded_all(worker: PostgresWorker, batches: list[Batch]) -> None:
    """
    Everyone is accepted.
    """
    for batch in batches:
        claim = await claimed(worker, batch)
        await worker.record(claim, BatchResult(batch, ACCEPTED, {}, (), 1))


async def test_the_last_one_ends_it(
    ledger: PostgresLedger, batches: list[Batch]
) -> None:
    """
    It is finished when nobody is left, and everyone has left.
    """
    workers = [await ledger.share("june", load) for _ in range(2)]
    await recorded_all(workers[0], batches)
    assert await workers[1].is_over()
    await workers[0].leave(CampaignState.FINISHED)
    between = (await status_of(ledger)).state
    await workers[1].leave(CampaignState.FINISHED)

    assert CampaignState.RUNNING is between
    assert CampaignState.FINISHED is (await status_of(ledger)).state
    assert [] == await ledger.released()


@pytest.mark.usefixtures("batches")
async def test_one_that_goes_leaves_it_to_others(ledger: PostgresLedger) -> None:
    """
    Also to those who come later.
    """
    worker = await ledger.share("june", load)
    await worker.leave(CampaignState.RUNNING, "stopped")

    assert CampaignState.RUNNING is (await status_of(ledger)).state
    assert ["june"] == await ledger.released()


@pytest.mark.usefixtures("batches")
async def test_what_stops_one_stops_all(ledger: PostgresLedger) -> None:
    """
    With its reason, and nobody joins meanwhile.
    """
    ours, other = [await ledger.share("june", load) for _ in range(2)]
    await ours.leave(CampaignState.PAUSED, "7001 the key is another")
    heard = await other.heartbeat(None)
    with pytest.raises(CampaignHeldError):
        await ledger.share("june", load)
    await other.leave(CampaignState.PAUSED, "paused by its owner")
    status = await status_of(ledger)

    assert Command.PAUSE is heard.command
    assert CampaignState.PAUSED is status.state
    assert "7001 the key is another" == status.reason
    assert [] == await ledger.released()


async def test_it_is_cancelled_by_the_last_one(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    Those who are in flight with another are waited for.
    """
    ours, other = [await ledger.share("june", load) for _ in range(2)]
    claim = await claimed(other, batches[0])
    await ledger.steer("june", command=Command.CANCEL)
    await ours.leave(CampaignState.CANCELLED, "cancelled by its owner")
    between = await status_of(ledger)
    await other.record(claim, BatchResult(batches[0], ACCEPTED, {}, (), 1))
    await other.leave(CampaignState.CANCELLED, "cancelled by its owner")
    status = await status_of(ledger)

    assert (2, 4) == (between.in_flight, between.pending)
    assert CampaignState.CANCELLED is status.state
    assert (2, 4, 0) == (status.accepted, status.not_sent, status.unknown)
    assert [] == jobs(schema)


@pytest.mark.usefixtures("batches")
async def test_it_is_paused_where_no_worker_is(ledger: PostgresLedger) -> None:
    """
    Nobody would hear of it.
    """
    await ledger.steer("june", command=Command.PAUSE)
    status = await status_of(ledger)

    assert CampaignState.PAUSED is status.state
    assert "paused by its owner" == status.reason
    assert status.waiting is None


async def test_who_was_not_sent_is_given_again(
    ledger: PostgresLedger, batches: list[Batch], schema: str
) -> None:
    """
    By its owner, not by each worker that joins.
    """
    worker = await ledger.share("june", load)
    for _ in batches:
        take_job(schema)
    for batch in batches:
        claim = await claimed(worker, batch)
        verdict = Verdict(Outcome.NOT_SENT, None, "tried for too long")
        await worker.record(claim, BatchResult(batch, verdict, {}, (), 1))
    rows(schema, "DELETE FROM procrastinate_jobs")
    other = await ledger.share("june", load)
    while_shared = jobs(schema)
    for each in (worker, other):
        await each.leave(CampaignState.FINISHED)
    between = await status_of(ledger)
    await ledger.release("june", load)

    assert [] == while_shared
    assert (CampaignState.PAUSED, 6) == (between.state, between.not_sent)
    assert "6 are left; resume goes on" == between.reason
    assert [0, 1, 2] == jobs(schema)
    assert 6 == (await status_of(ledger)).pending


async def test_what_was_alone_and_died_is_not_shared(
    ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch, schema: str
) -> None:
    """
    Its owner gives it to workers, and who was in flight is unknown.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    await publish(ledger, planned_as(), batch)
    alone = await ledger.join("june", load)
    await alone.claim(batch, [0])
    rows(schema, "UPDATE worker SET heartbeat_at = 0")
    assert [] == await ledger.released()
    with pytest.raises(InputError):
        await ledger.share("june", load)
    monkeypatch.setattr(tokens, "at_work", set())
    await ledger.release("june", load)
    status = await status_of(ledger)

    assert (1, 1) == (status.unknown, status.pending)
    assert [0] == jobs(schema)


# The engine


@pytest.mark.usefixtures("batches")
async def test_an_earlier_engine_works_on_nothing(
    ledger: PostgresLedger, schema: str
) -> None:
    """
    It may look.
    """
    rows(schema, "UPDATE engine SET version = '99.00.00_01_pre_more.sql'")
    with pytest.raises(Exception, match="uses a later Procrastinate") as refused:
        await ledger.share("june", load)

    assert "upgrade it" in str(refused.value)
    assert CampaignState.RUNNING is (await status_of(ledger)).state


def forget_engine() -> None:
    """
    Let it be looked at anew which engine is installed.
    """
    engine_tables.latest.cache_clear()
    engine_tables._migrations.cache_clear()


async def test_the_tables_of_an_earlier_engine_are_brought_up(
    schema: str, tmp_path: Path
) -> None:
    """
    By whoever opens the ledger with a later one.
    """
    address = postgres.server().address
    async with await PostgresLedger.open(address, schema=schema):
        pass
    scripts = shutil.copytree(engine_tables._folder(), tmp_path / "sql")
    for name in ("99.00.00_01_pre_more", "99.01.00_01_pre_more"):
        script = "ALTER TABLE procrastinate_jobs ADD COLUMN more_{} text"
        (scripts / "migrations" / f"{name}.sql").write_text(script.format(name[4]))
    with pytest.MonkeyPatch.context() as later:
        later.setattr(engine_tables, "_folder", lambda: scripts)
        forget_engine()
        async with await PostgresLedger.open(address, schema=schema):
            pass
    forget_engine()

    assert [("99.01.00_01_pre_more.sql",)] == rows(schema, "SELECT version FROM engine")
    assert [] == rows(schema, "SELECT more_0, more_1 FROM procrastinate_jobs")


async def test_windows_may_be_changed_while_its_workers_stop(
    schema: str, ledger: PostgresLedger
) -> None:
    """
    Nobody is put into the queue by that; whoever goes on later finds those who were to
    wait for the old ones.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9990", "+9991"])
    # It is night in one half of the world.
    zone = "Etc/GMT-12" if datetime.now(UTC).hour < 12 else "Etc/GMT+12"
    batch.group = Group(MESSAGE, number=1, zones=(zone,))
    local = datetime.now(UTC).astimezone(ZoneInfo(zone))
    opens = (local.hour + 3) % 24
    closed = Windows.parse(f"{opens:02}:00-{opens:02}:01")
    draft = await ledger.draft(attrs.evolve(planned_as(), windows=closed))
    group = PlannedGroup(number=1, message="{}", zones=(zone,))
    await draft.add([batch], [group])
    await draft.publish({"read": 2, **COUNTS})
    await ledger.release("june", load)
    later = rows(schema, "SELECT scheduled_at > now() FROM procrastinate_jobs")
    worker = await ledger.share("june", load)
    waits = await worker.waits()
    await ledger.steer("june", command=Command.PAUSE)
    await ledger.set_windows("june", Windows.parse("00:00-24:00"))
    stopping = jobs(schema)
    await worker.leave(CampaignState.PAUSED, "paused")
    await ledger.release("june", load)
    now = rows(
        schema, "SELECT scheduled_at FROM procrastinate_jobs WHERE status = 'todo'"
    )
    again = await ledger.share("june", load)

    assert [(True,)] == later
    assert waits is not None
    assert f"2 wait for {opens:02}:00 in {zone}" in waits.reason
    assert [0] == stopping
    assert [(None,)] == now
    assert await again.waits() is None


async def test_who_is_due_again_has_a_job_for_the_opening(
    schema: str, ledger: PostgresLedger
) -> None:
    """
    Whichever worker looks after the others puts it into the queue.
    """
    zone = "UTC"
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9990", "+9991"])
    batch.group = Group(MESSAGE, number=1, zones=(zone,))
    # Open now, and closed for a minute of this day or the next.
    hour = (datetime.now(UTC).hour + 12) % 24
    days = ("00:00", f"{hour:02}:30"), (f"{hour:02}:31", "24:00")
    windows = Windows.parse(", ".join(f"mon-sun {a}-{b}" for a, b in days))
    draft = await ledger.draft(attrs.evolve(planned_as(), windows=windows))
    await draft.add([batch], [PlannedGroup(number=1, message="{}", zones=(zone,))])
    await draft.publish({"read": 2, **COUNTS})
    await ledger.release("june", load)
    take_job(schema)
    worker = await ledger.share("june", load)
    assert await worker.open(batch.id) is not None
    claimed = await worker.claim(batch, [0, 1])
    assert isinstance(claimed, Claimed)
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, ["X", "Y"], 1))
    rows(schema, "DELETE FROM procrastinate_jobs")
    report = Report(
        call=call_of("7005", "", "", None),
        correlation_id=f"{TAG}-0-1",
        transaction_id="Y",
    )
    receipt = Receipt(body=b"{}", received_at=5.0, reports=[report])
    await ledger.receive([receipt])
    other = await ledger.share("june", load)
    await other.sweep()
    status = await status_of(ledger)
    later = rows(
        schema,
        "SELECT scheduled_at > now() FROM procrastinate_jobs WHERE status = 'todo'",
    )
    due = await other.open(batch.id)

    assert (1, 1) == (status.accepted, status.pending)
    assert [(True,)] == later
    assert due is not None
    assert [1] == due.known.places(Outcome.PENDING)

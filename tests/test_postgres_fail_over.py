"""
A database that failed over, or was restored, may lack the last claims: nobody is called
from there before its owner has looked.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import postgres
import psycopg
import pytest
from conftest import Serve, numbers
from ledger_model import MESSAGE, TAG, given, load, planned_as, publish
from making import batch_of
from mishaps import say
from postgres import Restored, Server, Standby

from voicepush import Campaign, VoiceMessage, open_ledger
from voicepush.errors import LedgerError
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.model.batch import Batch
from voicepush.model.call import Receipt, Report
from voicepush.model.claim import Claimed, Recorded
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")
REFUSED = "another server than when people were called last"


@pytest.fixture
def primary() -> Iterator[Server]:
    """
    A server of its own, and room for others in the folder above its own.
    """
    postgres.check_programs()
    # Of its own, since the names of sockets may not be long.
    folder = Path(tempfile.mkdtemp(prefix="voicepush-pg-"))
    folder.chmod(0o755)
    (folder / "primary").mkdir()
    server = Server(folder / "primary")
    try:
        yield server
    finally:
        server.stop_at_once()
        shutil.rmtree(folder)


@pytest.fixture
def standby(primary: Server) -> Iterator[Standby]:
    """
    A standby that follows it.
    """
    folder = primary.folder.with_name("standby")
    folder.mkdir()
    follower = Standby(folder, primary)
    yield follower
    follower.stop_at_once()


async def plan(address: str) -> None:
    """
    Plan a campaign of 40 there.
    """
    async with open_ledger(address) as ledger:
        await Campaign.plan(
            *(ledger, "june", VoiceMessage(media="welcome"), numbers(40)), batch_size=10
        )


async def hear_of(address: str, values: Iterable[str]) -> None:
    """
    Receipts of the calls of *values* come there.
    """
    async with open_ledger(address) as ledger:
        for value in values:
            (found,) = await ledger.lookup(value)
            said = call_of("7408", "", "", None)
            report = Report(call=said, correlation_id=found.result.correlation_id)
            await ledger.receive([Receipt(body=b"", received_at=1.0, reports=[report])])


async def history(address: str) -> list[str | None]:
    """
    What fail-overs were acknowledged there.
    """
    async with open_ledger(address) as ledger:
        found = await ledger.history("june")
    return [each.detail for each in found if each.event == "failed over"]


@pytest.mark.usefixtures("in_a_folder")
def test_a_standby_that_lacks_the_last_claims(serve: Serve, standby: Standby) -> None:
    """
    Nobody is called from there before its owner says so, and nobody twice of whom
    receipts tell; all else goes on.
    """
    simulator = serve()
    asyncio.run(plan(standby.primary.address))
    standby.catch_up()
    resume = ["resume", "june", "--base-url", simulator.url, "--rate", "1000"]
    called = say(*resume, "--ledger", standby.primary.address)
    standby.take_over()
    resume += ["--ledger", standby.address]
    refused = say(*resume)
    status = say("status", "june", "--ledger", standby.address)
    asyncio.run(hear_of(standby.address, list(simulator.calls)[:30]))
    again = say(*resume, "--failed-over")
    after = say(*resume)

    assert 0 == called.code
    assert 5 == refused.code
    assert REFUSED in refused.complaint
    assert "resume with --failed-over" in refused.complaint
    assert re.search(r"pending +40\n", status.out), status.out
    assert (0, 0) == (again.code, after.code)
    # Ten of whom nothing has told are what may be lost.
    assert [1] * 30 + [2] * 10 == list(simulator.calls.values())
    (detail,) = asyncio.run(history(standby.address))
    assert re.fullmatch(
        r"from system (\d+), timeline 00000001 to system \1, timeline 00000002",
        detail or "",
    )


async def test_a_server_that_changes_in_the_middle(standby: Standby) -> None:
    """
    A worker that goes on with the new one claims nothing there, and records what it
    knows.
    """
    both = f"{standby.primary.folder},{standby.folder}"
    address = f"postgresql://tests@/postgres?host={both}"
    batches = [batch_of(MESSAGE, f"{TAG}-{n}", [f"+999{n}"]) for n in range(3)]
    async with await PostgresLedger.open(address) as ledger:
        await publish(ledger, planned_as(), *batches)
        worker = await ledger.join("june", load)
        await given(worker, 3)
        standby.catch_up()
        claimed = await worker.claim(batches[0], [0])
        assert isinstance(claimed, Claimed)
        standby.take_over()
        for _ in range(2):
            with pytest.raises(LedgerError, match=REFUSED):
                await worker.claim(batches[1], [0])
        await worker.heartbeat(None)
        recorded = await worker.record(claimed, BatchResult(batches[0], ACCEPTED))
        status = await ledger.status("june")

    assert Recorded() == recorded
    assert status is not None
    assert (1, 2, 0) == (status.accepted, status.pending, status.in_flight)


async def test_a_connection_outlives_a_promotion(standby: Standby) -> None:
    """
    One that was made while the server still followed claims nothing later.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    async with await PostgresLedger.open(standby.primary.address) as ledger:
        await publish(ledger, planned_as(), batch)
    standby.catch_up()
    async with await PostgresLedger.open(standby.address, make=False) as ledger:
        assert [["june"]] == [[each.campaign] for each in await ledger.campaigns()]
        standby.take_over()
        worker = await ledger.join("june", load)
        await given(worker, 1)
        with pytest.raises(LedgerError, match=REFUSED):
            await worker.claim(batch, [0])


def made() -> str:
    """
    The address of a new database.
    """
    server, name = postgres.server(), f"calls_{os.urandom(4).hex()}"
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.address.replace("/postgres?", f"/{name}?")


async def claim(address: str, batch: Batch, *, failed_over: bool = False) -> bool:
    """
    Claim *batch* in the ledger at *address*, as a dispatch does.
    """
    async with open_ledger(address, failed_over=failed_over, make=False) as ledger:
        worker = await ledger.join("june", load)
        try:
            await given(worker, 1)
            claimed = await worker.claim(batch, [0])
            await worker.record(None, BatchResult(batch, ACCEPTED))
        finally:
            await worker.leave(CampaignState.PAUSED)
    return isinstance(claimed, Claimed)


async def test_what_was_restored_from_a_backup(primary: Server) -> None:
    """
    Lets nobody be called before that is acknowledged.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    async with await PostgresLedger.open(primary.address) as ledger:
        await publish(ledger, planned_as(), batch)
    folder = primary.folder.with_name("restored")
    folder.mkdir()
    restored = Restored(folder, primary)
    try:
        restored.wait_until("NOT pg_is_in_recovery()")
        with pytest.raises(LedgerError, match=REFUSED):
            await claim(restored.address, batch)

        assert await claim(restored.address, batch, failed_over=True)
    finally:
        restored.stop_at_once()


async def test_what_was_restored_from_a_dump() -> None:
    """
    Is another ledger than the one that was dumped, also on the same server; once that
    is acknowledged, it goes on.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    second = batch_of(MESSAGE, f"{TAG}-1", ["+9992"])
    before, after = made(), made()
    async with await PostgresLedger.open(before) as ledger:
        await publish(ledger, planned_as(), batch, second)
    postgres.copy_database(before, after)
    with pytest.raises(LedgerError, match=REFUSED):
        await claim(after, batch)

    assert await claim(after, batch, failed_over=True)
    assert await claim(after, second)


async def test_what_may_not_be_known_is_left() -> None:
    """
    Where the server tells nobody what it is, people are called as ever.
    """
    role, address = f"caller_{os.urandom(4).hex()}", made()
    theirs = address.replace("tests@", f"{role}@")
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991"])
    with psycopg.connect(address) as connection:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"CREATE SCHEMA voicepush AUTHORIZATION {role}",
            "REVOKE ALL ON FUNCTION pg_control_system() FROM PUBLIC",
            "REVOKE ALL ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC",
        ):
            connection.execute(statement.encode())
    async with await PostgresLedger.open(theirs) as ledger:
        await publish(ledger, planned_as(), batch)
    with psycopg.connect(address) as connection:
        known = connection.execute("SELECT system, timeline FROM voicepush.server")

        assert [(None, None)] == known.fetchall()
    assert await claim(theirs, batch)

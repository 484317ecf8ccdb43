"""
A ledger in PostgreSQL: addresses, others' tables, and many at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import postgres
import psycopg
import pytest
from conftest import Connect, Simulate, numbers
from ledger_model import MESSAGE, TAG, given, load, planned_as, publish
from making import batch_of
from sums import check_sums

from voicepush import Campaign, Ledger, VoiceMessage, open_ledger
from voicepush.cli.options import title_of
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.connection import PostgresConnection, _translated
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.model.call import Receipt, Report
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.receipts.call_state import call_of

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")


@pytest.fixture
def schema() -> str:
    """
    The name of a schema that is not there yet, and is odd.
    """
    return f'a "schema" {os.urandom(4).hex()}'


@pytest.fixture
async def ledger(schema: str) -> AsyncIterator[Ledger]:
    """
    An empty ledger.
    """
    async with await PostgresLedger.open(
        postgres.server().address, schema=schema
    ) as opened:
        yield opened


def execute(statement: str, *values: object, schema: str = "public") -> None:
    """
    Change a database behind the ledger's back.
    """
    with psycopg.connect(postgres.server().address) as connection:
        path = psycopg.sql.SQL("SET search_path TO {}")
        connection.execute(path.format(psycopg.sql.Identifier(schema)))
        connection.execute(statement.encode(), values)


# Addresses


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        (
            "postgresql://june:secret@localhost/calls",
            "the ledger's address calls at localhost holds a password",
        ),
        ("postgresql://localhost/calls?password=secret", "holds a password"),
        ("postgresql://localhost/calls?colour=red", "can't be understood"),
        ("postgresql://localhost/calls?schema=", "has 1 to 63 bytes and nothing that"),
        (f"postgresql://localhost/calls?schema={'x' * 64}", "has 1 to 63 bytes"),
        ("postgresql://localhost/calls?schema=a%0ab", "that can't be seen; 'a.nb' do"),
        ("postgresql://localhost/calls?schema=pg_june", "is PostgreSQL's own"),
        ("postgresql://localhost/calls?schema=a&schema=b", "names two schemas"),
    ],
)
async def test_an_address_that_can_not_be_used(address: str, complaint: str) -> None:
    """
    Is refused in one line that does not repeat a password.
    """
    with pytest.raises(InputError, match=complaint) as refused:
        await PostgresLedger.open(address)

    assert "secret" not in str(refused.value)


async def test_ledgers_in_one_database(schema: str) -> None:
    """
    Each is in the schema that its address or the program names, and knows of no other.
    """
    address = f"{postgres.server().address}&schema={quote(schema)}"
    async with (
        open_ledger(address) as june,
        open_ledger(postgres.server().address, schema=f"{schema} 2") as july,
    ):
        for ledger, number in ((june, "+9991"), (july, "+9992")):
            batch = batch_of(MESSAGE, f"{TAG}-0", [number])
            await publish(ledger, planned_as(), batch)
        found = [await each.lookup("+9991") for each in (june, july)]

    assert [1, 0] == [len(each) for each in found]
    assert str(Address.parse(address)).endswith(f", schema {schema}")
    assert schema in title_of(address)


async def test_a_file_has_no_schema(tmp_path: Path) -> None:
    """
    One that is named for it is refused, and no file is made.
    """
    path = tmp_path / "june.db"
    with pytest.raises(
        InputError, match="a file holds one ledger; leave out the schem"
    ):
        async with open_ledger(path, schema="june"):
            pass

    assert not path.exists()


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("postgresql://127.0.0.1:1/calls", "calls at 127.0.0.1:1: it can't be reached"),
        ("{}&dbname=nowhere", 'can\'t be reached: database "nowhere" does not exist'),
        ("{}&user=nobody", 'can\'t be reached: role "nobody" does not exist'),
    ],
)
async def test_a_server_that_can_not_be_used(address: str, complaint: str) -> None:
    """
    Is told in one line, at once.
    """
    with pytest.raises(LedgerError, match=complaint):
        await PostgresLedger.open(address.format(postgres.server().address))


@pytest.mark.usefixtures("ledger")
async def test_a_newer_schema_is_refused(schema: str) -> None:
    """
    One that this version does not know may hold what it would overlook.
    """
    execute("UPDATE ledger_version SET version = 99", schema=schema)

    with pytest.raises(LedgerError, match="written by a newer voicepush"):
        await PostgresLedger.open(postgres.server().address, schema=schema)


async def test_the_schema_of_another_program_is_refused() -> None:
    """
    Nothing is made in it.
    """
    theirs = f"theirs_{os.urandom(4).hex()}"
    execute(f"CREATE SCHEMA {theirs}")
    execute("CREATE TABLE invoices ()", schema=theirs)

    with pytest.raises(LedgerError, match="belongs to another program"):
        await PostgresLedger.open(postgres.server().address, schema=theirs)


async def test_many_come_first(schema: str) -> None:
    """
    Of several who find no tables one makes them, and the others use them.
    """
    address = postgres.server().address
    opened = await asyncio.gather(
        *(PostgresLedger.open(address, schema=schema) for _ in range(5))
    )
    await publish(opened[0], planned_as(), batch_of(MESSAGE, f"{TAG}-0", ["+9991"]))
    seen = [len(await each.campaigns()) for each in opened]
    for each in opened:
        await each.close()

    assert [1] * 5 == seen


async def test_a_closed_ledger_says_so(schema: str) -> None:
    """
    Also a second time.
    """
    ledger = await PostgresLedger.open(postgres.server().address, schema=schema)
    await ledger.close()
    await ledger.close()

    with pytest.raises(LedgerError, match="is closed"):
        await ledger.campaigns()


# Statements


@pytest.mark.parametrize(
    ("statement", "translated"),
    [
        ("SELECT ?, :name WHERE a % 2 = ?", b"SELECT %s, %(name)s WHERE a %% 2 = %s"),
        ("SELECT x::text", b"SELECT x::text"),
    ],
)
def test_marks_become_those_of_psycopg(statement: str, translated: bytes) -> None:
    """
    And nothing else changes.
    """
    assert translated == _translated(statement)


async def test_what_a_text_can_not_hold_is_replaced(ledger: Ledger) -> None:
    """
    PostgreSQL takes no NUL; lists that have it stay as they are.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    await publish(ledger, planned_as("a\0b"), batch)
    worker = await ledger.join("a\0b", load)
    claimed = await worker.claim(batch, [0, 1])
    assert isinstance(claimed, Claimed)
    said = Verdict(Outcome.REJECTED, "71\0", "no\0")
    await worker.record(claimed, BatchResult(batch, said, {}, (), 1))
    (found,) = await ledger.lookup("+9991")

    assert ("a\ufffdb", "71\ufffd", "no\ufffd") == (
        found.campaign,
        found.result.code,
        found.result.description,
    )


async def test_many_rows_are_taken_as_single_ones_are(ledger: Ledger) -> None:
    """
    Texts with NUL, flags, whole numbers for others, and nothing.
    """
    assert isinstance(ledger, PostgresLedger)
    await publish(ledger, planned_as(), batch_of(MESSAGE, f"{TAG}-0", ["+9991"]))
    columns = ("campaign", "at", "who", "event", "detail")

    def work(connection: PostgresConnection) -> list[tuple[object, ...]]:
        (campaign,) = connection.execute("SELECT id FROM campaign").fetchone()
        connection.execute("DELETE FROM history")
        rows = [(campaign, True, "a\0b", "c", None), (campaign, 2, "", "d", "e")]
        connection.insert_many("history", columns, rows)
        found = connection.execute(
            "SELECT at, who, event, detail FROM history ORDER BY rowid"
        )
        return [tuple(row) for row in found]

    rows = await ledger._store.do(work)

    assert [(1.0, "a\ufffdb", "c", None), (2.0, "", "d", "e")] == rows


# Many at once


async def test_a_batch_is_claimed_by_one_of_many(ledger: Ledger) -> None:
    """
    Those who try at the same moment are told that it is claimed.
    """
    batches = [batch_of(MESSAGE, f"{TAG}-{n}", [f"+999{n}"]) for n in range(8)]
    await publish(ledger, planned_as(), *batches)
    worker = await ledger.join("june", load)
    await given(worker, 8)
    claims = await asyncio.gather(
        *(worker.claim(batch, [0]) for batch in batches for _ in range(5)),
        return_exceptions=True,
    )
    status = await ledger.status("june")

    assert 8 == sum(isinstance(each, Claimed) for each in claims)
    assert all(isinstance(each, Claimed | LedgerError) for each in claims)
    assert status is not None
    assert (8, 0) == (status.in_flight, status.pending)


async def test_receipts_and_claims_that_meet(ledger: Ledger) -> None:
    """
    Whom a receipt proves to be accepted at the moment of their claim is either left out
    of it or was claimed before, and the sums hold.
    """
    many = 60
    batches = [
        batch_of(MESSAGE, f"{TAG}-{n}", [f"+999{n:03}{at}" for at in range(3)])
        for n in range(many)
    ]
    await publish(ledger, planned_as(), *batches)
    worker = await ledger.join("june", load)
    await given(worker, many)

    async def hear(number: int) -> None:
        said = call_of("7408", "", "", None)
        report = Report(call=said, correlation_id=f"{TAG}-{number}-1")
        await ledger.receive([Receipt(body=b"", received_at=1.0, reports=[report])])

    async def send(number: int) -> Claimed:
        claimed = await worker.claim(batches[number], [0, 1, 2])
        assert isinstance(claimed, Claimed)
        left = {place: Verdict(Outcome.PENDING) for place in claimed.left_out}
        result = BatchResult(batches[number], ACCEPTED, left, (), 1)
        await worker.record(claimed, result)
        return claimed

    claims = await asyncio.gather(
        *(send(number) for number in range(many)),
        *(hear(number) for number in range(many)),
    )
    status = await ledger.status("june")
    reasons = await ledger.reasons("june")

    assert status is not None
    check_sums(status)
    assert 3 * many == status.accepted
    left_out = sum(1 in each.left_out for each in claims if each is not None)
    assert (
        left_out
        == reasons[Verdict(Outcome.ACCEPTED, None, "the platform's report proves it")]
    )


# Mishaps


async def test_a_dispatch_outlives_a_cut_of_its_connections(
    simulate: Simulate, connect: Connect, message: VoiceMessage, ledger: Ledger
) -> None:
    """
    It ends, or goes on by itself; resumed, it rings nobody twice and loses nobody.
    """
    simulator = await simulate(latency=0.02)
    client = await connect(simulator, concurrency=4)
    campaign = await Campaign.plan(
        *(ledger, "june", message, numbers(400)), batch_size=4
    )

    async def cut() -> None:
        for _ in range(3):
            await asyncio.sleep(0.2)
            await asyncio.to_thread(
                execute,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid != pg_backend_pid() AND backend_type = 'client backend'",
            )

    cutting = asyncio.create_task(cut())
    lost = 0
    for _ in range(10):
        try:
            await campaign.dispatch(client)
            break
        except LedgerError:
            lost += 1
    cutting.cancel()
    await asyncio.wait([cutting])
    status = await campaign.status()

    check_sums(status)
    assert 400 == status.accepted + status.unknown
    assert simulator.summary()["rung_twice"] == 0
    assert status.accepted <= simulator.summary()["rung"]

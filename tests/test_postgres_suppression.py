"""
The list of those not to call in PostgreSQL: a change of it and a claim, one by one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import postgres
import psycopg
import pytest
from ledger_model import is_claimed, two_planned

from voicepush import Kind, Ledger
from voicepush.ledger.postgres.ledger import PostgresLedger

#: Long enough for what waits for nothing, in seconds.
A_WHILE = 0.3


@pytest.fixture
def schema() -> str:
    """
    The name of a schema that is not there yet.
    """
    return f"listed_{os.urandom(4).hex()}"


@pytest.fixture
async def ledger(schema: str) -> AsyncIterator[Ledger]:
    """
    An empty ledger.
    """
    address = postgres.server().address
    async with await PostgresLedger.open(address, schema=schema) as opened:
        yield opened


@pytest.fixture
def other(ledger: Ledger, schema: str) -> Iterator[psycopg.Connection]:  # noqa: ARG001
    """
    Another process in the middle of a transaction, once the tables are there.
    """
    with psycopg.connect(postgres.server().address) as connection:
        connection.execute(f"SET search_path TO {schema}".encode())
        connection.commit()
        yield connection


async def test_a_claim_that_waited_for_the_list_sees_it(
    ledger: Ledger, other: psycopg.Connection
) -> None:
    """
    Although its transaction had begun before that of the list has ended.
    """
    batch, worker = await two_planned(ledger)
    other.execute("LOCK TABLE suppression IN EXCLUSIVE MODE")
    other.execute(
        "INSERT INTO suppression (at, who, event, category) "
        "VALUES (1, 'another', 'added', 'no ads')"
    )
    other.execute("INSERT INTO suppressed_number VALUES (9991, 1)")
    claiming = asyncio.ensure_future(worker.claim(batch, [0, 1]))
    await asyncio.sleep(A_WHILE)
    was_waiting = not claiming.done()
    other.commit()
    claim = is_claimed(await claiming)

    assert was_waiting
    assert ([1], [0]) == (list(claim.places), list(claim.left_out))


async def test_the_list_waits_for_claims(
    ledger: Ledger, other: psycopg.Connection
) -> None:
    """
    Whoever claims meanwhile is done when it is answered; who only looks does not
    matter.
    """
    other.execute("LOCK TABLE suppression IN ROW SHARE MODE")
    adding = asyncio.ensure_future(ledger.suppress([(Kind.MSISDN, ["+9991"])]))
    await asyncio.sleep(A_WHILE)
    was_waiting = not adding.done()
    other.commit()
    await adding
    other.execute("SELECT * FROM suppression")
    removed = await ledger.unsuppress([(Kind.MSISDN, ["+9991"])], reason="asked")

    assert was_waiting
    assert 1 == removed


async def test_claims_do_not_wait_for_each_other(
    ledger: Ledger, other: psycopg.Connection
) -> None:
    """
    Neither where nobody is on the list, nor where someone is.
    """
    batch, worker = await two_planned(ledger)
    await ledger.suppress([(Kind.MSISDN, ["+9991"])])
    other.execute("LOCK TABLE suppression IN ROW SHARE MODE")
    async with asyncio.timeout(10):
        claim = is_claimed(await worker.claim(batch, [0, 1]))

    assert [1] == list(claim.places)

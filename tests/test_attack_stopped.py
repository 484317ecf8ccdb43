"""
A process that stands still in the middle of a transaction keeps nobody from going on.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from typing import Any

import postgres
import psycopg
import pytest
from ledger_model import MESSAGE, TAG, load, planned_as, publish
from making import batch_of
from mishaps import wait_until
from test_postgres import execute, schema

from voicepush import LedgerError
from voicepush.ledger.postgres import store
from voicepush.ledger.postgres.ledger import PostgresLedger

__all__ = ["schema"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nobody is waited for for long.
    """
    monkeypatch.setattr(store, "STANDS_STILL", 0.5, raising=False)


async def test_what_it_wrote_is_undone(schema: str) -> None:
    """
    Its locks would be held until its machine is found to be gone, hours later.
    """
    address = postgres.server().address
    begun, over = threading.Event(), threading.Event()

    def work(connection: Any) -> None:
        connection.execute("UPDATE worker SET throughput = 1")
        begun.set()
        over.wait(30)
        connection.execute("UPDATE worker SET throughput = 2")

    async with (
        await PostgresLedger.open(address, schema=schema) as stopped,
        await PostgresLedger.open(address, schema=schema) as other,
    ):
        batch = batch_of(MESSAGE, f"{TAG}-0", ["+9990", "+9991"])
        await publish(stopped, planned_as(), batch)
        await stopped.join("june", load)
        execute("UPDATE worker SET heartbeat_at = 0", schema=schema)
        job = asyncio.create_task(stopped._store.do(work))
        await asyncio.to_thread(begun.wait)
        try:
            async with asyncio.timeout(10):
                await other.join("june", load, process_is_gone=True)
        finally:
            over.set()
        with pytest.raises(LedgerError, match="this process stood still"):
            await job


#: Writes when its turn has come.
_QUEUES = """
import asyncio, sys
from voicepush.ledger.postgres import store
from voicepush.ledger.postgres.ledger import PostgresLedger

store._FREELY, store.STANDS_STILL = 0, 0.5

async def main():
    async with await PostgresLedger.open(sys.argv[1], schema=sys.argv[2]) as ledger:
        await ledger._store.do(lambda connection: None)

asyncio.run(main())
"""


async def test_it_leaves_the_queue(
    schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Its turn may come while it stands still.
    """
    monkeypatch.setattr(store, "_FREELY", 0)
    address = postgres.server().address

    async with await PostgresLedger.open(address, schema=schema) as other:
        begun, over = threading.Event(), threading.Event()

        def work(connection: Any) -> None:
            begun.set()
            while not over.wait(0.1):
                connection.execute("SELECT 1")

        first = asyncio.create_task(other._store.do(work))
        await asyncio.to_thread(begun.wait)
        command = [sys.executable, "-c", _QUEUES, address, schema]
        with subprocess.Popen(command) as stopped:  # noqa: ASYNC220, S603 -- ours
            try:
                await asyncio.to_thread(wait_until, waiting)
                stopped.send_signal(signal.SIGSTOP)
                over.set()
                await first
                async with asyncio.timeout(10):
                    await other._store.do(lambda _: None)
            finally:
                stopped.kill()


def waiting() -> bool:
    """
    Whether anyone waits for a lock.
    """
    with psycopg.connect(postgres.server().address) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ).fetchone()
    assert row is not None
    return bool(row[0])

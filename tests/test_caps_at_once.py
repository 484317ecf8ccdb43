"""
Two campaigns claim the same people at the same moment: a cap holds all the same.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import attrs
import postgres
import pytest
from conftest import numbers
from ledger_model import (
    LOST,
    MESSAGE,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from making import batch_of

from voicepush import Cap, Ledger, clock, open_ledger
from voicepush.ledger.postgres.connection import PostgresConnection, ServerClock
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.worker import PostgresWorker
from voicepush.ledger.protocol import Worker
from voicepush.model.batch import Batch
from voicepush.model.outcome import BatchResult, Outcome, Verdict

ROUNDS, SIZE = 60, 20
DAY = 86_400.0

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")
NOT_SENT = Verdict(Outcome.NOT_SENT, "7020", "Too fast")


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """
    A file, or a new schema in a database.
    """
    if request.param == "sqlite":
        return tmp_path / "calls.db"
    postgres.server()
    return f"caps_{os.urandom(4).hex()}"


@asynccontextmanager
async def opened(where: str | Path) -> AsyncIterator[Any]:
    """
    The ledger there, by connections of its own.
    """
    if isinstance(where, Path):
        async with open_ledger(where) as ledger:
            yield ledger
    else:
        address = postgres.server().address
        async with await PostgresLedger.open(address, schema=where) as shared:
            yield shared


async def plan(
    ledger: Ledger, name: str, tag: str, people: list[str], caps: list[Cap]
) -> list[Batch]:
    """
    A campaign of *people*, in `ROUNDS` batches.
    """
    batches = [
        batch_of(MESSAGE, f"{tag}-{at}", people[at * SIZE : (at + 1) * SIZE])
        for at in range(ROUNDS)
    ]
    planned = attrs.evolve(planned_as(name, tag=tag), caps=tuple(caps))
    await publish(ledger, planned, *batches)
    return batches


async def claimed(worker: Worker, batch: Batch) -> list[str]:
    """
    Who is claimed of *batch*.
    """
    claim = is_claimed(await worker.claim(batch, range(len(batch))))
    return [batch.recipients.values[place] for place in claim.places]


async def test_nobody_is_claimed_by_both(where: str | Path) -> None:
    """
    In many rounds, in each of which both claim the same people in another order.
    """
    chance = random.Random(7)  # noqa: S311 -- no secret
    people = numbers(ROUNDS * SIZE)
    async with opened(where) as first, opened(where) as second:
        workers, batches = [], []
        for name, tag, ledger in (
            ("june", "aaaaaa", first),
            ("july", "bbbbbb", second),
        ):
            batches.append(await plan(ledger, name, tag, people, [Cap(1, DAY)]))
            workers.append(await ledger.join(name, load))
            for start in range(0, len(people), SIZE):
                some = people[start : start + SIZE]
                chance.shuffle(some)
                people[start : start + SIZE] = some
        both: list[str] = []
        none = 0
        for june, july in zip(*batches, strict=True):
            asking = [claimed(workers[0], june), claimed(workers[1], july)]
            if chance.random() < 0.5:
                asking.reverse()
            found = await asyncio.gather(*asking)
            both += set(found[0]) & set(found[1])
            none += SIZE - len({*found[0], *found[1]})
        for name in ("june", "july"):
            await status_of(first, name)

    assert ([], 0) == (both, none)


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
async def test_both_have_looked_before_either_claims(
    where: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Neither sees the other's claim then, nor waits for it in the queue; one of them is
    done again, and sees it.
    """
    met = 0
    barrier = threading.Barrier(2)
    claim = PostgresWorker._claim

    def waiting(self: PostgresWorker, *arguments: Any) -> Any:
        nonlocal met
        with suppress(threading.BrokenBarrierError):
            barrier.wait(0.2)
            met += 1
        return claim(self, *arguments)

    monkeypatch.setattr(PostgresWorker, "_claim", waiting)
    monkeypatch.setattr(PostgresConnection, "queue", lambda _: None)
    people = numbers(ROUNDS * SIZE)
    async with opened(where) as first, opened(where) as second:
        workers, batches = [], []
        for name, tag, ledger in (
            ("june", "aaaaaa", first),
            ("july", "bbbbbb", second),
        ):
            batches.append(await plan(ledger, name, tag, people, [Cap(1, DAY)]))
            await ledger.release(name, load)
            workers.append(await ledger.share(name, load))
        found = []
        for june, july in islice(zip(*batches, strict=True), 10):
            barrier.reset()
            found.append(
                await asyncio.gather(
                    claimed(workers[0], june), claimed(workers[1], july)
                )
            )

    assert 20 == met
    assert [[0, SIZE]] * 10 == [sorted(map(len, each)) for each in found]


@pytest.mark.parametrize("where", ["postgres"], indirect=True)
async def test_a_claim_that_is_durable_late_is_seen(
    where: str | Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Although later ones were seen before.
    """
    goes_on, is_late = threading.Event(), threading.Event()
    claim = PostgresWorker._claim

    def waiting(self: PostgresWorker, connection: Any, row: Any, places: Any) -> Any:
        claimed = claim(self, connection, row, places)
        if self.plan.campaign == "june" and row["number"] == 0:
            is_late.set()
            assert goes_on.wait(10)
        return claimed

    monkeypatch.setattr(PostgresWorker, "_claim", waiting)
    people = numbers(ROUNDS * SIZE)
    async with opened(where) as first, opened(where) as second:
        june = await plan(first, "june", "aaaaaa", people, [])
        july = await plan(second, "july", "bbbbbb", people, [Cap(1, DAY)])
        for name in ("june", "july"):
            await first.release(name, load)
        ours = await first.share("june", load)
        theirs = await second.share("july", load)
        late = asyncio.ensure_future(claimed(ours, june[0]))
        await asyncio.to_thread(is_late.wait, 10)
        for batch in june[1:5]:
            await claimed(ours, batch)
        before = [await claimed(theirs, batch) for batch in july[1:5]]
        was_late = not late.done()
        goes_on.set()
        called = await late
        after = await claimed(theirs, july[0])

    assert was_late
    assert [[]] * 4 == before
    assert (people[:SIZE], []) == (called, after)


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_a_clock_that_is_set_hides_no_claim(
    where: str | Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """
    Neither back nor forth.
    """
    people = numbers(ROUNDS * SIZE)
    async with opened(where) as first, opened(where) as second:
        june = await plan(first, "june", "aaaaaa", people, [])
        july = await plan(second, "july", "bbbbbb", people, [Cap(1, DAY)])
        ours = await first.join("june", load)
        theirs = await second.join("july", load)
        for batch in june[:3]:
            await claimed(ours, batch)
        before = await claimed(theirs, july[0])
        server, here = ServerClock.now, clock.now
        monkeypatch.setattr(clock, "now", lambda: here() + seconds)
        monkeypatch.setattr(ServerClock, "now", lambda self: server(self) + seconds)
        called = await claimed(ours, june[3])
        after = [await claimed(theirs, batch) for batch in july[1:4]]

    assert (people[3 * SIZE : 4 * SIZE], []) == (called, before)
    assert [[]] * 3 == after


@pytest.mark.parametrize(
    ("verdict", "may_be"), [(LOST, False), (ACCEPTED, False), (NOT_SENT, True)]
)
async def test_who_may_have_been_called_counts(
    where: str | Path, verdict: Verdict, *, may_be: bool
) -> None:
    """
    Who is in flight, and who is unknown then; not who was provably never sent.
    """
    people = numbers(ROUNDS * SIZE)
    async with opened(where) as first, opened(where) as second:
        june = await plan(first, "june", "aaaaaa", people, [])
        july = await plan(second, "july", "bbbbbb", people, [Cap(1, DAY)])
        ours = await first.join("june", load)
        theirs = await second.join("july", load)
        await claimed(ours, june[0])
        in_flight = await claimed(theirs, july[0])
        claim = is_claimed(await ours.claim(june[1], range(SIZE)))
        await ours.record(claim, BatchResult(june[1], verdict, {}, (), 1))
        recorded = await claimed(theirs, july[1])
        for name in ("june", "july"):
            await status_of(first, name)

    assert [] == in_flight
    assert recorded == (people[SIZE : 2 * SIZE] if may_be else [])

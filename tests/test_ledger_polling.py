"""
Which calls are silent, and how far it was asked what became of them.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from math import inf
from pathlib import Path

import attrs
import pytest
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
    SQLiteStore,
    Store,
    Ticking,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from making import batch_of
from test_ledger_receipts import receipt

from voicepush.ledger import Worker
from voicepush.ledger.silence import Silent
from voicepush.model.batch import Batch
from voicepush.model.call import Calls
from voicepush.model.outcome import BatchResult, Verdict
from voicepush.model.recipients import Destination, Recipient

ACCEPTED, AGAIN, REJECTED = ANSWERS[:3]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


async def silent(
    store: Store, claimed_before: float = inf, asked_before: float = inf
) -> list[Silent]:
    """
    The batches of june in which calls are silent.
    """
    found = store.ledger.silent(
        "june", claimed_before=claimed_before, asked_before=asked_before
    )
    return [each async for each in found]


async def recipients(
    store: Store, claimed_before: float = inf, asked_before: float = inf
) -> list[tuple[int, list[int]]]:
    """
    The number of each of those batches, and who is silent in it.
    """
    return [
        (each.known.batch.id.number, list(each.recipients))
        for each in await silent(store, claimed_before, asked_before)
    ]


async def answered(worker: Worker, batch: Batch, *verdicts: Verdict, ids: str) -> None:
    """
    All of *batch* are claimed, and answered at once.
    """
    claimed = is_claimed(await worker.claim(batch, range(len(batch))))
    result = BatchResult.of_places(batch, verdicts, ids.split(), attempts=1)
    await worker.record(claimed, result)


async def planned(store: Store, *groups: list[Recipient]) -> tuple[Worker, list[Batch]]:
    """
    A campaign of a batch for each of *groups*, and its worker.
    """
    batches = [
        batch_of(MESSAGE, f"{TAG}-{number}", group)
        for number, group in enumerate(groups)
    ]
    await publish(store.ledger, planned_as(), *batches)
    return await store.ledger.join("june", load), batches


async def one_batch(store: Store, ids: str = "t") -> Batch:
    """
    A campaign of three who were accepted.
    """
    worker, [batch] = await planned(store, ["+9991", "+9992", "+9993"])
    await answered(worker, batch, *[ACCEPTED] * 3, ids=ids)
    return batch


async def test_the_accepted_are_silent(store: Store) -> None:
    """
    Who was rejected, or is pending, has no call that could be asked about.
    """
    worker, batches = await planned(
        store, ["+9991", "+9992", "+9993"], ["+9994"], ["+9995"]
    )
    await answered(worker, batches[0], REJECTED, ACCEPTED, ACCEPTED, ids="t")
    await answered(worker, batches[1], AGAIN, ids="t")

    assert [(0, [1, 2])] == await recipients(store)
    assert [] == await all_of_campaign(store, "july")


async def all_of_campaign(store: Store, name: str) -> list[Silent]:
    """
    The same of a campaign called *name*.
    """
    found = store.ledger.silent(name, claimed_before=inf, asked_before=inf)
    return [each async for each in found]


async def test_without_a_transaction_id_nobody_can_be_asked_about(store: Store) -> None:
    """
    An answer may lack it, for all or for some.
    """
    worker, batches = await planned(store, ["+9991", "+9992"], ["+9993"])
    claimed = is_claimed(await worker.claim(batches[0], [0, 1]))
    result = BatchResult(batches[0], ACCEPTED, {}, ("", "t-1"), 1)
    await worker.record(claimed, result)
    claimed = is_claimed(await worker.claim(batches[1], [0]))
    await worker.record(claimed, BatchResult(batches[1], ACCEPTED, {}, (), 1))

    assert [(0, [1])] == await recipients(store)


async def test_transactions_of_whole_requests_and_of_single_calls(
    store: Store,
) -> None:
    """
    One id stands for everyone of its request, or for one destination.
    """
    worker, batches = await planned(
        store,
        ["+9991", "+9992"],
        [Destination(["+9993", "+9994"]), Destination("+9995")],
    )
    await answered(worker, batches[0], ACCEPTED, ACCEPTED, ids="t")
    await answered(worker, batches[1], ACCEPTED, ACCEPTED, ids="u v")

    assert [{"t": [0, 1]}, {"u": [0, 1], "v": [2]}] == [
        each.by_transaction() for each in await silent(store)
    ]


async def test_who_has_ended_is_silent_no_more(store: Store) -> None:
    """
    A call that was answered goes on until a receipt says that it has ended.
    """
    await one_batch(store)
    for code, place in (("7519", 0), ("7401", 1), ("7408", 2)):
        await store.ledger.receive([receipt(code, place=place)])
    picked_up = await recipients(store)
    await store.ledger.receive([receipt("7405", place=0)] * 2)
    heard = await recipients(store)
    await store.ledger.receive([receipt("7409", place=2), receipt("7405", place=2)])

    assert [(0, [0, 2])] == picked_up
    assert [(0, [2])] == heard
    assert [] == await recipients(store)


async def test_whom_a_receipt_proves_may_be_silent_yet(store: Store) -> None:
    """
    The others of the batch have ended; the sums are those of proofs as well.
    """
    worker, [batch] = await planned(store, ["+9991", "+9992"])
    await answered(worker, batch, ACCEPTED, ANSWERS[4], ids="t t")
    await store.ledger.receive([receipt("7405", place=0), receipt("7407", place=1)])
    proven = await recipients(store)
    await store.ledger.receive([receipt("7405", place=1)])

    assert [(0, [1])] == proven
    assert [] == await recipients(store)


async def test_who_was_claimed_lately_is_not_silent(
    store: Store, ticking: Ticking
) -> None:
    """
    Its receipts may be on their way; counted from the claim.
    """
    worker, batches = await planned(store, ["+9991"], ["+9992"])
    await answered(worker, batches[0], ACCEPTED, ids="t")
    ticking.move(100)
    await answered(worker, batches[1], ACCEPTED, ids="u")

    assert [] == await recipients(store, ticking.now() - 200)
    assert [(0, [0])] == await recipients(store, ticking.now() - 50)
    assert [(0, [0]), (1, [0])] == await recipients(store, ticking.now())


async def test_what_was_asked_about_is_not_asked_again_at_once(
    store: Store, ticking: Ticking
) -> None:
    """
    For as long as it is said, also by another process.
    """
    batch = await one_batch(store)
    await store.ledger.note_asked(batch.id, None)
    ticking.move(100)
    at_once = await recipients(store, asked_before=ticking.now() - 200)
    later = await recipients(store, asked_before=ticking.now() - 50)
    await store.close()
    if isinstance(store, SQLiteStore):
        await store.open()

        assert [] == await recipients(store, asked_before=ticking.now() - 200)

    assert ([], [(0, [0, 1, 2])]) == (at_once, later)


async def test_half_a_batch_is_gone_on_with(store: Store, ticking: Ticking) -> None:
    """
    Where each call has a transaction of its own, some were asked about; what was asked
    about long ago does not count.
    """
    batch = await one_batch(store, "t u v")
    await store.ledger.note_asked(batch.id, [0])
    await store.ledger.note_asked(batch.id, [0, 2])
    ticking.move(100)
    (found,) = await silent(store, asked_before=ticking.now() - 200)
    later = await recipients(store, asked_before=ticking.now() - 50)

    assert ({"u": [1]}, frozenset({0, 2})) == (found.by_transaction(), found.asked)
    assert [(0, [0, 1, 2])] == later
    await store.ledger.note_asked(batch.id, [])
    assert [(0, [0, 1, 2])] == await recipients(store)


async def test_what_is_asked_meanwhile_is_looked_at_when_it_is_its_turn(
    store: Store,
) -> None:
    """
    By another process, or because its receipts have come.
    """
    worker, batches = await planned(store, ["+9991"], ["+9992"], ["+9993"])
    for batch in batches:
        await answered(worker, batch, ACCEPTED, ids="t")
    found = store.ledger.silent("june", claimed_before=inf, asked_before=0.0)
    first = await anext(found)
    await store.ledger.note_asked(batches[1].id, None)
    await store.ledger.receive([receipt("7401", correlation_id=f"{TAG}-2-0")])

    assert "+9991" == first.known.batch.recipients.values[0]
    assert [] == [each async for each in found]


async def test_those_who_have_ended_are_counted_per_batch(tmp_path: Path) -> None:
    """
    So that nothing else of a batch is read in which all have; each counts once.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await one_batch(store)
    reports = [receipt(code, place=at) for at in range(3) for code in ("7407", "7401")]
    await store.ledger.receive(reports * 2)
    with closing(sqlite3.connect(store.path)) as connection:
        rows = connection.execute("SELECT number, ended FROM poll").fetchall()

    assert [] == await silent(store)
    await store.close()
    assert [(0, 3)] == rows


async def test_what_was_asked_for_is_told_apart_from_receipts(store: Store) -> None:
    """
    It shows what became of calls, and nothing of whether receipts arrive.
    """
    await one_batch(store)

    async def asked(code: str, place: int) -> None:
        one = attrs.evolve(receipt(code, place=place), is_asked=True)
        await store.ledger.receive([one, one])

    await store.ledger.receive([receipt("7519", place=0)])
    before = await store.ledger.receipt_counts()
    await asked("7401", 0)
    await asked("7407", 1)
    on_its_way = await status_of(store.ledger)
    await asked("7401", 1)
    await asked("7005", 2)
    await asked("7519", 2)
    status = await status_of(store.ledger)

    assert (0, 2) == (on_its_way.asked, status.asked)
    assert Calls(reached=2, not_reached=1) == status.calls
    assert before == await store.ledger.receipt_counts()

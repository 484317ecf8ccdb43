"""
Who is due again, whatever comes late, twice, in another order or from elsewhere: nobody
whose last request is in doubt, and everyone whose last request expired.
"""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
from closing_windows import (
    ACCEPTED,
    BEFORE,
    CLOSES,
    OPENS,
    accepted,
    called,
    planned,
    receipt,
    set_to,
    state_of,
)
from ledger_model import (
    COUNTS,
    MESSAGE,
    TAG,
    SQLiteStore,
    SQLStore,
    Store,
    Ticking,
    given,
    is_claimed,
    load,
    planned_as,
    status_of,
)
from making import batch_of

from voicepush.ledger.plan import Follows
from voicepush.ledger.protocol import Finished, Worker
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.call import Call, CallState, Receipt, Report
from voicepush.model.claim import NotBefore, Policy
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of, call_of_status
from voicepush.receipts.evidence.logged import logged_call
from voicepush.sending.answer import Answer, ResponseItem
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery

AGAIN = Verdict(Outcome.PENDING, "7006", "Internal error")
IN_DOUBT = Verdict(Outcome.UNKNOWN, None, "the answer was lost")


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, at eight in the evening.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    set_to(clock, BEFORE)
    return clock


def said(call: Call | None, *, is_asked: bool = False) -> Receipt:
    """
    What is said of the first call by something that is no receipt.
    """
    assert call is not None
    report = Report(call=call, correlation_id=f"{TAG}-0-0", transaction_id="X-0")
    return Receipt(
        body=b"{}",
        received_at=CLOSES,
        reports=[report],
        is_asked=is_asked,
        is_evidence=not is_asked,
    )


async def in_the_morning(store: Store, worker: Worker, ticking: Ticking) -> bool:
    """
    Whether someone is due when the windows open; all sums of the ledger hold.
    """
    set_to(ticking, OPENS)
    found = await worker.due(5)
    await status_of(store.ledger)
    if isinstance(store.ledger, SQLLedger):
        assert [] == (await store.ledger.audit(deep=True)).findings
    assert isinstance(found, (list, Finished))
    return isinstance(found, list)


async def test_who_shares_an_id_may_be_told_of_later(
    store: Store, ticking: Ticking
) -> None:
    """
    That the ledger was asked before all of them had expired changes nothing.
    """
    people: list[str | Destination] = [
        Destination(msisdn=["+9991", "+9992"]),
        "+9993",
    ]
    _, worker = await called(store, people=people)
    await store.ledger.receive([receipt("X-0", recipient="+9991")])
    early = await worker.due(5)
    waiting = (await status_of(store.ledger)).due_again
    await store.ledger.receive([receipt("X-0", recipient="+9992")])

    assert isinstance(early, Finished)
    assert 0 == waiting
    assert await in_the_morning(store, worker, ticking)


@pytest.mark.parametrize("names", [["X-0", "W-0"], ["W-0", "X-0"]])
async def test_an_earlier_attempt_expires_too(
    store: Store, ticking: Ticking, names: list[str]
) -> None:
    """
    In whatever order the platform says so.
    """
    _, worker = await called(store)
    await store.ledger.receive(list(map(receipt, names)))

    assert await in_the_morning(store, worker, ticking)


@pytest.mark.parametrize(("first", "then"), [("X_1", "X"), ("X", "X_1"), ("X", "X")])
async def test_one_name_with_a_number_behind_and_without(
    store: Store, ticking: Ticking, first: str, then: str
) -> None:
    """
    Both are of the request that is over, and prove nothing about the next one.
    """
    _, worker = await called(store, names=["X"])
    await store.ledger.receive([receipt(first)])
    assert isinstance(await worker.due(5), NotBefore)  # it is pending now
    await store.ledger.receive([receipt(then)])

    assert await in_the_morning(store, worker, ticking)


@pytest.mark.parametrize("word", ["expired", "queued"])
async def test_an_answer_about_a_call_that_is_over(
    store: Store, ticking: Ticking, word: str
) -> None:
    """
    The platform was asked before, and answers after its person was due again: that does
    not prove that they were called since.
    """
    _, worker = await called(store)
    await store.ledger.receive([receipt("X-0")])
    assert isinstance(await worker.due(5), NotBefore)
    answer = said(call_of_status(word, "", "", None), is_asked=True)
    await store.ledger.receive([answer])

    assert await in_the_morning(store, worker, ticking)


async def test_evidence_calls_nobody_again(store: Store, ticking: Ticking) -> None:
    """
    Whatever code an export tells.
    """
    _, worker = await called(store)
    await store.ledger.receive([said(logged_call("Expired", "7005"))])

    assert not await in_the_morning(store, worker, ticking)


async def test_what_failed_for_a_reason_that_nobody_knows(
    store: Store, ticking: Ticking
) -> None:
    """
    May have been offered.
    """
    _, worker = await called(store)
    failed = said(call_of("9999", "Failed", "", None))
    await store.ledger.receive([receipt("X-0"), failed])

    assert not await in_the_morning(store, worker, ticking)


async def test_a_record_that_is_written_twice(store: Store, ticking: Ticking) -> None:
    """
    The second time after its people were due again: they are due again once more.
    """
    batch, stale = await called(store)
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    await store.ledger.receive([receipt("X-0")])
    assert isinstance(await worker.due(5), NotBefore)
    await stale.record(None, BatchResult(batch, ACCEPTED, {}, ["X-0", "X-1"], 1))

    assert await in_the_morning(store, worker, ticking)


async def test_a_record_that_comes_after_the_receipt(
    store: Store, ticking: Ticking
) -> None:
    """
    A worker that was taken for dead names the request of which the platform has said
    that it expired.
    """
    batch, stale = await planned(store)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    worker = await store.ledger.join("june", load)
    await store.ledger.receive([receipt("X-0")])
    early = await worker.due(5)
    await stale.record(claim, BatchResult(batch, ACCEPTED, {}, ["X-0", "X-1"], 1))

    assert isinstance(early, Finished)
    assert await in_the_morning(store, worker, ticking)


async def test_an_earlier_answer_names_no_last_request(
    store: Store, ticking: Ticking
) -> None:
    """
    Of a person who was sent again by their owner's word the answer to the first request
    comes late, and that one expired; the second one may have rung them.
    """
    batch, stale = await planned(store)
    claim = is_claimed(await stale.claim(batch, [0, 1]))
    store.make_old("june")
    worker = await store.ledger.join("june", load, process_is_gone=True)
    await worker.resolve(resend=True, process_is_gone=True)
    await given(worker)
    second = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(second, BatchResult(batch, IN_DOUBT, {}, (), 2))
    await stale.record(claim, BatchResult(batch, ACCEPTED, {}, ["X-0", "X-1"], 1))
    await store.ledger.receive([receipt("X-0")])
    outcome, _ = await state_of(store, "+9991")

    assert Outcome.ACCEPTED is outcome
    assert not await in_the_morning(store, worker, ticking)


async def test_a_cancelled_campaign_calls_nobody_again(
    store: Store, ticking: Ticking
) -> None:
    """
    Nor does it say that somebody could.
    """
    _, worker = await called(store)
    await worker.leave(CampaignState.CANCELLED)
    await store.ledger.receive([receipt("X-0")])
    told = (await status_of(store.ledger)).due_again
    worker = await store.ledger.join("june", load, cancelled=True)

    assert 0 == told
    assert not await in_the_morning(store, worker, ticking)
    assert 2 == (await status_of(store.ledger)).accepted


async def test_a_second_round_that_is_deleted(
    tables: SQLStore, ticking: Ticking
) -> None:
    """
    Whom it may have called, the first one does not call again once it is gone.
    """
    assert isinstance(tables.ledger, SQLLedger)
    _, worker = await called(tables)
    await worker.leave(CampaignState.FINISHED)
    await tables.ledger.receive([receipt("X-0")])
    follows = Follows(campaign="june", states=(CallState.EXPIRED,))
    plan = attrs.evolve(planned_as("july", tag="9876543210"), follows=follows)
    draft = await tables.ledger.draft(plan)
    await draft.add([], [])
    await draft.publish({"read": 0, **COUNTS})
    second = await tables.ledger.join("july", load)
    await second.leave(CampaignState.FINISHED)
    await tables.ledger.delete("july")
    worker = await tables.ledger.join("june", load)

    assert not await in_the_morning(tables, worker, ticking)


async def test_a_second_round_that_stays_behind(
    tables: SQLStore, tmp_path: Path, ticking: Ticking
) -> None:
    """
    The same where the first one is moved to another ledger.
    """
    assert isinstance(tables.ledger, SQLLedger)
    _, worker = await called(tables)
    await worker.leave(CampaignState.FINISHED)
    await tables.ledger.receive([receipt("X-0")])
    follows = Follows(campaign="june", states=(CallState.EXPIRED,))
    plan = attrs.evolve(planned_as("july", tag="9876543210"), follows=follows)
    draft = await tables.ledger.draft(plan)
    await draft.add([], [])
    await draft.publish({"read": 0, **COUNTS})
    second = await tables.ledger.join("july", load)
    await second.leave(CampaignState.FINISHED)
    (tmp_path / "there").mkdir()
    there = SQLiteStore(tmp_path / "there")
    await there.open()
    assert isinstance(there.ledger, SQLLedger)
    await tables.ledger.move("june", there.ledger, to="there").go()
    worker = await there.ledger.join("june", load)
    is_due = await in_the_morning(there, worker, ticking)
    await there.close()

    assert not is_due


@pytest.mark.parametrize("comes_before", [True, False])
async def test_a_backup_whose_other_people_are_sent_again(
    tmp_path: Path, ticking: Ticking, *, comes_before: bool
) -> None:
    """
    The lost ledger may have called someone again; that others of the same batch are
    sent by the restored one makes nobody due there.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    batch, worker = await planned(store)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    told = BatchResult(batch, ACCEPTED, {1: AGAIN}, ["X-0", ""], 1)
    await worker.record(claim, told, BEFORE + 5)
    if comes_before:
        await store.ledger.receive([receipt("X-0")])
    await worker.leave(CampaignState.PAUSED)
    assert isinstance(store.ledger, SQLiteLedger)
    await store.ledger.back_up(tmp_path / "backup.db")
    await store.close()
    async with await SQLiteLedger.open(tmp_path / "backup.db") as copy:
        await copy.restore()
        set_to(ticking, OPENS)
        worker = await copy.join("june", load)
        await worker.resolve(resend=True, process_is_gone=True)
        (due,) = await given(worker)
        await accepted(worker, batch, ["X-0", "Y-1"], [1])
        await copy.receive([receipt("X-0")])
        found = await worker.due(5)
        audit = await copy.audit(deep=True)

    assert [1] == due.known.places(Outcome.PENDING)
    assert isinstance(found, Finished)
    assert [] == audit.findings


async def test_who_waits_for_others_of_their_batch(
    store: Store, ticking: Ticking
) -> None:
    """
    Who has expired and shares a batch with someone pending is due again once that one
    was sent, on the same day, and told of until then.
    """
    batch, worker = await planned(store)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    told = BatchResult(batch, ACCEPTED, {1: AGAIN}, ["X-0", ""], 1)
    await worker.record(claim, told, OPENS)
    await store.ledger.receive([receipt("X-0")])
    waiting = await status_of(store.ledger)
    set_to(ticking, OPENS)
    (first,) = await given(worker)
    await accepted(worker, batch, ["X-0", "Y-1"], [1])
    (second,) = await given(worker)

    assert (1, 1) == (waiting.pending, waiting.due_again)
    assert [1] == first.known.places(Outcome.PENDING)
    assert [0] == second.known.places(Outcome.PENDING)


def test_an_answer_without_names_leaves_none() -> None:
    """
    Those of an earlier answer were of another request, which may have expired while the
    last one rang.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    due = BatchResult(batch, Verdict(Outcome.PENDING))
    delivery = Delivery(due, Policy(), 60.0, lambda: BEFORE)
    item = ResponseItem(Meaning.ACCEPTED, "1001", "Queued")
    delivery.note_transactions(Answer([item], ["X-0", "X-1"]), [0, 1])
    delivery.note_transactions(Answer([item]), [1])
    one = list(delivery.result().transaction_ids)
    delivery.note_transactions(Answer([item]), [0, 1])

    assert ["X-0", ""] == one
    assert not any(delivery.result().transaction_ids)

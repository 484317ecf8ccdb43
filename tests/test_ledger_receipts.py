"""
What receipts change in a ledger, one fact at a time.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    PROVEN,
    TAG,
    SQLiteStore,
    Store,
    Ticking,
    all_of,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
    two_planned,
)
from making import batch_of

from voicepush.ledger.bodies import pack_bodies, unpack_bodies
from voicepush.ledger.protocol import Finished
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.call import CallState, Receipt, Received, Report
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination
from voicepush.model.status import CampaignState
from voicepush.receipts.call_state import call_of

ACCEPTED, AGAIN, REJECTED, _, IN_DOUBT = ANSWERS[:5]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


def receipt(  # noqa: PLR0913 -- names of a call
    code: str = "7407",
    *,
    place: int | None = None,
    correlation_id: str = "",
    batch: str = "",
    transaction: str = "",
    recipient: str = "",
    at: float | None = None,
    body: bytes = b"{}",
    received_at: float = 5.0,
) -> Receipt:
    """
    A receipt of *place* in the first batch, or of whoever is named otherwise.
    """
    return Receipt(
        body=body,
        received_at=received_at,
        reports=[
            Report(
                call=call_of(code, "", "", at),
                correlation_id=correlation_id
                or ("" if place is None else f"{TAG}-0-{place}"),
                callback_data=batch,
                transaction_id=transaction,
                recipient=recipient,
            )
        ],
    )


async def outcomes_of(store: Store) -> list[Verdict]:
    """
    What is known of everyone in the first batch.
    """
    (result,) = await all_of(store.ledger.results("june", [*Outcome]))
    return [result.at(place) for place in range(len(result.batch))]


async def test_a_receipt_that_comes_before_the_record(store: Store) -> None:
    """
    Its recipient is accepted at once; what the answer says of the others stands.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await store.ledger.receive([receipt(place=0)])
    before = await status_of(store.ledger)
    await worker.record(claimed, BatchResult(batch, IN_DOUBT))
    after = await status_of(store.ledger)

    assert (1, 1, 0) == (before.accepted, before.in_flight, before.unknown)
    assert (1, 0, 1) == (after.accepted, after.in_flight, after.unknown)
    assert [PROVEN, IN_DOUBT] == await outcomes_of(store)


async def test_an_answer_that_accepts_is_kept_beside_a_receipt(store: Store) -> None:
    """
    Its code and its transaction id say more than that there was a receipt.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await store.ledger.receive([receipt(place=0)])
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, ("t-0", "t-1"), 1))
    (found,) = await store.ledger.lookup("+9991")

    assert (ACCEPTED[:2], "t-0") == (found.result[1:3], found.result.transaction_id)


async def test_who_has_a_receipt_is_not_asked_for_again(store: Store) -> None:
    """
    The service dialled, said 7006, and is about to be asked again.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, AGAIN, {}, (), 1))
    await store.ledger.receive([receipt(place=1)])
    again = is_claimed(await worker.claim(batch, [0, 1]))

    assert ([0], {1: PROVEN}) == (list(again.places), again.left_out)
    assert 1 == (await status_of(store.ledger)).in_flight


async def test_a_batch_of_which_all_have_receipts_is_not_given_again(
    store: Store,
) -> None:
    """
    It is recorded instead, and the campaign is finished.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, AGAIN, {}, (), 1), due_at=1.0)
    await store.ledger.receive([receipt(place=0), receipt(place=1)])

    assert await worker.open(batch.id) is None
    assert Finished() == await worker.due(5)
    await worker.leave(CampaignState.FINISHED)
    status = await status_of(store.ledger)
    assert (CampaignState.FINISHED, 2) == (status.state, status.accepted)


@pytest.mark.parametrize("resend", [False, True])
async def test_receipts_that_come_while_the_dispatcher_is_dead(
    store: Store, *, resend: bool
) -> None:
    """
    Who has one is accepted; the other is unknown, or sent again where that is wanted.
    """
    batch, worker = await two_planned(store.ledger, resend=resend)
    await worker.claim(batch, [0, 1])
    await store.ledger.receive([receipt("7519", place=0, at=3.0)])
    await store.crash(old=True)
    successor = await store.ledger.join("june", load)
    status = await status_of(store.ledger)
    found = await successor.due(5)

    assert 1 == status.accepted
    assert (0, 1) == (status.unknown, status.pending)[:: 1 if resend else -1]
    assert resend is not isinstance(found, Finished)


async def test_who_has_a_receipt_is_left_out_of_resending(store: Store) -> None:
    """
    Whatever an owner decides about the unknown, given up or not.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, IN_DOUBT, {}, (), 1))
    await store.ledger.receive([receipt(place=1)])
    (doubt,) = await store.ledger.unknown("june")
    resolved = await worker.resolve(resend=True)
    again = is_claimed(await worker.claim(batch, [0, 1]))

    assert (1, 1, 1) == (doubt.unknown, doubt.accepted, doubt.receipts)
    assert doubt.last_receipt is not None
    assert 1 == resolved.recipients
    assert [0] == list(again.places)


async def test_who_was_given_up_and_has_a_receipt_is_accepted(store: Store) -> None:
    """
    The sums hold, and nobody is counted as given up who was called.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, IN_DOUBT, {}, (), 1))
    await worker.resolve(resend=False)
    await store.ledger.receive([receipt(place=0)])
    status = await status_of(store.ledger)
    (found,) = await store.ledger.lookup("+9991")

    assert (1, 1, 1) == (status.accepted, status.unknown, status.given_up)
    assert not found.given_up
    assert [] == await store.ledger.unknown("june")


@pytest.mark.parametrize("recorded", [REJECTED, ANSWERS[3], IN_DOUBT])
async def test_a_receipt_outweighs_what_was_recorded(
    store: Store, recorded: Verdict
) -> None:
    """
    A service may dial and refuse.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, recorded, {}, (), 1))
    await store.ledger.receive([receipt(place=0)] * 3)
    status = await status_of(store.ledger)

    assert [PROVEN, recorded] == await outcomes_of(store)
    assert (1, 1) == (status.accepted, getattr(status, recorded.outcome.value))


async def test_what_became_of_the_calls_adds_up_to_the_accepted(store: Store) -> None:
    """
    Of whom nothing was heard yet are on their way.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, (), 1))
    assert (await status_of(store.ledger)).calls is None
    await store.ledger.receive(
        [receipt("7409", place=0, at=30.0), receipt("7519", place=0, at=9.0)]
    )
    calls = (await status_of(store.ledger)).calls
    (found,) = await store.ledger.lookup("+9991")

    assert calls is not None
    assert (1, 1, 0) == (calls.reached, calls.on_its_way, calls.dropped)
    assert found.call is not None
    assert (CallState.REACHED, 21.0) == (found.call.state, found.call.heard)
    assert [1, 0] == [await store.ledger.heard_for("june", s) for s in (21, 22)]


# Whose it is


@pytest.fixture
async def everyone(store: Store) -> Store:
    """
    A ledger with recipients of every kind, all accepted, each with a transaction id.
    """
    batches = [
        batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"]),
        batch_of(MESSAGE, f"{TAG}-1", [Destination("+9993", correlation_id="own-3")]),
        batch_of(MESSAGE, f"{TAG}-2", [Destination(["+9994", "+9995"])]),
        batch_of(MESSAGE, f"{TAG}-3", [Destination(customer_id="Ann 6")]),
        batch_of(MESSAGE, f"{TAG}-4", [Destination(customer_id="two\nlines")]),
    ]
    await publish(store.ledger, planned_as(), *batches)
    worker = await store.ledger.join("june", load)
    for number, batch in enumerate(batches):
        claimed = is_claimed(await worker.claim(batch, range(len(batch))))
        result = BatchResult(batch, ACCEPTED, {}, (f"x{number}",), 1)
        await worker.record(claimed, result)
    return store


@pytest.mark.parametrize(
    ("names", "value"),
    [
        ({"place": 1}, "+9992"),
        ({"correlation_id": "own-3"}, "+9993"),
        ({"correlation_id": f"{TAG}-2-0", "recipient": "9995"}, "+9995"),
        ({"correlation_id": f"{TAG}-3-0"}, "Ann 6"),
        ({"correlation_id": f"{TAG}-4-0"}, "two\nlines"),
        ({"batch": f"{TAG}-0", "recipient": "9992"}, "+9992"),
        ({"batch": f"{TAG}-1", "correlation_id": "own-3"}, "+9993"),
        ({"batch": f"{TAG}-4", "recipient": "two\nlines"}, "two\nlines"),
        ({"correlation_id": f"{TAG}-0-a01ab", "recipient": "+9991"}, "+9991"),
        ({"transaction": "x0", "recipient": "009991"}, "+9991"),
        ({"transaction": "x2_17", "recipient": "+9995"}, "+9995"),
        ({"transaction": "x3", "recipient": "Ann 6"}, "Ann 6"),
    ],
)
async def test_a_call_is_found_by_any_of_its_names(
    everyone: Store, names: dict[str, str], value: str
) -> None:
    """
    Ours, the owner's or the platform's, with a number whose plus is lost.
    """
    named = receipt("7519", **names)  # type: ignore[arg-type]
    (lookup,) = await everyone.ledger.whose(named.reports)
    found = await everyone.ledger.receive([named])
    reached = [
        each
        for each in ("+9991", "+9992", "+9993", "+9994", "+9995", "Ann 6", "two\nlines")
        if (await everyone.ledger.lookup(each))[0].call is not None
    ]

    assert Received(applied=1) == found
    assert lookup is not None
    assert [value] == [lookup.result.recipient] == reached


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"recipient": "+9991"},
        {"recipient": "+9991", "transaction": "x1"},
        {"recipient": "+9991", "transaction": "x"},
        {"recipient": "+9991", "transaction": "x0_"},
        {"recipient": "+9991", "transaction": "x0_1b"},
        {"recipient": "+9996", "batch": f"{TAG}-0"},
        {"correlation_id": "own-33"},
        {"correlation_id": "own"},
        {"correlation_id": "own-3\nown-3"},
        {"correlation_id": f"{TAG}-9-0"},
        {"correlation_id": f"{TAG}-0-2"},
        {"correlation_id": "9876543210-0-0"},
        {"correlation_id": f"{TAG}-2-0", "recipient": "+9991"},
        {"correlation_id": f"{TAG}-2-0"},
        {"transaction": "x0"},
        {"correlation_id": "'; DROP TABLE call; --", "recipient": "<b>"},
        {"correlation_id": "\x00", "transaction": "\x00", "recipient": "\x00"},
    ],
)
async def test_what_names_nobody_is_kept_aside(
    everyone: Store, names: dict[str, str]
) -> None:
    """
    A number alone, which others may have, is nobody's name.
    """
    named = receipt("7519", **names)  # type: ignore[arg-type]
    assert [None] == await everyone.ledger.whose(named.reports)
    found = await everyone.ledger.receive([named])
    counts = await everyone.ledger.receipt_counts()

    assert Received(unplaced=1) == found
    assert (1, 1) == (counts.received, counts.unplaced)
    assert (await status_of(everyone.ledger)).calls is None


async def test_a_receipt_that_names_its_recipient_teaches_the_transaction(
    store: Store,
) -> None:
    """
    What came before under that id is placed then, and what comes after at once; with
    the same number as another's it says nothing of that one.
    """
    await two_planned(store.ledger)
    hung_up = receipt("7410", transaction="y", recipient="9991")
    before = await store.ledger.receive([hung_up])
    other = await store.ledger.receive(
        [receipt("7411", transaction="y", recipient="9992")]
    )
    named = await store.ledger.receive([receipt(place=0, transaction="y")])
    await store.close()
    await store.open()
    after = await store.ledger.receive([hung_up])
    (found,) = await store.ledger.lookup("+9991")

    assert Received(unplaced=1) == before == other
    assert Received(applied=1, placed_late=1) == named
    assert Received(applied=1) == after
    assert found.call is not None
    assert "7410" == found.call.code
    assert 1 == (await store.ledger.receipt_counts()).unplaced


async def test_a_record_may_tell_whose_a_receipt_was(
    store: Store, ticking: Ticking
) -> None:
    """
    It is looked for again after a while.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await store.ledger.receive([receipt("7410", transaction="x_1", recipient="9992")])
    assert Received() == await store.ledger.place_again()
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, ("x",), 1))
    ticking.move(6)

    assert Received(placed_late=1) == await store.ledger.place_again()
    assert 0 == (await store.ledger.receipt_counts()).unplaced


async def test_a_draft_gets_no_receipts(store: Store) -> None:
    """
    Its ids were never sent.
    """
    draft = await store.ledger.draft(planned_as())
    await draft.add([batch_of(MESSAGE, f"{TAG}-0", ["+9991"])])

    assert Received(unplaced=1) == await store.ledger.receive([receipt(place=0)])
    assert Received(unplaced=1) == await store.ledger.receive(
        [receipt(transaction="x", recipient="+9991")]
    )


async def test_two_ledgers_of_a_file_see_the_same(tmp_path: Path) -> None:
    """
    Who receives is another process than who dispatches.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    async with await SQLiteLedger.open(store.path) as other:
        await other.receive([receipt(place=0)])
        await worker.record(claimed, BatchResult(batch, IN_DOUBT, {}, (), 1))
        await other.receive([receipt(place=1)])
    status = await status_of(store.ledger)
    await store.close()

    assert (2, 0) == (status.accepted, status.unknown)


# Bodies


async def test_bodies_are_found_again_until_they_are_forgotten(store: Store) -> None:
    """
    What they have said stays known.
    """
    await two_planned(store.ledger)
    await store.ledger.receive(
        [
            receipt(place=0, body=b"1"),
            receipt(place=1, body=b"2"),
            receipt("7519", place=0, body=b"3", received_at=9.0),
        ]
    )
    await store.ledger.receive([receipt(place=0, body=b"4", received_at=9.0)])
    await store.ledger.receive([Receipt(body=b"?", received_at=5.0)])
    (before,) = await store.ledger.lookup("+9991")
    while await store.ledger.forget_bodies(9.5):
        pass
    (after,) = await store.ledger.lookup("+9991")
    counts = await store.ledger.receipt_counts()

    assert (b"1", b"3", b"4") == before.receipts
    assert () == after.receipts
    assert before.call == after.call
    assert (5, 0) == (counts.received, counts.unreadable)


async def test_refused_requests_are_counted(store: Store) -> None:
    """
    With or without receipts beside them.
    """
    await store.ledger.receive([], refused=3)
    await store.ledger.receive([Receipt(body=b"", received_at=5.0)], refused=1)
    counts = await store.ledger.receipt_counts()

    assert (1, 4, 1) == (counts.received, counts.refused, counts.unreadable)


@given(st.lists(st.binary()))
def test_packed_bodies_are_what_they_were(bodies: list[bytes]) -> None:
    """
    Whatever was posted.
    """
    assert bodies == unpack_bodies(pack_bodies(bodies))


async def test_a_receipt_corrects_the_transaction_that_an_answer_gave_to_another(
    store: Store,
) -> None:
    """
    Elements without ids are taken in the order of their request, and may have come in
    another; what a receipt with an id says of its call is believed.
    """
    batch, worker = await two_planned(store.ledger)
    claimed = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claimed, BatchResult(batch, ACCEPTED, {}, ("t-1", "t-0"), 1))
    told = [receipt("7408", place=at, transaction=f"t-{at}") for at in range(2)]
    nameless = [
        receipt("7410", transaction=f"t-{at}", recipient=f"+999{at + 1}")
        for at in range(2)
    ]
    received = [await store.ledger.receive(each) for each in (nameless, told)]
    status = await status_of(store.ledger)

    assert [Received(unplaced=2), Received(applied=2, placed_late=2)] == received
    assert status.calls is not None
    assert 2 == status.calls.not_reached

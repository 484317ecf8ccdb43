"""
Who is listed was called, whatever is recorded; who is not stays as they are.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
    Store,
    Ticking,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from listing import HEADERS, payload, row, table, write
from making import batch_of

from voicepush import clock
from voicepush.ledger import Worker
from voicepush.model.batch import Batch
from voicepush.model.call import CallState
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient
from voicepush.model.status import CampaignState, Lookup
from voicepush.receipts.evidence.reading import read_evidence
from voicepush.receipts.evidence.settling import Row, Settled, settle
from voicepush.receipts.receipt import read_receipt
from voicepush.report.unknown import Advice, advised

pytestmark = pytest.mark.usefixtures("in_a_folder")

ACCEPTED, AGAIN, REJECTED, NOT_SENT, IN_DOUBT = ANSWERS[:5]

OTHER = "abcdef0123"


async def sent(
    store: Store,
    recipients: Sequence[Recipient],
    *verdicts: Verdict,
    name: str = "june",
    tag: str = TAG,
    transaction_ids: Sequence[str] = (),
) -> tuple[Batch, Worker]:
    """
    A campaign of one batch, that was sent and answered with *verdicts*, one for each
    place; without them it is only planned.
    """
    batch = batch_of(MESSAGE, f"{tag}-0", recipients)
    await publish(store.ledger, planned_as(name, tag=tag), batch)
    worker = await store.ledger.join(name, load)
    if verdicts:
        told = list(verdicts)
        if len(told) == 1:
            told *= len(recipients)
        claimed = is_claimed(await worker.claim(batch, range(len(recipients))))
        result = BatchResult.of_places(batch, told, transaction_ids, attempts=1)
        await worker.record(claimed, result)
    return batch, worker


async def leave(worker: Worker) -> None:
    """
    Let the campaign end.
    """
    await worker.leave(CampaignState.FINISHED)


def people(number: int) -> list[str]:
    """
    Those whom `row` lists.
    """
    return [f"+{row(place)[2]}" for place in range(number)]


async def settled(
    store: Store, *paths: Path, name: str = "june", apply: bool = True
) -> Settled:
    """
    What came of the evidence in *paths*.
    """
    files = map(read_evidence, paths)
    return await settle(store.ledger, name, files, apply=apply)


def counts(found: Settled) -> dict[str, int]:
    """
    All of *found* that is not zero.
    """
    return {
        name: value
        for name, value in attrs.asdict(found).items()
        if isinstance(value, int) and value
    }


async def only(store: Store, value: str, name: str = "june") -> Lookup:
    """
    What is known of someone in a campaign.
    """
    (found,) = [
        each for each in await store.ledger.lookup(value) if each.campaign == name
    ]
    return found


async def test_a_thousand_unknown_of_whom_seven_hundred_are_listed(
    store: Store,
) -> None:
    """
    Under other headers and another delimiter: they are accepted, and the other three
    hundred stay unknown.
    """
    _, worker = await sent(store, people(1000), IN_DOUBT)
    await leave(worker)
    listed = [row(place) for place in range(300, 1000)]
    headers = ["Txn ID", "Corr. ID", "Mobile Number", "Delivery Status"]
    path = write(table(listed, headers, delimiter=";", above=[["Export Logs"]]))

    found = await settled(store, path)
    status = await status_of(store.ledger)
    (doubt,) = await store.ledger.unknown("june")

    assert {"proven": 700, "new": 700} == counts(found)
    assert (700, 300) == (status.accepted, status.unknown)
    assert (300, 700, 700) == (doubt.unknown, doubt.accepted, doubt.receipts)
    assert status.calls is not None
    assert 700 == status.calls.reached


async def test_a_dry_run_changes_nothing(store: Store) -> None:
    """
    And tells the same.
    """
    _, worker = await sent(store, people(3), IN_DOUBT)
    await leave(worker)
    path = write(table([row(0), row(1), row(1), row(9)]))
    before = (await status_of(store.ledger), await store.ledger.receipt_counts())

    dry = await settled(store, path, apply=False)
    after = (await status_of(store.ledger), await store.ledger.receipt_counts())
    done = await settled(store, path)

    assert {"proven": 2, "repeated": 1, "foreign": 1, "new": 3} == counts(dry)
    assert dry == done
    assert before == after


async def test_the_same_file_again_changes_nothing(store: Store) -> None:
    """
    Not even what is kept of a call.
    """
    _, worker = await sent(store, people(4), IN_DOUBT)
    await leave(worker)
    path = write(table([*map(row, range(3)), row(1, status="no answer"), row(2)]))
    await settled(store, path)
    before = (
        await status_of(store.ledger),
        await store.ledger.receipt_counts(),
        [await only(store, each) for each in people(4)],
    )

    again = await settled(store, path)

    assert {"accepted": 5} == counts(again)
    assert before == (
        await status_of(store.ledger),
        await store.ledger.receipt_counts(),
        [await only(store, each) for each in people(4)],
    )


async def test_each_row_is_kept_as_it_stood(store: Store) -> None:
    """
    So that a lookup can show why someone is taken for accepted.
    """
    _, worker = await sent(store, people(1), IN_DOUBT)
    await leave(worker)
    await settled(store, write(table([row(0, status="busy")])))
    found = await only(store, people(1)[0])

    assert [dict(zip(HEADERS, row(0, status="busy"), strict=True))] == [
        json.loads(body) for body in found.receipts
    ]
    assert found.call is not None
    assert (CallState.NOT_REACHED, "busy") == (found.call.state, found.call.words)


async def test_it_works_while_another_dispatches(store: Store) -> None:
    """
    Nothing has to be held: who is under way and listed is accepted, and left out.
    """
    batch, worker = await sent(store, people(2))
    claimed = is_claimed(await worker.claim(batch, [0, 1]))

    found = await settled(store, write(table([row(0)])))
    await worker.record(claimed, BatchResult(batch, IN_DOUBT))
    status = await status_of(store.ledger)

    assert {"in_flight": 1, "new": 1} == counts(found)
    assert (1, 1) == (status.accepted, status.unknown)


async def test_whatever_was_recorded(store: Store) -> None:
    """
    Who is listed was called, also where the answer said no; that is counted apart.
    """
    verdicts = [ACCEPTED, REJECTED, NOT_SENT, IN_DOUBT]
    await sent(store, people(4), *verdicts)
    found = await settled(store, write(table(map(row, range(4)))))
    status = await status_of(store.ledger)

    assert {"accepted": 1, "corrected": 2, "proven": 1, "new": 4} == counts(found)
    assert 4 == status.accepted


async def test_whom_their_owner_had_given_up(store: Store) -> None:
    """
    They are accepted as well, and told.
    """
    _, worker = await sent(store, people(2), IN_DOUBT)
    await worker.resolve(resend=False)
    found = await settled(store, write(table([row(1)])))
    status = await status_of(store.ledger)

    assert {"proven": 1, "given_up": 1, "new": 1} == counts(found)
    assert (1, 1, 1) == (status.accepted, status.unknown, status.given_up)


async def test_an_expired_call_was_taken(store: Store) -> None:
    """
    Listed means accepted; what became of it is another matter.
    """
    _, worker = await sent(store, people(1), IN_DOUBT)
    await leave(worker)
    await settled(store, write(table([row(0, status="Expired")])))
    status = await status_of(store.ledger)

    assert status.calls is not None
    assert (1, 0, 1) == (status.accepted, status.expired, status.calls.expired)


async def test_other_campaigns_are_left_alone(store: Store) -> None:
    """
    A log holds all that a service has sent.
    """
    _, one = await sent(store, people(2), IN_DOUBT)
    _, other = await sent(store, people(2), IN_DOUBT, name="july", tag=OTHER)
    await leave(one)
    await leave(other)
    path = write(table([row(0), row(0, tag=OTHER), row(1, tag=OTHER)]))

    found = await settled(store, path)

    assert {"proven": 1, "elsewhere": 2, "new": 1} == counts(found)
    assert [1, 2] == [
        (await status_of(store.ledger, name)).unknown for name in ("june", "july")
    ]


async def test_a_number_alone_names_nobody(store: Store) -> None:
    """
    Anyone may have called it.
    """
    await sent(store, people(3), IN_DOUBT)
    rows = [["", "", row(0)[2], "Answered"], ["t-1", "", row(1)[2], "Answered"]]
    found = await settled(store, write(table(rows)))

    assert {"nameless": 2} == counts(found)
    assert 3 == (await status_of(store.ledger)).unknown
    assert 0 == (await store.ledger.receipt_counts()).unplaced


async def test_a_transaction_id_of_an_answer_and_a_number(store: Store) -> None:
    """
    Together they name someone, as where a log has empty correlation ids.
    """
    verdicts = [ACCEPTED, IN_DOUBT]
    await sent(store, people(2), *verdicts, transaction_ids=["t-0", "t-1"])
    rows = [["t-0", "", row(0)[2], "busy"], ["t-1", "", row(1)[2], "Answered"]]
    found = await settled(store, write(table(rows)))

    assert {"accepted": 1, "proven": 1, "new": 2} == counts(found)
    assert 2 == (await status_of(store.ledger)).accepted


async def test_several_numbers_share_an_id(store: Store) -> None:
    """
    Each has a call of its own; that the platform took one says so of the others.
    """
    await sent(store, [Destination([*people(2)])], IN_DOUBT)
    rows = [["t", f"{TAG}-0-0", row(at)[2], "busy"] for at in (0, 1)]
    found = await settled(store, write(table(rows)))

    assert {"proven": 2, "new": 2} == counts(found)
    assert 2 == (await status_of(store.ledger)).accepted


async def test_customer_ids(store: Store) -> None:
    """
    They are found by our correlation id, whatever the log has in place of a number.
    """
    recipients = [Destination(customer_id=each) for each in ("Ann", "Ben")]
    await sent(store, recipients, IN_DOUBT)
    rows = [["t", f"{TAG}-0-1", "999000000000", "busy"]]
    await settled(store, write(table(rows)))

    assert [Outcome.UNKNOWN, Outcome.ACCEPTED] == [
        (await only(store, each)).result.outcome for each in ("Ann", "Ben")
    ]


async def test_notifications_that_failed(store: Store) -> None:
    """
    They are receipts that nobody took at their time.
    """
    await sent(store, people(3), IN_DOUBT)
    by_batch = payload(1, correlationid="", callbackData=f"{TAG}-0-a12345678")
    path = write("\n".join(map(json.dumps, [payload(0), by_batch])), "failed.json")
    found = await settled(store, path)

    assert {"proven": 2, "new": 2} == counts(found)
    assert 2 == (await status_of(store.ledger)).accepted


async def test_evidence_is_no_sign_that_receipts_arrive(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Otherwise silence about those who are not listed would speak for itself.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    await sent(store, people(2), IN_DOUBT)
    await sent(store, people(2), IN_DOUBT, name="july", tag=OTHER)
    ticking.move(7200)
    await settled(store, write(table([row(0), row(1)])))
    ledger = store.ledger
    (july,) = advised(
        await ledger.unknown("july"),
        await status_of(ledger, "july"),
        await ledger.receipt_counts(),
    )
    told = read_receipt(json.dumps(payload(0)).encode(), clock.now())
    await ledger.receive([told])
    ticking.move(7200)
    before = await ledger.receipt_counts()
    await settled(store, write(table([row(0, tag=OTHER)])), name="july")
    after = await ledger.receipt_counts()

    assert Advice.NO_RECEIPTS is july.advice
    assert before.last_at == after.last_at == told.received_at


async def test_several_files_are_one(store: Store) -> None:
    """
    Nobody counts twice.
    """
    await sent(store, people(3), IN_DOUBT)
    paths = [
        write(table([row(0), row(1)]), "a.csv"),
        write(json.dumps([payload(1), payload(2)]), "b.json"),
    ]
    dry = await settled(store, *paths, apply=False)
    found = await settled(store, *paths)

    assert {"proven": 3, "repeated": 1, "new": 4} == counts(dry)
    assert dry == found


async def test_rows_that_prove_nothing_are_counted(store: Store) -> None:
    """
    The first that can't be understood are told by number.
    """
    await sent(store, people(3), IN_DOUBT)
    rows = [row(0, status="Invalid"), row(1), *([["", "", "x", ""]] * 7)]
    found = await settled(store, write(table(rows)))

    assert {"proven": 1, "unproven": 1, "unreadable": 7, "new": 1} == counts(found)
    assert [Row("export.csv", row) for row in range(4, 9)] == found.unreadable_rows
    assert 9 == found.read


async def test_a_silent_pipe_can_be_left(store: Store) -> None:
    """
    Whoever waits for its next row can be interrupted.
    """
    await sent(store, people(1), IN_DOUBT)
    reading, writing = os.pipe()
    with read_evidence(f"/dev/fd/{reading}") as file:
        task = asyncio.create_task(settle(store.ledger, "june", [file]))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    os.close(writing)
    os.close(reading)

    assert 1 == (await status_of(store.ledger)).unknown


# The owner's correlation ids, which may come again.


def own(*places: int) -> list[Recipient]:
    """
    Recipients with ids of their owner's.
    """
    return [
        Destination(people(place + 1)[-1], correlation_id=f"order-{place}")
        for place in places
    ]


def ordered(place: int, transaction_id: str = "t") -> list[str]:
    """
    The row of one of them.
    """
    return [transaction_id, f"order-{place}", row(place)[2], "Answered"]


async def test_own_ids(store: Store) -> None:
    """
    They name whom they were given to.
    """
    await sent(store, own(0, 1), IN_DOUBT)
    found = await settled(store, write(table([ordered(1)])))

    assert {"proven": 1, "new": 1} == counts(found)
    assert Outcome.ACCEPTED is (await only(store, people(2)[1])).result.outcome


async def test_own_ids_of_a_call_that_has_another_name(store: Store) -> None:
    """
    It is told apart by the transaction id that an answer gave, and each campaign gets
    what is its own.
    """
    ids = ["t-june"]
    await sent(store, own(0), ACCEPTED, transaction_ids=ids)
    await sent(store, own(0), IN_DOUBT, name="july", tag=OTHER)
    path = write(table([ordered(0, "t-june"), ordered(0, "t-july")]))

    june = await settled(store, path, name="june")
    july = await settled(store, path, name="july")
    again = await settled(store, path, name="july")

    assert {"accepted": 1, "elsewhere": 1, "new": 1} == counts(june)
    assert {"proven": 1, "elsewhere": 1, "new": 1} == counts(july)
    assert {"accepted": 1, "elsewhere": 1} == counts(again)
    assert 1 == (await status_of(store.ledger, "july")).accepted


async def test_own_ids_that_may_be_of_either_campaign(store: Store) -> None:
    """
    Nobody is taken for called on a guess.
    """
    await sent(store, own(0), IN_DOUBT)
    await sent(store, own(0), IN_DOUBT, name="july", tag=OTHER)
    path = write(table([ordered(0)]))

    for name in ("june", "july"):
        assert {"doubtful": 1} == counts(await settled(store, path, name=name))


async def test_own_ids_of_people_who_were_not_sent_yet(store: Store) -> None:
    """
    The log tells of another ledger's call: they are still to be called by this one.
    """
    await sent(store, own(0))
    found = await settled(store, write(table([ordered(0)])))

    assert {"doubtful": 1} == counts(found)
    assert 1 == (await status_of(store.ledger)).pending


@pytest.mark.parametrize(
    ("days", "expected"), [(40, "doubtful"), (2, "doubtful"), (1, "proven")]
)
async def test_own_ids_of_an_earlier_call(
    store: Store, monkeypatch: pytest.MonkeyPatch, days: int, expected: str
) -> None:
    """
    A call before the request was another one, as far as zones of time leave that sure.
    """
    ticking = Ticking()
    ticking.patch(monkeypatch.setattr)
    await sent(store, own(0), IN_DOUBT)
    at = datetime.fromtimestamp(clock.now(), UTC) - timedelta(days=days)
    cells = [*ordered(0), f"{at:%Y-%m-%d %H:%M:%S}"]
    found = await settled(store, write(table([cells], [*HEADERS, "Created On"])))

    assert 1 == counts(found)[expected]


async def test_an_id_of_ours_is_always_believed(store: Store) -> None:
    """
    Nobody else makes one; a ledger that was restored from a copy may not know that it
    had sent them.
    """
    await sent(store, people(2))
    found = await settled(store, write(table([row(1)])))
    status = await status_of(store.ledger)

    assert {"corrected": 1, "new": 1} == counts(found)
    assert (1, 1) == (status.accepted, status.pending)

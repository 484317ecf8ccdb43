"""
A campaign in Kolkata whose people were accepted in the evening, and what the platform
says of their calls once their windows have closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from ledger_model import (
    ANSWERS,
    COUNTS,
    MESSAGE,
    TAG,
    Store,
    Ticking,
    given,
    is_claimed,
    load,
    planned_as,
)
from making import batch_of
from nights import at

from voicepush import Windows
from voicepush.ledger.opening import groups_of
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.protocol import Worker
from voicepush.model.batch import Batch
from voicepush.model.call import CallState, Receipt, Report
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Destination
from voicepush.receipts.call_state import call_of

KOLKATA = "Asia/Kolkata"
ACCEPTED = ANSWERS[0]
DAY = Windows.parse("09:00-21:00")
BEFORE, CLOSES, OPENS = (
    at("2027-06-01T20:00", KOLKATA),
    at("2027-06-01T21:00", KOLKATA),
    at("2027-06-02T09:00", KOLKATA),
)


def set_to(clock: Ticking, moment: float) -> None:
    """
    Set *clock*.
    """
    clock.microseconds = round(moment * 1_000_000)


async def planned(
    store: Store,
    *,
    people: Sequence[str | Destination] = ("+9991", "+9992"),
    windows: Windows | None = DAY,
    expires_at: float | None = None,
) -> tuple[Batch, Worker]:
    """
    A campaign in Kolkata with one batch, and its worker, who was given that.
    """
    group = PlannedGroup(number=1, message="{}", zones=(KOLKATA,) if windows else ())
    batch = batch_of(MESSAGE, f"{TAG}-0", people)
    batch.group = groups_of([group], load)[1]
    plan = attrs.evolve(planned_as(), windows=windows, expires_at=expires_at)
    draft = await store.ledger.draft(plan)
    await draft.add([batch], [group])
    await draft.publish({"read": batch.size, **COUNTS})
    worker = await store.ledger.join("june", load)
    await given(worker)
    return batch, worker


async def called(
    store: Store,
    *,
    names: Sequence[str] = ("X-0", "X-1"),
    people: Sequence[str | Destination] = ("+9991", "+9992"),
    windows: Windows | None = DAY,
    expires_at: float | None = None,
) -> tuple[Batch, Worker]:
    """
    The same, whose people were accepted.

    Args:
        names: The platform's for their calls.
    """
    batch, worker = await planned(
        store, people=people, windows=windows, expires_at=expires_at
    )
    await accepted(worker, batch, names)
    return batch, worker


async def accepted(
    worker: Worker, batch: Batch, names: Sequence[str], places: Sequence[int] = (0, 1)
) -> None:
    """
    Claim *places* of *batch*, which are accepted under those *names*.
    """
    claim = is_claimed(await worker.claim(batch, places))
    assert list(places) == list(claim.places)
    await worker.record(claim, BatchResult(batch, ACCEPTED, {}, names, 1))


def receipt(
    name: str, code: str = "7005", *, place: int = 0, recipient: str = ""
) -> Receipt:
    """
    What the platform says of the call that it calls *name*.
    """
    report = Report(
        call=call_of(code, "", "", CLOSES),
        correlation_id=f"{TAG}-0-{place}",
        transaction_id=name,
        recipient=recipient,
    )
    return Receipt(body=b"{}", received_at=CLOSES, reports=[report])


async def state_of(store: Store, value: str) -> tuple[Outcome, CallState | None]:
    """
    What is known of someone.
    """
    (found,) = await store.ledger.lookup(value)
    return found.result.outcome, None if found.call is None else found.call.state

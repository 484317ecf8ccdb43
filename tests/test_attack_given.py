"""
A look at what is due that takes long, while others of its process are fast.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from ledger_model import MESSAGE, TAG, Store, given, load, planned_as, publish
from making import batch_of

from voicepush.ledger.sql.giving import Giving
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
async def test_who_was_accepted_meanwhile_is_not_given_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It saw the batch before its claim, and looks at what was given after its record,
    where someone is pending again: the others must not be called twice.
    """
    begun, over = threading.Event(), threading.Event()
    next_rows = Giving.next_rows

    def slowly(*values: Any, **options: Any) -> Any:
        begun.set()
        over.wait(1)
        return next_rows(*values, **options)

    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9990", "+9991"])
    await publish(store.ledger, planned_as(), batch)
    worker = await store.ledger.join("june", load)
    await given(worker, 1)
    with monkeypatch.context() as patched:
        patched.setattr(Giving, "next_rows", slowly)
        looking = asyncio.create_task(worker.due(1))
        await asyncio.to_thread(begun.wait)
        claimed = await worker.claim(batch, [0, 1])
        assert isinstance(claimed, Claimed)
        busy = {1: Verdict(Outcome.PENDING, "7102", "busy")}
        result = BatchResult(batch, ACCEPTED, busy, (), 1)
        await worker.record(claimed, result, due_at=1.0)
        over.set()
        found = await looking
    due = [place for each in as_list(found) for place in pending(each)]
    again = await worker.due(1)

    assert 0 not in due
    assert [1] == due or [1] == [
        place for each in as_list(again) for place in pending(each)
    ]


def as_list(found: Any) -> list[Any]:
    """
    What is due, if anything is.
    """
    return found if isinstance(found, list) else []


def pending(due: Any) -> list[int]:
    """
    Who is pending in it.
    """
    return list(due.known.places(Outcome.PENDING))

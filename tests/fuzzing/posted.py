"""
Whatever is posted is kept and counted, and proves nobody whom it does not name.
"""

from __future__ import annotations

import asyncio

from sums import check_sums

from voicepush import (
    Batch,
    BatchId,
    Group,
    Kind,
    Outcome,
    Plan,
    Receipt,
    Recipients,
    VoiceMessage,
)
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.receipts.receipt import read_receipt

#: What inputs call the campaign. Its people have the ids ``deadbeef00-0-0`` to
#: ``deadbeef00-0-4``, and ``order-0`` to ``order-4`` of their owner's own.
TAG = "deadbeef00"

_GROUP = Group(VoiceMessage(media="welcome"))
_PEOPLE = [f"+99900000000{place}" for place in range(5)]
_OWN_IDS = [f"order-{place}" for place in range(5)]


def check(data: bytes) -> None:
    """
    Let a ledger receive *data* twice, and hold it against what it knows of its people.
    """
    asyncio.run(_check(read_receipt(data, 1.0)))


async def _check(receipt: Receipt) -> None:
    ledger = await _planned()
    first = await ledger.receive([receipt])
    once = await ledger.status("june")
    again = await ledger.receive([receipt])
    twice = await ledger.status("june")
    counts = await ledger.receipt_counts()

    assert once is not None
    assert once == twice
    check_sums(once)
    assert 2 == counts.received
    said = max(1, len(receipt.reports))
    assert said == first.applied + first.unplaced + first.unreadable
    assert said == again.applied + again.unplaced + again.unreadable
    assert once.accepted <= first.applied + first.placed_late
    # Without one of these names in it, it speaks of nobody here.
    names = (TAG, *_OWN_IDS)
    named = {
        each
        for report in receipt.reports
        for each in (report.correlation_id, report.callback_data)
        if each.startswith(names)
    }
    assert named or not once.accepted
    async for result in ledger.results("june", [*Outcome]):
        outcomes = {each.outcome for each in result}
        assert outcomes <= {Outcome.PENDING, Outcome.ACCEPTED}


async def _planned() -> MemoryLedger:
    ledger = MemoryLedger()
    draft = await ledger.draft(Plan(campaign="june", message="{}", source="s", tag=TAG))
    rows = range(1, len(_PEOPLE) + 1)
    made = Recipients(Kind.MSISDN, _PEOPLE, rows)
    own = Recipients(Kind.MSISDN, _PEOPLE, rows, _OWN_IDS)
    await draft.add(
        [
            Batch(BatchId(TAG, number), each, _GROUP)
            for number, each in enumerate((made, own))
        ]
    )
    read = len(_PEOPLE) * 2
    nobody = dict.fromkeys(("invalid", "duplicate", "suppressed"), 0)
    await draft.publish({"read": read, **nobody})
    return ledger

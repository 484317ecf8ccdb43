"""
Batches in memory with everything that is known of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from voicepush.ledger import decisions
from voicepush.ledger.memory.campaign import Row
from voicepush.model.in_full import BatchInFull, KeptReceipt


async def in_full(rows: Iterable[Row]) -> AsyncIterator[BatchInFull]:
    """
    The batches in *rows*, each with its calls and receipts.
    """
    for row in rows:
        yield BatchInFull(
            result=row.shown,
            in_flight=row.in_flight,
            given_up=frozenset(decisions.still_given_up(row.known, row.given_up)),
            claimed=row.claimed_at,
            recorded=row.recorded_at,
            calls={recipient: each.shown for recipient, each in row.calls.items()},
            receipts={
                recipient: [
                    KeptReceipt(receipt.received_at, receipt.body)
                    for receipt in each.receipts
                ]
                for recipient, each in row.calls.items()
            },
        )

"""
Receipts that last as long as an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import attrs

from voicepush import clock
from voicepush.ledger.due_again import expired_as, is_over
from voicepush.ledger.memory.campaign import HeardOf, Row, StoredCampaign
from voicepush.ledger.packing import pack_recipients
from voicepush.ledger.placing import Column, Seat, Seats, is_named_so, whose
from voicepush.model.batch import BatchId
from voicepush.model.call import Receipt, ReceiptCounts, Received, Report, is_told


@attrs.frozen
class _Aside:
    """
    A body that was kept aside; what it says belongs to no known call.
    """

    receipt: Receipt
    report: Report | None


class MemoryReceipts:
    """
    What was received, and whose it is.
    """

    def __init__(self, campaigns: dict[str, StoredCampaign]) -> None:
        self._campaigns = campaigns
        self._aside: list[_Aside] = []
        self._received = 0
        self._refused = 0
        self._last_at: float | None = None

    def receive(self, receipts: Sequence[Receipt], refused: int) -> Received:
        """
        Keep *receipts*, and apply what they say.
        """
        applied = unplaced = unreadable = 0
        taught: set[str] = set()
        for receipt in receipts:
            if receipt.is_posted:
                self._received += 1
                self._last_at = receipt.received_at
            if not receipt.reports:
                unreadable += 1
                self._aside.append(_Aside(receipt, None))
            for report in receipt.reports:
                if self._apply(receipt, report):
                    applied += 1
                    taught.add(report.transaction_id)
                else:
                    unplaced += 1
                    self._aside.append(_Aside(receipt, report))
        self._refused += refused
        late = self._place_late(
            each
            for each in self._aside
            if each.report is not None and each.report.transaction_id in taught
        )
        return Received(applied, unplaced, unreadable, late)

    def place_again(self) -> Received:
        """
        Try again to find whose those are that were kept aside.
        """
        return Received(
            placed_late=self._place_late(
                each for each in self._aside if each.report is not None
            )
        )

    def forget_bodies(self, before: float) -> int:
        """
        Delete the bodies that came *before* that moment; gives how many.
        """
        old = [each for each in self._aside if each.receipt.received_at < before]
        for each in old:
            self._aside.remove(each)
        found = {id(each.receipt) for each in old}
        for campaign in self._campaigns.values():
            for row in campaign.rows:
                for call in row.calls.values():
                    gone = [each for each in call.receipts if each.received_at < before]
                    found.update(map(id, gone))
                    call.receipts = [each for each in call.receipts if each not in gone]
        return len(found)

    def counts(self) -> ReceiptCounts:
        """
        What was received, and what is kept aside.
        """
        unreadable = sum(each.report is None for each in self._aside)
        return ReceiptCounts(
            received=self._received,
            unplaced=len(self._aside) - unreadable,
            unreadable=unreadable,
            refused=self._refused,
            last_at=self._last_at,
        )

    def _place_late(self, waiting: Iterable[_Aside]) -> int:
        placed = [
            each
            for each in waiting
            if each.report is not None and self._apply(each.receipt, each.report)
        ]
        for each in placed:
            self._aside.remove(each)
        return len(placed)

    def _apply(self, receipt: Receipt, report: Report) -> bool:
        """
        Merge *report* with what is known of its call; gives whether that was found.
        """
        found = whose(report, self)
        if found is None:
            return False
        row, seat = found
        call = row.calls.get(seat.recipient)
        before = None if call is None else call.call
        if call is not None and is_over(report, call.expired_as):
            call.receipts.append(receipt)
            return True
        if call is None:
            call = row.calls[seat.recipient] = HeardOf(report.call, clock.now())
        elif call.call.merged(report.call) != call.call:
            call.call, call.received_at = call.call.merged(report.call), clock.now()
        row.told += receipt.is_asked and is_told(call.call) and not is_told(before)
        call.receipts.append(receipt)
        if report.transaction_id:
            call.transaction_ids.add(report.transaction_id)
        if receipt.is_posted and row.closes_at is not None:
            known, call.expired_as = (
                call.expired_as,
                expired_as(call.expired_as, [report]),
            )
            call.looked_at = call.looked_at and len(known) == len(call.expired_as)
        row.prove([seat.place])
        return True

    def batch(self, batch: BatchId) -> Seats[Row] | None:
        """
        The batch of that id, in a campaign that is planned.
        """
        for campaign in self._published():
            if campaign.plan.tag == batch.tag:
                for row in campaign.rows:
                    if row.id.number == batch.number:
                        return _seats(row)
        return None

    def batches_with(self, value: str) -> Iterator[Seats[Row]]:
        """
        The batches in which *value*, or an owner's correlation id, stands.
        """
        for campaign in self._published():
            for row in campaign.rows:
                recipients = row.known.batch.recipients
                if value in recipients.values or value in (
                    recipients.correlation_ids or ()
                ):
                    yield _seats(row)

    def has_transaction(self, row: Row, seat: Seat, transaction_id: str) -> bool:
        """
        Whether the platform has called the call of *seat* so, in an answer or in a
        receipt that named its recipient.
        """
        known = row.known.transaction_ids
        if known and is_named_so(
            known[seat.place if len(known) > 1 else 0], transaction_id
        ):
            return True
        call = row.calls.get(seat.recipient)
        return call is not None and transaction_id in call.transaction_ids

    def _published(self) -> list[StoredCampaign]:
        return [each for each in self._campaigns.values() if each.state is not None]


def _seats(row: Row) -> Seats[Row]:
    recipients = row.known.batch.recipients
    widths = recipients.widths
    return Seats(
        row,
        recipients.size,
        None if widths is None else list(widths),
        partial(_columns, row),
    )


def _columns(row: Row) -> tuple[Column, Column | None]:
    packed = pack_recipients(row.known.batch.recipients)
    return Column(packed.packed), None if packed.ids is None else Column(packed.ids)

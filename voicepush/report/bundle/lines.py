"""
Receipts, deeds, and who is on the suppression list, as lines of a bundle's files.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping

import attrs
import msgspec

from voicepush.model.in_full import BatchInFull, KeptReceipt
from voicepush.model.status import HistoryEntry
from voicepush.model.suppression import SuppressedEntry, SuppressionEvent
from voicepush.report.bundle.calls import moment
from voicepush.report.bundle.contents import IN_FLIGHT, SUPPRESSION_COLUMNS
from voicepush.report.cells import csv_line


class ReceiptLines:
    """
    Writes a line for each receipt, and counts them.
    """

    def __init__(self) -> None:
        self.number = 0
        #: Of how many the body is deleted.
        self.deleted = 0

    def lines(self, batch: BatchInFull) -> bytes:
        """
        Those of *batch*.
        """
        found = []
        recipients = batch.result.batch.recipients
        ids, places = batch.result.batch.correlation_ids, recipients.places_of_values()
        for recipient, receipts in batch.receipts.items():
            for each in receipts:
                self.number += 1
                self.deleted += each.body is None
                found.append(
                    {
                        "recipient": recipients.values[recipient],
                        "sent_as": ids[places[recipient]],
                        "stored_at": moment(each.received_at) or None,
                        **_body(each),
                    }
                )
        return msgspec.json.Encoder().encode_lines(found)


def _body(receipt: KeptReceipt) -> dict[str, object]:
    if receipt.body is None:
        return {"body": None, "deleted": True}
    try:
        return {"body": receipt.body.decode("utf-8")}
    except UnicodeDecodeError:
        return {"body": None, "base64": b64encode(receipt.body).decode()}


def suppression_head() -> str:
    """
    The header of what `suppression_rows` writes.
    """
    return csv_line(SUPPRESSION_COLUMNS)


def suppression_rows(
    batch: BatchInFull, listed: Mapping[str, SuppressedEntry]
) -> list[str]:
    """
    Those of *batch* who are *listed*, a line for each.
    """
    if not listed:
        return []
    recipients = batch.result.batch.recipients
    rows = []
    for place, value in zip(
        recipients.places_of_values(), recipients.values, strict=True
    ):
        entry = listed.get(value)
        if entry is None:
            continue
        outcome = batch.result.at(place).outcome.value
        cells = (
            value,
            str(recipients.rows[place]) if recipients.rows else "",
            IN_FLIGHT if place in batch.in_flight else outcome,
            entry.since.isoformat(),
            entry.category or "",
            entry.reason or "",
            entry.who,
        )
        rows.append(csv_line(cells))
    return rows


def deeds(entries: Iterable[HistoryEntry | SuppressionEvent]) -> bytes:
    """
    *entries* as lines of JSON, the oldest first.
    """
    return msgspec.json.Encoder().encode_lines(list(map(attrs.asdict, entries)))

"""
Whatever is posted is read, or says nothing, and is never an error.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from math import isfinite

from voicepush.model.call import Report
from voicepush.receipts.receipt import MOST_CHARACTERS, read_receipt

_ZONE = timezone(timedelta(hours=5, minutes=30))


def check(data: bytes) -> None:
    """
    Hold what is read of *data* against what every receipt is.
    """
    receipt = read_receipt(data, 1.0, _ZONE)

    assert data == receipt.body
    for report in receipt.reports:
        _check_report(report)


def _check_report(report: Report) -> None:
    call = report.call
    names = (report.correlation_id, report.callback_data, report.transaction_id)
    for text in (*names, report.recipient, call.code, call.words):
        assert text == text.lstrip()
        assert MOST_CHARACTERS >= len(text)
        text.encode()  # so it can be kept
    assert call.code or call.words
    assert all(
        each is None or isfinite(each)
        for each in (call.at, call.answered_at, call.ended_at)
    )
    assert call == call.merged(call)

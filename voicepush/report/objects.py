"""
A report for programs.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from voicepush import clock
from voicepush.report.account import Account, Reason
from voicepush.report.json import (
    as_object,
    history_as_object,
    messages_as_object,
    receipts_as_object,
)
from voicepush.report.together import Together
from voicepush.report.unknown import unknown_as_object


def report_as_object(
    accounts: Sequence[Account], together: Together | None = None, *, version: str
) -> dict[str, object]:
    """
    The campaigns of *accounts* for JSON.

    Args:
        together: What is told of all of them, where there are several.
        version: Which of ours makes it.
    """
    return {
        "version": version,
        "made_at": clock.utc_now(),
        "together": None if together is None else together.as_object(),
        "campaigns": list(map(_campaign, accounts)),
    }


def _campaign(account: Account) -> dict[str, object]:
    overview = account.overview
    status, hours = overview.status, overview.local_hours
    return {
        "status": as_object(status),
        "looked_at": overview.made_at,
        "headline": account.headline,
        "source": account.source,
        "settings": dict(account.settings),
        "figures": {each.name: each.as_object() for each in account.figures},
        "local_hours": {**attrs.asdict(hours), "looked_at": hours.looked_at},
        "reasons": [_reason(each, "outcome") for each in account.reasons],
        "call_codes": [_reason(each, "call") for each in account.call_codes],
        "unknown": unknown_as_object(
            status.campaign, account.unknown, overview.receipts
        ),
        "messages": messages_as_object(overview.messages),
        "receipts": receipts_as_object(overview.receipts),
        **history_as_object(overview.history, overview.timeline.minutes),
    }


def _reason(reason: Reason, what: str) -> dict[str, object]:
    return {
        what: reason.what.replace(" ", "_") or None,
        "code": reason.code or None,
        "words": reason.words,
        "number": reason.number,
        "means": reason.remedy.means,
        "what_to_do": reason.remedy.do,
    }

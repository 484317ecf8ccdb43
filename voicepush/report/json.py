"""
For programs: JSON objects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import inf

import attrs
import msgspec

from voicepush import clock
from voicepush.masking import UNSHOWN
from voicepush.model.call import Call, ReceiptCounts
from voicepush.model.reach import Reach
from voicepush.model.status import (
    CampaignStatus,
    GroupCounts,
    HistoryEntry,
    Lookup,
    Minute,
)


def as_object(status: CampaignStatus) -> dict[str, object]:
    """
    One campaign for JSON.
    """
    will_expire = status.will_expire(clock.utc_now())
    return {**attrs.asdict(status), "will_expire": will_expire}


def messages_as_object(messages: Mapping[str, GroupCounts]) -> dict[str, object]:
    """
    Where people stand by what they are played, for JSON.
    """
    return {played: attrs.asdict(counts) for played, counts in messages.items()}


def reach_as_object(found: Reach) -> dict[str, object]:
    """
    Who waits for which opening, and who can't be called in time, for JSON.
    """
    return {
        "waits": [
            {
                "opens": clock.moment(each.moment) if each.moment < inf else None,
                "people": each.people,
                "zones": each.zones,
            }
            for each in found.waits
        ],
        "unreached": found.unreached,
        "ends": clock.moment(found.ends),
    }


def dump(value: object) -> str:
    """
    *value* as one line of JSON.
    """
    return msgspec.json.encode(value).decode()


def dump_shown(value: object, encoding: str) -> str:
    """
    The same for a terminal of *encoding*, with escapes for what it should not get.
    """
    text = UNSHOWN.sub(_escaped, dump(value))
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = re.sub(r"[^\x00-\x7f]+", _escaped, text)
    return text


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return re.sub("....", r"\\u\g<0>", units)


def lookup_as_object(found: Lookup) -> dict[str, object]:
    """
    The same for JSON.
    """
    return {
        **found.result._asdict(),
        "campaign": found.campaign,
        "in_flight": found.in_flight,
        "batch": found.batch,
        "attempts": found.attempts,
        "claimed": found.claimed,
        "recorded": found.recorded,
        "follows": found.follows,
        "archived": found.archived,
        "kept": dict(found.kept),
        "call": None if found.call is None else call_as_object(found.call),
        "receipts": [body.decode("utf-8", "replace") for body in found.receipts],
    }


def call_as_object(call: Call) -> dict[str, object]:
    """
    What became of a call, for JSON.
    """
    return {
        "state": call.state,
        "code": call.code,
        "words": call.words,
        "at": clock.moment(call.at),
        "answered_at": clock.moment(call.answered_at),
        "ended_at": clock.moment(call.ended_at),
        "heard_seconds": None if call.heard is None else round(call.heard, 3),
        "has_ended": call.has_ended,
    }


def receipts_as_object(counts: ReceiptCounts) -> dict[str, object]:
    """
    What a ledger has received, for JSON.
    """
    return {**attrs.asdict(counts), "last_at": clock.moment(counts.last_at)}


def history_as_object(
    done: Sequence[HistoryEntry], minutes: Sequence[Minute]
) -> dict[str, object]:
    """
    What was done to a campaign, and how it went, for JSON.
    """
    return {
        "history": [attrs.asdict(each) for each in done],
        "minutes": [{"at": each.at, **attrs.asdict(each.progress)} for each in minutes],
    }


def time_text(moment: datetime | None) -> str:
    """
    *moment* in ISO 8601, in UTC.
    """
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}Z"

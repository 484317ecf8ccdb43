"""
Events -> the log, in words and as fields, without numbers and keys.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import singledispatch

import attrs

from voicepush import clock
from voicepush.masking import mask_numbers
from voicepush.model.events import (
    AttemptMade,
    BatchRecorded,
    CampaignBegun,
    CampaignStopped,
    Event,
    PaceChanged,
    ReceiptsApplied,
)
from voicepush.model.outcome import Outcome, Verdict

_log = logging.getLogger("voicepush")

#: So many verdicts of one attempt are told apart.
_MOST_VERDICTS = 3


@attrs.frozen
class Logged:
    """
    How an event is written: what its record has as ``event``, and its other fields.
    """

    name: str
    says: str
    #: What each of them is.
    fields: Mapping[str, str]


#: What the documentation of the log is made from; names stay as they are.
LOGGED: Mapping[type[Event], Logged] = {
    CampaignBegun: Logged(
        "campaign_begun",
        "a dispatch begins",
        {"campaign": "its name"},
    ),
    AttemptMade: Logged(
        "attempt_made",
        "a request was answered, or its answer was lost, and that is recorded",
        {
            "batch": "the id of its batch",
            "attempt": "which request of that batch it was, from 1",
            "destinations": "how many destinations it held",
            "bytes": "how long its body was",
            "status": "the HTTP status; null without an answer",
            "seconds": "how long the answer took",
            "code": "the API's code for most destinations; null where it gave none",
            "meaning": "what that means, in one word",
            "throttled": "whether the service refused it for speed",
            "verdicts": (
                "the three most frequent verdicts, each with `outcome`, `code`, "
                "`description` and `recipients`"
            ),
            "verdicts_left_out": "how many more there were",
        },
    ),
    BatchRecorded: Logged(
        "batch_recorded",
        "all that can be done about a batch for now was done, and is recorded",
        {
            "batch": "its id",
            "recipients": "how many it holds",
            "attempts": "how many requests were made for it meanwhile",
            "outcomes": "how many recipients have each outcome since then",
            "seconds": "how long that took, with every wait",
        },
    ),
    PaceChanged: Logged(
        "pace_changed",
        "the service made requests slower",
        {
            "rate": "destinations per second; null without a limit",
            "held_until": "until when nothing is sent at all; null if nothing is held",
        },
    ),
    CampaignStopped: Logged(
        "campaign_stopped",
        "a dispatch has ended",
        {
            "campaign": "its name",
            "state": "`finished`, `paused`, `cancelled` or `running`",
            "reason": "why it is in that state; null where there is nothing to say",
        },
    ),
    ReceiptsApplied: Logged(
        "receipts_applied",
        "receipts were made durable, or some that had been kept aside were applied",
        {
            "stored": "how many bodies were stored",
            "refused": "how many requests were refused since the last time",
            "applied": "how many receipts were applied to a call",
            "unplaced": "how many belong to no known call",
            "unreadable": "how many bodies could not be understood",
            "placed_late": "how many had been kept aside, and were applied now",
            "states": "how many say what of their calls",
            "seconds": "how long that took",
        },
    ),
}

#: What the field ``event`` may be.
NAMES = frozenset(each.name for each in LOGGED.values())


def log_event(event: Event) -> None:
    """
    Write *event* into the log, at INFO or, where it needs someone's eye, at WARNING.

    Its record has the field ``event`` and those of that event as extras.
    """
    level = _level(event)
    if _log.isEnabledFor(level):
        _log.log(level, "%s", _told(event), extra=fields_of(event))


def fields_of(event: Event) -> dict[str, object]:
    """
    *event* as fields: its name, and those that `LOGGED` says it has.
    """
    return {"event": LOGGED[type(event)].name, **_fields(event)}


def _level(event: Event) -> int:
    in_doubt = isinstance(event, AttemptMade) and any(
        verdict.outcome is Outcome.UNKNOWN for verdict in event.verdicts
    )
    return logging.WARNING if in_doubt else logging.INFO


def _most_frequent(event: AttemptMade) -> list[tuple[Verdict, int]]:
    most = sorted(event.verdicts.items(), key=lambda each: -each[1])
    return most[:_MOST_VERDICTS]


@singledispatch
def _told(event: Event) -> str:
    return repr(event)


@_told.register
def _(event: AttemptMade) -> str:
    most = _most_frequent(event)
    verdicts = ", ".join(
        f"{number:,} {_FOLLOWS.get(verdict.outcome, verdict.outcome.value)}"
        f" ({mask_numbers(' '.join(filter(None, verdict[1:])))})"
        for verdict, number in most
    )
    more = len(event.verdicts) - len(most)
    answer = "no answer" if event.status is None else f"HTTP {event.status}"
    return (
        f"batch {event.batch}, attempt {event.attempt}: {event.destinations:,} "
        f"destinations in {event.bytes:,} bytes, {answer} after {event.seconds:.3f} s; "
        f"{verdicts}" + (f" and {more:,} more reasons" if more else "")
    )


@_told.register
def _(event: BatchRecorded) -> str:
    outcomes = ", ".join(
        f"{number:,} {outcome.value}" for outcome, number in event.outcomes.items()
    )
    return (
        f"batch {event.batch} recorded after {len(event.attempts):,} attempts and "
        f"{event.seconds:.3f} s; {outcomes or 'nobody was brought further'}"
    )


@_told.register
def _(event: PaceChanged) -> str:
    rate = "no limit" if event.rate is None else f"{event.rate:,.1f}/s"
    return f"pace: {rate}"


@_told.register
def _(event: CampaignBegun) -> str:
    return f"campaign {mask_numbers(event.campaign)!r} is dispatched"


@_told.register
def _(event: CampaignStopped) -> str:
    why = f": {mask_numbers(event.reason)}" if event.reason else ""
    return f"campaign {mask_numbers(event.campaign)!r} is {event.state.value}{why}"


@_told.register
def _(event: ReceiptsApplied) -> str:
    states = ", ".join(
        f"{number:,} {state.value}" for state, number in event.states.items()
    )
    late = event.received.placed_late
    return (
        f"stored {event.stored:,} receipts{states and f' ({states})'}, refused "
        f"{event.refused:,} requests"
        + (f", applied {late:,} that were kept aside" if late else "")
    )


@singledispatch
def _fields(event: Event) -> Mapping[str, object]:
    raise TypeError(f"{event!r} is no event that is logged")


@_fields.register
def _(event: AttemptMade) -> Mapping[str, object]:
    most = _most_frequent(event)
    return {
        "batch": str(event.batch),
        "attempt": event.attempt,
        "destinations": event.destinations,
        "bytes": event.bytes,
        "status": event.status,
        "seconds": round(event.seconds, 6),
        "code": event.code and mask_numbers(event.code),
        "meaning": event.meaning,
        "throttled": event.is_throttled,
        "verdicts": [
            {
                "outcome": verdict.outcome.value,
                "code": verdict.code and mask_numbers(verdict.code),
                "description": mask_numbers(verdict.description),
                "recipients": number,
            }
            for verdict, number in most
        ],
        "verdicts_left_out": len(event.verdicts) - len(most),
    }


@_fields.register
def _(event: BatchRecorded) -> Mapping[str, object]:
    return {
        "batch": str(event.batch),
        "recipients": event.recipients,
        "attempts": len(event.attempts),
        "outcomes": {each.value: number for each, number in event.outcomes.items()},
        "seconds": round(event.seconds, 6),
    }


@_fields.register
def _(event: PaceChanged) -> Mapping[str, object]:
    until = event.held_until
    held = None if until is None else f"{clock.moment(until):%Y-%m-%dT%H:%M:%SZ}"
    return {"rate": event.rate, "held_until": held}


@_fields.register
def _(event: CampaignBegun) -> Mapping[str, object]:
    return {"campaign": mask_numbers(event.campaign)}


@_fields.register
def _(event: CampaignStopped) -> Mapping[str, object]:
    return {
        "campaign": mask_numbers(event.campaign),
        "state": event.state.value,
        "reason": event.reason and mask_numbers(event.reason),
    }


@_fields.register
def _(event: ReceiptsApplied) -> Mapping[str, object]:
    received = event.received
    return {
        "stored": event.stored,
        "refused": event.refused,
        "applied": received.applied,
        "unplaced": received.unplaced,
        "unreadable": received.unreadable,
        "placed_late": received.placed_late,
        "states": {each.value: number for each, number in event.states.items()},
        "seconds": round(event.seconds, 6),
    }


#: What follows for those who have no outcome yet.
_FOLLOWS = {Outcome.PENDING: "to be sent again"}

"""
Events -> the log, without numbers and keys.
"""

from __future__ import annotations

import logging
from functools import singledispatch

from voicepush.masking import mask_numbers
from voicepush.model.events import AttemptMade, CampaignStopped, Event, PaceChanged
from voicepush.model.outcome import Outcome

_log = logging.getLogger("voicepush")

#: So many verdicts of one attempt are told apart.
_MOST_VERDICTS = 3


def log_event(event: Event) -> None:
    """
    Write *event* into the log, at INFO or, where it needs someone's eye, at WARNING.
    """
    level = _level(event)
    if _log.isEnabledFor(level):
        _log.log(level, "%s", _told(event))


def _level(event: Event) -> int:
    in_doubt = isinstance(event, AttemptMade) and any(
        verdict.outcome is Outcome.UNKNOWN for verdict in event.verdicts
    )
    return logging.WARNING if in_doubt else logging.INFO


@singledispatch
def _told(event: Event) -> str:
    return repr(event)


@_told.register
def _(event: AttemptMade) -> str:
    most = sorted(event.verdicts.items(), key=lambda each: -each[1])[:_MOST_VERDICTS]
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
def _(event: PaceChanged) -> str:
    rate = "no limit" if event.rate is None else f"{event.rate:,.1f}/s"
    return f"pace: {rate}"


@_told.register
def _(event: CampaignStopped) -> str:
    why = f": {mask_numbers(event.reason)}" if event.reason else ""
    return f"campaign {event.campaign!r} is {event.state.value}{why}"


#: What follows for those who have no outcome yet.
_FOLLOWS = {Outcome.PENDING: "to be sent again"}

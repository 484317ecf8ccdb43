"""
The time that pictures of one campaign show.
"""

from __future__ import annotations

from voicepush.model.overview import Overview
from voicepush.report.bins import OwnTime

#: Calls may be told of so many seconds after the last was accepted, or after the
#: expiry.
_LATE = 86_400.0


def own_time(overview: Overview) -> OwnTime:
    """
    From the moment in which it was planned to that in which it was looked at.
    """
    last = overview.made_at.timestamp()
    stamps = [each.at for each in overview.timeline.outcomes if each.at <= last]
    first = min(stamps, default=last)
    if overview.history:
        first = min(last, overview.history[0].at.timestamp())
    return OwnTime(first, last)


def time_of_calls(overview: Overview) -> OwnTime:
    """
    From its first call to a day after its last, or after its expiry.
    """
    whole = own_time(overview)
    stamps = [each.at for each in overview.timeline.outcomes]
    inside = [min(max(at, whole.first), whole.last) for at in stamps]
    first, last = min(inside, default=whole.first), max(inside, default=whole.last)
    expiry = overview.status.expiry
    if expiry is not None:
        last = max(last, expiry.timestamp())
    return OwnTime(first, min(whole.last, last + _LATE))


def strangers(number: int, what: str) -> tuple[str, ...]:
    """
    A word about stamps that lie outside, if there are any.
    """
    if not number:
        return ()
    edges = "a time outside of this picture; they are counted at its edges."
    return (f"{number:,} {what} bear {edges}",)

"""
Who of a campaign waits for which opening of their windows, for people.
"""

from __future__ import annotations

from math import inf

from voicepush import clock
from voicepush.model.reach import Reach
from voicepush.model.windows import told_by_the_clock
from voicepush.report.text import counted, duration

#: So many openings are told one by one.
_MOST_OPENINGS = 3


def reach_as_lines(
    found: Reach, now: float, rate: float | None, *, can_change: bool = True
) -> list[str]:
    """
    Who waits for which opening, and who can't be called in time.

    Args:
        rate: At which that was forecast.
        can_change: Whether there is a campaign whose windows its owner can change.
    """
    lines = []
    for each in found.waits[:_MOST_OPENINGS]:
        zones = ", ".join(each.zones)
        words = f"never, as no moment of a year is in the windows of {zones}"
        if each.moment < inf:
            at = clock.moment(each.moment).astimezone()
            when = told_by_the_clock(each.moment, each.zones)
            words = f"{when}, at {at:%Y-%m-%d %H:%M:%S %z}"
        lines.append(f"{each.people:,} wait for {words}")
    if more := found.waits[_MOST_OPENINGS:]:
        people = sum(each.people for each in more)
        lines.append(f"{people:,} wait for {counted(len(more), 'later opening')}")
    if found.ends is not None and found.waits and not found.unreached:
        at = clock.moment(found.ends).astimezone()
        lines.append(
            f"at {rate:,g}/s the last is called at {at:%Y-%m-%d %H:%M:%S %z}, "
            f"{duration(found.ends - now)} from now"
        )
    if found.unreached:
        why = "" if rate is None else f" at {rate:,g}/s"
        lines.append(
            f"{found.unreached:,} can't be called{why} within their windows and the "
            "expiry" + ("; see voicepush windows" if can_change else "")
        )
    return lines

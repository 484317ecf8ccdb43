"""
Whose windows are open, in which order they are called, and who waits for which moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from math import inf

import msgspec

from voicepush import clock
from voicepush.errors import InputError
from voicepush.ledger.plan import Plan, PlannedGroup
from voicepush.model.batch import Group
from voicepush.model.claim import NotBefore, Refused
from voicepush.model.message import VoiceMessage
from voicepush.model.windows import (
    ALWAYS,
    Span,
    Windows,
    opening_first,
    told_by_the_clock,
)

#: Where nothing opens within a year, one looks again after so many seconds: its owner
#: may change the windows.
_LOOK_AGAIN = 3600.0

#: Groups, by their numbers.
Groups = Mapping[int, Group]


def dump_windows(windows: Windows | None) -> str | None:
    """
    *windows* as JSON, to be kept.
    """
    if windows is None:
        return None
    kept = {"week": str(windows), "not_on": sorted(windows.not_on)}
    return msgspec.json.encode(kept).decode()


@lru_cache(maxsize=64)
def load_windows(text: str | None) -> Windows | None:
    """
    The windows that `dump_windows` wrote.
    """
    if text is None:
        return None
    kept = msgspec.json.decode(text)
    not_on = map(date.fromisoformat, kept["not_on"])
    return Windows.parse(kept["week"], not_on=not_on)


def groups_of(
    planned: Sequence[PlannedGroup], load: Callable[[str], VoiceMessage]
) -> dict[int, Group]:
    """
    The groups as they were *planned*, by their numbers.

    Args:
        load: Makes a message of its text.
    """
    message = cache(load)
    return {
        each.number: Group(
            message(each.message),
            number=each.number,
            zones=each.zones,
            priority=each.priority,
            trial=each.trial,
        )
        for each in planned
    }


def span_of(windows: Windows | None, group: Group | PlannedGroup, now: float) -> Span:
    """
    Whether the people of *group* may be called *now*, and until when that is so.
    """
    if windows is None or not group.zones:
        return ALWAYS
    return windows.at(now, group.zones)


def closing(until: float | None, expires_at: float | None) -> float | None:
    """
    When a request expires that may wait *until* then, where that is because windows
    close, and not because the message expires.
    """
    if until is None or until == inf:
        return None
    return until if expires_at is None or until < expires_at else None


def openings(
    groups: Iterable[PlannedGroup | Group],
    windows: Windows | None,
    now: float,
    expires_at: float | None,
    starts_at: float | None = None,
) -> dict[int, float]:
    """
    When the people of those *groups* are to be given who may not be called *now*, by
    the numbers of these.

    Args:
        expires_at: When the message expires, which is told of those whose windows do
            not open before.
        starts_at: When the campaign starts.
    """
    begin = now if starts_at is None else max(now, starts_at)
    found: dict[int, float] = {}
    for group in groups:
        span = span_of(windows, group, begin)
        opens = begin if span.is_open else span.until
        if opens > now:
            opens = begin + _LOOK_AGAIN if opens == inf else opens
            found[group.number] = (
                opens if expires_at is None else min(opens, expires_at)
            )
    return found


def closed(windows: Windows | None, group: Group, now: float) -> NotBefore | None:
    """
    When the people of *group* may be called, where they may not be *now*.
    """
    span = span_of(windows, group, now)
    if windows is None or span.is_open:
        return None
    return _not_before({}, [span], [group], now, windows)


def check_zoned(campaign: str, groups: Sequence[PlannedGroup]) -> None:
    """
    Refuse windows for a campaign of which nobody knows where its people live.
    """
    if not any(group.zones for group in groups):
        raise InputError(
            f"campaign {campaign!r} was planned to call at any hour, so its people are "
            "not sorted by time zones; cancel it, and plan those who are left with "
            "--window"
        )


def said_of(windows: Windows | None, any_hour: str | None) -> str:
    """
    When people may be called, in words for a campaign's history.
    """
    if windows is None:
        return f"any hour: {any_hour}" if any_hour else "any hour"
    days = ", ".join(map(str, sorted(windows.not_on)))
    return f"window {windows}" + (f", not on {days}" if days else "")


def in_order(
    groups: Groups,
    windows: Windows | None,
    now: float,
    expires_at: float | None = None,
) -> list[list[int]]:
    """
    The groups whose people may be called *now*, by their numbers: the first are called
    first, and those that stand together in the order of the plan. Once the message has
    expired, nobody has to wait to be told so.

    A trial goes before all others, then a lower priority; of these the ones whose
    windows close first, since the others can be called after that.
    """
    found: dict[tuple[bool, int, float], list[int]] = {}
    if expires_at is not None and expires_at <= now:
        windows = None
    for number, group in sorted(groups.items()):
        span = span_of(windows, group, now)
        if span.is_open:
            key = (not group.trial, group.priority, span.until)
            found.setdefault(key, []).append(number)
    return [found[key] for key in sorted(found)]


def who_waits(
    people: Mapping[int, int],
    groups: Groups,
    windows: Windows | None,
    now: float,
    expires_at: float | None = None,
) -> NotBefore | None:
    """
    Who of those that are left is called next, and when.

    Args:
        people: How many are pending in each group that is closed.
    """
    waiting = [groups[number] for number in people]
    spans = [span_of(windows, group, now) for group in waiting]
    if windows is None or not waiting:
        return None
    return _not_before(people, spans, waiting, now, windows, expires_at)


def _not_before(
    people: Mapping[int, int],
    spans: Sequence[Span],
    groups: Sequence[Group],
    now: float,
    windows: Windows,
    expires_at: float | None = None,
) -> NotBefore:
    """
    The first moment at which one of *groups* opens, with how many wait for it.
    """
    first = min(span.until for span in spans)
    if expires_at is not None and expires_at <= first:
        number = sum(people.values())
        words = f"the windows of all {number:,} who are left open after the expiry"
        return NotBefore(expires_at, words, is_closed=True)
    those = [
        group for span, group in zip(spans, groups, strict=True) if span.until == first
    ]
    number = sum(people.get(group.number, 0) for group in those)
    counted = f"{number:,} wait" if number else "they wait"
    if first == inf:
        words = f"{counted}: no moment of a year is in the windows of all their zones"
        return NotBefore(now + _LOOK_AGAIN, words, is_closed=True)
    names = {name for group in those for name in group.zones}
    when = told_by_the_clock(first, opening_first(windows, first, names))
    return NotBefore(first, f"{counted} for {when}", is_closed=True)


def called_in(groups: Groups, *, trial: bool) -> Groups:
    """
    Those of *groups* whose people may be called.

    Args:
        trial: Only those are who are called first.
    """
    if not trial:
        return groups
    return {number: group for number, group in groups.items() if group.trial}


def starts_later(starts_at: float | None, now: float) -> NotBefore | None:
    """
    When a campaign starts that does not start *now*.
    """
    if starts_at is None or starts_at <= now:
        return None
    return NotBefore(starts_at, "it starts later (--start-at)")


def called_until(
    plan: Plan, windows: Windows | None, group: Group, now: float
) -> NotBefore | Refused | float | None:
    """
    Until when the people of *group* may be called, or why they may not be *now*, by the
    campaign's own times and its *windows* of this moment; None where none close.
    """
    if plan.stops_at is not None and plan.stops_at <= now:
        words = f"its time was over at {clock.local_time(plan.stops_at)} (--stop-at), "
        return Refused(f"{words}and resume needs a later one, or never", is_over=True)
    if waits := starts_later(plan.starts_at, now) or closed(windows, group, now):
        return waits
    return span_of(windows, group, now).until if group.zones else None

"""
Which calls are silent, and how far it was asked what became of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from voicepush import clock
from voicepush.ledger.memory.campaign import Asked, Row
from voicepush.ledger.silence import Silent, silent_in


def silent(
    rows: Collection[Row], claimed_before: float, asked_before: float
) -> Iterator[Silent]:
    """
    The batches among *rows* in which someone is silent.
    """
    for row in rows:
        if (row.claimed_at or 0.0) > claimed_before:
            continue
        asked: frozenset[int] | None = frozenset()
        if row.asked is not None and row.asked.at >= asked_before:
            asked = row.asked.places
        if asked is None:
            continue
        ended = {at for at, each in row.calls.items() if each.call.has_ended}
        found = silent_in(row.known, ended, asked)
        if found is not None:
            yield found


def note_asked(row: Row, places: Collection[int] | None) -> None:
    """
    Note that the calls at *places* were asked about lately, the last of them now; None
    for all that are silent.
    """
    row.asked = Asked(clock.now(), None if places is None else frozenset(places))

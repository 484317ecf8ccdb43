"""
Who is left out when it is their turn, because of what is known by then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from voicepush import clock
from voicepush.ledger import decisions
from voicepush.ledger.packing import unpack_rows
from voicepush.ledger.plan import Follows
from voicepush.ledger.sqlite.calls import call_in
from voicepush.model.call import Call
from voicepush.model.claim import NotBefore
from voicepush.model.outcome import Verdict
from voicepush.model.recipients import origin_in


def left_out(
    connection: sqlite3.Connection,
    campaign: int,
    number: int,
    places: Sequence[int],
    follows: Follows | None,
) -> NotBefore | dict[int, Verdict]:
    """
    Those at *places* of a batch who must not be called any more, or when they may be.
    """
    if follows is None:
        return {}
    calls = _earlier_calls(connection, campaign, number, places)
    return decisions.followed_up(calls, follows, clock.now())


def _earlier_calls(
    connection: sqlite3.Connection, campaign: int, number: int, places: Sequence[int]
) -> dict[int, Call | None]:
    """
    The calls that are followed up, by the places of those who are called again.
    """
    parent, packed = connection.execute(
        "SELECT parent, origins FROM campaign JOIN recipients "
        "ON recipients.campaign = campaign.id WHERE campaign.id = ? AND number = ?",
        (campaign, number),
    ).fetchone()
    origins = unpack_rows(packed) or ()
    wanted = {place: origin_in(origins[place]) for place in places}
    known = {
        (number, row["recipient"]): call_in(row)
        for number in {number for number, _ in wanted.values()}
        for row in connection.execute(
            "SELECT * FROM call WHERE campaign = ? AND number = ?", (parent, number)
        )
    }
    return {place: known.get(origin) for place, origin in wanted.items()}

"""
What the people of some batches have in common, as rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from voicepush.ledger.opening import load_windows, openings
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.sql.store import Connection, Row

_PENDING = """
    SELECT message_group, sum(
        size - in_flight - accepted - rejected - expired - not_sent - unknown
        - suppressed
    ) AS people
    FROM batch WHERE campaign = ? AND state != 2 GROUP BY message_group
"""

_COLUMNS = ("campaign", "number", "message", "zones", "priority", "trial")


def insert_groups(
    connection: Connection, campaign: int, groups: Sequence[PlannedGroup]
) -> None:
    """
    Write *groups* of *campaign*, if there are any.
    """
    if not groups:
        return
    connection.insert_many(
        "message_group",
        _COLUMNS,
        [
            (
                *(campaign, each.number, each.message),
                *(msgspec.json.encode(each.zones).decode(), each.priority, each.trial),
            )
            for each in groups
        ],
    )


def planned_groups(connection: Connection, campaign: int) -> list[PlannedGroup]:
    """
    The groups of *campaign*.
    """
    return [
        PlannedGroup(
            number=row["number"],
            message=row["message"],
            zones=msgspec.json.decode(row["zones"], type=tuple[str, ...]),
            priority=row["priority"],
            trial=bool(row["trial"]),
        )
        for row in connection.execute(
            "SELECT * FROM message_group WHERE campaign = ? ORDER BY number",
            (campaign,),
        )
    ]


def openings_of(connection: Connection, row: Row) -> dict[int, float]:
    """
    When the groups of the campaign in *row* that are closed are to be given, by their
    numbers.
    """
    return openings(
        planned_groups(connection, row["id"]),
        load_windows(row["windows"]),
        connection.now(),
        row["expires_at"],
    )


def pending_by_zones(
    connection: Connection, campaign: int
) -> dict[tuple[str, ...], int]:
    """
    How many of *campaign* are pending, by the time zones in which they may live.
    """
    zones = {each.number: each.zones for each in planned_groups(connection, campaign)}
    found: Counter[tuple[str, ...]] = Counter()
    for row in connection.execute(_PENDING, (campaign,)):
        found[zones[row["message_group"]]] += int(row["people"])
    return dict(found)

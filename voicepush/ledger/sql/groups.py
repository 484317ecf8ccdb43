"""
What the people of some batches have in common, as rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from voicepush.ledger.opening import load_windows, openings
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.sql.holding import published_row
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.model.call import CallState
from voicepush.model.status import GroupCounts

_COUNTS = (
    *("planned", "pending", "in_flight", "accepted", "rejected"),
    *("expired", "not_sent", "unknown"),
)
_SHIFTED = ("pending", "in_flight", "rejected", "expired", "not_sent", "unknown")

_COUNT = """
    SELECT message_group, sum(size - suppressed) AS planned,
        sum(size - suppressed - in_flight - accepted - rejected - expired - not_sent
            - unknown) AS pending,
        sum(in_flight) AS in_flight, sum(accepted) AS accepted,
        sum(rejected) AS rejected, sum(expired) AS expired,
        sum(not_sent) AS not_sent, sum(unknown) AS unknown
    FROM batch WHERE campaign = ? GROUP BY message_group
"""

_COUNT_PROVEN = f"""
    SELECT message_group,
        {", ".join(f"sum(proof.{name}) AS {name}" for name in _SHIFTED)},
        sum(proof.suppressed) AS suppressed
    FROM proof JOIN batch ON batch.campaign = proof.campaign
    AND batch.number = proof.number
    WHERE proof.campaign = ? GROUP BY message_group
"""  # noqa: S608 -- our names

_TRIAL_CALLS = """
    SELECT call.state AS state, count(*) AS calls FROM call
    JOIN batch ON batch.campaign = call.campaign AND batch.number = call.number
    WHERE call.campaign = ? AND message_group IN (
        SELECT number FROM message_group WHERE campaign = ? AND trial = 1
    ) GROUP BY call.state
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


def counts_of(connection: Connection, campaign: int) -> dict[int, GroupCounts]:
    """
    Where the people of each group of *campaign* stand, by its number.
    """
    found = {
        row["message_group"]: {name: int(row[name]) for name in _COUNTS}
        for row in connection.execute(_COUNT, (campaign,))
    }
    # Whom receipts prove to be accepted is not written into the batch before its next
    # record.
    for row in connection.execute(_COUNT_PROVEN, (campaign,)):
        counts = found[row["message_group"]]
        for name in _SHIFTED:
            counts[name] -= int(row[name])
            counts["accepted"] += int(row[name])
        counts["accepted"] += int(row["suppressed"])
        counts["planned"] += int(row["suppressed"])
    return {number: GroupCounts(**counts) for number, counts in found.items()}


def trial_calls(connection: Connection, campaign: int) -> Counter[CallState]:
    """
    How many calls of who was called first in *campaign* are in which state.
    """
    found = connection.execute(_TRIAL_CALLS, (campaign, campaign))
    return Counter({CallState(row["state"]): int(row["calls"]) for row in found})


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
        row["starts_at"],
    )


class SQLGroups:
    """
    What a store tells of the groups of its campaigns.
    """

    _store: Store

    async def groups(self, campaign: str) -> list[PlannedGroup]:
        """
        What the people of the batches of *campaign* have in common.
        """

        def work(connection: Connection) -> list[PlannedGroup]:
            row = published_row(connection, campaign)
            return planned_groups(connection, row["id"])

        return await self._store.do(work, writes=False)

    async def group_counts(self, campaign: str) -> dict[int, GroupCounts]:
        """
        Where the people of each group of *campaign* stand, by its number.
        """

        def work(connection: Connection) -> dict[int, GroupCounts]:
            row = published_row(connection, campaign)
            return counts_of(connection, row["id"])

        return await self._store.do(work, writes=False)

    async def trial_calls(self, campaign: str) -> Counter[CallState]:
        """
        How many calls of who was called first in *campaign* are in which state.
        """

        def work(connection: Connection) -> Counter[CallState]:
            row = published_row(connection, campaign)
            return trial_calls(connection, row["id"])

        return await self._store.do(work, writes=False)

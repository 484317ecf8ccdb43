"""
A campaign that is being planned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import attrs
import msgspec

from voicepush.ledger.index import Column, Unsorted
from voicepush.ledger.opening import dump_windows
from voicepush.ledger.packing import COLUMNS, pack_recipients
from voicepush.ledger.plan import Fingerprint, Plan, PlannedGroup
from voicepush.ledger.sql.groups import insert_groups
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.holding import (
    hold,
    let_all_go,
    let_go,
    note_heartbeat,
    published_row,
    take,
)
from voicepush.ledger.sql.index import Merging, drop_runs, write_run
from voicepush.ledger.sql.store import DRAFT, Connection, Store
from voicepush.model.batch import Batch
from voicepush.model.status import CampaignState


class SQLDraft:
    """
    A campaign that is being planned, in rows that no one else looks at yet.
    """

    def __init__(self, store: Store, campaign: int, token: str) -> None:
        self._store = store
        self._campaign = campaign
        self._token = token
        self._added = 0
        self._to_index = Unsorted()

    async def add(
        self, batches: Sequence[Batch], groups: Sequence[PlannedGroup] = ()
    ) -> None:
        """
        Take *batches* in.
        """
        numbers = range(self._added, self._added + len(batches))
        self._added = numbers.stop
        packed = [pack_recipients(batch.recipients) for batch in batches]
        for number, batch, each in zip(numbers, batches, packed, strict=True):
            self._to_index.add(number, batch.recipients, each)
        columns = self._to_index.take()

        def work(connection: Connection) -> None:
            hold(connection, self._campaign, self._token)
            note_heartbeat(connection, self._token)
            insert_groups(connection, self._campaign, groups)
            connection.insert_many(
                "batch",
                ("campaign", "number", "message_group", "size"),
                [
                    (self._campaign, number, batch.group.number, batch.size)
                    for number, batch in zip(numbers, batches, strict=True)
                ],
            )
            connection.insert_many(
                "recipients",
                ("campaign", "number", *COLUMNS),
                [
                    (self._campaign, number, *each)
                    for number, each in zip(numbers, packed, strict=True)
                ],
            )
            write_run(connection, self._campaign, columns)

        await self._store.do(work)

    async def publish(
        self, counts: Mapping[str, int], fingerprint: Fingerprint | None = None
    ) -> None:
        """
        Make the campaign exist, with the screening's *counts*.

        Args:
            fingerprint: Of the source, where it was a file or a stream.
        """
        merging = await self._merge(self._to_index.take(last=True))

        def work(connection: Connection) -> None:
            hold(connection, self._campaign, self._token)
            merging.finish(connection)
            connection.execute(
                "UPDATE campaign SET state = :state, "
                "read = :read, invalid = :invalid, "
                "duplicate = :duplicate, suppressed = :suppressed, "
                "digest = :digest, source_size = :size, "
                "source_modified_ns = :modified_ns WHERE id = :id",
                {
                    **dict.fromkeys(("digest", "size", "modified_ns")),
                    **(attrs.asdict(fingerprint) if fingerprint else {}),
                    **counts,
                    "state": CampaignState.PLANNED,
                    "id": self._campaign,
                },
            )

            let_go(connection, self._token)
            note(connection, self._campaign, "planned")

        await self._store.do(work)

    async def _merge(self, columns: Sequence[Column]) -> Merging:
        """
        Index the last *columns*, and make one run of many, a part in each commit.
        """
        merging = Merging(self._campaign)

        def begin(connection: Connection) -> list[tuple[int, int]]:
            hold(connection, self._campaign, self._token)
            write_run(connection, self._campaign, columns)
            return merging.begin(connection)

        for part in await self._store.do(begin):
            await self._store.do(partial(self._merge_part, merging, part))
        return merging

    def _merge_part(
        self, merging: Merging, part: tuple[int, int], connection: Connection
    ) -> None:
        hold(connection, self._campaign, self._token)
        note_heartbeat(connection, self._token)
        merging.merge(connection, *part)

    async def heartbeat(self) -> None:
        """
        Show that the planner is alive.
        """

        def work(connection: Connection) -> None:
            hold(connection, self._campaign, self._token)
            note_heartbeat(connection, self._token)

        await self._store.do(work)

    async def discard(self) -> None:
        """
        Let nothing of it remain, if it is still a draft and ours.
        """

        def work(connection: Connection) -> None:
            row = hold(connection, self._campaign, self._token)
            if row["state"] == DRAFT:
                drop(connection, self._campaign)

        await self._store.do(work)


def insert(connection: Connection, plan: Plan, token: str) -> int:
    """
    Begin the row of a campaign; gives its id.
    """
    row = {
        "name": plan.campaign,
        "source": plan.source,
        "tag": plan.tag,
        "state": DRAFT,
        "planned_at": connection.now(),
        "expires_at": plan.expires_at,
        "rate": plan.rate,
        "retry_internal_error": plan.retry_internal_error,
        "resend_unknown": plan.resend_unknown,
        "given": msgspec.json.encode(plan.given).decode(),
        "follows": plan.follows and msgspec.json.encode(plan.follows).decode(),
        "windows": dump_windows(plan.windows),
        "any_hour": plan.any_hour,
        "starts_at": plan.starts_at,
        "stops_at": plan.stops_at,
        "trial": plan.trial and msgspec.json.encode(plan.trial).decode(),
        "stage": plan.stage,
        "caps": msgspec.json.encode(plan.caps).decode() if plan.caps else None,
        "parent": plan.follows
        and published_row(connection, plan.follows.campaign)["id"],
    }
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    inserted = connection.execute(
        f"INSERT INTO campaign ({names}) VALUES ({values})",  # noqa: S608 -- our names
        row,
    )
    campaign = int(inserted.lastrowid or 0)
    take(connection, campaign, token)
    whole = PlannedGroup(number=0, message=plan.message)
    insert_groups(connection, campaign, [whole])
    connection.execute("INSERT INTO tally (campaign) VALUES (?)", (campaign,))
    return campaign


def drop(connection: Connection, campaign: int) -> None:
    """
    Let nothing of *campaign* remain.
    """
    drop_runs(connection, campaign)
    let_all_go(connection, campaign)
    # One that was being moved here has brought calls.
    blocks = {
        each.partition(".")[0]
        for row in connection.execute(
            "SELECT bodies FROM call WHERE campaign = ?", (campaign,)
        )
        for each in row["bodies"].split()
    }
    connection.executemany(
        "DELETE FROM body_block WHERE id = ?", [(int(each),) for each in blocks]
    )
    for statement in (
        "DELETE FROM call WHERE campaign = ?",
        "DELETE FROM poll WHERE campaign = ?",
        "DELETE FROM proof WHERE campaign = ?",
        "DELETE FROM call_tally WHERE campaign = ?",
        "DELETE FROM call_time WHERE campaign = ?",
        "DELETE FROM picked_up WHERE campaign = ?",
        "DELETE FROM minute WHERE campaign = ?",
        "DELETE FROM outcome_time WHERE campaign = ?",
        "DELETE FROM history WHERE campaign = ?",
        "DELETE FROM recipients WHERE campaign = ?",
        "DELETE FROM batch WHERE campaign = ?",
        "DELETE FROM tally WHERE campaign = ?",
        "DELETE FROM message_group WHERE campaign = ?",
        "DELETE FROM campaign WHERE id = ?",
    ):
        connection.execute(statement, (campaign,))


def drop_of(connection: Connection, token: str) -> None:
    """
    Let nothing remain of *token*'s draft, if it has come to be.
    """
    row = connection.execute(
        "SELECT id FROM campaign JOIN worker ON worker.campaign = campaign.id "
        "WHERE token = ? AND state = ?",
        (token, DRAFT),
    ).fetchone()
    if row is not None:
        drop(connection, row["id"])

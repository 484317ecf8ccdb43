"""
Campaigns in a schema of PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Self

import attrs

from voicepush.errors import CampaignHeldError, InputError
from voicepush.ledger.late_record import Fate, LateRecord
from voicepush.ledger.opening import groups_of
from voicepush.ledger.plan import ON_TRIAL, Command, PlannedGroup
from voicepush.ledger.postgres import engine
from voicepush.ledger.postgres.address import Address
from voicepush.ledger.postgres.engine_tables import check_engine
from voicepush.ledger.postgres.schema import VERSION
from voicepush.ledger.postgres.store import PostgresStore
from voicepush.ledger.postgres.worker import LoneWorker, PostgresWorker
from voicepush.ledger.sharing import Database
from voicepush.ledger.sql.groups import openings_of, planned_groups
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.holding import (
    check_free,
    check_here,
    is_alive,
    let_go,
    published_row,
    take,
    workers_of,
)
from voicepush.ledger.sql.late import go_on, record_unrecorded
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sql.rows import plan_of
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.ledger.sql.tokens import new_token
from voicepush.model.message import VoiceMessage
from voicepush.model.status import CampaignState

#: Of those that no process dispatches alone.
_RELEASED = """
    SELECT name FROM campaign WHERE state = ? AND NOT EXISTS (
        SELECT * FROM worker WHERE campaign = campaign.id AND shares = 0
    ) ORDER BY id
"""

_TAGGED = "SELECT id, state FROM campaign WHERE tag = ?"

#: Where a campaign is that is not dispatched from here.
_ELSEWHERE = (DRAFT, CampaignState.MOVING, CampaignState.MOVED)


class PostgresLedger(SQLLedger):
    """
    Campaigns in a database that several machines share, with every claim and record
    committed there.
    """

    kept_in = f"PostgreSQL, schema version {VERSION}"

    _worker = LoneWorker

    def __init__(self, store: PostgresStore, database: Database) -> None:
        super().__init__(store)
        self.database = database

    @classmethod
    async def open(
        cls,
        address: str,
        *,
        schema: str | None = None,
        make: bool = True,
        failed_over: bool = False,
    ) -> Self:
        """
        The ledger at *address*, which may name its schema.

        Args:
            schema: Its schema, where the address names none.
            make: Make its tables if they are not there.
            failed_over: It is known that the database failed over or was restored.

        Raises:
            InputError: *address* can't be used, or holds a password; or the tables are
                not there, and not to be made.
            LedgerError: It can't be reached, or is of a newer version.
        """
        where = Address.parse(address, schema)
        store = PostgresStore(where)
        await store.open(make=make, failed_over=failed_over)
        return cls(store, Database(where.database, where.schema))

    async def release(
        self,
        campaign: str,
        load: Callable[[str], VoiceMessage],
        *,
        process_is_gone: bool = False,
    ) -> None:
        """
        Give *campaign* to the workers. One that is given already is left so.
        """
        await self._store.do(check_engine, writes=False)
        is_given = partial(self._is_given, campaign=campaign)
        if await self._store.do(is_given, writes=False):
            return
        plan = await self.plan(campaign)
        if plan is not None and plan.stage in ON_TRIAL:
            raise InputError(
                f"campaign {campaign!r} calls some people first; that is done by send, "
                "and the others are called by resume"
            )
        worker = await self.join(campaign, load, process_is_gone=process_is_gone)

        def work(connection: Connection) -> None:
            row = published_row(connection, campaign)
            check_here(row)
            let_go(connection, worker.token)
            # Jobs of before may wait for a window that has changed since.
            opens = openings_of(connection, row)
            engine.put_anew(connection, row["id"], row["tag"], opens)
            note(connection, row["id"], "given to workers")

        await self._store.do(work)

    def _windows_changed(self, connection: Connection, row: Row) -> None:
        super()._windows_changed(connection, row)
        # Where its workers are stopping, whoever goes on later puts them anew.
        if row["command"] is None and _is_shared(connection, row):
            opens = openings_of(connection, row)
            engine.put_anew(connection, row["id"], row["tag"], opens)

    def _is_given(self, connection: Connection, *, campaign: str) -> bool:
        """
        Whether it is given to workers, and nobody has told them to stop since.
        """
        row = published_row(connection, campaign)
        return _is_shared(connection, row) and row["command"] is None

    async def released(self) -> list[str]:
        """
        The names of the campaigns that are given to workers and not over.
        """

        def work(connection: Connection) -> list[str]:
            found = connection.execute(_RELEASED, (CampaignState.RUNNING,))
            return [row["name"] for row in found]

        return await self._store.do(work, writes=False)

    async def workers(self, campaign: str) -> int:
        """
        How many work on *campaign* at present.
        """

        def work(connection: Connection) -> int:
            row = published_row(connection, campaign)
            return sum(map(is_alive, workers_of(connection, row["id"])))

        return await self._store.do(work, writes=False)

    async def share(
        self, campaign: str, load: Callable[[str], VoiceMessage]
    ) -> PostgresWorker:
        """
        Become a worker of *campaign*, beside others.
        """
        token = new_token()

        def work(connection: Connection) -> tuple[Row, list[PlannedGroup]]:
            check_engine(connection)
            row = published_row(connection, campaign)
            check_here(row)
            check_free(connection, row, shares=True)
            if not _is_shared(connection, row):
                raise InputError(f"campaign {campaign!r} is not given to workers")
            take(connection, row["id"], token, shares=True)
            note(connection, row["id"], "joined")
            return row, planned_groups(connection, row["id"])

        try:
            row, groups = await self._store.do(work)
        except asyncio.CancelledError:
            # What was begun may still be done.
            self._store.do_later(lambda connection: let_go(connection, token))
            raise
        return PostgresWorker(
            self._store,
            row["id"],
            token,
            # Another machine may have claimed them, and send them yet.
            attrs.evolve(plan_of(row), resend_unknown=False),
            groups=groups_of(groups, load),
            planned_at=row["planned_at"],
            held_until=row["held_until"],
        )

    async def record_late(self, late: LateRecord) -> Fate:
        """
        Add to what is known what a worker knew that could not record it.
        """

        def work(connection: Connection) -> Fate:
            found = connection.execute(_TAGGED, (late.batch.tag,)).fetchone()
            if found is None or found["state"] in _ELSEWHERE:
                return Fate.NOT_HERE
            known = record_unrecorded(connection, found["id"], late)
            if known is None:
                return Fate.UNDER_WAY
            go_on(connection, found["id"])
            note(connection, found["id"], "recorded late", f"batch {late.batch.number}")
            return Fate.RECORDED

        return await self._store.do(work)

    async def steer(
        self,
        campaign: str,
        *,
        command: Command | None = None,
        rate: float | None = None,
    ) -> None:
        """
        Tell the workers of *campaign*, on whatever machine, what is wanted of them.

        Where it is given to workers and none is there, it is paused at once, so that
        whoever wants to end it can go on.
        """
        await super().steer(campaign, command=command, rate=rate)
        if command is not None:
            await self._store.do(partial(self._pause, campaign=campaign))

    def _pause(self, connection: Connection, *, campaign: str) -> None:
        row = published_row(connection, campaign)
        workers = workers_of(connection, row["id"])
        is_released = all(worker["shares"] for worker in workers)
        if (
            row["state"] == CampaignState.RUNNING
            and is_released
            and not any(map(is_alive, workers))
        ):
            connection.execute(
                "UPDATE campaign SET state = ?, reason = ?, command = NULL "
                "WHERE id = ?",
                (CampaignState.PAUSED, "paused by its owner", row["id"]),
            )


def _is_shared(connection: Connection, row: Row) -> bool:
    """
    Whether the campaign in *row* is given to workers.

    Raises:
        CampaignHeldError: They are stopping; one that came now would not let it end.
    """
    workers = workers_of(connection, row["id"])
    if row["state"] != CampaignState.RUNNING or not all(
        worker["shares"] for worker in workers
    ):
        return False
    if row["command"] is not None and any(map(is_alive, workers)):
        raise CampaignHeldError(row["name"], "its workers, which stop")
    return True

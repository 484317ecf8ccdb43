"""
Campaigns in a store that speaks SQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Self

from voicepush.errors import (
    InputError,
)
from voicepush.ledger.bodies import pack_bodies
from voicepush.ledger.opening import (
    check_zoned,
    dump_windows,
    groups_of,
    said_of,
)
from voicepush.ledger.plan import Command, Plan, PlannedGroup, Stage
from voicepush.ledger.sql.draft import SQLDraft, drop, drop_of, insert
from voicepush.ledger.sql.groups import planned_groups
from voicepush.ledger.sql.history import moment_text, note, told
from voicepush.ledger.sql.holding import (
    campaign_row,
    check_free,
    check_here,
    let_go,
    published_row,
    take,
)
from voicepush.ledger.sql.keeping import SQLKeeping
from voicepush.ledger.sql.moving import Move
from voicepush.ledger.sql.polling import note_asked
from voicepush.ledger.sql.reading import SQLReader
from voicepush.ledger.sql.receiving import forget_bodies, place_again, receive
from voicepush.ledger.sql.retiring import check_deleted
from voicepush.ledger.sql.rows import READY, plan_of
from voicepush.ledger.sql.store import DRAFT, Connection, Row
from voicepush.ledger.sql.suppression import SQLSuppression
from voicepush.ledger.sql.tokens import new_token
from voicepush.ledger.sql.worker import SQLWorker
from voicepush.model.batch import BatchId
from voicepush.model.call import Receipt, Received
from voicepush.model.message import VoiceMessage
from voicepush.model.status import (
    CampaignState,
)
from voicepush.model.windows import Windows


class SQLLedger(SQLKeeping, SQLSuppression, SQLReader):
    """
    Campaigns in a store, with every claim and record durable.

    Each method raises `LedgerError` when the store can't be read or written.
    """

    #: What it is kept in, and the version of its tables.
    kept_in: str

    #: Works on a campaign alone.
    _worker: type[SQLWorker] = SQLWorker

    async def close(self) -> None:
        """
        Finish what was begun, and close the store.
        """
        await self._store.close()

    def move(
        self,
        campaign: str,
        target: SQLLedger,
        *,
        to: str,
        tell: Callable[[int, int], object] = lambda *_: None,
    ) -> Move:
        """
        The move of *campaign* from this ledger to *target*.

        Args:
            to: Where that is, in words for whoever looks for the campaign here.
            tell: Hears how many batches of how many are copied.
        """
        return Move(self._store, target._store, campaign, to=to, tell=tell)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def change(
        self,
        campaign: str,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
        stops_at: float | None = None,
    ) -> None:
        """
        Change what is given of *campaign*'s settings, if nobody dispatches it.

        Raises:
            InputError: There is no such campaign.
            CampaignHeldError: Another process is dispatching it.
        """
        given = {
            "rate": rate,
            "retry_internal_error": retry_internal_error,
            "resend_unknown": resend_unknown,
            "stops_at": stops_at,
        }
        said = {**given, "stops_at": moment_text(stops_at)}
        settings = tuple(given.values())
        changes = any(setting is not None for setting in settings)

        def work(connection: Connection) -> None:
            row = published_row(connection, campaign)
            check_here(row)
            # They hear of a rate, and of nothing else.
            hear = all(each is None for name, each in given.items() if name != "rate")
            check_free(connection, row, shares=hear)
            if changes:
                connection.execute(
                    "UPDATE campaign SET rate = coalesce(?, rate), "
                    "retry_internal_error = coalesce(?, retry_internal_error), "
                    "resend_unknown = coalesce(?, resend_unknown), "
                    "stops_at = coalesce(?, stops_at) WHERE id = ?",
                    (*settings, row["id"]),
                )
                note(connection, row["id"], "changed", told(said))

        await self._store.do(work, writes=changes)

    async def draft(self, plan: Plan) -> SQLDraft:
        """
        Begin to plan a campaign; what a dead process left of an earlier try is dropped.

        Raises:
            CampaignHeldError: Another process is planning it.
            InputError: There is such a campaign already.
        """
        token = new_token()

        def work(connection: Connection) -> int:
            row = campaign_row(connection, plan.campaign)
            if row is not None:
                if row["state"] != DRAFT:
                    raise InputError(f"campaign {plan.campaign!r} is planned already")
                check_free(connection, row)
                drop(connection, row["id"])
            check_deleted(connection, plan.campaign)
            return insert(connection, plan, token)

        try:
            identity = await self._store.do(work)
        except asyncio.CancelledError:
            # What was begun may still be done; it must not keep the name from us.
            self._store.do_later(lambda connection: drop_of(connection, token))
            raise
        return SQLDraft(self._store, identity, token)

    async def join(
        self,
        campaign: str,
        load: Callable[[str], VoiceMessage],
        *,
        cancelled: bool = False,
        process_is_gone: bool = False,
    ) -> SQLWorker:
        """
        Become the one worker of *campaign*.

        Args:
            load: Makes the message of its text in the plan.
            cancelled: Join although it was cancelled, to decide about its unknown.
            process_is_gone: As for `Worker.resolve`.

        Raises:
            InputError: There is no such campaign, or it was cancelled.
            CampaignHeldError: Another process is dispatching it.
        """
        token = new_token()

        def work(connection: Connection) -> tuple[Row, list[PlannedGroup]]:
            row = published_row(connection, campaign)
            if row["state"] == CampaignState.CANCELLED and not cancelled:
                raise InputError(
                    f"campaign {campaign!r} was cancelled; plan those who are left "
                    "under another name"
                )
            check_here(row)
            check_free(connection, row)
            take(connection, row["id"], token)
            connection.execute(
                "UPDATE campaign SET command = NULL, "
                "reason = CASE state WHEN ? THEN reason END, "
                "state = CASE state WHEN ? THEN state ELSE ? END WHERE id = ?",
                (
                    *(CampaignState.CANCELLED, CampaignState.CANCELLED),
                    *(CampaignState.RUNNING, row["id"]),
                ),
            )
            note(connection, row["id"], "joined")
            return row, planned_groups(connection, row["id"])

        try:
            row, groups = await self._store.do(work)
            worker = self._worker(
                self._store,
                row["id"],
                token,
                plan_of(row),
                groups=groups_of(groups, load),
                planned_at=row["planned_at"],
                held_until=row["held_until"],
            )
            if row["state"] != CampaignState.CANCELLED:
                await worker.recover(process_is_gone=process_is_gone)
        except asyncio.CancelledError:
            # What was begun may still be done; it must not keep the campaign from us.
            self._store.do_later(lambda connection: _give_back(connection, token))
            raise
        return worker

    async def steer(
        self,
        campaign: str,
        *,
        command: Command | None = None,
        rate: float | None = None,
    ) -> None:
        """
        Tell the dispatcher of *campaign*, in whatever process, what is wanted of it.

        Raises:
            InputError: There is no such campaign.
        """

        def work(connection: Connection) -> None:
            row = published_row(connection, campaign)
            check_here(row)
            connection.execute(
                "UPDATE campaign SET command = coalesce(?, command), "
                "rate = coalesce(?, rate) WHERE id = ?",
                (command, rate, row["id"]),
            )
            note(
                connection, row["id"], "told", told({"command": command, "rate": rate})
            )

        await self._store.do(work)

    async def set_windows(
        self, campaign: str, windows: Windows | None, *, any_hour: str | None = None
    ) -> None:
        """
        Change when the people of *campaign* may be called, which each claim looks at.

        Args:
            windows: None where they may be called at any hour.
            any_hour: Why that is so.

        Raises:
            InputError: There is no such campaign, or it was planned without windows.
        """

        def work(connection: Connection) -> None:
            row = published_row(connection, campaign)
            check_here(row)
            check_zoned(campaign, planned_groups(connection, row["id"]))
            connection.execute(
                "UPDATE campaign SET windows = ?, any_hour = ? WHERE id = ?",
                (dump_windows(windows), any_hour, row["id"]),
            )
            said = said_of(windows, any_hour)
            note(connection, row["id"], "told", said)
            self._windows_changed(connection, published_row(connection, campaign))

        await self._store.do(work)

    async def set_stage(self, campaign: str, stage: Stage, said: str) -> None:
        """
        Make it durable how far the trial of *campaign* is.

        Args:
            said: What the history says of it.
        """

        def work(connection: Connection) -> None:
            row = published_row(connection, campaign)
            connection.execute(
                "UPDATE campaign SET stage = ?, tried_at = coalesce(tried_at, ?) "
                "WHERE id = ?",
                (stage, connection.now(), row["id"]),
            )
            note(connection, row["id"], "trial", said)

        await self._store.do(work)

    def _windows_changed(self, connection: Connection, row: Row) -> None:
        """
        Who waits for a window of the campaign in *row* may wait for another one now;
        those who wait for something else are told again to wait.
        """
        connection.execute(
            "UPDATE batch SET due_at = NULL "
            "WHERE campaign = ? AND state = ? AND due_at IS NOT NULL",
            (row["id"], READY),
        )

    async def receive(
        self, receipts: Sequence[Receipt], *, refused: int = 0
    ) -> Received:
        """
        Make *receipts* durable, and apply what they say to the calls that it is about.

        Args:
            refused: How many more were refused since.
        """
        # Takes a while, and the lock is better held by others meanwhile.
        bodies = [receipt.body for receipt in receipts]
        packed = await asyncio.to_thread(pack_bodies, bodies) if bodies else b""

        def work(connection: Connection) -> Received:
            with self._books.opened(connection):
                return receive(connection, self._books, receipts, packed, refused)

        received = await self._store.do(work)
        # What goes where nobody looks is not kept.
        self._store.check_in_place()
        return received

    async def note(self, campaign: str, event: str, detail: str) -> None:
        """
        Write into the history of *campaign* what was done to it from elsewhere.
        """
        await self._store.do(
            lambda connection: note(
                connection, published_row(connection, campaign)["id"], event, detail
            )
        )

    async def place_again(self) -> Received:
        """
        Try again to find whose the receipts are that belong to no known call.
        """

        def work(connection: Connection) -> Received:
            with self._books.opened(connection):
                return place_again(connection, self._books)

        return await self._store.do(work)

    async def note_asked(self, batch: BatchId, places: Collection[int] | None) -> None:
        """
        Make it durable that calls of *batch* were asked about.
        """
        await self._store.do(lambda connection: note_asked(connection, batch, places))

    async def forget_bodies(self, before: float) -> int:
        """
        Delete some of the bodies that came *before* that moment; gives how many.
        """
        return await self._store.do(
            lambda connection: forget_bodies(connection, before)
        )


def _give_back(connection: Connection, token: str) -> None:
    """
    Undo a joining that nobody waits for any more, if it was done.
    """
    connection.execute(
        "UPDATE campaign SET state = CASE state WHEN ? THEN state ELSE ? END "
        "WHERE id IN (SELECT campaign FROM worker WHERE token = ?)",
        (CampaignState.CANCELLED, CampaignState.PAUSED, token),
    )
    let_go(connection, token)

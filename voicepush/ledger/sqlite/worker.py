"""
The right to dispatch one campaign.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence

from voicepush import clock
from voicepush.errors import (
    CampaignLostError,
    LedgerError,
)
from voicepush.ledger.packing import (
    pack_places,
    replaced,
    unpack_places,
)
from voicepush.ledger.protocol import Command, Control, Plan
from voicepush.ledger.sqlite.holder import hold, note_heartbeat
from voicepush.ledger.sqlite.rows import (
    SELECT_BATCH,
    TOGETHER,
    batch_result,
    record_of,
    rows_of,
    with_in_flight,
)
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.batch import Batch
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Waiting

_LOST = Verdict(Outcome.UNKNOWN, None, "claimed, and its answer was never recorded")


class SQLiteLease:
    """
    The right to dispatch one campaign; every write checks that it is still held.
    """

    def __init__(
        self,
        file: SQLiteFile,
        campaign: int,
        holder: str,
        plan: Plan,
        held_until: float | None,
    ) -> None:
        self.plan = plan
        self.held_until = held_until
        self._file = file
        self._campaign = campaign
        self._holder = holder

    async def recover(self) -> None:
        """
        Settle what an earlier holder left in flight, and make the not sent pending.
        """
        await self._rewrite("batch.state = 1 OR not_sent > 0", self._recovered)

    async def due(self, message: VoiceMessage) -> AsyncIterator[BatchResult]:
        """
        The batches in which someone is pending, each with what is known of it.
        """
        async for row in rows_of(
            self._file, "campaign.id = ? AND batch.state = 0", (self._campaign,)
        ):
            yield batch_result(row, message)

    async def claim(self, batch: Batch, places: Sequence[int]) -> None:
        """
        Make it durable that *places* of *batch* are about to be sent.

        Raises:
            LedgerError: It is not; they must not be sent.
        """
        whole = len(places) == len(batch)
        row = {
            "campaign": self._campaign,
            "holder": self._holder,
            "number": batch.id.number,
            "in_flight": batch.size if whole else batch.weigh(places),
            "claimed": None if whole else pack_places(places),
            "now": clock.now(),
        }

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_CLAIM, row).rowcount != 1:
                hold(connection, self._campaign, self._holder)
                raise CampaignLostError(
                    f"batch {row['number']} of {self.plan.campaign!r} was claimed by "
                    "another process; this one stops"
                )

        try:
            await self._file.do(work, at_once=True)
            self._file.check_in_place()
        except (asyncio.CancelledError, LedgerError):
            # It may be done, or be done yet, and nothing will be sent.
            self._file.do_later(lambda connection: connection.execute(_UNCLAIM, row))
            raise

    async def settle(self, result: BatchResult) -> None:
        """
        Make it durable what became of a batch so far.
        """
        row = record_of(result, self._campaign, self._holder)

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_RECORD, row).rowcount != 1:
                hold(connection, self._campaign, self._holder)

        await self._file.do(work, at_once=True)

    async def heartbeat(
        self,
        throughput: float | None,
        *,
        waiting: Waiting | None = None,
        held_until: float | None = None,
    ) -> Control:
        """
        Show that the holder is alive and how fast it is, and learn what is wanted.

        Args:
            waiting: Why nothing goes on at present, where nothing does.
            held_until: Until when the service asked to wait, in seconds since 1970.

        Raises:
            CampaignLostError: Another has taken the campaign over.
        """

        def work(connection: sqlite3.Connection) -> Control:
            row = hold(connection, self._campaign, self._holder)
            note_heartbeat(connection, self._campaign)
            since = waiting and waiting.since.timestamp()
            connection.execute(
                "UPDATE campaign SET throughput = ?, waiting = ?, waiting_since = ?, "
                "held_until = coalesce(?, held_until) WHERE id = ?",
                (
                    *(throughput, waiting and waiting.reason, since),
                    *(held_until, self._campaign),
                ),
            )
            return Control(row["command"] and Command(row["command"]), row["rate"])

        control = await self._file.do(work)
        self._file.check_in_place()
        return control

    async def resolve(self, *, resend: bool) -> int:
        """
        Make the unknown pending, or give them up; gives how many there were.
        """
        resolved = 0

        def change(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
            nonlocal resolved
            resolved += row["unknown"] - row["given_up"]
            result = batch_result(row)
            given_up = unpack_places(row["given_up_places"])
            unknown = set(result.places(Outcome.UNKNOWN)) - given_up
            if resend:
                pending = Verdict(Outcome.PENDING)
                again = replaced(result, Outcome.UNKNOWN, pending, sorted(unknown))
                self._write(connection, again)
            else:
                connection.execute(
                    "UPDATE batch SET given_up = unknown, given_up_places = ? "
                    "WHERE campaign = ? AND number = ?",
                    (pack_places(unknown | given_up), self._campaign, row["number"]),
                )

        await self._for_each("batch.state != 1 AND unknown > given_up", change)
        return resolved

    async def release(
        self,
        state: CampaignState,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Give the campaign back. A cancelled one has nobody pending any more.

        One in which someone is left is paused, and not finished, whatever *state* says.
        """
        if state is CampaignState.CANCELLED:
            await self._rewrite(
                "batch.state = 1",
                lambda result, row: with_in_flight(result, row, _LOST),
            )
            cancelled = Verdict(Outcome.NOT_SENT, None, reason or "cancelled")
            await self._rewrite(
                "batch.state = 0",
                lambda result, _: replaced(result, Outcome.PENDING, cancelled),
            )

        def work(connection: sqlite3.Connection) -> None:
            end, why = state, reason
            if state is CampaignState.FINISHED:
                left = self._left(connection)
                words = reason or f"{left:,} are left; resume goes on"
                end, why = (CampaignState.PAUSED, words) if left else (state, None)
            connection.execute(
                "UPDATE campaign SET holder = NULL, command = NULL, throughput = NULL, "
                "waiting = NULL, held_until = coalesce(?, held_until), "
                "state = ?, reason = ? WHERE id = ? AND holder = ?",
                (held_until, end, why, self._campaign, self._holder),
            )

        await self._file.do(work)

    def _left(self, connection: sqlite3.Connection) -> int:
        """
        How many are pending, in flight or not sent.
        """
        row = connection.execute(
            "SELECT pending + in_flight + not_sent FROM tally WHERE campaign = ?",
            (self._campaign,),
        ).fetchone()
        return int(row[0])

    def _write(self, connection: sqlite3.Connection, result: BatchResult) -> None:
        connection.execute(_RECORD, record_of(result, self._campaign, self._holder))

    def _recovered(self, result: BatchResult, row: sqlite3.Row) -> BatchResult:
        if not self.plan.resend_unknown:
            result = with_in_flight(result, row, _LOST)
        return replaced(result, Outcome.NOT_SENT, Verdict(Outcome.PENDING))

    async def _rewrite(
        self, where: str, change: Callable[[BatchResult, sqlite3.Row], BatchResult]
    ) -> None:
        """
        Change what is known of each batch for which *where* holds, some at a time.
        """
        await self._for_each(
            where,
            lambda connection, row: self._write(
                connection, change(batch_result(row), row)
            ),
        )

    async def _for_each(
        self, where: str, change: Callable[[sqlite3.Connection, sqlite3.Row], None]
    ) -> None:
        """
        The same with *change* writing by itself.
        """
        after: int | None = -1

        def work(connection: sqlite3.Connection) -> int | None:
            hold(connection, self._campaign, self._holder)
            note_heartbeat(connection, self._campaign)
            # Those before need not be looked at again.
            rows = connection.execute(
                f"{SELECT_BATCH} WHERE batch.campaign = ? AND ({where}) "
                "AND batch.number > ? ORDER BY batch.number LIMIT ?",
                (self._campaign, after, TOGETHER),
            ).fetchall()
            for row in rows:
                change(connection, row)
            return rows[-1]["number"] if rows else None

        while after is not None:
            after = await self._file.do(work)


#: Only who holds a campaign may write; looked at in the same statement, since each one
#: more passes the interpreter's lock to and fro.
_IS_HELD = """
    EXISTS (SELECT * FROM campaign WHERE id = :campaign AND holder = :holder)
"""


_CLAIM = f"""
    UPDATE batch
    SET state = 1, in_flight = :in_flight, claimed = :claimed, claimed_at = :now
    WHERE campaign = :campaign AND number = :number AND state = 0 AND {_IS_HELD}
"""  # noqa: S608 -- ours


#: Takes a claim of this very moment back, also after the campaign was given back;
#: a process that took it over would have recorded it first.
_UNCLAIM = """
    UPDATE batch
    SET state = 0, in_flight = 0, claimed = NULL
    WHERE campaign = :campaign AND number = :number AND state = 1 AND claimed_at = :now
"""


_RECORD = f"""
    UPDATE batch
    SET state = :state, in_flight = 0, claimed = NULL, recorded_at = :now,
        accepted = :accepted, rejected = :rejected, expired = :expired,
        not_sent = :not_sent, unknown = :unknown,
        attempts = :attempts, outcome = :outcome, code = :code,
        description = :description, exceptions = :exceptions,
        transactions = :transactions
    WHERE campaign = :campaign AND number = :number AND {_IS_HELD}
"""  # noqa: S608 -- ours

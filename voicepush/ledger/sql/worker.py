"""
The one worker of a campaign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from voicepush.errors import CampaignLostError, LedgerError
from voicepush.ledger import decisions
from voicepush.ledger.opening import Groups, closing
from voicepush.ledger.plan import Control, Plan
from voicepush.ledger.protocol import Due, Dues, Finished
from voicepush.ledger.sql.deciding import (
    Cancelling,
    Decision,
    Recovery,
    Resolution,
    for_each,
)
from voicepush.ledger.sql.due_again import call_again
from voicepush.ledger.sql.giving import Giving
from voicepush.ledger.sql.history import note, note_progress
from voicepush.ledger.sql.holding import give_sign, hold, is_held, let_go
from voicepush.ledger.sql.late import (
    claim_left,
    record_after_late,
    record_late,
    unclaim,
)
from voicepush.ledger.sql.leaving_out import LeavingOut
from voicepush.ledger.sql.rows import (
    READY,
    batch_result,
    claim_of,
    control_of,
    record_of,
    rows_numbered,
)
from voicepush.ledger.sql.statements import CLAIM, RECORD
from voicepush.ledger.sql.statuses import left_in
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.ledger.sql.tokens import at_work
from voicepush.model.batch import Batch, BatchId
from voicepush.model.claim import (
    Claim,
    Claimed,
    NotBefore,
    Record,
    Recorded,
    Refused,
    Superseded,
)
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Progress, Resolved, Waiting

_TAKEN_OVER = "the campaign was taken over by another process; this one stops"


class SQLWorker:
    """
    The one worker of a campaign; every write checks that it still is.
    """

    def __init__(
        self,
        store: Store,
        campaign: int,
        token: str,
        plan: Plan,
        *,
        groups: Groups,
        planned_at: float,
        held_until: float | None,
    ) -> None:
        self.plan = plan
        self.token = token
        self.held_until = held_until
        self.longest_wait: float | None = None
        #: Whom it has not made pending again when it joined, since another process
        #: that claimed them may exist.
        self.left_alone = Resolved(0)
        self._store = store
        self._campaign = campaign
        self._leaving_out = LeavingOut(campaign, plan, planned_at)
        self._groups = groups
        self._giving = Giving(campaign, groups)
        self._call_again = partial(call_again, store, campaign, token, self._waits)
        #: Given, and not recorded, deferred or due again since.
        self._given: set[int] = set()

    async def recover(self, *, process_is_gone: bool) -> None:
        """
        Decide about those whom an earlier worker left in flight, and make the not sent
        pending.
        """
        recovery = Recovery(
            self._campaign,
            self.token,
            resend=self.plan.resend_unknown,
            process_is_gone=process_is_gone,
        )
        self.left_alone = (await self._for_each(recovery)).resolved
        await self._call_again()

    async def due(self, limit: int) -> Dues:
        """
        The next batches in which someone is pending, at most *limit* of them.
        """
        while True:
            # As they are now: what is recorded while the store is looked at may not be
            # seen there, and would be given again as it was before.
            given = frozenset(self._given)
            look = partial(self._next, limit=limit, given=given)
            found = await self._store.do(look, writes=False)
            if found is None:
                await self._call_again()
                continue
            if not isinstance(found, list):
                return found
            # Here and not in the thread: two threads at work make each other wait.
            due = list(map(self._due, found))
            if any(row["proven"] for row in found):
                due = await self._still_due(due)
            if due:
                self._given.update(each.known.batch.id.number for each in due)
                return due

    async def _still_due(self, due: list[Due]) -> list[Due]:
        """
        Those in which receipts have left someone pending; the others are recorded.
        """
        for each in due:
            if not each.known.places(Outcome.PENDING):
                await self.record(None, each.known)
        return [each for each in due if each.known.places(Outcome.PENDING)]

    def _next(
        self, connection: Connection, *, limit: int, given: frozenset[int]
    ) -> list[Row] | NotBefore | Finished | None:
        row = hold(connection, self._campaign, self.token)
        return self._giving.next_rows(connection, row, given=given, limit=limit)

    async def open(self, batch: BatchId) -> Due | None:
        """
        That one *batch*, if someone in it is pending.
        """

        def work(connection: Connection) -> Due | None:
            hold(connection, self._campaign, self.token)
            for row in rows_numbered(connection, self._campaign, batch.number):
                due = self._due(row)
                if row["state"] == READY and batch.tag == self.plan.tag:
                    return due if due.known.places(Outcome.PENDING) else None
            return None

        return await self._store.do(work, writes=False)

    def _due(self, row: Row) -> Due:
        return Due(batch_result(row, self._groups.__getitem__), row["due_at"])

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Make it durable that *places* of *batch* are about to be sent.

        Raises:
            LedgerError: It is not; they must not be sent.
        """
        row = claim_of(batch, places, self._campaign, self.token)

        def work(connection: Connection) -> Claim:
            out = self._leaving_out.look(connection, batch, places)
            row["now"] = connection.now()  # after waits, since others look by it
            if isinstance(out, NotBefore):
                return out
            until = self._leaving_out.until(connection, batch.group, row["now"])
            if isinstance(until, NotBefore | Refused):
                return until
            row["closes_at"] = closing(until, self.plan.expires_at)
            claimed = self._claim_but(connection, row, batch, places, out)
            if isinstance(claimed, Claimed):
                return attrs.evolve(claimed, until=until)
            return claimed

        if self.plan.caps:
            await self._store.do(self._leaving_out.catch_up, writes=False)
        at_work.add(self.token)  # before another could learn of the claim
        try:
            claimed = await self._store.do(work, at_once=True)
            self._store.check_in_place()
        except (asyncio.CancelledError, LedgerError):
            # It may be done, or be done yet, and nothing will be sent.
            self._store.do_later(lambda connection: unclaim(connection, row))
            raise
        return claimed

    def _claim_but(
        self,
        connection: Connection,
        row: Mapping[str, Any],
        batch: Batch,
        places: Sequence[int],
        out: Mapping[int, Verdict],
    ) -> Claim:
        """
        Claim those at *places* but for those who are left *out*.
        """
        if not out:
            return self._claim(connection, row, places)
        left = [place for place in places if place not in out]
        if not left:
            hold(connection, self._campaign, self.token)
            return Claimed(self.token, [], out)
        fewer = claim_of(batch, left, self._campaign, self.token)
        fewer |= {name: row[name] for name in ("now", "closes_at")}
        claimed = self._claim(connection, fewer, left)
        if isinstance(claimed, Claimed):
            return attrs.evolve(claimed, left_out={**claimed.left_out, **out})
        return claimed

    def _claim(
        self,
        connection: Connection,
        row: Mapping[str, Any],
        places: Sequence[int],
    ) -> Claim:
        if connection.execute(CLAIM, row).rowcount == 1:
            return Claimed(self.token, places)
        hold(connection, self._campaign, self.token)
        return claim_left(connection, row, places) or self._taken(row)

    def _taken(self, row: Mapping[str, Any]) -> Claim:
        """
        What is answered where another has claimed the batch in *row*.
        """
        raise CampaignLostError(
            f"batch {row['number']} of {self.plan.campaign!r} was claimed by "
            "another process; this one stops"
        )

    async def record(
        self,
        claimed: Claimed | None,  # noqa: ARG002 -- the campaign's holder is looked at
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Make it durable what became of a batch so far.
        """
        row = record_of(result, self._campaign, self.token, due_at)

        def work(connection: Connection) -> Record:
            now = connection.now()
            if not self._record(connection, {**row, "now": now}):
                if not is_held(connection, self._campaign, self.token):
                    record_late(connection, row, result)
                    return Superseded(_TAKEN_OVER)
                record_after_late(connection, row, result)
            if due_at is not None:
                self._waits(connection, row["number"])
            return Recorded()

        # An engine's own tables may refuse what follows the record.
        record = await self._store.do(work, at_once=due_at is None)
        if due_at is not None or row["state"] != READY:
            self._given.discard(row["number"])
        return record

    def _record(self, connection: Connection, row: Mapping[str, Any]) -> bool:
        """
        Write *row*, unless something came that the worker may not know of.
        """
        return connection.execute(RECORD, row).rowcount == 1

    def _waits(self, connection: Connection, number: int) -> None:
        """
        The batch of that *number* is due again later, for whichever worker.
        """

    async def defer(self, batch: BatchId, until: float) -> None:
        """
        Let *batch* wait, and be given again by `due` after *until*.
        """

        def work(connection: Connection) -> None:
            hold(connection, self._campaign, self.token)
            connection.execute(
                "UPDATE batch SET due_at = ? "
                "WHERE campaign = ? AND number = ? AND state = ?",
                (until, self._campaign, batch.number, READY),
            )
            self._waits(connection, batch.number)

        await self._store.do(work)
        self._given.discard(batch.number)

    async def heartbeat(
        self,
        throughput: float | None,
        *,
        waiting: Waiting | None = None,
        held_until: float | None = None,
        progress: Progress | None = None,
    ) -> Control:
        """
        Show that the worker is alive and how fast it is, and learn what is wanted.

        Raises:
            CampaignLostError: Another has taken the campaign over.
        """

        def work(connection: Connection) -> Control:
            row = hold(connection, self._campaign, self.token)
            give_sign(connection, self.token, throughput, waiting)
            if held_until is not None:
                connection.execute(
                    "UPDATE campaign SET held_until = ? WHERE id = ?",
                    (held_until, self._campaign),
                )
            if progress is not None:
                note_progress(connection, self._campaign, progress)
            return control_of(row)

        control = await self._store.do(work)
        self._store.check_in_place()
        return control

    async def resolve(
        self,
        *,
        resend: bool,
        process_is_gone: bool = False,
        batches: Collection[str] | None = None,
    ) -> Resolved:
        """
        Make the unknown pending, or give them up.
        """
        resolution = Resolution(
            self._campaign,
            self.token,
            resend=resend,
            process_is_gone=process_is_gone,
            batches=batches,
        )
        resolved = (await self._for_each(resolution)).resolved
        told = decisions.told(resolved, resend=resend)
        await self._store.do(
            lambda connection: note(connection, self._campaign, "resolved", told)
        )
        return resolved

    async def leave(
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
        at_work.discard(self.token)
        if state is CampaignState.CANCELLED:
            cancelling = Cancelling(
                self._campaign, self.token, reason=reason or "cancelled"
            )
            await self._for_each(cancelling)

        def work(connection: Connection) -> None:
            end, why = state, reason
            if state is CampaignState.FINISHED:
                left = left_in(connection, self._campaign)
                words = reason or f"{left:,} are left; resume goes on"
                end, why = (CampaignState.PAUSED, words) if left else (state, None)
            connection.execute(
                "UPDATE campaign SET command = NULL, "
                "held_until = coalesce(?, held_until), state = ?, reason = ? "
                "WHERE id = ? AND EXISTS (SELECT * FROM worker WHERE token = ?)",
                (held_until, end, why, self._campaign, self.token),
            )
            let_go(connection, self.token)
            said = f"{end.value}: {why}" if why else end.value
            note(connection, self._campaign, "left", said)

        await self._store.do(work)

    async def _for_each(self, decision: Decision) -> Decision:
        """
        Take *decision* about each batch that it is for; gives it with what came of it.
        """
        return await for_each(self._store, self._campaign, self.token, decision)

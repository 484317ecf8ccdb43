"""
One of the workers of a campaign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from voicepush.ledger.opening import load_windows, openings
from voicepush.ledger.plan import Command
from voicepush.ledger.postgres import engine
from voicepush.ledger.protocol import Due
from voicepush.ledger.sql.deciding import Cancelling, Decision, Recovery
from voicepush.ledger.sql.due_again import is_any_due_again
from voicepush.ledger.sql.history import note
from voicepush.ledger.sql.holding import (
    hold,
    is_alive,
    is_held,
    let_all_go,
    let_go,
    workers_of,
)
from voicepush.ledger.sql.late import claim_left
from voicepush.ledger.sql.statements import CLAIM, RECORD
from voicepush.ledger.sql.statuses import left_in
from voicepush.ledger.sql.store import Connection, Row
from voicepush.ledger.sql.tokens import at_work, process_of
from voicepush.ledger.sql.worker import SQLWorker
from voicepush.model.batch import BatchId
from voicepush.model.claim import Claim, Claimed, NotBefore, Record, Refused
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import CampaignState

#: A batch that has to wait for longer, in seconds, takes no slot meanwhile.
LONGEST_WAIT = 5.0

#: Who is in flight with a worker that is not there any more.
_LEFT_BEHIND = """
    batch.state = 1
    AND NOT EXISTS (SELECT * FROM worker WHERE token = batch.claimed_by)
"""

#: Two workers may have the same batch before them, if one was taken for dead and lives;
#: who has not seen what the other recorded must neither claim nor record it.
_AS_SEEN = "AND recorded_at IS NOT DISTINCT FROM :seen"
_CLAIM = f"{CLAIM} {_AS_SEEN}"
_RECORD = f"{RECORD} {_AS_SEEN} AND (state != 1 OR claimed_by = :token)"

#: What its owner or a worker wants, and how the last of them leaves it then.
_STATES = {
    Command.PAUSE: CampaignState.PAUSED,
    Command.CANCEL: CampaignState.CANCELLED,
}
_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)
_COMMANDS = {state: command for command, state in _STATES.items()}


class _LeftBehind(Recovery):
    """
    What is made of those whom a worker has left in flight: they are unknown.
    """

    where = _LEFT_BEHIND


class LoneWorker(SQLWorker):
    """
    The one worker of a campaign, which may have been given to workers before.
    """

    async def leave(
        self,
        state: CampaignState,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Give the campaign back; one that is over leaves no jobs.
        """
        await super().leave(state, reason, held_until=held_until)
        if state in _OVER:
            await self._store.do(self._drop_jobs)

    def _drop_jobs(self, connection: Connection) -> None:
        (state,) = connection.execute(
            "SELECT state FROM campaign WHERE id = ?", (self._campaign,)
        ).fetchone()
        if state in _OVER:
            engine.drop_jobs(connection, self.plan.tag)


class PostgresWorker(SQLWorker):
    """
    One of the workers of a campaign; every write checks that it still is.
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.longest_wait = LONGEST_WAIT
        #: When the batches before it were recorded last, as far as it has seen.
        self._seen: dict[int, float | None] = {}
        #: The same once what is being written is durable.
        self._written: dict[int, float] = {}

    def _due(self, row: Row) -> Due:
        self._seen[row["number"]] = row["recorded_at"]
        return super()._due(row)

    def _claim(
        self, connection: Connection, row: Mapping[str, Any], places: Sequence[int]
    ) -> Claim:
        seen = {**row, "seen": self._seen.get(row["number"])}
        if connection.execute(_CLAIM, seen).rowcount == 1:
            return Claimed(self.token, places)
        hold(connection, self._campaign, self.token)
        return claim_left(connection, row, places) or self._taken(row)

    async def record(
        self,
        claimed: Claimed | None,
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Make it durable what became of a batch so far.
        """
        record = await super().record(claimed, result, due_at)
        number = result.batch.id.number
        written = self._written.pop(number, None)
        if not result.counts()[Outcome.PENDING]:
            self._seen.pop(number, None)  # nobody in it is claimed any more
        elif written is not None:
            self._seen[number] = written
        return record

    def _record(self, connection: Connection, row: Mapping[str, Any]) -> bool:
        number = row["number"]
        self._written.pop(number, None)
        seen = {**row, "seen": self._seen.get(number)}
        if connection.execute(_RECORD, seen).rowcount != 1:
            return False
        self._written[number] = row["now"]
        return True

    def _taken(self, row: Mapping[str, Any]) -> Claim:
        """
        Two jobs may name one batch, after a worker was taken for dead and woke.
        """
        return Refused(f"another worker has batch {row['number']}")

    def _waits(self, connection: Connection, number: int) -> None:
        """
        Give those who are pending to whichever worker is free then, and not before
        their window opens.
        """
        row = connection.execute(
            "SELECT message_group, windows, expires_at FROM batch JOIN campaign "
            "ON campaign.id = batch.campaign WHERE campaign = ? AND number = ?",
            (self._campaign, number),
        ).fetchone()
        windows, group = load_windows(row["windows"]), row["message_group"]
        now, expires_at = connection.now(), row["expires_at"]
        opens = openings([self._groups[group]], windows, now, expires_at)
        engine.put(connection, self._campaign, [number], opens)

    async def known_as(self, engine: int) -> None:
        """
        Let it be known which of the engine's workers this is, so that its jobs are
        given to others as soon as it is gone.
        """
        await self._store.do(
            lambda connection: connection.execute(
                "UPDATE worker SET engine = ? WHERE token = ?", (engine, self.token)
            )
        )

    async def put_back(self, batch: BatchId) -> None:
        """
        Let the engine give *batch* to any worker again, if someone in it is pending.
        """
        await self._store.do(
            lambda connection: engine.put(connection, self._campaign, [batch.number])
        )

    async def is_over(self) -> bool:
        """
        Whether nobody is pending or in flight any more.
        """
        return await self._store.do(
            lambda connection: not any(self._under_way(connection)), writes=False
        )

    async def waits(self) -> NotBefore | None:
        """
        When the next windows open, if nobody is in flight and all others wait for that.
        """

        def work(connection: Connection) -> NotBefore | None:
            row = hold(connection, self._campaign, self.token)
            _, in_flight = self._under_way(connection)
            return None if in_flight else self._giving.waits(connection, row)

        return await self._store.do(work, writes=False)

    def _under_way(self, connection: Connection) -> tuple[int, int]:
        row = connection.execute(
            "SELECT pending, in_flight FROM tally WHERE campaign = ?",
            (self._campaign,),
        ).fetchone()
        return row["pending"], row["in_flight"]

    async def sweep(self) -> int:
        """
        Clean up after workers that gave no sign: who was in flight with them is
        unknown, and what they had not claimed is given to others.
        """
        gone = await self._store.do(self._look_for_gone, writes=False)
        if gone:
            await self._store.do(partial(self._let_gone_go, gone=gone))
        is_left_behind = partial(self._is_any_for, _LeftBehind)
        if await self._store.do(is_left_behind, writes=False):
            # The owner's wish to send the unknown again is not for several machines.
            await self._for_each(_LeftBehind(self._campaign, self.token))
        is_any = partial(is_any_due_again, campaign=self._campaign)
        if await self._store.do(is_any, writes=False):
            await self._call_again()
        await self._store.do(self._clean_engine)
        return len(gone)

    def _look_for_gone(self, connection: Connection) -> list[str]:
        return [
            worker["token"]
            for worker in workers_of(connection, self._campaign)
            if worker["token"] != self.token and not is_alive(worker)
        ]

    def _let_gone_go(self, connection: Connection, *, gone: list[str]) -> None:
        hold(connection, self._campaign, self.token)
        # It may have given a sign meanwhile.
        for token in set(gone).intersection(self._look_for_gone(connection)):
            (known_as,) = connection.execute(
                "SELECT engine FROM worker WHERE token = ?", (token,)
            ).fetchone()
            let_go(connection, token)
            note(connection, self._campaign, "missed", f"{process_of(token)} is gone")
            if known_as is not None:
                engine.end_all_of(connection, self._campaign, self.plan.tag, known_as)

    def _clean_engine(self, connection: Connection) -> None:
        hold(connection, self._campaign, self.token)
        engine.end_stalled(connection, self._campaign, self.plan.tag)
        engine.put_lost(connection, self._campaign, self.plan.tag)

    async def leave(
        self,
        state: CampaignState,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Leave the campaign to the others; the last one ends it.

        Args:
            state: ``running`` leaves it to those who come later, too.
        """
        at_work.discard(self.token)
        go = partial(self._go, state=state, reason=reason, held_until=held_until)
        while not await self._store.do(go):
            why = reason or "cancelled by its owner"
            cancelling = Cancelling(self._campaign, self.token, reason=why)
            await self._for_each(cancelling)

    def _go(
        self,
        connection: Connection,
        *,
        state: CampaignState,
        reason: str | None,
        held_until: float | None,
    ) -> bool:
        """
        Go; False if there is something to be cancelled first.
        """
        if not is_held(connection, self._campaign, self.token):
            return True
        row = hold(connection, self._campaign, self.token)
        if held_until is not None:
            self._set(connection, held_until=held_until)
        others = any(
            worker["token"] != self.token and is_alive(worker)
            for worker in workers_of(connection, self._campaign)
        )
        if others:
            # They hear of it, and the last of them does it.
            if row["command"] is None and state in _COMMANDS:
                self._set(connection, command=_COMMANDS[state], reason=reason)
                return self._gone(connection, f"stops all workers: {reason}")
            return self._gone(connection, None)
        end, reason = self._end_of(connection, row, state, reason)
        if end is CampaignState.CANCELLED and self._is_any_for(Cancelling, connection):
            return False
        if end in _OVER:
            engine.drop_jobs(connection, self.plan.tag)
        if end is CampaignState.RUNNING:
            return self._gone(connection, None)
        self._set(connection, state=end, reason=reason, command=None)
        # Of those that are gone nobody needs to know any more.
        let_all_go(connection, self._campaign)
        return self._gone(connection, f"{end.value}: {reason}" if reason else end.value)

    def _end_of(
        self,
        connection: Connection,
        row: Row,
        state: CampaignState,
        reason: str | None,
    ) -> tuple[CampaignState, str | None]:
        """
        In which state the last worker leaves the campaign, and why.
        """
        if row["command"] is not None:
            end = _STATES[Command(row["command"])]
            # Its workers may have been done before they heard of it.
            return end, row["reason"] or reason or f"{end.value} by its owner"
        if state is not CampaignState.FINISHED:
            return state, reason
        if any(self._under_way(connection)):
            # In flight with one that died, or without a job; who comes next sees to it.
            return CampaignState.RUNNING, None
        if left := left_in(connection, self._campaign):
            return CampaignState.PAUSED, reason or f"{left:,} are left; resume goes on"
        return state, None

    def _set(self, connection: Connection, **columns: Any) -> None:
        names = ", ".join(f"{name} = :{name}" for name in columns)
        connection.execute(
            f"UPDATE campaign SET {names} WHERE id = :id",  # noqa: S608 -- our names
            {**columns, "id": self._campaign},
        )

    def _is_any_for(self, decision: type[Decision], connection: Connection) -> bool:
        """
        Whether there is a batch to be decided about.
        """
        found = connection.execute(
            f"SELECT 1 FROM batch WHERE campaign = ? AND ({decision.where}) LIMIT 1",  # noqa: S608 -- ours
            (self._campaign,),
        )
        return found.fetchone() is not None

    def _gone(self, connection: Connection, said: str | None) -> bool:
        let_go(connection, self.token)
        note(connection, self._campaign, "left", said)
        return True

"""
What is decided about every batch of a campaign, one after the other: when a worker
joins it, when its owner decides about the unknown, and when it is cancelled.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import copy
from typing import ClassVar

from voicepush.ledger import decisions
from voicepush.ledger.packing import pack_places, unpack_places
from voicepush.ledger.sql.holding import hold, note_heartbeat
from voicepush.ledger.sql.late import lose, may_be_sent, write
from voicepush.ledger.sql.rows import (
    IS_PROVEN,
    SELECT_BATCH,
    TOGETHER,
    batch_result,
    in_flight,
    record_of,
    unresolved_of,
)
from voicepush.ledger.sql.store import Connection, Row, Store
from voicepush.ledger.sql.tokens import may_wake, process_of
from voicepush.model.outcome import BatchResult
from voicepush.model.status import Resolved


class Decision:
    """
    Is called with each batch for which `where` holds.
    """

    #: In SQL.
    where: ClassVar[str]
    #: So many are decided about in one transaction, for which others have to wait.
    together: ClassVar[int] = TOGETHER
    #: Whether no receipt is applied meanwhile.
    locks_calls: ClassVar[bool] = False

    def __init__(
        self,
        campaign: int,
        token: str,
        *,
        resend: bool = False,
        process_is_gone: bool = False,
    ) -> None:
        self._campaign = campaign
        self._token = token
        self._resend = resend
        self._process_is_gone = process_is_gone
        self._number = 0
        self._left = 0
        self._process: str | None = None

    def __call__(self, connection: Connection, row: Row) -> None:
        """
        Decide about the batch in *row*.
        """
        raise NotImplementedError

    @property
    def resolved(self) -> Resolved:
        """
        What came of it.
        """
        return Resolved(self._number, self._left, self._process)

    def _write(self, connection: Connection, row: Row, known: BatchResult) -> None:
        record = record_of(known, self._campaign, self._token, row["due_at"])
        write(connection, row, known, record)


class Recovery(Decision):
    """
    What a worker makes of what an earlier one has left: who was in flight is unknown,
    or pending where the owner wants that, and who was not sent is pending.
    """

    where = f"batch.state = 1 OR not_sent > 0 OR {IS_PROVEN}"

    def __call__(self, connection: Connection, row: Row) -> None:
        """
        Decide about the batch in *row*.
        """
        known = batch_result(row)
        under_way = in_flight(row, known)
        wakes = not self._process_is_gone and may_wake(row["claimed_by"])
        resend = self._resend and not wakes
        if under_way and self._resend and wakes:
            self._left += known.batch.weigh(sorted(under_way))
            self._process = process_of(row["claimed_by"])
        if under_way and not resend:
            lose(connection, self._campaign, row, under_way)
        recovered = decisions.recovered(known, under_way, resend=resend)
        self._write(connection, row, recovered)


class Resolution(Decision):
    """
    What an owner makes of the unknown: they are pending again, or given up.
    """

    where = "batch.state != 1 AND unknown > given_up"

    def __init__(
        self,
        campaign: int,
        token: str,
        *,
        resend: bool,
        process_is_gone: bool,
        batches: Collection[str] | None,
    ) -> None:
        super().__init__(
            campaign, token, resend=resend, process_is_gone=process_is_gone
        )
        self._batches = batches

    def __call__(self, connection: Connection, row: Row) -> None:
        """
        Decide about the batch in *row*.
        """
        known = batch_result(row)
        if self._batches is not None and str(known.batch.id) not in self._batches:
            return
        unresolved = frozenset(unresolved_of(row, known))
        left_alone: frozenset[int] = frozenset()
        if self._resend and not self._process_is_gone:
            left_alone, wakes = may_be_sent(row, unresolved)
            self._process = wakes or self._process
        self._left += known.batch.weigh(sorted(left_alone))
        self._number += known.batch.weigh(sorted(unresolved - left_alone))
        given_up = unpack_places(row["given_up_places"])
        if self._resend:
            spared = given_up | left_alone
            self._write(connection, row, decisions.resent(known, spared))
            return
        if row["proven"] is not None:
            self._write(connection, row, known)
            given_up = frozenset(decisions.still_given_up(known, given_up))
        connection.execute(
            "UPDATE batch SET given_up = unknown, given_up_places = ? "
            "WHERE campaign = ? AND number = ?",
            (
                pack_places(given_up.union(unresolved)),
                *(self._campaign, row["number"]),
            ),
        )


class Cancelling(Decision):
    """
    What is left when an owner has ended a campaign: nobody is pending any more.
    """

    where = "batch.state != 2"

    def __init__(self, campaign: int, token: str, *, reason: str) -> None:
        super().__init__(campaign, token)
        self._reason = reason

    def __call__(self, connection: Connection, row: Row) -> None:
        """
        Decide about the batch in *row*.
        """
        known = batch_result(row)
        under_way = in_flight(row, known)
        if under_way:
            lose(connection, self._campaign, row, under_way)
        cancelled = decisions.cancelled(known, under_way, self._reason)
        self._write(connection, row, cancelled)


async def for_each(
    store: Store, campaign: int, token: str, decision: Decision
) -> Decision:
    """
    Let the worker of *token* take *decision* about each batch that it is for, some at a
    time; gives it with what came of it.
    """
    after: int | None = -1

    def work(connection: Connection) -> tuple[int | None, Decision]:
        # What is done again counts once.
        taken = copy(decision)
        if decision.locks_calls:
            connection.lock_calls(alone=True)
        hold(connection, campaign, token)
        note_heartbeat(connection, token)
        # Those before need not be looked at again.
        rows = connection.execute(
            f"{SELECT_BATCH} WHERE batch.campaign = ? AND ({decision.where}) "
            "AND batch.number > ? ORDER BY batch.number LIMIT ?",
            (campaign, after, decision.together),
        ).fetchall()
        for row in rows:
            taken(connection, row)
        return (rows[-1]["number"] if rows else None), taken

    while after is not None:
        after, decision = await store.do(work)
    return decision

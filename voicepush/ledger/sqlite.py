"""
The ledger in one SQLite file: the default.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import attrs
import msgspec

from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
    LedgerError,
)
from voicepush.ledger.packing import (
    pack_as_came,
    pack_exceptions,
    pack_places,
    pack_recipients,
    pack_rows,
    pack_transactions,
    replaced,
    unpack_as_came,
    unpack_batch,
    unpack_exceptions,
    unpack_places,
    unpack_rows,
    unpack_transactions,
)
from voicepush.ledger.protocol import Fingerprint, Plan, Steering, Wish
from voicepush.ledger.sqlite_file import SQLiteFile, is_gone, new_holder
from voicepush.model import (
    Batch,
    BatchResult,
    Doubt,
    Found,
    Outcome,
    Standing,
    State,
    Verdict,
    VoiceMessage,
    Waiting,
    check_text,
)

#: A holder that gave no sign for so long is taken for dead, in seconds.
LEASE = 15.0

_DRAFT = "draft"
_READY, _SENDING, _SETTLED = range(3)

#: So many batches are read at once.
_TOGETHER = 64

#: No batch has a number of so many digits, nor could SQLite hold all that have.
_MOST_DIGITS = 18

#: The outcomes that have a column of their own.
_COUNTED = {
    outcome.value: outcome for outcome in Outcome if outcome is not Outcome.PENDING
}

#: Where the message does not matter.
_NO_MESSAGE = VoiceMessage(media="-")

#: On whoever may be ringing right now, and on whom a dead process left in flight.
_IN_FLIGHT = Verdict(Outcome.UNKNOWN, None, "in flight, not answered yet")
_LOST = Verdict(Outcome.UNKNOWN, None, "claimed, and its answer was never recorded")


class SQLiteLedger:
    """
    Campaigns in one file, with every claim and settlement flushed to the disk.

    Several processes may use the file, each dispatching another campaign. Each method
    raises `LedgerError` when the file can't be read or written.
    """

    def __init__(self, path: Path, *, log_was_merged: bool = False) -> None:
        self._file = SQLiteFile(path, log_was_merged=log_was_merged)

    @classmethod
    async def open(cls, path: Path, *, log_was_merged: bool = False) -> Self:
        """
        The ledger at *path*, made with mode 0600 if there is none.

        Args:
            log_was_merged: As for `open_ledger`.

        Raises:
            LedgerError: It can't be opened, is no ledger, or one of a newer version.
        """
        ledger = cls(_whole(path), log_was_merged=log_was_merged)
        try:
            await ledger._file.do(lambda _: None, writes=False)
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def close(self) -> None:
        """
        Finish what was begun, and close the file.
        """
        await self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def campaigns(self) -> list[Standing]:
        """
        All campaigns, the newest last.
        """
        return await self._file.do(
            lambda connection: _standings(connection, None), writes=False
        )

    async def standing(self, campaign: str) -> Standing | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        found = await self._file.do(
            lambda connection: _standings(connection, campaign), writes=False
        )
        return found[0] if found else None

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """

        def work(connection: sqlite3.Connection) -> Plan | None:
            row = _campaign(connection, campaign)
            return None if row is None or row["state"] == _DRAFT else _plan(row)

        return await self._file.do(work, writes=False)

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """

        def work(connection: sqlite3.Connection) -> Fingerprint | None:
            row = _published(connection, campaign)
            if row["digest"] is None:
                return None
            return Fingerprint(
                digest=row["digest"],
                size=row["source_size"],
                modified_ns=row["source_modified_ns"],
            )

        return await self._file.do(work, writes=False)

    async def change(
        self,
        campaign: str,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
    ) -> None:
        """
        Change what is given of *campaign*'s settings, if nobody dispatches it.

        Raises:
            InputError: There is no such campaign.
            CampaignHeldError: Another process is dispatching it.
        """
        settings = (rate, retry_internal_error, resend_unknown)
        changes = any(setting is not None for setting in settings)

        def work(connection: sqlite3.Connection) -> None:
            row = _published(connection, campaign)
            _check_free(row)
            if changes:
                connection.execute(
                    "UPDATE campaign SET rate = coalesce(?, rate), "
                    "retry_internal_error = coalesce(?, retry_internal_error), "
                    "resend_unknown = coalesce(?, resend_unknown) WHERE id = ?",
                    (*settings, row["id"]),
                )

        await self._file.do(work, writes=changes)

    async def draft(self, plan: Plan) -> SQLiteDraft:
        """
        Begin to plan a campaign; what a dead process left of an earlier try is dropped.

        Raises:
            CampaignHeldError: Another process is planning it.
            InputError: There is such a campaign already.
        """
        holder = new_holder()

        def work(connection: sqlite3.Connection) -> int:
            row = _campaign(connection, plan.campaign)
            if row is not None:
                if row["state"] != _DRAFT:
                    raise InputError(f"campaign {plan.campaign!r} is planned already")
                _check_free(row)
                _drop(connection, row["id"])
            return _insert(connection, plan, holder)

        try:
            identity = await self._file.do(work)
        except asyncio.CancelledError:
            # What was begun may still be done; it must not keep the name from us.
            self._file.do_later(lambda connection: _drop_of(connection, holder))
            raise
        return SQLiteDraft(self._file, identity, holder)

    async def lease(self, campaign: str, *, cancelled: bool = False) -> SQLiteLease:
        """
        Become the one dispatcher of *campaign*.

        Args:
            cancelled: Take it although it was cancelled, to decide about its unknown.

        Raises:
            InputError: There is no such campaign, or it was cancelled.
            CampaignHeldError: Another process is dispatching it.
        """
        holder = new_holder()

        def work(connection: sqlite3.Connection) -> sqlite3.Row:
            row = _published(connection, campaign)
            if row["state"] == State.CANCELLED and not cancelled:
                raise InputError(
                    f"campaign {campaign!r} was cancelled; plan those who are left "
                    "under another name"
                )
            _check_free(row)
            connection.execute(
                "UPDATE campaign SET holder = ?, beat_at = ?, wish = NULL, "
                "speed = NULL, waiting = NULL, "
                "reason = CASE state WHEN ? THEN reason END, "
                "state = CASE state WHEN ? THEN state ELSE ? END WHERE id = ?",
                (
                    *(holder, time.monotonic(), State.CANCELLED),
                    *(State.CANCELLED, State.RUNNING, row["id"]),
                ),
            )
            return row

        try:
            row = await self._file.do(work)
            lease = SQLiteLease(
                self._file, row["id"], holder, _plan(row), row["held_until"]
            )
            if row["state"] != State.CANCELLED:
                await lease.recover()
        except asyncio.CancelledError:
            # What was begun may still be done; it must not keep the campaign from us.
            self._file.do_later(
                lambda connection: connection.execute(
                    "UPDATE campaign SET holder = NULL, state = CASE state "
                    "WHEN ? THEN state ELSE ? END WHERE holder = ?",
                    (State.CANCELLED, State.PAUSED, holder),
                )
            )
            raise
        return lease

    async def steer(
        self, campaign: str, *, wish: Wish | None = None, rate: float | None = None
    ) -> None:
        """
        Tell the dispatcher of *campaign*, in whatever process, what is wanted of it.

        Raises:
            InputError: There is no such campaign.
        """

        def work(connection: sqlite3.Connection) -> None:
            row = _published(connection, campaign)
            connection.execute(
                "UPDATE campaign SET wish = coalesce(?, wish), "
                "rate = coalesce(?, rate) WHERE id = ?",
                (wish, rate, row["id"]),
            )

        await self._file.do(work)

    async def find(self, value: str) -> list[Found]:
        """
        What is known of *value*: an msisdn in its normal form, a customer id, or a
        correlation id.
        """
        check_text(value, "what is looked up")
        # Ours are computed and stand nowhere.
        batch, _, place = value.rpartition("-")
        tag, _, number = batch.rpartition("-")
        is_ours = f"{number}{place}".isdecimal() and len(number) < _MOST_DIGITS

        def work(connection: sqlite3.Connection) -> list[Found]:
            rows = connection.execute(
                f"{_SELECT_BATCH} WHERE (instr(packed, ?) OR instr(packed, ?)) "
                "AND campaign.state != ?",
                # As it stands in a line, and within JSON.
                (value.encode(), msgspec.json.encode(str(value))[1:-1], _DRAFT),
            ).fetchall()
            if is_ours:
                rows += connection.execute(
                    f"{_SELECT_BATCH} WHERE tag = ? AND batch.number = ? "
                    "AND campaign.state != ?",
                    (tag, int(number), _DRAFT),
                )
            unique = {(row["tag"], row["number"]): row for row in rows}
            return [found for row in unique.values() for found in _found(row, value)]

        return await self._file.do(work, writes=False)

    async def results(
        self, campaign: str, outcomes: Collection[Outcome]
    ) -> AsyncIterator[BatchResult]:
        """
        The batches of *campaign* in which someone has one of *outcomes*.
        """
        counted = [each.value for each in outcomes if each is not Outcome.PENDING]
        some = [f"{name} > 0" for name in counted]
        if Outcome.PENDING in outcomes:
            some.append(f"size > in_flight + {' + '.join(_COUNTED)}")
        if Outcome.UNKNOWN in outcomes:
            some.append("in_flight > 0")
        plan = await self.plan(campaign)
        if plan is None or not some:
            return
        async for row in _rows(
            self._file,
            f"campaign.name = ? AND ({' OR '.join(some)})",
            (campaign,),
        ):
            result = _batch_result(row, _NO_MESSAGE, plan.tag)
            result.batch.rows = unpack_rows(row["rows"])
            result.batch.as_came = unpack_as_came(row["as_came"])
            yield _with_in_flight(result, row)

    async def doubts(self, campaign: str) -> list[Doubt]:
        """
        The requests of *campaign* whose recipients are unknown and not given up.
        """
        return [
            _doubt(row)
            async for row in _rows(
                self._file, "campaign.name = ? AND unknown > given_up", (campaign,)
            )
        ]


class SQLiteDraft:
    """
    A campaign that is being planned, in rows that no one else looks at yet.
    """

    def __init__(self, file: SQLiteFile, campaign: int, holder: str) -> None:
        self._file = file
        self._campaign = campaign
        self._holder = holder
        self._added = 0
        self._planned = 0

    async def add(self, batches: Sequence[Batch]) -> None:
        """
        Take *batches* in.
        """
        numbers = range(self._added, self._added + len(batches))
        self._added = numbers.stop
        sizes = [batch.size for batch in batches]
        self._planned += sum(sizes)
        packed = [
            (
                *pack_recipients(batch),
                pack_rows(batch.rows),
                pack_as_came(batch.as_came),
            )
            for batch in batches
        ]

        def work(connection: sqlite3.Connection) -> None:
            _hold(connection, self._campaign, self._holder)
            _beat(connection, self._campaign)
            connection.executemany(
                "INSERT INTO batch (campaign, number, size) VALUES (?, ?, ?)",
                [(self._campaign, *row) for row in zip(numbers, sizes, strict=True)],
            )
            connection.executemany(
                "INSERT INTO recipients VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (self._campaign, number, *each)
                    for number, each in zip(numbers, packed, strict=True)
                ],
            )

        await self._file.do(work)

    async def publish(
        self, counts: Mapping[str, int], fingerprint: Fingerprint | None = None
    ) -> None:
        """
        Make the campaign exist, with the screening's *counts*.

        Args:
            fingerprint: Of the source, where it was a file or a stream.
        """

        def work(connection: sqlite3.Connection) -> None:
            _hold(connection, self._campaign, self._holder)
            connection.execute(
                "UPDATE campaign SET state = :state, holder = NULL, "
                "planned = :planned, read = :read, invalid = :invalid, "
                "duplicate = :duplicate, suppressed = :suppressed, "
                "digest = :digest, source_size = :size, "
                "source_modified_ns = :modified_ns WHERE id = :id",
                {
                    **dict.fromkeys(("digest", "size", "modified_ns")),
                    **(attrs.asdict(fingerprint) if fingerprint else {}),
                    **counts,
                    "state": State.PLANNED,
                    "planned": self._planned,
                    "id": self._campaign,
                },
            )

        await self._file.do(work)

    async def beat(self) -> None:
        """
        Show that the planner is alive.
        """

        def work(connection: sqlite3.Connection) -> None:
            _hold(connection, self._campaign, self._holder)
            _beat(connection, self._campaign)

        await self._file.do(work)

    async def discard(self) -> None:
        """
        Let nothing of it remain, if it is still a draft and ours.
        """

        def work(connection: sqlite3.Connection) -> None:
            row = _hold(connection, self._campaign, self._holder)
            if row["state"] == _DRAFT:
                _drop(connection, self._campaign)

        await self._file.do(work)


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
        async for row in _rows(
            self._file, "campaign.id = ? AND batch.state = 0", (self._campaign,)
        ):
            yield _batch_result(row, message, self.plan.tag)

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
            "number": _number(batch),
            "in_flight": batch.size if whole else batch.weigh(places),
            "claimed": None if whole else pack_places(places),
            "now": time.time(),
        }

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_CLAIM, row).rowcount != 1:
                _hold(connection, self._campaign, self._holder)
                raise CampaignLostError(
                    f"batch {row['number']} of {self.plan.campaign!r} was claimed by "
                    "another process; this one stops"
                )

        try:
            await self._file.do(work)
            self._file.check_in_place()
        except (asyncio.CancelledError, LedgerError):
            # It may be done, or be done yet, and nothing will be sent.
            self._file.do_later(lambda connection: connection.execute(_UNCLAIM, row))
            raise

    async def settle(self, result: BatchResult) -> None:
        """
        Make it durable what became of a batch so far.
        """
        row = _settlement(result, self._campaign, self._holder)

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_SETTLE, row).rowcount != 1:
                _hold(connection, self._campaign, self._holder)

        await self._file.do(work)

    async def beat(
        self,
        speed: float | None,
        *,
        waiting: Waiting | None = None,
        held_until: float | None = None,
    ) -> Steering:
        """
        Show that the holder is alive and how fast it is, and learn what is wanted.

        Args:
            waiting: Why nothing goes on at present, where nothing does.
            held_until: Until when the service asked to wait, in seconds since 1970.

        Raises:
            CampaignLostError: Another has taken the campaign over.
        """

        def work(connection: sqlite3.Connection) -> Steering:
            row = _hold(connection, self._campaign, self._holder)
            _beat(connection, self._campaign)
            since = waiting and waiting.since.timestamp()
            connection.execute(
                "UPDATE campaign SET speed = ?, waiting = ?, waiting_since = ?, "
                "held_until = coalesce(?, held_until) WHERE id = ?",
                (
                    *(speed, waiting and waiting.reason, since),
                    *(held_until, self._campaign),
                ),
            )
            return Steering(row["wish"] and Wish(row["wish"]), row["rate"])

        steering = await self._file.do(work)
        self._file.check_in_place()
        return steering

    async def resolve(self, *, resend: bool) -> int:
        """
        Make the unknown pending, or give them up; gives how many there were.
        """
        resolved = 0

        def change(connection: sqlite3.Connection, row: sqlite3.Row) -> None:
            nonlocal resolved
            resolved += row["unknown"] - row["given_up"]
            result = self._result(row)
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
        state: State,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Give the campaign back. A cancelled one has nobody pending any more.

        One in which someone is left is paused, and not finished, whatever *state* says.
        """
        if state is State.CANCELLED:
            await self._rewrite(
                "batch.state = 1",
                lambda result, row: _with_in_flight(result, row, _LOST),
            )
            cancelled = Verdict(Outcome.NOT_SENT, None, reason or "cancelled")
            await self._rewrite(
                "batch.state = 0",
                lambda result, _: replaced(result, Outcome.PENDING, cancelled),
            )

        def work(connection: sqlite3.Connection) -> None:
            end, why = state, reason
            if state is State.FINISHED:
                left = self._left(connection)
                words = reason or f"{left:,} are left; resume goes on"
                end, why = (State.PAUSED, words) if left else (state, None)
            connection.execute(
                "UPDATE campaign SET holder = NULL, wish = NULL, speed = NULL, "
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
            "SELECT sum(size - accepted - rejected - expired - unknown) "
            "FROM batch WHERE campaign = ?",
            (self._campaign,),
        ).fetchone()
        return row[0] or 0

    def _result(self, row: sqlite3.Row) -> BatchResult:
        return _batch_result(row, _NO_MESSAGE, self.plan.tag)

    def _write(self, connection: sqlite3.Connection, result: BatchResult) -> None:
        connection.execute(_SETTLE, _settlement(result, self._campaign, self._holder))

    def _recovered(self, result: BatchResult, row: sqlite3.Row) -> BatchResult:
        if not self.plan.resend_unknown:
            result = _with_in_flight(result, row, _LOST)
        return replaced(result, Outcome.NOT_SENT, Verdict(Outcome.PENDING))

    async def _rewrite(
        self, where: str, change: Callable[[BatchResult, sqlite3.Row], BatchResult]
    ) -> None:
        """
        Change what is known of each batch for which *where* holds, some at a time.

        Afterwards *where* must not hold for it any more.
        """
        await self._for_each(
            where,
            lambda connection, row: self._write(
                connection, change(self._result(row), row)
            ),
        )

    async def _for_each(
        self, where: str, change: Callable[[sqlite3.Connection, sqlite3.Row], None]
    ) -> None:
        """
        The same with *change* writing by itself.
        """

        def work(connection: sqlite3.Connection) -> int:
            _hold(connection, self._campaign, self._holder)
            _beat(connection, self._campaign)
            rows = connection.execute(
                f"{_SELECT_BATCH} WHERE batch.campaign = ? AND ({where}) LIMIT ?",
                (self._campaign, _TOGETHER),
            ).fetchall()
            for row in rows:
                change(connection, row)
            return len(rows)

        while await self._file.do(work):
            pass


_SELECT_BATCH = """
    SELECT campaign.name, campaign.tag, batch.number, form, packed, claimed, claimed_at,
           settled_at, batch.state, outcome, code, description, exceptions,
           transactions, attempts, in_flight, accepted, unknown, given_up,
           given_up_places, rows, as_came
    FROM batch JOIN recipients USING (campaign, number)
    JOIN campaign ON campaign.id = batch.campaign
"""

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
#: whoever took it over would have settled it first.
_UNCLAIM = """
    UPDATE batch
    SET state = 0, in_flight = 0, claimed = NULL
    WHERE campaign = :campaign AND number = :number AND state = 1 AND claimed_at = :now
"""

_SETTLE = f"""
    UPDATE batch
    SET state = :state, in_flight = 0, claimed = NULL, settled_at = :now,
        accepted = :accepted, rejected = :rejected, expired = :expired,
        not_sent = :not_sent, unknown = :unknown,
        attempts = :attempts, outcome = :outcome, code = :code,
        description = :description, exceptions = :exceptions,
        transactions = :transactions
    WHERE campaign = :campaign AND number = :number AND {_IS_HELD}
"""  # noqa: S608 -- ours

_STANDINGS = """
    SELECT name, state, reason, holder, beat_at, read, planned, invalid, duplicate,
           suppressed, expires_at, rate, speed, waiting, waiting_since,
           coalesce(sum(in_flight), 0) AS in_flight,
           coalesce(sum(accepted), 0) AS accepted,
           coalesce(sum(rejected), 0) AS rejected,
           coalesce(sum(expired), 0) AS expired,
           coalesce(sum(not_sent), 0) AS not_sent,
           coalesce(sum(unknown), 0) AS unknown,
           coalesce(sum(given_up), 0) AS given_up
    FROM (SELECT * FROM campaign WHERE state != 'draft' AND name = coalesce(?, name))
         AS found
    LEFT JOIN (SELECT campaign, in_flight, accepted, rejected, expired, not_sent,
                      unknown, given_up FROM batch) ON campaign = found.id
    GROUP BY found.id ORDER BY found.id
"""


async def _rows(
    file: SQLiteFile, where: str, parameters: tuple[object, ...]
) -> AsyncIterator[sqlite3.Row]:
    """
    The batches for which *where* holds, in order, read some at a time.
    """
    after = -1

    def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
        return connection.execute(
            f"{_SELECT_BATCH} WHERE {where} AND batch.number > ? "
            "ORDER BY batch.number LIMIT ?",
            (*parameters, after, _TOGETHER),
        ).fetchall()

    while rows := await file.do(work, writes=False):
        for row in rows:
            yield row
        after = rows[-1]["number"]


def _settlement(result: BatchResult, campaign: int, holder: str) -> dict[str, Any]:
    counts = result.counts()
    return {
        "campaign": campaign,
        "holder": holder,
        "number": _number(result.batch),
        "state": _READY if counts[Outcome.PENDING] else _SETTLED,
        "now": time.time(),
        **{name: counts[outcome] for name, outcome in _COUNTED.items()},
        "attempts": result.attempts,
        "outcome": result.verdict.outcome.value,
        "code": result.verdict.code,
        "description": result.verdict.description,
        "exceptions": pack_exceptions(result.exceptions),
        "transactions": pack_transactions(result.transaction_ids),
    }


def _batch_result(row: sqlite3.Row, message: VoiceMessage, tag: str) -> BatchResult:
    key = f"{tag}-{row['number']}"
    return BatchResult(
        unpack_batch(message, key, row["form"], row["packed"]),
        Verdict(Outcome(row["outcome"]), row["code"], row["description"]),
        unpack_exceptions(row["exceptions"]),
        unpack_transactions(row["transactions"]),
        row["attempts"],
    )


def _with_in_flight(
    result: BatchResult, row: sqlite3.Row, verdict: Verdict = _IN_FLIGHT
) -> BatchResult:
    """
    *result* with *verdict* on whoever is claimed and not settled.
    """
    if row["state"] != _SENDING:
        return result
    return replaced(result, Outcome.PENDING, verdict, sorted(_in_flight(row, result)))


def _in_flight(row: sqlite3.Row, result: BatchResult) -> frozenset[int]:
    """
    The places that are claimed and not settled.
    """
    if row["state"] != _SENDING:
        return frozenset()
    if row["claimed"] is None:
        return frozenset(result.places(Outcome.PENDING))
    return unpack_places(row["claimed"])


def _found(row: sqlite3.Row, value: str) -> list[Found]:
    recorded = _batch_result(row, _NO_MESSAGE, row["tag"])
    in_flight = _in_flight(row, recorded)
    given_up = unpack_places(row["given_up_places"])
    result = _with_in_flight(recorded, row)
    places = [
        place
        for place, weight in enumerate(result.batch.weights)
        for _ in range(weight)
    ]
    return [
        Found(
            campaign=row["name"],
            result=each,
            in_flight=place in in_flight,
            given_up=place in given_up,
            batch=result.batch.key,
            attempts=row["attempts"],
            claimed=_moment(row["claimed_at"]),
            settled=_moment(row["settled_at"]),
        )
        for place, each in zip(places, result, strict=True)
        if value in (each.recipient, each.correlation_id)
    ]


def _doubt(row: sqlite3.Row) -> Doubt:
    result = _batch_result(row, _NO_MESSAGE, row["tag"])
    given_up = unpack_places(row["given_up_places"])
    verdicts = Counter(
        result.at(place)
        for place in result.places(Outcome.UNKNOWN)
        if place not in given_up
    )
    reasons = [
        " ".join(filter(None, (verdict.code, verdict.description)))
        for verdict, _ in verdicts.most_common()
    ]
    return Doubt(
        batch=result.batch.key,
        unknown=row["unknown"] - row["given_up"],
        accepted=row["accepted"],
        claimed=_moment(row["claimed_at"]),
        reasons=tuple(reasons),
    )


def _whole(path: Path) -> Path:
    """
    *path* from the root on, with no links in it: SQLite takes names such as
    ``:memory:`` for no files, and looks for a log beside the name that it is given.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:
        raise LedgerError(f"the ledger {path} can't be opened: {error}") from error


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _number(batch: Batch) -> int:
    return int(batch.key.rpartition("-")[2])


def _campaign(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM campaign WHERE name = ?", (name,)
    ).fetchone()
    return row


def _published(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    row = _campaign(connection, name)
    if row is None or row["state"] == _DRAFT:
        raise InputError(f"there is no campaign {name!r} in this ledger")
    return row


def _plan(row: sqlite3.Row) -> Plan:
    return Plan(
        campaign=row["name"],
        message=row["message"],
        source=row["source"],
        tag=row["tag"],
        expires_at=row["expires_at"],
        rate=row["rate"],
        retry_internal_error=bool(row["retry_internal_error"]),
        resend_unknown=bool(row["resend_unknown"]),
        given=msgspec.json.decode(row["given"], type=dict[str, str]),
    )


def _insert(connection: sqlite3.Connection, plan: Plan, holder: str) -> int:
    row = {
        "name": plan.campaign,
        "message": plan.message,
        "source": plan.source,
        "tag": plan.tag,
        "state": _DRAFT,
        "planned_at": time.time(),
        "holder": holder,
        "beat_at": time.monotonic(),
        "expires_at": plan.expires_at,
        "rate": plan.rate,
        "retry_internal_error": plan.retry_internal_error,
        "resend_unknown": plan.resend_unknown,
        "given": msgspec.json.encode(plan.given).decode(),
    }
    names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    inserted = connection.execute(
        f"INSERT INTO campaign ({names}) VALUES ({values})",  # noqa: S608 -- our names
        row,
    )
    return int(inserted.lastrowid or 0)


def _drop(connection: sqlite3.Connection, campaign: int) -> None:
    for statement in (
        "DELETE FROM recipients WHERE campaign = ?",
        "DELETE FROM batch WHERE campaign = ?",
        "DELETE FROM campaign WHERE id = ?",
    ):
        connection.execute(statement, (campaign,))


def _drop_of(connection: sqlite3.Connection, holder: str) -> None:
    """
    Let nothing remain of *holder*'s draft, if it has come to be.
    """
    row = connection.execute(
        "SELECT id FROM campaign WHERE holder = ? AND state = ?", (holder, _DRAFT)
    ).fetchone()
    if row is not None:
        _drop(connection, row["id"])


def _standings(connection: sqlite3.Connection, name: str | None) -> list[Standing]:
    return [_standing(row) for row in connection.execute(_STANDINGS, (name,))]


def _standing(row: sqlite3.Row) -> Standing:
    state, reason = State(row["state"]), row["reason"]
    if state is State.RUNNING and not _is_alive(row):
        state = State.PAUSED
        reason = f"its dispatcher, {_describe(row)}, is gone; resume goes on"
    counted = {name: row[name] for name in _COUNTED}
    return Standing(
        campaign=row["name"],
        state=state,
        reason=reason,
        read=row["read"],
        planned=row["planned"],
        pending=row["planned"] - row["in_flight"] - sum(counted.values()),
        in_flight=row["in_flight"],
        invalid=row["invalid"],
        duplicate=row["duplicate"],
        suppressed=row["suppressed"],
        given_up=row["given_up"],
        expiry=_moment(row["expires_at"]),
        rate=row["rate"],
        speed=row["speed"] if state is State.RUNNING else None,
        **_waiting(row, state),
        **counted,
    )


def _waiting(row: sqlite3.Row, state: State) -> dict[str, Any]:
    if state is not State.RUNNING or row["waiting"] is None:
        return {}
    return {
        "waiting": row["waiting"],
        "waiting_since": _moment(row["waiting_since"]),
    }


def _check_free(row: sqlite3.Row) -> None:
    if row["holder"] is not None and _is_alive(row):
        raise CampaignHeldError(row["name"], _describe(row))


def _hold(connection: sqlite3.Connection, campaign: int, holder: str) -> sqlite3.Row:
    """
    The campaign's row, if it is still ours.
    """
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM campaign WHERE id = ? AND holder = ?", (campaign, holder)
    ).fetchone()
    if row is None:
        raise CampaignLostError(
            "the campaign was taken over by another process; this one stops"
        )
    return row


def _beat(connection: sqlite3.Connection, campaign: int) -> None:
    connection.execute(
        "UPDATE campaign SET beat_at = ? WHERE id = ?", (time.monotonic(), campaign)
    )


def _is_alive(row: sqlite3.Row) -> bool:
    # Before the last start of this machine, or on another one, it would be negative.
    if not 0 <= time.monotonic() - row["beat_at"] <= LEASE:
        return False
    return not is_gone(row["holder"])


def _describe(row: sqlite3.Row) -> str:
    host, pid, _ = row["holder"].rsplit(":", 2)
    seconds = round(time.monotonic() - row["beat_at"])
    when = f"{seconds} s ago" if seconds >= 0 else "before this machine was started"
    return f"process {pid} on {host} (last sign {when})"

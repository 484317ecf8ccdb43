"""
The ledger in one SQLite file: the default.
"""

from __future__ import annotations

import asyncio
import os
import queue
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import orjson

from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger.packing import (
    pack_exceptions,
    pack_recipients,
    replaced,
    unpack_exceptions,
    unpack_recipients,
)
from voicepush.ledger.protocol import Plan
from voicepush.model import (
    Batch,
    BatchResult,
    Outcome,
    Standing,
    State,
    Verdict,
    VoiceMessage,
)

_T = TypeVar("_T")

#: Written into the file's header, to tell our files from other programs'.
_APPLICATION_ID = 0x766F_6963  # "voic"

#: The form of the tables below. A file with a lower one is brought forward, a file
#: with a higher one is refused.
_SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL,
    source TEXT NOT NULL,
    tag TEXT NOT NULL,
    state TEXT NOT NULL,          -- 'draft' until it is published
    reason TEXT,
    planned_at REAL NOT NULL,     -- seconds since 1970, like all times here
    read INTEGER NOT NULL DEFAULT 0,
    planned INTEGER NOT NULL DEFAULT 0,
    invalid INTEGER NOT NULL DEFAULT 0,
    duplicate INTEGER NOT NULL DEFAULT 0,
    suppressed INTEGER NOT NULL DEFAULT 0,
    holder TEXT,                  -- host:pid:random of its one dispatcher
    beat_at REAL                  -- when the holder last gave a sign
);

-- Small, and written three times per batch; the recipients stay apart, because an
-- update writes a row anew as a whole.
CREATE TABLE batch (
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    number INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,      -- 0 ready, 1 sending, 2 settled
    size INTEGER NOT NULL,                 -- in values, like all counts here
    in_flight INTEGER NOT NULL DEFAULT 0,
    accepted INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    not_sent INTEGER NOT NULL DEFAULT 0,
    unknown INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    claimed_at REAL,
    settled_at REAL,
    claimed TEXT,                          -- places, or NULL for all that are pending
    outcome TEXT NOT NULL DEFAULT 'pending',
    code TEXT,
    description TEXT NOT NULL DEFAULT '',
    exceptions BLOB,                       -- see packing.py
    transactions TEXT,                     -- one for all, or one per place, by lines
    PRIMARY KEY (campaign, number)
) WITHOUT ROWID;

CREATE TABLE recipients (
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    number INTEGER NOT NULL,
    form TEXT NOT NULL,
    packed BLOB NOT NULL,
    UNIQUE (campaign, number)
);
"""

_READY, _SENDING, _SETTLED = range(3)

#: A holder that gave no sign for so long is taken for dead, in seconds.
LEASE = 15.0

#: So many batches are read ahead of the workers.
_READ_AHEAD = 64

_COUNTED = ("accepted", "rejected", "expired", "not_sent", "unknown")


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    writes: bool
    answer: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Writer:
    """
    The one thread that touches the file. Whatever waits goes into one transaction.

    A commit with full durability costs a flush of the disk; while one is under way
    the next jobs gather, so that under load many share the next.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, name="voicepush-ledger", daemon=True
        )
        self._closed = False

    def start(self) -> None:
        self._thread.start()

    async def do(
        self, work: Callable[[sqlite3.Connection], _T], *, writes: bool = True
    ) -> _T:
        """
        The value of *work*, once what it wrote is durable.

        *work* must raise before it has written anything, or not at all.
        """
        if self._closed:
            raise LedgerError(f"the ledger {self._path} is closed")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()
        self._jobs.put(_Job(work, writes, answer, loop))
        return await answer

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (jobs := self._next_jobs()) is not None:
            try:
                connection = connection or _connect(self._path)
                answers = _together(connection, jobs)
            except (sqlite3.Error, OSError, LedgerError) as error:
                answers = [_translated(error, self._path)] * len(jobs)
            _answer(jobs, answers)
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _next_jobs(self) -> list[_Job] | None:
        job = self._jobs.get()
        jobs = []
        while job is not None:
            jobs.append(job)
            if self._jobs.empty():
                return jobs
            job = self._jobs.get()
        if jobs:
            self._jobs.put(None)
        return jobs or None


def _together(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> list[Any]:
    """
    What each of *jobs* gave or raised, once all of it is committed.
    """
    answers: list[Any] = []
    # Who only looks must not wait for another process that writes.
    writes = any(job.writes for job in jobs)
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        for job in jobs:
            try:
                answers.append(job.work(connection))
            except (LedgerError, InputError) as error:
                answers.append(error)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return answers


def _answer(jobs: Sequence[_Job], answers: Sequence[Any]) -> None:
    def tell() -> None:
        for job, answer in zip(jobs, answers, strict=True):
            if job.answer.done():
                continue
            if isinstance(answer, Exception):
                job.answer.set_exception(answer)
            else:
                job.answer.set_result(answer)

    for loop in {job.loop for job in jobs}:
        # A loop that was closed meanwhile has no one left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell)


def _translated(error: Exception, path: Path) -> LedgerError:
    if isinstance(error, LedgerError):
        return error
    words = str(error)
    if "locked" in words:
        words = "another program holds the file's lock; end it, and try again"
    elif "full" in words:
        words = "the disk is full; make room, and go on with resume"
    elif "readonly" in words:
        words = "the file can't be written; check its owner and mode"
    elif "not a database" in words:
        words = "it is not a voicepush ledger; name another file with --ledger"
    failure = LedgerError(f"the ledger {path}: {words}")
    failure.__cause__ = error
    return failure


def _connect(path: Path) -> sqlite3.Connection:
    # Made here, before SQLite would, so that it is never readable by others.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, timeout=10.0, isolation_level=None, check_same_thread=False
    )
    try:
        # Before anything is changed: a foreign file stays as it is.
        _check_ours(connection, path)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    application = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != _APPLICATION_ID and (application or tables):
        raise LedgerError(
            f"{path} belongs to another program; name another file with --ledger"
        )
    version = _pragma(connection, "user_version")
    if version > _SCHEMA_VERSION:
        raise LedgerError(
            f"{path} was written by a newer voicepush (form {version}, this one knows "
            f"{_SCHEMA_VERSION}); upgrade voicepush to use it"
        )


def _migrate(connection: sqlite3.Connection) -> None:
    if _pragma(connection, "user_version") == 0:
        for statement in _SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


class SQLiteLedger:
    """
    Campaigns in one file, with every claim and settlement flushed to the disk.

    Several processes may use the file, each dispatching another campaign.
    """

    def __init__(self, path: Path) -> None:
        self._writer = _Writer(path)

    @classmethod
    async def open(cls, path: Path) -> Self:
        """
        The ledger at *path*, made with mode 0600 if there is none.

        Raises:
            LedgerError: It can't be opened, is no ledger, or one of a newer version.
        """
        ledger = cls(path)
        ledger._writer.start()
        try:
            await ledger.campaigns()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def close(self) -> None:
        """
        Finish what was begun, and close the file.
        """
        await self._writer.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def campaigns(self) -> list[Standing]:
        """
        All campaigns, the newest last.
        """
        return await self._writer.do(
            lambda connection: _standings(connection, None), writes=False
        )

    async def standing(self, campaign: str) -> Standing | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        found = await self._writer.do(
            lambda connection: _standings(connection, campaign), writes=False
        )
        return found[0] if found else None

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """

        def work(connection: sqlite3.Connection) -> Plan | None:
            row = _campaign(connection, campaign)
            return None if row is None or row["state"] == "draft" else _plan(row)

        return await self._writer.do(work, writes=False)

    async def draft(self, plan: Plan) -> SQLiteDraft:
        """
        Begin to plan a campaign; what a dead process left of an earlier try is dropped.

        Raises:
            CampaignHeldError: Another process is planning it.
            InputError: There is such a campaign already.
        """
        holder = _new_holder()

        def work(connection: sqlite3.Connection) -> int:
            row = _campaign(connection, plan.campaign)
            if row is not None:
                if row["state"] != "draft":
                    raise InputError(f"campaign {plan.campaign!r} is planned already")
                _check_free(row)
                _drop(connection, row["id"])
            return _insert(connection, plan, holder)

        identity = await self._writer.do(work)
        return SQLiteDraft(self._writer, identity, holder)

    async def lease(self, campaign: str) -> SQLiteLease:
        """
        Become the one dispatcher of *campaign*.

        Raises:
            InputError: There is no such campaign.
            CampaignHeldError: Another process is dispatching it.
        """
        holder = _new_holder()

        def work(connection: sqlite3.Connection) -> sqlite3.Row:
            row = _campaign(connection, campaign)
            if row is None or row["state"] == "draft":
                raise InputError(f"there is no campaign {campaign!r} in this ledger")
            _check_free(row)
            connection.execute(
                "UPDATE campaign SET holder = ?, beat_at = ?, state = ?, reason = NULL "
                "WHERE id = ?",
                (holder, time.time(), State.RUNNING, row["id"]),
            )
            return row

        row = await self._writer.do(work)
        lease = SQLiteLease(self._writer, row["id"], holder, _plan(row))
        await lease.recover()
        return lease


class SQLiteDraft:
    """
    A campaign that is being planned, in rows that no one else looks at yet.
    """

    def __init__(self, writer: _Writer, campaign: int, holder: str) -> None:
        self._writer = writer
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
        packed = [pack_recipients(batch.destinations) for batch in batches]
        rows = list(zip(numbers, sizes, packed, strict=True))

        def work(connection: sqlite3.Connection) -> None:
            _check_held(connection, self._campaign, self._holder)
            connection.executemany(
                "INSERT INTO batch (campaign, number, size) VALUES (?, ?, ?)",
                [(self._campaign, number, size) for number, size, _ in rows],
            )
            connection.executemany(
                "INSERT INTO recipients VALUES (?, ?, ?, ?)",
                [(self._campaign, number, *packed) for number, _, packed in rows],
            )

        await self._writer.do(work)

    async def publish(self, counts: Mapping[str, int]) -> None:
        """
        Make the campaign exist, with the screening's *counts*.
        """

        def work(connection: sqlite3.Connection) -> None:
            _check_held(connection, self._campaign, self._holder)
            connection.execute(
                "UPDATE campaign SET state = ?, holder = NULL, planned = ?, read = ?, "
                "invalid = ?, duplicate = ?, suppressed = ? WHERE id = ?",
                (
                    State.PLANNED,
                    self._planned,
                    counts["read"],
                    counts["invalid"],
                    counts["duplicate"],
                    counts["suppressed"],
                    self._campaign,
                ),
            )

        await self._writer.do(work)

    async def discard(self) -> None:
        """
        Let nothing of it remain.
        """
        await self._writer.do(lambda connection: _drop(connection, self._campaign))


class SQLiteLease:
    """
    The right to dispatch one campaign; every write checks that it is still held.
    """

    def __init__(self, writer: _Writer, campaign: int, holder: str, plan: Plan) -> None:
        self.plan = plan
        self._writer = writer
        self._campaign = campaign
        self._holder = holder

    async def recover(self) -> None:
        """
        Make the unsettled of an earlier holder unknown, and the not sent pending.
        """

        def work(connection: sqlite3.Connection) -> int:
            _check_held(connection, self._campaign, self._holder)
            rows = connection.execute(
                f"{_SELECT_BATCH} WHERE campaign = ? AND (state = ? OR not_sent > 0) "
                "LIMIT 500",
                (self._campaign, _SENDING),
            ).fetchall()
            for row in rows:
                _recover(connection, self._campaign, row, self.plan.tag)
            return len(rows)

        while await self._writer.do(work):
            pass

    async def due(self, message: VoiceMessage) -> AsyncIterator[BatchResult]:
        """
        The batches in which someone is pending, each with what is known of it.
        """
        after = -1

        def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(
                f"{_SELECT_BATCH} WHERE campaign = ? AND number > ? AND state = ? "
                "ORDER BY number LIMIT ?",
                (self._campaign, after, _READY, _READ_AHEAD),
            ).fetchall()

        while rows := await self._writer.do(work, writes=False):
            for row in rows:
                yield _batch_result(row, message, self.plan.tag)
            after = rows[-1]["number"]

    async def claim(self, batch: Batch, places: Sequence[int]) -> None:
        """
        Make it durable that *places* of *batch* are about to be sent.

        Raises:
            LedgerError: It is not; they must not be sent.
        """
        whole = len(places) == len(batch)
        claimed = None if whole else orjson.dumps(list(places)).decode()
        weights = batch.weights
        number = _number(batch)
        in_flight = batch.size if whole else sum(weights[place] for place in places)

        def work(connection: sqlite3.Connection) -> None:
            _check_held(connection, self._campaign, self._holder)
            changed = connection.execute(
                "UPDATE batch SET state = ?, in_flight = ?, claimed = ?, "
                "claimed_at = ? WHERE campaign = ? AND number = ? AND state = ?",
                (
                    _SENDING,
                    in_flight,
                    claimed,
                    time.time(),
                    self._campaign,
                    number,
                    _READY,
                ),
            )
            if changed.rowcount != 1:
                raise LedgerError(
                    f"batch {number} of {self.plan.campaign!r} was claimed by another"
                )

        await self._writer.do(work)

    async def settle(self, result: BatchResult) -> None:
        """
        Make it durable what became of a batch so far.
        """
        row = _settlement(result, self._campaign)

        def work(connection: sqlite3.Connection) -> None:
            _check_held(connection, self._campaign, self._holder)
            connection.execute(_SETTLE, row)

        await self._writer.do(work)

    async def beat(self) -> None:
        """
        Show that the holder is alive.
        """

        def work(connection: sqlite3.Connection) -> None:
            _check_held(connection, self._campaign, self._holder)
            connection.execute(
                "UPDATE campaign SET beat_at = ? WHERE id = ?",
                (time.time(), self._campaign),
            )

        await self._writer.do(work)

    async def release(self, state: State, reason: str | None = None) -> None:
        """
        Give the campaign back.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE campaign SET holder = NULL, state = ?, reason = ? "
                "WHERE id = ? AND holder = ?",
                (state, reason, self._campaign, self._holder),
            )

        await self._writer.do(work)


_SELECT_BATCH = """
    SELECT number, form, packed, claimed, claimed_at, state, outcome, code, description,
           exceptions, transactions, attempts
    FROM batch JOIN recipients USING (campaign, number)
"""

_SETTLE = """
    UPDATE batch
    SET state = :state, in_flight = 0, claimed = NULL, settled_at = :now,
        accepted = :accepted, rejected = :rejected, expired = :expired,
        not_sent = :not_sent, unknown = :unknown, attempts = :attempts,
        outcome = :outcome, code = :code, description = :description,
        exceptions = :exceptions, transactions = :transactions
    WHERE campaign = :campaign AND number = :number
"""

_STANDINGS = """
    SELECT name, state, reason, holder, beat_at, read, planned, invalid, duplicate,
           suppressed,
           coalesce(sum(in_flight), 0) AS in_flight,
           coalesce(sum(accepted), 0) AS accepted,
           coalesce(sum(rejected), 0) AS rejected,
           coalesce(sum(expired), 0) AS expired,
           coalesce(sum(not_sent), 0) AS not_sent,
           coalesce(sum(unknown), 0) AS unknown
    FROM (SELECT * FROM campaign WHERE state != 'draft' AND name = coalesce(?, name))
         AS found
    LEFT JOIN (SELECT campaign, in_flight, accepted, rejected, expired, not_sent,
                      unknown FROM batch) ON campaign = found.id
    GROUP BY found.id ORDER BY found.id
"""


def _settlement(result: BatchResult, campaign: int) -> dict[str, Any]:
    counts = result.counts()
    return {
        "campaign": campaign,
        "number": _number(result.batch),
        "state": _READY if counts[Outcome.PENDING] else _SETTLED,
        "now": time.time(),
        **{name: counts[Outcome(name)] for name in _COUNTED},
        "attempts": result.attempts,
        "outcome": result.verdict.outcome.value,
        "code": result.verdict.code,
        "description": result.verdict.description,
        "exceptions": pack_exceptions(result.exceptions),
        "transactions": "\n".join(result.transaction_ids) or None,
    }


def _batch_result(row: sqlite3.Row, message: VoiceMessage, tag: str) -> BatchResult:
    recipients = unpack_recipients(row["form"], row["packed"])
    transactions = row["transactions"]
    return BatchResult(
        Batch(message, f"{tag}-{row['number']}", recipients),
        Verdict(Outcome(row["outcome"]), row["code"], row["description"]),
        unpack_exceptions(row["exceptions"]),
        () if transactions is None else tuple(transactions.split("\n")),
        row["attempts"],
    )


def _recover(
    connection: sqlite3.Connection, campaign: int, row: sqlite3.Row, tag: str
) -> None:
    result = _batch_result(row, _NO_MESSAGE, tag)
    if row["state"] == _SENDING:
        places = None if row["claimed"] is None else orjson.loads(row["claimed"])
        claimed_at = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(row["claimed_at"]))
        lost = Verdict(
            Outcome.UNKNOWN,
            None,
            f"claimed at {claimed_at}, and its answer was never recorded",
        )
        result = replaced(result, Outcome.PENDING, lost, places)
    result = replaced(result, Outcome.NOT_SENT, Verdict(Outcome.PENDING))
    connection.execute(_SETTLE, _settlement(result, campaign))


#: Recovery looks at places and verdicts only.
_NO_MESSAGE = VoiceMessage(media="-")


def _number(batch: Batch) -> int:
    return int(batch.key.rpartition("-")[2])


def _campaign(connection: sqlite3.Connection, name: str) -> sqlite3.Row | None:
    with closing(
        connection.execute("SELECT * FROM campaign WHERE name = ?", (name,))
    ) as found:
        row: sqlite3.Row | None = found.fetchone()
    return row


def _plan(row: sqlite3.Row) -> Plan:
    return Plan(
        campaign=row["name"],
        message=row["message"],
        source=row["source"],
        tag=row["tag"],
    )


def _insert(connection: sqlite3.Connection, plan: Plan, holder: str) -> int:
    now = time.time()
    inserted = connection.execute(
        "INSERT INTO campaign (name, message, source, tag, state, planned_at, holder, "
        "beat_at) VALUES (?, ?, ?, ?, 'draft', ?, ?, ?)",
        (plan.campaign, plan.message, plan.source, plan.tag, now, holder, now),
    )
    return int(inserted.lastrowid or 0)


def _drop(connection: sqlite3.Connection, campaign: int) -> None:
    for statement in (
        "DELETE FROM recipients WHERE campaign = ?",
        "DELETE FROM batch WHERE campaign = ?",
        "DELETE FROM campaign WHERE id = ? AND state = 'draft'",
    ):
        connection.execute(statement, (campaign,))


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
        **counted,
    )


def _new_holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _check_free(row: sqlite3.Row) -> None:
    if row["holder"] is not None and _is_alive(row):
        raise CampaignHeldError(row["name"], _describe(row))


def _check_held(connection: sqlite3.Connection, campaign: int, holder: str) -> None:
    with closing(
        connection.execute(
            "SELECT 1 FROM campaign WHERE id = ? AND holder = ?", (campaign, holder)
        )
    ) as found:
        if found.fetchone() is None:
            raise LedgerError(
                "the campaign was taken over by another process; this one stops"
            )


def _is_alive(row: sqlite3.Row) -> bool:
    host, pid, _ = row["holder"].rsplit(":", 2)
    if abs(time.time() - row["beat_at"]) > LEASE:
        return False
    return host != socket.gethostname() or _is_running(int(pid))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _describe(row: sqlite3.Row) -> str:
    host, pid, _ = row["holder"].rsplit(":", 2)
    seconds = max(0, round(time.time() - row["beat_at"]))
    return f"process {pid} on {host} (last sign {seconds} s ago)"

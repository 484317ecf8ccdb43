"""
A ledger in plain Python, the stores that are held against it, and a clock for both.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Protocol

import attrs
import postgres
import psycopg
from making import batch_of, entry_of
from sums import check_sums

from voicepush.ledger import Command, Fingerprint, Ledger, Plan, Worker
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.protocol import Due, Finished
from voicepush.ledger.sql import tokens
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.batch import Batch
from voicepush.model.call import Call
from voicepush.model.claim import Claim, Claimed, NotBefore
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient
from voicepush.model.status import CampaignState, CampaignStatus, Waiting

MESSAGE = VoiceMessage(media="welcome")
PENDING = Verdict(Outcome.PENDING)
LOST = Verdict(Outcome.UNKNOWN, None, "claimed, and its answer was never recorded")
IN_FLIGHT = Verdict(Outcome.UNKNOWN, None, "in flight, not answered yet")
PROVEN = Verdict(Outcome.ACCEPTED, None, "the platform's report proves it")
EARLIER = Verdict(
    Outcome.ACCEPTED, None, "an earlier request was accepted; the last is in doubt"
)
EXPIRED = Verdict(Outcome.EXPIRED, None, "the expiry passed before it was sent")

#: What an answer may say of a destination, and what a sender makes of it.
ANSWERS = (
    Verdict(Outcome.ACCEPTED, "1001", "Queued"),
    Verdict(Outcome.PENDING, "7006", "Internal error"),
    Verdict(Outcome.REJECTED, "7100", "No such \N{SNOWMAN} number"),
    Verdict(Outcome.NOT_SENT, None, "tried until the patience ran out"),
    Verdict(Outcome.UNKNOWN, "7010", "Provider exception"),
    Verdict(Outcome.UNKNOWN, None, "the connection was lost"),
    Verdict(Outcome.SUPPRESSED, None, "does not want to be called"),
    # Whatever the API says, it decides nothing for the owner.
    Verdict(Outcome.UNKNOWN, "7016", "given up: in flight, not answered yet"),
)

#: What a worker that was taken for dead may have made of them.
LATE = (*ANSWERS, EXPIRED)

#: What is said of someone who was called, or may have been.
CALLED = (Outcome.ACCEPTED, Outcome.UNKNOWN)

#: When nothing went on.
SINCE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

#: No process has so high an id.
NOBODY = 2**30


def load(text: str) -> VoiceMessage:
    """
    The message that every plan here stands for.
    """
    assert text == "{}"
    return MESSAGE


async def all_of(results: AsyncIterator[BatchResult]) -> list[BatchResult]:
    """
    All *results*.
    """
    return [each async for each in results]


def is_claimed(claim: Claim) -> Claimed:
    """
    *claim*, which is one.
    """
    assert isinstance(claim, Claimed)
    return claim


class Ticking:
    """
    A clock that a test moves, and that never gives the same moment twice.
    """

    def __init__(self) -> None:
        self.microseconds = 2_000_000_000_000_000

    def now(self) -> float:
        """
        Seconds since 1970.
        """
        self.microseconds += 1
        return self.microseconds / 1_000_000

    def monotonic(self) -> float:
        """
        Seconds since some other moment.
        """
        return self.now() - 1_000_000_000

    def move(self, seconds: float) -> None:
        """
        Let *seconds* pass.
        """
        self.microseconds += round(seconds * 1_000_000)

    def patch(self, setattr_: Callable[[str, object], None]) -> None:
        """
        Let everyone live by this clock.
        """
        setattr_("voicepush.clock.now", self.now)
        setattr_(
            "voicepush.ledger.postgres.connection.ServerClock.now", lambda _: self.now()
        )
        setattr_("voicepush.clock.monotonic", self.monotonic)


class Store(Protocol):
    """
    Where a ledger is kept, and what can happen to it.
    """

    ledger: Ledger

    def __init__(self, folder: Path) -> None: ...

    async def open(self) -> None:
        """
        Open the ledger.
        """

    async def close(self) -> None:
        """
        Close it.
        """

    def make_old(self, name: str) -> None:
        """
        Let a campaign look as if its worker had given no sign for long.
        """

    def let_pass(self, seconds: float, clock: Ticking) -> None:
        """
        Let *seconds* pass by *clock*, by which signs of life are told.
        """
        clock.move(seconds)

    def hold_clock(self) -> None:
        """
        Take away what has passed by a clock that goes on by itself.
        """
        return

    async def crash(self, *, old: bool) -> None:
        """
        Let every worker die, long ago or just now, and open the ledger again.
        """


class SQLStore(Store):
    """
    Tables that can be changed behind the ledger's back.
    """

    ledger: Ledger
    #: By the clock that tells of signs of life.
    long_ago: ClassVar[float]

    def execute(self, statement: str, *values: object) -> None:
        """
        Change them.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """
        Close it.
        """
        await self.ledger.__aexit__()

    def make_old(self, name: str) -> None:
        """
        Set its last sign back.
        """
        self.execute(
            "UPDATE worker SET heartbeat_at = ? "
            "WHERE campaign = (SELECT id FROM campaign WHERE name = ?)",
            *(self.long_ago, name),
        )

    async def crash(self, *, old: bool) -> None:
        """
        Leave what is there to be found by a process that comes later.
        """
        await self.close()
        tokens.at_work.clear()
        if old:
            self.execute("UPDATE worker SET heartbeat_at = ?", self.long_ago)
        else:
            self.execute(
                "UPDATE worker SET token = replace(token, ?, ?)",
                f":{os.getpid()}:",
                f":{NOBODY}:",
            )
        await self.open()


class SQLiteStore(SQLStore):
    """
    A file.
    """

    long_ago = -1000

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.db"

    async def open(self) -> None:
        """
        Open the file.
        """
        self.ledger = await SQLiteLedger.open(self.path)

    def execute(self, statement: str, *values: object) -> None:
        """
        Change the file behind the ledger's back.
        """
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)


class PostgresStore(SQLStore):
    """
    A schema of a real server.
    """

    long_ago = 0

    def __init__(self, folder: Path) -> None:
        self.address = postgres.server().address
        self.schema = f"{folder.name}_{os.urandom(4).hex()}"

    async def open(self) -> None:
        """
        Open the schema.
        """
        self.ledger = await PostgresLedger.open(self.address, schema=self.schema)

    def execute(self, statement: str, *values: object) -> None:
        """
        Change the tables behind the ledger's back.
        """
        with psycopg.connect(self.address) as connection:
            connection.execute(f'SET search_path TO "{self.schema}"'.encode())
            connection.execute(statement.replace("?", "%s").encode(), values)

    def let_pass(self, seconds: float, clock: Ticking) -> None:
        """
        The server's own clock can't be moved, so signs of life become older.
        """
        clock.move(seconds)
        self.execute("UPDATE worker SET heartbeat_at = heartbeat_at - ?", seconds)

    def hold_clock(self) -> None:
        """
        Signs of life are from just now, but for those that were made old.
        """
        self.execute(
            "UPDATE worker SET heartbeat_at = life_clock() WHERE heartbeat_at != ?",
            self.long_ago,
        )


class MemoryStore(Store):
    """
    An object.
    """

    ledger: Ledger

    def __init__(self, _: Path) -> None:
        self.kept = MemoryLedger()

    async def open(self) -> None:
        """
        Take the object.
        """
        self.ledger = self.kept

    async def close(self) -> None:
        """
        Leave it.
        """
        await self.kept.__aexit__()

    def make_old(self, name: str) -> None:
        """
        Set its last sign back.
        """
        self.kept._campaigns[name].heard_at = -1000

    async def crash(self, *, old: bool) -> None:  # noqa: ARG002 -- it can't be told
        """
        Set all last signs back: a worker dies when its task does.
        """
        for name, campaign in self.kept._campaigns.items():
            self.make_old(name)
            campaign.at_work.clear()


@attrs.define
class ModelBatch:
    """
    A batch as it should be in the ledger.
    """

    key: str
    recipients: list[Recipient] = attrs.field(repr=False)
    verdicts: list[Verdict] = attrs.field(repr=False)
    #: Who is in flight, and with which claim.
    claimed: set[int] = attrs.field(factory=set)
    claim: Claimed | None = attrs.field(default=None, repr=False)
    #: Whose claim of some of it was the last.
    latest: str | None = attrs.field(default=None, repr=False)
    given_up: set[int] = attrs.field(factory=set)
    transaction_ids: Sequence[str] = attrs.field(default=(), repr=False)
    attempts: int = 0
    due_at: float | None = None
    #: Whether a late record or a receipt was added to it.
    was_late: bool = False
    #: What the receipts say of its recipients, counted from 0.
    calls: dict[int, Call] = attrs.field(factory=dict, repr=False)
    #: When it was last asked what became of calls, and about which places lately.
    asked: tuple[float, frozenset[int] | None] = (0.0, frozenset())
    rows: list[int] | None = attrs.field(default=None, repr=False)
    as_came: dict[int, str] = attrs.field(factory=dict, repr=False)
    kept: dict[str, list[str]] = attrs.field(factory=dict, repr=False)
    #: By the tokens of workers that fell silent, whom they had claimed.
    lost: dict[str, set[int]] = attrs.field(factory=dict, repr=False)

    def pending(self) -> list[int]:
        """
        The places without an outcome, claimed or not.
        """
        return [
            place
            for place, verdict in enumerate(self.verdicts)
            if verdict.outcome is Outcome.PENDING
        ]

    def shown(self) -> list[Verdict]:
        """
        The verdicts as its owner sees them: whoever is in flight may be ringing.
        """
        return [
            IN_FLIGHT if place in self.claimed else verdict
            for place, verdict in enumerate(self.verdicts)
        ]

    def is_due(self) -> bool:
        """
        Whether somebody can be claimed.
        """
        return self.claim is None and bool(self.pending())

    def real(self) -> Batch:
        """
        What the sender works with.
        """
        batch = batch_of(MESSAGE, self.key, self.recipients)
        batch.recipients = attrs.evolve(
            batch.recipients,
            rows=self.rows,
            as_came=self.as_came,
            kept=self.kept,
        )
        return batch

    def transaction_id(self, place: int) -> str | None:
        """
        The one id of all, or the place's own, where an answer decided about it.
        """
        undecided = {Outcome.PENDING, Outcome.NOT_SENT, Outcome.EXPIRED}
        undecided.add(Outcome.SUPPRESSED)
        if not self.transaction_ids or self.shown()[place].outcome in undecided:
            return None
        return self.ids()[place] or None

    def ids(self) -> list[str]:
        """
        The transaction ids by place, whether they count or not.
        """
        if len(self.transaction_ids) == 1:
            return list(self.transaction_ids) * len(self.recipients)
        return list(self.transaction_ids) or [""] * len(self.recipients)

    def result(self) -> BatchResult:
        """
        What a sender says of it.
        """
        return BatchResult.of_places(
            self.real(), self.verdicts, self.transaction_ids, attempts=self.attempts
        )

    def answered(self, said: dict[int, Verdict], ids: Sequence[str]) -> BatchResult:
        """
        Take an answer; gives what its worker makes of it, who may not know of a late
        record or a receipt. Of whom those have spoken it says nothing, but of whom a
        receipt has it may say that they were accepted.
        """
        told = [said.get(at, verdict) for at, verdict in enumerate(self.verdicts)]
        heard = [
            place
            for place, verdict in enumerate(self.verdicts)
            if verdict.outcome is Outcome.PENDING or names(verdict, told[place])
        ]
        before, self.transaction_ids = self.ids(), ids
        if self.was_late:
            after = self.ids()
            self.transaction_ids = [
                after[place] if place in heard else before[place]
                for place in range(len(before))
            ]
        for place in heard:
            self.verdicts[place] = told[place]
        return BatchResult.of_places(self.real(), told, ids, attempts=self.attempts)

    def prove(self, place: int) -> None:
        """
        A receipt shows that someone at *place* was called.
        """
        if self.verdicts[place].outcome is not Outcome.ACCEPTED:
            self.verdicts[place] = PROVEN
            self.claimed.discard(place)
            self.given_up.discard(place)
            self.was_late = True
            if not self.pending():
                self.due_at = None

    def landed(self) -> None:
        """
        Nobody is in flight any more; there is no moment where nobody is pending.
        """
        self.claimed, self.claim = set(), None
        if not self.pending():
            self.due_at = None

    def lose(self) -> None:
        """
        Whoever is in flight may have been rung.
        """
        for place in self.claimed:
            self.verdicts[place] = LOST
        if self.claim is not None:
            self.lost.setdefault(self.claim.token, set()).update(self.claimed)
        self.landed()

    def weigh(self, places: set[int]) -> int:
        """
        How many values stand at *places*.
        """
        return sum(len(values_of(self.recipients[place])) for place in places)

    def recover(self, at_work: set[str], *, resend: bool) -> int:
        """
        What a new worker does about the one before it, and how many it leaves alone
        although they are to be sent again, since that one is *at_work*.
        """
        left = 0
        wakes = self.claim is not None and self.claim.token in at_work
        if resend and wakes:
            left = self.weigh(self.claimed)
        if resend and not wakes:
            self.landed()
        else:
            self.lose()
        for place, verdict in enumerate(self.verdicts):
            if verdict.outcome is Outcome.NOT_SENT:
                self.verdicts[place] = PENDING
        return left

    def learn(self, token: str, late: ModelBatch) -> None:
        """
        What remains of a *late* record of the worker with *token*; who had claimed it
        before another did is heard only on who was called.
        """
        if self.claim is not None and self.claim.token != token:
            return
        self.lose()
        ids, others = self.ids(), late.ids()
        is_latest = self.latest in (None, token)
        for place, other in enumerate(late.verdicts):
            # What the other one did counts, too.
            is_heard = is_latest or other.outcome in (Outcome.ACCEPTED, Outcome.UNKNOWN)
            ours = self.verdicts[place]
            is_named = is_latest and names(ours, other)
            if is_named or (is_heard and adds(ours.outcome, other.outcome)):
                is_in_doubt = not is_latest and ours.outcome is Outcome.UNKNOWN
                is_earlier = is_in_doubt and other.outcome is Outcome.ACCEPTED
                self.verdicts[place] = EARLIER if is_earlier else other
                ids[place] = others[place]
            if self.verdicts[place].outcome is not Outcome.UNKNOWN:
                self.given_up.discard(place)
        self.transaction_ids = ids
        self.attempts = max(self.attempts, late.attempts)
        self.was_late = True
        self.landed()


def names(known: Verdict, told: Verdict) -> bool:
    """
    Whether what is *told* is the answer to the last request of someone who is *known*
    to be accepted without it.
    """
    bare = (PROVEN, EARLIER)
    return known in bare and told not in bare and told.outcome is Outcome.ACCEPTED


def adds(known: Outcome, late: Outcome) -> bool:
    """
    Whether a *late* word on someone is worth more than what is *known*.
    """
    if known is Outcome.ACCEPTED or late is Outcome.PENDING:
        return False
    if known is Outcome.UNKNOWN:
        return True
    if known is Outcome.REJECTED:
        return late is Outcome.ACCEPTED
    return late in (Outcome.ACCEPTED, Outcome.UNKNOWN)


@attrs.define
class ModelCampaign:
    """
    A campaign as it should be in the ledger.
    """

    plan: Plan = attrs.field(repr=lambda plan: plan.campaign)
    batches: list[ModelBatch] = attrs.field(repr=False)
    read: int = attrs.field(repr=False)
    state: CampaignState = CampaignState.PLANNED
    worker: Worker | None = attrs.field(default=None, repr=False)
    command: Command | None = None
    rate: float | None = None
    waiting: Waiting | None = None
    held_until: float | None = None
    #: The batches that the worker was given and has not given back.
    given: set[str] = attrs.field(factory=set)
    #: Of those who were its workers before, and must not be able to write any more.
    stale: list[Worker] = attrs.field(factory=list, repr=False)

    def counts(self) -> Counter[str]:
        """
        How many values have which outcome, with those in flight apart.
        """
        # So many were suppressed when they were planned.
        found: Counter[str] = Counter(suppressed=3)
        for batch in self.batches:
            for place, recipient in enumerate(batch.recipients):
                name = batch.verdicts[place].outcome.value
                if place in batch.claimed:
                    name = "in_flight"
                found[name] += len(values_of(recipient))
                if place in batch.given_up:
                    found["given_up"] += len(values_of(recipient))
        return found

    def to_give(self) -> list[ModelBatch]:
        """
        The batches that the worker can still be given, now or later.
        """
        return [
            batch
            for batch in self.batches
            if batch.is_due() and batch.key not in self.given
        ]


def values_of(recipient: Recipient) -> tuple[str, ...]:
    """
    The values of *recipient*.
    """
    return entry_of(recipient)[1]


def one_recipient(kind: str, number: int) -> Recipient:
    """
    A recipient of some kind that nobody else is.
    """
    if kind == "several":
        return Destination([f"+999{number}{each}" for each in range(3)])
    if kind == "customer":
        return Destination(customer_id=f'no. "{number}" \\ \N{SNOWMAN}')
    if kind == "own id":
        return Destination(f"+999{number}", correlation_id=f"own-{number}")
    return f"+999{number}"


# Campaigns to try it on

TAG = "0123456789"
COUNTS = {"invalid": 0, "duplicate": 0, "suppressed": 0}


def planned_as(name: str = "june", *, resend: bool = False, tag: str = TAG) -> Plan:
    """
    A plan called *name*.
    """
    return Plan(campaign=name, message="{}", source="s", tag=tag, resend_unknown=resend)


async def publish(
    ledger: Ledger, plan: Plan, *batches: Batch, fingerprint: Fingerprint | None = None
) -> None:
    """
    Plan a campaign of *batches*.
    """
    draft = await ledger.draft(plan)
    await draft.add(batches)
    read = sum(batch.size for batch in batches)
    await draft.publish({"read": read, **COUNTS}, fingerprint)


async def two_planned(ledger: Ledger, *, resend: bool = False) -> tuple[Batch, Worker]:
    """
    A campaign of one batch of two, and its worker.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    await publish(ledger, planned_as(resend=resend), batch)
    return batch, await ledger.join("june", load)


async def three_joined(ledger: Ledger) -> Worker:
    """
    The worker of a campaign of three batches of one.
    """
    batches = [batch_of(MESSAGE, f"{TAG}-{at}", [f"+999{at}"]) for at in range(3)]
    await publish(ledger, planned_as(), *batches)
    return await ledger.join("june", load)


async def status_of(ledger: Ledger, name: str = "june") -> CampaignStatus:
    """
    Where a campaign stands, whose sums hold.
    """
    status = await ledger.status(name)
    assert status is not None
    check_sums(status)
    return status


async def given(worker: Worker, limit: int = 10) -> list[Due]:
    """
    What the worker is given, if it is given something.
    """
    found = await worker.due(limit)
    assert not isinstance(found, NotBefore | Finished)
    return list(found)

"""
The ledger's whole life against a model of it in plain Python.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from making import batch_of, destinations, entry_of

from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger import Command, Fingerprint, Lease, Ledger, Plan, open_ledger
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.ledger.sqlite.mishaps import translated
from voicepush.ledger.sqlite.rows import COUNTED
from voicepush.ledger.sqlite.writer import SQLiteFile
from voicepush.model.batch import Batch, Group
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient
from voicepush.model.status import CampaignState, Waiting

_T = TypeVar("_T")

MESSAGE = VoiceMessage(media="welcome")
PENDING = Verdict(Outcome.PENDING)
LOST = Verdict(Outcome.UNKNOWN, None, "claimed, and its answer was never recorded")
IN_FLIGHT = Verdict(Outcome.UNKNOWN, None, "in flight, not answered yet")
EXPIRED = Verdict(Outcome.EXPIRED, None, "the expiry passed before it was sent")

#: What an answer may say of a destination, and what a sender makes of it.
ANSWERS = (
    Verdict(Outcome.ACCEPTED, "1001", "Queued"),
    Verdict(Outcome.PENDING, "7006", "Internal error"),
    Verdict(Outcome.REJECTED, "7100", "No such \N{SNOWMAN} number"),
    Verdict(Outcome.NOT_SENT, None, "tried until the patience ran out"),
    Verdict(Outcome.UNKNOWN, "7010", "Provider exception"),
    Verdict(Outcome.UNKNOWN, None, "the connection was lost"),
    # Whatever the API says, it decides nothing for the owner.
    Verdict(Outcome.UNKNOWN, "7016", "given up: in flight, not answered yet"),
)

#: What recipients there are.
KINDS = ["plain", "several", "customer", "own id"]

#: When nothing went on.
SINCE = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

#: What makes the index of a few as that of millions.
_MILLIONS = {"RUN": 4, "PAGE": 2, "_FEW": 2, "_FEW_TO_IMPORT": 2}

#: No process has so high an id.
NOBODY = 2**30


@attrs.define
class ModelBatch:
    """
    A batch as it should be in the ledger.
    """

    key: str
    recipients: list[Recipient] = attrs.field(repr=False)
    verdicts: list[Verdict] = attrs.field(repr=False)
    claimed: set[int] = attrs.field(factory=set)
    given_up: set[int] = attrs.field(factory=set)
    transaction_ids: Sequence[str] = attrs.field(default=(), repr=False)
    attempts: int = 0
    rows: list[int] | None = attrs.field(default=None, repr=False)
    as_came: dict[int, str] = attrs.field(factory=dict, repr=False)
    kept: dict[str, list[str]] = attrs.field(factory=dict, repr=False)

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
        return not self.claimed and bool(self.pending())

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
        undecided = (Outcome.PENDING, Outcome.NOT_SENT, Outcome.EXPIRED)
        if not self.transaction_ids or self.shown()[place].outcome in undecided:
            return None
        alone = len(self.transaction_ids) == 1
        return self.transaction_ids[0 if alone else place] or None

    def recover(self, *, resend: bool) -> None:
        """
        What a new holder does about the one before it.
        """
        for place in () if resend else self.claimed:
            self.verdicts[place] = LOST
        self.claimed = set()
        for place, verdict in enumerate(self.verdicts):
            if verdict.outcome is Outcome.NOT_SENT:
                self.verdicts[place] = PENDING


@attrs.define
class ModelCampaign:
    """
    A campaign as it should be in the ledger.
    """

    plan: Plan = attrs.field(repr=lambda plan: plan.campaign)
    batches: list[ModelBatch] = attrs.field(repr=False)
    read: int = attrs.field(repr=False)
    state: CampaignState = CampaignState.PLANNED
    lease: Lease | None = attrs.field(default=None, repr=False)
    command: Command | None = None
    rate: float | None = None
    waiting: Waiting | None = None
    held_until: float | None = None
    #: Of those who held it before, and must not be able to write any more.
    stale: list[Lease] = attrs.field(factory=list, repr=False)

    def counts(self) -> Counter[str]:
        """
        How many values have which outcome, with those in flight apart.
        """
        found: Counter[str] = Counter()
        for batch in self.batches:
            for place, recipient in enumerate(batch.recipients):
                name = batch.verdicts[place].outcome.value
                if place in batch.claimed:
                    name = "in_flight"
                found[name] += len(values_of(recipient))
                if place in batch.given_up:
                    found["given_up"] += len(values_of(recipient))
        return found


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


def one_of(data: st.DataObject, batches: list[ModelBatch]) -> ModelBatch:
    """
    One of *batches*, drawn by its place so that a failure can be read.
    """
    return batches[data.draw(st.integers(0, len(batches) - 1))]


class LedgerMachine(RuleBasedStateMachine):
    """
    Any order of planning, claiming, settling, crashing, resuming and deciding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "ledger.db"
        self.loop = asyncio.new_event_loop()
        self.ledger = self.do(SQLiteLedger.open(self.path))
        self.campaigns: dict[str, ModelCampaign] = {}
        self.made = 0
        # An index as of millions: several runs of several pages, made by numpy.
        self.patch = pytest.MonkeyPatch()
        for name, few in _MILLIONS.items():
            self.patch.setattr(f"voicepush.ledger.index.{name}", few)

    def teardown(self) -> None:
        """
        Leave no thread and no file.
        """
        self.do(self.ledger.__aexit__())
        self.patch.undo()
        self.loop.close()
        shutil.rmtree(self.folder)

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """
        The value of *work*.
        """
        return self.loop.run_until_complete(work)

    def execute(self, statement: str, *values: object) -> None:
        """
        Change the file behind the ledger's back.
        """
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    def make_old(self, name: str) -> None:
        """
        Let a campaign look as if its holder had given no sign for long.
        """
        self.execute("UPDATE campaign SET heartbeat_at = -1000 WHERE name = ?", name)

    def pick(self, data: st.DataObject, *, held: bool) -> ModelCampaign:
        """
        One of the campaigns that are held by somebody, or by nobody.
        """
        names = [
            name
            for name, campaign in self.campaigns.items()
            if (campaign.lease is not None) is held
            and campaign.state is not CampaignState.CANCELLED
        ]
        return self.campaigns[data.draw(st.sampled_from(names))]

    def some_held(self) -> bool:
        """
        Whether a campaign has a holder.
        """
        return any(each.lease is not None for each in self.campaigns.values())

    def some_free(self) -> bool:
        """
        Whether a campaign has none, and may have one.
        """
        return any(
            each.lease is None and each.state is not CampaignState.CANCELLED
            for each in self.campaigns.values()
        )

    def some_stale(self) -> bool:
        """
        Whether a campaign was taken over from a holder who is still alive.
        """
        return any(each.stale for each in self.campaigns.values())

    # Planning

    @initialize(
        kinds=st.lists(
            st.sampled_from(KINDS),
            min_size=1,
            max_size=6,
        ),
        size=st.integers(1, 4),
        resend=st.booleans(),
    )
    def begin(self, kinds: list[str], size: int, *, resend: bool) -> None:
        """
        There is one campaign from the start, and it is being dispatched.
        """
        self.plan(kinds, size, resend=resend)
        self.take(self.campaigns["c0"])

    @precondition(lambda self: len(self.campaigns) < 2)
    @rule(
        kinds=st.lists(st.sampled_from(KINDS), max_size=6),
        size=st.integers(1, 4),
        resend=st.booleans(),
        gap=st.integers(0, 2),
    )
    def plan(self, kinds: list[str], size: int, *, resend: bool, gap: int = 0) -> None:
        """
        A campaign exists once it is published.
        """
        recipients = []
        for kind in kinds:
            self.made += 1
            recipients.append(one_recipient(kind, 1000 + self.made))
        name = f"c{len(self.campaigns)}"
        tag = f"{len(self.campaigns):010}"
        groups = [
            alike[at : at + size]
            for _, same in groupby(recipients, _kind)
            for alike in [list(same)]
            for at in range(0, len(alike), size)
        ]
        batches = [
            ModelBatch(f"{tag}-{number}", group, [PENDING] * len(group))
            for number, group in enumerate(groups)
        ]
        for number, batch in enumerate(batches if gap else ()):
            places = range(len(batch.recipients))
            batch.rows = [2 + number * 10 + place * gap for place in places]
            batch.as_came = {place: f" {number} {place} " for place in places[::2]}
            batch.kept = {"city": [f"of {place}" for place in places]}
        plan = Plan(
            campaign=name,
            message="{}",
            source="s",
            tag=tag,
            resend_unknown=resend,
            given={"expiry": "2h"} if gap else {},
        )
        fingerprint = Fingerprint(digest="d", size=gap) if gap else None
        draft = self.do(self.ledger.draft(plan))
        half = len(batches) // 2
        for part in (batches[:half], batches[half:]):
            self.do(draft.add([batch.real() for batch in part]))
        assert self.do(self.ledger.status(name)) is None
        read = sum(len(values_of(each)) for each in recipients) + 6
        counts = {"read": read, "invalid": 1, "duplicate": 2, "suppressed": 3}
        self.do(draft.publish(counts, fingerprint))
        assert fingerprint == self.do(self.ledger.fingerprint(name))
        assert plan == self.do(self.ledger.plan(name))
        self.campaigns[name] = ModelCampaign(plan, batches, read)

    @precondition(lambda self: len(self.campaigns) < 2)
    @rule(
        kinds=st.lists(st.sampled_from(["plain", "several"]), min_size=1, max_size=4),
        ends=st.sampled_from(["discard", "crash"]),
    )
    def begin_to_plan(self, kinds: list[str], ends: str) -> None:
        """
        A draft that was discarded, or left by a process that died, is nothing.
        """
        name = f"c{len(self.campaigns)}"
        plan = Plan(campaign=name, message="{}", source="s", tag="draft")
        draft = self.do(self.ledger.draft(plan))
        recipients = [one_recipient(kind, 500 + at) for at, kind in enumerate(kinds)]
        self.do(draft.add([batch_of(MESSAGE, "draft-0", recipients)]))
        with pytest.raises(CampaignHeldError):
            self.do(self.ledger.draft(plan))
        if ends == "discard":
            self.do(draft.discard())
        else:
            self.crash(old=True)
        assert [] == self.do(self.ledger.lookup(values_of(recipients[0])[0]))
        with pytest.raises(InputError):
            self.do(self.ledger.lease(name))

    @precondition(lambda self: len(self.campaigns) < 2)
    @rule()
    def plan_in_place_of_a_slow_one(self) -> None:
        """
        Whoever took too long to plan can't touch the plan of who came after it.
        """
        name = f"c{len(self.campaigns)}"
        slow = self.do(
            self.ledger.draft(Plan(campaign=name, message="{}", source="s", tag="slow"))
        )
        self.make_old(name)
        self.plan(["plain", "plain"], 1, resend=False)
        with pytest.raises(LedgerError):
            self.do(slow.add([]))
        with pytest.raises(LedgerError):
            self.do(slow.publish(dict.fromkeys(("read", "invalid"), 0)))
        with suppress(LedgerError):
            self.do(slow.discard())

    # Holding

    @precondition(some_free)
    @rule(data=st.data())
    def lease(self, data: st.DataObject) -> None:
        """
        Who takes a campaign over decides about those in flight, and tries the not sent.
        """
        self.take(self.pick(data, held=False))

    def take(self, campaign: ModelCampaign) -> None:
        """
        Become the holder.
        """
        campaign.lease = self.do(self.ledger.lease(campaign.plan.campaign))
        assert campaign.held_until == campaign.lease.held_until
        campaign.state, campaign.command = CampaignState.RUNNING, None
        campaign.waiting = None
        for batch in campaign.batches:
            batch.recover(resend=campaign.plan.resend_unknown)

    @precondition(some_held)
    @rule(data=st.data())
    def lease_what_is_held(self, data: st.DataObject) -> None:
        """
        There is one holder.
        """
        campaign = self.pick(data, held=True)

        with pytest.raises(CampaignHeldError):
            self.do(self.ledger.lease(campaign.plan.campaign))

    @precondition(some_held)
    @rule(data=st.data())
    def take_over(self, data: st.DataObject) -> None:
        """
        A holder that gave no sign for long is taken for dead, even if it is not.
        """
        campaign = self.pick(data, held=True)
        assert campaign.lease is not None
        campaign.stale.append(campaign.lease)
        self.make_old(campaign.plan.campaign)
        self.take(campaign)

    @rule(old=st.booleans())
    def crash(self, *, old: bool) -> None:
        """
        The process dies; what it had claimed stays claimed.
        """
        self.do(self.ledger.__aexit__())
        if old:
            self.execute("UPDATE campaign SET heartbeat_at = -1000")
        else:
            self.execute(
                "UPDATE campaign SET holder = replace(holder, ?, ?)",
                f":{os.getpid()}:",
                f":{NOBODY}:",
            )
        self.ledger = self.do(SQLiteLedger.open(self.path))
        for campaign in self.campaigns.values():
            campaign.stale.clear()
            campaign.waiting = None
            if campaign.lease is not None:
                campaign.lease, campaign.state = None, CampaignState.PAUSED

    @precondition(some_held)
    @rule(
        data=st.data(),
        state=st.sampled_from(
            [CampaignState.PAUSED, CampaignState.FINISHED, CampaignState.CANCELLED]
        ),
    )
    def release(self, data: st.DataObject, state: CampaignState) -> None:
        """
        Whoever is in flight at a cancellation is in doubt, and the others are not sent.
        Where someone is left, it is not finished.
        """
        campaign = self.pick(data, held=True)
        assert campaign.lease is not None
        self.do(campaign.lease.release(state, "because"))
        campaign.stale.append(campaign.lease)
        campaign.lease, campaign.state = None, state
        campaign.command = campaign.waiting = None
        counts = campaign.counts()
        left = counts["pending"] + counts["in_flight"] + counts["not_sent"]
        if state is CampaignState.FINISHED and left:
            campaign.state = CampaignState.PAUSED
        if state is CampaignState.CANCELLED:
            for batch in campaign.batches:
                if batch.claimed:
                    # They may have been rung, whatever their owner has decided.
                    batch.recover(resend=False)
                for place in batch.pending():
                    batch.verdicts[place] = Verdict(Outcome.NOT_SENT)

    @precondition(some_held)
    @rule(
        data=st.data(),
        waiting=st.sampled_from([None, Waiting("unreachable", SINCE)]),
        held_until=st.sampled_from([None, 5.0, 7.5]),
    )
    def beat(
        self, data: st.DataObject, waiting: Waiting | None, held_until: float | None
    ) -> None:
        """
        A sign of life brings back what is wanted, and says why nothing goes on.
        """
        campaign = self.pick(data, held=True)
        assert campaign.lease is not None
        control = self.do(
            campaign.lease.heartbeat(2.5, waiting=waiting, held_until=held_until)
        )
        campaign.waiting = waiting
        campaign.held_until = held_until or campaign.held_until

        assert (campaign.command, campaign.rate) == (control.command, control.rate)

    @precondition(some_held)
    @rule(
        data=st.data(),
        command=st.sampled_from([None, *Command]),
        rate=st.sampled_from([None, 1.5, 80.0]),
    )
    def steer(
        self, data: st.DataObject, command: Command | None, rate: float | None
    ) -> None:
        """
        What is wanted stays so until it is done, or something else is wanted.
        """
        campaign = self.pick(data, held=True)
        self.do(self.ledger.steer(campaign.plan.campaign, command=command, rate=rate))
        campaign.command = command or campaign.command
        campaign.rate = rate or campaign.rate

    # Sending

    def some_due(self) -> bool:
        """
        Whether somebody can be claimed by a holder.
        """
        return any(
            each.lease is not None and any(batch.is_due() for batch in each.batches)
            for each in self.campaigns.values()
        )

    def some_claimed(self) -> bool:
        """
        Whether somebody is in flight.
        """
        return any(
            each.lease is not None and any(batch.claimed for batch in each.batches)
            for each in self.campaigns.values()
        )

    def some_unknown(self) -> bool:
        """
        Whether there is anybody to decide about.
        """
        return any(
            each.lease is not None and each.counts()["unknown"]
            for each in self.campaigns.values()
        )

    @precondition(some_due)
    @rule(data=st.data())
    def claim(self, data: st.DataObject) -> None:
        """
        Some or all who are pending in a batch leave together.
        """
        campaign = self.pick(data, held=True)
        due = [batch for batch in campaign.batches if batch.is_due()]
        if not due:
            return
        assert campaign.lease is not None
        batch = one_of(data, due)
        pending = batch.pending()
        some = st.lists(st.sampled_from(pending), min_size=1, unique=True).map(sorted)
        places = data.draw(st.just(pending) | some)
        self.do(campaign.lease.claim(batch.real(), places))
        batch.claimed = set(places)

    @precondition(some_claimed)
    @rule(data=st.data())
    def claim_again(self, data: st.DataObject) -> None:
        """
        What is claimed can't be claimed.
        """
        campaign = self.pick(data, held=True)
        for batch in campaign.batches:
            if batch.claimed:
                assert campaign.lease is not None
                with pytest.raises(LedgerError):
                    self.do(campaign.lease.claim(batch.real(), sorted(batch.claimed)))

    @precondition(some_claimed)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """
        An answer decides about those who were claimed, and leaves the others.
        """
        campaign = self.pick(data, held=True)
        claimed = [batch for batch in campaign.batches if batch.claimed]
        if not claimed:
            return
        batch = one_of(data, claimed)
        one = data.draw(st.sampled_from(ANSWERS))
        alike = data.draw(st.booleans())
        for place in sorted(batch.claimed):
            verdict = one if alike else data.draw(st.sampled_from(ANSWERS))
            batch.verdicts[place] = verdict
        many = len(batch.recipients)
        batch.transaction_ids = data.draw(
            st.sampled_from(
                [
                    (),
                    ("t-all",),
                    tuple(f"t-{place}" for place in range(many)),
                    tuple("" if place else "t-0" for place in range(many)),
                    tuple("" if place < many - 1 else "t-9" for place in range(many)),
                ]
            )
        )
        self.write_down(campaign, batch)

    @precondition(some_due)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """
        Who expires before being claimed is settled without a request.
        """
        campaign = self.pick(data, held=True)
        due = [batch for batch in campaign.batches if batch.is_due()]
        if not due:
            return
        batch = one_of(data, due)
        for place in batch.pending():
            batch.verdicts[place] = EXPIRED
        self.write_down(campaign, batch)

    def write_down(self, campaign: ModelCampaign, batch: ModelBatch) -> None:
        """
        Settle *batch* as the model has it.
        """
        assert campaign.lease is not None
        batch.attempts += len(batch.claimed) > 0
        batch.claimed = set()
        self.do(campaign.lease.settle(self.result(batch)))

    def result(self, batch: ModelBatch) -> BatchResult:
        """
        What a sender says of a batch.
        """
        return BatchResult.of_places(
            batch.real(),
            batch.verdicts,
            batch.transaction_ids,
            attempts=batch.attempts,
        )

    @precondition(some_stale)
    @rule(data=st.data(), act=st.sampled_from(["claim", "settle", "beat", "resolve"]))
    def write_without_the_lease(self, data: st.DataObject, act: str) -> None:
        """
        Who does not hold a campaign any more can't change it.
        """
        names = [name for name, each in self.campaigns.items() if each.stale]
        campaign = self.campaigns[data.draw(st.sampled_from(names))]
        lease = campaign.stale[data.draw(st.integers(0, len(campaign.stale) - 1))]
        if not campaign.batches:
            return
        batch = one_of(data, campaign.batches)
        accepted = [ANSWERS[0]] * len(batch.recipients)
        work: dict[str, Any] = {
            "claim": lambda: lease.claim(batch.real(), range(len(batch.recipients))),
            "settle": lambda: lease.settle(
                BatchResult.of_places(batch.real(), accepted)
            ),
            "beat": lambda: lease.heartbeat(1.0),
            "resolve": lambda: lease.resolve(resend=True),
        }
        with pytest.raises(LedgerError):
            self.do(work[act]())
        self.do(lease.release(CampaignState.FINISHED))

    # Deciding

    @precondition(some_unknown)
    @rule(data=st.data(), resend=st.booleans())
    def resolve(self, data: st.DataObject, *, resend: bool) -> None:
        """
        The unknown are sent again or given up; who was given up stays so.

        A batch that is under way is left alone: it will be settled as a whole.
        """
        self.decide(self.pick(data, held=True), resend=resend)

    def decide(self, campaign: ModelCampaign, *, resend: bool) -> None:
        """
        Decide about the unknown of *campaign*.
        """
        assert campaign.lease is not None
        decided = 0
        for batch in campaign.batches:
            if batch.claimed:
                continue
            for place, verdict in enumerate(batch.verdicts):
                is_unknown = verdict.outcome is Outcome.UNKNOWN
                if not is_unknown or place in batch.given_up:
                    continue
                decided += len(values_of(batch.recipients[place]))
                if resend:
                    batch.verdicts[place] = PENDING
                else:
                    batch.given_up.add(place)

        assert decided == self.do(campaign.lease.resolve(resend=resend))

    def some_cancelled(self) -> bool:
        """
        Whether a campaign was ended for good.
        """
        return any(
            each.state is CampaignState.CANCELLED for each in self.campaigns.values()
        )

    @precondition(some_cancelled)
    @rule(data=st.data(), crashes=st.booleans())
    def give_up_after_cancelling(self, data: st.DataObject, *, crashes: bool) -> None:
        """
        A cancelled campaign stays so while its owner decides about the unknown.
        """
        names = [
            name
            for name, each in self.campaigns.items()
            if each.state is CampaignState.CANCELLED
        ]
        name = data.draw(st.sampled_from(names))
        campaign = self.campaigns[name]
        campaign.lease = self.do(self.ledger.lease(name, cancelled=True))
        self.decide(campaign, resend=False)
        if crashes:
            self.crash(old=False)
            campaign.state = CampaignState.CANCELLED
        else:
            self.do(campaign.lease.release(CampaignState.CANCELLED, "because"))
        campaign.lease = None

        with pytest.raises(InputError):
            self.do(self.ledger.lease(name))

    # What always holds

    @invariant()
    def counts_agree(self) -> None:
        """
        Both sums hold, and every number is the model's.
        """
        assert list(self.campaigns) == [
            each.campaign for each in self.do(self.ledger.campaigns())
        ]
        for name, campaign in self.campaigns.items():
            status = self.do(self.ledger.status(name))
            assert status is not None
            counts = campaign.counts()
            names = [*(outcome.value for outcome in Outcome), "in_flight", "given_up"]
            assert {each: counts[each] for each in names} == {
                each: getattr(status, each) for each in names
            }
            assert status.planned == (
                status.pending
                + status.in_flight
                + status.accepted
                + status.rejected
                + status.expired
                + status.not_sent
                + status.unknown
            )
            assert campaign.read == status.read == status.planned + 6
            assert campaign.state is status.state
            assert campaign.rate == status.rate
            reason, since = campaign.waiting or (None, None)
            assert (reason, since) == (status.waiting, status.waiting_since)

    @invariant()
    def tallies_agree(self) -> None:
        """
        What is counted per campaign is what its batches say, drafts included.
        """
        names = ["in_flight", *COUNTED, "given_up"]
        left = " - ".join(("size", *names[:-1]))
        sums = [f"total({each})" for each in ("size", left, *names)]
        with closing(sqlite3.connect(self.path)) as connection:
            counted = connection.execute(
                f"SELECT campaign, planned, pending, {', '.join(names)} "  # noqa: S608
                "FROM tally ORDER BY campaign"
            ).fetchall()
            summed = connection.execute(
                f"SELECT campaign.id, {', '.join(sums)} "  # noqa: S608
                "FROM campaign LEFT JOIN batch ON batch.campaign = campaign.id "
                "GROUP BY campaign.id ORDER BY campaign.id"
            ).fetchall()

        assert summed == counted

    @invariant()
    def due_agrees(self) -> None:
        """
        Whoever is pending is due, and nobody who is claimed.
        """
        for campaign in self.campaigns.values():
            if campaign.lease is None:
                continue
            expected = [
                (batch.key, batch.pending(), batch.attempts)
                for batch in campaign.batches
                if batch.is_due()
            ]
            assert expected == [
                (str(each.batch.id), each.places(Outcome.PENDING), each.attempts)
                for each in self.do(_all(campaign.lease.due(MESSAGE)))
            ]

    @invariant()
    def results_agree(self) -> None:
        """
        Everyone's outcome, reason, transaction and correlation id are the model's.
        """
        for name, campaign in self.campaigns.items():
            for outcomes in ([*Outcome], [Outcome.PENDING], [Outcome.UNKNOWN]):
                expected = [
                    batch
                    for batch in campaign.batches
                    if {each.outcome for each in batch.shown()} & set(outcomes)
                ]
                found = self.do(_all(self.ledger.results(name, outcomes)))
                assert [batch.key for batch in expected] == [
                    str(each.batch.id) for each in found
                ]
                for batch, result in zip(expected, found, strict=True):
                    there = result.batch.recipients
                    assert batch.recipients == destinations(there)
                    assert (batch.rows, batch.as_came, batch.kept) == (
                        there.rows and list(there.rows),
                        there.as_came,
                        there.kept,
                    )
                    self.check_places(batch, result)

    def check_places(self, batch: ModelBatch, result: BatchResult) -> None:
        """
        Compare a batch with the model's.
        """
        for place, verdict in enumerate(batch.shown()):
            if verdict.outcome is Outcome.NOT_SENT:
                # Its words are the ledger's own after a cancellation.
                assert Outcome.NOT_SENT is result.at(place).outcome
            else:
                assert verdict == result.at(place)
            assert batch.transaction_id(place) == result.transaction_id(place)

    @invariant()
    def everyone_is_found(self) -> None:
        """
        A value is found with its outcome, and whether it is under way.
        """
        for name, campaign in self.campaigns.items():
            for batch in campaign.batches:
                for place, recipient in enumerate(batch.recipients):
                    value = values_of(recipient)[-1]
                    expected = [
                        (
                            name,
                            batch.shown()[place].outcome,
                            place in batch.claimed,
                            place in batch.given_up,
                            batch.key,
                            batch.attempts,
                        )
                    ]
                    assert expected == [
                        (
                            each.campaign,
                            each.result.outcome,
                            each.in_flight,
                            each.given_up,
                            each.batch,
                            each.attempts,
                        )
                        for each in self.do(self.ledger.lookup(value))
                    ]
                    own_id = entry_of(recipient)[2]
                    by_id = self.do(
                        self.ledger.lookup(own_id or f"{batch.key}-{place}")
                    )
                    assert list(values_of(recipient)) == [
                        each.result.recipient for each in by_id
                    ]

    @invariant()
    def doubts_agree(self) -> None:
        """
        The evidence speaks of the unknown who were not given up.
        """
        for name, campaign in self.campaigns.items():
            expected = {}
            for batch in campaign.batches:
                unknown = sum(
                    len(values_of(batch.recipients[place]))
                    for place, verdict in enumerate(batch.verdicts)
                    if verdict.outcome is Outcome.UNKNOWN
                    and place not in batch.given_up
                )
                if unknown:
                    expected[batch.key] = unknown
            assert expected == {
                each.batch: each.unknown for each in self.do(self.ledger.unknown(name))
            }


def _kind(recipient: Recipient) -> str:
    return entry_of(recipient)[0]


async def _all(results: AsyncIterator[BatchResult]) -> list[BatchResult]:
    return [each async for each in results]


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None
)


# What the machine found, told plainly


async def two_planned(ledger: Ledger, *, resend: bool = False) -> tuple[Batch, Lease]:
    """
    A campaign of one batch of two, and its lease.
    """
    batch = batch_of(MESSAGE, "0123456789-0", ["+9991", "+9992"])
    draft = await ledger.draft(
        Plan(
            campaign="june",
            message="{}",
            source="s",
            tag="0123456789",
            resend_unknown=resend,
        )
    )
    await draft.add([batch])
    await draft.publish({"read": 2, "invalid": 0, "duplicate": 0, "suppressed": 0})
    return batch, await ledger.lease("june")


async def test_who_was_given_up_is_not_sent_again(tmp_path: Path) -> None:
    """
    Resending the unknown leaves out those who were given up before, and their count.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        batch, lease = await two_planned(ledger)
        await lease.claim(batch, [0])
        await lease.settle(BatchResult.of_places(batch, [LOST, PENDING]))
        await lease.resolve(resend=False)
        await lease.claim(batch, [1])
        (kept,) = await _all(ledger.results("june", [*Outcome]))
        await lease.settle(BatchResult.of_places(batch, [kept.at(0), LOST]))
        resent = await lease.resolve(resend=True)
        (due,) = await _all(lease.due(MESSAGE))

        assert 1 == resent
        assert [1] == due.places(Outcome.PENDING)


async def test_deciding_leaves_alone_what_is_under_way(tmp_path: Path) -> None:
    """
    Whoever is in flight stays so while others of the batch are made pending.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        batch, lease = await two_planned(ledger)
        await lease.claim(batch, [0])
        await lease.settle(BatchResult.of_places(batch, [LOST, PENDING]))
        await lease.claim(batch, [1])
        await lease.resolve(resend=True)
        status = await ledger.status("june")

        assert status is not None
        assert 1 == status.in_flight
        assert [] == await _all(lease.due(MESSAGE))


async def test_in_flight_at_a_cancellation_is_unknown(tmp_path: Path) -> None:
    """
    They may have been rung, also where the unknown would have been sent again.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        batch, lease = await two_planned(ledger, resend=True)
        await lease.claim(batch, [0])
        await lease.release(CampaignState.CANCELLED, "cancelled by its owner")
        status = await ledger.status("june")

        assert status is not None
        assert (1, 1) == (status.unknown, status.not_sent)


async def test_a_crash_does_not_undo_a_cancellation(tmp_path: Path) -> None:
    """
    Who dies while deciding about a cancelled campaign leaves it cancelled.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        _, lease = await two_planned(ledger)
        await lease.release(CampaignState.CANCELLED, "cancelled by its owner")
        await ledger.lease("june", cancelled=True)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE campaign SET heartbeat_at = -1000")
    async with open_ledger(tmp_path / "a.db") as ledger:
        status = await ledger.status("june")
        with pytest.raises(InputError, match="was cancelled"):
            await ledger.lease("june")

        assert status is not None
        assert CampaignState.CANCELLED is status.state


# Mishaps


async def test_a_job_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """
    What it had written is undone, and those who share its commit lose nothing.
    """
    file = SQLiteFile(tmp_path / "a.db")

    def writes(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO writer VALUES ('kept')")

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO writer VALUES ('undone')")
        raise failure

    def marks(connection: sqlite3.Connection) -> set[str]:
        return {row[0] for row in connection.execute("SELECT id FROM writer")}

    for failure in (InputError("no"), KeyError("a mistake")):
        # The first one keeps the thread busy, so that the others share a commit.
        busy = file.do(lambda _: time.sleep(0.05))
        given = await asyncio.gather(
            busy, file.do(fails), file.do(writes), return_exceptions=True
        )
        found = await file.do(marks, writes=False)
        await file.do(lambda each: each.execute("DELETE FROM writer WHERE id = 'kept'"))

        assert [None, failure, None] == list(given)
        assert {"kept"} == {each for each in found if ":" not in each}
    await file.close()


async def test_a_damaged_text_is_not_quoted(tmp_path: Path) -> None:
    """
    Numbers are no part of an error, whatever has become of them in the file.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        await two_planned(ledger)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE recipients SET packed = CAST(x'2b393939ff' AS TEXT)")
    async with open_ledger(tmp_path / "a.db") as ledger:
        with pytest.raises(LedgerError, match="damaged") as caught:
            await _all(ledger.results("june", [*Outcome]))

        assert "+999" not in "".join(traceback.format_exception(caught.value))


async def test_who_has_begun_to_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Who looks at an older state and never ends is in the way, and is named as such.
    """
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)
    path = tmp_path / "a.db"
    async with open_ledger(path) as ledger:
        await two_planned(ledger)
    async with open_ledger(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM campaign").fetchone()
            with pytest.raises(LedgerError, match="has begun to read"):
                await ledger.steer("june", command=Command.PAUSE)
        await ledger.steer("june", command=Command.PAUSE)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SQLITE_BUSY_SNAPSHOT", "another program holds its lock"),
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_IOERR_WRITE", "the disk fails"),
        ("SQLITE_READONLY_DBMOVED", "can't be written"),
        ("SQLITE_CANTOPEN", "can only be read"),
        ("SQLITE_CORRUPT_INDEX", "damaged"),
        ("SQLITE_NOTADB", "not a voicepush ledger"),
        (None, "in its own words"),
    ],
)
def test_mishaps_are_told_by_name(name: str | None, words: str) -> None:
    """
    SQLite's names for mishaps stay, while its English may change.
    """
    error = sqlite3.OperationalError("in its own words")
    if name is not None:
        error.sqlite_errorname = name

    told = translated(Path("a.db"), error)

    assert str(told).startswith("the ledger a.db: ")
    assert words in str(told)
    assert error is told.__cause__


# The tables


async def test_a_batch_keeps_its_group(tmp_path: Path) -> None:
    """
    Which message a batch belongs to is known when it is sent, and afterwards.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        draft = await ledger.draft(
            Plan(campaign="june", message="{}", source="s", tag="0123456789")
        )
        batch = batch_of(MESSAGE, "0123456789-0", ["+9991"])
        batch.group = Group(MESSAGE, 3)
        await draft.add([batch])
        await draft.publish({"read": 1, "invalid": 0, "duplicate": 0, "suppressed": 0})
        lease = await ledger.lease("june")
        (due,) = await _all(lease.due(MESSAGE))
        (shown,) = await _all(ledger.results("june", [*Outcome]))

        assert Group(MESSAGE, 3) == due.batch.group
        assert 3 == shown.batch.group.number


async def test_nothing_remains_of_a_draft(tmp_path: Path) -> None:
    """
    Whoever was planned and never published stands in no table.
    """
    async with open_ledger(tmp_path / "a.db") as ledger:
        draft = await ledger.draft(
            Plan(campaign="june", message="{}", source="s", tag="0123456789")
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("voicepush.ledger.index.RUN", 1)
            await draft.add([batch_of(MESSAGE, "0123456789-0", ["+9991"])])
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            before = rows_by_table(connection)
            await draft.discard()
            after = rows_by_table(connection)

    assert all(before.values())
    assert not any(after.values())


def rows_by_table(connection: sqlite3.Connection) -> dict[str, int]:
    """
    How many rows each table has that speaks of campaigns.
    """
    names = [
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master")
        if not name.startswith(("sqlite", "writer", "batch_is"))
    ]
    return {
        name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
        for name in names
    }

"""
The ledger's whole life against a model of it in plain Python.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from ledger_holding import Held, check_resolved
from ledger_invariants import check_due
from ledger_kept import Kept
from ledger_model import (
    ANSWERS,
    EXPIRED,
    LATE,
    PENDING,
    MemoryStore,
    ModelBatch,
    ModelCampaign,
    PostgresStore,
    SQLiteStore,
    is_claimed,
    load,
)
from making import batch_id

from voicepush.errors import (
    CampaignLostError,
    InputError,
    LedgerError,
)
from voicepush.ledger import Worker
from voicepush.ledger.protocol import Dues, Finished
from voicepush.ledger.sql.rows import COUNTED
from voicepush.model.claim import NotBefore, Recorded, Superseded
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import CampaignState

#: From now on, in seconds; a moment may be past.
MOMENTS = st.sampled_from([-5.0, 10.0, 60.0])


def one_of(data: st.DataObject, batches: list[ModelBatch]) -> ModelBatch:
    """
    One of *batches*, drawn by its place so that a failure can be read.
    """
    return batches[data.draw(st.integers(0, len(batches) - 1))]


class LedgerMachine(Kept):
    """
    Any order of claiming, recording and deciding as well.
    """

    def some_due(self) -> bool:
        """
        Whether somebody can be claimed by a holder.
        """
        return any(
            each.worker is not None and any(batch.is_due() for batch in each.batches)
            for each in self.campaigns.values()
        )

    def some_claimed(self) -> bool:
        """
        Whether somebody is in flight.
        """
        return any(
            each.worker is not None and any(batch.claim for batch in each.batches)
            for each in self.campaigns.values()
        )

    def some_unknown(self) -> bool:
        """
        Whether there is anybody to decide about.
        """
        return any(
            each.worker is not None and each.counts()["unknown"]
            for each in self.campaigns.values()
        )

    @precondition(Held.some_held)
    @rule(data=st.data(), limit=st.integers(1, 3), until_none=st.booleans())
    def take_due(self, data: st.DataObject, limit: int, *, until_none: bool) -> None:
        """
        Each batch is given once, and only once nobody has to wait for it.
        """
        campaign = self.pick(data, held=True)
        assert campaign.worker is not None
        while True:
            now = self.clock.now()
            left = campaign.to_give()
            given = {
                batch.key: batch
                for batch in left
                if batch.due_at is None or batch.due_at <= now
            }
            found: Dues = self.do(campaign.worker.due(limit))
            if not given:
                break
            assert not isinstance(found, NotBefore | Finished)
            assert 1 <= len(found) <= limit
            keys = [str(due.known.batch.id) for due in found]
            assert len(set(keys)) == len(keys)
            check_due([given[key] for key in keys], found)
            campaign.given.update(keys)
            if not until_none:
                return
        moments = [batch.due_at for batch in left if batch.due_at is not None]
        if moments:
            assert isinstance(found, NotBefore)
            assert min(moments) == found.moment
        else:
            assert Finished() == found

    @precondition(some_due)
    @rule(data=st.data(), seconds=MOMENTS)
    def defer(self, data: st.DataObject, seconds: float) -> None:
        """
        A batch has to wait, and its worker is given it again.
        """
        campaign = self.pick(data, held=True)
        due = [batch for batch in campaign.batches if batch.is_due()]
        if not due:
            return
        assert campaign.worker is not None
        batch = one_of(data, due)
        batch.due_at = self.clock.now() + seconds
        campaign.given.discard(batch.key)
        self.do(campaign.worker.defer(batch_id(batch.key), batch.due_at))

    @rule(seconds=st.sampled_from([1, 9, 12]), times=st.integers(1, 6))
    def let_time_pass(self, seconds: int, times: int) -> None:
        """
        Workers give signs meanwhile.
        """
        for _ in range(times):
            self.clock.move(seconds)
            for campaign in self.campaigns.values():
                if campaign.worker is not None:
                    sign = campaign.worker.heartbeat(2.5, waiting=campaign.waiting)
                    self.do(sign)

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
        assert campaign.worker is not None
        batch = one_of(data, due)
        pending = batch.pending()
        some = st.lists(st.sampled_from(pending), min_size=1, unique=True).map(sorted)
        places = data.draw(st.just(pending) | some)
        self.claim_places(campaign, batch, places)

    def claim_places(
        self, campaign: ModelCampaign, batch: ModelBatch, places: list[int]
    ) -> None:
        """
        Claim *places* of *batch*; who is on the list is left out, and recorded with the
        others, or at once where there are none.
        """
        assert campaign.worker is not None
        out = self.left_out(batch, places)
        left = [place for place in places if place not in out]
        claim = is_claimed(self.do(campaign.worker.claim(batch.real(), places)))
        self.at_work.add(claim.token)
        assert campaign.worker.token == claim.token
        assert (left, out) == (list(claim.places), claim.left_out)
        if not left:
            told = batch.answered(out, batch.transaction_ids)
            self.write_down(campaign, batch, told)
            return
        batch.claimed, batch.claim, batch.due_at = set(left), claim, None
        batch.latest = claim.token

    @precondition(some_claimed)
    @rule(data=st.data())
    def claim_again(self, data: st.DataObject) -> None:
        """
        What is claimed can't be claimed; of whoever came to the list meanwhile it is
        said that they are left out.
        """
        campaign = self.pick(data, held=True)
        for batch in campaign.batches:
            if not batch.claim:
                continue
            assert campaign.worker is not None
            places = list(batch.claim.places)
            claim = campaign.worker.claim(batch.real(), places)
            if len(self.left_out(batch, places)) < len(places):
                with pytest.raises(LedgerError):
                    self.do(claim)
                continue
            # Some stores look at the list first, and others at the claim.
            with suppress(LedgerError):
                assert not is_claimed(self.do(claim)).places

    @precondition(some_claimed)
    @rule(data=st.data(), seconds=st.none() | MOMENTS)
    def record(self, data: st.DataObject, seconds: float | None) -> None:
        """
        An answer decides about those who were claimed, and leaves the others.
        """
        campaign = self.pick(data, held=True)
        claimed = [batch for batch in campaign.batches if batch.claim]
        if not claimed:
            return
        batch = one_of(data, claimed)
        assert batch.claim is not None
        one = data.draw(st.sampled_from(ANSWERS))
        alike = data.draw(st.booleans())
        ids = data.draw(_transactions(len(batch.recipients)))
        said = {
            place: one if alike else data.draw(st.sampled_from(ANSWERS))
            for place in batch.claim.places
        }
        said.update(batch.claim.left_out)
        batch.attempts += 1
        self.write_down(campaign, batch, batch.answered(said, ids), seconds)

    @precondition(some_due)
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        """
        Who expires before being claimed is recorded without a request.
        """
        campaign = self.pick(data, held=True)
        due = [batch for batch in campaign.batches if batch.is_due()]
        if not due:
            return
        batch = one_of(data, due)
        for place in batch.pending():
            batch.verdicts[place] = EXPIRED
        self.write_down(campaign, batch, batch.result())

    def write_down(
        self,
        campaign: ModelCampaign,
        batch: ModelBatch,
        told: BatchResult,
        seconds: float | None = None,
    ) -> None:
        """
        Record what the worker of *batch* has *told*; in *seconds* it may be sent again.
        """
        assert campaign.worker is not None
        claim = batch.claim
        batch.due_at = None if seconds is None else self.clock.now() + seconds
        due_at = batch.due_at
        batch.landed()
        if due_at is not None or not batch.pending():
            campaign.given.discard(batch.key)
        recorded = self.do(campaign.worker.record(claim, told, due_at))
        assert Recorded() == recorded

    def pick_stale(self, data: st.DataObject) -> tuple[ModelCampaign, Worker]:
        """
        A campaign, and a worker of it that has it no more.
        """
        names = [name for name, each in self.campaigns.items() if each.stale]
        campaign = self.campaigns[data.draw(st.sampled_from(names))]
        return campaign, campaign.stale[
            data.draw(st.integers(0, len(campaign.stale) - 1))
        ]

    @precondition(Held.some_stale)
    @rule(
        data=st.data(),
        act=st.sampled_from(["claim", "heartbeat", "resolve", "defer", "due", "open"]),
    )
    def write_without_the_campaign(self, data: st.DataObject, act: str) -> None:
        """
        Who does not have a campaign any more can't change it.
        """
        campaign, worker = self.pick_stale(data)
        if not campaign.batches:
            return
        batch = one_of(data, campaign.batches)
        key = batch_id(batch.key)
        everyone = range(len(batch.recipients))
        work: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "claim": lambda: worker.claim(batch.real(), everyone),
            "heartbeat": lambda: worker.heartbeat(1.0),
            "resolve": lambda: worker.resolve(resend=True),
            "defer": lambda: worker.defer(key, 5.0),
            "due": lambda: worker.due(1),
            "open": lambda: worker.open(key),
        }
        with pytest.raises(CampaignLostError):
            self.do(work[act]())
        self.do(worker.leave(CampaignState.FINISHED))
        self.at_work.discard(worker.token)

    @precondition(Held.some_stale)
    @rule(data=st.data(), attempts=st.integers(0, 3), due_at=st.none() | MOMENTS)
    def record_late(
        self, data: st.DataObject, attempts: int, due_at: float | None
    ) -> None:
        """
        What a worker has heard that was taken for dead is not lost, and never makes
        anyone pending. Where another has the batch under way, that one will say more.
        """
        campaign, worker = self.pick_stale(data)
        if not campaign.batches:
            return
        batch = one_of(data, campaign.batches)
        self.tell_late(data, worker, batch, attempts, due_at)

    @precondition(some_due)
    @rule(
        data=st.data(),
        meanwhile=st.sampled_from(["nothing", "give up", "resend", "claim"]),
    )
    def wake_up(self, data: st.DataObject, meanwhile: str) -> None:
        """
        A worker that had claimed a batch wakes up when another has the campaign, and
        its owner has decided, or the batch is under way again.
        """
        campaign = self.pick(data, held=True)
        due = [batch for batch in campaign.batches if batch.is_due()]
        if not due:
            return
        batch = one_of(data, due)
        assert campaign.worker is not None
        stale = campaign.worker
        self.claim_places(campaign, batch, batch.pending())
        campaign.stale.append(stale)
        self.store.make_old(campaign.plan.campaign)
        self.take(campaign)
        if meanwhile in ("give up", "resend"):
            self.decide(campaign, resend=meanwhile == "resend")
        elif meanwhile == "claim" and batch.is_due():
            self.claim_places(campaign, batch, batch.pending())
        self.tell_late(data, stale, batch, batch.attempts + 1, None)

    def tell_late(
        self,
        data: st.DataObject,
        worker: Worker,
        batch: ModelBatch,
        attempts: int,
        due_at: float | None,
    ) -> None:
        """
        Let a *worker* that has the campaign no more record *batch*.
        """
        many = len(batch.recipients)
        one = data.draw(st.sampled_from(LATE))
        alike = data.draw(st.booleans())
        late = ModelBatch(
            batch.key,
            batch.recipients,
            [one if alike else data.draw(st.sampled_from(LATE)) for _ in range(many)],
            transaction_ids=data.draw(_transactions(many, "late")),
            attempts=attempts,
        )
        batch.learn(worker.token, late)
        recorded = self.do(worker.record(None, late.result(), due_at))
        assert isinstance(recorded, Superseded)

    # Deciding

    @precondition(some_unknown)
    @rule(data=st.data(), resend=st.booleans(), gone=st.booleans())
    def resolve(self, data: st.DataObject, *, resend: bool, gone: bool) -> None:
        """
        The unknown are sent again or given up; who was given up stays so.

        A batch that is under way is left alone: it will be settled as a whole.
        """
        self.decide(self.pick(data, held=True), resend=resend, gone=gone)

    def decide(
        self, campaign: ModelCampaign, *, resend: bool, gone: bool = False
    ) -> None:
        """
        Decide about the unknown of *campaign*.
        """
        assert campaign.worker is not None
        decided = left = 0
        for batch in campaign.batches:
            if batch.claim:
                continue
            may_be_sent: set[int] = set()
            if resend and not gone:
                may_be_sent = may_be_sent.union(
                    *(batch.lost.get(token, ()) for token in self.at_work)
                )
            for place, verdict in enumerate(batch.verdicts):
                is_unknown = verdict.outcome is Outcome.UNKNOWN
                if not is_unknown or place in batch.given_up:
                    continue
                if place in may_be_sent:
                    left += batch.weigh({place})
                    continue
                decided += batch.weigh({place})
                if resend:
                    batch.verdicts[place] = PENDING
                else:
                    batch.given_up.add(place)

        found = self.do(campaign.worker.resolve(resend=resend, process_is_gone=gone))
        check_resolved(found, decided, left)

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
        campaign.worker = self.do(self.ledger.join(name, load, cancelled=True))
        self.decide(campaign, resend=False)
        if crashes:
            self.crash(old=False)
            campaign.state = CampaignState.CANCELLED
        else:
            self.do(campaign.worker.leave(CampaignState.CANCELLED, "because"))
        campaign.worker = None

        with pytest.raises(InputError):
            self.do(self.ledger.join(name, load))


class SQLiteMachine(LedgerMachine):
    """
    The same of a file.
    """

    store_of = SQLiteStore
    store: SQLiteStore

    @invariant()
    def tallies_agree(self) -> None:
        """
        What is counted per campaign is what its batches say, drafts included.
        """
        names = ["in_flight", *COUNTED, "given_up"]
        left = " - ".join(("size", *(f"batch.{each}" for each in names[:-1])))
        # Whom receipts prove to be accepted are counted so, and not as what they were.
        sums = [
            "total(size) - total(batch.suppressed) + total(shifted_suppressed)",
            f"total({left}) - total(shifted_pending)",
        ]
        sums += [f"total(batch.{each}) - total(shifted_{each})" for each in names]
        shifted = ", ".join(
            f"-accepted AS shifted_{each}"
            if each == "accepted"
            else f"{each} AS shifted_{each}"
            for each in ("pending", *names)
        )
        with closing(sqlite3.connect(self.store.path)) as connection:
            counted = connection.execute(
                f"SELECT campaign, planned, pending, {', '.join(names)} "  # noqa: S608
                "FROM tally ORDER BY campaign"
            ).fetchall()
            summed = connection.execute(
                f"SELECT campaign.id, {', '.join(sums)} "  # noqa: S608
                "FROM campaign LEFT JOIN batch ON batch.campaign = campaign.id "
                f"LEFT JOIN (SELECT campaign AS of, number AS at, {shifted} "
                "FROM proof) ON of = batch.campaign AND at = batch.number "
                "GROUP BY campaign.id ORDER BY campaign.id"
            ).fetchall()

        assert summed == counted


class MemoryMachine(LedgerMachine):
    """
    The same of an object.
    """

    store_of = MemoryStore


class PostgresMachine(LedgerMachine):
    """
    The same of a schema of PostgreSQL.
    """

    store_of = PostgresStore


def _transactions(many: int, start: str = "t") -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from(
        [
            (),
            (f"{start}-all",),
            tuple(f"{start}-{place}" for place in range(many)),
            tuple("" if place else f"{start}-0" for place in range(many)),
            tuple("" if place < many - 1 else f"{start}-9" for place in range(many)),
        ]
    )


TestSQLiteLedger = SQLiteMachine.TestCase
TestMemoryLedger = MemoryMachine.TestCase
TestPostgresLedger = PostgresMachine.TestCase
TestSQLiteLedger.settings = TestMemoryLedger.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
#: A step costs some thirty round trips, and as many commits.
TestPostgresLedger.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None
)

"""
What always holds of a ledger, whatever is done with it.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import attrs
import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant
from ledger_model import (
    MESSAGE,
    ModelBatch,
    ModelCampaign,
    Store,
    Ticking,
    all_of,
    values_of,
)
from making import batch_id, destinations, entry_of

from voicepush.ledger import Ledger
from voicepush.ledger.protocol import Due
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.model.outcome import BatchResult, Outcome

_T = TypeVar("_T")

#: What makes the index of a few as that of millions.
_MILLIONS = {
    **{f"index.{name}": few for name, few in (("RUN", 4), ("PAGE", 2), ("_FEW", 2))},
    "index._FEW_TO_IMPORT": 2,
    "sql.index.MOST_RUNS": 1,
}


def check_due(expected: Sequence[ModelBatch], due: Sequence[Due]) -> None:
    """
    Compare what a worker is given with what the model has to give.
    """
    assert [
        (batch.key, batch.pending(), batch.attempts, batch.due_at) for batch in expected
    ] == [
        (
            str(each.known.batch.id),
            each.known.places(Outcome.PENDING),
            each.known.attempts,
            each.due_at,
        )
        for each in due
    ]
    for batch, each in zip(expected, due, strict=True):
        assert MESSAGE == each.known.batch.message
        assert batch.recipients == destinations(each.known.batch.recipients)


class Checked(RuleBasedStateMachine):
    """
    A ledger and its model, which agree after each step.
    """

    store_of: ClassVar[type[Store]]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.patch = pytest.MonkeyPatch()
        # An index as of millions: several runs of several pages, made by numpy.
        for name, few in _MILLIONS.items():
            self.patch.setattr(f"voicepush.ledger.{name}", few)
        self.clock = Ticking()
        self.clock.patch(self.patch.setattr)
        self.store = self.store_of(self.folder)
        self.do(self.store.open())
        self.campaigns: dict[str, ModelCampaign] = {}
        #: The tokens of the workers that have claimed and not left.
        self.at_work: set[str] = set()

    def teardown(self) -> None:
        """
        Leave no thread and no file.
        """
        self.do(self.store.close())
        self.patch.undo()
        self.loop.close()
        shutil.rmtree(self.folder)

    @property
    def ledger(self) -> Ledger:
        """
        The ledger, which is another after a crash.
        """
        return self.store.ledger

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """
        The value of *work*.
        """
        return self.loop.run_until_complete(work)

    @invariant()
    def counts_agree(self) -> None:
        """
        Both sums hold, and every number is the model's.
        """
        self.store.hold_clock()  # a busy machine may take long for a step
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
            assert campaign.read == status.read
            left_out = status.invalid + status.duplicate + status.suppressed
            assert status.read == status.planned + left_out
            assert (1, 2) == (status.invalid, status.duplicate)
            assert campaign.state is status.state
            assert campaign.rate == status.rate
            reason, since = campaign.waiting or (None, None)
            assert (reason, since) == (status.waiting, status.waiting_since)

    @invariant()
    def it_is_sound(self) -> None:
        """
        What `voicepush check-ledger` looks at agrees, wherever there are tables.
        """
        if isinstance(self.ledger, SQLLedger):
            audit = self.do(self.ledger.audit(deep=True))
            assert [] == audit.findings
            assert list(self.campaigns) == [each.campaign for each in audit.campaigns]

    @invariant()
    def timelines_agree(self) -> None:
        """
        What happened when, and why, comes to the numbers of the status.
        """
        for name in self.campaigns:
            status = self.do(self.ledger.status(name))
            assert status is not None
            timeline = self.do(self.ledger.timeline(name))
            outcomes: Counter[str] = Counter()
            for each in timeline.outcomes:
                outcomes.update(each.outcomes)
            reasons = self.do(self.ledger.reasons(name))
            why: Counter[str] = Counter()
            for verdict, number in reasons.items():
                why[verdict.outcome] += number
            told = ("accepted", "rejected", "expired", "not_sent", "unknown")
            expected = +Counter({each: getattr(status, each) for each in told})
            assert expected == outcomes == why
            calls: Counter[str] = Counter()
            for heard in timeline.calls:
                calls[heard.state] += heard.calls
            known = Counter(attrs.asdict(status.calls) if status.calls else {})
            del known["on_its_way"]
            assert +known == calls

    @invariant()
    def due_agrees(self) -> None:
        """
        Whoever is pending can be claimed, and nobody who is claimed.
        """
        for campaign in self.campaigns.values():
            worker = campaign.worker
            if worker is None:
                continue
            opened = [
                self.do(worker.open(batch_id(batch.key))) for batch in campaign.batches
            ]
            due = [each for each in opened if each is not None]
            check_due([batch for batch in campaign.batches if batch.is_due()], due)

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
                found = self.do(all_of(self.ledger.results(name, outcomes)))
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

"""
Who has a campaign, and who had it: the rules of planning, joining and leaving.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import groupby

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from ledger_invariants import Checked
from ledger_model import (
    MESSAGE,
    PENDING,
    SINCE,
    ModelBatch,
    ModelCampaign,
    load,
    one_recipient,
    values_of,
)
from making import batch_of, entry_of

from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger import Command, Fingerprint, Plan
from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.recipients import Recipient
from voicepush.model.status import CampaignState, Resolved, Waiting

#: What recipients there are.
KINDS = ["plain", "several", "customer", "own id"]


class Held(Checked):
    """
    Any order of planning, joining, steering, crashing and leaving.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def pick(self, data: st.DataObject, *, held: bool) -> ModelCampaign:
        """
        One of the campaigns that are held by somebody, or by nobody.
        """
        names = [
            name
            for name, campaign in self.campaigns.items()
            if (campaign.worker is not None) is held
            and campaign.state is not CampaignState.CANCELLED
        ]
        return self.campaigns[data.draw(st.sampled_from(names))]

    def some_held(self) -> bool:
        """
        Whether a campaign has a worker.
        """
        return any(each.worker is not None for each in self.campaigns.values())

    def some_free(self) -> bool:
        """
        Whether a campaign has none, and may have one.
        """
        return any(
            each.worker is None and each.state is not CampaignState.CANCELLED
            for each in self.campaigns.values()
        )

    def some_stale(self) -> bool:
        """
        Whether a campaign was taken over from a worker that is still alive.
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
            self.do(self.ledger.join(name, load))

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
        self.store.make_old(name)
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
    def join(self, data: st.DataObject) -> None:
        """
        Who takes a campaign over decides about those in flight, and tries the not sent.
        """
        self.take(self.pick(data, held=False))

    def take(self, campaign: ModelCampaign) -> None:
        """
        Become the holder.
        """
        worker = self.do(self.ledger.join(campaign.plan.campaign, load))
        assert campaign.held_until == worker.held_until
        campaign.worker = worker
        campaign.given.clear()
        campaign.state, campaign.command = CampaignState.RUNNING, None
        campaign.waiting = None
        resend = campaign.plan.resend_unknown
        left = sum(
            batch.recover(self.at_work, resend=resend) for batch in campaign.batches
        )
        check_resolved(worker.left_alone, 0, left)

    @precondition(some_held)
    @rule(data=st.data())
    def join_what_is_held(self, data: st.DataObject) -> None:
        """
        There is one holder.
        """
        campaign = self.pick(data, held=True)

        with pytest.raises(CampaignHeldError):
            self.do(self.ledger.join(campaign.plan.campaign, load))

    @precondition(some_held)
    @rule(data=st.data())
    def take_over(self, data: st.DataObject) -> None:
        """
        A holder that gave no sign for long is taken for dead, even if it is not.
        """
        campaign = self.pick(data, held=True)
        assert campaign.worker is not None
        campaign.stale.append(campaign.worker)
        self.store.make_old(campaign.plan.campaign)
        self.take(campaign)

    @rule(old=st.booleans())
    def crash(self, *, old: bool) -> None:
        """
        The process dies; what it had claimed stays claimed.
        """
        self.do(self.store.crash(old=old))
        self.at_work.clear()
        for campaign in self.campaigns.values():
            campaign.stale.clear()
            campaign.waiting = None
            if campaign.worker is not None:
                campaign.worker, campaign.state = None, CampaignState.PAUSED

    @precondition(some_held)
    @rule(
        data=st.data(),
        state=st.sampled_from(
            [CampaignState.PAUSED, CampaignState.FINISHED, CampaignState.CANCELLED]
        ),
    )
    def leave(self, data: st.DataObject, state: CampaignState) -> None:
        """
        Whoever is in flight at a cancellation is in doubt, and the others are not sent.
        Where someone is left, it is not finished.
        """
        campaign = self.pick(data, held=True)
        assert campaign.worker is not None
        self.do(campaign.worker.leave(state, "because"))
        self.at_work.discard(campaign.worker.token)
        campaign.stale.append(campaign.worker)
        campaign.worker, campaign.state = None, state
        campaign.command = campaign.waiting = None
        counts = campaign.counts()
        left = counts["pending"] + counts["in_flight"] + counts["not_sent"]
        if state is CampaignState.FINISHED and left:
            campaign.state = CampaignState.PAUSED
        if state is CampaignState.CANCELLED:
            for batch in campaign.batches:
                # They may have been rung, whatever their owner has decided.
                batch.lose()
                for place in batch.pending():
                    batch.verdicts[place] = Verdict(Outcome.NOT_SENT)
                batch.due_at = None

    @precondition(some_held)
    @rule(
        data=st.data(),
        waiting=st.sampled_from([None, Waiting("unreachable", SINCE)]),
        held_until=st.sampled_from([None, 5.0, 7.5]),
    )
    def heartbeat(
        self, data: st.DataObject, waiting: Waiting | None, held_until: float | None
    ) -> None:
        """
        A sign of life brings back what is wanted, and says why nothing goes on.
        """
        campaign = self.pick(data, held=True)
        assert campaign.worker is not None
        control = self.do(
            campaign.worker.heartbeat(2.5, waiting=waiting, held_until=held_until)
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


def check_resolved(resolved: Resolved, number: int, left: int) -> None:
    """
    Compare what became of the unknown with what the model says.
    """
    assert (number, left) == (resolved.recipients, resolved.left_alone)
    assert bool(left) is (resolved.process is not None)


def _kind(recipient: Recipient) -> str:
    return entry_of(recipient)[0]

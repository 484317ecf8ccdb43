"""
The worker of one campaign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from voicepush import clock
from voicepush.errors import CampaignLostError
from voicepush.ledger import decisions
from voicepush.ledger.memory.campaign import Row, StoredCampaign
from voicepush.ledger.memory.due_again import call_again
from voicepush.ledger.memory.suppression import Listing
from voicepush.ledger.opening import (
    called_until,
    closing,
    in_order,
    starts_later,
    who_waits,
)
from voicepush.ledger.plan import ON_TRIAL, Control, Follows
from voicepush.ledger.protocol import Due, Dues, Finished
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
from voicepush.model.consent import CONSENT
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import origin_in
from voicepush.model.status import (
    CampaignState,
    Progress,
    Resolved,
    Waiting,
)

_ANOTHER = "another worker here"
_TAKEN_OVER = "the campaign was taken over by another worker; this one stops"


class MemoryWorker:
    """
    The worker of one campaign.
    """

    def __init__(
        self,
        campaigns: Mapping[str, StoredCampaign],
        campaign: StoredCampaign,
        token: str,
        listing: Listing,
    ) -> None:
        self.plan = campaign.plan
        self.token = token
        self.held_until = campaign.held_until
        self.longest_wait: float | None = None
        self.left_alone = Resolved(0)
        self._campaigns = campaigns
        self._campaign = campaign
        self._listing = listing
        #: Given, and not recorded, deferred or due again since.
        self._given: set[BatchId] = set()
        self._rows = {row.id: row for row in campaign.rows}

    def _check_ours(self) -> None:
        if self._campaign.worker != self.token:
            raise CampaignLostError(_TAKEN_OVER)
        self._campaign.heard_at = clock.monotonic()

    def recover(self, *, process_is_gone: bool) -> None:
        """
        Decide about those whom an earlier worker left in flight, and make the not sent
        pending.
        """
        left = 0
        wanted = self.plan.resend_unknown
        for row in self._campaign.rows:
            if row.claimed_by is None and not row.known.counts()[Outcome.NOT_SENT]:
                continue
            wakes = not process_is_gone and row.claimed_by in self._campaign.at_work
            if wanted and wakes:
                left += row.weigh(row.in_flight)
            if wakes or not wanted:
                row.lose()
            resend = wanted and not wakes
            row.record(decisions.recovered(row.known, row.in_flight, resend=resend))
        self.left_alone = Resolved(0, left, _ANOTHER if left else None)
        call_again(self._campaigns, self._campaign)

    async def due(self, limit: int) -> Dues:
        """
        The next batches in which someone is pending, at most *limit* of them.
        """
        self._check_ours()
        call_again(self._campaigns, self._campaign)
        ready = [
            row
            for row in self._campaign.rows
            if row.is_ready and row.id not in self._given
        ]
        now, plan = clock.now(), self._campaign.plan
        windows, expires_at = plan.windows, plan.expires_at
        if waits := starts_later(plan.starts_at, now):
            return waits
        if plan.stage in ON_TRIAL:
            ready = [row for row in ready if row.group.trial]
        groups = {row.group.number: row.group for row in ready}
        order = {
            number: place
            for place, numbers in enumerate(in_order(groups, windows, now, expires_at))
            for number in numbers
        }
        opened = [row for row in ready if row.group.number in order]
        found = [row for row in opened if row.due_at is None or row.due_at <= now]
        found.sort(key=lambda row: order[row.group.number])
        if not found:
            later = [
                NotBefore(row.due_at, "everyone who is left has to wait")
                for row in opened
                if row.due_at is not None
            ]
            people: Counter[int] = Counter()
            for row in ready:
                if row.group.number not in order:
                    people[row.group.number] += row.known.counts()[Outcome.PENDING]
            waits = who_waits(people, groups, windows, now, expires_at)
            later += filter(None, [waits])
            return min(later, key=lambda each: each.moment, default=Finished())
        self._given.update(row.id for row in found[:limit])
        return [Due(row.known, row.due_at) for row in found[:limit]]

    async def open(self, batch: BatchId) -> Due | None:
        """
        That one *batch*, if someone in it is pending.
        """
        self._check_ours()
        row = self._rows.get(batch)
        return Due(row.known, row.due_at) if row is not None and row.is_ready else None

    async def claim(self, batch: Batch, places: Sequence[int]) -> Claim:
        """
        Note that *places* of *batch* are about to be sent.
        """
        self._campaign.at_work.add(self.token)
        self._check_ours()
        row = self._rows[batch.id]
        if row.claimed_by is not None or not (row.is_ready or row.late):
            raise CampaignLostError(
                f"batch {batch.id} was claimed by another worker; this one stops"
            )
        plan = self._campaign.plan
        until = called_until(plan, plan.windows, batch.group, clock.now())
        if isinstance(until, NotBefore | Refused):
            return until
        out = self._left_out(row, places)
        if isinstance(out, NotBefore):
            return out
        wanted = [place for place in places if place not in out]
        left, known = decisions.claimable(row.known, wanted)
        left_out = {**known, **out}
        if left:
            row.in_flight, row.claimed_at = frozenset(left), clock.now()
            row.claimed_by = row.latest = self.token
            row.due_at = None
            row.close(closing(until, plan.expires_at))
        return Claimed(self.token, left, left_out, until)

    def _left_out(
        self, row: Row, places: Sequence[int]
    ) -> NotBefore | dict[int, Verdict]:
        """
        Those at *places* who must not be called any more, or when they may be.
        """
        out: dict[int, Verdict] = {}
        if self.plan.follows is not None:
            ripe = self._followed_up(row, places, self.plan.follows)
            if isinstance(ripe, NotBefore):
                return ripe
            out |= ripe
        if self.plan.caps:
            out |= self._too_often(row, frozenset(places))
        batch = row.known.batch
        if self.plan.asks_consent:
            consents = batch.recipients.kept.get(CONSENT, ())
            out |= decisions.agreed_no_more(consents, places, clock.now())
        kind, values = batch.recipients.kind, batch.recipients.values
        found = self._listing.found(kind, values)
        return out | decisions.listed(batch, places, found)

    def _too_often(self, row: Row, places: frozenset[int]) -> dict[int, Verdict]:
        recipients, out = row.known.batch.recipients, dict[int, Verdict]()
        besides, plan = {self.plan.campaign}, self.plan
        # Calls that are followed up after a time of its owner's choice do not count.
        after = plan.follows is not None and plan.follows.after
        while after and plan.follows is not None:
            plan = self._campaigns[plan.follows.campaign].plan
            besides.add(plan.campaign)
        for recipient, place in enumerate(recipients.places_of_values()):
            times = [
                other.claimed_at
                for name, campaign in self._campaigns.items()
                if name not in besides
                for other in campaign.rows
                if other.claimed_at is not None
                and recipients.values[recipient] in other.called()
            ]
            verdict = decisions.too_often(times, self.plan.caps, clock.now())
            if verdict is not None and place in places:
                out[place] = verdict
        return out

    def _followed_up(
        self, row: Row, places: Sequence[int], follows: Follows
    ) -> NotBefore | dict[int, Verdict]:
        origins = row.known.batch.recipients.origins or ()
        earlier = {
            each.id.number: each.calls
            for each in self._campaigns[follows.campaign].rows
        }
        found = {place: origin_in(origins[place]) for place in places}
        calls = {
            place: None if call is None else call.shown
            for place, (number, recipient) in found.items()
            for call in [earlier[number].get(recipient)]
        }
        return decisions.followed_up(calls, follows, clock.now())

    async def record(
        self,
        claimed: Claimed | None,  # noqa: ARG002 -- the token is looked at instead
        result: BatchResult,
        due_at: float | None = None,
    ) -> Record:
        """
        Note what became of a batch so far.
        """
        row = self._rows[result.batch.id]
        if self._campaign.worker != self.token:
            return self._record_late(row, result)
        self._check_ours()
        row.due_at = due_at
        row.record(decisions.heard(row.known, result) if row.late else result)
        if due_at is not None or not row.is_ready:
            self._given.discard(row.id)
        return Recorded()

    def _record_late(self, row: Row, late: BatchResult) -> Record:
        """
        Add what another worker does not know, if that one is not sending it.
        """
        if row.claimed_by in (None, self.token):
            known = decisions.lost(row.known, row.in_flight)
            is_latest = row.latest in (None, self.token)
            row.record(decisions.merged(known, late, is_latest=is_latest))
            row.late = True
            for call in row.calls.values():
                call.looked_at = False
            left = decisions.still_given_up(row.known, row.given_up)
            row.given_up = frozenset(left)
            is_over = self._campaign.state is CampaignState.FINISHED
            if is_over and row.known.counts()[Outcome.NOT_SENT]:
                # Nobody is left in a finished one.
                self._campaign.state = CampaignState.PAUSED
                self._campaign.reason = "some are left; resume goes on"
        return Superseded(_TAKEN_OVER)

    async def defer(self, batch: BatchId, until: float) -> None:
        """
        Let *batch* wait, and be given again by `due` after *until*.
        """
        self._check_ours()
        row = self._rows[batch]
        if row.is_ready:
            row.due_at = until
        self._given.discard(batch)

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
        """
        self._check_ours()
        campaign = self._campaign
        campaign.throughput, campaign.waiting = throughput, waiting
        if held_until is not None:
            campaign.held_until = held_until
        if progress is not None:
            minute = int(clock.now() // 60)
            before = campaign.minutes.get(minute, Progress())
            campaign.minutes[minute] = Progress(
                before.recipients + progress.recipients,
                before.throttled + progress.throttled,
                progress.rate,
            )
        plan = campaign.plan
        return Control(campaign.command, plan.rate, plan.windows)

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
        self._check_ours()
        number, left = 0, 0
        for row in self._campaign.rows:
            unresolved = frozenset(decisions.unresolved(row.known, row.given_up))
            is_meant = batches is None or str(row.id) in batches
            if row.claimed_by is not None or not unresolved or not is_meant:
                continue
            left_alone: frozenset[int] = frozenset()
            if resend and not process_is_gone:
                for token in self._campaign.at_work.intersection(row.lost):
                    left_alone |= row.lost[token] & unresolved
            left += row.weigh(left_alone)
            number += row.weigh(unresolved - left_alone)
            if resend:
                row.record(decisions.resent(row.known, row.given_up | left_alone))
            else:
                row.given_up |= unresolved
        resolved = Resolved(number, left, _ANOTHER if left else None)
        self._campaign.note("resolved", decisions.told(resolved, resend=resend))
        return resolved

    async def leave(
        self,
        state: CampaignState,
        reason: str | None = None,
        *,
        held_until: float | None = None,
    ) -> None:
        """
        Give the campaign back.
        """
        campaign = self._campaign
        campaign.at_work.discard(self.token)
        if state is CampaignState.CANCELLED:
            # Who wants it cancelled has to hear that it is not.
            self._check_ours()
        if campaign.worker != self.token:
            return
        if state is CampaignState.CANCELLED:
            for row in campaign.rows:
                if row.claimed_by is not None or row.is_ready:
                    why = reason or "cancelled"
                    row.record(decisions.cancelled(row.known, row.in_flight, why))
        counted = campaign.status()
        left = counted.pending + counted.in_flight + counted.not_sent
        if state is CampaignState.FINISHED:
            words = reason or f"{left:,} are left; resume goes on"
            state, reason = (CampaignState.PAUSED, words) if left else (state, None)
        campaign.state, campaign.reason, campaign.worker = state, reason, None
        campaign.note("left", f"{state.value}: {reason}" if reason else state.value)
        campaign.command = campaign.throughput = campaign.waiting = None
        if held_until is not None:
            campaign.held_until = held_until

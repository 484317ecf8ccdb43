"""
Campaigns that last as long as an object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from typing import Any, Self

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.ledger.memory import polling
from voicepush.ledger.memory.campaign import (
    Row,
    StoredCampaign,
    called_in,
    lookup_of,
    unknown_in,
)
from voicepush.ledger.memory.draft import MemoryDraft
from voicepush.ledger.memory.receiving import MemoryReceipts
from voicepush.ledger.memory.suppression import Listing, MemorySuppression
from voicepush.ledger.memory.timeline import minutes_of, reasons_of, timeline_of
from voicepush.ledger.memory.worker import MemoryWorker
from voicepush.ledger.opening import check_zoned, groups_of, said_of
from voicepush.ledger.placing import whose
from voicepush.ledger.plan import Command, Fingerprint, Plan, PlannedGroup
from voicepush.ledger.reader import CalledBatch
from voicepush.ledger.silence import Silent
from voicepush.model.batch import BatchId
from voicepush.model.call import Call, Receipt, ReceiptCounts, Received, Report
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.overview import Snapshot, Timeline
from voicepush.model.status import (
    CampaignState,
    CampaignStatus,
    HistoryEntry,
    Lookup,
    Minute,
    UnknownBatch,
)
from voicepush.model.windows import Windows


class MemoryLedger(MemorySuppression):
    """
    Campaigns that last as long as this object.
    """

    def __init__(self) -> None:
        self._campaigns: dict[str, StoredCampaign] = {}
        self._receipts = MemoryReceipts(self._campaigns)
        self._listing = Listing()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def _published(self, name: str) -> StoredCampaign:
        found = self._campaigns.get(name)
        if found is None or found.state is None:
            raise InputError(f"there is no campaign {name!r} in this ledger")
        return found

    async def campaigns(self) -> list[CampaignStatus]:
        """
        All campaigns, the newest last.
        """
        return [each.status() for each in self._campaigns.values() if each.state]

    async def status(self, campaign: str) -> CampaignStatus | None:
        """
        Where *campaign* stands, or None if there is no such campaign.
        """
        found = self._campaigns.get(campaign)
        return found.status() if found is not None and found.state else None

    async def plan(self, campaign: str) -> Plan | None:
        """
        What *campaign* is, or None if there is no such campaign.
        """
        found = self._campaigns.get(campaign)
        return found.plan if found is not None and found.state else None

    async def fingerprint(self, campaign: str) -> Fingerprint | None:
        """
        What *campaign*'s source was like when it was planned, where that is known.
        """
        return self._published(campaign).fingerprint

    async def change(
        self,
        campaign: str,
        *,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
    ) -> None:
        """
        Change what is given of *campaign*'s settings, if no worker has joined it.
        """
        found = self._published(campaign)
        found.check_free()
        given: dict[str, Any] = {
            "rate": rate,
            "retry_internal_error": retry_internal_error,
            "resend_unknown": resend_unknown,
        }
        changed = {name: value for name, value in given.items() if value is not None}
        found.plan = attrs.evolve(found.plan, **changed)
        if changed:
            found.note("changed", ", ".join(f"{k} {v}" for k, v in changed.items()))

    async def draft(self, plan: Plan) -> MemoryDraft:
        """
        Begin to plan a campaign; what a dead planner left of an earlier try is dropped.
        """
        found = self._campaigns.get(plan.campaign)
        if found is not None:
            if found.state is not None:
                raise InputError(f"campaign {plan.campaign!r} is planned already")
            found.check_free()
            del self._campaigns[plan.campaign]
        if plan.follows is not None:
            self._published(plan.follows.campaign)
        campaign = StoredCampaign(plan, clock.random_hex(8))
        campaign.groups.append(PlannedGroup(number=0, message=plan.message))
        self._campaigns[plan.campaign] = campaign
        return MemoryDraft(self._campaigns, campaign)

    async def join(
        self,
        campaign: str,
        load: Callable[[str], VoiceMessage],
        *,
        cancelled: bool = False,
        process_is_gone: bool = False,
    ) -> MemoryWorker:
        """
        Become the worker of *campaign*.
        """
        found = self._published(campaign)
        is_cancelled = found.state is CampaignState.CANCELLED
        if is_cancelled and not cancelled:
            raise InputError(
                f"campaign {campaign!r} was cancelled; plan those who are left under "
                "another name"
            )
        found.check_free()
        found.worker, found.heard_at = clock.random_hex(8), clock.monotonic()
        found.command = found.throughput = found.waiting = None
        worker = MemoryWorker(self._campaigns, found, found.worker, self._listing)
        if not is_cancelled:
            found.state, found.reason = CampaignState.RUNNING, None
            groups = groups_of(found.groups, load)
            for row in found.rows:
                row.known.batch.group = groups[row.group.number]
            worker.recover(process_is_gone=process_is_gone)
        found.note("joined")
        return worker

    async def steer(
        self,
        campaign: str,
        *,
        command: Command | None = None,
        rate: float | None = None,
    ) -> None:
        """
        Tell the worker of *campaign* what is wanted of it.
        """
        found = self._published(campaign)
        found.command = command or found.command
        if rate is not None:
            found.plan = attrs.evolve(found.plan, rate=rate)
        told = {"command": command, "rate": rate}
        found.note("told", ", ".join(f"{k} {v}" for k, v in told.items() if v))

    async def set_windows(
        self, campaign: str, windows: Windows | None, *, any_hour: str | None = None
    ) -> None:
        """
        Change when the people of *campaign* may be called, which each claim looks at.
        """
        found = self._published(campaign)
        check_zoned(campaign, found.groups)
        found.plan = attrs.evolve(found.plan, windows=windows, any_hour=any_hour)
        for row in found.rows:
            row.due_at = None
        found.note("told", said_of(windows, any_hour))

    async def history(self, campaign: str) -> list[HistoryEntry]:
        """
        What was done to *campaign*, the oldest first.
        """
        return list(self._published(campaign).history)

    async def minutes(self, campaign: str) -> list[Minute]:
        """
        How *campaign* went in each minute in which a worker was at work.
        """
        return minutes_of(self._published(campaign))

    async def timeline(self, campaign: str) -> Timeline:
        """
        What happened when in *campaign*.
        """
        return timeline_of(self._published(campaign))

    async def pending_by_zones(self, campaign: str) -> dict[tuple[str, ...], int]:
        """
        How many of *campaign* are pending, by the time zones in which they may live.
        """
        return self._published(campaign).pending_by_zones()

    async def reasons(self, campaign: str) -> Counter[Verdict]:
        """
        How many recipients of *campaign* have which verdict.
        """
        return reasons_of(self._published(campaign))

    async def snapshot(self, campaign: str) -> Snapshot:
        """
        How *campaign* stands, all of it at one moment.
        """
        found = self._published(campaign)
        return Snapshot(
            status=found.status(),
            timeline=timeline_of(found),
            reasons=reasons_of(found),
            unknown=unknown_in(found),
            receipts=self._receipts.counts(),
            history=list(found.history),
        )

    async def lookup(self, value: str) -> list[Lookup]:
        """
        What is known of *value*.
        """
        return [
            lookup_of(campaign, row, recipient)
            for campaign in self._campaigns.values()
            if campaign.state
            for row in campaign.rows
            for recipient, result in enumerate(row.shown)
            if value in (result.recipient, result.correlation_id)
        ]

    async def results(
        self, campaign: str, outcomes: Collection[Outcome]
    ) -> AsyncIterator[BatchResult]:
        """
        The batches of *campaign* in which someone has one of *outcomes*.
        """
        found = self._campaigns.get(campaign)
        for row in found.rows if found is not None and found.state else ():
            if any(row.shown.counts()[outcome] for outcome in outcomes):
                yield row.shown

    async def calls(self, batch: BatchId) -> Mapping[int, Call]:
        """
        What receipts say of the calls of *batch*, by recipient, counted from 0 in it.
        """
        seats = self._receipts.batch(batch)
        if seats is None:
            return {}
        return {recipient: each.shown for recipient, each in seats.key.calls.items()}

    async def unknown(self, campaign: str) -> list[UnknownBatch]:
        """
        The batches of *campaign* whose recipients are unknown and not given up.
        """
        return unknown_in(self._published(campaign))

    async def now(self) -> float:
        """
        Seconds since 1970.
        """
        return clock.now()

    async def called(
        self, since: float, *, besides: Collection[str] = ()
    ) -> AsyncIterator[CalledBatch]:
        """
        Who was claimed *since* that moment, and is accepted, unknown or in flight.
        """
        for campaign in list(self._campaigns.values()):
            if campaign.state is None or campaign.plan.campaign in besides:
                continue
            for each in called_in(campaign.rows):
                if each.at >= since:
                    yield each

    async def some_called(
        self, campaign: str, *, people: int, batches: int
    ) -> AsyncIterator[CalledBatch]:
        """
        Who was called in some of the batches of *campaign*, spread evenly over it.
        """
        rows = self._published(campaign).rows
        claimed = [row.known.batch for row in rows if row.claimed_at is not None]
        size = sum(batch.size for batch in claimed)
        step = max(1, -(-len(claimed) // batches), -(-size // people))
        for each in called_in(rows[::step]):
            yield each

    async def silent(
        self, campaign: str, *, claimed_before: float, asked_before: float
    ) -> AsyncIterator[Silent]:
        """
        The batches of *campaign* in which someone is silent, in order.
        """
        found = self._campaigns.get(campaign)
        rows = found.rows if found is not None and found.state else ()
        for each in polling.silent(rows, claimed_before, asked_before):
            yield each

    async def note_asked(self, batch: BatchId, places: Collection[int] | None) -> None:
        """
        Note that calls of *batch* were asked about.
        """
        seats = self._receipts.batch(batch)
        if seats is not None:
            polling.note_asked(seats.key, places)

    async def receive(
        self, receipts: Sequence[Receipt], *, refused: int = 0
    ) -> Received:
        """
        Keep *receipts*, and apply what they say to the calls that it is about.
        """
        return self._receipts.receive(receipts, refused)

    async def whose(self, reports: Sequence[Report]) -> list[Lookup | None]:
        """
        Whom the names in each of *reports* stand for, where they tell.
        """
        found = [whose(report, self._receipts) for report in reports]
        return [
            None
            if each is None
            else lookup_of(self._campaign_of(each[0]), each[0], each[1].recipient)
            for each in found
        ]

    def _campaign_of(self, row: Row) -> StoredCampaign:
        (found,) = (each for each in self._campaigns.values() if row in each.rows)
        return found

    async def note(self, campaign: str, event: str, detail: str) -> None:
        """
        Write into the history of *campaign* what was done to it from elsewhere.
        """
        self._published(campaign).note(event, detail)

    async def place_again(self) -> Received:
        """
        Try again to find whose the receipts are that belong to no known call.
        """
        return self._receipts.place_again()

    async def forget_bodies(self, before: float) -> int:
        """
        Delete the bodies that came *before* that moment; gives how many.
        """
        return self._receipts.forget_bodies(before)

    async def receipt_counts(self) -> ReceiptCounts:
        """
        What was received, and what is kept aside.
        """
        return self._receipts.counts()

    async def heard_for(self, campaign: str, seconds: int) -> int:
        """
        How many calls of *campaign* were heard for at least so many *seconds*.
        """
        heard = [
            call.call.heard
            for row in self._published(campaign).rows
            for call in row.calls.values()
        ]
        return sum(each is not None and each >= seconds for each in heard)

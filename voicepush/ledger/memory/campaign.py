"""
What is kept of one campaign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import attrs

from voicepush import clock
from voicepush.errors import CampaignHeldError
from voicepush.ledger import decisions
from voicepush.ledger.plan import Command, Fingerprint, Plan, PlannedGroup
from voicepush.ledger.reader import CalledBatch
from voicepush.model.batch import BatchId, Group
from voicepush.model.call import Call, Calls, CallState, Receipt
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import (
    CampaignState,
    CampaignStatus,
    HistoryEntry,
    Lookup,
    Progress,
    UnknownBatch,
    Waiting,
)

#: A worker that gave no sign for so long is taken for dead, in seconds.
SILENT_FOR = 15.0


@attrs.define(eq=False)
class HeardOf:
    """
    A call of which receipts have come.
    """

    call: Call
    #: When it was last brought further.
    received_at: float
    receipts: list[Receipt] = attrs.field(factory=list)
    transaction_ids: set[str] = attrs.field(factory=set)
    #: The platform's names for it in attempts that expired before it was offered.
    expired_as: Sequence[str] = ()
    #: Whether it was asked if its person is due again because of these.
    looked_at: bool = False

    @property
    def shown(self) -> Call:
        """
        What is known of it, and since when.
        """
        return attrs.evolve(
            self.call,
            received_at=self.received_at,
            transaction_id=min(self.transaction_ids, default=""),
        )


#: What is known of a call of which nothing was heard.
NOTHING = Call(state=CallState.ON_ITS_WAY, rank=-1, was_offered=False)


@attrs.frozen
class Asked:
    """
    When it was last asked what became of calls of a batch.
    """

    at: float
    #: About which of them lately; None for all that were silent.
    places: frozenset[int] | None


def _note_times(row: Row, _: object, known: BatchResult) -> BatchResult:
    """
    Note when recipients of *row* got the outcomes that are *known* of them now.
    """
    before, now = row.known.counts(), int(clock.now())
    claimed_at = now if row.claimed_at is None else int(row.claimed_at)
    after = known.counts()
    for outcome in before.keys() | after.keys():
        if outcome not in (Outcome.PENDING, Outcome.SUPPRESSED):
            at = claimed_at if outcome is Outcome.UNKNOWN else now
            times = row.times.setdefault(at, Counter())
            times[outcome] += after[outcome] - before[outcome]
    return known


@attrs.define(eq=False)
class Row:
    """
    A batch and what is known of it.
    """

    known: BatchResult = attrs.field(on_setattr=_note_times)
    in_flight: frozenset[int] = frozenset()
    given_up: frozenset[int] = frozenset()
    due_at: float | None = None
    #: When windows close, where its last request expires because of that.
    closes_at: float | None = None
    claimed_at: float | None = None
    #: The token of the worker with which the batch is under way.
    claimed_by: str | None = None
    #: Who claimed some of it last.
    latest: str | None = None
    recorded_at: float | None = None
    #: By the tokens of workers that fell silent, whom they had under way.
    lost: dict[str, frozenset[int]] = attrs.field(factory=dict)
    #: Whether a late record or a receipt was added to it, of which its worker may not
    #: know.
    late: bool = False
    #: By second since 1970, by how many each outcome has changed.
    times: dict[int, Counter[Outcome]] = attrs.field(factory=dict)
    #: By recipient, counted from 0.
    calls: dict[int, HeardOf] = attrs.field(factory=dict)
    asked: Asked | None = None
    #: Of how many calls it is known only because the platform was asked.
    told: int = 0

    @property
    def id(self) -> BatchId:
        """
        Of its batch.
        """
        return self.known.batch.id

    @property
    def is_ready(self) -> bool:
        """
        Whether someone is pending, and the batch is not under way.
        """
        return self.claimed_by is None and bool(self.known.places(Outcome.PENDING))

    @property
    def shown(self) -> BatchResult:
        """
        What is known, as an owner sees it.
        """
        return decisions.shown(self.known, self.in_flight)

    @property
    def group(self) -> Group:
        """
        What its people have in common.
        """
        return self.known.batch.group

    def weigh(self, places: Collection[int]) -> int:
        """
        How many recipients stand at *places*.
        """
        return self.known.batch.weigh(sorted(places))

    def called(self) -> list[str]:
        """
        Those who were called, or may have been, and whose call has not expired before
        it was offered.
        """
        result, recipients = self.shown, self.known.batch.recipients
        return [
            recipients.values[recipient]
            for recipient, place in enumerate(recipients.places_of_values())
            if decisions.was_called(result.at(place))
            and (
                recipient not in self.calls
                or self.calls[recipient].call.state is not CallState.EXPIRED
            )
        ]

    def close(self, closes_at: float | None) -> None:
        """
        A request of it expires then, if that is because windows close. Who was called
        before, by one that did not expire so, is not due again because of this one.
        """
        counts = self.known.counts()
        is_first = not (counts[Outcome.ACCEPTED] or counts[Outcome.UNKNOWN])
        if is_first or None not in (self.closes_at, closes_at):
            self.closes_at = closes_at

    def lose(self) -> None:
        """
        Remember who has someone under way, for the day on which they are resolved.
        """
        if self.claimed_by is not None:
            before = self.lost.get(self.claimed_by, frozenset())
            self.lost[self.claimed_by] = before | self.in_flight

    def prove(self, places: Sequence[int]) -> None:
        """
        Receipts show that the API has taken those at *places*.
        """
        unproven = decisions.unproven(self.known, places)
        if unproven:
            self.known = decisions.proven(self.known, unproven)
            self.in_flight = self.in_flight.difference(unproven)
            left = decisions.still_given_up(self.known, self.given_up)
            self.given_up, self.late = frozenset(left), True

    def record(self, known: BatchResult) -> None:
        """
        Note what is *known* now; nobody is under way.
        """
        self.known, self.in_flight, self.claimed_by = known, frozenset(), None
        if not known.places(Outcome.PENDING):
            self.due_at = None
        self.recorded_at = clock.now()


@attrs.define(eq=False)
class StoredCampaign:
    """
    Everything about one campaign.
    """

    plan: Plan
    worker: str | None
    heard_at: float = attrs.field(factory=clock.monotonic)
    #: None while it is a draft.
    state: CampaignState | None = None
    reason: str | None = None
    command: Command | None = None
    counts: Mapping[str, int] = attrs.field(factory=dict)
    fingerprint: Fingerprint | None = None
    throughput: float | None = None
    waiting: Waiting | None = None
    held_until: float | None = None
    groups: list[PlannedGroup] = attrs.field(factory=list)
    rows: list[Row] = attrs.field(factory=list)
    history: list[HistoryEntry] = attrs.field(factory=list)
    #: By its number since 1970.
    minutes: dict[int, Progress] = attrs.field(factory=dict)
    #: The tokens of the workers that have claimed someone and not left: one that fell
    #: silent may still send them.
    at_work: set[str] = attrs.field(factory=set)

    def note(self, event: str, detail: str | None = None) -> None:
        """
        Write down that something was done now.
        """
        entry = HistoryEntry(clock.utc_now(), "this process", event, detail)
        self.history.append(entry)

    @property
    def is_held(self) -> bool:
        """
        Whether a worker gave a sign lately.
        """
        if self.worker is None:
            return False
        return 0 <= clock.monotonic() - self.heard_at <= SILENT_FOR

    def check_free(self) -> None:
        """
        Refuse a campaign that has a worker.
        """
        if self.is_held:
            raise CampaignHeldError(self.plan.campaign, "another worker here")

    def status(self) -> CampaignStatus:
        """
        Where it stands.
        """
        found: Counter[str] = Counter()
        for row in self.rows:
            counted = row.known.counts()
            under_way = row.weigh(row.in_flight)
            counted[Outcome.PENDING] -= under_way
            found["in_flight"] += under_way
            found["given_up"] += row.weigh(row.given_up)
            found.update({outcome.value: n for outcome, n in counted.items()})
        state, reason = self.state or CampaignState.PLANNED, self.reason
        if state is CampaignState.RUNNING and not self.is_held:
            state, reason = CampaignState.PAUSED, "its worker is gone; resume goes on"
        calls = Counter(
            call.call.state for row in self.rows for call in row.calls.values()
        )
        runs = state is CampaignState.RUNNING
        waiting = self.waiting if runs else None
        expires = self.plan.expires_at
        return CampaignStatus(
            campaign=self.plan.campaign,
            state=state,
            reason=reason,
            planned=sum(row.known.batch.size for row in self.rows)
            - found["suppressed"],
            pending=found["pending"],
            in_flight=found["in_flight"],
            accepted=found["accepted"],
            rejected=found["rejected"],
            expired=found["expired"],
            not_sent=found["not_sent"],
            unknown=found["unknown"],
            given_up=found["given_up"],
            read=self.counts.get("read", 0),
            invalid=self.counts.get("invalid", 0),
            duplicate=self.counts.get("duplicate", 0),
            suppressed=self.counts.get("suppressed", 0) + found["suppressed"],
            expiry=clock.moment(expires),
            rate=self.plan.rate,
            throughput=self.throughput if runs else None,
            waiting=waiting and waiting.reason,
            waiting_since=waiting and waiting.since,
            workers=int(runs),
            calls=Calls.of(calls, found["accepted"]) if calls else None,
            asked=sum(row.told for row in self.rows),
            follows=self.plan.follows.campaign if self.plan.follows else None,
        )


def lookup_of(campaign: StoredCampaign, row: Row, recipient: int) -> Lookup:
    """
    What *row* says of a recipient, counted from 0.
    """
    result = list(row.shown)[recipient]
    place = row.known.batch.recipients.places_of_values()[recipient]
    call = row.calls.get(recipient)
    if call is not None and result.transaction_id is None:
        told = call.shown.transaction_id or None
        result = result._replace(transaction_id=told)
    return Lookup(
        campaign=campaign.plan.campaign,
        result=result,
        in_flight=place in row.in_flight,
        given_up=place in row.given_up,
        batch=str(row.id),
        attempts=row.known.attempts,
        claimed=clock.moment(row.claimed_at),
        recorded=clock.moment(row.recorded_at),
        follows=campaign.plan.follows.campaign if campaign.plan.follows else None,
        kept=row.known.batch.recipients.kept_at(place),
        call=None if call is None else call.shown,
        receipts=() if call is None else tuple(each.body for each in call.receipts),
    )


def unknown_batch_of(row: Row, places: Sequence[int]) -> UnknownBatch:
    """
    The unknown at *places*, with what speaks for either side.
    """
    verdicts = Counter(row.known.at(place) for place in places)
    heard = [
        call.received_at for call in row.calls.values() if call.call is not NOTHING
    ]
    return UnknownBatch(
        batch=str(row.id),
        unknown=row.weigh(places),
        accepted=row.known.counts()[Outcome.ACCEPTED],
        size=row.known.batch.size,
        claimed=clock.moment(row.claimed_at),
        reasons=tuple(
            " ".join(filter(None, (verdict.code, verdict.description)))
            for verdict, _ in verdicts.most_common()
        ),
        receipts=len(heard),
        last_receipt=clock.moment(max(heard, default=None)),
    )


def unknown_in(campaign: StoredCampaign) -> list[UnknownBatch]:
    """
    The batches of *campaign* whose recipients are unknown and not given up.
    """
    return [
        unknown_batch_of(row, places)
        for row in campaign.rows
        if (places := decisions.unresolved(row.known, row.given_up))
    ]


def called_in(rows: Iterable[Row]) -> Iterator[CalledBatch]:
    """
    Who in *rows* was claimed, and is accepted, unknown or in flight.
    """
    for row in rows:
        values = row.called()
        if row.claimed_at is not None and values:
            kind = row.known.batch.recipients.kind
            yield CalledBatch(row.claimed_at, kind, values)

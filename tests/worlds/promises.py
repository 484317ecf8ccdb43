"""
What must hold in every world at every moment, by what the world itself knows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, NoReturn

import attrs
from setups import Fault, Setup
from simulated_loop import Process
from simulated_service import Request, Service

from voicepush.model.outcome import Outcome
from voicepush.model.status import CampaignState, CampaignStatus

_CALLED = (Outcome.ACCEPTED, Outcome.UNKNOWN)


class Seen(NamedTuple):
    """
    What the ledger says of someone.
    """

    outcome: Outcome
    is_in_flight: bool


@attrs.define(eq=False)
class Claim:
    """
    Someone was claimed by a process, which may send them once.
    """

    process: Process
    is_used: bool = False


@attrs.define(eq=False)
class Promises:
    """
    Looks at all that happens, and fails when something does that must not.

    Args:
        wall: Seconds since 1970.
        tell: Takes a line of the world's story.
        fail: Ends it, since a promise is broken.
    """

    setup: Setup
    wall: Callable[[], float]
    tell: Callable[[str], None]
    fail: Callable[[str], NoReturn]
    service: Service = attrs.field(init=False)
    #: Everyone who was planned.
    everyone: set[str] = attrs.field(init=False, factory=set)
    expires_at: float | None = attrs.field(init=False, default=None)
    starts_at: float | None = attrs.field(init=False, default=None)
    #: When nobody may be called, in minutes since midnight.
    gap: tuple[int, int] | None = attrs.field(init=False, default=None)
    #: Whether the clock on the wall was set; a dispatcher goes by when it began.
    clock_was_set: bool = attrs.field(init=False, default=False)
    #: Of whom a receipt is in the ledger.
    proven: set[str] = attrs.field(init=False, factory=set)
    suppressed: set[str] = attrs.field(init=False, factory=set)
    #: Whom their owner wants to be called again, although they may have been called.
    resent: set[str] = attrs.field(init=False, factory=set)
    #: By person, everyone who ever claimed them.
    claims: defaultdict[str, list[Claim]] = attrs.field(
        init=False, factory=lambda: defaultdict(list)
    )

    #: By person, everyone who ever asked to claim them, and may not have been told.
    asked: defaultdict[str, list[Process]] = attrs.field(
        init=False, factory=lambda: defaultdict(list)
    )

    def claimed(self, process: Process, values: Sequence[str]) -> None:
        """
        It is durable that *values* are about to be sent by *process*.
        """
        for value in values:
            self.claims[value].append(Claim(process))
        if process.is_troubled and self.setup.ledger != "memory":
            return  # it may have been told long after
        now = self.wall()
        has_started = self.clock_was_set or now >= (self.starts_at or now)
        if not has_started:
            self.fail("someone was claimed before the start")
        if self.gap is not None and self.gap[0] <= now % 86400 // 60 < self.gap[1]:
            self.fail("someone was claimed outside of their window")
        for value in values:
            if value in self.proven:
                self.fail(f"{value} was claimed, and a receipt has proven them")
            if value in self.suppressed:
                self.fail(f"{value} was claimed, and must not be called")

    def request_left(self, request: Request) -> None:
        """
        A request has left; everyone in it must have been claimed for it, and only it.
        """
        people = " ".join(request.values)
        fault = "" if request.fault is None else f": {request.fault}"
        number = request.process.number
        self.tell(f"process {number} sends request {request.number} {people}{fault}")
        for value in request.values:
            claims = [
                each for each in self.claims[value] if each.process is request.process
            ]
            if not claims or claims[-1].is_used:
                self.fail(f"{value} was sent, and not claimed before")
            claims[-1].is_used = True
        late = self.wall() - (self.expires_at or self.wall())
        is_excused = request.process.is_troubled or self.clock_was_set
        if late > 0.01 and not is_excused:
            self.fail(f"a request left {late:.3f} s after the expiry")

    def rings(self, request: Request, value: str) -> None:
        """
        *value* is rung; nobody is rung twice.
        """
        *earlier, _ = self.service.rang[value]
        self.tell(f"request {request.number} rings {value}")
        if earlier and not self._may_ring_again(request, earlier[-1], value):
            self.fail(f"{value} was rung twice")

    def _may_ring_again(self, request: Request, last: Request, value: str) -> bool:
        """
        Whether an owner has chosen the risk, and there was a doubt.
        """
        if last.fault is Fault.RANG_7006 and self.setup.retry_internal_error:
            return True
        if not (self.setup.resend_unknown or value in self.resent):
            return False
        if last.is_in_doubt(value) or last.process.is_dead:
            return True
        # Whoever was stopped, and is there yet, may still be heard of.
        is_same = last.process is request.process
        return last.process.is_troubled and (is_same or last.process.has_ended)

    def check(self, seen: Mapping[str, Seen], status: CampaignStatus) -> None:
        """
        Hold the ledger against what the world knows.
        """
        self._check_sums(status)
        if lost := self.everyone - seen.keys():
            self.fail(f"{' '.join(sorted(lost))} are lost")
        for value, (outcome, is_in_flight) in seen.items():
            self._check_one(value, outcome, is_in_flight=is_in_flight)
        if status.state is CampaignState.FINISHED:
            if status.pending or status.in_flight or status.not_sent:
                self.fail("it is finished, and someone is left")
        elif status.state is CampaignState.PAUSED and not status.reason:
            self.fail("it is paused without a reason")

    def _check_sums(self, status: CampaignStatus) -> None:
        known = status.pending + status.in_flight + status.accepted + status.rejected
        known += status.expired + status.not_sent + status.unknown
        if status.planned != known:
            self.fail(f"{status.planned} are planned, {known} are known")
        read = status.planned + status.invalid + status.duplicate + status.suppressed
        if status.read != read or read != sum(map(len, self.setup.people)):
            self.fail(f"{status.read} were read, {read} are known")

    def _check_one(self, value: str, outcome: Outcome, *, is_in_flight: bool) -> None:
        rang = self.service.rang[value]
        if outcome not in _CALLED and not self._are_excused(rang, value):
            self.fail(f"{value} was rung, and is said to be {outcome}")
        if outcome is Outcome.ACCEPTED and not rang:
            self.fail(f"{value} is said to be accepted, and was never rung")
        if value in self.proven and outcome is not Outcome.ACCEPTED:
            self.fail(f"{value} has a receipt, and is said to be {outcome}")
        is_unknown = outcome is Outcome.UNKNOWN and not is_in_flight
        if is_unknown and not self._is_in_doubt(value):
            self.fail(f"{value} is said to be unknown, and why?")

    def _are_excused(self, rang: Iterable[Request], value: str) -> bool:
        """
        Whether it is right not to know of any of these calls of *value*.
        """
        resends = self.setup.resend_unknown or value in self.resent
        return all(
            (each.fault is Fault.RANG_7006 and self.setup.retry_internal_error)
            or (resends and (each.is_in_doubt(value) or each.process.is_troubled))
            for each in rang
        )

    def _is_in_doubt(self, value: str) -> bool:
        return (
            any(each.is_in_doubt(value) for each in self.service.named[value])
            or any(
                each.process.is_troubled
                or (each.process.has_doubtful_connections and not each.is_used)
                for each in self.claims[value]
            )
            or any(each.is_troubled for each in self.asked[value])
        )

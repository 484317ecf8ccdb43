"""
Makes a ledger as it is after a busy hour, in seconds: a campaign with faults and
receipts that was paused and went on faster, a second round, and one that is planned.

The ledger and its rules are the real ones, and so are the words and codes of the
platform; only time is moved, and chance comes out the same.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from unittest.mock import patch

import attrs
from harmless import HOSTILE

from voicepush import Campaign, VoiceMessage, clock, open_ledger
from voicepush.campaign.following import FollowUp
from voicepush.cli.demo import _made_up_numbers
from voicepush.ledger.plan import Command
from voicepush.ledger.protocol import Due, Ledger, Worker
from voicepush.model.batch import Batch
from voicepush.model.call import CallState, Receipt, Report
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.status import CampaignState, Progress, Waiting
from voicepush.receipts.call_state import EVENTS, call_of
from voicepush.screening.screening import Screening
from voicepush.screening.suppression import Suppressed
from voicepush.sending.request import load_message
from voicepush.sources.files import read_file

#: In the morning of most of North America.
BEGAN = datetime(2025, 6, 16, 15, 0, tzinfo=UTC)

#: What happens on the phones, with weights: each code with the seconds from the event
#: before it, at least and at most.
_STORIES: list[tuple[int, list[tuple[str, float, float]]]] = [
    (52, [("7408", 1, 3), ("7519", 4, 20), ("7405", 12, 30)]),
    (12, [("7408", 1, 3), ("7519", 4, 20), ("7410", 1, 9), ("7405", 0, 0)]),
    (16, [("7408", 1, 3), ("7401", 25, 45)]),
    (10, [("7408", 1, 3), ("7402", 1, 4)]),
    (4, [("7408", 1, 3), ("7519", 4, 20), ("7411", 9, 20), ("7412", 20, 200)]),
    (3, [("7408", 1, 3), ("7409", 5, 30)]),
    (1, [("7005", 600, 900)]),
    (2, []),
]

_ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")

_NOT_ALLOWED = Verdict(Outcome.REJECTED, "7102", "Destination address not allowed")

_LOST = Verdict(
    Outcome.UNKNOWN, None, "the service closed the connection without an answer"
)

_REMINDER = VoiceMessage(media="reminder", cli="18005550100", expiry=timedelta(hours=6))

#: The batch whose answer is lost first; so it goes with every 32nd after it.
_FIRST_LOST = 7

#: From a request to its answer, and from one heartbeat to the next, in seconds.
_LATENCY, _HEARTBEAT = 0.4, 10.0


async def make(
    path: Path,
    *,
    recipients: int = 2000,
    rate: float = 4.0,
    size: int = 50,
    began: datetime = BEGAN,
) -> None:
    """
    Make the ledger at *path*, with so many people on its list.

    Args:
        rate: At which they are called, in destinations per second.
        size: Of their batches.
    """
    file = _listed(path.with_name("june.csv"), recipients)
    async with open_ledger(path) as ledger:
        hour = _Hour(ledger, began.timestamp())
        with patch("voicepush.clock.now", hour.now):
            await hour.plan(file, size)
            first = await hour.dispatch("june", rate, until=0.4)
            await ledger.steer("june", command=Command.PAUSE)
            await first.leave(CampaignState.PAUSED, "paused by its owner")
            await hour.pass_by(240)
            await ledger.change("june", rate=1.5 * rate)
            second = await hour.dispatch("june", 1.5 * rate, limit=1.3 * rate)
            await second.leave(CampaignState.FINISHED)
            await hour.pass_by(1200)
            await hour.plan_second()
            third = await hour.dispatch("june-2", 1.2 * rate)
            await third.leave(CampaignState.FINISHED)
            await hour.pass_by(1200)
            await hour.plan_third()


@asynccontextmanager
async def going_on(
    path: Path, *, recipients: int, rate: float, size: int = 50
) -> AsyncIterator[None]:
    """
    A campaign in the ledger at *path* that is in its middle now.
    """
    file = _listed(path.with_name("july.csv"), recipients)
    async with open_ledger(path) as ledger:
        hour = _Hour(ledger, clock.now() - 0.7 * recipients / rate)
        with patch("voicepush.clock.now", hour.now):
            await hour.plan(file, size)
            worker = await hour.dispatch("july", rate, limit=0.9 * rate, until=0.55)
        async with _alive(worker, rate):
            yield
        await worker.leave(CampaignState.PAUSED, "paused by its owner")


@asynccontextmanager
async def hostile(path: Path) -> AsyncIterator[None]:
    """
    Make the ledger at *path* with a campaign in whose every text stands `HOSTILE`; it
    is running, and waits.
    """
    async with open_ledger(path) as ledger:
        message = VoiceMessage(media=HOSTILE, expiry=timedelta(hours=6))
        people = [f"+999{number:09}" for number in range(4)]
        await Campaign.plan(
            *(ledger, HOSTILE, message, people),
            source=HOSTILE,
            given={"suppress": HOSTILE},
        )
        worker = await ledger.join(HOSTILE, load_message)
        dues = await worker.due(1)
        assert isinstance(dues, Sequence)
        batch = dues[0].known.batch
        claimed = await worker.claim(batch, range(len(batch)))
        assert isinstance(claimed, Claimed)
        verdicts = [
            _ACCEPTED,
            Verdict(Outcome.ACCEPTED, HOSTILE, HOSTILE),
            Verdict(Outcome.REJECTED, HOSTILE, HOSTILE),
            Verdict(Outcome.UNKNOWN, None, HOSTILE),
        ]
        result = BatchResult.of_places(batch, verdicts, [HOSTILE] * 4, attempts=1)
        await worker.record(claimed, result)
        for place, code in enumerate(["7401", HOSTILE]):
            report = Report(
                call=call_of(code, HOSTILE, HOSTILE, clock.now()),
                correlation_id=batch.id.id_at(place),
            )
            receipt = Receipt(body=b"{}", received_at=clock.now(), reports=[report])
            await ledger.receive([receipt])
        await ledger.note(HOSTILE, HOSTILE, HOSTILE)
        waiting = Waiting(HOSTILE, clock.utc_now())
        await worker.heartbeat(1.0, progress=Progress(4, 1, 1.0))
        async with _alive(worker, 1.0, waiting):
            yield
        await worker.leave(CampaignState.PAUSED, HOSTILE)


@asynccontextmanager
async def _alive(
    worker: Worker, throughput: float, waiting: Waiting | None = None
) -> AsyncIterator[None]:
    """
    Show that *worker* is, as a dispatcher does.
    """
    await worker.heartbeat(throughput, waiting=waiting)

    async def beat() -> None:
        while True:
            await asyncio.sleep(1)
            await worker.heartbeat(throughput, waiting=waiting)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        await asyncio.wait([beating])


def _listed(file: Path, number: int) -> Path:
    file.write_text("\n".join(_rows(number)), encoding="utf-8")
    return file


def _rows(number: int) -> Iterator[str]:
    """
    A list as it is in life: *number* people, some twice, and rows that are nobody.
    """
    yield "name,msisdn"
    for place, msisdn in enumerate(islice(_made_up_numbers(), number)):
        yield f"person {place},{msisdn}"
        if place % 60 == 0:
            yield f"person {place} again,{msisdn}"
        if place % 85 == 0:
            yield f"nobody {place},555-01"


@attrs.define(eq=False)
class _Hour:
    """
    What happens in it, step by step.
    """

    ledger: Ledger
    at: float
    #: It comes out the same each time.
    chance: random.Random = attrs.field(
        init=False,
        factory=lambda: random.Random(6),  # noqa: S311 -- chance, not secrecy
    )
    #: Receipts that are under way, by when they come.
    _coming: list[tuple[float, int, Receipt]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=count)

    def now(self) -> float:
        """
        The moment, in seconds since 1970.
        """
        return self.at

    async def plan(self, file: Path, size: int) -> None:
        """
        A list from a file, of whom some must not be called.
        """
        suppressed = islice(_made_up_numbers(), 0, None, 45)
        await Campaign.plan(
            self.ledger,
            file.stem,
            _REMINDER,
            read_file(file),
            source=file.name,
            screening=Screening(
                country="US", suppressed=Suppressed(islice(suppressed, 200))
            ),
            batch_size=size,
            given={"expiry": "6h", "country": "US", "suppress": "opt-outs.csv"},
        )

    async def plan_second(self) -> None:
        """
        Those who were not reached.
        """
        people = FollowUp(
            self.ledger,
            "june",
            states=[CallState.NOT_REACHED],
            after=timedelta(minutes=10),
            rounds=None,
        )
        await Campaign.plan(
            self.ledger,
            "june-2",
            _REMINDER,
            people,
            source=people.source,
            batch_size=50,
        )

    async def plan_third(self) -> None:
        """
        A list that nobody was called of yet.
        """
        people = [f"+999{number:09}" for number in range(500)]
        message = VoiceMessage(media="survey", expiry=timedelta(hours=6))
        await Campaign.plan(self.ledger, "survey", message, people)

    async def dispatch(
        self,
        campaign: str,
        rate: float,
        *,
        limit: float | None = None,
        until: float = 1.0,
    ) -> Worker:
        """
        Call those who are pending at *rate*, until such a share of all is done.

        Args:
            limit: What the service takes; it refuses now and then where it is lower.
        """
        worker = await self.ledger.join(campaign, load_message)
        pace, told = rate, self.at
        done = throttled = 0
        while True:
            dues = await worker.due(1)
            status = await self.ledger.status(campaign)
            assert status is not None
            if not isinstance(dues, Sequence) or status.done >= until * status.planned:
                break
            if limit is not None and pace > limit and self.chance.random() < 0.2:
                pace, throttled = 0.85 * pace, throttled + self.chance.randint(1, 4)
            done += await self._send(worker, dues[0])
            await self.pass_by(dues[0].known.batch.size / pace - _LATENCY)
            pace = min(rate, 1.02 * pace)
            if self.at - told >= _HEARTBEAT:
                progress = Progress(done, throttled, round(pace, 1))
                await worker.heartbeat(done / (self.at - told), progress=progress)
                told, done, throttled = self.at, 0, 0
        await worker.heartbeat(pace, progress=Progress(done, throttled, pace))
        return worker

    async def pass_by(self, seconds: float) -> None:
        """
        Let so many *seconds* pass, and receipts come in, some at a time.
        """
        until = self.at + seconds
        while self.at < until:
            self.at = min(until, self.at + _HEARTBEAT)
            due: list[Receipt] = []
            while self._coming and self._coming[0][0] <= self.at:
                due.append(heapq.heappop(self._coming)[2])
            if due:
                await self.ledger.receive(due)

    async def _send(self, worker: Worker, due: Due) -> int:
        batch = due.known.batch
        claimed = await worker.claim(batch, range(len(batch)))
        assert isinstance(claimed, Claimed)
        await self.pass_by(_LATENCY)
        result = self._answer(batch)
        await worker.record(claimed, result)
        # The platform has taken half of the requests whose answers are lost.
        if result.verdict is not _LOST or batch.id.number % 64 == _FIRST_LOST:
            for place in range(len(batch)):
                if result.at(place) is not _NOT_ALLOWED:
                    self._ring(batch, place)
        return batch.size

    def _answer(self, batch: Batch) -> BatchResult:
        everyone, size = range(len(batch)), len(batch)
        if batch.id.number % 32 == _FIRST_LOST:
            verdicts = [_LOST for _ in everyone]
        else:
            verdicts = self.chance.choices([_ACCEPTED, _NOT_ALLOWED], [99, 1], k=size)
        ids = [f"t-{batch.id.id_at(place)}" for place in everyone]
        return BatchResult.of_places(batch, verdicts, ids, attempts=1)

    def _ring(self, batch: Batch, place: int) -> None:
        weights = [weight for weight, _ in _STORIES]
        [(_, story)] = self.chance.choices(_STORIES, weights)
        # It waits in the platform's queue for its turn.
        moment = self.at + self.chance.expovariate(1 / 12)
        for code, least, most in [("7407", 0, 0), *story]:
            moment += self.chance.uniform(least, most)
            self._report(batch, place, code, moment)

    def _report(self, batch: Batch, place: int, code: str, moment: float) -> None:
        event = EVENTS[code]
        report = Report(
            call=call_of(code, event.status, event.says.capitalize(), moment),
            correlation_id=batch.id.id_at(place),
            callback_data=str(batch.id),
            transaction_id=f"t-{batch.id.id_at(place)}",
            recipient=batch.recipients.values[place],
        )
        came = moment + self.chance.uniform(0.1, 2)
        receipt = Receipt(body=b"{}", received_at=came, reports=[report])
        heapq.heappush(self._coming, (came, next(self._numbers), receipt))

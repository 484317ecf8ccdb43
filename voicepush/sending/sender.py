"""
One batch -> one result: slots, pace and transport.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from voicepush import clock
from voicepush.errors import (
    LedgerError,
)
from voicepush.logs import log_event
from voicepush.model.claim import Claim, Claimed, NotBefore, Refused
from voicepush.model.events import Observers, PaceChanged
from voicepush.model.outcome import BatchResult, Verdict
from voicepush.model.status import Waiting
from voicepush.sending.answer import ResponseItem
from voicepush.sending.attempt import Posted, Rest, by_item
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery, Left, Turn
from voicepush.sending.journal import Journal, StopSignal, told
from voicepush.sending.load import Load
from voicepush.sending.pacing import Pacing
from voicepush.sending.posting import Poster
from voicepush.sending.request import encode
from voicepush.sending.retrying import until_done
from voicepush.sending.sizes import Sizes
from voicepush.sending.slots import Slots
from voicepush.sending.telling import attempt_made, batch_recorded
from voicepush.sending.trouble import Trouble, asks_to_wait
from voicepush.settings import Settings

if TYPE_CHECKING:
    from voicepush.sending.transport import Transport


#: Who waits for a window is given again after so many seconds, if that is open then.
_NOT_AT_ONCE = 1.0


class Sender:
    """
    Sends batches through one transport, so many at once and so fast.

    Args:
        now: The time in seconds since 1970; the default is never set back.
        observers: Hear what happens here and elsewhere.
        load: Counts what is on its way here and elsewhere.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        pacer: Pacing,
        *,
        now: Callable[[], float] | None = None,
        observers: Observers | None = None,
        load: Load | None = None,
    ) -> None:
        self.settings = settings
        self.pacer = pacer
        self._transport = transport
        self._now = now or clock.never_set_back()
        self._slots = Slots(settings.concurrency)
        self._sizes = Sizes(
            settings.batch_size, settings.body_limit, lambda: pacer.most
        )
        #: What is on its way.
        self.load = load or Load()
        self._trouble = Trouble(self._now, self.load)
        self._poster = Poster(settings, transport, self._trouble, self._now)
        #: Hear what happens.
        self.observers = observers or Observers()
        if observers is None:
            self.observers.add(log_event)

    def beside(self, pacer: Pacing) -> Sender:
        """
        Another one with slots of its own, so that what waits in one holds up no other.
        """
        return Sender(
            self.settings,
            self._transport,
            pacer,
            now=self._now,
            observers=self.observers,
            load=self.load,
        )

    @property
    def base_url(self) -> str:
        """
        The address of the service.
        """
        return self.settings.base_url

    @property
    def waiting(self) -> Waiting | None:
        """
        Why nothing goes on at present, where nothing does.
        """
        return self._trouble.waiting

    async def send(
        self,
        due: BatchResult,
        journal: Journal,
        *,
        urgent: bool = False,
        callers: Sequence[Context] = (),
    ) -> BatchResult:
        """
        Send what is pending of *due* until each destination has its outcome.

        Failed deliveries are results, too. Raises only what *journal* raises, and our
        own mistakes.

        Args:
            urgent: Whether its requests go before those that wait already.
            callers: The contexts of those who wait for it, where it is theirs together.
        """
        delivery = Delivery(due, journal.policy, self.settings.patience, self._now)
        delivery.is_urgent = urgent
        with self._trouble.batch():
            await self._until_done(delivery, journal)
            result = await self._finished(delivery, journal)
        seconds = self._now() - delivery.began
        event = batch_recorded(delivery, due, result, seconds=seconds, callers=callers)
        self.observers.tell(event)
        return result

    async def _until_done(self, delivery: Delivery, journal: Journal) -> None:
        left = await self._round(delivery, journal)
        if left.again:
            await until_done(
                lambda: self._round(delivery, journal),
                left,
                give_up_at=lambda: delivery.give_up_at,
                first_wait=self.settings.first_wait,
                now=self._now,
                sleep=partial(self._sit_out, delivery, journal),
            )

    async def _sit_out(
        self, delivery: Delivery, journal: Journal, seconds: float
    ) -> None:
        """
        Wait until the next attempt, or leave that to whoever is free then.
        """
        longest = journal.longest_wait
        # Without an expiry its patience would begin anew each time.
        if longest is None or seconds <= longest or not delivery.has_expiry:
            await journal.stop.wait(seconds)
            return
        moment = self._now() + seconds
        await told(journal, delivery, due_at=moment)
        delivery.refusal = f"it has to wait until {clock.local_time(moment)}"

    async def _finished(self, delivery: Delivery, journal: Journal) -> BatchResult:
        """
        Give those who are still pending an outcome.
        """
        if not delivery.pending():
            return delivery.recorded or await told(journal, delivery)
        if delivery.waits_for_window and not _is_over(delivery, journal):
            await self._wait_for_window(delivery, journal)
        reason = delivery.refusal or (journal.stop.is_set and journal.stop.reason)
        if reason:
            # In the journal they stay pending: they were never claimed, or refused.
            delivery.stay(reason)
            return delivery.result()
        delivery.give_up()
        return await told(journal, delivery)

    async def _round(self, delivery: Delivery, journal: Journal) -> Left:
        """
        Send all that is pending once, in as many requests as the limits ask for.
        """
        retry_after: float | None = None
        stack = [delivery.pending()]
        while stack and not _is_over(delivery, journal) and not delivery.is_closed:
            rest = await self._attempt(delivery, journal, stack.pop())
            stack.extend(reversed(rest.places))
            if rest.wait is not None:
                retry_after = max(retry_after or 0.0, rest.wait)
        is_over = _is_over(delivery, journal) or delivery.is_closed
        again = not is_over and bool(delivery.pending())
        return Left(again, retry_after)

    async def _attempt(
        self, delivery: Delivery, journal: Journal, places: Sequence[int]
    ) -> Rest:
        """
        Send *places* in one request, or say in which parts they are to be sent.
        """
        if not places:
            return Rest()
        if pieces := self._sizes.cut(delivery.batch, places):
            return Rest(pieces)
        if not await self._may_be_called(delivery, journal, places):
            return Rest()
        closes = delivery.closes
        request_id = delivery.request_id()
        body = self._body(delivery, places, request_id)
        if self._sizes.is_too_large(len(body), len(places)):
            return Rest(delivery.halve(places, _TOO_LARGE_HERE))
        delivery.wait_begins()
        async with self._slots.one(urgent=delivery.is_urgent):
            claim = await self._claim(delivery, journal, places)
            if not isinstance(claim, Claimed):
                return Rest([places] if claim is Turn.CUT_AGAIN else [])
            if claim.left_out or delivery.closes != closes:
                delivery.leave_out(claim.left_out)
                places = claim.places
                body = self._body(delivery, places, request_id)
            posted = await self._poster.post(
                delivery, places, body, request_id, journal.stop
            )
        return await self._noted(delivery, journal, claim, places, posted)

    def _body(
        self, delivery: Delivery, places: Sequence[int], request_id: str | None
    ) -> bytes:
        return encode(
            delivery.batch,
            places,
            request_id=request_id,
            expiry=delivery.expiry,
            prompt_field=self.settings.prompt_field,
        )

    async def _may_be_called(
        self, delivery: Delivery, journal: Journal, places: Sequence[int]
    ) -> bool:
        """
        Whether the time is right, as far as is known here; who waits is told so.
        """
        if delivery.has_expired:
            delivery.expire(places)
            await told(journal, delivery)
            return False
        span = journal.span(delivery.batch)
        if span.is_open:
            delivery.closes = span.until
        else:
            await self._wait_for_window(delivery, journal)
        return span.is_open

    async def _noted(
        self,
        delivery: Delivery,
        journal: Journal,
        claimed: Claimed,
        places: Sequence[int],
        posted: Posted,
    ) -> Rest:
        """
        Record what an answer said of *places*; what it left to be sent yet.
        """
        rest: list[Sequence[int]] = []
        verdicts: dict[Verdict, int] = {}
        answer = posted.answer
        items = by_item(answer.items, places)
        for item, where in items:
            if item.meaning is Meaning.TOO_LARGE:
                rest += delivery.halve(where, item)
                weight = delivery.batch.weigh(where)
                self._sizes.found_too_large(item.code, weight, posted.size)
            else:
                delivery.note(item, where)
            verdict = delivery.at(where[0])
            weight = delivery.batch.weigh(where)
            verdicts[verdict] = verdicts.get(verdict, 0) + weight
        if posted.status is not None and not rest:
            self._sizes.took(delivery.batch.weigh(places), posted.size)
        if delivery.stop_reason is not None:
            journal.stop.set(delivery.stop_reason)
        delivery.note_transactions(answer, places)
        await told(journal, delivery, claimed)
        # After the record: whatever happens here, nobody gets lost.
        made = attempt_made(delivery, posted, items, verdicts)
        if made.is_throttled:
            # Whoever shares the rate is told as well.
            await self.pacer.slow_down(posted.asked, sent_at=delivery.passed_at)
            pace = PaceChanged(rate=self.pacer.rate, held_until=self.pacer.held_until)
            self.observers.tell(pace)
        self._trouble.note(answer.items, self.pacer.held_until)
        self.observers.tell(made)
        return Rest(rest, posted.asked if made.is_throttled else None)

    async def _claim(
        self, delivery: Delivery, journal: Journal, places: Sequence[int]
    ) -> Claim | Turn:
        """
        Pace, then claim. What has expired by then is recorded so.
        """
        turn = await self._turn(delivery, journal.stop, places)
        if turn is Turn.CLOSED:
            await self._wait_for_window(delivery, journal)
        elif turn is Turn.EXPIRED:
            delivery.expire(places)
            await told(journal, delivery)
        elif turn is Turn.TOO_LONG:
            journal.stop.set(
                f"{asks_to_wait(self.pacer.held_until)}, which is longer than "
                "--patience; resume goes on after that"
            )
        if turn is not Turn.GO:
            return turn
        claim = await journal.claim(delivery.batch, places)
        if isinstance(claim, Claimed) and claim.until is not None:
            # The ledger knows windows that were changed a moment ago.
            delivery.closes = min(delivery.closes, claim.until)
        if isinstance(claim, Refused):
            delivery.refusal = claim.reason
        elif isinstance(claim, NotBefore):
            # No slot is held meanwhile; the ledger gives the batch again.
            # Of windows the ledger may know by then that they were changed.
            soon = self._now() + _NOT_AT_ONCE
            later = soon if claim.is_closed else claim.moment
            await told(journal, delivery, due_at=later)
            delivery.refusal = claim.reason
        elif delivery.is_over() and delivery.ends_with_window and claim.places:
            delivery.leave_out(claim.left_out)
            await self._wait_for_window(delivery, journal, claim)
            return Turn.CLOSED
        elif delivery.is_over() or not claim.places:
            # What is claimed is sent, whatever else happened, unless it is too late.
            delivery.leave_out(claim.left_out)
            delivery.expire(claim.places)
            await told(journal, delivery, claim)
            return Turn.EXPIRED
        return claim

    async def _turn(
        self, delivery: Delivery, stop: StopSignal, places: Sequence[int]
    ) -> Turn:
        def fits() -> bool:
            return self._sizes.fits(delivery.batch, places)

        def seconds_left() -> float:
            return delivery.seconds_left() if fits() and not stop.is_set else 0.0

        if not fits():
            return Turn.CUT_AGAIN  # others have learned meanwhile
        try:
            paced = await self.pacer.take(
                delivery.batch.weigh(places),
                within=seconds_left,
                held_within=lambda: (
                    inf if delivery.has_expiry else self.settings.patience
                ),
                urgent=delivery.is_urgent,
            )
        except LedgerError as error:
            # Without the answer of whoever shares out the rate, nothing is sent.
            stop.set(str(error))
            paced = False
        delivery.passed_at = self.pacer.now()
        delivery.wait_ends()
        held = self.pacer.held_until is not None
        turn = delivery.turn(paced=paced, fits=fits(), stopped=stop.is_set, held=held)
        if turn is Turn.GO and not delivery.is_dialled(places, self.pacer.rate):
            return Turn.CLOSED
        return turn

    async def _wait_for_window(
        self,
        delivery: Delivery,
        journal: Journal,
        claimed: Claimed | None = None,
    ) -> None:
        """
        Give the batch back until its window opens; no slot is held meanwhile.

        When that is, whoever gives it again knows: it may be changed by then.
        """
        # Not at once: their clock may be behind.
        later = self._now() + _NOT_AT_ONCE
        if delivery.closes < inf:
            later = max(later, delivery.closes)
        await told(journal, delivery, claimed, due_at=later)
        delivery.refusal = "its window is closed; it is called when that opens"


def _is_over(delivery: Delivery, journal: Journal) -> bool:
    return journal.stop.is_set or delivery.refusal is not None


_TOO_LARGE_HERE = ResponseItem(
    Meaning.TOO_LARGE, None, "larger than the limit for one request, even alone"
)

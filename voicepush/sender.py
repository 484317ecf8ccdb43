"""
One batch -> one BatchResult, and many of them by workers who share one iterator.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from math import inf
from typing import NamedTuple, overload

from voicepush.batching import request_id_of
from voicepush.codes import Meaning
from voicepush.errors import (
    ClientClosedError,
    InDoubtError,
    NotSentError,
    UnreachableError,
)
from voicepush.model import (
    Batch,
    BatchResult,
    Outcome,
    Verdict,
    Waiting,
    mask_numbers,
)
from voicepush.pacing import Pacer
from voicepush.retrying import until_done
from voicepush.settings import Settings
from voicepush.transport import Transport
from voicepush.wire import Answer, Remark, decode, encode

_log = logging.getLogger(__name__)

#: The outcomes that need nothing but to be written down.
_OUTCOMES = {
    Meaning.ACCEPTED: Outcome.ACCEPTED,
    Meaning.REJECTED: Outcome.REJECTED,
    Meaning.EXPIRED: Outcome.EXPIRED,
    Meaning.IN_DOUBT: Outcome.UNKNOWN,
    Meaning.STOP: Outcome.NOT_SENT,
    Meaning.UNREACHED: Outcome.PENDING,
    Meaning.INTERNAL: Outcome.PENDING,
    Meaning.THROTTLED: Outcome.PENDING,
    Meaning.TOO_LARGE: Outcome.PENDING,
}

_EXPIRED = "the expiry passed before it was sent"


class Fence:
    """
    What every request passes before its first byte leaves, and what hears how it ended.

    This one remembers nothing and lets everything pass until it is closed; a ledger's
    makes each passage durable.
    """

    def __init__(
        self, *, retry_internal_error: bool = True, resend_unknown: bool = False
    ) -> None:
        #: Why nothing else may pass, once it is closed.
        self.reason: str | None = None
        #: Whether code 7006 is tried again.
        self.retry_internal_error = retry_internal_error
        #: Whether what is in doubt is tried again, at the risk of a second call.
        self.resend_unknown = resend_unknown
        self._closing = asyncio.Event()

    @property
    def closed(self) -> bool:
        """
        Whether nothing else may pass.
        """
        return self._closing.is_set()

    def close(self, reason: str) -> None:
        """
        Let nothing else pass; the first *reason* is kept.
        """
        self.reason = self.reason or reason
        self._closing.set()

    async def claim(self, batch: Batch, places: Sequence[int]) -> bool:  # noqa: ARG002
        """
        Whether the destinations of *batch* at *places* may be sent now, by us.
        """
        return not self.closed

    async def settle(self, result: BatchResult) -> None:
        """
        Take note of what is known of a batch by now; some of it may be pending.
        """

    async def wait(self, seconds: float | None = None) -> None:
        """
        Wait until it is closed, but no longer than *seconds*.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)


def _make_clock() -> Callable[[], float]:
    """
    The clock on the wall, but never set back: that would put off every expiry.
    """
    wall, started = time.time(), time.monotonic()
    return lambda: max(time.time(), wall + time.monotonic() - started)


class Sender:
    """
    Sends batches through one transport, so many at once and so fast.

    Args:
        now: The time in seconds since 1970; the default is never set back.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        pacer: Pacer,
        *,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings
        self.pacer = pacer
        self._transport = transport
        self._now = now or _make_clock()
        self._slots = asyncio.Semaphore(settings.concurrency)
        #: How many batches are on their way.
        self._unfinished = 0
        #: What went wrong since a request last brought someone further.
        self._trouble: Waiting | None = None
        #: When the requests under way had begun.
        self._begun: dict[int, float] = {}
        self._numbers = count()
        self._answered_at = -inf

    @property
    def waiting(self) -> Waiting | None:
        """
        Why nothing goes on at present, where nothing does.
        """
        if self._trouble is not None:
            lasted = self._now() - self._trouble.since.timestamp()
            return self._trouble if lasted >= _PASSES_SOON else None
        if not self._begun:
            return None
        since = max(next(iter(self._begun.values())), self._answered_at)
        if self._now() - since < _SILENCE:
            return None
        words = f"the service has not answered {len(self._begun):,} requests yet"
        return Waiting(words, _moment(since))

    async def send(self, due: BatchResult, fence: Fence) -> BatchResult:
        """
        Send what is pending of *due* until each destination has its outcome.

        Failed deliveries are results, too. Raises only what *fence* raises, and our
        own mistakes.
        """
        delivery = _Delivery(due, fence, self.settings, self._now)
        self._unfinished += 1
        try:
            return await self._until_done(delivery)
        finally:
            self._unfinished -= 1
            if not self._unfinished:
                self._trouble = None

    async def _until_done(self, delivery: _Delivery) -> BatchResult:
        left = await self._round(delivery)
        if left.again:
            left = await until_done(
                lambda: self._round(delivery),
                left,
                give_up_at=lambda: delivery.give_up_at,
                first_wait=self.settings.first_wait,
                now=self._now,
                sleep=delivery.fence.wait,
            )
        return await delivery.finish()

    async def send_all(
        self,
        due: AsyncIterator[BatchResult],
        fence: Fence,
        deliver: Callable[[BatchResult], Awaitable[None]],
    ) -> None:
        """
        Send everything that *due* yields, and *deliver* each result when it is there.

        The workers share the iterator: each takes the next batch when it is free, and
        nothing is read further ahead than that. There are more of them than requests
        under way, so that the next bodies are ready when an answer comes, and a batch
        that waits for its next attempt does not hold up the others.

        Raises:
            Exception: The first that *due*, *fence* or *deliver* raised, after
                everything under way has been settled.
        """
        shared = _Shared(due)
        errors: list[Exception] = []
        idle = 2 * self.settings.concurrency + 8

        async def work() -> None:
            nonlocal idle
            try:
                async for batch in shared:
                    if idle:
                        # Each worker that finds something to do brings in the next.
                        idle -= 1
                        workers.create_task(work())
                    await deliver(await self.send(batch, fence))
                    if errors:
                        break
            except Exception as error:  # noqa: BLE001 -- raised below
                errors.append(error)
                fence.close(mask_numbers(str(error)))

        async with asyncio.TaskGroup() as workers:
            idle -= 1
            await work()
        if errors:
            raise errors[0]

    async def _round(self, delivery: _Delivery) -> _Left:
        """
        Send all that is pending once, in as many requests as the limits ask for.
        """
        retry_after: float | None = None
        stack = [delivery.pending()]
        while stack and not delivery.fence.closed:
            places = stack.pop()
            if not places:
                continue
            if pieces := self._cut(delivery, places):
                stack.extend(reversed(pieces))
                continue
            request_id = request_id_of(delivery.batch)
            body = encode(delivery.batch, places, request_id=request_id)
            if len(body) > self.settings.body_limit:
                stack.extend(reversed(delivery.halve(places, _TOO_LARGE_HERE)))
                continue
            waits_since = self._now()
            async with self._slots:
                goes = await self._may_go(delivery, places, waits_since)
                if not goes:
                    if goes is None:
                        stack.append(places)  # to be cut again
                    continue
                answer, asked = await self._post(delivery, places, body, request_id)
            for remark, where in _by_remark(answer.remarks, places):
                if remark.meaning is Meaning.TOO_LARGE:
                    stack.extend(reversed(delivery.halve(where, remark)))
                else:
                    delivery.note(remark, where)
            delivery.note_transactions(answer, places)
            await delivery.settle()
            throttled = any(
                each.meaning is Meaning.THROTTLED for each in answer.remarks
            )
            if throttled:
                # After the settlement: whatever happens here, nobody gets lost.
                self.pacer.slow_down(asked, sent_at=delivery.passed_at)
                retry_after = max(retry_after or 0.0, asked or 0.0) or None
            self._note_trouble(answer.remarks)
        again = not delivery.fence.closed and bool(delivery.pending())
        return _Left(again, retry_after)

    def _cut(
        self, delivery: _Delivery, places: Sequence[int]
    ) -> list[Sequence[int]] | None:
        """
        *places* in pieces of the size that the present rate allows, if they need it.
        """
        most = min(self.settings.batch_size, self.pacer.most)
        if delivery.batch.weigh(places) <= most or len(places) == 1:
            return None
        # Counting entries is enough where each holds one value; otherwise halves are
        # cut until they fit.
        step = most if delivery.batch.plain else len(places) // 2
        return [places[at : at + step] for at in range(0, len(places), step)]

    async def _may_go(
        self, delivery: _Delivery, places: Sequence[int], waits_since: float
    ) -> bool | None:
        """
        Pace, then claim. What has expired by then is told so.

        Returns:
            Whether they may; None if the rate has fallen meanwhile, so that no tenant's
            second has room for so many at once.
        """
        fence = delivery.fence

        def seconds_left() -> float:
            too_large = self._cut(delivery, places) is not None
            return 0.0 if fence.closed or too_large else delivery.seconds_left()

        paced = await self.pacer.take(
            delivery.batch.weigh(places),
            within=seconds_left,
            held_within=lambda: self.settings.patience,
        )
        delivery.passed_at = self.pacer.now()
        # Waiting for its turn is no trouble of the service's.
        delivery.be_patient(self._now() - waits_since)
        if fence.closed:
            return False
        if not paced and not delivery.is_over() and self._cut(delivery, places):
            return None
        if not paced and delivery.seconds_left() == inf:
            fence.close(
                f"the service asks to wait until {_clock_time(self.pacer.held_until)}, "
                "which is longer than --patience; resume goes on after that"
            )
            return False
        if paced and not delivery.is_over():
            if not await fence.claim(delivery.batch, places):
                return False
            # What is claimed is sent, whatever else happened, unless it is too late.
            if not delivery.is_over():
                return True
        await delivery.expire(places)
        return False

    async def _post(
        self,
        delivery: _Delivery,
        places: Sequence[int],
        body: bytes,
        request_id: str | None,
    ) -> tuple[Answer, float | None]:
        """
        One attempt, and how long the service asked to wait before the next.
        """
        # What answers an earlier attempt has the same ids, so it must not come over
        # the same connection.
        fresh = delivery.attempts > 0
        delivery.attempts += 1
        key, many = delivery.batch.key, len(places)
        number = next(self._numbers)
        self._begun[number] = self._now()
        try:
            async with await self._transport.connection(fresh=fresh) as connection:
                reply = await connection.post(
                    body,
                    timeout=self.settings.answer_timeout,
                    # Never 0, which would mean for ever.
                    connect_timeout=max(
                        min(self.settings.connect_timeout, delivery.seconds_left()),
                        0.001,
                    ),
                )
                asked = reply.retry_after
                answer = decode(
                    reply.status,
                    reply.body,
                    delivery.ids(places),
                    request_id=request_id,
                    asks_to_wait=asked is not None,
                    fresh=connection.is_fresh,
                    secret=self.settings.service_key,
                )
                connection.proven = answer.proven
        except ClientClosedError as error:
            delivery.fence.close(str(error))
            return Answer([Remark(Meaning.UNREACHED, None, str(error))]), None
        except UnreachableError as error:
            _log.info("batch %s: %d not sent: %s", key, many, error)
            return Answer([delivery.unreachable(str(error))]), None
        except NotSentError as error:
            _log.info("batch %s: %d not sent: %s", key, many, error)
            return Answer([Remark(Meaning.UNREACHED, None, str(error))]), None
        except InDoubtError as error:
            _log.warning("batch %s: %d in doubt: %s", key, many, error)
            return Answer([Remark(Meaning.IN_DOUBT, None, str(error))]), None
        finally:
            del self._begun[number]
        self._answered_at = self._now()
        _log.debug("batch %s: %d answered with HTTP %d", key, many, reply.status)
        return answer, asked

    def _note_trouble(self, remarks: Sequence[Remark]) -> None:
        """
        Remember since when, and why, no request has brought anyone further.
        """
        last = remarks[0]
        if any(each.meaning not in _BRINGS_NO_ONE_FURTHER for each in remarks):
            self._trouble = None
            return
        words = _TROUBLES[last.meaning]
        held = self.pacer.held_until
        if held is not None:
            words = f"the service asks to wait until {_clock_time(held)}"
        said = " ".join(filter(None, (last.code, last.description)))
        since = self._trouble.since if self._trouble else _moment(self._now())
        self._trouble = Waiting(f"{words} ({said})" if said else words, since)


#: What has lasted no longer than this is not worth telling, in seconds.
_PASSES_SOON = 1.0

#: A service that has not answered for so long is said to be silent, in seconds.
_SILENCE = 5.0

_TROUBLES = {
    Meaning.THROTTLED: "the service refuses for speed",
    Meaning.INTERNAL: "the service has an error of its own",
    Meaning.UNREACHED: "the service can't be reached",
}
_BRINGS_NO_ONE_FURTHER = frozenset(_TROUBLES)

#: So many times a batch meets a name that does not exist, or a certificate that is not
#: trusted, before everything is stopped.
_UNREACHABLE_TRIES = 4


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clock_time(seconds: float | None) -> str:
    if seconds is None:
        return "later"
    return f"{_moment(seconds).astimezone():%Y-%m-%d %H:%M:%S %z}"


_TOO_LARGE_HERE = Remark(
    Meaning.TOO_LARGE, None, "larger than the limit for one request, even alone"
)


class _Left(NamedTuple):
    """
    What an attempt left, as `retrying.Attempt` wants to know it.
    """

    again: bool
    retry_after: float | None


class _Delivery:
    """
    One batch on its way: what is known of it so far, and until when it may be sent.
    """

    def __init__(
        self,
        due: BatchResult,
        fence: Fence,
        settings: Settings,
        now: Callable[[], float],
    ) -> None:
        self.batch = due.batch
        self.fence = fence
        self.attempts = due.attempts
        self._now = now
        self._deadline = due.batch.message.deadline
        self._patience = settings.patience
        self.give_up_at = self._deadline or now() + settings.patience
        #: When the pacer let the latest request pass, on its clock.
        self.passed_at = 0.0
        self._rule = due.verdict
        self._exceptions = dict(due.exceptions)
        self._transactions = due.transaction_ids
        self._stop_reason: str | None = None
        self._unreachable = 0
        #: What the fence was told, if nothing was decided since.
        self._told: BatchResult | None = None

    def pending(self) -> Sequence[int]:
        """
        The places that have no outcome yet.
        """
        if not self._exceptions:
            is_pending = self._rule.outcome is Outcome.PENDING
            return range(len(self.batch)) if is_pending else ()
        return self._result().places(Outcome.PENDING)

    def ids(self, places: Sequence[int]) -> Sequence[str]:
        """
        The correlation ids at *places*, made when an answer has to be matched by them.
        """
        return _Ids(self.batch, places)

    def unreachable(self, words: str) -> Remark:
        """
        What to make of it that no request can reach the service, as *words* say.

        A name may be found again in a moment; but when some tries have failed, a
        million people need not be tried one after the other.
        """
        self._unreachable += 1
        stops = self._unreachable >= _UNREACHABLE_TRIES
        return Remark(Meaning.STOP if stops else Meaning.UNREACHED, None, words)

    def seconds_left(self) -> float:
        """
        How long it may still be sent.
        """
        return inf if self._deadline is None else self._deadline - self._now()

    def be_patient(self, seconds: float) -> None:
        """
        Try so many *seconds* longer, if there is no expiry.
        """
        if self._deadline is None:
            self.give_up_at += seconds

    def is_over(self) -> bool:
        """
        Whether the expiry has come.
        """
        return self.seconds_left() <= 0

    def halve(self, places: Sequence[int], remark: Remark) -> list[Sequence[int]]:
        """
        *places* as two halves; a single one that is too large is refused for good.
        """
        if len(places) == 1:
            refused = Verdict(Outcome.REJECTED, remark.code, remark.description)
            self._decide(places, refused)
            return []
        middle = len(places) // 2
        return [places[:middle], places[middle:]]

    def note(self, remark: Remark, places: Sequence[int]) -> None:
        """
        Take note of what an answer said of *places*.
        """
        outcome = _OUTCOMES[remark.meaning]
        if remark.meaning is Meaning.INTERNAL and not self.fence.retry_internal_error:
            # Whoever turned retrying off suspects that the calls may have been placed.
            outcome = Outcome.UNKNOWN
        if outcome is Outcome.UNKNOWN and self.fence.resend_unknown:
            outcome = Outcome.PENDING
        if remark.meaning is Meaning.STOP:
            self._stop_reason = " ".join(
                filter(None, (remark.code, remark.description))
            )
            self.fence.close(self._stop_reason)
        if self._deadline is None and outcome is not Outcome.PENDING:
            # Someone was brought further, so trying goes on.
            self.give_up_at = self._now() + self._patience
        self._decide(places, Verdict(outcome, remark.code, remark.description))

    def note_transactions(self, answer: Answer, places: Sequence[int]) -> None:
        """
        Keep the transaction ids of an answer that spoke of *places*.
        """
        theirs = answer.transaction_ids
        if not any(theirs):
            return
        if len(places) == len(self.batch):
            self._transactions = theirs
            return
        known = list(self._transactions)
        if len(known) < len(self.batch):
            known = [""] * len(self.batch)
        for at, place in enumerate(places):
            known[place] = theirs[at if len(theirs) > 1 else 0]
        self._transactions = known

    async def settle(self) -> BatchResult:
        """
        Tell the fence what is known by now, which it has to hear after each claim.
        """
        result = self._result()
        await self.fence.settle(result)
        self._told = result
        return result

    async def expire(self, places: Sequence[int]) -> None:
        """
        The expiry came before *places* were sent.
        """
        self._decide(places, Verdict(Outcome.EXPIRED, None, _EXPIRED))
        await self.settle()

    async def finish(self) -> BatchResult:
        """
        Give what is still pending its outcome, and the batch its result.
        """
        if not self.pending():
            return await self.settle() if self._told is None else self._told
        if self.fence.closed:
            # For the fence it stays pending: it was never claimed, or refused.
            self._end_pending(Outcome.NOT_SENT, self.fence.reason or "stopped")
            return self._result()
        if self._deadline is not None:
            self._end_pending(Outcome.EXPIRED, _EXPIRED)
        else:
            self._end_pending(Outcome.NOT_SENT, "tried until the patience ran out")
        return await self.settle()

    def _end_pending(self, outcome: Outcome, why: str) -> None:
        def ended(verdict: Verdict) -> Verdict:
            if verdict.outcome is not Outcome.PENDING:
                return verdict
            last = " ".join(filter(None, (verdict.code, verdict.description)))
            words = f"{why}; last: {last}" if last else why
            return Verdict(outcome, verdict.code, words)

        self._told = None
        self._rule = ended(self._rule)
        self._exceptions = {
            place: ended(verdict) for place, verdict in self._exceptions.items()
        }

    def _decide(self, places: Sequence[int], verdict: Verdict) -> None:
        self._told = None
        if len(places) == len(self.batch):
            self._rule = verdict
            self._exceptions.clear()
        else:
            self._exceptions.update(dict.fromkeys(places, verdict))

    def _result(self) -> BatchResult:
        if len(self._exceptions) > len(self.batch) // 2:
            return BatchResult.of_places(
                self.batch,
                [
                    self._exceptions.get(place, self._rule)
                    for place in range(len(self.batch))
                ],
                self._transactions,
                attempts=self.attempts,
                stop_reason=self._stop_reason,
            )
        return BatchResult(
            self.batch,
            self._rule,
            dict(self._exceptions),
            tuple(self._transactions),
            self.attempts,
            self._stop_reason,
        )


def _by_remark(
    remarks: Sequence[Remark], places: Sequence[int]
) -> list[tuple[Remark, Sequence[int]]]:
    """
    The *remarks* of an answer, each with the places that it speaks of.
    """
    if len(remarks) == 1:
        return [(remarks[0], places)]
    found: dict[Remark, list[int]] = {}
    for place, remark in zip(places, remarks, strict=True):
        found.setdefault(remark, []).append(place)
    return list(found.items())


class _Ids(Sequence[str]):
    """
    The correlation ids of *batch* at *places*; most answers are read without them.
    """

    def __init__(self, batch: Batch, places: Sequence[int]) -> None:
        self.batch = batch
        self.places = places

    def __iter__(self) -> Iterator[str]:
        ids = self.batch.correlation_ids
        if len(self.places) == len(ids):
            return iter(ids)
        return map(ids.__getitem__, self.places)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...

    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        ids, places = self.batch.correlation_ids, self.places[at]
        if isinstance(places, int):
            return ids[places]
        return [ids[place] for place in places]


class _Shared:
    """
    An async iterator that several tasks may read from, one after the other.

    Each batch is handed out in a turn of its own of the event loop, so that a request
    that is ready leaves before the next one is made, and when many answers come at
    once, everyone else in the process need not wait for as many batches.
    """

    def __init__(self, source: AsyncIterator[BatchResult]) -> None:
        self._source = source
        self._turn = asyncio.Lock()
        self._begun = False

    def __aiter__(self) -> AsyncIterator[BatchResult]:
        return self

    async def __anext__(self) -> BatchResult:
        async with self._turn:
            if self._begun:
                await asyncio.sleep(0)
            self._begun = True
            return await anext(self._source)

"""
One batch -> one result: slots, pace and transport.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from math import inf

from voicepush import clock
from voicepush.errors import (
    ClientClosedError,
    InDoubtError,
    NotSentError,
    UnreachableError,
)
from voicepush.model.outcome import BatchResult
from voicepush.model.status import Waiting
from voicepush.sending.answer import Answer, Remark, decode
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery, Left, by_remark
from voicepush.sending.journal import Fence
from voicepush.sending.pacing import Pacer
from voicepush.sending.request import encode
from voicepush.sending.retrying import until_done
from voicepush.sending.transport import Transport
from voicepush.settings import Settings

_log = logging.getLogger(__name__)


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
        self._now = now or clock.never_set_back()
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
        delivery = Delivery(due, fence, self.settings, self._now)
        self._unfinished += 1
        try:
            return await self._until_done(delivery)
        finally:
            self._unfinished -= 1
            if not self._unfinished:
                self._trouble = None

    async def _until_done(self, delivery: Delivery) -> BatchResult:
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

    async def _round(self, delivery: Delivery) -> Left:
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
            request_id = delivery.request_id()
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
            for remark, where in by_remark(answer.remarks, places):
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
        return Left(again, retry_after)

    def _cut(
        self, delivery: Delivery, places: Sequence[int]
    ) -> list[Sequence[int]] | None:
        """
        *places* in pieces of the size that the present rate allows, if they need it.
        """
        most = min(self.settings.batch_size, self.pacer.most)
        if delivery.batch.weigh(places) <= most or len(places) == 1:
            return None
        # Counting entries is enough where each holds one value; otherwise halves are
        # cut until they fit.
        is_even = delivery.batch.recipients.widths is None
        step = most if is_even else len(places) // 2
        return [places[at : at + step] for at in range(0, len(places), step)]

    async def _may_go(
        self, delivery: Delivery, places: Sequence[int], waits_since: float
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
        delivery: Delivery,
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
        key, many = delivery.batch.id, len(places)
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


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clock_time(seconds: float | None) -> str:
    if seconds is None:
        return "later"
    return f"{_moment(seconds).astimezone():%Y-%m-%d %H:%M:%S %z}"


_TOO_LARGE_HERE = Remark(
    Meaning.TOO_LARGE, None, "larger than the limit for one request, even alone"
)

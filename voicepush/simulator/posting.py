"""The platform's receipts on their way: posted when due, and again if not taken."""

import asyncio
import heapq
import itertools
from collections.abc import Iterable, Iterator
from http import HTTPStatus

import aiohttp
import attrs

from voicepush.simulator.calls import Call
from voicepush.simulator.counts import Counts
from voicepush.simulator.fates import DELIVERED, Fate
from voicepush.simulator.loopback import open_session
from voicepush.simulator.options import ReceiptOptions
from voicepush.simulator.receipts import headers_of, write_receipt

#: How often a receipt that was not taken is tried again.
_MOST_RETRIES = 3

#: The statuses after which the platform does not try again, besides 200.
_FINAL = frozenset(
    map(
        str,
        (
            *range(202, 209),
            226,
            *range(300, 400),
            400,
            402,
            *range(404, 412),
            *range(414, 417),
            418,
            505,
        ),
    )
)


@attrs.define(eq=False)
class _Post:
    """
    A receipt on its way.
    """

    call: Call
    place: int
    fate: Fate
    tries: int = 0


@attrs.define(eq=False)
class Poster:
    """
    Posts a receipt for each event of the calls that are reported.

    Each call waits in one heap for its next event, beside the receipts that come late
    or once more. Workers take from it what is due; an alarm wakes the first of them,
    and each calls another while more is due.
    """

    _options: ReceiptOptions
    counts: Counts = attrs.field(init=False, factory=Counts)
    _heap: list[tuple[float, int, Call | _Post]] = attrs.field(init=False, factory=list)
    #: Of what is due at the same time the first that came goes first.
    _numbers: Iterator[int] = attrs.field(init=False, factory=itertools.count)
    _workers: set[asyncio.Task[None]] = attrs.field(init=False, factory=set)
    _alarm: asyncio.TimerHandle | None = attrs.field(init=False, default=None)
    _alarm_due: float = attrs.field(init=False, default=0.0)
    _session: aiohttp.ClientSession | None = attrs.field(init=False, default=None)
    #: Set when nothing is pending, and at the end; None unless started.
    _settled: asyncio.Event | None = attrs.field(init=False, default=None)

    def start(self) -> None:
        """
        Begin, or go on with what was pending at the last end.
        """
        self._settled = asyncio.Event()
        self._look()

    async def stop(self) -> None:
        """
        Stop at once; what is pending stays so. Does nothing if already stopped.
        """
        settled, self._settled = self._settled, None
        if settled is not None:
            settled.set()
        self._silence()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            # The loop closes the sockets in its next round.
            await asyncio.sleep(0)

    async def done(self) -> None:
        """
        Wait until nothing is pending, or until the end.
        """
        while self._settled is not None and self.counts.pending:
            self._settled.clear()
            await self._settled.wait()

    def report(self, calls: Iterable[Call]) -> None:
        """
        Post the receipts of *calls* as their events happen.
        """
        for call in calls:
            doubles = sum(
                fate.again is not None and not fate.lost for fate in call.fates.values()
            )
            self.counts.made += len(call.events) + doubles
            self._push(call.due(0), call)
        self._look()

    def _push(self, due: float, what: Call | _Post) -> None:
        heapq.heappush(self._heap, (due, next(self._numbers), what))

    def _look(self) -> None:
        """
        Call a worker if something is due; else set the alarm.
        """
        if self._settled is None or not self._heap:
            return
        due = self._heap[0][0]
        wait = due - self._options.clock.monotonic()
        if wait <= 0:
            if len(self._workers) < self._options.most_posts:
                self._workers.add(asyncio.create_task(self._work()))
        elif self._alarm is None or due < self._alarm_due:
            self._silence()
            self._alarm = asyncio.get_running_loop().call_later(wait, self._wake)
            self._alarm_due = due

    def _wake(self) -> None:
        self._alarm = None
        self._look()

    def _silence(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def _work(self) -> None:
        try:
            while (post := self._take()) is not None:
                self._look()
                await self._deliver(post)
        finally:
            # Here, not when the task is told to have ended: who looks in between must
            # see that this one takes nothing more.
            self._workers -= {asyncio.current_task()}

    def _take(self) -> _Post | None:
        """
        What is due next; None if there is nothing, and then the alarm is set.
        """
        while self._heap and self._heap[0][0] <= self._options.clock.monotonic():
            what = heapq.heappop(self._heap)[2]
            post = what if isinstance(what, _Post) else self._next(what)
            if post is not None:
                return post
        self._look()
        return None

    def _next(self, call: Call) -> _Post | None:
        """
        The receipt of what happens next to *call*; None if it comes late or never.
        """
        place = call.next
        call.next += 1
        if call.next < len(call.events):
            self._push(call.due(call.next), call)
        fate = call.fates.get(place, DELIVERED)
        if fate.lost:
            self._settle(delivered=False)
            return None
        post = _Post(call, place, fate)
        now = self._options.clock.monotonic()
        if fate.again is not None:
            self._push(now + fate.again, _Post(call, place, fate))
        if fate.late:
            self._push(now + fate.late, post)
            return None
        return post

    async def _deliver(self, post: _Post) -> None:
        try:
            reason = await self._post(post)
        except asyncio.CancelledError:
            # Nobody knows if it was taken, so it comes once more after a new start.
            self._push(self._options.clock.monotonic(), post)
            raise
        if reason is None:
            post.call.delivered |= 1 << post.place
            self._settle(delivered=True)
            return
        self.counts.refused[reason] += 1
        if post.tries == _MOST_RETRIES or reason in _FINAL:
            self._settle(delivered=False)
            return
        post.tries += 1
        self._push(self._options.clock.monotonic() + self._options.retry_seconds, post)

    async def _post(self, post: _Post) -> str | None:
        """
        Post once; why it was not taken, or None if it was.
        """
        options = self._options
        signature = post.fate.signature
        if post.tries and not options.forged_again:
            signature = "right"
        body = write_receipt(
            post.call,
            post.place,
            tenant_offset=options.tenant_offset,
            nameless=post.fate.nameless,
        )
        url = post.call.origin.url
        assert url is not None  # noqa: S101 -- others are not reported
        self.counts.sent += 1
        self.counts.forged += signature != "right"
        try:
            async with self._open_session().post(
                url,
                data=body,
                headers=headers_of(body, options, signature),
                allow_redirects=False,
            ) as response:
                status = response.status
        except aiohttp.ClientConnectorError:
            return "no_connection"
        except (aiohttp.ClientError, OSError):
            return "no_answer"
        if status != HTTPStatus.OK:
            return str(status)
        self.counts.forged_taken += signature != "right"
        return None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = open_session(
                most=self._options.most_posts,
                answer_seconds=self._options.answer_seconds,
            )
        return self._session

    def _settle(self, *, delivered: bool) -> None:
        if delivered:
            self.counts.delivered += 1
        else:
            self.counts.lost += 1
        if not self.counts.pending and self._settled is not None:
            self._settled.set()

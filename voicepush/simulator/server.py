"""The simulator itself: an HTTP server on the loopback that counts every ring."""

import asyncio
import itertools
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Self

import attrs
from aiohttp import web
from yarl import URL

from voicepush.simulator.answers import Answers, code_shown
from voicepush.simulator.codes import ACCEPTED
from voicepush.simulator.options import parse_faults
from voicepush.simulator.rate import RateLimit
from voicepush.simulator.records import Record
from voicepush.simulator.replies import Fault, Reply, pick
from voicepush.simulator.requests import CallRequest, RefusedError, read_request
from voicepush.simulator.responding import (
    respond,
    scripts,
    send_once_more,
    shows,
    streams,
    wait,
)
from voicepush.simulator.ringing import Ringing
from voicepush.simulator.status import PATH, StatusApi
from voicepush.simulator.tenant import TenantOptions
from voicepush.simulator.truth import CallTruth

_PATH = "/resources/v1/messaging"

#: Seconds that `stop` gives a client in the middle of sending its request.
_PATIENCE = 0.1


@attrs.define(kw_only=True, eq=False, repr=False)
class Simulator(TenantOptions):
    """
    A stand-in for the API that rings nobody, and counts whom it would have rung.

    It is an asynchronous context manager; what it counted can be read after it has
    stopped, too. A request first has to be well-formed, then to keep to the rate, and
    only then uses up a scripted reply or meets with a status fault. A ring counts as
    soon as the request is complete: no client can take it back by leaving.

    With a notify URL it also reports what becomes of its calls, and it tells that to
    who asks for a transaction; see `ReceiptOptions`.

    Other processes see it under `/simulator` (the counts), `/simulator/calls` (what
    became of each call), `/simulator/receipts` (what became of the receipts),
    `/simulator/numbers` (how often each was rung), `/simulator/requests` and
    `/simulator/asked` (how often each transaction was asked for), and script it by
    posting words to `/simulator/replies` and `/simulator/status-replies`.
    """

    #: Where to listen; port 0 takes a free one.
    host: str = "127.0.0.1"
    port: int = 0
    #: The shape of ordinary answers, one of `SHAPES`.
    answer: str = "one"
    #: Whether its answers give back the correlation ids, as the API does: the request's
    #: own where one element stands for all, else each destination's.
    echo: bool = True
    #: Standing faults in words, such as "7006@20%" or "drop@1/5"; the first that
    #: strikes wins.
    faults: tuple[Fault, ...] = attrs.field(default=(), converter=parse_faults)
    #: Seconds between the ring and the answer.
    latency: float = 0.0
    #: The most destinations within any second; None for no limit.
    tps: int | None = None
    #: The word for the reply to requests beyond *tps*; it must not ring anybody.
    tps_reply: str | int = "7020"
    #: The HTTP status of answers that refuse with a code.
    refusal_status: int = 200
    #: Chance comes out the same for the same seed and order of requests.
    seed: int = 0
    #: The largest body that is accepted.
    most_bytes: int = 1 << 20
    #: Whether to count by number, and to keep what became of each call; millions take
    #: memory.
    count_calls: bool = True
    #: How many of the latest requests to remember; None for all.
    most_records: int | None = None

    #: How often each msisdn or customer id was rung.
    calls: Counter[str] = attrs.field(init=False, factory=Counter)
    #: How often anybody was rung.
    rung: int = attrs.field(init=False, default=0)
    #: The requests, in the order in which they were taken.
    requests: list[Record] = attrs.field(init=False, factory=list)
    #: How many requests got which reply, by its word.
    replies: Counter[str] = attrs.field(init=False, factory=Counter)
    #: The scripted replies that no request has used up yet.
    scripted: deque[Reply] = attrs.field(init=False, factory=deque)
    #: The largest number of values in one request.
    largest_request: int = attrs.field(init=False, default=0)
    #: The largest number of requests that were being handled at once.
    most_in_flight: int = attrs.field(init=False, default=0)

    _in_flight: int = attrs.field(init=False, default=0)
    _reached_faults: int = attrs.field(init=False, default=0)
    _rate: RateLimit = attrs.field(init=False)
    _too_fast: Reply = attrs.field(init=False)
    _chance: random.Random = attrs.field(init=False)
    _answers: Answers = attrs.field(init=False)
    _ringing: Ringing = attrs.field(init=False)
    _status_api: StatusApi = attrs.field(init=False)
    _runner: web.AppRunner | None = attrs.field(init=False, default=None)
    _stopping: asyncio.Future[None] = attrs.field(init=False)
    _url: str = attrs.field(init=False, default="")

    @_rate.default
    def _make_rate(self) -> RateLimit:
        return RateLimit(self.tps)

    @_too_fast.default
    def _parse_tps_reply(self) -> Reply:
        reply = Reply.parse(self.tps_reply)
        if reply.rings:
            message = f"{reply.word!r} rings phones; a tps_reply must not."
            raise ValueError(message)
        return reply

    @_chance.default
    def _seed_chance(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311 -- chance, not secrecy

    @_answers.default
    def _make_answers(self) -> Answers:
        return Answers(self.answer, self.echo, self._chance)

    @_ringing.default
    def _make_ringing(self) -> Ringing:
        # Chance of its own: who is rung does not depend on what happens then.
        return Ringing(self, random.Random(f"ringing {self.seed}"))  # noqa: S311

    @_status_api.default
    def _make_status_api(self) -> StatusApi:
        return StatusApi(
            refusal_status=self.refusal_status,
            too_fast=self._too_fast,
            options=self,
            ringing=self._ringing,
            chance=random.Random(f"status {self.seed}"),  # noqa: S311
        )

    @property
    def asked(self) -> Counter[str]:
        """
        How often it was asked what became of each transaction.
        """
        return self._status_api.asked

    @property
    def url(self) -> str:
        """
        The base URL, without a slash at its end; "" until it has been started.
        """
        return self._url

    async def start(self) -> None:
        """
        Begin to listen.
        """
        # What is too large or compressed is for `read_request` to refuse.
        app = web.Application(client_max_size=0)
        app.router.add_post(_PATH, self._serve)
        app.router.add_get(PATH, self._tell)
        app.router.add_get("/simulator", shows(self.summary))
        app.router.add_get("/simulator/calls", streams(self._ringing.truth))
        app.router.add_get("/simulator/numbers", shows(lambda: self.calls))
        app.router.add_get("/simulator/requests", shows(lambda: self.requests))
        app.router.add_get("/simulator/receipts", shows(self.receipts))
        app.router.add_get("/simulator/asked", shows(lambda: self.asked))
        app.router.add_post("/simulator/replies", scripts(self.next_replies))
        app.router.add_post(
            "/simulator/status-replies", scripts(self.next_status_replies)
        )
        self._stopping = asyncio.get_running_loop().create_future()
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            handler_cancellation=False,
            shutdown_timeout=_PATIENCE,
        )
        await runner.setup()
        await web.TCPSite(runner, self.host, self.port).start()
        port = runner.addresses[0][1]
        self._url = str(URL.build(scheme="http", host=self.host, port=port))
        self._runner = runner
        self._ringing.poster.start()

    async def stop(self) -> None:
        """
        Cut every connection and stop listening; does nothing if already stopped.

        Requests that hang or wait are left without an answer.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            self._stopping.set_result(None)
            await self._ringing.poster.stop()
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        """
        Start.
        """
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Stop.
        """
        await self.stop()

    def next_replies(self, *words: str | int) -> None:
        """
        Script the replies to the next requests, one each.

        Raises:
            ValueError: One of the *words* is no reply; then none of them counts.
        """
        self.scripted.extend([Reply.parse(word) for word in words])

    def next_status_replies(self, *words: str | int) -> None:
        """
        The same for who asks what became of a transaction.
        """
        self._status_api.scripted.extend([Reply.parse(word) for word in words])

    def summary(self) -> dict[str, Any]:
        """
        The counts, ready for JSON.

        Without `count_calls` there is no telling *numbers*, *rung_twice* and *calls*,
        which then are None.
        """
        times = self.calls.values()
        return {
            "requests": self.replies.total(),
            "rung": self.rung,
            "numbers": len(times) if self.count_calls else None,
            "rung_twice": sum(n > 1 for n in times) if self.count_calls else None,
            "most_in_flight": self.most_in_flight,
            "largest_request": self.largest_request,
            "replies": dict(self.replies),
            "calls": self._ringing.states() if self.count_calls else None,
            "receipts": self.receipts(),
            "status": self._status_api.summary(),
        }

    def truth(self) -> list[CallTruth]:
        """
        What became of each call until now, in the order in which they were rung.

        Empty without `count_calls`. No story is told where there is no notify URL and
        there are no `rings`.
        """
        return list(self._ringing.truth())

    def receipts(self) -> dict[str, Any]:
        """
        What became of the receipts, ready for JSON; see `posting.Counts`.
        """
        return self._ringing.poster.counts.summary()

    async def receipts_done(self) -> None:
        """
        Wait until each receipt is delivered or lost, or until the simulator stops.
        """
        await self._ringing.poster.done()

    async def _serve(self, http: web.Request) -> web.Response:
        with self._handling():
            return await self._answer(http)

    async def _tell(self, http: web.Request) -> web.Response:
        with self._handling():
            told = self._status_api.take(http.headers, http.match_info["transid"])
            return await self._send(http, *told)

    @contextmanager
    def _handling(self) -> Iterator[None]:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    async def _answer(self, http: web.Request) -> web.Response:
        try:
            body = await http.read()
        except OSError:
            # The client left in the middle of its request: nobody is rung, and nobody
            # will read this.
            return web.Response()
        return await self._send(http, *self._take(http.headers, body))

    async def _send(
        self, http: web.Request, reply: Reply, answer: web.Response | None
    ) -> web.Response:
        await wait(
            http, self.latency + reply.delay, self._stopping, self.clock.monotonic
        )
        if answer is not None and not self._stopping.done():
            if reply.twice:
                send_once_more(http, answer)
            return answer
        if http.transport is not None:
            http.transport.abort()
        # aiohttp wants something to send, and finds that it cannot.
        return web.Response()

    def _take(
        self, headers: Mapping[str, str], body: bytes
    ) -> tuple[Reply, web.Response | None]:
        # Nothing in here awaits, so a request is counted as a whole or not at all.
        arrived = self.clock.monotonic()
        at = self.clock.now()
        try:
            request = read_request(
                headers,
                body,
                tenant=self,
                most_bytes=self.most_bytes,
                now=datetime.fromtimestamp(at, UTC),
            )
        except RefusedError as refusal:
            request = CallRequest()
            reply = Reply(refusal.code, refusal.code, refusal.description)
        else:
            reply = self._choose(request.size, arrived)
        verdicts = reply.deal(len(request.destinations), self._chance)
        transactions = self._answers.identify(reply, request)
        self._ring(request, verdicts)
        self._ringing.ring(
            request,
            verdicts,
            transactions,
            now=arrived,
            offset=at - arrived,
            keep=self.count_calls,
        )
        status = self.refusal_status if reply.refuses else reply.status
        self._remember(
            Record.of(
                request, arrived, at, reply.word, status, code_shown(reply, verdicts)
            )
        )
        if status is None:
            return reply, None
        return reply, respond(
            reply,
            status,
            self._answers.write(reply, request, verdicts, transactions),
        )

    def _choose(self, size: int, now: float) -> Reply:
        if not self._rate.admits(size, now):
            return self._too_fast
        if self.scripted:
            return self.scripted.popleft()
        self._reached_faults += 1
        return pick(self.faults, self._reached_faults, self._chance)

    def _ring(self, request: CallRequest, verdicts: list[str]) -> None:
        rung = [
            values
            for values, verdict in zip(request.destinations, verdicts, strict=True)
            if verdict == ACCEPTED
        ]
        self.rung += sum(map(len, rung))
        if self.count_calls:
            self.calls.update(itertools.chain.from_iterable(rung))

    def _remember(self, record: Record) -> None:
        self.replies[record.reply] += 1
        self.largest_request = max(self.largest_request, record.size)
        self.requests.append(record)
        if self.most_records is not None:
            del self.requests[: max(0, len(self.requests) - self.most_records)]

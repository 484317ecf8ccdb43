"""
Servers and proxies as strangers have met them, at the level of bytes on a socket.

Unlike the simulator they may break HTTP itself. Each reads whole requests, counts whom
it read and whom it rang, and has one fault, which its class is named after.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import json
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import attrs

ACCEPTED = "1001"

_DESCRIPTIONS = {ACCEPTED: "Queued", "7006": "Internal error"}


class Echo(enum.Enum):
    """
    What an answer says of the ids of its request.
    """

    DESTINATIONS = enum.auto()  #: an element for each destination, with its id
    REQUEST = enum.auto()  #: one element for all, with the request's own id
    NOTHING = enum.auto()  #: one element for all, without an id


@attrs.frozen
class Heard:
    """
    A request as it was read.
    """

    #: By name in lower case.
    headers: Mapping[str, str]
    #: The decoded body.
    message: Mapping[str, Any]

    @property
    def values(self) -> list[str]:
        """
        Everyone who is to be rung.
        """
        return [
            value
            for entry in self.message["destination"]
            for value in entry.get("msisdn") or entry["customerid"]
        ]

    @property
    def correlation_ids(self) -> list[str]:
        """
        The id of each destination; "" where it has none.
        """
        return [entry.get("correlationid", "") for entry in self.message["destination"]]

    @property
    def correlation_id(self) -> str:
        """
        The id of the request itself; "" where it has none.
        """
        found: str = self.message.get("correlationid", "")
        return found


@attrs.define(kw_only=True, eq=False)
class Server:
    """
    Without a fault: one answer to each request, over connections that stay open.

    Used with ``async with``, or with `in_thread` where a test is not asynchronous. A
    fault is a subclass that overrides *answer* or *serve*.
    """

    #: What is said of all destinations of a request; taken in turn, over and over.
    codes: Sequence[str] = (ACCEPTED,)
    echo: Echo = Echo.DESTINATIONS
    tls: ssl.SSLContext | None = None
    #: Where it listens; "" until it does.
    url: str = attrs.field(init=False, default="")
    #: How often each number or customer id was read.
    read: Counter[str] = attrs.field(init=False, factory=Counter)
    #: How often each was rung, whatever the answer said.
    rung: Counter[str] = attrs.field(init=False, factory=Counter)
    #: The requests that were read whole, in the order in which they ended.
    heard: list[Heard] = attrs.field(init=False, factory=list)
    #: How many connections were made; with TLS, how many shook hands.
    connections: int = attrs.field(init=False, default=0)
    _codes: Iterator[str] = attrs.field(init=False)
    _listener: asyncio.Server | None = attrs.field(init=False, default=None)
    _tasks: set[asyncio.Task[None]] = attrs.field(init=False, factory=set)
    _news: asyncio.Condition = attrs.field(init=False, factory=asyncio.Condition)

    @_codes.default
    def _turn(self) -> Iterator[str]:
        return itertools.cycle(self.codes)

    @property
    def requests(self) -> int:
        """
        How many requests were read whole.
        """
        return len(self.heard)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(
            self._connected, "127.0.0.1", 0, ssl=self.tls
        )
        port = self._listener.sockets[0].getsockname()[1]
        # Certificates are made out to a name.
        host = "127.0.0.1" if self.tls is None else "localhost"
        self.url = f"{'http' if self.tls is None else 'https'}://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        await self._listener.wait_closed()

    async def wait_for(self, requests: int, seconds: float = 10.0) -> None:
        """
        Wait until so many requests were read whole.
        """
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: self.requests >= requests)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Serve one connection, which is closed afterwards.
        """
        while True:
            request = await self.hear(await read_head(reader), reader)
            await self.answer(request, writer)
            await writer.drain()

    async def answer(self, request: Heard, writer: asyncio.StreamWriter) -> None:
        """
        Ring and answer.
        """
        writer.write(self.decide(request))

    async def hear(self, head: bytes, reader: asyncio.StreamReader) -> Heard:
        """
        Read the body that belongs to *head*, and count whom it names.
        """
        lines = head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        request = Heard(headers, json.loads(body))
        self.read.update(request.values)
        self.heard.append(request)
        async with self._news:
            self._news.notify_all()
        return request

    def decide(self, request: Heard) -> bytes:
        """
        The next code's answer, for which those whom it accepts are rung.
        """
        code = next(self._codes)
        if code == ACCEPTED:
            self.rung.update(request.values)
        return response(self.body(request, code))

    def body(self, request: Heard, code: str) -> bytes:
        """
        What is said with *code* of all destinations of *request*.
        """
        ids = {
            Echo.DESTINATIONS: request.correlation_ids,
            Echo.REQUEST: [request.correlation_id],
            Echo.NOTHING: [""],
        }[self.echo]
        elements = [
            {
                "code": code,
                "transid": f"transaction-{self.requests}-{place}",
                "description": _DESCRIPTIONS.get(code, "Error"),
                "correlationid": correlation_id,
            }
            for place, correlation_id in enumerate(ids)
        ]
        return json.dumps({"response": elements}).encode()

    def later(self, seconds: float, writer: asyncio.StreamWriter, text: bytes) -> None:
        """
        Write *text* after so many seconds, whatever else happens meanwhile.
        """

        async def write() -> None:
            await asyncio.sleep(seconds)
            if not writer.is_closing():
                writer.write(text)

        self._keep(asyncio.ensure_future(write()))

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._keep(task)
        self.connections += 1
        try:
            await self.serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # The client left, or the test is over.
            pass
        finally:
            writer.close()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@attrs.define(kw_only=True, eq=False)
class AnswersTwice(Server):
    """
    Writes an answer a second time, so that the connection holds one too many.
    """

    #: Seconds until the second copy; the next request may be under way by then.
    delay: float = 0.0
    #: Only the answers with one of these codes come twice; None for all.
    twice: Sequence[str] | None = None

    async def answer(self, request: Heard, writer: asyncio.StreamWriter) -> None:
        """
        Write at once, and again.
        """
        text = self.decide(request)
        writer.write(text)
        if not self._is_doubled(text):
            return
        if self.delay:
            self.later(self.delay, writer, text)
        else:
            writer.write(text)

    def _is_doubled(self, text: bytes) -> bool:
        return self.twice is None or any(
            json.dumps({"code": code})[1:-1].encode() in text for code in self.twice
        )


@attrs.define(kw_only=True, eq=False)
class AnswersLateTwice(AnswersTwice):
    """
    Writes the second copy when the next request on the connection has begun.

    No look at an idle connection can find it.
    """

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Answer each request but the first with the answer before, and then its own.
        """
        left = b""
        while True:
            head = await read_head(reader)
            writer.write(left)
            await writer.drain()
            request = await self.hear(head, reader)
            text = self.decide(request)
            writer.write(text)
            await writer.drain()
            left = text if self._is_doubled(text) else b""


@attrs.define(kw_only=True, eq=False)
class ShortKeepAlive(Server):
    """
    Closes connections that are idle for a while, and never tells that it will.

    A request that meets the closing was not read, which its client can't know.
    """

    #: Seconds.
    keep_alive: float = 1.0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Serve until nothing comes in time; the first request may take longer.
        """
        head = await read_head(reader)
        while True:
            await self.answer(await self.hear(head, reader), writer)
            await writer.drain()
            try:
                async with asyncio.timeout(self.keep_alive):
                    head = await read_head(reader)
            except TimeoutError:
                return


@attrs.define(kw_only=True, eq=False)
class RingsThenFails(Server):
    """
    Rings everyone and then says that it failed.
    """

    status: int = 503
    headers: Mapping[str, str] = attrs.field(factory=dict)
    #: None for the answer with the next of *codes*, under *status*.
    text: bytes | None = b"<html><body>no healthy upstream</body></html>"
    #: So many requests fail, and later ones are answered well; None for all.
    failures: int | None = None

    async def answer(self, request: Heard, writer: asyncio.StreamWriter) -> None:
        """
        Ring, and fail.
        """
        if self.failures is not None and self.requests > self.failures:
            await super().answer(request, writer)
            return
        self.rung.update(request.values)
        text = self.text
        if text is None:
            text = self.body(request, next(self._codes))
        writer.write(response(text, self.status, self.headers))


@attrs.define(kw_only=True, eq=False)
class Silent(Server):
    """
    Reads, rings, and never answers.
    """

    async def answer(self, request: Heard, writer: asyncio.StreamWriter) -> None:
        """
        Ring, and wait for the end of the test.
        """
        self.decide(request)
        await writer.drain()
        await asyncio.Event().wait()


@attrs.define(kw_only=True, eq=False)
class ClosesEarly(Server):
    """
    Closes the connection after a request's head, unread the rest; rings nobody.
    """

    #: How many heads were read.
    heads: int = attrs.field(init=False, default=0)

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Read a head, and be off.
        """
        await read_head(reader)
        self.heads += 1
        writer.transport.abort()


@attrs.define(kw_only=True, eq=False)
class SlowAnswer(Server):
    """
    Rings at once and answers late, or in drops.
    """

    #: Seconds from the ring to the end of the answer.
    delay: float = 1.0
    #: In how many parts the answer comes, spread over the delay.
    parts: int = 1

    async def answer(self, request: Heard, writer: asyncio.StreamWriter) -> None:
        """
        Ring, and take the time.
        """
        text = self.decide(request)
        size = -(-len(text) // self.parts)
        for start in range(0, len(text), size):
            await asyncio.sleep(self.delay / self.parts)
            writer.write(text[start : start + size])
            await writer.drain()


@attrs.define(kw_only=True, eq=False)
class Tls(Server):
    """
    Speaks TLS with a certificate of its own making, which nobody trusts unasked.
    """

    #: Where the certificate and its key are kept.
    folder: Path
    #: The name in the certificate; its address has ``localhost`` in any case.
    name: str = "localhost"

    def __attrs_post_init__(self) -> None:
        make_certificate(self.folder, self.name)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate, self.folder / "key.pem")

    @property
    def certificate(self) -> Path:
        """
        The file that a client has to trust, as an authority.
        """
        return self.folder / "certificate.pem"

    @property
    def trusting(self) -> ssl.SSLContext:
        """
        A client's context that trusts this server, and no other.
        """
        return ssl.create_default_context(cafile=str(self.certificate))


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """
    The request's line and headers.

    Raises:
        IncompleteReadError: The client left.
    """
    return await reader.readuntil(b"\r\n\r\n")


def response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    """
    An HTTP answer that leaves the connection open.
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    given = {"Content-Type": "application/json", **(headers or {})}
    lines = [f"HTTP/1.1 {status} {phrase}"]
    lines += [f"{name}: {value}" for name, value in given.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def make_certificate(folder: Path, name: str = "localhost") -> None:
    """
    Write ``certificate.pem`` and ``key.pem``, signed by nobody else, for a day.
    """
    command = "openssl req -x509 -nodes -days 1"
    command += " -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
    command += f" -subj /CN={name} -addext subjectAltName=DNS:{name}"
    command += " -keyout key.pem -out certificate.pem"
    subprocess.run(  # noqa: S603 -- fixed words, and a name that a test chose
        command.split(),
        cwd=folder,
        check=True,
        capture_output=True,
    )


@contextmanager
def in_thread(server: Server) -> Iterator[Server]:
    """
    *server* in a thread of its own, for tests that are not asynchronous.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(60)
        yield server
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

"""
Every way in which a request can fail, sorted by its danger, over real sockets.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from time import time
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses
from conftest import KEY
from making import batch_of

from voicepush.errors import ClientClosedError, InDoubtError, NotSentError
from voicepush.model.message import VoiceMessage
from voicepush.sending.reply import Reply
from voicepush.sending.transport import PATH, Transport
from voicepush.settings import Settings

BATCH = batch_of(VoiceMessage(media="welcome"), "0123456789-0", ["+9991"])


async def post(
    transport: Transport,
    body: bytes,
    *,
    timeout: float,  # noqa: ASYNC109
    proven: bool = True,
) -> Reply:
    """
    Send *body* once, over a connection that may be used again.
    """
    async with await transport.connection(BATCH) as connection:
        reply = await connection.post(
            body, timeout=timeout, connect_timeout=transport.settings.connect_timeout
        )
        connection.proven = proven
    return reply


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """
    A bare server that reads whole requests and then does what it is told.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.url = ""
        self.handling: set[asyncio.Task[Any]] = set()

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Give the answers in turn; None closes the connection, as does the last.
        """
        task = asyncio.current_task()
        assert task is not None
        self.handling.add(task)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split()[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0)
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
                if answer and not self.answers:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[Server]:
    """
    A `Server` on a free port.
    """
    server = Server(*answers)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{port}"
        yield server
        if server.handling:
            await asyncio.wait(server.handling, timeout=5)


def response(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    """
    An HTTP answer.
    """
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def settings(url: str, **given: Any) -> Settings:
    """
    Settings for a server at *url*.
    """
    return Settings(service_key=KEY, base_url=url, **given)


async def test_a_request_carries_key_and_type() -> None:
    """
    The request is a POST to the API's path, with the key in its header.
    """
    async with serving(response()) as server, Transport(settings(server.url)) as sends:
        reply = await post(sends, b'{"a":1}', timeout=5)

    head, body = server.requests[0].split(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert f"post {PATH} http/1.1".encode() == lines[0]
    assert f"key: {KEY}".encode() in lines
    assert b"content-type: application/json" in lines
    assert b'{"a":1}' == body
    assert (200, b"{}", None) == (reply.status, reply.body, reply.retry_after)


async def test_a_refused_connection_is_not_sent(unused_tcp_port: int) -> None:
    """
    Where nobody listens, nothing was sent, and sending again is safe.
    """
    async with Transport(settings(f"http://127.0.0.1:{unused_tcp_port}")) as transport:
        with pytest.raises(NotSentError, match="no connection") as caught:
            await post(transport, b"{}", timeout=5)

    assert caught.value.retryable
    assert not caught.value.in_doubt


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    """
    An unknown host is told in words.
    """
    async with Transport(settings("https://voicepush.invalid")) as transport:
        with pytest.raises(NotSentError, match="can't be resolved"):
            await post(transport, b"{}", timeout=5)


@pytest.mark.slow
async def test_a_connection_that_takes_too_long_is_not_sent() -> None:
    """
    A connection that is not made in time was not used, also where an answer is waited
    for no longer than that.
    """
    # A full backlog: the kernel answers no further connection.
    async with _full() as port:
        quick = settings(f"http://127.0.0.1:{port}", connect_timeout=0.1)
        async with Transport(quick) as transport:
            with pytest.raises(NotSentError, match="connecting took too long"):
                await post(transport, b"{}", timeout=5)
        slow = settings(f"http://127.0.0.1:{port}", connect_timeout=2)
        async with Transport(slow) as transport:
            # A tenth of it lies between the two, which a busy core must not eat up.
            with pytest.raises(NotSentError, match="connecting took too long"):
                await post(transport, b"{}", timeout=2)


@asynccontextmanager
async def _full() -> AsyncIterator[int]:
    import socket  # noqa: PLC0415 -- only here

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = []
    for _ in range(4):
        each = socket.socket()
        each.setblocking(False)  # noqa: FBT003 -- its signature
        each.connect_ex(address)
        waiting.append(each)
    try:
        yield address[1]
    finally:
        for each in [*waiting, listener]:
            each.close()


async def test_a_tls_failure_is_not_sent() -> None:
    """
    Without a TLS connection no byte of the request is written.
    """

    async def speak_plainly(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(speak_plainly, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        async with Transport(settings(f"https://127.0.0.1:{port}")) as transport:
            with pytest.raises(NotSentError, match="no TLS connection"):
                await post(transport, b"{}", timeout=5)


async def test_a_certificate_of_ones_own_can_be_given() -> None:
    """
    The TLS context of the settings is used as it is.
    """
    context = ssl.create_default_context()
    transport = Transport(settings("https://localhost:1", tls=context))
    async with transport:
        connection = await transport.connection(BATCH)
        assert context is connection._session.connector._ssl  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "closed the connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", "connection broke"),
        (b"what?\r\n\r\n", "connection broke"),
    ],
)
async def test_a_broken_answer_is_in_doubt(answer: bytes | None, words: str) -> None:
    """
    Once the request has begun, a broken connection leaves everything open.
    """
    async with serving(answer) as server, Transport(settings(server.url)) as transport:
        with pytest.raises(InDoubtError, match=words) as caught:
            await post(transport, b"{}", timeout=5)

    assert caught.value.in_doubt
    assert not caught.value.retryable
    assert 1 == len(server.requests)


async def test_a_missing_answer_is_in_doubt() -> None:
    """
    No answer in time leaves everything open.
    """
    async with serving(b"") as server, Transport(settings(server.url)) as transport:
        with pytest.raises(InDoubtError, match="no answer in time"):
            await post(transport, b"{}", timeout=0.1)


async def test_an_endless_answer_is_in_doubt() -> None:
    """
    An answer is read up to a bound, so that it can't fill the memory.
    """
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * (5 << 20)
    async with serving(endless) as server, Transport(settings(server.url)) as transport:
        with pytest.raises(InDoubtError, match="larger"):
            await post(transport, b"{}", timeout=5)


async def test_a_dropped_keep_alive_connection_is_not_used_for_a_second_try() -> None:
    """
    An idempotent request is sent again by aiohttp itself; a POST is not.
    """
    answers = response(), None, response()
    async with serving(*answers) as server, Transport(settings(server.url)) as sends:
        await post(sends, b"1", timeout=5)
        with pytest.raises(InDoubtError):
            await post(sends, b"2", timeout=5)

    assert [b"1", b"2"] == [request[-1:] for request in server.requests]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("999999", 3600.0),
        ("soon", None),
        ("-3", None),
        ("Tue, 99 Foo 2030", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Sun, 06 Nov 99999999999 08:49:37 GMT", None),
        ("9" * 400, 3600.0),
    ],
)
async def test_retry_after_is_read(header: str, seconds: float | None) -> None:
    """
    Retry-After is read in seconds and as a date, and never believed beyond an hour.
    """
    answer = response(b"", "429 Too Many Requests", f"Retry-After: {header}")
    async with serving(answer) as server, Transport(settings(server.url)) as transport:
        reply = await post(transport, b"{}", timeout=5)

    assert seconds == reply.retry_after


async def test_retry_after_as_a_date() -> None:
    """
    A date means the seconds until then.
    """
    answer = response(
        b"", "503 Busy", f"Retry-After: {formatdate(time() + 60, usegmt=True)}"
    )
    async with serving(answer) as server, Transport(settings(server.url)) as transport:
        reply = await post(transport, b"{}", timeout=5)

    assert reply.retry_after == pytest.approx(60, abs=3)


async def test_a_proxy_that_refuses_is_not_sent() -> None:
    """
    A proxy that opens no tunnel has seen nothing of the request.
    """
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with listener:
        proxy = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        through = settings("https://voicepush.invalid", proxy=proxy)
        async with Transport(through) as transport:
            with pytest.raises(NotSentError, match=r"proxy refused .* 407"):
                await post(transport, b"{}", timeout=5)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (aiohttp.ServerFingerprintMismatch(b"", b"", "host", 1), NotSentError),
        (aiohttp.ClientOSError(104, "Connection reset by peer"), InDoubtError),
        (aiohttp.ClientConnectionResetError("closing transport"), InDoubtError),
        (ConnectionResetError(104, "reset"), InDoubtError),
        (aiohttp.ClientPayloadError("cut"), InDoubtError),
        (aiohttp.SocketTimeoutError("read"), InDoubtError),
    ],
)
async def test_errors_that_no_server_can_be_made_to_cause(
    error: Exception, kind: type[Exception]
) -> None:
    """
    What is not known to come before the first byte is in doubt.
    """
    with aioresponses() as mocked:
        mocked.post(f"https://api.example.org{PATH}", exception=error)
        async with Transport(settings("https://api.example.org")) as transport:
            with pytest.raises(kind):
                await post(transport, b"{}", timeout=5)


async def test_a_closed_transport_says_so() -> None:
    """
    Posting before opening is refused in words.
    """
    with pytest.raises(ClientClosedError, match="async with"):
        await post(Transport(settings("http://127.0.0.1:1")), b"{}", timeout=1)

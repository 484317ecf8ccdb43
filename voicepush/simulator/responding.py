"""Answers as aiohttp sends them, and as broken proxies do."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from voicepush.simulator.replies import Reply

#: Seconds between two looks at whether a waiting client is still there.
_GLANCE = 0.02

#: How many things of a long list are written at a time.
_SOME = 500

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def shows(make: Callable[[], Any]) -> Handler:
    """
    A handler that answers with what *make* gives, as JSON.
    """

    async def show(_: web.Request) -> web.Response:
        return web.Response(
            body=msgspec.json.encode(make()), content_type="application/json"
        )

    return show


def streams(make: Callable[[], Iterable[Any]]) -> Handler:
    """
    A handler that answers with a JSON list of what *make* gives, a part at a time.

    A hundred thousand things at once would hold up everything else.
    """

    async def stream(http: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_type = "application/json"
        await response.prepare(http)
        things = iter(make())
        before = b"["
        while some := list(itertools.islice(things, _SOME)):
            await response.write(before + msgspec.json.encode(some)[1:-1])
            before = b","
        await response.write(b"[]" if before == b"[" else b"]")
        return response

    return stream


def scripts(take: Callable[..., None]) -> Handler:
    """
    A handler that lets *take* have the words of a JSON list.
    """

    async def script(http: web.Request) -> web.Response:
        try:
            words = msgspec.json.decode(await http.read())
        except (msgspec.DecodeError, RecursionError):
            words = None
        if not isinstance(words, list):
            raise web.HTTPBadRequest(text="Post a JSON list of words.")
        try:
            take(*words)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.Response(status=204)

    return script


async def wait(
    http: web.Request,
    seconds: float,
    stopping: asyncio.Future[None],
    monotonic: Callable[[], float],
) -> None:
    """
    Wait so many *seconds* by the clock *monotonic*, but no longer than until the client
    leaves, or *stopping*.
    """
    # Looks up now and then, because a client that leaves does not interrupt.
    end = monotonic() + seconds
    while (
        not stopping.done()
        and http.transport is not None
        and (left := end - monotonic()) > 0
    ):
        await asyncio.wait([stopping], timeout=min(left, _GLANCE))


def send_once_more(http: web.Request, answer: web.Response) -> None:
    """
    Write *answer* before aiohttp writes it: one response too many, as broken proxies
    send it.
    """
    body = answer.body
    if http.transport is None or not isinstance(body, bytes):
        return
    head = (
        f"HTTP/1.1 {answer.status} {answer.reason}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    http.transport.write(head.encode() + body)


def respond(reply: Reply, status: int, body: bytes) -> web.Response:
    """
    The answer to a request, spoilt as *reply* wants it.
    """
    page = reply.shape == "page"
    response = web.Response(
        status=status,
        body=body,
        content_type="text/html" if page else "application/json",
    )
    if reply.retry_after is not None:
        response.headers["Retry-After"] = reply.retry_after
    if status == HTTPStatus.FOUND:
        # Leads back to the simulator, where a client that follows can be seen to.
        response.headers["Location"] = "/moved"
    if reply.truncated:
        response.headers["Content-Length"] = str(len(body))
        response.body = body[: len(body) // 2]
        response.force_close()
    return response

"""
Proxies that hold something back: the simulator's answers until every receipt is
delivered, or its receipts until a test lets them through.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from typing import TypeVar
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, web

from voicepush.simulator import Simulator

_T = TypeVar("_T")


@contextmanager
def in_a_thread(served: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
    """
    What *served* gives, which runs in an event loop of its own.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        begun = asyncio.run_coroutine_threadsafe(served.__aenter__(), loop)
        yield begun.result(10)
        ended = asyncio.run_coroutine_threadsafe(
            served.__aexit__(None, None, None), loop
        )
        ended.result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def held_answers(simulator: Simulator) -> AsyncIterator[str]:
    """
    The address of the proxy; *simulator* may run in another thread.
    """
    async with ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            headers = {
                name: request.headers[name]
                for name in ("key", "content-type", "content-encoding")
                if name in request.headers
            }
            answer: web.Response | None = None
            try:
                async with session.post(
                    f"{simulator.url}{request.path}", data=body, headers=headers
                ) as heard:
                    answer = web.Response(
                        status=heard.status,
                        body=await heard.read(),
                        content_type=heard.content_type,
                    )
            except ClientError:
                pass  # it has dropped the connection, and so will we
            while simulator.receipts()["pending"]:  # noqa: ASYNC110 -- as below
                # It may be in another thread, and signals nothing there.
                await asyncio.sleep(0.01)
            if answer is None:
                assert request.transport is not None
                request.transport.abort()
            return answer or web.Response()

        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/{path:.*}", forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


class Gate:
    """
    Lets nothing through until it is opened, which any thread may do.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname, parts.port)
        self._path = parts.path
        self._opened = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._through: set[asyncio.Task[None]] = set()
        #: The address to use instead.
        self.url = ""

    def open(self) -> None:
        """
        Let everything through from now on.
        """
        self._loop.call_soon_threadsafe(self._opened.set)

    async def start(self) -> asyncio.Server:
        """
        Begin to listen.
        """
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}{self._path}"
        return server

    async def stop(self) -> None:
        """
        Cut off who is connected.
        """
        for task in self._through:
            task.cancel()
        await asyncio.gather(*self._through, return_exceptions=True)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._through.add(task)
        try:
            await self._opened.wait()
            back, forth = await asyncio.open_connection(*self._to)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_pipe(reader, forth))
                    group.create_task(_pipe(back, writer))
            finally:
                forth.close()
        except asyncio.CancelledError:
            pass  # asyncio would write of it
        finally:
            self._through.discard(task)
            writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while some := await reader.read(1 << 16):
            writer.write(some)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def gate(url: str) -> AsyncIterator[Gate]:
    """
    A gate before *url*.
    """
    made = Gate(url)
    server = await made.start()
    try:
        yield made
    finally:
        server.close()
        await made.stop()

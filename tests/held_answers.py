"""
A proxy before the simulator that gives an answer only once every receipt is delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, ClientSession, web

from voicepush.simulator import Simulator


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

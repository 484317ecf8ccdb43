"""A receiver of the simulator's receipts, which answers as it is told."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
from aiohttp import web

from voicepush.simulator import Simulator


@attrs.frozen
class Posted:
    """
    One post that came.
    """

    body: bytes
    headers: Mapping[str, str]
    #: What it was answered with; None for not at all.
    status: int | None
    #: When it came, in seconds of the epoch.
    at: float = attrs.field(factory=time.time)

    @property
    def notification(self) -> dict[str, Any]:
        """
        The receipt without what is around it.
        """
        notification: dict[str, Any] = msgspec.json.decode(self.body)[
            "deliveryInfoNotification"
        ]
        return notification

    @property
    def info(self) -> dict[str, Any]:
        """
        What it says of the event.
        """
        info: dict[str, Any] = self.notification["deliveryInfo"]
        return info

    @property
    def code(self) -> str:
        """
        The code of its event.
        """
        code: str = self.info["code"]
        return code


@attrs.define
class Receiver:
    """
    Keeps all that is posted to it, in the order of arrival.
    """

    url: str = ""
    posts: list[Posted] = attrs.field(factory=list)
    #: The statuses of the next answers; 0 for none at all, then 200 for all.
    statuses: deque[int] = attrs.field(factory=deque)
    #: Set when it gives up on who waits for an answer.
    _end: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)

    @property
    def taken(self) -> list[Posted]:
        """
        Those that were answered with 200.
        """
        return [posted for posted in self.posts if posted.status == 200]

    @property
    def codes(self) -> list[str]:
        """
        The codes of all that came.
        """
        return [posted.code for posted in self.posts]

    def per_code(self) -> Counter[str]:
        """
        How many came of each code.
        """
        return Counter(self.codes)

    async def serve(self, http: web.Request) -> web.Response:
        """
        Take one post.
        """
        body = await http.read()
        status = self.statuses.popleft() if self.statuses else 200
        self.posts.append(Posted(body, http.headers.copy(), status or None))
        if not status:
            await self._end.wait()
        headers = {"Location": "/elsewhere"} if status in range(300, 400) else {}
        return web.Response(status=status or 200, text="thank you", headers=headers)

    def release(self) -> None:
        """
        Let go of who waits for an answer.
        """
        self._end.set()


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    """
    A receiver on a free port of this machine.
    """
    receiver = Receiver(statuses=deque(statuses))
    app = web.Application()
    app.router.add_post("/{path:.*}", receiver.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/receipts"
    try:
        yield receiver
    finally:
        receiver.release()
        await runner.cleanup()


async def settled(simulator: Simulator) -> None:
    """
    Wait until no receipt is pending.
    """
    async with asyncio.timeout(30):
        await simulator.receipts_done()

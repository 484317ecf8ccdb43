"""
A ledger that only receives, a server in front of it, and bytes on a socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from voicepush import Ledger, LedgerError
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.model.call import Receipt, ReceiptCounts, Received
from voicepush.receipts.app import receipts_app
from voicepush.receipts.serving import serving


class Gated(MemoryLedger):
    """
    A ledger in memory that can be held up, and made to fail.
    """

    def __init__(self) -> None:
        super().__init__()
        #: The bodies, by the commits that they shared.
        self.commits: list[list[bytes]] = []
        #: While it is not set, nothing is committed.
        self.gate = asyncio.Event()
        self.gate.set()
        #: What every call raises, unless it is None.
        self.failure: Exception | None = None
        #: So many commits have begun, and one at least.
        self.begun = 0
        self.has_begun = asyncio.Event()

    @property
    def bodies(self) -> list[bytes]:
        """
        Everything that is stored.
        """
        return [body for commit in self.commits for body in commit]

    async def receive(
        self, receipts: Sequence[Receipt], *, refused: int = 0
    ) -> Received:
        """
        Store *receipts* once the gate is open.
        """
        self.begun += 1
        self.has_begun.set()
        await self.gate.wait()
        self._fail()
        self.commits.append([receipt.body for receipt in receipts])
        return await super().receive(receipts, refused=refused)

    async def place_again(self) -> Received:
        """
        Place those that can be placed.
        """
        self._fail()
        return await super().place_again()

    async def forget_bodies(self, before: float) -> int:
        """
        Forget the old.
        """
        self._fail()
        return await super().forget_bodies(before)

    async def receipt_counts(self) -> ReceiptCounts:
        """
        What is stored.
        """
        self._fail()
        return await super().receipt_counts()

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class HandClock:
    """
    A clock that only a test moves; who sleeps is woken when it is time.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        #: How long everyone has slept, one after the other.
        self.slept: list[float] = []
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """
        Seconds since 1970.
        """
        return 1_000_000_000 + self.seconds

    def monotonic(self) -> float:
        """
        Seconds since the test began.
        """
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """
        Wait until the clock was moved so far.
        """
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.seconds + seconds, waking))
        await waking

    async def move(self, seconds: float) -> None:
        """
        Let *seconds* pass, and those be woken whose time has come, in its order.
        """
        until = self.seconds + seconds
        await settle()
        while self._sleepers and min(self._sleepers, key=_due)[0] <= until:
            first = min(self._sleepers, key=_due)
            self._sleepers.remove(first)
            self.seconds = max(self.seconds, first[0])
            if not first[1].done():
                first[1].set_result(None)
            await settle()
        self.seconds = max(self.seconds, until)

    def patch(self, setattr_: Callable[[str, object], None]) -> None:
        """
        Let everyone live by this clock.
        """
        for name in ("now", "monotonic", "sleep"):
            setattr_(f"voicepush.clock.{name}", getattr(self, name))


def _due(sleeper: tuple[float, object]) -> float:
    return sleeper[0]


async def settle() -> None:
    """
    Let everyone do what can be done without waiting.
    """
    for _ in range(50):
        await asyncio.sleep(0)


FULL = LedgerError("the disk is full")


def receipt(number: int = 1, code: str = "7407") -> bytes:
    """
    A receipt as the platform posts it.
    """
    info = {"code": code, "destination": f"+999{number:09d}", "deliveryStatus": ""}
    return json.dumps(
        {"deliveryInfoNotification": {"deliveryInfo": info, "transid": f"t-{number}"}}
    ).encode()


@asynccontextmanager
async def served(ledger: Ledger, **options: Any) -> AsyncIterator[str]:
    """
    The address of a notify URL, without its path.
    """
    async with serving(receipts_app(ledger, **options), "127.0.0.1", 0) as address:
        yield address


class Answer(NamedTuple):
    """
    What came back for one request.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Line:
    """
    A connection, as bytes. Used with ``async with``.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self._where = (parts.hostname, parts.port)

    async def __aenter__(self) -> Self:
        """
        Connect.
        """
        self._reader, self.writer = await asyncio.open_connection(*self._where)
        return self

    async def __aexit__(self, *_: object) -> None:
        """
        Hang up.
        """
        self.writer.close()

    def say(self, text: bytes) -> None:
        """
        Send *text*, whatever it is.
        """
        self.writer.write(text)

    def post(self, body: bytes, *headers: str, path: str = "/receipts") -> None:
        """
        Send a request in one piece.
        """
        self.say(head(*headers, f"Content-Length: {len(body)}", path=path) + body)

    async def hear(self) -> Answer:
        """
        The next answer.
        """
        top = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rest = top.strip().split("\r\n")
        headers = {
            k.lower(): v.strip() for k, v in (each.split(":", 1) for each in rest)
        }
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Answer(int(line.split()[1]), headers, body)

    async def is_closed(self) -> bool:
        """
        Whether the other side hangs up, without another word.
        """
        return not await self._reader.read(1)


def head(*headers: str, method: str = "POST", path: str = "/receipts") -> bytes:
    """
    The head of a request.
    """
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")

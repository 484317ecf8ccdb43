"""
A ledger that only receives, a server in front of it, and bytes on a socket.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import attrs

from voicepush import LedgerError
from voicepush.model.call import Receipt, ReceiptCounts, Received
from voicepush.receipts.app import receipts_app
from voicepush.receipts.serving import serving


@attrs.define(eq=False)
class OnlyReceives:
    """
    A ledger in memory that can be stopped, and made to fail.
    """

    #: The bodies, by the commits that they shared.
    commits: list[list[bytes]] = attrs.field(factory=list)
    refused: int = 0
    #: What the next calls raise, until it is None again.
    failure: Exception | None = None
    #: While it is not set, nothing is committed.
    gate: asyncio.Event = attrs.field(factory=asyncio.Event)
    #: So many calls of `receive` have begun.
    begun: int = 0
    #: So many are kept aside; all can be placed.
    unplaced: int = 0
    #: So many bodies can be forgotten, each time so many at most.
    old: int = 0
    #: What each call of `forget_bodies` was given.
    forgotten: list[float] = attrs.field(factory=list)
    at_once: int = 10

    def __attrs_post_init__(self) -> None:
        self.gate.set()

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
        await self.gate.wait()
        self._fail()
        self.commits.append([receipt.body for receipt in receipts])
        self.refused += refused
        unreadable = sum(not receipt.reports for receipt in receipts)
        return Received(applied=len(receipts) - unreadable, unreadable=unreadable)

    async def place_again(self) -> Received:
        """
        Place all that are kept aside.
        """
        self._fail()
        placed, self.unplaced = self.unplaced, 0
        return Received(placed_late=placed)

    async def forget_bodies(self, before: float) -> int:
        """
        Forget some.
        """
        self._fail()
        self.forgotten.append(before)
        some = min(self.old, self.at_once)
        self.old -= some
        return some

    async def receipt_counts(self) -> ReceiptCounts:
        """
        What is stored.
        """
        self._fail()
        return ReceiptCounts(
            received=len(self.bodies), unplaced=self.unplaced, refused=self.refused
        )

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


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
async def served(ledger: Any, **options: Any) -> AsyncIterator[str]:
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

    async def __aenter__(self) -> Line:
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
        headers = {k.lower(): v.strip() for k, v in (each.split(":", 1) for each in rest)}
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

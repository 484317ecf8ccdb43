"""
A local service that accepts everything, and is never the bottleneck.

It reads no more of a request than it must, and counts. Run by `serving`, in a process
of its own, on uvloop where that is installed.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_ACCEPTED = b'"code":"1001","transid":"00000000-0000-4000-8000-%012d"'
_FAILED = b'"code":"7006","transid":""'
_ELEMENT = b'{%b,"description":"Queued","correlationid":"%b"}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"correlationid":"([^"]*)"')
#: A request's own id comes last in it.
_OWN_ID = re.compile(rb'\],"correlationid":"([^"]*)"\}$')

_LONGEST_TAIL = 100


def _answer(*elements: bytes) -> bytes:
    body = b'{"response":[%b]}' % b",".join(elements)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


class Sink(asyncio.Protocol):
    """
    One connection; what all of them share is kept with the class.
    """

    #: Seconds before each answer, the share of code 7006, and whether an answer has
    #: an element for each destination instead of one for all.
    latency = 0.0
    failures = 0.0
    each = False

    requests = 0
    failed = 0
    chance = random.Random(1)  # noqa: S311 -- the same failures in every run

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Remember where the answers go.
        """
        self._transport = cast("asyncio.Transport", transport)
        self._head = b""
        self._body: list[bytes] = []
        self._missing = 0
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        """
        Count bytes until a request is complete.
        """
        if self._missing:
            self._missing -= len(data)
        else:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            found = _LENGTH.search(self._head, 0, end)
            data = self._head[end + 4 :]
            self._missing = (int(found[1]) if found else 0) - len(data)
            self._head = b""
        self._tail = data if len(data) > _LONGEST_TAIL else self._tail + data
        if self.each:
            self._body.append(data)
        if self._missing == 0:
            self._reply()

    def _own_id(self) -> bytes:
        found = _OWN_ID.search(self._tail[-_LONGEST_TAIL:])
        return found[1] if found else b""

    def _reply(self) -> None:
        Sink.requests += 1
        if self.failures and self.chance.random() < self.failures:
            Sink.failed += 1
            answer = _answer(_ELEMENT % (_FAILED, self._own_id()))
        elif self.each:
            ids = _ID.findall(b"".join(self._body))
            answer = _answer(
                *(_ELEMENT % (_ACCEPTED % at, each) for at, each in enumerate(ids))
            )
        else:
            answer = _answer(_ELEMENT % (_ACCEPTED % 0, self._own_id()))
        self._body.clear()
        if self.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Tells its counts when it is asked to, and ends when whoever started it is gone.
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps({"requests": Sink.requests, "failed": Sink.failed}))
        sys.stdout.flush()
        Sink.requests = Sink.failed = 0


class Service:
    """
    A sink in a process of its own.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._read().strip()}"

    def counts(self) -> dict[str, int]:
        """
        How many requests came since the last look, and how many of them it failed.
        """
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        counts: dict[str, int] = json.loads(self._read())
        return counts

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def serving(
    *, latency: float = 0.0, failures: float = 0.0, each: bool = False
) -> Iterator[Service]:
    """
    A sink that answers after *latency*, fails a share of requests, and so on.
    """
    arguments = json.dumps({"latency": latency, "failures": failures, "each": each})
    process = subprocess.Popen(  # noqa: S603 -- this very file
        [sys.executable, __file__, arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Service(process)
    finally:
        process.communicate()


def main() -> None:
    """
    Serve until standard input ends.
    """
    settings: dict[str, Any] = json.loads(sys.argv[1])
    for name, value in settings.items():
        setattr(Sink, name, value)
    try:
        loop_factory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()

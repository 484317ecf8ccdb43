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
#: What a service says of single destinations that it does not take.
_REFUSED = (
    b'"code":"7102","transid":""',
    b'"code":"7004","transid":""',
    b'"code":"7107","transid":""',
)
_ELEMENT = b'{%b,"description":"Queued","correlationid":"%b"}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"correlationid":"([^"]*)"')
#: A request's own id comes last in it.
_OWN_ID = re.compile(rb'\],"correlationid":"([^"]*)"[,}]')

#: What each destination holds once.
_DESTINATION = re.compile(rb'"(?:msisdn|customerid)":\[')

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
    #: One of so many elements has another code than the rest; 0 for none.
    mixed = 0
    #: Whether correlation ids come back: the request's own one, or each element's.
    echo = True
    #: Whether destinations are counted, and those of them whose correlation id begins
    #: with so and so; it is a little work for each request.
    counts = False
    own_ids = ""

    connections = 0
    requests = 0
    failed = 0
    destinations = 0
    with_own_ids = 0
    chance = random.Random(1)  # noqa: S311 -- the same failures in every run

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Remember where the answers go.
        """
        Sink.connections += 1
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
        if self.each or self.counts:
            self._body.append(data)
        if self._missing == 0:
            self._reply()

    def _own_id(self) -> bytes:
        found = _OWN_ID.search(self._tail[-_LONGEST_TAIL:])
        return found[1] if found else b""

    def _reply(self) -> None:
        Sink.requests += 1
        body = b"".join(self._body)
        self._body.clear()
        if self.counts:
            Sink.destinations += len(_DESTINATION.findall(body))
            own = b'"correlationid":"%b' % self.own_ids.encode()
            Sink.with_own_ids += body.count(own) if self.own_ids else 0
        own_id = self._own_id()
        if self.failures and self.chance.random() < self.failures:
            Sink.failed += 1
            answer = _answer(_ELEMENT % (_FAILED, own_id if self.echo else b""))
        elif self.each:
            ids = _ID.findall(body)
            if own_id:
                ids.pop()  # it stands last, and is no destination's
            answer = _answer(*self._elements(ids))
        else:
            answer = _answer(_ELEMENT % (_ACCEPTED % 0, own_id if self.echo else b""))
        if self.latency:
            loop = asyncio.get_running_loop()
            loop.call_later(self.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)

    def _elements(self, ids: list[bytes]) -> Iterator[bytes]:
        for place, own_id in enumerate(ids):
            verdict = _ACCEPTED % place
            # Not the same places in each request.
            if self.mixed and (place + Sink.requests) % self.mixed == 0:
                verdict = _REFUSED[place // self.mixed % len(_REFUSED)]
            yield _ELEMENT % (verdict, own_id if self.echo else b"")


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Tells its counts when it is asked to, and ends when whoever started it is gone.
    while await loop.run_in_executor(None, sys.stdin.readline):
        counted = ("connections", "requests", "failed", "destinations", "with_own_ids")
        print(json.dumps({name: getattr(Sink, name) for name in counted}), flush=True)
        for name in counted:
            setattr(Sink, name, 0)


class Service:
    """
    A sink in a process of its own.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{self._read().strip()}"

    def counts(self) -> dict[str, int]:
        """
        What came since the last look: connections, requests, those of them that it
        failed, and, where it counts them, destinations.
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
def serving(**settings: Any) -> Iterator[Service]:
    """
    A sink with *settings*, which are the fields of `Sink` that no request changes.
    """
    arguments = json.dumps(settings)
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
        assert hasattr(Sink, name), name
        setattr(Sink, name, value)
    try:
        loop_factory = importlib.import_module("uvloop").new_event_loop
    except ImportError:
        loop_factory = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_serve())


if __name__ == "__main__":
    main()

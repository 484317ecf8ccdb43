"""
A local service that accepts everything at once, and is never the bottleneck.

It reads no more of a request than its length, and gives every answer in the same
bytes. Run by `serving`, in a process of its own.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BODY = (
    b'{"response":[{"code":"1001","transid":"00000000-0000-4000-8000-000000000000",'
    b'"description":"Queued","correlationid":""}]}'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(_BODY)
) + _BODY
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Sink(asyncio.Protocol):
    """
    One connection.
    """

    latency = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Remember where the answers go.
        """
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0

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
            length = int(found[1]) if found else 0
            self._missing = length - (len(self._head) - end - 4)
            self._head = b""
        if self._missing == 0:
            loop = asyncio.get_running_loop()
            if self.latency:
                loop.call_later(self.latency, self._transport.write, ANSWER)
            else:
                self._transport.write(ANSWER)


async def _serve(latency: float) -> None:
    Sink.latency = latency
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends by itself when whoever started it is gone.
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def serving(latency: float = 0.0) -> Iterator[str]:
    """
    The address of a sink in a process of its own, which answers after *latency*.
    """
    process = subprocess.Popen(  # noqa: S603 -- this very file
        [sys.executable, __file__, str(latency)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))

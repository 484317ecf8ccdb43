"""
Connections on simulated time, over which whole requests and answers travel.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Protocol

import attrs
from simulated_loop import Process, SimulatedLoop, present_process

#: The longest that anything is under way in one direction, in seconds.
_LONGEST_WAY = 0.2


class Served(Protocol):
    """
    What is at the other end of every connection.
    """

    def accepts(self) -> bool | None:
        """
        Whether the next connection is made; None if nothing comes of it at all.
        """
        ...

    def left(self, connection: Connection, body: bytes) -> Callable[[], None]:
        """
        A request has left; gives what happens when it arrives.
        """
        ...


@attrs.define(eq=False)
class Network:
    """
    Every connection to the one service.
    """

    loop: SimulatedLoop
    chance: Random
    service: Served

    async def connect(self) -> None:
        """
        Reach the service, or not.
        """
        accepts = self.service.accepts()
        await asyncio.sleep(self.way())
        if accepts is None:
            await self.loop.create_future()
        elif not accepts:
            raise ConnectionRefusedError(111, "Connection refused")

    def connection(self, protocol: asyncio.Protocol) -> Connection:
        """
        A connection that is made.
        """
        process = present_process()
        assert process is not None
        connection = Connection(self, protocol, process)
        process.at_death.append(connection.vanish)
        return connection

    def way(self) -> float:
        """
        How long something is under way, in seconds.
        """
        return 0.001 + self.chance.random() ** 4 * _LONGEST_WAY


class Connection(asyncio.Transport):
    """
    The end of a connection that a process holds, and what the service does with it.
    """

    def __init__(
        self, network: Network, protocol: asyncio.Protocol, process: Process
    ) -> None:
        super().__init__()
        self.process = process
        #: Whether the service has closed it, or sent something that nobody asked for.
        self.is_doubtful = False
        self._network = network
        self._protocol = protocol
        self._outgoing = b""
        self._is_closed = False
        # Nothing overtakes what left before it.
        self._arrived = self._answered = 0.0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """
        Send *data*; what is a whole request is on its way.
        """
        if self._is_closed:
            return
        self._outgoing += bytes(data)
        head, found, rest = self._outgoing.partition(b"\r\n\r\n")
        if not found:
            return
        size = _length(head)
        if len(rest) < size:
            return
        self._outgoing = rest[size:]
        arrive = self._network.service.left(self, rest[:size])
        self._arrived = max(self._arrived, self._network.loop.time())
        self._arrived += self._network.way()
        self._network.loop.call_at(self._arrived, arrive, context=contextvars.Context())

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, after: float
    ) -> None:
        """
        Send an answer so many seconds from now.
        """
        self._send(after, partial(self._receive, _written(status, headers, body)))

    def cut(
        self, status: int, headers: Mapping[str, str], body: bytes, after: float
    ) -> None:
        """
        Send half of an answer, and break.
        """
        whole = _written(status, headers, body)
        half = whole[: len(whole) - len(body) // 2 - 1]
        self._send(after, partial(self._receive, half))
        self.reset(after)

    def reset(self, after: float) -> None:
        """
        Break so many seconds from now.
        """
        self.doubt()
        self._send(after, partial(self._lose, ConnectionResetError(104, "reset")))

    def hang_up(self, after: float) -> None:
        """
        Close so many seconds from now, without a word.
        """
        self.doubt()
        self._send(after, self._end)

    def doubt(self) -> None:
        """
        Whoever uses it next can't tell whether its request leaves, or whose the answer
        is that comes.
        """
        self.is_doubtful = self.process.has_doubtful_connections = True

    def vanish(self) -> None:
        """
        Its process has died.
        """
        self._is_closed = True

    def _send(self, after: float, arrive: Callable[[], None]) -> None:
        loop = self._network.loop
        when = loop.time() + after + self._network.way()
        self._answered = max(self._answered + 1e-6, when)
        loop.call_at(self._answered, arrive, context=self.process.context)

    def _receive(self, data: bytes) -> None:
        if not self._is_closed:
            self._protocol.data_received(data)

    def _end(self) -> None:
        if not self._is_closed:
            self._protocol.eof_received()
            self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._protocol.connection_lost(error)

    def close(self) -> None:
        """
        Close it from this end.
        """
        if not self._is_closed:
            self._is_closed = True
            self._network.loop.call_soon(
                self._protocol.connection_lost, None, context=self.process.context
            )

    def abort(self) -> None:
        """
        The same at once.
        """
        self.close()

    def is_closing(self) -> bool:
        """
        Whether it is of no use any more.
        """
        return self._is_closed

    def get_extra_info(self, name: str, default: object = None) -> object:
        """
        There is nothing to be known.
        """
        return ("127.0.0.1", 80) if name == "peername" else default

    def pause_reading(self) -> None:
        """
        No answer is so large.
        """

    def resume_reading(self) -> None:
        """
        See above.
        """

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """
        There is no buffer.
        """

    def get_write_buffer_size(self) -> int:
        """
        See above.
        """
        return 0


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _written(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{head}\r\n"
    ).encode() + body

"""
The servers with faults, each of which has to show its fault, or tests prove nothing.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from servers import (
    AnswersLateTwice,
    AnswersTwice,
    ClosesEarly,
    Echo,
    RingsThenFails,
    Server,
    ShortKeepAlive,
    Silent,
    SlowAnswer,
    Tls,
    in_thread,
)


@attrs.define
class Line:
    """
    A connection on which bytes are written and read as they are.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def ask(self, *numbers: str, own: str = "request-1") -> None:
        """
        Write a request without waiting for its answer.
        """
        entries = [
            {"msisdn": [each], "correlationid": f"id-{each}"} for each in numbers
        ]
        body = json.dumps({"destination": entries, "correlationid": own}).encode()
        head = f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)

    async def hear(self) -> tuple[int, list[dict[str, Any]]]:
        """
        The status and the elements of the next answer.
        """
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        size = int(head.lower().split("content-length:")[1].split()[0])
        body = await self.reader.readexactly(size)
        elements = json.loads(body)["response"] if body.startswith(b"{") else []
        return int(head.split()[1]), elements


@asynccontextmanager
async def line(server: Server, **options: Any) -> AsyncIterator[Line]:
    """
    A `Line` to *server*.
    """
    host, port = server.url.split("//")[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port), **options)
    try:
        async with asyncio.timeout(10):
            yield Line(reader, writer)
    finally:
        writer.close()


async def ids_of_next(line: Line) -> list[str]:
    """
    Whose ids the next answer has.
    """
    return [each["correlationid"] for each in (await line.hear())[1]]


@pytest.mark.parametrize(
    ("echo", "expected"),
    [
        (Echo.DESTINATIONS, ["id-1", "id-2"]),
        (Echo.REQUEST, ["request-1"]),
        (Echo.NOTHING, [""]),
    ],
)
async def test_ids_are_echoed_as_told(echo: Echo, expected: list[str]) -> None:
    """
    An answer has the destinations' ids, the request's own, or none.
    """
    async with Server(echo=echo) as server, line(server) as connection:
        connection.ask("1", "2")

        assert expected == await ids_of_next(connection)
    assert Counter(["1", "2"]) == server.rung == server.read
    assert (1, 1) == (server.requests, server.connections)


async def test_codes_come_in_turn_and_refusals_ring_nobody() -> None:
    """
    What is refused was read and not rung.
    """
    async with Server(codes=("7006", "1001")) as server, line(server) as connection:
        for number in ("1", "2"):
            connection.ask(number)
            await connection.hear()

    assert Counter(["1", "2"]) == server.read
    assert Counter(["2"]) == server.rung


@pytest.mark.parametrize("delay", [0.0, 0.01])
async def test_an_answer_comes_twice(delay: float) -> None:
    """
    The second copy comes by itself, at once or later.
    """
    async with AnswersTwice(delay=delay) as server, line(server) as connection:
        connection.ask("1")

        assert ["id-1"] == await ids_of_next(connection)
        assert ["id-1"] == await ids_of_next(connection)
    assert Counter(["1"]) == server.rung


async def test_only_some_codes_come_twice() -> None:
    """
    Where codes are named, other answers come once.
    """
    server = AnswersTwice(codes=("1001", "7006", "1001"), twice=["7006"])
    async with server, line(server) as connection:
        for number in ("1", "2", "3"):
            connection.ask(number)

        found = [await ids_of_next(connection) for _ in range(4)]
    assert [["id-1"], ["id-2"], ["id-2"], ["id-3"]] == found


async def test_the_second_copy_waits_for_the_next_request() -> None:
    """
    While the connection is idle nothing is there, and then the wrong answer is first.
    """
    async with AnswersLateTwice() as server, line(server) as connection:
        connection.ask("1")
        assert ["id-1"] == await ids_of_next(connection)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.reader.read(1), 0.05)
        connection.ask("2")

        assert ["id-1"] == await ids_of_next(connection)
        assert ["id-2"] == await ids_of_next(connection)


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    """
    The first answer says nothing of closing, and then the connection ends.
    """
    async with ShortKeepAlive(keep_alive=0.05) as server, line(server) as connection:
        connection.ask("1")
        assert ["id-1"] == await ids_of_next(connection)

        assert b"" == await connection.reader.read()
    assert Counter(["1"]) == server.rung


async def test_a_failure_is_told_after_the_ring() -> None:
    """
    The status is the one given, everyone was rung, and later requests may do well.
    """
    server = RingsThenFails(status=503, headers={"Retry-After": "1"}, failures=1)
    async with server, line(server) as connection:
        connection.ask("1")
        assert (503, []) == await connection.hear()
        connection.ask("2")

        assert ["id-2"] == await ids_of_next(connection)
    assert Counter(["1", "2"]) == server.rung


async def test_a_code_can_be_told_after_the_ring() -> None:
    """
    Without a text the answer is the code's, and lies.
    """
    server = RingsThenFails(status=200, text=None, codes=("7006",))
    async with server, line(server) as connection:
        connection.ask("1")
        status, elements = await connection.hear()

    assert (200, "7006") == (status, elements[0]["code"])
    assert Counter(["1"]) == server.rung


async def test_silence_rings_too() -> None:
    """
    The request is read and rung, and nothing comes back.
    """
    async with Silent() as server, line(server) as connection:
        connection.ask("1")
        await server.wait_for(1)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.reader.read(1), 0.05)
    assert Counter(["1"]) == server.rung


async def test_a_head_is_all_that_is_read() -> None:
    """
    The connection ends after the head, and nobody was read.
    """
    async with ClosesEarly() as server, line(server) as connection:
        connection.ask("1")

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await connection.hear()
    assert (1, 0) == (server.heads, server.requests)
    assert not server.read


async def test_a_slow_answer_comes_in_parts() -> None:
    """
    It is whole in the end.
    """
    async with SlowAnswer(delay=0.1, parts=4) as server, line(server) as connection:
        connection.ask("1")

        assert ["id-1"] == await ids_of_next(connection)


async def test_a_certificate_of_its_own_is_trusted_by_those_who_are_told(
    tmp_path: Path,
) -> None:
    """
    Others refuse it.
    """
    async with Tls(folder=tmp_path) as server:
        async with line(server, ssl=server.trusting) as connection:
            connection.ask("1")
            assert ["id-1"] == await ids_of_next(connection)
        with pytest.raises(ssl.SSLCertVerificationError):
            async with line(server, ssl=True):
                pass
    assert server.url.startswith("https://localhost:")


def test_a_server_runs_in_a_thread() -> None:
    """
    A test that is not asynchronous talks to it as well.
    """
    with in_thread(Silent()) as server:
        assert server.url.startswith("http://127.0.0.1:")

"""
One way to send a list, run once in a process of its own; prints what it cost.

    python benchmarks/lanes.py LANE RECIPIENTS URL FOLDER

The lanes named after libraries are what people would write in an afternoon; *floor*
is what one would write by hand for speed alone, without verdicts, retries or limits.
"""

from __future__ import annotations

import asyncio
import csv
import json
import resource
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import aiohttp

AT_ONCE = 32
SIZE = 1000
PATH = "/resources/v1/messaging"
HEADERS = {"key": "made-up", "content-type": "application/json"}
_HEAD = b'{"deliverychannel":"voice","channels":{"voice":{"media":"m"}},"destination":['


def body_of(numbers: list[str], tag: str) -> bytes:
    """
    A request with its columns joined in one expression.
    """
    ids = [f"{tag}-{place}" for place in range(len(numbers))]
    pairs = map('"],"correlationid":"'.join, zip(numbers, ids, strict=True))
    joined = '"},{"msisdn":["'.join(pairs)
    return _HEAD + f'{{"msisdn":["{joined}"}}]}}'.encode()


def object_of(numbers: list[str]) -> dict[str, Any]:
    """
    A request as objects.
    """
    return {
        "deliverychannel": "voice",
        "channels": {"voice": {"media": "m"}},
        "destination": [
            {"msisdn": [number], "correlationid": f"c-{number}"} for number in numbers
        ],
    }


async def _workers(
    batches: Iterator[list[str]], work: Callable[[list[str]], Awaitable[None]]
) -> None:
    async def worker() -> None:
        for batch in batches:
            await work(batch)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(worker())


# Lists, without a ledger


def floor(numbers: list[str], url: str, _: Path) -> None:
    """
    Columns joined to a body, posted by aiohttp.
    """

    async def main() -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE), headers=HEADERS
        ) as session:

            async def post(batch: list[str]) -> None:
                body = body_of(batch, "t")
                async with session.post(url + PATH, data=body) as response:
                    assert b'"1001"' in await response.read()

            starts = range(0, len(numbers), SIZE)
            await _workers((numbers[at : at + SIZE] for at in starts), post)

    asyncio.run(main())


def ours(numbers: list[str], url: str, _: Path) -> None:
    """
    `Client.send` of the list.
    """
    import voicepush  # noqa: PLC0415 -- each lane imports its own

    async def main() -> None:
        async with voicepush.Client(
            service_key="made-up", base_url=url, concurrency=AT_ONCE
        ) as client:
            message = voicepush.VoiceMessage(media="m")
            summary = await client.send(message, numbers)
            assert len(numbers) == summary.accepted

    asyncio.run(main())


def aiohttp_gather(numbers: list[str], url: str, _: Path) -> None:
    """
    A task per request, a semaphore, and ``json=``.
    """

    async def main() -> None:
        at_once = asyncio.Semaphore(AT_ONCE)
        async with aiohttp.ClientSession(headers=HEADERS) as session:

            async def post(batch: list[str]) -> None:
                async with (
                    at_once,
                    session.post(url + PATH, json=object_of(batch)) as response,
                ):
                    assert (await response.json())["response"][0]["code"] == "1001"

            await asyncio.gather(
                *(post(numbers[at : at + SIZE]) for at in range(0, len(numbers), SIZE))
            )

    asyncio.run(main())


def httpx(numbers: list[str], url: str, _: Path) -> None:
    """
    The same with httpx.
    """
    import httpx as library  # noqa: PLC0415 -- each lane imports its own

    async def main() -> None:
        at_once = asyncio.Semaphore(AT_ONCE)
        async with library.AsyncClient(headers=HEADERS, timeout=60) as session:

            async def post(batch: list[str]) -> None:
                async with at_once:
                    answer = await session.post(url + PATH, json=object_of(batch))
                    assert answer.json()["response"][0]["code"] == "1001"

            await asyncio.gather(
                *(post(numbers[at : at + SIZE]) for at in range(0, len(numbers), SIZE))
            )

    asyncio.run(main())


def requests(numbers: list[str], url: str, _: Path) -> None:
    """
    The same with requests, in threads.
    """
    import requests as library  # noqa: PLC0415 -- each lane imports its own

    local = threading.local()

    def post(at: int) -> None:
        if not hasattr(local, "session"):
            local.session = library.Session()
        batch = object_of(numbers[at : at + SIZE])
        answer = local.session.post(url + PATH, json=batch, headers=HEADERS)
        assert answer.json()["response"][0]["code"] == "1001"

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(post, range(0, len(numbers), SIZE)))


# Files, with a ledger


def floor_ledger(path: Path, url: str, folder: Path) -> None:  # noqa: C901 -- by hand
    """
    Lines split in blocks, a row per batch in SQLite, commits shared, aiohttp.
    """
    jobs: SimpleQueue[tuple[str, int, asyncio.Future[None]] | None] = SimpleQueue()
    connection = sqlite3.connect(
        folder / "floor.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE batch (number INTEGER PRIMARY KEY, state TEXT)")

    def write() -> None:
        while (job := jobs.get()) is not None:
            group = [job]
            while not jobs.empty() and (more := jobs.get()) is not None:
                group.append(more)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO batch VALUES (?, ?)",
                [(number, state) for state, number, _ in group],
            )
            connection.execute("COMMIT")
            loop.call_soon_threadsafe(answer, [done for _, _, done in group])

    def answer(group: list[asyncio.Future[None]]) -> None:
        for done in group:
            done.set_result(None)

    def batches() -> Iterator[list[str]]:
        with path.open() as file:
            next(file)
            left: list[str] = []
            while block := file.readlines(1 << 18):
                left += [line[line.index(",") + 1 : -1] for line in block]
                while len(left) >= SIZE:
                    yield left[:SIZE]
                    left = left[SIZE:]
            if left:
                yield left

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        threading.Thread(target=write).start()
        numbered = enumerate(batches())
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE), headers=HEADERS
        ) as session:

            async def record(state: str, number: int) -> None:
                done: asyncio.Future[None] = loop.create_future()
                jobs.put((state, number, done))
                await done

            async def worker() -> None:
                for number, batch in numbered:
                    body = body_of(batch, str(number))
                    await record("sending", number)
                    async with session.post(url + PATH, data=body) as response:
                        assert b'"1001"' in await response.read()
                    await record("settled", number)

            async with asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(worker())
        jobs.put(None)

    loop: asyncio.AbstractEventLoop
    asyncio.run(main())


def ours_send(path: Path, url: str, folder: Path) -> None:
    """
    ``voicepush send`` with everything on, in this very process.
    """
    import os  # noqa: PLC0415 -- each lane imports its own

    from voicepush.cli import run  # noqa: PLC0415 -- each lane imports its own

    os.environ["VOICEPUSH_SERVICE_KEY"] = "made-up"
    ledger = str(folder / "ours.db")
    command = ["send", str(path), "--media", "m", "--base-url", url]
    assert run([*command, "--ledger", ledger, "--json"]) == 0


def people(path: Path, url: str, folder: Path) -> None:
    """
    DictReader into a list, gather, a semaphore, aiohttp with ``json=``.
    """
    with path.open() as file:
        rows = list(csv.DictReader(file))
    aiohttp_gather([row["msisdn"] for row in rows], url, folder)


LISTS = {lane.__name__: lane for lane in (floor, ours, aiohttp_gather, httpx, requests)}
FILES = {lane.__name__: lane for lane in (floor_ledger, ours_send, people)}


def main() -> None:
    """
    Run one lane, and print its cost as JSON.
    """
    name, many, url, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    began_at = resource.getrusage(resource.RUSAGE_SELF)
    if name in LISTS:
        numbers = [f"+99{place:010d}" for place in range(many)]
        began_at = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        LISTS[name](numbers, url, Path(folder))
    else:
        began = time.perf_counter()
        FILES[name](Path(folder) / f"list-{many}.csv", url, Path(folder))
    wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - began_at.ru_utime - began_at.ru_stime
    # The last line, since a lane may print lines of its own.
    print(json.dumps({"cpu": cpu, "wall": wall, "memory": used.ru_maxrss / 1024}))


if __name__ == "__main__":
    main()

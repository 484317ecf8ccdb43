"""
One way to send, run once in a process of its own; prints what it cost.

    python benchmarks/lanes.py LANE RECIPIENTS URL FOLDER [AT_ONCE]

A lane makes its input first, and only what comes after that is measured. The lanes of
files have nothing to make; for those the whole process counts, start and end included,
and `compare` takes it from the operating system.

*floor* is what one would write by hand for speed alone, without verdicts, retries or
limits; *people* is what one would write in an afternoon.
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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import aiohttp
from lists import OWN_ID

SIZE = 1000
#: So many small sends, one after the other.
SENDS = 2000
PATH = "/resources/v1/messaging"
HEADERS = {"key": "made-up", "content-type": "application/json"}
HEAD = '{"deliverychannel":"voice","channels":{"voice":{"media":"m"}},"destination":['


class Task(NamedTuple):
    """
    What a lane is to do.
    """

    many: int
    url: str
    folder: Path
    at_once: int

    @property
    def file(self) -> Path:
        """
        The list of so many recipients.
        """
        return self.folder / f"list-{self.many}.csv"


#: What a lane makes before it is measured, and what it does then.
Lane = tuple[Callable[[Task], Any], Callable[[Task, Any], None]]


def numbers_of(task: Task) -> Iterator[str]:
    """
    So many made-up numbers, one by one; +99 is no country's code.
    """
    return map("+99{:010d}".format, range(task.many))


def list_of(task: Task) -> list[str]:
    """
    The same as a list.
    """
    return list(numbers_of(task))


def one_of(task: Task) -> list[str]:
    """
    One and the same number over and over, where only the time is looked at.
    """
    return ["+990000000000"] * task.many


def nothing(_: Task) -> None:
    """
    For a lane that makes its input while it runs.
    """


# By hand, for speed alone


def joined(numbers: list[str], tag: str) -> bytes:
    """
    A request with its columns joined in one expression.
    """
    ids = [f"{tag}-{place}" for place in range(len(numbers))]
    pairs = map('"],"correlationid":"'.join, zip(numbers, ids, strict=True))
    destinations = '"},{"msisdn":["'.join(pairs)
    return f'{HEAD}{{"msisdn":["{destinations}"}}]}}'.encode()


_BETWEEN = tuple(f'-{place}"}},{{"msisdn":["' for place in range(SIZE))


def slotted(numbers: list[str], tag: str) -> bytes:
    """
    The same, by the way that voicepush joins them.
    """
    pieces = [HEAD + '{"msisdn":["'] * (1 + 3 * len(numbers))
    pieces[1::3] = numbers
    pieces[2::3] = ['"],"correlationid":"' + tag] * len(numbers)
    pieces[3::3] = _BETWEEN[: len(numbers)]
    pieces[-1] = f'-{len(numbers) - 1}"}}]}}'
    return "".join(pieces).encode()


@asynccontextmanager
async def posting(task: Task) -> AsyncIterator[Callable[[bytes], Awaitable[None]]]:
    """
    What posts a body and wants it to be accepted.
    """
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=task.at_once), headers=HEADERS
    ) as session:

        async def post(body: bytes) -> None:
            async with session.post(task.url + PATH, data=body) as response:
                assert b'"1001"' in await response.read()

        yield post


async def workers(task: Task, works: Iterable[Awaitable[None]]) -> None:
    """
    Do *works*, so many at once.
    """
    shared = iter(works)

    async def worker() -> None:
        for work in shared:
            await work

    async with asyncio.TaskGroup() as group:
        for _ in range(task.at_once):
            group.create_task(worker())


def floor(
    task: Task, numbers: list[str], body: Callable[[list[str], str], bytes] = joined
) -> None:
    """
    Columns joined to a body, posted by aiohttp.
    """

    async def main() -> None:
        async with posting(task) as post:
            starts = range(0, len(numbers), SIZE)
            await workers(
                task, (post(body(numbers[at : at + SIZE], "t")) for at in starts)
            )

    asyncio.run(main())


def floor_file(task: Task, _: None) -> None:
    """
    Lines split in blocks, a row per batch in SQLite, commits shared, aiohttp.
    """
    jobs: SimpleQueue[tuple[str, int, asyncio.Future[None]] | None] = SimpleQueue()
    connection = sqlite3.connect(
        task.folder / "floor.db", isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE batch (number INTEGER PRIMARY KEY, state TEXT)")

    def write(loop: asyncio.AbstractEventLoop) -> None:
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

    async def main() -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=write, args=[loop]).start()

        async def record(state: str, number: int) -> None:
            done: asyncio.Future[None] = loop.create_future()
            jobs.put((state, number, done))
            await done

        async def work(number: int, batch: list[str]) -> None:
            body = joined(batch, str(number))
            await record("sending", number)
            await post(body)
            await record("settled", number)

        async with posting(task) as post:
            batches = enumerate(_batches(task.file))
            await workers(task, (work(number, batch) for number, batch in batches))
        jobs.put(None)

    asyncio.run(main())


def _batches(file: Path) -> Iterator[list[str]]:
    with file.open() as lines:
        next(lines)
        left: list[str] = []
        while block := lines.readlines(1 << 18):
            left += [line[line.index(",") + 1 : -1] for line in block]
            while len(left) >= SIZE:
                yield left[:SIZE]
                left = left[SIZE:]
        if left:
            yield left


# Ours; `voicepush send` is run as an operator would


def _client(task: Task) -> Any:
    import voicepush  # noqa: PLC0415 -- each lane imports its own

    return voicepush.Client(
        service_key="made-up", base_url=task.url, concurrency=task.at_once
    )


def _message() -> Any:
    import voicepush  # noqa: PLC0415 -- each lane imports its own

    return voicepush.VoiceMessage(media="m")


def _ours(make: Callable[[Task], Any] = list_of) -> Callable[[Task], Any]:
    def made(task: Task) -> Any:
        _message()  # imports it
        return make(task)

    return made


def destinations_of(task: Task, *, ids: bool) -> list[Any]:
    """
    The same numbers as objects, with own correlation ids or without.
    """
    import voicepush  # noqa: PLC0415 -- each lane imports its own

    if not ids:
        return list(map(voicepush.Destination, numbers_of(task)))
    return [
        voicepush.Destination(number, correlation_id=f"{OWN_ID}{place}")
        for place, number in enumerate(numbers_of(task))
    ]


def send(task: Task, recipients: Iterable[Any]) -> None:
    """
    `Client.send`.
    """

    async def main() -> None:
        async with _client(task) as client:
            summary = await client.send(_message(), recipients)
            assert task.many == summary.accepted

    asyncio.run(main())


def send_mixed(task: Task, recipients: Iterable[Any]) -> None:
    """
    `Client.send`, where the service rejects some of each request.
    """

    async def main() -> None:
        async with _client(task) as client:
            summary = await client.send(_message(), recipients)
            assert task.many == summary.accepted + summary.rejected
            assert 0 < summary.rejected < summary.accepted

    asyncio.run(main())


def make_and_send(task: Task, _: None, *, ids: bool) -> None:
    """
    `Client.send` of objects, with making them.
    """
    send(task, destinations_of(task, ids=ids))


def stream(task: Task, numbers: Iterable[str]) -> None:
    """
    `Client.stream`, each batch looked at.
    """
    import voicepush  # noqa: PLC0415 -- each lane imports its own

    async def main() -> None:
        accepted = 0
        async with (
            _client(task) as client,
            client.stream(_message(), numbers) as results,
        ):
            async for result in results:
                accepted += result.counts()[voicepush.Outcome.ACCEPTED]
        assert task.many == accepted

    asyncio.run(main())


def small(task: Task, numbers: list[str]) -> None:
    """
    Many a `Client.send` of few recipients, one after the other.
    """

    async def main() -> None:
        async with _client(task) as client:
            message = _message()
            for _ in range(SENDS):
                summary = await client.send(message, numbers)
                assert task.many == summary.accepted

    asyncio.run(main())


# What people write


def objects(numbers: list[str]) -> dict[str, Any]:
    """
    A request as objects, to be given as ``json=``.
    """
    return {
        "deliverychannel": "voice",
        "channels": {"voice": {"media": "m"}},
        "destination": [
            {"msisdn": [number], "correlationid": f"c-{number}"} for number in numbers
        ],
    }


def _read(task: Task) -> list[list[str]]:
    with task.file.open() as file:
        numbers = [row["msisdn"] for row in list(csv.DictReader(file))]
    return [numbers[at : at + SIZE] for at in range(0, len(numbers), SIZE)]


def people(task: Task, _: None) -> None:
    """
    DictReader into a list, gather, a semaphore, and aiohttp with ``json=``.
    """
    batches = _read(task)

    async def main() -> None:
        at_once = asyncio.Semaphore(task.at_once)
        async with aiohttp.ClientSession(headers=HEADERS) as session:

            async def post(batch: list[str]) -> None:
                async with (
                    at_once,
                    session.post(task.url + PATH, json=objects(batch)) as response,
                ):
                    assert (await response.json())["response"][0]["code"] == "1001"

            await asyncio.gather(*map(post, batches))

    asyncio.run(main())


def people_httpx(task: Task, _: None) -> None:
    """
    The same with httpx.
    """
    import httpx  # noqa: PLC0415 -- each lane imports its own

    batches = _read(task)

    async def main() -> None:
        at_once = asyncio.Semaphore(task.at_once)
        async with httpx.AsyncClient(headers=HEADERS, timeout=60) as session:

            async def post(batch: list[str]) -> None:
                async with at_once:
                    answer = await session.post(task.url + PATH, json=objects(batch))
                    assert answer.json()["response"][0]["code"] == "1001"

            await asyncio.gather(*map(post, batches))

    asyncio.run(main())


def people_requests(task: Task, _: None) -> None:
    """
    The same with requests, in threads.
    """
    import requests  # noqa: PLC0415 -- each lane imports its own

    local = threading.local()

    def post(batch: list[str]) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        url = task.url + PATH
        answer = local.session.post(url, json=objects(batch), headers=HEADERS)
        assert answer.json()["response"][0]["code"] == "1001"

    with ThreadPoolExecutor(task.at_once) as threads:
        list(threads.map(post, _read(task)))


def bare(task: Task, numbers: list[str]) -> None:
    """
    Many a post of few recipients with ``json=``, and nothing else.
    """

    async def main() -> None:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            for _ in range(SENDS):
                async with session.post(
                    task.url + PATH, json=objects(numbers)
                ) as response:
                    assert (await response.json())["response"][0]["code"] == "1001"

    asyncio.run(main())


LANES: dict[str, Lane] = {
    "floor": (list_of, floor),
    "floor_one": (one_of, floor),
    "floor_slots": (list_of, partial(floor, body=slotted)),
    "send": (_ours(), send),
    "send_generator": (_ours(numbers_of), send),
    "send_one": (_ours(one_of), send),
    "send_mixed": (_ours(), send_mixed),
    "send_destinations": (_ours(partial(destinations_of, ids=False)), send),
    "send_destinations_ids": (_ours(partial(destinations_of, ids=True)), send),
    "make_destinations": (_ours(nothing), partial(make_and_send, ids=False)),
    "make_destinations_ids": (_ours(nothing), partial(make_and_send, ids=True)),
    "stream": (_ours(), stream),
    "bare": (list_of, bare),
    "small": (_ours(), small),
    "floor_file": (nothing, floor_file),
    "people": (nothing, people),
    "people_httpx": (nothing, people_httpx),
    "people_requests": (nothing, people_requests),
}


def main() -> None:
    """
    Run one lane, and print what it cost after its input was there.
    """
    name, many, url, folder, *at_once = sys.argv[1:]
    task = Task(int(many), url, Path(folder), int(at_once[0]) if at_once else 32)
    make, run = LANES[name]
    made = make(task)
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.perf_counter()
    run(task, made)
    wall = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu": cpu, "wall": wall}))


if __name__ == "__main__":
    main()

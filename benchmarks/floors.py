"""
What a campaign costs at least: one pass by hand over a CSV, as a whole process.

    python benchmarks/floors.py plain|ids FILE URL LEDGER [AT_ONCE]

Duplicates are dropped, the recipients are kept, and each batch is claimed before and
settled after its request with shared, fully durable commits. What it leaves out:
normal forms, a plan before the first request, verdicts, retries, limits, time-outs of
its own, a lookup, and a way to go on after a crash.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from lanes import HEAD, SIZE, Task, joined, posting, workers

_BLOCK = 1 << 18

_CLAIM = "INSERT INTO batch VALUES (?, 'sending', ?, ?)"
_SETTLE = "UPDATE batch SET state = 'settled' WHERE number = ?"

#: Numbers, and their own ids where there are any.
Columns = tuple[list[str], list[str]]


class _Job(NamedTuple):
    statement: str
    values: tuple[Any, ...]
    done: asyncio.Future[None]


class Ledger:
    """
    A row per batch; a thread writes, and takes everything that waits into one commit.
    """

    def __init__(self, path: Path) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._database = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(
            "CREATE TABLE batch"
            " (number INTEGER PRIMARY KEY, state TEXT, recipients TEXT, ids TEXT)"
        )
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._write).start()

    def close(self) -> None:
        """
        End the thread.
        """
        self._jobs.put(None)

    async def claim(self, number: int, recipients: list[str], ids: list[str]) -> None:
        """
        Keep the recipients, before their request leaves.
        """
        await self._do(_CLAIM, (number, "\n".join(recipients), "\n".join(ids)))

    async def settle(self, number: int) -> None:
        """
        Keep that they were accepted.
        """
        await self._do(_SETTLE, (number,))

    async def _do(self, statement: str, values: tuple[Any, ...]) -> None:
        job = _Job(statement, values, self._loop.create_future())
        self._jobs.put(job)
        await job.done

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            while not self._jobs.empty() and (more := self._jobs.get()) is not None:
                group.append(more)
            self._database.execute("BEGIN IMMEDIATE")
            for statement, values, _ in group:
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
            self._loop.call_soon_threadsafe(_answer, [each.done for each in group])
        self._database.close()


def _answer(group: list[asyncio.Future[None]]) -> None:
    for done in group:
        done.set_result(None)


def plain(file: Path) -> Iterator[Columns]:
    """
    The second column of *file*, without duplicates, in batches.
    """
    seen: set[str] = set()
    left: list[str] = []
    with file.open() as lines:
        next(lines)
        while block := lines.readlines(_BLOCK):
            values = dict.fromkeys([line[line.index(",") + 1 : -1] for line in block])
            fresh = [value for value in values if value not in seen]
            seen.update(fresh)
            left += fresh
            whole = len(left) - len(left) % SIZE
            for at in range(0, whole, SIZE):
                yield left[at : at + SIZE], []
            del left[:whole]
    if left:
        yield left, []


def ids(file: Path) -> Iterator[Columns]:
    """
    The second column and the ids in the third, both without duplicates, in batches.
    """
    seen: set[str] = set()
    seen_ids: set[str] = set()
    values: list[str] = []
    own: list[str] = []
    with file.open() as lines:
        next(lines)
        while block := lines.readlines(_BLOCK):
            for line in block:
                _, value, own_id = line[:-1].split(",")
                if value not in seen and own_id not in seen_ids:
                    seen.add(value)
                    seen_ids.add(own_id)
                    values.append(value)
                    own.append(own_id)
            whole = len(values) - len(values) % SIZE
            for at in range(0, whole, SIZE):
                yield values[at : at + SIZE], own[at : at + SIZE]
            del values[:whole], own[:whole]
    if values:
        yield values, own


def body_of(number: int, values: list[str], own: list[str]) -> bytes:
    """
    A request with its columns joined in one expression; own ids need no escapes here.
    """
    if not own:
        return joined(values, str(number))
    pairs = map('"],"correlationid":"'.join, zip(values, own, strict=True))
    destinations = '"},{"msisdn":["'.join(pairs)
    return f'{HEAD}{{"msisdn":["{destinations}"}}]}}'.encode()


_READ: dict[str, Callable[[Path], Iterator[Columns]]] = {"plain": plain, "ids": ids}


async def run(kind: str, file: Path, ledger_path: Path, task: Task) -> int:
    """
    Send *file*, and count who was sent to.
    """
    sent = 0
    ledger = Ledger(ledger_path)

    async def work(number: int, values: list[str], own: list[str]) -> None:
        nonlocal sent
        body = body_of(number, values, own)
        await ledger.claim(number, values, own)
        await post(body)
        await ledger.settle(number)
        sent += len(values)

    try:
        async with posting(task) as post:
            batches = enumerate(_READ[kind](file))
            await workers(task, (work(number, *columns) for number, columns in batches))
    finally:
        ledger.close()
    return sent


def main() -> None:
    """
    Run one of them.
    """
    kind, file, url, ledger, *at_once = sys.argv[1:]
    path = Path(ledger)
    task = Task(0, url, path.parent, int(at_once[0]) if at_once else 32)
    print(json.dumps({"sent": asyncio.run(run(kind, Path(file), path, task))}))


if __name__ == "__main__":
    main()

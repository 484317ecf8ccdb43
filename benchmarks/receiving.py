"""
What receipts cost: the notify URL against an empty handler, disk, memory, questions.

    python benchmarks/receiving.py [--calls 1000000] [--posts 100000]
    python benchmarks/receiving.py --only apply
    python benchmarks/receiving.py --only apply --calls 10000000 --receipts 400000
    python benchmarks/receiving.py --only caps --calls 10000000

The servers run on one core and the poster on another, where there are two. Each part
prints its figures; ratios are of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

from processes import ENVIRONMENT

from voicepush import (
    Batch,
    BatchId,
    BatchResult,
    Campaign,
    CampaignState,
    Cap,
    Claimed,
    Due,
    Group,
    Kind,
    Ledger,
    Outcome,
    Plan,
    Recipients,
    Verdict,
    VoiceMessage,
    open_ledger,
)
from voicepush.receipts.receipt import read_receipt
from voicepush.sending.request import dump_message

TAG, SECRET = "0123456789", b"made-up"
MESSAGE = VoiceMessage(media="x")
EVENTS = (
    ("7407", "OFFERED", "Call offered"),
    ("7408", "ACCEPTED", "Call accepted"),
    ("7519", "ANSWERED", "Call answered"),
    ("7409", "DROPPED", "Call dropped"),
)
EMPTY = """
from aiohttp import web
async def take(request):
    await request.read()
    return web.Response()
app = web.Application()
app.router.add_post("/receipts", take)
web.run_app(app, host="127.0.0.1", port=int(__import__("sys").argv[1]), print=None,
            access_log=None)
"""


def body(
    call: int, event: tuple[str, str, str], *, bare: bool, chance: random.Random
) -> bytes:
    """
    What the platform posts of an *event* of a *call*.
    """
    code, status, words = event
    number, place = divmod(call, 1000)
    minute, second = call // 60 % 60, call % 60
    at = f"2026-11-28T07:{minute:02}:{second:02}.{chance.randrange(1000):03}Z"
    transaction = f"{transaction_of(number)}_{place}"
    info = {
        "timeStamp": at,
        "Description": words,
        "code": code,
        "deliveryChannel": "voice",
        "additionalInfo": "",
        "destination": f"+999{call:09}",
        "destinationType": "msisdn",
        "deliveryStatus": status,
    }
    notification = {
        "deliveryInfo": info,
        "subtid": "",
        "transid": transaction,
        "callbackData": "" if bare else f"{TAG}-{number}",
        "correlationid": "" if bare else f"{TAG}-{number}-{place}",
    }
    trans_info = f"<evt:releaseEvent><evt:id>{transaction}</evt:id></evt:releaseEvent>"
    return json.dumps(
        {"deliveryTransInfo": trans_info, "deliveryInfoNotification": notification}
    ).encode()


def transaction_of(number: int) -> str:
    """
    What the platform calls the request of a batch.
    """
    return hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()


def bodies(calls: int, number: int, *, window: int = 20_000) -> Iterator[bytes]:
    """
    A *number* of receipts of *calls*, those of a few thousand calls at a time in any
    order, every hundredth without the ids that tell whose it is.

    Where these are receipts of some calls only, they are calls from everywhere.
    """
    chance = random.Random(0)  # noqa: S311 -- no secret
    made = 0
    starts = list(range(0, calls, window))
    if number < calls:
        chance.shuffle(starts)
    for start in starts:
        some = [
            (call, event)
            for call in range(start, min(calls, start + window))
            for event in EVENTS
        ]
        chance.shuffle(some)
        for call, event in some:
            if made == number:
                return
            made += 1
            yield body(call, event, bare=made % 100 == 0, chance=chance)


async def plan(ledger: Ledger, calls: int) -> None:
    """
    A campaign of *calls* that are all accepted.
    """
    message = dump_message(MESSAGE)
    draft = await ledger.draft(
        Plan(campaign="june", message=message, source="s", tag=TAG)
    )
    group, count = Group(MESSAGE), calls // 1000
    for start in range(0, count, 50):
        numbers = range(start, min(count, start + 50))
        await draft.add([_batch(number, group) for number in numbers])
    counts = dict.fromkeys(("invalid", "duplicate", "suppressed"), 0)
    await draft.publish({"read": calls, **counts})
    worker = await ledger.join("june", lambda _: MESSAGE)
    accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")

    async def record(due: Due) -> None:
        batch = due.known.batch
        claimed = await worker.claim(batch, range(1000))
        assert isinstance(claimed, Claimed)
        named = (transaction_of(batch.id.number),)
        await worker.record(claimed, BatchResult(batch, accepted, {}, named, 1))

    while isinstance(due := await worker.due(64), list):
        await asyncio.gather(*map(record, due))
    await worker.leave(CampaignState.FINISHED)


def _batch(number: int, group: Group) -> Batch:
    first = number * 1000
    values = [f"+999{call:09}" for call in range(first, first + 1000)]
    rows = range(first + 1, first + 1001)
    return Batch(BatchId(TAG, number), Recipients(Kind.MSISDN, values, rows), group)


class Poster(asyncio.Protocol):
    """
    One connection, which posts the next body once the last was answered.
    """

    statuses: dict[bytes, int]
    left: Iterator[bytes]
    open = 0
    done: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """
        Begin.
        """
        self.transport = transport
        self._post()

    def data_received(self, data: bytes) -> None:
        """
        Count an answer, and go on.
        """
        cls = type(self)
        status = data[9:12]
        cls.statuses[status] = cls.statuses.get(status, 0) + 1
        self._post()

    def _post(self) -> None:
        cls = type(self)
        request = next(cls.left, None)
        if request is not None:
            self.transport.write(request)  # type: ignore[attr-defined]
            return
        cls.open -= 1
        self.transport.close()
        if not cls.open:
            cls.done.set_result(None)


async def post(port: int, requests: Sequence[bytes], connections: int) -> float:
    """
    Post all of *requests*; gives how long that took.
    """
    loop = asyncio.get_running_loop()
    Poster.left, Poster.statuses = iter(requests), {}
    Poster.done, Poster.open = loop.create_future(), connections
    began = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(Poster, "127.0.0.1", port)
    await Poster.done
    seconds = time.perf_counter() - began
    assert set(Poster.statuses) == {b"200"}, Poster.statuses
    return seconds


def request(text: bytes) -> bytes:
    """
    *text* as a signed request.
    """
    signature = hmac.new(SECRET, text, hashlib.sha256).hexdigest()
    head = (
        "POST /receipts HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\n"
        f"x-hub-signature: {signature}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


class Server:
    """
    A process on the first core.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        pinned = ["taskset", "-c", "0", sys.executable, *command]
        self.process = subprocess.Popen(  # noqa: S603 -- our own programs
            pinned,
            cwd=folder,
            env=ENVIRONMENT,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def cpu(self) -> float:
        """
        Its seconds so far.
        """
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """
        Its MB at present.
        """
        text = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def server(
    command: Sequence[str], port: int, folder: Path
) -> AsyncIterator[Server]:
    """
    A server that listens at *port*.
    """
    found = Server(command, folder)
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        yield found
    finally:
        found.process.terminate()
        found.process.wait()


async def serve(calls: int, posts: int, connections: int, folder: Path) -> None:
    """
    An empty handler and the notify URL in turns, and questions beside the load.
    """
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})
    (folder / "secret").write_bytes(SECRET)
    ledger = folder / "l.db"
    async with open_ledger(ledger) as opened:
        await plan(opened, calls)
    ours = ["-m", "voicepush", "receipts", "--listen", "127.0.0.1:18091"]
    ours += ["--secret-file", "secret", "--ledger", str(ledger)]
    stream = map(request, bodies(calls, 10**9))
    rates: dict[str, list[float]] = {"empty": [], "ours": []}
    memory = []
    async with (
        server(["-c", EMPTY, "18092"], 18092, folder) as empty,
        server(ours, 18091, folder) as receiver,
    ):
        for _ in range(5):
            some = [each for each, _ in zip(stream, range(posts), strict=False)]
            for name, each, port in (
                ("empty", empty, 18092),
                ("ours", receiver, 18091),
            ):
                before = each.cpu()
                seconds = await post(port, some, connections)
                rates[name].append(posts / seconds)
                spent = 1e6 * (each.cpu() - before) / posts
                print(f"{name:6} {posts / seconds:8,.0f}/s, {spent:5.1f} us CPU each")
            memory.append(receiver.memory())
        medians = {name: statistics.median(found) for name, found in rates.items()}
        print(f"ours / empty: {medians['ours'] / medians['empty']:.2f}")
        print("MB after each round:", ", ".join(f"{each:.0f}" for each in memory))
        some = [each for each, _ in zip(stream, range(posts), strict=False)]
        idle = [_ask(folder, ledger) for _ in range(5)]
        load = asyncio.create_task(post(18091, some, connections))
        loaded = []
        while not load.done():
            loaded.append(await asyncio.to_thread(_ask, folder, ledger))
    print(
        f"status + lookup: {statistics.median(idle):.3f} s idle, "
        f"{statistics.median(loaded or [0]):.3f} s beside the load"
    )
    _tell_disk(ledger)


def _ask(folder: Path, ledger: Path) -> float:
    began = time.perf_counter()
    for words in (["status", "june"], ["lookup", "+999000000042"]):
        subprocess.run(  # noqa: S603 -- our own program
            [sys.executable, "-m", "voicepush", *words, "--ledger", str(ledger)],
            cwd=folder,
            env=ENVIRONMENT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return time.perf_counter() - began


def _tell_disk(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        count = connection.execute(
            "SELECT sum(number), sum(length(packed)) FROM body_block"
        ).fetchone()
        calls, text = connection.execute(
            "SELECT count(*), sum(length(bodies)) FROM call"
        ).fetchone()
        try:
            sizes = dict(
                connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")
            )
        except sqlite3.OperationalError:
            sizes = {}
        people = connection.execute("SELECT planned FROM tally").fetchone()[0]
    receipts, packed = count
    print(f"bytes of bodies per receipt: {packed / receipts:.1f}")
    if sizes:
        index = sizes["index_page"] / people
        print(f"bytes on disk per recipient, where numbers are found: {index:.1f}")
        kept = sizes["body_block"] + sizes["call"]
        print(f"bytes on disk per receipt, bodies and calls: {kept / receipts:.1f}")
    else:
        print(f"places of bodies per call: {text / calls:.1f} bytes")


async def apply(calls: int, number: int, folder: Path) -> None:
    """
    A *number* of receipts, applied by one process without a server.
    """
    async with open_ledger(folder / "a.db") as ledger:
        await plan(ledger, calls)
        reading, applying = 0.0, 0.0
        part: list[bytes] = []
        done = 0
        for each in bodies(calls, number):
            part.append(each)
            if len(part) == 250:
                began = time.process_time()
                receipts = [read_receipt(text, 1.0) for text in part]
                read = time.process_time()
                await ledger.receive(receipts)
                reading += read - began
                applying += time.process_time() - read
                done += len(part)
                part = []
        print(
            f"{done:,} receipts of {calls:,} calls: {reading:.1f} s CPU to read, "
            f"{applying:.1f} s to apply, {1e6 * applying / done:.1f} us each"
        )
        print(await ledger.receipt_counts())
    _tell_disk(folder / "a.db")


async def cap(calls: int, folder: Path) -> None:
    """
    What it costs that nobody is called again who is among so many *calls*.
    """
    async with open_ledger(folder / "c.db") as ledger:
        await plan(ledger, calls)
    with closing(sqlite3.connect(folder / "c.db")) as connection, connection:
        # They were an hour ago; who is called by others just now is looked at anew.
        connection.execute("UPDATE batch SET claimed_at = claimed_at - 3600")
    async with open_ledger(folder / "c.db") as ledger:
        for name, caps in (("free", []), ("capped", [Cap(1, 86_400.0)])):
            # Every tenth of them was called.
            prefix = "+997" if caps else "+998"
            first = 0 if caps else 20_000
            numbers = [
                f"{prefix if place % 10 else '+999'}{place:09d}"
                for place in range(first, first + 20_000)
            ]
            began = time.process_time()
            await Campaign.plan(ledger, name, MESSAGE, numbers, caps=caps)
            planned = time.process_time() - began
            claims = await _claims(ledger, name)
            print(
                f"{name:6}: planned in {planned:.2f} s CPU, a claim takes "
                f"{1000 * statistics.median(claims):.2f} ms CPU of "
                f"{len(claims)}, {1000 * max(claims):.2f} at most"
            )


async def _claims(ledger: Ledger, name: str) -> list[float]:
    """
    What each claim of the campaign *name* costs, in seconds of CPU.
    """
    worker = await ledger.join(name, lambda _: MESSAGE)
    found = []
    while isinstance(due := await worker.due(1), list):
        batch = due[0].known.batch
        began = time.process_time()
        claimed = await worker.claim(batch, range(len(batch)))
        found.append(time.process_time() - began)
        assert isinstance(claimed, Claimed)
        accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
        await worker.record(claimed, BatchResult(batch, accepted))
    await worker.leave(CampaignState.FINISHED)
    return found


def main() -> None:
    """
    Run what is asked for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--receipts", type=int, help="to apply; else 3 for each call")
    parser.add_argument("--only", choices=["serve", "apply", "caps"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only in (None, "apply"):
            number = given.receipts or 3 * given.calls
            asyncio.run(apply(given.calls, number, folder))
        if given.only == "caps":
            asyncio.run(cap(given.calls, folder))
        if given.only in (None, "serve"):
            serving = serve(given.calls, given.posts, given.connections, folder)
            asyncio.run(serving)


if __name__ == "__main__":
    main()

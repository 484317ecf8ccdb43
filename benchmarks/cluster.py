"""
How much faster several workers are than one, against a service that takes its time.

    python benchmarks/cluster.py [--workers 1 2 4] [--batches 1000] [--latency 0.2]

Starts a PostgreSQL of its own, with `fsync` on; the sink; and workers, as processes.
A worker's requests go at the same time, so it is measured what the database and this
machine can do, not what the network can.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from database import server_cpu
from processes import ENVIRONMENT
from sink import serving

from voicepush import Campaign, VoiceMessage, open_ledger
from voicepush.cluster.dispatching import release
from voicepush.ledger.sharing import is_shared

sys.path.append(str(Path(__file__).parents[1] / "tests"))

MESSAGE = VoiceMessage(media="welcome")
SIZE = 1000
#: What happens at the start and at the end, when not all are at work, is not counted.
COUNTED = (0.2, 0.8)


async def plan(address: str, name: str, batches: int) -> None:
    """
    Plan so many batches, which nobody sends yet.
    """
    people = (f"+999{number:09}" for number in range(batches * SIZE))
    async with open_ledger(address) as ledger:
        await Campaign.plan(ledger, name, MESSAGE, people)


async def give(address: str, name: str) -> float:
    """
    Give it to the workers, and wait until most of it is done: recipients per second.
    """
    async with open_ledger(address) as ledger:
        assert is_shared(ledger)
        await release(ledger, name)
        seen: list[tuple[float, int]] = []
        while True:
            status = await ledger.status(name)
            assert status is not None
            share = status.accepted / status.planned
            if share >= COUNTED[0]:
                seen.append((time.monotonic(), status.accepted))
            if share >= COUNTED[1]:
                (then, before), (now, done) = seen[0], seen[-1]
                return (done - before) / (now - then)
            await asyncio.sleep(0.02)


async def ended(address: str, name: str) -> None:
    """
    Wait until it is over.
    """
    async with open_ledger(address) as ledger:
        while True:
            status = await ledger.status(name)
            assert status is not None
            if status.state == "finished":
                return
            await asyncio.sleep(0.1)


def main() -> None:
    """
    Each number of workers, one after the other.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--batches", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    from postgres import Server  # noqa: PLC0415 -- that of the tests

    folder = Path(tempfile.mkdtemp(prefix="voicepush-bench-", dir=given.folder))
    home = folder / "server"
    home.mkdir()
    folder.chmod(0o755)
    server = Server(home, fsync="on", shared_buffers="128MB")
    try:
        with serving(latency=given.latency) as sink:
            measure(given, server, sink.url)
    finally:
        server.stop_at_once()
        shutil.rmtree(folder)


def measure(given: argparse.Namespace, server: Any, url: str) -> None:
    """
    Print what each number of workers did, and what it cost.
    """
    one = 0.0
    most = given.concurrency / given.latency * SIZE
    for number in given.workers:
        name = f"by-{number}"
        asyncio.run(plan(server.address, name, given.batches * number))
        command = [sys.executable, "-m", "voicepush", "worker", "--base-url", url]
        command += ["--concurrency", str(given.concurrency)]
        environment = {**ENVIRONMENT, "VOICEPUSH_LEDGER": server.address}
        workers = [
            subprocess.Popen(  # noqa: S603 -- our own program
                command, env=environment, stderr=subprocess.DEVNULL
            )
            for _ in range(number)
        ]
        time.sleep(3)
        before, ours = server_cpu(server.process.pid), cpu_of(workers)
        speed = asyncio.run(give(server.address, name))
        asyncio.run(ended(server.address, name))
        batches = given.batches * number
        of_server = 1000 * (server_cpu(server.process.pid) - before) / batches
        of_workers = 1000 * (cpu_of(workers) - ours) / batches
        one = one or speed / number
        with psycopg.connect(server.address) as connection:
            row = connection.execute("SELECT count(*) FROM pg_stat_activity").fetchone()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()
        print(
            f"{number} workers: {speed:,.0f} recipients/s, {speed / one / number:.2f} "
            f"of linear, {speed / number / most:.2f} of what the latency allows; per "
            f"batch {of_server:.1f} ms of the server's CPU, {of_workers:.1f} ms of the "
            f"workers'; {row and row[0]} connections and processes of the server",
            flush=True,
        )


def cpu_of(processes: list[subprocess.Popen[bytes]]) -> float:
    """
    The seconds of CPU that *processes* have taken.
    """
    found = 0
    for each in processes:
        stat = Path(f"/proc/{each.pid}/stat").read_text(encoding="utf-8")
        user, system = stat.rpartition(")")[2].split()[11:13]
        found += int(user) + int(system)
    return found / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()

"""
What a ledger in PostgreSQL costs against one in SQLite: planning, its size, and
questions while a dispatcher is at work.

    python benchmarks/database.py [--recipients 10000000] [--folder /tmp]
    python benchmarks/database.py --recipients 2000000 --only plan

Starts a server of its own, with `fsync` on and every other setting as it comes, in a
new folder; and the sink. Each part is a process of its own; the server's time is that
of all its processes. Ratios are of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from processes import ENVIRONMENT
from sink import serving

from voicepush import Campaign, Client, Ledger, VoiceMessage, open_ledger, read_file

sys.path.append(str(Path(__file__).parents[1] / "tests"))

MESSAGE = VoiceMessage(media="welcome")
TICKS = os.sysconf("SC_CLK_TCK")

#: What a recipient takes, by kind of storage.
SIZES = """
    SELECT sum(pg_relation_size(oid, 'main')) AS tables,
        sum(pg_indexes_size(oid)) AS indexes,
        sum(CASE WHEN reltoastrelid = 0 THEN 0
            ELSE pg_total_relation_size(reltoastrelid) END) AS toast
    FROM pg_class WHERE relnamespace = 'voicepush'::regnamespace AND relkind = 'r'
"""
INDEX = "SELECT pg_total_relation_size('voicepush.index_page')"


async def plan(ledger: Ledger, listed: Path, size: int) -> None:
    """
    Plan all who are listed, in batches of *size*.
    """
    await Campaign.plan(ledger, "big", MESSAGE, read_file(listed), batch_size=size)


async def ask(ledger: Ledger, listed: Path) -> None:
    """
    Ask a hundred times where a campaign stands, and about someone.
    """
    with listed.open() as file:
        number = [next(file) for _ in range(1_001)][-1].strip()
    asked: dict[str, Callable[[], Any]] = {
        "status": lambda: ledger.status("big"),
        "lookup": lambda: ledger.lookup(number),
    }
    for name, each in asked.items():
        times = []
        for _ in range(100):
            begun = time.perf_counter()
            assert await each()
            times.append(1000 * (time.perf_counter() - begun))
            await asyncio.sleep(0.02)
        print(
            f"{name}: median {statistics.median(times):.1f} ms, longest "
            f"{max(times):.1f} ms"
        )


async def dispatch(ledger: Ledger, base_url: str) -> None:
    """
    Dispatch it as fast as it goes.
    """
    async with Client(base_url=base_url, service_key="x") as client:
        campaign = await Campaign.open(ledger, "big")
        begun = time.perf_counter()
        await campaign.dispatch(client)
        print(f"dispatched in {time.perf_counter() - begun:.1f} s")
        status = await campaign.status()
        assert status.accepted == status.planned


async def part(name: str, where: str, listed: Path, how: str) -> None:
    """
    One of the parts, in a process of its own.
    """
    async with open_ledger(where) as ledger:
        if name == "plan":
            await plan(ledger, listed, int(how))
        elif name == "ask":
            await ask(ledger, listed)
        else:
            await dispatch(ledger, how)


def server_cpu(pid: int) -> float:
    """
    The seconds of a core that the server and all that it has started have taken.
    """
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if process.name == str(pid):
            total += sum(map(int, fields[11:15]))  # with those that have ended
        elif fields[1] == str(pid):
            total += sum(map(int, fields[11:13]))
    return total / TICKS


class Part:
    """
    One of the parts, which runs until it is waited for; with what it and the server
    take.
    """

    def __init__(
        self, server: Any, name: str, where: str, listed: Path, how: str
    ) -> None:
        self._pid = server.process.pid
        self._before = server_cpu(self._pid)
        self._begun = time.perf_counter()
        self.process = subprocess.Popen(  # noqa: S603 -- ours
            [sys.executable, __file__, "--part", name, where, str(listed), how],
            env=ENVIRONMENT,
        )

    def took(self) -> str:
        """
        Wait for its end; gives what it took, in words.
        """
        _, status, used = os.wait4(self.process.pid, 0)
        # Of one that was waited for at once.
        wall = time.perf_counter() - self._begun
        self.process.returncode = os.waitstatus_to_exitcode(status)
        assert self.process.returncode == 0
        of_server = server_cpu(self._pid) - self._before
        cpu = used.ru_utime + used.ru_stime
        return (
            f"{wall:.1f} s, CPU {cpu:.1f} s, and of the server "
            f"{of_server:.1f} s; peak {used.ru_maxrss / 1024:.0f} MB"
        )


def main() -> None:
    """
    All parts, one after the other.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["plan"])
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        name, where, listed, how = given.part
        asyncio.run(part(name, where, Path(listed), how))
        return
    from postgres import Server  # noqa: PLC0415 -- that of the tests

    folder = Path(tempfile.mkdtemp(prefix="voicepush-bench-", dir=given.folder))
    home = folder / "server"
    home.mkdir()
    folder.chmod(0o755)
    server = Server(home, fsync="on", shared_buffers="128MB")
    try:
        measure(given, folder, server)
    finally:
        server.stop_at_once()
        shutil.rmtree(folder)


def measure(given: argparse.Namespace, folder: Path, server: Any) -> None:
    """
    Print what the parts say and cost.
    """
    many = given.recipients
    listed = folder / "list.csv"
    with listed.open("w") as file:
        file.write("msisdn\n")
        # All different and in no order, as no number compresses well then.
        file.writelines(
            f"+999{number * 736_878_767 % 999_999_937:09}\n" for number in range(many)
        )
    for turn in range(given.rounds):
        wheres = {
            "sqlite": str(folder / f"{turn}.db"),
            "postgres": f"{server.address}",
        }
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS voicepush CASCADE")
        for kind, where in wheres.items():
            size = str(given.batch_size)
            took = Part(server, "plan", where, listed, size).took()
            print(f"plan {many:,} into {kind}: {took}", flush=True)
        with psycopg.connect(server.address) as connection:
            row = connection.execute(SIZES).fetchone()
            index = connection.execute(INDEX).fetchone()
        assert row is not None
        assert index is not None
        file_size = (folder / f"{turn}.db").stat().st_size
        print(
            f"bytes per recipient: SQLite {file_size / many:.1f}; PostgreSQL "
            f"{sum(row) / many:.1f}: "
            + ", ".join(
                f"{name} {size / many:.1f}"
                for name, size in zip(("tables", "indexes", "TOAST"), row, strict=True)
            )
            + f"; of it for the index by number {index[0] / many:.1f}"
        )
    if given.only != "plan":
        with serving() as sink:
            for kind, where in wheres.items():
                print(f"{kind}, nobody at work:", flush=True)
                Part(server, "ask", where, listed, "").took()
                print(f"{kind}, beside a dispatch at full speed:", flush=True)
                working = Part(server, "dispatch", where, listed, sink.url)
                time.sleep(2)
                Part(server, "ask", where, listed, "").took()
                took = working.took().partition("CPU")[2]
                print(f"that dispatch: CPU{took}", flush=True)


if __name__ == "__main__":
    main()

"""
Workers of one campaign on PostgreSQL, as real processes that are killed, stopped and
cut off.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import postgres
import psycopg
from conftest import numbers
from mishaps import say, wait_until

from voicepush.simulator import Simulator

_MAIN = "from voicepush.cli.application import main; main()"

#: Lets the process stop itself between the claim and the first byte of a request.
STOPS_AT = """
import os, signal
from voicepush.sending.posting import Poster
post, left = Poster.post, [{at}]
async def stopping(self, *arguments):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
    return await post(self, *arguments)
Poster.post = stopping
"""

OUTCOMES = ("accepted", "rejected", "expired", "not_sent", "unknown")


def new_database() -> str:
    """
    The address of a database of its own.
    """
    server = postgres.server()
    name = f"calls_{os.urandom(4).hex()}"
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.address.replace("/postgres?", f"/{name}?")


class Proxy:
    """
    Stands between processes and the server, until it is cut.
    """

    def __init__(self, folder: Path) -> None:
        self._target = str(postgres.server().folder / ".s.PGSQL.5432")
        self.folder = folder
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen(64)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._is_cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, of: str) -> str:
        """
        The address *of* a database, through this.
        """
        return f"{of.partition('?')[0]}?host={self.folder}"

    @contextmanager
    def cut(self) -> Iterator[None]:
        """
        Nobody gets through meanwhile.
        """
        self._is_cut = True
        for pair in self._pairs:
            _close(*pair)
        self._pairs.clear()
        yield
        self._is_cut = False

    def close(self) -> None:
        """
        Let nobody through any more.
        """
        self._listener.close()
        for pair in self._pairs:
            _close(*pair)

    def _accept(self) -> None:
        while True:
            try:
                theirs, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                theirs.close()
                continue
            ours = socket.socket(socket.AF_UNIX)
            try:
                ours.connect(self._target)
            except OSError:
                _close(ours, theirs)
                continue
            self._pairs.append((theirs, ours))
            threading.Thread(
                target=self._carry, args=(theirs, ours), daemon=True
            ).start()

    def _carry(self, theirs: socket.socket, ours: socket.socket) -> None:
        others = {theirs: ours, ours: theirs}
        with contextlib.suppress(OSError, ValueError):
            while True:
                for each in select.select([theirs, ours], [], [])[0]:
                    data = each.recv(65_536)
                    if not data:
                        return _close(theirs, ours)
                    others[each].sendall(data)
        return _close(theirs, ours)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@attrs.define(eq=False)
class Cluster:
    """
    A campaign of *batches* of *size*, and the workers that send it.
    """

    simulator: Simulator
    address: str
    batches: int
    size: int = 10
    concurrency: int = 4
    chance: random.Random = attrs.field(factory=lambda: random.Random(5))  # noqa: S311
    workers: list[subprocess.Popen[bytes]] = attrs.field(factory=list)
    killed: list[int] = attrs.field(factory=list)

    @property
    def people(self) -> int:
        """
        How many are to be called.
        """
        return self.batches * self.size

    def lost_with(self) -> dict[int, int]:
        """
        How many people are unknown because a worker was gone, by its process.
        """
        with psycopg.connect(self.address) as connection:
            found = connection.execute(
                "SELECT split_part(claimed_by, ':', 2)::int, sum(unknown)::int "
                "FROM voicepush.batch WHERE unknown > 0 GROUP BY 1"
            ).fetchall()
        return dict(found)

    @property
    def most_unknown(self) -> int:
        """
        The most that may be in flight with one worker: what is under way, and what is
        answered and being recorded.
        """
        return 2 * self.concurrency * self.size

    def start(
        self, *, first: str = "", address: str | None = None, drain: str = "20s"
    ) -> None:
        """
        Start one more worker.

        Args:
            first: What its process does before it begins.
        """
        command = [sys.executable, "-c", first + _MAIN, "worker"]
        options = ["--concurrency", str(self.concurrency), "--drain", drain]
        with Path(f"worker-{len(self.killed)}-{len(self.workers)}.log").open(
            "wb"
        ) as log:
            started = subprocess.Popen(  # noqa: S603 -- our own program
                [*command, *options, "--base-url", self.simulator.url],
                env={**os.environ, "VOICEPUSH_LEDGER": address or self.address},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.workers.append(started)

    def plan(self) -> None:
        """
        Give the campaign to the workers.
        """
        lines = "".join(f"{each}\n" for each in numbers(self.people))
        Path("june.csv").write_text(f"msisdn\n{lines}")
        told = say(
            *("send", "june.csv", "--media", "welcome", "--detach"),
            *("--batch-size", str(self.size), "--base-url", self.simulator.url),
        )
        assert 0 == told.code, told.err

    def go_on(self, requests: int) -> None:
        """
        Wait until so many more requests have come.
        """
        until = len(self.simulator.requests) + requests
        wait_until(lambda: len(self.simulator.requests) >= until, 60)

    def kill(self) -> None:
        """
        Kill one of them, whichever it may be, and start another.
        """
        victim = self.workers.pop(self.chance.randrange(len(self.workers)))
        victim.kill()
        victim.wait()
        self.killed.append(victim.pid)
        self.start()

    def stand(self) -> dict[str, Any]:
        """
        What ``status --json`` says, whose sums hold.
        """
        found: dict[str, Any] = json.loads(say("status", "june", "--json").out)
        states = ("pending", "in_flight", *OUTCOMES)
        assert found["planned"] == sum(found[each] for each in states) == self.people
        return found

    def wait_for_the_end(self, seconds: float = 90) -> dict[str, Any]:
        """
        What the campaign is like when it is over.
        """
        wait_until(lambda: self.stand()["state"] != "running", seconds)
        return self.stand()

    def end(self) -> None:
        """
        End the workers as their owner does.
        """
        for worker in self.workers:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
        until = time.monotonic() + 30
        for worker in self.workers:
            try:
                worker.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def check(self, *, most_unknown: int) -> dict[str, Any]:
        """
        Both promises hold, and engine and ledger agree.
        """
        found = self.wait_for_the_end()
        assert "finished" == found["state"], found
        assert self.people == found["accepted"] + found["unknown"]
        assert found["unknown"] <= most_unknown
        assert {1} == set(self.simulator.calls.values())
        assert found["accepted"] <= len(self.simulator.calls)
        with psycopg.connect(self.address) as connection:
            connection.execute("SET search_path TO voicepush")
            for table in ("procrastinate_jobs", "worker"):
                row = connection.execute(
                    f"SELECT count(*) FROM {table}".encode()  # noqa: S608 -- ours
                ).fetchone()
                assert (0,) == row, table
            row = connection.execute(
                "SELECT count(*) FROM batch WHERE state != 2"
            ).fetchone()
            assert (0,) == row
        return found

"""
A campaign that is run from the command line, steered, and checked for its promises.

Whatever happens to it: nobody is rung twice, nobody is lost, one clear line tells what
happened, and resuming goes on when the cause is gone.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from conftest import numbers

from voicepush import open_ledger
from voicepush.cli.application import run
from voicepush.simulator import Simulator

LEDGER = Path("voicepush.db")

#: Small requests, so that a campaign takes a while.
SLOWLY = ("--batch-size", "10", "--concurrency", "4")


class Said(NamedTuple):
    """
    What a command printed, and its exit status.
    """

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """
        The one line that says what went wrong.
        """
        assert "Traceback" not in self.err
        found = [
            line
            for line in self.err.splitlines()
            if line.startswith(("voicepush: ", "stopped: "))
        ]
        assert len(found) == 1, self.err
        return found[0]


def say(*arguments: str) -> Said:
    """
    Run a command in this process.
    """
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(list(arguments))
    return Said(code, out.getvalue(), err.getvalue())


_MAIN = "from voicepush.cli.application import main; main()"


@contextmanager
def process(*arguments: str, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """
    A command in a process of its own, which is ended at the latest here.

    Args:
        first: What the process does before it imports anything of voicepush.
    """
    running = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", f"{first}\n{_MAIN}", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def ended(running: subprocess.Popen[str], seconds: float = 30.0) -> Said:
    """
    What a process said, once it has ended by itself.
    """
    out, err = running.communicate(timeout=seconds)
    return Said(running.returncode, out, err)


def wait_until(happened: Callable[[], object], seconds: float = 30.0) -> None:
    """
    Wait for another process, but not for ever.
    """
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.01)


@contextmanager
def lasting(simulator: Simulator) -> Iterator[None]:
    """
    Let no campaign end while the block lasts: a busy machine may take long for it.
    """
    before, simulator.latency = simulator.latency, 2.0
    try:
        yield
    finally:
        simulator.latency = before


def wait_until_quiet(simulator: Simulator, seconds: float = 15.0) -> None:
    """
    Wait until no request has come for a while.
    """
    until = time.monotonic() + seconds
    before = -1
    while before != len(simulator.requests):
        assert time.monotonic() < until, "requests go on"
        before = len(simulator.requests)
        time.sleep(0.6)


def june(count: int = 400) -> list[str]:
    """
    A list of so many in june.csv.
    """
    listed = numbers(count)
    Path("june.csv").write_text("\n".join(["msisdn", *listed]) + "\n")
    return listed


def sending(simulator: Simulator, *options: str) -> list[str]:
    """
    The command that sends june.csv.
    """
    url = simulator.url
    return ["send", "june.csv", "--media", "x", "--base-url", url, *options]


def resume(simulator: Simulator, *options: str) -> Said:
    """
    Go on with june.
    """
    return say("resume", "june", "--base-url", simulator.url, *options)


def stand(campaign: str = "june", ledger: Path = LEDGER) -> dict[str, Any]:
    """
    What ``status --json`` prints; nobody is lost by it.
    """
    said = say("status", campaign, "--json", "--ledger", str(ledger))
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    parts = ("pending", "in_flight", "accepted", "rejected", "expired", "not_sent")
    assert found["planned"] == sum(found[name] for name in (*parts, "unknown"))
    left_out = ("invalid", "duplicate", "suppressed")
    assert found["read"] == found["planned"] + sum(found[name] for name in left_out)
    return found


def exported(*options: str, ledger: Path = LEDGER) -> dict[str, str]:
    """
    The outcome of each number of june, which is named once.
    """
    said = say("export", "june", "--ledger", str(ledger), *options)
    assert said.code == 0, said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    found = {row["recipient"]: row["outcome"] for row in rows}
    assert len(rows) == len(found)
    return found


def check(simulator: Simulator, ledger: Path = LEDGER) -> dict[str, Any]:
    """
    The status, once it is sure that nobody was rung twice or without a claim.
    """
    found = stand(ledger=ledger)
    rung = set(simulator.calls)
    outcomes = exported(ledger=ledger)
    by_outcome = Counter(outcomes.values())
    claimed = asyncio.run(_in_flight(ledger, outcomes))
    accepted = {each for each, outcome in outcomes.items() if outcome == "accepted"}
    unknown = {each for each, outcome in outcomes.items() if outcome == "unknown"}
    unknown -= claimed
    assert set(simulator.calls.values()) <= {1}
    assert (found["accepted"], found["unknown"], found["in_flight"]) == (
        by_outcome["accepted"],
        len(unknown),
        len(claimed),
    )
    assert accepted <= rung <= accepted | unknown | claimed
    return found


async def _in_flight(path: Path, outcomes: dict[str, str]) -> set[str]:
    found = set()
    async with open_ledger(path) as ledger:
        for number, outcome in outcomes.items():
            if outcome == "unknown":
                [each] = await ledger.lookup(number)
                if each.in_flight:
                    found.add(number)
    return found


def check_finished(simulator: Simulator, ledger: Path = LEDGER) -> dict[str, Any]:
    """
    The same, where everyone has an outcome, and whoever has none was not rung.
    """
    found = check(simulator, ledger)
    assert found["state"] == "finished"
    assert found["planned"] == found["accepted"] + found["unknown"]
    return found


def change(statement: str, *values: object, ledger: Path = LEDGER) -> None:
    """
    Change the ledger behind everyone's back.
    """
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute(statement, values)


@contextmanager
def locked(ledger: Path = LEDGER) -> Iterator[None]:
    """
    Another program writes into the ledger for a long time.
    """
    with (
        looking(ledger),
        closing(sqlite3.connect(ledger, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


@contextmanager
def looking(ledger: Path = LEDGER) -> Iterator[sqlite3.Connection]:
    """
    A connection that can only read, and so leaves the log to whom it belongs.
    """
    uri = f"{ledger.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection

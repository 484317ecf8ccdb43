"""
Two processes at one campaign: one works, and the other is told so.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve, numbers
from mishaps import (
    LEDGER,
    SLOWLY,
    change,
    check_finished,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush import Campaign, Ledger, VoiceMessage, open_ledger

pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_two_at_the_same_moment(serve: Serve) -> None:
    """
    One works; the other exits 4 and names it.
    """
    simulator = serve(latency=0.1)
    listed = june(1_000)
    command = sending(simulator, *SLOWLY)

    with process(*command) as one, process(*command) as other:
        said = {each.pid: ended(each) for each in (one, other)}
    found = check_finished(simulator)
    codes = {each.code: pid for pid, each in said.items()}

    assert {0, 4} == set(codes)
    assert f"process {codes[0]} on" in said[codes[4]].complaint
    assert 1_000 == found["accepted"]
    assert Counter(listed) == simulator.calls


def test_two_while_the_first_still_plans(serve: Serve) -> None:
    """
    The second exits 4 and names the planner; the plan is the first one's.
    """
    simulator = serve()
    os.mkfifo("june.csv")
    listed = numbers(30_000)
    lines = [f"{each}\n" for each in listed]
    command = sending(simulator)

    with process(*command) as running:
        with Path("june.csv").open("w") as file:
            file.writelines(lines[:20_000])
            file.flush()
            wait_until(lambda: LEDGER.exists() and _rows("campaign"))
            refused = say(*command)
            file.writelines(lines[20_000:])
        said = ended(running)
    found = check_finished(simulator)

    assert 4 == refused.code
    assert f"process {running.pid} on" in refused.complaint
    assert 0 == said.code
    assert Counter(listed) == simulator.calls
    assert 30_000 == found["accepted"]


def test_a_planner_whose_pipe_is_silent_keeps_its_plan(serve: Serve) -> None:
    """
    It gives signs of life while it waits for the next rows.
    """
    simulator = serve()
    os.mkfifo("june.csv")
    listed = numbers(20_000)
    lines = [f"{each}\n" for each in listed]

    with process(*sending(simulator)) as running:
        with Path("june.csv").open("w") as file:
            file.writelines(lines[:10_000])
            file.flush()
            wait_until(lambda: LEDGER.exists() and _rows("campaign"))
            # As if nothing had come for long.
            change("UPDATE worker SET heartbeat_at = heartbeat_at - 1000")
            until = time.monotonic() + 30
            while _beat_age() > 500 and time.monotonic() < until:
                time.sleep(0.1)
            age = _beat_age()
            file.writelines(lines[10_000:])
        said = ended(running)

    assert age < 10
    assert 0 == said.code
    assert Counter(listed) == simulator.calls


def _rows(table: str) -> int:
    with closing(sqlite3.connect(LEDGER)) as connection:
        try:
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        except sqlite3.OperationalError:
            return 0
        return int(found)


def _beat_age() -> float:
    with closing(sqlite3.connect(LEDGER)) as connection:
        [heartbeat_at] = connection.execute(
            "SELECT heartbeat_at FROM worker"
        ).fetchone()
    return time.monotonic() - float(heartbeat_at)


async def test_planned_by_another_in_between(tmp_path: Path) -> None:
    """
    Who finds the same campaign planned by another a moment ago goes on with it.
    """
    message = VoiceMessage(media="x")

    class Overtaken:
        """
        A ledger in which another finishes the plan just before ours begins.
        """

        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        async def draft(self, plan: Any) -> Any:
            await Campaign.plan(self._ledger, "june", message, numbers(10))
            return await self._ledger.draft(plan)

    async with open_ledger(tmp_path / "test.db") as ledger:
        overtaken: Any = Overtaken(ledger)
        campaign = await Campaign.plan(overtaken, "june", message, numbers(10))
        status = await campaign.status()

    assert 10 == status.planned


def stop_between_writes(running: subprocess.Popen[str]) -> None:
    """
    Stop a process in a moment in which it does not hold the ledger's lock.

    While one that holds it sleeps, nobody can write, and nobody can take over.
    """

    def stops() -> bool:
        running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, running.pid, os.WSTOPPED | os.WNOWAIT)
        with closing(
            sqlite3.connect(LEDGER, timeout=0, isolation_level=None)
        ) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                running.send_signal(signal.SIGCONT)
                return False
        return True

    wait_until(stops)


def test_a_stopped_dispatcher_is_taken_over(serve: Serve) -> None:
    """
    When it wakes up, it says that the campaign is another's, and claims nobody more.
    What it was answered is not lost.
    """
    simulator = serve(latency=0.1)
    june(600)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        stop_between_writes(running)
        # Nobody waits: what it is known by is made older instead.
        change("UPDATE worker SET heartbeat_at = heartbeat_at - 60")
        seen = stand()
        taken = resume(simulator)
        running.send_signal(signal.SIGCONT)
        said = ended(running)
    found = check_finished(simulator)

    assert "paused" == seen["state"]
    assert f"process {running.pid}" in seen["reason"]
    # Those in flight were unknown to the second, until the first told of them.
    assert 1 == taken.code
    assert "unknown" in taken.out
    assert 4 == said.code
    assert "taken over" in said.complaint
    assert 600 == found["accepted"]


def test_a_stopped_dispatcher_wakes_while_another_works(serve: Serve) -> None:
    """
    It leaves the other alone, whose campaign it is now.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as first:
        wait_until(lambda: len(simulator.requests) > 10)
        stop_between_writes(first)
        change("UPDATE worker SET heartbeat_at = heartbeat_at - 60")
        before = len(simulator.requests)
        command = ["resume", "june", "--base-url", simulator.url, "--concurrency", "4"]
        with process(*command) as second:
            wait_until(lambda: len(simulator.requests) > before + 10)
            first.send_signal(signal.SIGCONT)
            said = ended(first)
            seen = stand()
            taken = ended(second)
    found = check_finished(simulator)

    assert 4 == said.code
    assert "taken over" in said.complaint
    assert "running" == seen["state"]
    assert taken.code == (1 if found["unknown"] else 0)
    assert 800 == found["accepted"] + found["unknown"]

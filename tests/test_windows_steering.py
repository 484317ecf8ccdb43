"""
Windows that are changed from another process, while a campaign runs or waits.
"""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cluster_crashing import new_database
from conftest import Serve, numbers
from mishaps import Said, ended, process, say, wait_until

from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: By the clock of whoever lives there it is noon, or midnight: nobody can move the
#: clock of a database.
_HOUR = datetime.now(UTC).hour


def zone_at(hour: int) -> str:
    """
    A time zone in which it is about that *hour* now.
    """
    ahead = (hour - _HOUR + 12) % 24 - 12
    # Their signs are the other way round.
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


NOON, NIGHT = zone_at(12), zone_at(1)


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """
    Where the ledger is kept, a file or a database.
    """
    if request.param == "postgres":
        monkeypatch.setenv("VOICEPUSH_LEDGER", new_database())
    return str(request.param)


def made(count: int) -> dict[str, str]:
    """
    A list of so many in june.csv, half of whom sleep.
    """
    zones = {
        number: (NOON, NIGHT)[place % 2] for place, number in enumerate(numbers(count))
    }
    rows = [f"{number},{zone}" for number, zone in zones.items()]
    Path("june.csv").write_text("\n".join(["msisdn,zone", *rows]) + "\n")
    return zones


def sending(*options: str) -> list[str]:
    """
    The command that calls them in the day.
    """
    return [
        *("send", "june.csv", "--media", "x", "--batch-size", "10"),
        *("--window", "09:00-21:00", "--zone-column", "zone", *options),
    ]


def status() -> dict[str, Any]:
    """
    Where the campaign stands, if it is there.
    """
    said = say("status", "june", "--json")
    found: dict[str, Any] = json.loads(said.out) if said.code == 0 else {}
    return found


def is_waiting() -> bool:
    """
    Whether it is said that those who sleep are waited for.
    """
    return "wait for 09:00 in Etc/GMT" in (status().get("waiting") or "")


def asleep(simulator: Simulator, zones: dict[str, str]) -> set[str]:
    """
    Who was called in the night.
    """
    return {each for each in simulator.calls if zones[each] == NIGHT}


def test_windows_are_opened_while_it_waits(serve: Serve, kind: str) -> None:
    """
    Those who were asleep are called within seconds, by whichever processes there are.
    """
    simulator = serve()
    zones = made(80)
    with ExitStack() as stack:
        url = ("--base-url", simulator.url)
        if kind == "postgres":
            given = say(*sending("--detach"))
            assert 0 == given.code, given.err
            for _ in range(2):
                stack.enter_context(process("worker", *url))
        else:
            running = stack.enter_context(process(*sending(*url)))
        wait_until(is_waiting)
        night = asleep(simulator, zones)
        shown = say("windows", "june")
        changed = say("windows", "june", "--window", "00:00-24:00")
        begun = time.monotonic()
        wait_until(lambda: len(simulator.calls) == 80)
        took = time.monotonic() - begun
        wait_until(lambda: status()["state"] == "finished")
        if kind == "sqlite":
            assert 0 == ended(running).code

    assert not night
    assert "june: window 09:00-21:00" in shown.out
    assert (0, "june: window 00:00-24:00") == (changed.code, first_line(changed))
    assert took < 5
    assert {1} == set(simulator.calls.values())


def first_line(said: Said) -> str:
    """
    The first line that was printed.
    """
    return said.out.splitlines()[0]


@pytest.mark.usefixtures("kind")
def test_windows_are_closed_while_it_runs(serve: Serve) -> None:
    """
    Nobody is called any more once it has been heard, and a request that left before
    ends when the windows did that were in force.
    """
    simulator = serve(latency=0.05)
    zones = made(600)
    with process(*sending("--base-url", simulator.url, "--rate", "100")) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        closing = say("windows", "june", "--window", "00:00-00:01")
        time.sleep(1.5)
        before = len(simulator.requests)
        time.sleep(1.5)
        after = len(simulator.requests)
        wait_until(lambda: status()["waiting"])
        opened = say("windows", "june", "--any-hour", "a dam has broken")
        wait_until(lambda: asleep(simulator, zones))
        running.terminate()
        ended(running)
    found = status()
    history = say("status", "june", "--history")

    assert (0, 0) == (closing.code, opened.code)
    assert before == after
    assert 0 == found["unknown"]
    assert found["accepted"] == len(simulator.calls)
    assert "any hour: a dam has broken" in history.out


@pytest.mark.usefixtures("kind")
def test_windows_are_changed_while_it_is_paused(serve: Serve) -> None:
    """
    Whoever goes on finds those who were to wait for the old ones.
    """
    simulator = serve()
    made(80)
    url = ("--base-url", simulator.url)
    with process(*sending(*url)) as running:
        wait_until(is_waiting)
        running.terminate()
        ended(running)
    paused = status()
    changed = say("windows", "june", "--window", "00:00-24:00")
    went_on = say("resume", "june", *url)

    assert ("paused", 40) == (paused["state"], paused["pending"])
    assert 0 == changed.code
    assert 0 == went_on.code, went_on.err
    assert 80 == status()["accepted"]
    assert {1} == set(simulator.calls.values())

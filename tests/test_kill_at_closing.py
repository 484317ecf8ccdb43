"""
Processes that are killed when the hours end, and go on the next day.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import Serve, numbers
from mishaps import check, check_finished, ended, process, stand, wait_until
from nights import MOVED, Hours, Wall, at, check_hours

from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata")

#: Those in London are the first whose hours end.
CLOSES = at("2027-06-01T21:00", "Europe/London")

HOURS = Hours("09:00", "21:00")


def made(count: int) -> dict[str, Sequence[str]]:
    """
    A list of so many in june.csv, and where each of them lives.
    """
    zones: dict[str, Sequence[str]] = {
        number: (ZONES[place % 2],) for place, number in enumerate(numbers(count))
    }
    rows = [f"{number},{zone}" for number, (zone,) in zones.items()]
    Path("june.csv").write_text("\n".join(["msisdn,zone", *rows]) + "\n")
    return zones


def sending(simulator: Simulator) -> list[str]:
    """
    The command that calls them in the day.
    """
    return [
        *("send", "june.csv", "--media", "x", "--base-url", simulator.url),
        *("--window", HOURS.text, "--zone-column", "zone"),
        *("--batch-size", "10", "--concurrency", "4", "--rate", "200"),
    ]


@pytest.mark.parametrize("before", [0.35, 0.02])
def test_a_process_that_is_killed_at_the_closing_minute(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, before: float
) -> None:
    """
    Nobody is called after it, and whoever was in flight is unknown and not called
    again; the next process waits, and calls the others in the morning.
    """
    wall = Wall(Path("clock"))
    wall.patch(monkeypatch.setattr)
    simulator = serve(latency=0.2, rings=["heard"], dial_rate=150)
    zones = made(2_000)
    wall.set(CLOSES - 3600)

    with process(*sending(simulator), first=MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        wall.set(CLOSES - 0.8)
        time.sleep(max(0.0, CLOSES - before - wall.now()))
        running.send_signal(signal.SIGKILL)
        running.wait()
    check(simulator)
    killed = len(simulator.requests)

    with process(*sending(simulator), first=MOVED) as running:
        # It is evening in New York for five hours yet.
        wait_until(lambda: len(simulator.requests) > killed + 20)
        wall.set(at("2027-06-01T20:59", "America/New_York") + 59.5)
        wait_until(lambda: "wait for 09:00" in (stand()["waiting"] or ""))
        said = stand()
        wall.set(at("2027-06-02T09:00", "Europe/London") - 0.2)
        time.sleep(1.5)
        wall.set(at("2027-06-02T09:00", "America/New_York") - 0.2)
        over = ended(running, 60.0)
    found = check_finished(simulator)
    check_hours(simulator, HOURS, zones)

    assert over.code in (0, 1), over.err
    assert "in Europe/London" in said["waiting"]
    assert found["unknown"] <= 40
    assert 2_000 == found["accepted"] + found["unknown"]
    assert set(simulator.calls) <= set(zones)
    assert {1} == set(simulator.calls.values())

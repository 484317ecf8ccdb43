"""
A clock that jumps while a campaign runs.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import Serve
from mishaps import (
    SLOWLY,
    check,
    check_finished,
    ended,
    june,
    lasting,
    process,
    resume,
    sending,
    stand,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: Lets a process live by a clock that is off by what the file "clock" says.
_MOVED = """
import time, pathlib
true = time.time
def moved():
    try:
        return true() + float(pathlib.Path("clock").read_text() or 0)
    except OSError:
        return true()
time.time = moved
"""


@pytest.mark.parametrize(("hours", "expiry"), [(-1, "5h"), (1, None), (1, "5h")])
def test_a_clock_that_jumps_changes_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, hours: int, expiry: str | None
) -> None:
    """
    It goes on, keeps the campaign against others, and rings everyone once.
    """
    simulator = serve(latency=0.1)
    listed = june(800)
    options = ("--expiry", expiry) if expiry else ()

    with process(*sending(simulator, *SLOWLY, *options), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        Path("clock").write_text(str(3600 * hours))
        true = time.time
        monkeypatch.setattr(time, "time", lambda: true() + 3600 * hours)
        before = len(simulator.requests)
        with lasting(simulator):
            time.sleep(1.3)  # until it has given its next sign
            seen = stand()
            refused = resume(simulator)
        wait_until(lambda: len(simulator.requests) > before)
        after = len(simulator.requests)
        said = ended(running)
    found = check_finished(simulator)

    assert "running" == seen["state"]
    assert 4 == refused.code
    assert f"process {running.pid}" in refused.complaint
    assert after > before
    assert 0 == said.code
    assert 800 == found["accepted"]
    assert Counter(listed) == simulator.calls


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_jump_does_not_make_a_living_dispatcher_look_dead(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """
    Not even until its next sign: its process runs on this very machine.
    """
    simulator = serve(latency=0.1)
    june(200)

    with process(*sending(simulator, *SLOWLY), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        # It gives no sign before the other has looked.
        running.send_signal(signal.SIGSTOP)
        Path("clock").write_text(str(3600 * hours))
        true = time.time
        monkeypatch.setattr(time, "time", lambda: true() + 3600 * hours)
        refused = resume(simulator)
        running.send_signal(signal.SIGCONT)
        ended(running)
    found = check_finished(simulator)

    assert 4 == refused.code
    assert 200 == found["accepted"]


def test_a_clock_set_back_lets_nobody_be_rung_late(serve: Serve) -> None:
    """
    No attempt starts after the true expiry, whatever the clock is set to meanwhile.
    """
    simulator = serve(latency=0.05)
    june(1_200)
    options = (*SLOWLY, "--expiry", "2s", "--rate", "300")
    began = time.time()

    with process(*sending(simulator, *options), first=_MOVED) as running:
        wait_until(lambda: len(simulator.requests) > 4)
        Path("clock").write_text("-3600")
        said = ended(running)
    found = check(simulator)
    planned_by = min(each.at for each in simulator.requests)
    late = [each.code for each in simulator.requests if each.at > planned_by + 2]

    assert 1 == said.code
    assert [] == late
    assert planned_by < began + 15
    # The answers to the last attempts are waited for until then, and no longer.
    assert found["unknown"] <= 20
    assert 1_200 == found["accepted"] + found["expired"] + found["unknown"]
    assert found["expired"] > 100

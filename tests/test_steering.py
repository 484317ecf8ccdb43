"""
A campaign that is paused, cancelled, paced and watched, or pauses itself.
"""

from __future__ import annotations

import select
import signal
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest
from conftest import Serve
from mishaps import (
    LEDGER,
    SLOWLY,
    check,
    check_finished,
    ended,
    june,
    lasting,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

# Control


def test_pause_from_another_process(serve: Serve) -> None:
    """
    It records what is under way and ends; resume finishes.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with lasting(simulator):
            looks = [stand() for _ in range(5)]
            paused = say("pause", "june")
        said = ended(running)
    stopped = check(simulator)
    twice = say("pause", "june")
    again = resume(simulator)
    found = check_finished(simulator)

    assert {"running"} == {each["state"] for each in looks}
    assert 0 == paused.code
    assert "june: paused" in paused.out
    assert 1 == said.code
    assert "paused by its owner" in said.complaint
    assert "paused" == stopped["state"]
    assert (0, 0) == (stopped["in_flight"], stopped["unknown"])
    assert 2 == twice.code
    assert "no process is dispatching it" in twice.complaint
    assert 0 == again.code
    assert 800 == found["accepted"]


def test_cancel_from_another_process(serve: Serve) -> None:
    """
    Whoever is pending is not sent, for good.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with lasting(simulator):
            asked = say("cancel", "june")
            cancelled = say("cancel", "june", "--yes")
        said = ended(running)
    found = check(simulator)
    rung = len(simulator.calls)
    again = resume(simulator)

    assert 2 == asked.code
    assert "--yes" in asked.complaint
    assert 0 == cancelled.code
    assert "june: cancelled" in cancelled.out
    assert 1 == said.code
    assert "cancelled" == found["state"]
    assert (0, 0) == (found["pending"], found["in_flight"])
    assert 800 == found["accepted"] + found["not_sent"]
    assert found["not_sent"] > 0
    assert 2 == again.code
    assert "was cancelled" in again.complaint
    assert rung == len(simulator.calls)


def test_a_paused_campaign_can_be_cancelled(serve: Serve) -> None:
    """
    Nobody dispatches it, and cancelling does not need anybody to.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        running.kill()
        running.wait()
    said = say("cancel", "june", "--yes")
    found = check(simulator)

    assert 0 == said.code
    assert ("cancelled", 0, 0) == (
        found["state"],
        found["pending"],
        found["in_flight"],
    )
    assert 2 == resume(simulator).code


def test_a_cancellation_outlives_the_dispatcher(serve: Serve) -> None:
    """
    If the dispatcher dies before it hears of it, the campaign is cancelled as well.
    """
    simulator = serve(latency=0.1)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        running.send_signal(signal.SIGSTOP)
        with process("cancel", "june", "--yes") as cancelling:
            wait_until(lambda: _wish() == "cancel")
            running.kill()
            running.wait()
            said = ended(cancelling)
    again = resume(simulator)
    rung = len(simulator.calls)

    assert 0 == said.code
    assert "june: cancelled" in said.out
    assert 2 == again.code
    assert rung < 400


def _wish() -> str | None:
    with closing(sqlite3.connect(LEDGER)) as connection:
        found = connection.execute("SELECT command FROM campaign").fetchone()
    return None if found is None else found[0]


def test_rate_from_another_process(serve: Serve) -> None:
    """
    The pace changes while it runs, up and down.
    """
    simulator = serve()
    june(8_000)

    with process(*sending(simulator, *SLOWLY, "--rate", "100")) as running:
        wait_until(lambda: 60 <= _pace(simulator) <= 150)
        up = say("rate", "june", "400")
        wait_until(lambda: 280 <= _pace(simulator) <= 500)
        down = say("rate", "june", "50")
        wait_until(lambda: 0 < _pace(simulator) <= 90)
        wrong = say("rate", "june", "0")
        say("rate", "june", "100000")
        said = ended(running)
    found = check_finished(simulator)

    assert (0, 0, 2, 0) == (up.code, down.code, wrong.code, said.code)
    assert 8_000 == found["accepted"]


def _pace(simulator: Simulator) -> float:
    """
    Destinations per second, as the service sees them for a second.
    """
    began, before = time.monotonic(), simulator.rung
    time.sleep(1.0)
    return (simulator.rung - before) / (time.monotonic() - began)


def test_watching_shows_progress_until_the_end(serve: Serve) -> None:
    """
    It ends by itself with the final status, and the sums hold at every look.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 5)
        with process("status", "june", "--watch") as watching:
            looks: list[dict[str, Any]] = []
            said = watching.stderr
            assert said is not None
            with lasting(simulator):
                wait_until(lambda: select.select([said], [], [], 0)[0])
            while running.poll() is None and len(looks) < 1_000:
                looks.append(stand())
            watched = ended(watching)
        ended(running)
    check_finished(simulator)
    accepted = [each["accepted"] for each in looks]

    assert "running" == looks[0]["state"]
    assert len(set(accepted)) > 3
    assert sorted(accepted) == accepted
    assert 0 == watched.code
    assert "june: running" in watched.err
    assert "campaign june: finished" in watched.out


# A service that fails all along


@pytest.mark.parametrize(
    ("fault", "outcome", "words"),
    [("7104", "rejected", "7104"), ("drop", "unknown", "closed the connection")],
)
def test_a_run_of_failures_pauses_it(
    serve: Serve, fault: str, outcome: str, words: str
) -> None:
    """
    After some twenty requests it stops by itself instead of burning the whole list.
    """
    simulator = serve(fault)
    june(2_000)

    said = say(*sending(simulator, *SLOWLY))
    found = check(simulator)
    requests = len(simulator.requests)
    simulator.faults = ()
    again = resume(simulator)
    last = check(simulator)

    assert 1 == said.code
    assert "of the last 20 batches failed" in said.complaint
    assert words in said.complaint
    assert "paused" == found["state"]
    assert words in found["reason"]
    assert 20 <= requests <= 30
    assert requests * 10 == found[outcome]
    assert 2_000 - requests * 10 == found["pending"]
    assert 1 == again.code
    assert 2_000 - requests * 10 == last["accepted"]

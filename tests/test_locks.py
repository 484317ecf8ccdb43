"""
Another program's lock on the ledger: waited for, named, or not needed.
"""

from __future__ import annotations

import time

import pytest
from conftest import Serve, numbers
from mishaps import (
    SLOWLY,
    check,
    check_finished,
    ended,
    june,
    locked,
    process,
    resume,
    say,
    sending,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("in_a_folder")


@pytest.mark.slow
def test_a_short_lock_is_waited_for(serve: Serve) -> None:
    """
    A second is nothing; the campaign goes on, and whoever looks is answered.
    """
    simulator = serve(latency=0.05)
    june(400)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with locked():
            time.sleep(1.0)
        said = ended(running)
    found = check_finished(simulator)

    assert 0 == said.code
    assert 400 == found["accepted"]


@pytest.mark.slow
def test_a_long_lock_is_named(serve: Serve) -> None:
    """
    It stops, says whose fault it is, and goes on when the lock is gone.
    """
    simulator = serve(latency=0.05)
    june(400)
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"
    options = (*SLOWLY, "--drain", "1s")

    with process(*sending(simulator, *options), first=impatient) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with locked():
            said = ended(running)
    stopped = check(simulator)
    again = resume(simulator)
    found = check_finished(simulator)

    assert 5 == said.code
    assert "another program holds its lock" in said.complaint
    assert stopped["pending"] > 0
    assert again.code == (1 if stopped["in_flight"] else 0)
    assert stopped["in_flight"] == found["unknown"]


@pytest.mark.parametrize("command", ["send", "resume", "pause", "cancel", "rate"])
def test_a_locked_ledger_is_one_line(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """
    Each command that has to write says that it can't, and why.
    """
    simulator = serve()
    june(20)
    simulator.next_replies("7001")
    say(*sending(simulator))
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)
    commands = {
        "send": ["send", "june.csv", "--media", "x", "--base-url", simulator.url],
        "resume": ["resume", "june", "--base-url", simulator.url],
        "pause": ["pause", "june"],
        "cancel": ["cancel", "june", "--yes"],
        "rate": ["rate", "june", "10"],
    }

    with locked():
        said = say(*commands[command])

    # Nobody dispatches it, lock or no lock.
    assert (2 if command == "pause" else 5) == said.code
    if command != "pause":
        assert "another program holds its lock" in said.complaint
    assert not simulator.calls


@pytest.mark.parametrize(
    "command", [["status"], ["lookup", numbers(1)[0]], ["export", "june"]]
)
def test_whoever_only_looks_needs_no_lock(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """
    Who was called can be told at any moment, also while another program writes.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.1)

    with locked():
        said = say(*command)

    assert (0, "") == (said.code, said.err)
    assert said.out

"""
Real processes and a real server are killed while a campaign on PostgreSQL runs.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import postgres
import psycopg
import pytest
from conftest import Serve, numbers
from mishaps import ended, process, say, wait_until

from voicepush.cli.application import run

pytestmark = pytest.mark.usefixtures("in_a_folder")

MANY = 2_000
BATCH = 20

#: So many may be in flight at a kill: each of the tasks that share the batches has
#: claimed one or is recording it, and there are more of them than requests at a time.
IN_FLIGHT = (2 * 4 + 7 + 1) * BATCH
OUTCOMES = ("accepted", "rejected", "expired", "not_sent", "unknown")
OPTIONS = ("--concurrency", "4", "--rate", "2000")


@pytest.fixture
def address(in_a_folder: None, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: ARG001 -- which clears the environment
    """
    A database of its own, where commands look for their ledger.
    """
    server = postgres.server()
    name = f"calls_{os.urandom(4).hex()}"
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    found = server.address.replace("/postgres?", f"/{name}?")
    monkeypatch.setenv("VOICEPUSH_LEDGER", found)
    return found


def write_list() -> None:
    """
    A list of `MANY`.
    """
    lines = "".join(f"{each}\n" for each in numbers(MANY))
    Path("june.csv").write_text(f"msisdn\n{lines}")


def stand() -> dict[str, Any]:
    """
    What ``status --json`` says, whose sums hold.
    """
    found: dict[str, Any] = json.loads(say("status", "june", "--json").out)
    states = ("pending", "in_flight", *OUTCOMES)
    assert found["planned"] == sum(found[each] for each in states) == MANY
    return found


def most_in_flight_with_one(address: str) -> int:
    """
    How many are in flight with that worker which has most of them.
    """
    with psycopg.connect(address) as connection:
        found = connection.execute(
            "SELECT coalesce(max(people), 0) FROM (SELECT sum(in_flight) AS people "
            "FROM voicepush.batch WHERE state = 1 GROUP BY claimed_by) AS each_worker"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_processes_that_are_killed(serve: Serve, address: str) -> None:
    """
    Whoever was in flight is unknown, nobody is rung twice and nobody is lost.
    """
    simulator = serve("7006@5%", latency=0.05)
    write_list()
    chance = random.Random(3)  # noqa: S311 -- chance, not secrecy
    command = ["send", "june.csv", "--media", "welcome", "--batch-size", str(BATCH)]
    kills = 0
    while kills < 6:
        until = len(simulator.requests) + chance.randint(5, 15)
        with process(*command, *OPTIONS, "--base-url", simulator.url) as running:
            wait_until(
                lambda until=until: len(simulator.requests) >= until  # type: ignore[misc]
            )
            running.kill()
            running.wait()
        kills += 1
        found = stand()
        # A worker cleans up after those that are gone while it sends already, and is
        # killed before it has, now and then; so there can be those of several.
        assert most_in_flight_with_one(address) <= IN_FLIGHT
        assert found["in_flight"] <= kills * IN_FLIGHT
        assert "no worker is at work" in str(found["waiting"])
        command = ["resume", "june"]
    code = run(["resume", "june", *OPTIONS, "--base-url", simulator.url])
    found = stand()

    assert 1 == code
    assert "finished" == found["state"]
    assert MANY == found["accepted"] + found["unknown"]
    assert found["unknown"] <= kills * IN_FLIGHT
    assert set(simulator.calls.values()) == {1}
    assert found["accepted"] <= len(simulator.calls)


@pytest.mark.usefixtures("address")
def test_a_server_that_is_restarted(serve: Serve) -> None:
    """
    A dispatch waits for it, or ends and can be resumed; nobody is rung twice.
    """
    simulator = serve(latency=0.02)
    write_list()
    command = ["send", "june.csv", "--media", "welcome", "--batch-size", str(BATCH)]
    server = postgres.server()
    with process(*command, *OPTIONS, "--base-url", simulator.url) as running:
        wait_until(lambda: len(simulator.requests) >= 10)
        server.stop_at_once()
        server.start()
        running.wait(60)
    code = run(["resume", "june", *OPTIONS, "--base-url", simulator.url])
    found = stand()

    assert code == (0 if found["accepted"] == MANY else 1)
    assert MANY == found["accepted"] + found["unknown"]
    assert found["unknown"] <= 2 * IN_FLIGHT
    assert set(simulator.calls.values()) == {1}


@pytest.mark.usefixtures("address")
def test_a_dispatch_whose_server_is_gone_for_long(serve: Serve) -> None:
    """
    It ends, and says where the answers are kept; to resume records them first.
    """
    simulator = serve(latency=1.0)
    write_list()
    options = ("--concurrency", "4", "--drain", "1s", "--base-url", simulator.url)
    command = ["send", "june.csv", "--media", "welcome", "--batch-size", str(MANY // 4)]
    server = postgres.server()
    with process(*command, *options) as running:
        wait_until(lambda: len(simulator.requests) == 4)
        server.stop_at_once()
        said = ended(running)
        server.start()
    resumed = say("resume", "june", *options)

    assert 5 == said.code
    assert "the answers to 4 requests are kept in" in said.err
    assert 0 == resumed.code
    assert "recorded now: the answers to 4 requests" in resumed.err
    assert MANY == stand()["accepted"]
    assert {1} == set(simulator.calls.values())

"""
`voicepush worker`, and campaigns that are given to workers, as an operator meets them.
"""

from __future__ import annotations

import asyncio
import json
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import postgres
import pytest
from cluster_crashing import new_database
from conftest import Serve, numbers
from mishaps import ended, process, say, wait_until

from voicepush import Campaign, Kind, Outcome, open_ledger
from voicepush.simulator import Simulator

MANY = 400
#: A database that is gone is noticed soon.
IMPATIENT = "from voicepush.ledger.postgres import store; store._PATIENCE = 1.0"
#: To nobody who lives anywhere, by workers whose service this command does not know.
ANYWHERE = ["--any-hour", "a test", "--at-most", "none"]
SENDING = ["--media", "welcome", "--batch-size", "10", *ANYWHERE]


@pytest.fixture(autouse=True)
def address(
    in_a_folder: None,  # noqa: ARG001 -- which clears the environment
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """
    A database of its own, where commands look for their ledger; and a list.
    """
    found = new_database()
    monkeypatch.setenv("VOICEPUSH_LEDGER", found)
    Path("june.csv").write_text("msisdn\n" + "\n".join(numbers(MANY)))
    return found


def healthy(url: str) -> tuple[int, dict[str, Any]]:
    """
    What ``/healthz`` says.
    """
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=20) as answer:  # noqa: S310 -- ours
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def status(campaign: str = "june") -> dict[str, Any]:
    """
    Where it stands.
    """
    found: dict[str, Any] = json.loads(say("status", campaign, "--json").out)
    return found


@contextmanager
def working(
    simulator: Simulator, *options: str, first: str = ""
) -> Iterator[tuple[Any, str]]:
    """
    A worker and where it serves its health.

    Args:
        first: What its process does before it begins.
    """
    url = ["--base-url", simulator.url, "--listen", "127.0.0.1:0"]
    with process("worker", *url, *options, first=first) as running:
        assert running.stdout is not None
        yield running, running.stdout.readline().strip()


def test_a_worker_waits_for_the_first_campaign(serve: Serve) -> None:
    """
    It makes the tables where there are none, and is ended by a signal.
    """
    simulator = serve()
    with working(simulator) as (worker, url):
        before = healthy(url)
        given = say("send", "june.csv", *SENDING, "--detach")
        wait_until(lambda: status()["state"] == "finished")
        after = healthy(url)[1]
        worker.send_signal(signal.SIGTERM)
        said = ended(worker)

    assert 200 == before[0]
    assert {"state": "ok", "reason": None, "campaigns": []}.items() <= before[1].items()
    assert (0, 0) == (before[1]["requests"], before[1]["accepted"])
    assert (MANY // 10, MANY) == (after["requests"], after["accepted"])
    assert 0 == given.code
    assert "june is given to the workers" in given.err
    assert 0 == said.code
    assert "june: this worker takes part" in said.err
    assert "june: finished, 400 of 400 done; 400 accepted" in said.err
    assert MANY == len(simulator.calls) == status()["accepted"]


def test_several_campaigns_at_once(serve: Serve) -> None:
    """
    One that waits for its rate holds up no other.
    """
    simulator = serve()
    Path("july.csv").write_text("msisdn\n" + "\n".join(numbers(MANY, MANY)))
    with working(simulator, "--concurrency", "2") as (_, url):
        say("send", "june.csv", *SENDING, "--detach", "--rate", "10")
        wait_until(lambda: healthy(url)[1]["campaigns"] == ["june"])
        say("send", "july.csv", *SENDING, "--detach")
        wait_until(lambda: status("july")["state"] == "finished")
        slow = status()
        told = say("rate", "june", "5000")
        wait_until(lambda: status()["state"] == "finished")

    assert "running" == slow["state"]
    assert slow["accepted"] < 200
    assert 0 == told.code
    assert {1} == set(simulator.calls.values())


def test_pause_and_resume(serve: Serve) -> None:
    """
    From another process, whatever worker is at it; and resume joins those who are.
    """
    simulator = serve()
    with working(simulator) as (_, url):
        say("send", "june.csv", *SENDING, "--detach", "--rate", "50")
        wait_until(lambda: status()["accepted"] > 0)
        paused = say("pause", "june")
        stands = status()
        given = say("resume", "june", "--detach", "--json")
        wait_until(lambda: healthy(url)[1]["campaigns"] == ["june"])
        joined = say("resume", "june", "--rate", "5000", "--base-url", simulator.url)

    assert (0, "paused") == (paused.code, stands["state"])
    assert "paused by its owner" == stands["reason"]
    assert "running" == json.loads(given.out)["state"]
    assert 0 == joined.code
    assert "finished" == status()["state"]
    assert {1} == set(simulator.calls.values())


def test_the_worker_of_a_terminal_is_the_only_one(serve: Serve) -> None:
    """
    A campaign that one terminal looks after is paused when that is interrupted.
    """
    simulator = serve()
    command = ["send", "june.csv", *SENDING, "--rate", "50"]
    with process(*command, "--base-url", simulator.url) as running:
        wait_until(lambda: len(simulator.requests) > 2)
        running.send_signal(signal.SIGINT)
        said = ended(running)

    assert 130 == said.code
    assert "paused" == status()["state"]


def test_others_go_on_where_a_terminal_is_interrupted(serve: Serve) -> None:
    """
    And it says so.
    """
    simulator = serve()
    command = ["send", "june.csv", *SENDING, "--rate", "50"]
    with (
        working(simulator) as (_, url),
        process(*command, "--base-url", simulator.url) as running,
    ):
        wait_until(lambda: healthy(url)[1]["campaigns"] == ["june"])
        wait_until(lambda: status()["workers"] == 2)
        running.send_signal(signal.SIGINT)
        said = ended(running)
        stands = status()

    assert 130 == said.code
    assert "1 other worker goes on with june; voicepush pause june" in said.err
    assert ("running", 1) == (stands["state"], stands["workers"])


def test_a_wrong_key_stops_all(serve: Serve) -> None:
    """
    Nothing else is called, and the reason is told by the worker and the status.
    """
    simulator = serve("7001")
    with working(simulator) as (worker, _):
        say("send", "june.csv", *SENDING, "--detach")
        wait_until(lambda: status()["state"] == "paused")
        said = ended(worker)

    assert 3 == said.code
    assert "7001" in status()["reason"]
    assert "june: the service refuses what this worker sends: 7001" in said.err
    assert "this worker ends, so that it stops no other campaign" in said.err
    assert {} == simulator.calls


def test_it_is_told_whose_key_is_wrong(serve: Serve) -> None:
    """
    A campaign is stopped for all, and only the one with another key ends.
    """
    good, bad = serve(latency=0.05), serve("7001")
    one = ("--concurrency", "1")
    with working(good, *one) as (_, url), working(bad, *one) as (worker, _):
        say("send", "june.csv", *SENDING, "--detach", "--rate", "100")
        wait_until(lambda: status()["state"] == "paused")
        said = ended(worker)
        say("resume", "june", "--detach", "--rate", "5000")
        wait_until(lambda: status()["state"] == "finished")
        health = healthy(url)
    history = say("status", "june", "--history").out

    assert 3 == said.code
    assert "june: the service refuses what this worker sends: 7001" in said.err
    assert f"process {worker.pid} on" in history
    assert "stops all workers: 7001" in history or "paused: 7001" in history
    assert 200 == health[0]
    assert MANY == status()["accepted"] == health[1]["accepted"]


def test_an_opt_out_holds_for_two_workers(serve: Serve, address: str) -> None:
    """
    Nobody is called who was pending when it was answered, by either of them.
    """
    simulator = serve()
    wanted = numbers(MANY)[1::2]

    async def opt_out() -> set[str]:
        async with open_ledger(address) as ledger:
            await ledger.suppress([(Kind.MSISDN, wanted)], category="no ads")
            campaign = await Campaign.open(ledger, "june")
            pending = campaign.results(Outcome.PENDING)
            return {each.recipient async for each in pending} & set(wanted)

    with working(simulator), working(simulator):
        options = [
            "--media",
            "welcome",
            "--batch-size",
            "10",
            "--rate",
            "150",
            *ANYWHERE,
        ]
        say("send", "june.csv", *options, "--detach")
        wait_until(lambda: len(simulator.calls) > 50)
        protected = asyncio.run(opt_out())
        wait_until(lambda: status()["state"] == "finished")
    found = status()

    assert len(protected) > 50
    assert protected.isdisjoint(simulator.calls)
    # Some were left out already when it was looked who is pending.
    left_out = set(numbers(MANY)) - set(simulator.calls)
    assert left_out <= set(wanted)
    assert {1} == set(simulator.calls.values())
    assert len(left_out) == found["suppressed"]
    assert MANY - len(left_out) == found["accepted"] == found["planned"]


def test_a_database_that_is_not_there_yet_is_waited_for(serve: Serve) -> None:
    """
    A worker need not be started after it, and ends by a signal meanwhile.
    """
    simulator = serve()
    server = postgres.server()
    server.stop_at_once()
    try:
        with process("worker", "--base-url", simulator.url) as running:
            assert running.stderr is not None
            told = running.stderr.readline()
            running.send_signal(signal.SIGTERM)
            said = ended(running)
    finally:
        server.start()

    assert "can't be reached" in told
    assert "It is waited for" in told
    assert 0 == said.code


def test_counts_go_on_while_a_campaign_does(serve: Serve) -> None:
    """
    Health tells each request, also of batches that are sent in parts.
    """
    simulator = serve()
    with working(simulator) as (_, url):
        options = [
            "--media",
            "welcome",
            "--batch-size",
            "100",
            "--rate",
            "100",
            *ANYWHERE,
        ]
        say("send", "june.csv", *options, "--detach")
        wait_until(lambda: healthy(url)[1]["accepted"] > 0)
        counts = healthy(url)[1]
        wait_until(lambda: "/s, " in say("status", "june").out)

    assert ["june"] == counts["campaigns"]
    assert counts["accepted"] < MANY


def test_a_database_that_is_gone_is_waited_for(serve: Serve) -> None:
    """
    Nothing is sent meanwhile, and its health says so.
    """
    simulator = serve()
    server = postgres.server()
    with working(simulator, first=IMPATIENT) as (_, url):
        say("send", "june.csv", *SENDING, "--detach", "--rate", "100")
        wait_until(lambda: status()["accepted"] > 0)
        server.stop_at_once()
        try:
            wait_until(lambda: healthy(url)[0] == 503)
            gone = healthy(url)[1]
        finally:
            server.start()
        wait_until(lambda: healthy(url)[0] == 200)
        say("rate", "june", "5000")
        wait_until(lambda: status()["state"] == "finished", 60)

    assert "waiting" == gone["state"]
    assert gone["reason"]
    assert MANY == status()["accepted"] + status()["unknown"]
    assert {1} == set(simulator.calls.values())


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["worker", "--ledger", "june.db"], "a worker needs a ledger in PostgreSQL"),
        (["worker", "--rate", "5"], "a worker has no rate of its own"),
        (["worker", "--listen", "here"], "no address with a port"),
        (
            ["send", "june.csv", *SENDING, "--ledger", "june.db", "--detach"],
            "these need a ledger in PostgreSQL",
        ),
        (
            ["resume", "june", "--ledger", "june.db", "--detach"],
            "these need a ledger in PostgreSQL",
        ),
        (["worker", "--ledger", "postgresql//june@here"], "a worker needs a ledger"),
        (
            ["send", "june.csv", *SENDING, "--on-unknown", "resend"],
            "in PostgreSQL the unknown are not called again by themselves",
        ),
    ],
)
def test_what_is_refused(
    command: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    In one line.
    """
    monkeypatch.setenv("VOICEPUSH_BASE_URL", "http://127.0.0.1:9")
    said = say(*command)

    assert 2 == said.code
    assert complaint in said.complaint
    assert not Path("june.db").exists()

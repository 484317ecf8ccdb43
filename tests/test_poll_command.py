"""
The command that asks what became of calls whose receipts never came.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Serve
from mishaps import (
    SLOWLY,
    Said,
    check_finished,
    ended,
    june,
    process,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: At once, and faster than by default.
AT_ONCE = ("--after", "0s", "--rate", "200")


def polling(simulator: Simulator, *options: str) -> list[str]:
    """
    The command that polls june.
    """
    return ["poll", "june", "--base-url", simulator.url, *AT_ONCE, *options]


def poll(simulator: Simulator, *options: str) -> Said:
    """
    Poll june.
    """
    return say(*polling(simulator, *options))


def told(said: Said) -> dict[str, Any]:
    """
    The JSON object that was printed.
    """
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_it_asks_and_tells_what_came_of_it(serve: Serve) -> None:
    """
    In words, or as JSON; `status` knows it, too.
    """
    simulator = serve(rings=["busy@50%", "expired@10%"], ring_seconds=0)
    june(400)
    say(*sending(simulator, *SLOWLY))
    said = poll(simulator)
    again = poll(simulator, "--json")
    calls = Counter(each.state for each in simulator.truth())
    lines = dict(line.rsplit(maxsplit=1) for line in said.out.splitlines()[1:])

    assert 0 == said.code == again.code
    assert "june: asked about 400 calls in 40 requests" == said.out.splitlines()[0]
    assert {
        "  brought further": "400",
        "    reached": str(calls["reached"]),
        "    not reached": str(calls["not_reached"]),
        "    expired": str(calls["expired"]),
        "  still silent": "0",
    } == lines
    assert {
        "campaign": "june",
        "requests": 0,
        "calls": 0,
        "brought_further": 0,
        "by_state": {},
        "still_silent": 0,
        "not_told_of": 0,
        "failed": 0,
        "failures": {},
        "stopped": None,
    } == told(again)
    assert "there was nobody to ask about" in again.err
    assert calls == +Counter(stand()["calls"])


def test_by_default_calls_have_an_hour(serve: Serve) -> None:
    """
    In which their receipts may come.
    """
    simulator = serve()
    june(2)
    say(*sending(simulator))
    said = say("poll", "june", "--base-url", simulator.url)

    assert (0, 0) == (said.code, simulator.asked.total())


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["one", "each"])
def test_a_killed_one_is_gone_on_with(serve: Serve, answer: str) -> None:
    """
    Everyone is asked about, and nobody twice, but for the requests under way.
    """
    simulator = serve(
        rings=["busy"], ring_seconds=0, answer=answer, status_faults=["slow:0.02"]
    )
    june(400 if answer == "one" else 120)
    say(*sending(simulator, *SLOWLY))
    kills = 0
    for _ in range(3):
        before = simulator.asked.total()
        with process(*polling(simulator)) as running:
            wait_until(
                lambda: (
                    simulator.asked.total() >= before + 9  # noqa: B023 -- at once
                    or running.poll() is not None
                )
            )
            running.kill()
            kills += running.wait() == -signal.SIGKILL
    said = poll(simulator, "--json")
    often = Counter(simulator.asked.values())

    assert (0, 3) == (said.code, kills)
    assert {each.transaction_id for each in simulator.truth()} == set(simulator.asked)
    # Those under way at a kill were answered, and the answers never written down.
    assert sum(number * (times - 1) for times, number in often.items()) <= kills * 4
    assert stand()["calls"]["not_reached"] == stand()["accepted"]


@pytest.mark.slow
def test_a_killed_one_asks_again_about_nobody_who_goes_on(serve: Serve) -> None:
    """
    Also where the answer changed nothing.
    """
    simulator = serve(answer="each", status_faults=["slow:0.02"])
    june(60)
    say(*sending(simulator))
    with process(*polling(simulator)) as running:
        wait_until(lambda: simulator.asked.total() >= 20)
        running.kill()
        running.wait()
    poll(simulator)
    often = Counter(simulator.asked.values())

    assert 60 == often.total()
    assert {1, 2} >= set(often)
    assert often[2] <= 4
    assert 0 == told(poll(simulator, "--json"))["requests"]
    assert 60 == told(poll(simulator, "--json", "--again-after", "0s"))["requests"]


@pytest.mark.slow
def test_an_interrupted_one_ends_after_what_is_under_way(serve: Serve) -> None:
    """
    With what came of it.
    """
    simulator = serve(
        rings=["busy"], ring_seconds=0, answer="each", status_faults=["slow:0.1"]
    )
    june(100)
    say(*sending(simulator))
    with process(*polling(simulator, "--json")) as running:
        wait_until(lambda: simulator.asked.total() >= 8)
        running.send_signal(signal.SIGTERM)
        said = ended(running)

    assert 130 == said.code
    assert "stopping" in said.err
    assert told(said)["requests"] == simulator.asked.total() < 100
    assert stand()["calls"]["not_reached"] == simulator.asked.total()


@pytest.mark.slow
def test_it_tells_how_far_it_came(serve: Serve) -> None:
    """
    Now and then, in a line, and what it waits for.
    """
    simulator = serve(rings=["busy"], ring_seconds=0, answer="each")
    june(100)
    say(*sending(simulator))
    simulator.next_status_replies(*["1001"] * 20, "404", "429:2")
    often = "import voicepush.cli.polling as polling; polling._LINES = 0.05"
    with process(*polling(simulator), first=often) as running:
        said = ended(running)

    assert 0 == said.code
    assert "june: asked about" in said.err
    assert "have ended; 1 request failed" in said.err
    assert "the service asks to wait until" in said.err
    assert "1  HTTP 404 Not Found" in said.out


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(serve: Serve) -> None:
    """
    A service that does not answer keeps nobody.
    """
    simulator = serve(status_faults=["hang"])
    june(2)
    say(*sending(simulator))
    with process(*polling(simulator)) as running:
        wait_until(lambda: simulator.asked.total() == 1)
        running.send_signal(signal.SIGINT)
        assert running.stderr is not None
        assert "stopping" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        said = ended(running, 5.0)

    assert 130 == said.code
    assert "Traceback" not in said.err


@pytest.mark.slow
def test_it_works_beside_a_dispatching_process(serve: Serve) -> None:
    """
    Neither disturbs the other.
    """
    simulator = serve(rings=["busy"], ring_seconds=0, latency=0.05)
    june(800)
    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        first = poll(simulator, "--json")
        assert running.poll() is None
        said = ended(running)
    check_finished(simulator)
    second = poll(simulator, "--json")

    assert (0, 0, 0) == (first.code, said.code, second.code)
    assert 0 < told(first)["calls"] < 800
    assert 800 == told(first)["calls"] + told(second)["calls"]
    assert {1} == set(simulator.asked.values())


def test_a_tenant_without_it(serve: Serve) -> None:
    """
    One clear line, and the exit status of a service that refuses.
    """
    simulator = serve(status_api=False, answer="each")
    june(50)
    say(*sending(simulator))
    said = poll(simulator)

    assert 3 == said.code
    assert "this tenant may not have the status API" in said.complaint
    assert "is the address right?" in said.err
    assert "HTTP 404 Not Found" in said.out


def test_a_wrong_key(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is not shown.
    """
    simulator = serve()
    june(5)
    say(*sending(simulator))
    monkeypatch.setenv("VOICEPUSH_SERVICE_KEY", "wrong-key-77")
    said = poll(simulator, "--json")

    assert 3 == said.code
    assert "7001 Authentication failed" == told(said)["stopped"]
    assert "check the key" in said.err
    assert "wrong-key-77" not in said.out + said.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["july"], "there is no campaign 'july'"),
        (["june", "--after", "soon"], "--after soon is no duration"),
        (["june", "--again-after", "1"], "--again-after 1 is no duration"),
        (["june", "--rate", "0"], "--rate must be at least one request per hour"),
        (["june", "--concurrency", "0"], "concurrency must be above 0"),
        (["june", "--tenant-zone", "Mars"], "--tenant-zone 'Mars' is not known"),
        (["june", "--base-url", "http://example.org"], "must begin with https://"),
        (["june", "--ledger", "no.db"], "there is no ledger at no.db"),
    ],
)
def test_wrong_usage(serve: Serve, options: list[str], complaint: str) -> None:
    """
    Told before anything is asked.
    """
    simulator = serve()
    june(2)
    say(*sending(simulator))
    url = ["--base-url", simulator.url] if "--base-url" not in options else []
    said = say("poll", *options, *url)

    assert 2 == said.code
    assert complaint in said.complaint
    assert 0 == simulator.asked.total()


def test_the_key_may_stand_in_a_file(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    As for sending.
    """
    simulator = serve(rings=["busy"], ring_seconds=0)
    june(2)
    say(*sending(simulator))
    Path("key").write_text(KEY)
    monkeypatch.delenv("VOICEPUSH_SERVICE_KEY")
    said = poll(simulator, "--key-file", "key", "--json")

    assert (0, 2) == (said.code, told(said)["brought_further"])

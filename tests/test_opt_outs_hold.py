"""
People opt out while 100,000 are pending in two processes: none of them is called after
that, by neither.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cluster_crashing import new_database
from conftest import Serve, numbers
from mishaps import ended, process, say, wait_until

from voicepush import Campaign, Outcome, open_ledger
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

CAMPAIGNS = ("june", "july")

#: In each campaign; they are the same people, half of whom are in the other order.
PEOPLE = 50_000

#: Nobody behind these is called before everyone has opted out, although workers take
#: some thousands out of order; and one in so many of those who are called first opts
#: out in the middle of it.
FIRST = 20_000
ONE_IN = 20

#: Recipients per second of each campaign, so that it would take two minutes; and how
#: fast it goes on once nobody opts out any more.
SLOWLY, FAST = "400", "1000000"

TOKEN = "0123456789abcdef"

OUTCOMES = ("pending", "in_flight", "accepted", "rejected", "expired", "not_sent")


@pytest.fixture
def lists() -> dict[str, list[str]]:
    """
    Who is in each campaign, in the order in which they are called.
    """
    everyone = numbers(PEOPLE)
    found = {"june": everyone, "july": everyone[::2] + everyone[1::2]}
    for name, people in found.items():
        Path(f"{name}.csv").write_text("\n".join(["msisdn", *people]) + "\n")
    return found


def opting_out(lists: dict[str, list[str]]) -> tuple[list[str], set[str]]:
    """
    Who opts out, in which order; and those of them whose turn is long after that, in
    both campaigns.
    """
    turn = dict.fromkeys(numbers(PEOPLE), PEOPLE)
    for people in lists.values():
        for place, each in enumerate(people):
            turn[each] = min(turn[each], place)
    late = {each for each, place in turn.items() if place >= FIRST}
    chosen = [each for people in lists.values() for each in people[::ONE_IN][:300]]
    chosen += sorted(late)[::200]
    return list(dict.fromkeys(chosen)), late.intersection(chosen)


@contextmanager
def taking() -> Iterator[str]:
    """
    The address of a process that takes opt-outs.
    """
    Path("token").write_text(TOKEN)
    Path("token").chmod(0o600)
    command = ("receipts", "--listen", "127.0.0.1:0", "--opt-out-token-file", "token")
    with process(*command) as running:
        assert running.stdout is not None
        yield running.stdout.readline().strip().removesuffix("/receipts")


def opt_out(address: str, people: list[str]) -> None:
    """
    Let *people* press a key, some at once; all are answered that they are on the list.
    """

    def press(number: str) -> int:
        with closing(
            http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        ) as line:
            body = json.dumps({"number": number.removeprefix("+")})
            headers = {"Authorization": f"Bearer {TOKEN}"}
            line.request("POST", "/opt-out", body, headers)
            return line.getresponse().status

    with ThreadPoolExecutor(16) as pool:
        assert {200} == set(pool.map(press, people))


def not_claimed(ledger: str, campaign: str, people: set[str]) -> set[str]:
    """
    Those of *people* who are pending, or were left out already.
    """

    async def look() -> set[str]:
        async with open_ledger(ledger) as opened:
            found = await Campaign.open(opened, campaign)
            results = found.results(Outcome.PENDING, Outcome.SUPPRESSED)
            return {each.recipient async for each in results} & people

    return asyncio.run(look())


def stand(campaign: str) -> dict[str, int]:
    """
    What ``status --json`` says, whose sums hold.
    """
    found: dict[str, int] = json.loads(say("status", campaign, "--json").out)
    assert found["planned"] == sum(found[each] for each in (*OUTCOMES, "unknown"))
    assert PEOPLE == found["read"] == found["planned"] + found["suppressed"]
    return found


def check_why(campaign: str, number: str) -> None:
    """
    ``lookup`` says why *number* was left out of *campaign*.
    """
    told = json.loads(say("lookup", number, "--json").out.splitlines()[0])
    said = say("lookup", number)

    assert number in json.dumps(told)
    assert campaign in said.out
    assert "on the suppression list of the ledger: pressed a key" in said.out + said.err


def called(*simulators: Simulator) -> Counter[str]:
    """
    How often each was rung.
    """
    return sum((each.calls for each in simulators), Counter())


def test_two_processes_on_one_file(
    serve: Serve, lists: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each dispatches a campaign of the same people; a third takes the opt-outs.
    """
    monkeypatch.setenv("VOICEPUSH_LEDGER", "calls.db")
    simulators = {name: serve() for name in CAMPAIGNS}
    pressing, late = opting_out(lists)
    with ExitStack() as stack:
        address = stack.enter_context(taking())
        running = {
            name: stack.enter_context(process(*_sending(name, simulators[name])))
            for name in CAMPAIGNS
        }
        wait_until(lambda: min(len(each.calls) for each in simulators.values()) > 800)
        opt_out(address, pressing)
        before = {name: len(each.calls) for name, each in simulators.items()}
        protected = {
            name: not_claimed("calls.db", name, set(pressing)) for name in CAMPAIGNS
        }
        _go_on_fast()
        said = {name: ended(each, 120) for name, each in running.items()}

    for name, simulator in simulators.items():
        found = stand(name)
        # They were many in the middle of it, and all who had long to wait.
        assert before[name] < FIRST
        assert late < protected[name]
        assert (0, 0) == (said[name].code, found["pending"])
        assert protected[name].isdisjoint(simulator.calls)
        assert len(protected[name]) == found["suppressed"]
        assert set(numbers(PEOPLE)) - protected[name] == set(simulator.calls)
        assert {1} == set(simulator.calls.values())
        check_why(name, max(protected[name]))


def test_two_workers_of_a_database(
    serve: Serve, lists: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Both send both campaigns, on PostgreSQL.
    """
    ledger = new_database()
    monkeypatch.setenv("VOICEPUSH_LEDGER", ledger)
    simulators = [serve(), serve()]
    pressing, late = opting_out(lists)
    with ExitStack() as stack:
        address = stack.enter_context(taking())
        for name in CAMPAIGNS:
            told = say(*_sending(name, simulators[0]), "--detach")
            assert 0 == told.code, told.err
        workers = [
            stack.enter_context(process("worker", "--base-url", each.url))
            for each in simulators
        ]
        wait_until(lambda: min(len(each.calls) for each in simulators) > 800, 60)
        opt_out(address, pressing)
        before = called(*simulators)
        protected = {
            name: not_claimed(ledger, name, set(pressing)) for name in CAMPAIGNS
        }
        _go_on_fast()
        wait_until(lambda: _are_over(seconds=0.5), 120)
        _end(workers)

    times = called(*simulators)
    assert before.total() < 2 * FIRST
    for name in CAMPAIGNS:
        assert late < protected[name]
        assert len(protected[name]) == stand(name)["suppressed"]
        check_why(name, max(protected[name]))
    # Once by each campaign that had not been told.
    assert times == Counter(
        each
        for name in CAMPAIGNS
        for each in lists[name]
        if each not in protected[name]
    )


def _sending(name: str, simulator: Simulator) -> list[str]:
    options = ["--media", "x", "--base-url", simulator.url]
    return ["send", f"{name}.csv", *options, "--rate", SLOWLY, "--json"]


def _go_on_fast() -> None:
    for name in CAMPAIGNS:
        assert 0 == say("rate", name, FAST).code


def _are_over(*, seconds: float) -> bool:
    # Not again and again, since those who send need the processor.
    time.sleep(seconds)
    return not any(stand(each)["pending"] for each in CAMPAIGNS)


def _end(workers: list[subprocess.Popen[str]]) -> None:
    for each in workers:
        each.terminate()
    until = time.monotonic() + 30
    for each in workers:
        each.communicate(timeout=max(0.1, until - time.monotonic()))

"""
Workers are killed, stopped and cut off while they send one campaign: nobody is rung
twice, nobody is lost, and only whoever was in flight is unknown.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import postgres
import pytest
from cluster_crashing import STOPS_AT, Cluster, Proxy, new_database
from conftest import Serve
from mishaps import wait_until

#: By hand it may be more: 20 kills in 3,000 batches.
KILLS = int(os.environ.get("VOICEPUSH_CLUSTER_KILLS", "6"))
BATCHES = 150 * KILLS

#: When a worker is taken for dead, and a little more.
LONG = 22.0

#: How long it takes to end, on a busy machine, in seconds.
SOON = 6.0

Make = Callable[..., Cluster]


@pytest.fixture
def make(
    in_a_folder: None,  # noqa: ARG001 -- which clears the environment
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Make]:
    """
    Makes a campaign, whose workers are ended with the test.
    """
    made: list[Cluster] = []

    def one(batches: int, *faults: str, latency: float = 0.05) -> Cluster:
        address = new_database()
        monkeypatch.setenv("VOICEPUSH_LEDGER", address)
        made.append(Cluster(serve(*faults, latency=latency), address, batches))
        return made[-1]

    yield one
    for each in made:
        each.end()


def is_stopped(pid: int) -> bool:
    """
    Whether a process was stopped by a signal.
    """
    found = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return found.rpartition(")")[2].split()[0] == "T"


def test_workers_that_are_killed(make: Make) -> None:
    """
    Another goes on with what they had not claimed.
    """
    cluster = make(BATCHES, "7006@3%")
    for _ in range(3):
        cluster.start()
    cluster.plan()
    while len(cluster.killed) < KILLS:
        cluster.go_on(cluster.chance.randint(20, 100))
        cluster.kill()
        cluster.stand()

    cluster.check(most_unknown=KILLS * cluster.most_unknown)
    lost = cluster.lost_with()
    # Nobody is unknown but those whom one of them had in flight.
    assert lost.keys() <= set(cluster.killed)
    assert max(lost.values()) <= cluster.most_unknown


def test_workers_that_stand_still(make: Make) -> None:
    """
    Whoever they had claimed is unknown until they wake, and nobody whom others have
    called meanwhile is called by them: one in the midst of its work, and one exactly
    between a claim and its request, which it may send then.
    """
    cluster = make(600)
    cluster.start(first=STOPS_AT.format(at=10))
    for _ in range(2):
        cluster.start()
    cluster.plan()
    before, during, _ = cluster.workers
    wait_until(lambda: is_stopped(before.pid))
    during.send_signal(signal.SIGSTOP)
    since = time.monotonic()
    while time.monotonic() < since + LONG:
        cluster.stand()
        time.sleep(0.5)
    stands = cluster.stand()
    for each in (before, during):
        each.send_signal(signal.SIGCONT)

    assert stands["unknown"] > 0
    assert 0 == stands["in_flight"] == stands["pending"]
    cluster.check(most_unknown=2 * cluster.most_unknown)
    wait_until(lambda: cluster.stand()["accepted"] == cluster.people)


def test_the_database_restarts(make: Make) -> None:
    """
    Nothing is sent that could not be claimed, and workers go on by themselves.
    """
    cluster = make(400)
    for _ in range(3):
        cluster.start()
    cluster.plan()
    cluster.go_on(50)
    server = postgres.server()
    server.stop_at_once()
    server.start()

    cluster.check(most_unknown=3 * cluster.most_unknown)


def test_a_worker_is_cut_off(make: Make) -> None:
    """
    The others go on, and it comes back.
    """
    cluster = make(600)
    with tempfile.TemporaryDirectory(prefix="voicepush-") as folder:
        proxy = Proxy(Path(folder))
        cluster.start(address=proxy.address(cluster.address))
        cluster.start()
        cluster.plan()
        cluster.go_on(50)
        with proxy.cut():
            cluster.go_on(50)
        cluster.check(most_unknown=cluster.most_unknown)
        cluster.end()
        proxy.close()


@pytest.fixture
def answering(make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """
    A campaign whose requests are all under way when the server ends, which is started
    again with the next test.
    """
    monkeypatch.setenv("VOICEPUSH_ANSWERS_IN", "answers")
    cluster = make(8, latency=1.0)
    cluster.concurrency = 8
    cluster.start(drain="2s")
    cluster.plan()
    wait_until(lambda: len(cluster.simulator.requests) == 8)
    server = postgres.server()
    server.stop_at_once()
    yield cluster
    if server.process.poll() is not None:
        server.start()


def test_a_worker_that_is_ended_while_the_database_is_gone(answering: Cluster) -> None:
    """
    It ends soon after its drain, and what it was answered is recorded by the next one
    on this machine.
    """
    [worker] = answering.workers
    since = time.monotonic()
    worker.terminate()
    worker.wait(30)
    took = time.monotonic() - since
    [file] = Path("answers").iterdir()
    mode, kept = file.stat().st_mode, file.read_text()
    postgres.server().start()
    answering.start()
    wait_until(lambda: answering.stand()["accepted"] == answering.people)

    assert took < 2.0 + SOON
    assert 0o600 == stat.S_IMODE(mode)
    assert not [number for number in answering.simulator.calls if number in kept]
    assert not list(Path("answers").iterdir())
    answering.check(most_unknown=0)


def test_a_worker_whose_database_is_gone_for_long(answering: Cluster) -> None:
    """
    It waits for longer than its drain, records what it was answered, and goes on.
    """
    wait_until(lambda: list(Path("answers").glob("*.unrecorded")))
    time.sleep(4.0)
    postgres.server().start()
    wait_until(lambda: answering.stand()["accepted"] == answering.people)
    answering.check(most_unknown=0)
    [worker] = answering.workers
    is_alive = worker.poll() is None
    answering.end()

    assert is_alive
    assert not list(Path("answers").iterdir())

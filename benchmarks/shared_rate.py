"""
One rate for three processes: how well it is kept, who gets how much, what it costs.

    python benchmarks/shared_rate.py [--rate 5000] [--seconds 20] [--database ADDRESS]

A campaign of high priority, one of low priority and a service that submits single
calls share the rate, each in a process of its own, against the simulator in this one.
Without a database it starts a PostgreSQL of its own, as the tests do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import psycopg

from voicepush import BatchResult, Client, Group, Kind, Priority, Recipients, Settings
from voicepush import VoiceMessage as Message
from voicepush.ledger import open_ledger, shared_rate
from voicepush.model.batch import make_tag
from voicepush.model.pace import Taker, Urgency, most_at
from voicepush.sending.batching import Batcher
from voicepush.sending.journal import ForgetfulJournal
from voicepush.sending.sender import Sender
from voicepush.sending.shared_pacing import SharedPacer
from voicepush.sending.transport import Transport
from voicepush.sending.workers import Workers
from voicepush.simulator import Simulator

KEY = "made-up"
MESSAGE = Message(media="welcome", cli="18005550100")
TESTS = Path(__file__).parents[1] / "tests"
#: A submission is made so often, in seconds.
SUBMITS_EVERY = 0.01
#: What happens before everyone is under way is not counted, nor is the end.
WARM_UP = 2.0


async def campaign(
    priority: str, url: str, address: str, rate: float
) -> dict[str, Any]:
    """
    Send for as long as standard input is open.
    """
    settings = Settings(service_key=KEY, base_url=url)
    sent: list[tuple[float, int]] = []
    stopped = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))

    async def deliver(result: BatchResult) -> None:
        sent.append((time.monotonic(), len(result.batch)))

    async def due() -> AsyncIterator[BatchResult]:
        batcher = Batcher(Group(MESSAGE), tag=make_tag(), size=most_at(rate))
        numbers = (f"+999{number:09d}" for number in count())
        while not stopped.done():
            block = Recipients(Kind.MSISDN, list(islice(numbers, most_at(rate))))
            for batch in batcher.feed(block):
                yield BatchResult.untried(batch)

    async with shared_rate(address) as allowance, Transport(settings) as transport:
        pacer = SharedPacer(
            allowance, campaign=priority, priority=Priority[priority.upper()]
        )
        sender = Sender(settings, transport, pacer)
        await Workers(sender, ForgetfulJournal(), deliver).run(due())
    return {"sent": sent}


async def service(url: str, address: str) -> dict[str, Any]:
    """
    Submit single calls for as long as standard input is open.
    """
    took: list[tuple[float, float]] = []
    stopped = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    async with Client(service_key=KEY, base_url=url, rate=address) as client:

        async def submit(number: int) -> None:
            begun = time.monotonic()
            await client.submit(MESSAGE, f"+999{number:09d}")
            took.append((begun, time.monotonic() - begun))

        async with asyncio.TaskGroup() as group:
            for number in count():
                if stopped.done():
                    break
                group.create_task(submit(number))
                await asyncio.sleep(SUBMITS_EVERY)
    return {"took": took}


async def play(role: str, url: str, address: str, rate: float) -> None:
    """
    What each of the three processes does.
    """
    if role == "submit":
        found = await service(url, address)
    else:
        found = await campaign(role, url, address, rate)
    print(json.dumps(found))


async def run(address: str, rate: float, seconds: float) -> None:
    """
    All three against the simulator.
    """
    async with open_ledger(address), shared_rate(address) as allowance:
        await allowance.set_rate(rate)
        async with Simulator(service_key=KEY, count_calls=False) as simulator:
            roles = ("high", "low", "submit")
            processes = [
                await asyncio.create_subprocess_exec(
                    *(sys.executable, __file__, "--role", role, "--url", simulator.url),
                    *("--database", address, "--rate", str(rate)),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                for role in roles
            ]
            while not simulator.requests:  # noqa: ASYNC110 -- it has no event
                await asyncio.sleep(0.05)
            begun = time.monotonic() + WARM_UP
            await asyncio.sleep(WARM_UP + seconds)
            ended = time.monotonic()
            told = await asyncio.gather(
                *(each.communicate(b"\n") for each in processes)
            )
        await allowance.set_rate(None)
    high, low, submit = (json.loads(out) for out, _ in told)
    records = [
        (record.arrived, record.size)
        for record in simulator.requests
        if begun <= record.arrived < ended
    ]
    total = sum(size for _, size in records) / (ended - begun)
    most = busiest_second(records)
    print(f"rate {rate:,.0f}/s, requests of {most_at(rate):,}, {seconds:.0f} s")
    print(
        f"busiest second           {most:,} of at most "
        f"{rate + len(roles) * most_at(rate):,.0f}; rate and one request: "
        f"{rate + most_at(rate):,.0f}"
    )
    print(f"mean                     {total:,.0f}/s ({total / rate:.1%} of the rate)")
    for name, found in (("high", high), ("low", low)):
        got = sum(n for at, n in found["sent"] if begun <= at < ended)
        print(f"{name:5} priority           {got / (ended - begun) / total:.1%}")
    took = sorted(took for at, took in submit["took"] if begun <= at < ended)
    print(
        f"submit, linger 20 ms     p50 {1e3 * statistics.median(took):.1f} ms, "
        f"p99 {1e3 * took[int(0.99 * len(took))]:.1f} ms, "
        f"longest {1e3 * took[-1]:.1f} ms ({len(took):,} calls)"
    )


def busiest_second(records: list[tuple[float, int]]) -> int:
    """
    The most destinations that came within any second.
    """
    most = inside = first = 0
    for arrived, size in records:
        inside += size
        while records[first][0] <= arrived - 1:
            inside -= records[first][1]
            first += 1
        most = max(most, inside)
    return most


async def takes(address: str, connections: int, seconds: float = 3.0) -> None:
    """
    How many takes there are per second if nobody has to wait.
    """
    async with contextlib.AsyncExitStack() as stack:
        allowances = [
            await stack.enter_async_context(shared_rate(address))
            for _ in range(connections)
        ]
        await allowances[0].set_rate(1_000_000)
        until, made = time.monotonic() + seconds, 0

        async def take(number: int) -> None:
            nonlocal made
            taker = Taker(
                name=str(number),
                urgency=Urgency.MEDIUM,
                campaign=str(number),
                rate=1_000_000,
            )
            while time.monotonic() < until:
                await allowances[number].take(1, taker)
                made += 1

        await asyncio.gather(*map(take, range(connections)))
        await allowances[0].set_rate(None)
    print(
        f"takes, {connections} connection{'s' * (connections > 1)}     "
        f"{made / seconds:,.0f}/s in all"
    )


def times(address: str, *, reset: bool = False) -> None:
    """
    How long the database took for each take.
    """
    with psycopg.connect(address, autocommit=True) as connection:
        if reset:
            connection.execute("ALTER SYSTEM SET track_functions = 'all'")
            connection.execute("SELECT pg_reload_conf()")
            return
        found = connection.execute(
            "SELECT calls, total_time FROM pg_stat_user_functions "
            "WHERE funcname = 'pace_take'"
        ).fetchone()
    if found:
        calls, total = found
        print(f"in the database          {1e3 * total / calls:.0f} us per take")


def main() -> None:
    """
    Everything, or one of the processes.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--database")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.role:
        asyncio.run(play(given.role, given.url, given.database, given.rate))
        return
    address = given.database
    if address is None:
        sys.path.insert(0, str(TESTS))
        import postgres  # noqa: PLC0415

        address = postgres.server().address
        times(address, reset=True)
    asyncio.run(run(address, given.rate, given.seconds))
    times(address)
    for connections in (1, 3):
        asyncio.run(takes(address, connections))
    times(address)


if __name__ == "__main__":
    main()

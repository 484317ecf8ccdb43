"""
What `Client.submit` costs a service, and what the service of the documents does.

    python benchmarks/service.py submit [--seconds 60] [--callers 50]
    python benchmarks/service.py http [--seconds 60] [--callers 50]
    python benchmarks/service.py faults [--seconds 60] [--callers 50]
    python benchmarks/service.py memory [--submits 3000000]

`submit` compares callers of a client with callers of a bare aiohttp session, in one
process, with a sink that answers each request after 20 ms. `http` runs the service of
docs/services.md on uvicorn, as a process, before the same sink: how long `submit` took
within it, and how long its callers waited. `faults` does that before the stand-in with
its faults, ends the service by SIGTERM in their midst, and compares what callers were
told with what the stand-in has counted. `memory` tells the resident memory of a process
after each half a million submissions.

The limit for `submit` is its linger, the service's time, and 5 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

from lanes import Task, joined, posting
from sink import serving as sinking

import voicepush

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

#: What the sink takes for each answer, in seconds, and the default linger.
SERVICE = 0.02
LINGER = 0.02
#: What may come on top, in seconds.
WISHED = 0.005

FAULTS = ["7006@5%", "drop@2%", "slow:0.3@5%", "429:1@1/150"]

#: Where this is set, the service sleeps for as long instead of submitting.
_INSTEAD = "SLEEP_INSTEAD"

_MESSAGE = voicepush.VoiceMessage(media="welcome")


def told(name: str, waits: list[float], most: float) -> None:
    """
    Print the quantiles of *waits*, in milliseconds, and what they exceed *most* by.
    """
    shares = statistics.quantiles(waits, n=1000, method="inclusive")
    p50, p99, p999 = shares[499], shares[989], shares[998]
    print(
        f"{name:24} {len(waits):9,} p50 {p50 * 1000:6.1f} p99 {p99 * 1000:6.1f} "
        f"p99.9 {p999 * 1000:6.1f} max {max(waits) * 1000:7.1f}; "
        f"p99 beyond {most * 1000:.0f}: {(p99 - most) * 1000:5.1f} ms",
        flush=True,
    )


async def calling(
    act: Callable[[str], Awaitable[object]], callers: int, seconds: float
) -> list[float]:
    """
    How long each act took, of so many who act again as soon as they have their answer.
    """
    clock, waits, places = time.perf_counter, list[float](), count(1)
    end = clock() + seconds

    async def one() -> None:
        while (begun := clock()) < end:
            await act(f"+999{next(places):010d}")
            waits.append(clock() - begun)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(one())
    return waits


async def submit(arguments: argparse.Namespace) -> None:
    """
    A client, and a bare session, in turns.
    """
    with sinking(latency=SERVICE) as sink:
        task = Task(0, sink.url, Path(), arguments.callers)
        for _ in range(arguments.rounds):
            async with posting(task) as post:
                waits = await calling(
                    lambda number, post=post: post(joined([number], number)),  # type: ignore[misc]
                    arguments.callers,
                    arguments.seconds,
                )
            told("bare aiohttp", waits, SERVICE)
            async with voicepush.Client(
                service_key="made-up", base_url=sink.url
            ) as client:
                waits = await calling(
                    lambda number, client=client: client.submit(_MESSAGE, number),  # type: ignore[misc]
                    arguments.callers,
                    arguments.seconds,
                )
            told("submit", waits, LINGER + SERVICE)


def _made_up(recipient: voicepush.Recipient) -> voicepush.Result:
    accepted = voicepush.Outcome.ACCEPTED
    return voicepush.Result(str(recipient), accepted, "1001", "Queued", None, "")


def timed() -> Any:
    """
    The service of the documents, which writes at its end how long `submit` took.
    """
    path = ROOT / "docs" / "examples" / "fastapi_service" / "service.py"
    found = importlib.util.spec_from_file_location("documented_service", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    original, waits = voicepush.Client.submit, list[float]()

    async def timing(
        client: voicepush.Client,
        message: voicepush.VoiceMessage,
        recipient: voicepush.Recipient,
    ) -> voicepush.Result:
        begun = time.perf_counter()
        if os.environ.get(_INSTEAD):
            await asyncio.sleep(LINGER + SERVICE)
            result = _made_up(recipient)
        else:
            result = await original(client, message, recipient)
        waits.append(time.perf_counter() - begun)
        return result

    voicepush.Client.submit = timing  # type: ignore[method-assign]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await module.app(scope, receive, send)
        if scope["type"] == "lifespan":
            name = "sleep" if os.environ.get(_INSTEAD) else "submit"
            told(f"{name} in the service", waits, LINGER + SERVICE)

    return app


async def http(arguments: argparse.Namespace) -> None:
    """
    The service on uvicorn, before the sink; and one that only sleeps for as long.
    """
    for instead in ("", "1") * arguments.rounds:
        os.environ[_INSTEAD] = instead
        await _http(arguments)


async def _http(arguments: argparse.Namespace) -> None:
    from aiohttp import ClientSession, TCPConnector  # noqa: PLC0415
    from services import on_uvicorn  # noqa: PLC0415

    with (
        sinking(latency=SERVICE) as sink,
        on_uvicorn(sink.url, "service:timed", Path(__file__).parent) as service,
    ):
        async with ClientSession(connector=TCPConnector(limit=0)) as session:

            async def call(number: str) -> None:
                async with session.post(
                    f"{service.url}/calls", json={"number": number}
                ) as response:
                    assert b'"accepted"' in await response.read()

            waits = await calling(call, arguments.callers, arguments.seconds)
        told("callers of the service", waits, LINGER + SERVICE)
        service.end()
        _, written = await asyncio.to_thread(service.ended)
    print("\n".join(line for line in written.splitlines() if "p99" in line))


async def faults(arguments: argparse.Namespace) -> None:
    """
    The service on uvicorn, before the stand-in with its faults, and SIGTERM at the end.
    """
    from conftest import KEY  # noqa: PLC0415
    from services import Answered, callers, on_uvicorn  # noqa: PLC0415

    from voicepush.simulator import Simulator  # noqa: PLC0415

    answered = Answered()
    async with Simulator(service_key=KEY, faults=FAULTS, latency=SERVICE) as simulator:
        with on_uvicorn(
            simulator.url, "service:timed", Path(__file__).parent
        ) as service:
            everyone = asyncio.create_task(
                callers(
                    service.url,
                    arguments.callers,
                    answered,
                    lambda: not answered.not_taken,
                )
            )
            await asyncio.sleep(arguments.seconds)
            before = len(answered.told)
            service.end()
            await everyone
            status, written = await asyncio.to_thread(service.ended)
        rung, twice = simulator.calls, simulator.summary()["rung_twice"]
    accepted, unknown = answered.said("accepted"), answered.said("unknown")
    print("\n".join(line for line in written.splitlines() if "p99" in line))
    late = len(answered.told) - before
    print(f"answers: {len(answered.told):,}, after the signal {late}")
    print(f"replies of the stand-in: {dict(simulator.replies)}")
    print(
        f"accepted {len(accepted):,}, unknown {len(unknown):,}, other "
        f"{len(answered.told) - len(accepted) - len(unknown):,}, turned away "
        f"{len(answered.turned_away):,}, not taken {len(answered.not_taken):,}; exit "
        f"status {status}"
    )
    print(
        f"rung {len(rung):,}, twice {twice}; rung and not told so "
        f"{len(rung.keys() - accepted - unknown)}, told so and not rung "
        f"{len(accepted - rung.keys())}"
    )


def _resident() -> float:
    """
    The resident memory of this process, in MB.
    """
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def memory(arguments: argparse.Namespace) -> None:
    """
    Submissions by 1,000 callers, as fast as they go.
    """
    step, done, begun = 500_000, 0, time.perf_counter()
    with sinking() as sink:
        async with voicepush.Client(
            service_key="made-up", base_url=sink.url, linger=0.005
        ) as client:
            places = iter(range(arguments.submits))

            async def one() -> None:
                nonlocal done
                for place in places:
                    await client.submit(_MESSAGE, f"+999{place:010d}")
                    done += 1
                    if done % step == 0:
                        spent = time.perf_counter() - begun
                        size = f"{_resident():6.1f} MB"
                        print(f"{done:10,} submits {spent:7.1f} s {size}", flush=True)

            async with asyncio.TaskGroup() as group:
                for _ in range(1_000):
                    group.create_task(one())


def main() -> None:
    """
    Run one of them.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    lanes = {each.__name__: each for each in (submit, http, faults, memory)}
    parser.add_argument("lane", choices=lanes)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--callers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--submits", type=int, default=3_000_000)
    arguments = parser.parse_args()
    asyncio.run(lanes[arguments.lane](arguments))


if __name__ == "__main__":
    main()

"""
The services of the documents as real processes, with a stand-in that misbehaves.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from aiohttp import ClientSession
from conftest import KEY, Serve, Simulate
from services import EXAMPLES, Answered, Service, callers, on_aiohttp, on_uvicorn

from voicepush.simulator import Simulator

# Requests are shared by many callers, so there are few of them.
FAULTS = ["7006@1/5", "drop@1/9", "slow:0.3@1/7", "429:1@1/29", "7102@1/8"]


def check(simulator: Simulator, answered: Answered) -> None:
    """
    What the stand-in has counted is what callers were told.
    """
    rung = simulator.calls
    accepted, unknown = answered.said("accepted"), answered.said("unknown")
    assert {1} == set(rung.values())
    assert accepted <= rung.keys()
    assert rung.keys() <= accepted | unknown
    # Whoever got no answer, or was turned away, was not called either.
    assert not rung.keys() & (answered.not_taken | answered.turned_away.keys())


async def under_load(
    service: Service, simulator: Simulator, *, before: int, after: int
) -> Answered:
    """
    Fifty callers, and the signal to end in their midst.
    """
    answered = Answered()
    calling = asyncio.create_task(
        callers(service.url, 50, answered, lambda: not answered.not_taken)
    )
    async with asyncio.timeout(120):
        while len(answered.told) < before:  # noqa: ASYNC110 -- callers have no event
            await asyncio.sleep(0.01)
        assert simulator.requests
        service.end()
        await calling
    assert len(answered.told) >= before + after
    return answered


@pytest.mark.parametrize("serve", [on_uvicorn, on_aiohttp])
async def test_a_signal_loses_no_answer(
    simulate: Simulate,
    serve: Callable[[str], AbstractContextManager[Service]],
) -> None:
    """
    Each request that a service took has its answer, and the stand-in's count is what
    callers were told.
    """
    simulator = await simulate(*FAULTS, latency=0.05, seed=3)
    with serve(simulator.url) as service:
        answered = await under_load(service, simulator, before=400, after=1)
        status, written = await asyncio.to_thread(service.ended)

    check(simulator, answered)
    assert answered.said("rejected")
    assert {} == answered.turned_away
    assert status in (0, -signal.SIGTERM), written  # uvicorn ends by its signal
    assert "Traceback" not in written


async def test_what_it_tells_of_itself(simulate: Simulate) -> None:
    """
    Who is in flight, and how fast it may send.
    """
    simulator = await simulate()
    simulator.next_replies("429:2")
    with on_uvicorn(simulator.url) as service:
        async with ClientSession() as session:

            async def health() -> dict[str, object]:
                async with session.get(f"{service.url}/health") as response:
                    found: dict[str, object] = await response.json()
                    return found

            async def call(number: str) -> dict[str, object]:
                async with session.post(
                    f"{service.url}/calls", json={"number": number}
                ) as response:
                    found: dict[str, object] = await response.json()
                    return found

            idle = await health()
            calling = asyncio.create_task(call("+9995550100"))
            while not (busy := await health())["held_until"]:  # noqa: ASYNC110 -- see above
                await asyncio.sleep(0.01)
            told = await calling
            refused = await call("nobody")

    assert {"in_flight": 0, "rate": None, "held_until": None} == idle
    assert 1 == busy["in_flight"]
    assert busy["rate"]
    assert "accepted" == told["outcome"]
    assert ("rejected", None) == (refused["outcome"], refused["code"])


class TestJobs:
    """
    Code that is not asynchronous itself, in processes of its own.
    """

    @pytest.fixture
    def run(self, simulator: Simulator) -> Callable[[str], str]:
        """
        Runs a program in the folder of the examples; gives what it prints.
        """

        def run(program: str) -> str:
            done = subprocess.run(  # noqa: S603 -- our own program
                [sys.executable, "-c", program],
                cwd=EXAMPLES / "jobs",
                env={
                    **os.environ,
                    "VOICEPUSH_BASE_URL": simulator.url,
                    "VOICEPUSH_SERVICE_KEY": KEY,
                },
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert 0 == done.returncode, done.stderr
            return done.stdout.strip()

        return run

    @pytest.fixture
    def simulator(self, serve: Serve) -> Simulator:
        """
        The stand-in, in a thread of its own.
        """
        return serve()

    def test_a_task_of_celery(
        self, simulator: Simulator, run: Callable[[str], str]
    ) -> None:
        """
        Rings, and gives the correlation id.
        """
        told = run("import tasks; print(tasks.ring.apply(args=['+9995550100']).get())")

        assert {"+9995550100": 1} == simulator.calls
        assert told == simulator.requests[0].correlation_ids[0]

    @pytest.mark.parametrize(
        ("reply", "state", "requests"), [("7007", "SUCCESS", 2), ("drop", "FAILURE", 1)]
    )
    def test_what_a_task_tries_again(
        self,
        simulator: Simulator,
        run: Callable[[str], str],
        reply: str,
        state: str,
        requests: int,
    ) -> None:
        """
        Only what was provably not sent; nobody is rung twice.
        """
        simulator.next_replies(reply)

        told = run(
            "import tasks; tasks.ring.retry_backoff = False; "
            "done = tasks.ring.apply(args=['+9995550100']); print(done.state)"
        )

        assert (state, requests) == (told, len(simulator.requests))
        assert {1} >= set(simulator.calls.values())

    @pytest.mark.parametrize(("view", "clients"), [("call_alone", 8), ("call", 1)])
    def test_views_of_django(
        self,
        simulator: Simulator,
        run: Callable[[str], str],
        view: str,
        clients: int,
    ) -> None:
        """
        Each has a client of its own, or all threads share one.
        """
        told = run(
            "from concurrent.futures import ThreadPoolExecutor\n"
            "from django.conf import settings\n"
            "settings.configure(ALLOWED_HOSTS=['*'])\n"
            "from django.test import RequestFactory\n"
            "import views\n"
            "def ring(number):\n"
            "    request = RequestFactory().post('/calls', {'number': number})\n"
            f"    return views.{view}(request).status_code\n"
            "numbers = [f'+999555010{place}' for place in range(8)]\n"
            "with ThreadPoolExecutor(8) as pool:\n"
            "    print(set(pool.map(ring, numbers)))\n"
            f"if {view!r} == 'call':\n"
            "    views.caller().close()\n"
        )

        assert "{200}" == told
        assert 8 == len(simulator.calls)
        ids = [each for made in simulator.requests for each in made.correlation_ids]
        assert clients == len({each.partition("-")[0] for each in ids})

    def test_a_caller_beside_threads(
        self, simulator: Simulator, run: Callable[[str], str]
    ) -> None:
        """
        Says what it left when it is closed.
        """
        told = run(
            "import threading, time, beside_threads, voicepush\n"
            "from datetime import timedelta\n"
            "caller = beside_threads.Caller()\n"
            "message = voicepush.VoiceMessage(media='welcome')\n"
            "print(caller.call(message, '+9995550100').outcome)\n"
            "print(caller.close(timedelta(0)).left)\n"
        )

        assert "accepted\n0" == told
        assert 1 == simulator.rung


def test_a_page_shows_what_is_run() -> None:
    """
    Each recipe stands in a page of the documents, word for word.
    """
    pages = "".join(
        page.read_text(encoding="utf-8") for page in EXAMPLES.parent.glob("*.md")
    )
    recipes = ("aiohttp_service", "fastapi_service", "jobs")
    examples = [each for name in recipes for each in (EXAMPLES / name).rglob("*.py")]

    assert len(examples) > len(recipes)
    for example in examples:
        shown = f"```python\n{example.read_text(encoding='utf-8')}```"
        assert shown in pages, example.name

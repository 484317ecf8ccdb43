"""
The services of the documents as real processes, with a stand-in that misbehaves.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession
from conftest import Simulate
from services import Answered, Service, callers, on_uvicorn

from voicepush.simulator import Simulator

FAULTS = ["7006@5%", "drop@3%", "slow:0.3@5%", "429:1@1/200", "mix:7102=50%@2%"]


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


async def test_a_signal_loses_no_answer(simulate: Simulate) -> None:
    """
    Each request that the FastAPI service took has its answer, and the stand-in's count
    is what callers were told.
    """
    simulator = await simulate(*FAULTS, latency=0.05, seed=3)
    with on_uvicorn(simulator.url) as service:
        answered = await under_load(service, simulator, before=400, after=1)
        status, written = await asyncio.to_thread(service.ended)

    check(simulator, answered)
    assert answered.said("rejected")
    assert {} == answered.turned_away
    assert status in (0, -15), written  # uvicorn ends by the signal that it was sent
    assert "Application shutdown complete" in written


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


@pytest.mark.parametrize("page", ["services.md"])
def test_the_page_shows_what_is_run(page: str) -> None:
    """
    Each example stands in the page word for word.
    """
    docs = Path(__file__).parent.parent / "docs"
    text = (docs / page).read_text(encoding="utf-8")
    examples = sorted((docs / "examples").rglob("*.py"))

    assert examples
    for example in examples:
        shown = f"```python\n{example.read_text(encoding='utf-8')}```"
        assert shown in text, example.name

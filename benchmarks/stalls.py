"""
What a service waits for, each in a process of its own; prints milliseconds.

    python benchmarks/stalls.py idle|list|file|objects MANY URL FOLDER [FILE]
    python benchmarks/stalls.py bare|alone|beside MANY URL FOLDER [FILE]
    python benchmarks/stalls.py batches|query MANY URL FOLDER

The first line is the longest stall of the event loop: what a task that sleeps for 1 ms
finds to be the longest time between two of its turns, less that millisecond. The second
is how long a bare post takes, and `Client.submit` alone and beside a campaign that is
sent through the same client. The third makes a ledger of *MANY* batches, and asks where
it stands.

Nothing is tuned here as the command line is: a service has its own collector of
garbage. The lists themselves are made, and collected once, before it is looked at.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from campaign_of_millions import Stalls
from lanes import Task, destinations_of, joined, list_of, posting

import voicepush

#: Seconds between two submissions.
_EVERY = 0.004
#: How long they go on where there is no campaign.
_ALONE = 3.0
#: The default of `voicepush.Settings`, in seconds.
LINGER = 0.02
#: What the sink takes for each answer here, in seconds.
SERVICE = 0.02

#: So often a ledger is opened anew and asked.
_ASKED = 15

_NAME = "many"
_MESSAGE = voicepush.VoiceMessage(media="welcome")

Found = dict[str, float]


class Asked(NamedTuple):
    """
    A lane's arguments.
    """

    many: int
    url: str
    folder: Path
    file: Path | None


async def status_of(campaign: Any) -> Any:
    """
    Where *campaign* stands; the one place that knows how that is called.
    """
    return await campaign.status()


def _client(asked: Asked, **settings: Any) -> voicepush.Client:
    return voicepush.Client(service_key="made-up", base_url=asked.url, **settings)


def _task(asked: Asked) -> Task:
    return Task(asked.many, asked.url, asked.folder, 32)


def _recipients(asked: Asked, kind: str) -> Any:
    if kind == "list":
        return list_of(_task(asked))
    if kind == "objects":
        return destinations_of(_task(asked), ids=True)
    assert asked.file is not None
    return voicepush.read_file(asked.file)


@asynccontextmanager
async def _watched() -> AsyncIterator[Callable[[], Any]]:
    """
    What gives the longest stall since it was last asked, in milliseconds.
    """
    stalls = Stalls()
    watching = asyncio.create_task(stalls.watch())

    async def longest() -> float:
        await asyncio.sleep(0.01)  # what ended just now counts, too
        found, stalls.longest = stalls.longest, 0.0
        return found * 1000

    await asyncio.sleep(0.1)
    await longest()
    try:
        yield longest
    finally:
        watching.cancel()


async def idle(_: Asked) -> Found:
    """
    The machine's own share: nothing is done for a second.
    """
    async with _watched() as longest:
        await asyncio.sleep(1)
        return {"idle": await longest()}


async def stalls(asked: Asked, kind: str) -> Found:
    """
    Planning and dispatching a campaign, then iterating over its results.
    """
    recipients = _recipients(asked, kind)
    found: Found = {}
    gc.collect()
    async with (
        voicepush.open_ledger(asked.folder / "stalls.db") as ledger,
        _client(asked) as client,
        _watched() as longest,
    ):
        campaign = await voicepush.Campaign.plan(ledger, _NAME, _MESSAGE, recipients)
        found["planning"] = await longest()
        summary = await campaign.dispatch(client)
        found["dispatching"] = await longest()
        accepted = 0
        async for result in campaign.results():
            accepted += result.outcome is voicepush.Outcome.ACCEPTED
        found["results"] = await longest()
        planned = (await status_of(campaign)).planned
        sent = planned
        assert planned == summary.accepted == accepted
        if asked.file is None:
            assert asked.many == planned
            await longest()
            summary = await client.send(_MESSAGE, recipients)
            found["sending"] = await longest()
            assert asked.many == summary.accepted
            sent += asked.many
    return found | {"sent": sent}


async def _submitting(
    submit: Callable[[str], Awaitable[None]], until: Callable[[], bool], most: float
) -> Found:
    """
    One submission every so often, whatever became of those before; each is timed from
    when it was due, since a caller waits for a stalled loop as well.
    """
    clock = time.perf_counter
    waits: list[float] = []

    async def timed(due: float, number: str) -> None:
        await submit(number)
        waits.append(clock() - due)

    began = clock()
    async with asyncio.TaskGroup() as group:
        for place in count(1):
            due = began + place * _EVERY
            await asyncio.sleep(max(0.0, due - clock()))
            if until():
                break
            group.create_task(timed(due, f"+999{place:010d}"))
    half, last = (_quantile(waits, share) - most for share in (50, 99))
    return {"p50": half * 1000, "p99": last * 1000, "submitted": len(waits)}


def _for_a_while() -> Callable[[], bool]:
    end = time.perf_counter() + _ALONE
    return lambda: time.perf_counter() > end


def _submit(client: voicepush.Client) -> Callable[[str], Awaitable[None]]:
    async def submit(number: str) -> None:
        result = await client.submit(_MESSAGE, number)
        assert result.outcome is voicepush.Outcome.ACCEPTED

    return submit


async def bare(asked: Asked) -> Found:
    """
    The machine's own share: posts by aiohttp, and nothing else.
    """
    async with posting(_task(asked)) as post:
        found = await _submitting(
            lambda number: post(joined([number], number)), _for_a_while(), SERVICE
        )
    return found | {"sent": found["submitted"]}


def _quantile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


async def alone(asked: Asked) -> Found:
    """
    `submit`, and nothing else.
    """
    async with _client(asked) as client:
        found = await _submitting(_submit(client), _for_a_while(), LINGER + SERVICE)
    return found | {"sent": found["submitted"]}


async def beside(asked: Asked) -> Found:
    """
    `submit`, while a campaign with ids goes through the same client.
    """
    recipients = _recipients(asked, "file")
    async with (
        voicepush.open_ledger(asked.folder / "beside.db") as ledger,
        _client(asked) as client,
    ):
        campaign = await voicepush.Campaign.plan(ledger, _NAME, _MESSAGE, recipients)
        dispatching = asyncio.create_task(campaign.dispatch(client))
        found = await _submitting(_submit(client), dispatching.done, LINGER + SERVICE)
        summary = await dispatching
        assert (await status_of(campaign)).planned == summary.accepted
    return found | {"sent": found["submitted"] + summary.accepted}


async def batches(asked: Asked) -> Found:
    """
    Make a ledger of so many batches of one, of which some were sent.
    """
    is_large = asked.many > 1000
    enough = 2000 if is_large else 3
    async with (
        voicepush.open_ledger(ledger_of(asked.folder, asked.many)) as ledger,
        _client(asked, concurrency=32 if is_large else 1) as client,
    ):
        numbers = (f"+999{place:010d}" for place in range(asked.many))
        campaign = await voicepush.Campaign.plan(
            ledger, _NAME, _MESSAGE, numbers, batch_size=1
        )

        async def stop() -> None:
            while (await status_of(campaign)).accepted < enough:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            campaign.stop("enough for a benchmark")

        stopping = asyncio.create_task(stop())
        summary = await campaign.dispatch(client)
        await stopping
        query = await status_of(campaign)
        assert asked.many == query.planned
        assert enough <= query.accepted == summary.accepted < asked.many
    return {"accepted": query.accepted}


def ledger_of(folder: Path, many: int) -> Path:
    """
    The ledger of so many batches.
    """
    return folder / f"batches-{many}.ledger"


def campaign_of_batches() -> str:
    """
    The campaign in it.
    """
    return _NAME


async def query(asked: Asked) -> Found:
    """
    Ask where that campaign stands, each time in a ledger opened anew.
    """
    waits: list[float] = []
    for _ in range(_ASKED):
        async with voicepush.open_ledger(ledger_of(asked.folder, asked.many)) as ledger:
            campaign = await voicepush.Campaign.open(ledger, _NAME)
            began = time.perf_counter()
            found = await status_of(campaign)
            waits.append(time.perf_counter() - began)
            assert asked.many == found.planned
    return {"ms": statistics.median(waits) * 1000}


def main() -> None:
    """
    Run one of them.
    """
    name, many, url, folder, *file = sys.argv[1:]
    asked = Asked(int(many), url, Path(folder), Path(file[0]) if file else None)
    if name in ("list", "file", "objects"):
        found = asyncio.run(stalls(asked, name))
    else:
        lanes = {
            each.__name__: each for each in (idle, bare, alone, beside, batches, query)
        }
        found = asyncio.run(lanes[name](asked))
    print(json.dumps(found))


if __name__ == "__main__":
    main()

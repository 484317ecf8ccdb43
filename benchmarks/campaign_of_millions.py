"""
One campaign of millions, from a CSV to a local sink, with everything on.

    python benchmarks/campaign_of_millions.py 10000000

Screening, duplicate removal, full durability and records are on. Prints one JSON
object: seconds of planning and dispatching, the process's CPU, its peak memory, what
the ledger takes on the disk, the longest stall of the event loop, and how long looking
up a number takes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import platform
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from sink import serving

import voicepush


def write_list(path: Path, many: int) -> None:
    """
    A CSV of *many* different made-up numbers in no order; +99 is no country's code.
    """
    # A full-period generator modulo 10^10: no number comes twice.
    start = random.Random(1).randrange(10**10)  # noqa: S311 -- made-up numbers
    with path.open("w") as lines:
        lines.write("name,msisdn\n")
        value = start
        for place in range(many):
            value = (value * 21 + 7_777_777_777) % 10**10
            lines.write(f"person {place},+99{value:010d}\n")


class Stalls:
    """
    How long the event loop was away: the most that a short sleep lasted too long.
    """

    longest = 0.0

    async def watch(self) -> None:
        """
        Look all the time.
        """
        clock = time.perf_counter
        while True:
            then = clock()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, clock() - then - 0.001)


async def run(folder: Path, many: int, url: str) -> dict[str, object]:
    """
    Plan and dispatch *many*.
    """
    ledger_path = folder / "ledger.db"
    message = voicepush.VoiceMessage(media="welcome")
    stalls = Stalls()
    watching = asyncio.create_task(stalls.watch())
    clock = time.perf_counter
    async with (
        voicepush.open_ledger(ledger_path) as ledger,
        voicepush.Client(service_key="made-up", base_url=url) as client,
    ):
        began = clock()
        campaign = await voicepush.Campaign.plan(
            ledger, "many", message, voicepush.read_file(folder / "list.csv")
        )
        planned = clock()
        await asyncio.sleep(0.01)  # what ended with the planning counts as planning
        planning_stall = stalls.longest
        stalls.longest = 0.0
        summary = await campaign.dispatch(client)
        dispatched = clock()
        await asyncio.sleep(0.01)
        dispatching_stall = stalls.longest
        wanted = next(iter(read_last(folder / "list.csv")))
        found = await ledger.find(wanted)
        looked_up = clock()
        used = resource.getrusage(resource.RUSAGE_SELF)
        stalls.longest = 0.0
        numbers = (f"+99{place:010d}" for place in range(many))
        await client.send(message, numbers)
        sending_stall = stalls.longest
    watching.cancel()
    size = sum(file.stat().st_size for file in folder.glob("ledger.db*"))
    assert many == summary.accepted
    assert [wanted] == [each.result.recipient for each in found]
    return {
        "recipients": many,
        "planning seconds": round(planned - began, 2),
        "dispatching seconds": round(dispatched - planned, 2),
        "lookup seconds": round(looked_up - dispatched, 3),
        "CPU seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak memory MB": round(used.ru_maxrss / 1024),
        "bytes on disk per recipient": round(size / many, 2),
        "longest stall planning ms": round(planning_stall * 1000, 1),
        "longest stall dispatching ms": round(dispatching_stall * 1000, 1),
        "longest stall without a ledger ms": round(sending_stall * 1000, 1),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def read_last(path: Path) -> list[str]:
    """
    The last number of the list.
    """
    with path.open("rb") as file:
        file.seek(-64, os.SEEK_END)
        return [file.read().decode().split(",")[-1].strip()]


def main() -> None:
    """
    Run it in a folder that is removed afterwards.
    """
    gc.freeze()  # as the command line does
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name, serving() as service:
        folder = Path(name)
        write_list(folder / "list.csv", many)
        print(json.dumps(asyncio.run(run(folder, many, service.url)), indent=2))


if __name__ == "__main__":
    main()

"""
What a list of those not to call costs: disk for each, and time of a claim.

    python benchmarks/suppression.py [POSTGRESQL-ADDRESS]

Each claim is of a batch of 1,000, one after the other, with a tenth of one in a hundred
on the list. Without an address it measures a file.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from voicepush import VoiceMessage, open_ledger
from voicepush.ledger import Ledger, Plan
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.recipients import Kind, Recipients

CLAIMS = 200
MESSAGE = VoiceMessage(media="welcome")
SIZES = (0, 1_000, 10_000_000)

#: Every third number of a country of ten milliards: 30 million of them.
STEP = 331


def listed(number: int) -> Iterator[tuple[Kind, Sequence[str]]]:
    """
    So many numbers, in order as a file has them once it was read.
    """
    for start in range(0, number, 10_000):
        some = range(start, min(number, start + 10_000))
        yield Kind.MSISDN, [f"+999{each * STEP:010d}" for each in some]


def batches(tag: str) -> Iterator[Batch]:
    """
    What is claimed: numbers of the same country.
    """
    chosen = random.Random(1)  # noqa: S311 -- no secret
    for number in range(CLAIMS):
        values = [f"+999{chosen.randrange(10**10):010d}" for _ in range(1_000)]
        yield Batch(
            BatchId(tag, number),
            Recipients(Kind.MSISDN, values, range(1_000)),
            Group(MESSAGE),
        )


async def claims(ledger: Ledger, name: str) -> float:
    """
    Milliseconds of a claim, the median.
    """
    tag = os.urandom(5).hex()
    planned = list(batches(tag))
    draft = await ledger.draft(
        Plan(campaign=name, message="{}", source="none", tag=tag)
    )
    await draft.add(planned)
    await draft.publish(
        {"read": 1_000 * CLAIMS, "invalid": 0, "duplicate": 0, "suppressed": 0}
    )
    worker = await ledger.join(name, lambda _: MESSAGE)
    found = []
    for batch in planned:
        begun = time.perf_counter()
        await worker.claim(batch, range(1_000))
        found.append(time.perf_counter() - begun)
    return 1_000 * sorted(found)[CLAIMS // 2]


async def measure(where: str, size: int, disk: Path | None) -> None:
    """
    Print a line of what a list of *size* costs in the ledger at *where*.
    """
    async with open_ledger(where) as ledger:
        begun = time.perf_counter()
        await ledger.suppress(listed(size), category="measured", imported=True)
        took = time.perf_counter() - begun
        median = await claims(ledger, f"of {size}")
        begun = time.perf_counter()
        read = 0
        async for _, values in ledger.suppressed_values():
            read += len(values)
        look = time.perf_counter() - begun
    assert read == size
    per = f", {disk.stat().st_size / size:.1f} bytes each" if disk and size else ""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:>12,}: a claim {median:.2f} ms; written in {took:.1f} s, read in "
        f"{look:.1f} s{per}; {most:.0f} MB of memory at most"
    )


async def main() -> None:
    """
    Measure each size in a ledger of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder, f"{size}.db")
            if len(sys.argv) > 1:
                schema = f"suppression_{os.urandom(4).hex()}"
                mark = "&" if "?" in sys.argv[1] else "?"
                await measure(f"{sys.argv[1]}{mark}schema={schema}", size, None)
            else:
                await measure(str(path), size, path)


if __name__ == "__main__":
    asyncio.run(main())

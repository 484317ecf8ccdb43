"""
What a list of those not to call costs: disk, time of a claim, and of an import.

    python benchmarks/suppression.py                        # of a file
    python benchmarks/suppression.py --postgres             # of a server
    python benchmarks/suppression.py --sizes 0 1000
    python benchmarks/suppression.py --import               # the whole command

Each claim is of a batch of 1,000, one after the other; of a list of ten million one or
two of them are on it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg

from voicepush import VoiceMessage, open_ledger
from voicepush.ledger import Ledger, Plan
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.claim import Claimed
from voicepush.model.recipients import Kind, Recipients

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

CLAIMS = 200
MESSAGE = VoiceMessage(media="welcome")

#: The numbers of one country, as far apart as people on a list are.
_NUMBERS = 10**10
_STEP = 997

#: The bytes of the list in a database.
_BYTES = "SELECT pg_total_relation_size('suppressed_number')"


def listed(number: int) -> Iterator[tuple[Kind, Sequence[str]]]:
    """
    So many numbers, in order as `voicepush suppress import` gives them.
    """
    for start in range(0, number, 10_000):
        some = range(start, min(number, start + 10_000))
        yield Kind.MSISDN, [f"+999{each * _STEP:010d}" for each in some]


def batches(tag: str) -> Iterator[Batch]:
    """
    What is claimed: numbers of the same country.
    """
    chosen = random.Random(1)  # noqa: S311 -- no secret
    for number in range(CLAIMS):
        values = [f"+999{chosen.randrange(_NUMBERS):010d}" for _ in range(1_000)]
        recipients = Recipients(Kind.MSISDN, values, range(1_000))
        yield Batch(BatchId(tag, number), recipients, Group(MESSAGE))


async def claims(ledger: Ledger, name: str) -> tuple[str, int]:
    """
    Milliseconds of a claim, in words; and how many were left out.
    """
    tag = os.urandom(5).hex()
    planned = list(batches(tag))
    plan = Plan(campaign=name, message="{}", source="none", tag=tag)
    draft = await ledger.draft(plan)
    await draft.add(planned)
    counts = dict.fromkeys(("invalid", "duplicate", "suppressed"), 0)
    await draft.publish({"read": 1_000 * CLAIMS, **counts})
    worker = await ledger.join(name, lambda _: MESSAGE)
    took, left_out, cpu = [], 0, time.process_time()
    for batch in planned:
        begun = time.perf_counter()
        claimed = await worker.claim(batch, range(1_000))
        took.append(time.perf_counter() - begun)
        assert isinstance(claimed, Claimed)
        left_out += len(claimed.left_out)
    cpu = 1_000 * (time.process_time() - cpu) / CLAIMS
    middle = 1_000 * sorted(took)[CLAIMS // 2]
    return f"{middle:.2f} ms in the middle, {cpu:.2f} of our CPU", left_out


async def measure(where: str, size: int, disk: Callable[[], int]) -> None:
    """
    Print a line of what a list of *size* costs in the ledger at *where*.
    """
    async with open_ledger(where) as ledger:
        before, begun = disk(), time.perf_counter()
        await ledger.suppress(listed(size), category="measured", imported=True)
        written = time.perf_counter() - begun
        begun, read = time.perf_counter(), 0
        async for _, values in ledger.suppressed_values():
            read += len(values)
        took = time.perf_counter() - begun
        assert size == read
        bytes_ = disk() - before
        claim, left_out = await claims(ledger, f"of {size}")
    each = f", {bytes_ / size:.1f} bytes each" if size else ""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{size:>12,}: a claim {claim}; {left_out:,} left out; written in "
        f"{written:.1f} s, read in {took:.1f} s{each}; {most:.0f} MB of memory at most",
        flush=True,
    )


def import_(where: str, size: int, folder: Path) -> str:
    """
    What the whole command takes that imports a list of *size*, in words.
    """
    file = folder / f"{size}.csv"
    with file.open("w") as output:
        output.write("msisdn\n")
        for _, some in listed(size):
            output.write("\n".join(some) + "\n")
    command = [sys.executable, "-m", "voicepush", "suppress", "import", str(file)]
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 -- ours
        [*command, "--ledger", where],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    file.unlink()
    return (
        f"{size:>12,}: imported in {time.perf_counter() - begun:.1f} s, {cpu:.1f} of "
        f"our CPU, with {used.ru_maxrss / 1024:.0f} MB of memory at most"
    )


def of_files(sizes: Sequence[int], folder: Path, *, imports: bool) -> None:
    """
    Measure each of *sizes* in a file of its own.
    """
    for size in sizes:
        path = folder / f"{size}.db"

        def disk(path: Path = path) -> int:
            return path.stat().st_size

        if imports:
            told = import_(str(path), size, folder)
            print(f"{told}; {disk() / 1e6:.0f} MB of disk", flush=True)
        else:
            asyncio.run(measure(str(path), size, disk))


def of_a_server(sizes: Sequence[int], folder: Path, *, imports: bool) -> None:
    """
    Measure each of *sizes* in a schema of its own.
    """
    from postgres import Server  # noqa: PLC0415 -- that of the tests

    folder.chmod(0o755)
    home = folder / "server"
    home.mkdir()
    server = Server(home, fsync="on", shared_buffers="128MB")
    try:
        for size in sizes:
            schema = f"of_{size}"

            def disk(schema: str = schema) -> int:
                with psycopg.connect(server.address) as connection:
                    connection.execute(f"SET search_path TO {schema}".encode())
                    row = connection.execute(_BYTES).fetchone()
                return 0 if row is None else int(row[0])

            where = f"{server.address}&schema={schema}"
            if imports:
                told = import_(where, size, folder)
                print(f"{told}; {disk() / 1e6:.0f} MB of disk", flush=True)
            else:
                asyncio.run(measure(where, size, disk))
    finally:
        server.stop_at_once()


def main() -> None:
    """
    Measure what is asked for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--import", action="store_true", dest="imports")
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 1_000, 10_000_000])
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="voicepush-bench-"))
    try:
        of = of_a_server if given.postgres else of_files
        # Nobody imports a list of nobody.
        sizes = [size for size in given.sizes if size or not given.imports]
        of(sizes, folder, imports=given.imports)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

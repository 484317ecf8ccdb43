"""
Lets many worlds go, and shows the smallest that fails.

``python tests/worlds/run.py --worlds 2000 --seed 1`` says how many go in a second. Of
one that fails it tells the seed, and the story of the smallest like it. A signal ends
it after the world that goes at that moment.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections import Counter
from contextlib import nullcontext
from itertools import islice
from math import inf
from threading import Event

from going import Report, run
from planted import PLANTED
from planting import Planted, worlds_for
from real_server import use
from showing import any_world
from shrinking import shrunk

_LEDGERS = ("memory", "sqlite", "postgres")

#: Where a world is longer, only its end is told.
_LINES = 120


def main() -> int:
    """
    Run what the arguments want; 1 where a world has failed.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="of the first one")
    parser.add_argument("--minutes", type=float, default=inf, help="no longer")
    parser.add_argument("--ledger", choices=_LEDGERS, default="memory")
    parser.add_argument("--postgres", help="a server in place of one of its own")
    parser.add_argument("--plant", type=int, help="a fault, by its number; see planted")
    parser.add_argument("--go-on", action="store_true", help="after one that fails")
    given = parser.parse_args()
    if given.postgres:
        use(given.postgres)
    planted = Planted(nullcontext, any_world)
    words = "nothing"
    if given.plant is not None:
        words, planted = list(_planted_for(given.ledger).items())[given.plant]
    ends = Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: ends.set())
    failed: list[int] = []
    seen: Counter[str] = Counter()
    begun = time.monotonic()
    with planted.plant():
        for setup in islice(
            worlds_for(planted, given.ledger, given.seed), given.worlds
        ):
            if ends.is_set() or time.monotonic() - begun > 60 * given.minutes:
                break
            report = run(setup)
            _count(seen, report)
            if report.failure is None:
                continue
            failed.append(setup.seed)
            _say(f"seed {setup.seed}: {report.failure}")
            if not given.go_on:
                _tell(shrunk(report))
                break
    seconds = time.monotonic() - begun
    cores = time.process_time()
    number = seen["worlds"]
    _say(
        f"{number:,} worlds ({given.ledger}) in {seconds:.1f} s, "
        f"{number / cores:.1f} per second of a core; planted: {words}; "
        + ", ".join(f"{many:,} {name}" for name, many in seen.items())
        + f"; failed: {len(failed)} {failed[:20]}"
    )
    return 1 if failed else 0


def _planted_for(ledger: str) -> dict[str, Planted]:
    if ledger != "postgres":
        return PLANTED
    # Others need none of what it needs.
    from planted_shared import SHARED  # noqa: PLC0415

    return SHARED


def _count(seen: Counter[str], report: Report) -> None:
    seen["worlds"] += 1
    seen["requests"] += report.requests
    seen["steps"] += report.steps
    seen["simulated seconds"] += round(report.seconds)
    for line in report.story:
        for name in (
            "rings",
            "dies",
            "stands still",
            "fails",
            "receipts of",
            "the power is gone",
            "a connection is lost",
            "the database is gone",
        ):
            if f" {name}" in line:
                seen[name] += 1


def _tell(report: Report) -> None:
    _say(f"the smallest that fails like it: {report.setup}")
    _say("\n".join(report.story[-_LINES:]))
    _say(str(report.failure))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

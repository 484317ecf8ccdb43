"""
What calling windows cost: whole commands with and without, in pairs.

    python benchmarks/windows.py                           # 1 million, 5 pairs
    python benchmarks/windows.py --many 10000000 --pairs 1
    python benchmarks/windows.py --list one-zone

Half of the numbers are Indian and half are American of all area codes, in no order, so
that some dozen groups with different time zones are open at once. The windows never
close, since a command that waits costs nothing.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import commands
from phonenumbers.tzdata import TIMEZONE_DATA
from processes import Spent, spend
from sink import serving

#: With and without.
LANES = {
    "any hour": ("--any-hour", "measured"),
    "windows": ("--window", "00:00-24:00"),
}


def area_codes() -> list[str]:
    """
    The area codes of North America of which the zones are known.
    """
    return sorted(
        prefix[1:]
        for prefix in TIMEZONE_DATA
        if len(prefix) == len("1212") and prefix[0] == "1"
    )


def _digits(digits: int, seed: int) -> Iterator[str]:
    # A full-period generator modulo a power of ten: no number comes twice.
    room = 10**digits
    step = 7_777_777_777 % room
    value = random.Random(seed).randrange(room)  # noqa: S311 -- made-up numbers
    while True:
        value = (value * 21 + step) % room
        yield f"{value:0{digits}d}"


def in_two_countries() -> Iterator[str]:
    """
    Indian and American numbers in no order.
    """
    chance = random.Random(2)  # noqa: S311 -- made-up numbers
    indian, american = _digits(8, 1), _digits(7, 1)
    codes = area_codes()
    for place, lower in enumerate(american):
        # Each area code once before the first comes again, so that none comes twice.
        if place % 10**7 == 0:
            chance.shuffle(codes)
        code = codes[(place + int(lower)) % len(codes)]
        pair = [f"+1{code}{lower}", f"+91{6 + place // 10**8}8{next(indian)}"]
        chance.shuffle(pair)
        yield from pair


def in_one_zone() -> Iterator[str]:
    """
    Indian numbers alone.
    """
    return (f"+9198{each}" for each in _digits(8, 1))


LISTS = {"two-countries": in_two_countries, "one-zone": in_one_zone}


def write_list(path: Path, name: str, many: int) -> None:
    """
    A CSV of *many* people.
    """
    with path.open("w") as lines:
        lines.write("name,msisdn\n")
        lines.writelines(
            f"person {place},{number}\n"
            for place, number in enumerate(islice(LISTS[name](), many))
        )


def measure(folder: Path, url: str, pairs: int) -> dict[str, list[Spent]]:
    """
    What each lane took, in pairs that change places.
    """
    found: dict[str, list[Spent]] = {name: [] for name in LANES}
    for pair in range(pairs):
        order = list(LANES) if pair % 2 == 0 else list(reversed(LANES))
        for name in order:
            ledger = folder / "ledger.db"
            send = commands.send(folder / "list.csv", ledger, url, more=LANES[name])
            found[name].append(spend([sys.executable, *send], folder))
            for file in folder.glob("ledger.db*"):
                file.unlink()
    return found


def main() -> None:
    """
    Print the medians, and how they stand to each other.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--list", choices=LISTS, default="two-countries")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving() as service:
        folder = Path(name)
        write_list(folder / "list.csv", given.list, given.many)
        found = measure(folder, service.url, given.pairs)
    for lane, runs in found.items():
        print(
            f"{lane:10} {median(each.cpu for each in runs):8.2f} CPU s "
            f"{median(each.wall for each in runs):8.2f} s "
            f"{median(each.memory for each in runs):6.0f} MB"
        )
    without, with_ = (found[lane] for lane in LANES)
    ratios = [b.cpu / a.cpu for a, b in zip(without, with_, strict=True)]
    print(f"ratio {median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()

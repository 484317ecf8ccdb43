"""
Every lane, interleaved, several rounds, side by side in one table.

    python benchmarks/compare.py --recipients 1000000 --rounds 5

Ratios are those of medians within this run; the times themselves are this machine's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

from campaign_of_millions import write_list
from lanes import FILES, LISTS
from sink import serving

import voicepush

#: What each lane is held against.
_BASES = dict.fromkeys(LISTS, "floor") | dict.fromkeys(FILES, "floor_ledger")


def run_lane(name: str, many: int, url: str, folder: Path) -> dict[str, float]:
    """
    What one run of a lane cost.
    """
    for old in folder.glob("*.db*"):
        old.unlink()
    lanes = Path(__file__).with_name("lanes.py")
    done = subprocess.run(  # noqa: S603 -- our own script
        [sys.executable, str(lanes), name, str(many), url, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return cost


def table(costs: dict[str, list[dict[str, float]]], many: int) -> str:
    """
    The medians as a table in Markdown, with a bar for the CPU.
    """
    medians = {
        name: {key: median(run[key] for run in runs) for key in runs[0]}
        for name, runs in costs.items()
    }
    lines = [
        "| lane | CPU s per million | to its floor | recipients/s | peak MB | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    most = max(each["cpu"] for each in medians.values())
    for name, each in medians.items():
        base = medians.get(_BASES[name], each)
        bar = "█" * max(1, round(30 * each["cpu"] / most))
        lines.append(
            f"| {name} | {each['cpu'] * 1e6 / many:.3f} | "
            f"{each['cpu'] / base['cpu']:.2f} | {many / each['wall']:,.0f} | "
            f"{each['memory']:.0f} | {bar} |"
        )
    return "\n".join(lines)


def main() -> None:
    """
    Run what was asked for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipients", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--lanes", nargs="*", default=[*LISTS, *FILES])
    asked = parser.parse_args()
    costs: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, serving(asked.latency) as url:
        folder = Path(name)
        write_list(folder / f"list-{asked.recipients}.csv", asked.recipients)
        for _ in range(asked.rounds):
            order = list(asked.lanes)
            random.shuffle(order)
            for lane in order:
                costs[lane].append(run_lane(lane, asked.recipients, url, folder))
                print(lane, costs[lane][-1], file=sys.stderr)
    ordered = {lane: costs[lane] for lane in asked.lanes}
    print(
        f"{asked.recipients:,} recipients, 32 requests at a time, {asked.rounds} "
        f"rounds, latency {asked.latency} s; Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, voicepush {voicepush.__version__}, aiohttp "
        f"{version('aiohttp')}\n"
    )
    print(table(ordered, asked.recipients))


if __name__ == "__main__":
    main()

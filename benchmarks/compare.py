"""
Every lane side by side, in interleaved rounds; prints tables, and keeps medians.

    python benchmarks/compare.py [SECTION ...] [--rounds 5] [--keep FILE]
    python benchmarks/compare.py --group columns [--only WORD ...] [--large]

Without a section all of them are run, which takes about an hour, most of it for what
people write at 10 million. A group is one table whose lanes all take turns. Figures are
medians, and ratios are those of medians of one run; the times themselves are this
machine's.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import columns
import commands
from campaign_of_millions import write_list
from charts import NAMES
from lanes import SENDS, SIZE
from processes import ENVIRONMENT, spend
from sink import Service, serving

_HERE = Path(__file__).parent
_MILLION = 1_000_000
_LATENCY = 0.05
_FAILURES = 0.05
_AT_ONCE = (1, 4, 16, 32, 64, 128, 256)


class Cost(NamedTuple):
    """
    What one run took.
    """

    cpu: float  # seconds
    wall: float
    memory: float  # MB at its peak
    requests: int


class Run(NamedTuple):
    """
    One lane with everything that it is given.
    """

    lane: str
    many: int
    service: Service
    at_once: int = 32


def measure(run: Run, folder: Path) -> Cost:
    """
    What *run* costs: after its input is there, or the whole process for a file.
    """
    for old in folder.glob("*.db*"):
        old.unlink()
    run.service.counts()
    spent = spend(_command(run, folder), folder)
    requests = run.service.counts()["requests"]
    cost = Cost(spent.cpu, spent.wall, spent.memory, requests)
    if not _is_whole(run.lane):
        cost = cost._replace(**json.loads(spent.printed.splitlines()[-1]))
    print(f"{run.lane} {run.many:,} x{run.at_once}: {cost}", file=sys.stderr)
    return cost


def _is_whole(lane: str) -> bool:
    return lane in ("voicepush send", "floor_file") or lane.startswith("people")


def _command(run: Run, folder: Path) -> list[str]:
    if run.lane == "voicepush send":
        file, ledger = folder / f"list-{run.many}.csv", folder / "ours.db"
        sent = commands.send(file, ledger, run.service.url, at_once=run.at_once)
        return [sys.executable, *sent]
    lanes = [str(_HERE / "lanes.py"), run.lane, str(run.many), run.service.url]
    return [sys.executable, *lanes, str(folder), str(run.at_once)]


def interleaved(
    runs: Mapping[str, Run], rounds: int, folder: Path
) -> dict[str, dict[str, float]]:
    """
    The medians of each of *runs*, which take turns in random order.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name in random.sample(list(runs), len(runs)):
            costs[name].append(measure(runs[name], folder))
    return {
        name: {
            field: median(getattr(cost, field) for cost in found)
            for field in Cost._fields
        }
        for name, found in costs.items()
    }


class Bench:
    """
    The sections; each runs its lanes and gives lines of Markdown.
    """

    def __init__(self, folder: Path, rounds: int) -> None:
        self.folder = folder
        self.rounds = rounds
        #: What is kept, and what charts are drawn from.
        self.found: dict[str, dict[str, dict[str, float]]] = {}

    def _take(self, name: str, runs: Mapping[str, Run]) -> dict[str, dict[str, float]]:
        self.found[name] = interleaved(runs, self.rounds, self.folder)
        return self.found[name]

    def _list(self, many: int) -> None:
        file = self.folder / f"list-{many}.csv"
        if not file.exists():
            write_list(file, many)

    def lists(self) -> Iterator[str]:
        """
        A list of 1 million, without a ledger.
        """
        with serving() as service:
            lanes = ("floor", "floor_slots", "send", "send_generator", "stream")
            runs = {lane: Run(lane, _MILLION, service) for lane in lanes}
            yield from _table(self._take("lists", runs), _MILLION, "floor")

    def files(self) -> Iterator[str]:
        """
        A CSV of 1 million, with a ledger; whole processes.
        """
        yield from self._files(_MILLION, ("people_httpx", "people_requests"))

    def files10(self) -> Iterator[str]:
        """
        A CSV of 10 million, with a ledger; whole processes.
        """
        yield from self._files(10 * _MILLION, ())

    def _files(self, many: int, more: Sequence[str]) -> Iterator[str]:
        self._list(many)
        with serving() as service:
            lanes = ("floor_file", "voicepush send", "people", *more)
            runs = {lane: Run(lane, many, service) for lane in lanes}
            yield from _table(self._take(f"files{many}", runs), many, "floor_file")

    def memory(self) -> Iterator[str]:
        """
        `Client.send` of a generator, the longer the list.
        """
        with serving() as service:
            runs = {
                f"{many:,}": Run("send_generator", many, service)
                for many in (_MILLION, 10 * _MILLION)
            }
            found = self._take("memory", runs)
        yield from _rows(
            ("recipients", "CPU s per million", "recipients/s", "peak MB"),
            (
                (
                    name,
                    f"{each['cpu'] * _MILLION / runs[name].many:.2f}",
                    f"{runs[name].many / each['wall']:,.0f}",
                    f"{each['memory']:.1f}",
                )
                for name, each in found.items()
            ),
        )

    def latency(self) -> Iterator[str]:
        """
        `Client.send` with more and more requests at once, answered at once and late.
        """
        with ExitStack() as stack:
            services = {
                latency: stack.enter_context(serving(latency=latency))
                for latency in (0.0, _LATENCY)
            }
            runs = {
                _late(lane, at_once, latency): Run(
                    lane, _requests(at_once) * SIZE, service, at_once
                )
                for lane in ("send_one", "floor_one")
                for at_once in _AT_ONCE
                for latency, service in services.items()
                if lane == "send_one" or latency
            }
            found = self._take("latency", runs)

        def rate(lane: str, at_once: int, latency: float) -> float:
            name = _late(lane, at_once, latency)
            return runs[name].many / found[name]["wall"]

        def share(lane: str, at_once: int) -> float:
            return rate(lane, at_once, _LATENCY) * _LATENCY / at_once / SIZE

        heads = ("at once", "recipients/s at 0 ms", "at 50 ms", "of the ceiling")
        yield from _rows(
            (*heads, "the floor's"),
            (
                (
                    str(at_once),
                    f"{rate('send_one', at_once, 0.0):,.0f}",
                    f"{rate('send_one', at_once, _LATENCY):,.0f}",
                    f"{share('send_one', at_once):.3f}",
                    f"{share('floor_one', at_once):.3f}",
                )
                for at_once in _AT_ONCE
            ),
        )

    def failures(self) -> Iterator[str]:
        """
        `Client.send` of 20 million at 50 ms, with and without 5 % of code 7006.
        """
        many = 20 * _MILLION
        with (
            serving(latency=_LATENCY) as sound,
            serving(latency=_LATENCY, failures=_FAILURES) as failing,
        ):
            runs = {
                "none": Run("send_one", many, sound),
                "5 %": Run("send_one", many, failing),
            }
            found = self._take("failures", runs)
        none = found["none"]
        yield from _rows(
            ("7006", "requests", "seconds", "against none, per request", "CPU s"),
            (
                (
                    name,
                    f"{each['requests']:,.0f}",
                    f"{each['wall']:.2f}",
                    f"{_per_request(each) / _per_request(none):.3f}",
                    f"{each['cpu']:.2f}",
                )
                for name, each in found.items()
            ),
        )

    def answers(self) -> Iterator[str]:
        """
        `Client.send` of 1 million, with answers of one element and of 1,000.
        """
        with serving() as one, serving(each=True) as each:
            runs = {
                "one element": Run("send", _MILLION, one),
                "1,000 elements": Run("send", _MILLION, each),
            }
            found = self._take("answers", runs)
        yield from _table(found, _MILLION, "one element")

    def small(self) -> Iterator[str]:
        """
        One small `Client.send` after the other, against a bare post with ``json=``.
        """
        with serving() as service:
            runs = {
                f"{lane} of {many}": Run(lane, many, service)
                for many in (1, 100)
                for lane in ("bare", "small")
            }
            found = self._take("small", runs)
        yield from _rows(
            ("lane", "CPU µs per send", "to a bare post"),
            (
                (
                    _told(name),
                    f"{each['cpu'] / SENDS * 1e6:.0f}",
                    f"{each['cpu'] / found[f'bare of {runs[name].many}']['cpu']:.2f}",
                )
                for name, each in found.items()
            ),
        )

    def imports(self) -> Iterator[str]:
        """
        What importing takes, in new processes.
        """
        costs: dict[str, list[float]] = {"aiohttp": [], "voicepush": []}
        for _ in range(3 * self.rounds):
            for name, found in costs.items():
                code = f"import time, {name}; print(time.process_time())"
                empty = "import time; print(time.process_time())"
                found.append(_printed(code) - _printed(empty))
        least = median(costs["aiohttp"])
        yield from _rows(
            ("module", "CPU ms", "to aiohttp"),
            (
                (name, f"{median(found) * 1e3:.0f}", f"{median(found) / least:.2f}")
                for name, found in costs.items()
            ),
        )


def _requests(at_once: int) -> int:
    return min(120 * at_once, 8000)


def _late(lane: str, at_once: int, latency: float) -> str:
    return f"{lane}, {at_once} at {latency:g}"


def _printed(code: str) -> float:
    done = subprocess.run(  # noqa: S603 -- our own code
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    return float(done.stdout)


def _per_request(cost: Mapping[str, float]) -> float:
    return cost["wall"] / cost["requests"]


def _table(
    found: Mapping[str, Mapping[str, float]], many: int, base: str
) -> Iterator[str]:
    yield from _rows(
        ("lane", "CPU s per million", "ratio", "recipients/s", "peak MB"),
        (
            (
                _told(name),
                f"{each['cpu'] * _MILLION / many:.3f}",
                f"{each['cpu'] / found[base]['cpu']:.2f}",
                f"{many / each['wall']:,.0f}",
                f"{each['memory']:.0f}",
            )
            for name, each in found.items()
        ),
    )


def _told(name: str) -> str:
    return NAMES.get(name, name)


def _rows(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    for cells in (heads, ["---"] * len(heads), *rows):
        yield f"| {' | '.join(cells)} |"


_SECTIONS: dict[str, Callable[[Bench], Iterator[str]]] = {
    name: getattr(Bench, name)
    for name in (
        "lists",
        "files",
        "memory",
        "latency",
        "failures",
        "answers",
        "small",
        "imports",
        "files10",
    )
}


def keep(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], about: str, file: Path
) -> None:
    """
    Write what was *found* into *file*, from which `charts` draws; other sections stay.
    """
    kept = json.loads(file.read_text("utf-8")) if file.exists() else {}
    sections = kept.setdefault("sections", {})
    for name, costs in found.items():
        rounded = {
            lane: {field: round(value, 4) for field, value in cost.items()}
            for lane, cost in costs.items()
        }
        sections[name] = {"about": about, "found": rounded}
    file.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


def _about(rounds: int) -> str:
    libraries = ("voicepush", "aiohttp", "httpx", "requests", "uvloop")
    versions = ", ".join(f"{name} {_version(name)}" for name in libraries)
    return (
        f"{rounds} rounds; {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, {versions} (the sink only)"
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _run_group(asked: argparse.Namespace) -> None:
    options = columns.Options(
        many=asked.many,
        rounds=asked.rounds,
        only=tuple(asked.only),
        large=asked.large,
        echo=not asked.no_echo,
        older=asked.older,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = asked.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        print("\n".join(columns.run(folder, options)), flush=True)


def main() -> None:
    """
    Run what was asked for.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*_SECTIONS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="where medians are written")
    group = parser.add_argument_group("a group")
    group.add_argument("--group", choices=["columns"])
    group.add_argument("--many", type=int, default=_MILLION, help="recipients")
    group.add_argument("--only", nargs="+", default=[], help="how lanes' names begin")
    group.add_argument("--large", action="store_true", help="ten times as many, too")
    group.add_argument("--no-echo", action="store_true", help="the sink echoes no ids")
    group.add_argument("--older", type=Path, help="the Python of an older version")
    group.add_argument("--folder", type=Path, help="where lists and ledgers are kept")
    asked = parser.parse_args()
    spec = importlib.util.find_spec("voicepush")
    assert spec is not None
    compileall.compile_dir(str(Path(spec.origin or "").parent), quiet=2)
    print(_about(asked.rounds))
    if asked.group:
        _run_group(asked)
        return
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(Path(name), asked.rounds)
        for section in asked.sections or _SECTIONS:
            print(f"\n{(_SECTIONS[section].__doc__ or '').strip()}\n")
            print("\n".join(_SECTIONS[section](bench)), flush=True)
            if asked.keep:
                keep(bench.found, _about(asked.rounds), asked.keep)


if __name__ == "__main__":
    main()

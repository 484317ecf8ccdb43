"""
Hot functions of this tree beside those of the commit that its branch began at.

    python benchmarks/merge_base.py [--base main] [--rounds 5] [-k NAME]

That commit is checked out into a folder of its own. Both are measured by the same
benchmarks, in turns and in processes of their own, and what is printed are ratios. A
difference is only named as one where the slowest round of one is faster than the
fastest round of the other. Nothing fails: a busy machine is no fault of the code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks" / "test_hot_functions.py"

#: Seconds of each function, round by round.
Times = Mapping[str, list[float]]


def _git(*words: str) -> str:
    done = subprocess.run(  # noqa: S603 -- ours
        ["git", *words],  # noqa: S607
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """
    The tree of *commit*, for as long as it is needed.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "base"
        _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def measured(tree: Path, words: list[str]) -> dict[str, float]:
    """
    The least time that each function of *tree* took, in seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = subprocess.run(  # noqa: S603 -- ours
            [
                *[sys.executable, "-m", "pytest", str(BENCHMARKS), *words],
                *["-q", "-p", "no:cacheprovider", f"--rootdir={folder}"],
                *["-c", str(ROOT / "pyproject.toml"), "--benchmark-max-time=0.3"],
                f"--benchmark-json={report}",
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(tree)},
            check=False,
            capture_output=True,
            text=True,
        )
        # What the other tree has not yet, or has no more, is not measured there.
        if not report.exists():
            sys.exit(f"nothing was measured in {tree}:\n{done.stdout}{done.stderr}")
        found = json.loads(report.read_bytes())["benchmarks"]
    return {each["name"]: each["stats"]["min"] for each in found}


def in_turns(trees: list[Path], rounds: int, words: list[str]) -> list[Times]:
    """
    What each of *trees* took; who is first changes from round to round.
    """
    times: list[dict[str, list[float]]] = [defaultdict(list) for _ in trees]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        order = list(range(len(trees)))
        for place in order if number % 2 else reversed(order):
            for name, seconds in measured(trees[place], words).items():
                times[place][name].append(seconds)
    return list(times)


def table(base: Times, now: Times) -> Iterator[str]:
    """
    A line for each function: how long it takes now to how long it took.
    """
    yield f"{'function':44} {'base, µs':>10} {'now, µs':>10} {'ratio':>6}"
    for name in sorted(now):
        after = now[name]
        if not (before := base.get(name)):
            yield f"{name:44} {'':10} {median(after) * 1e6:10.1f} {'new':>6}"
            continue
        ratio = median(after) / median(before)
        word = ""
        if min(after) > max(before):
            word = "slower in every round"
        elif max(after) < min(before):
            word = "faster in every round"
        yield (
            f"{name:44} {median(before) * 1e6:10.1f} {median(after) * 1e6:10.1f} "
            f"{ratio:6.2f} {word}"
        ).rstrip()


def main() -> None:
    """
    Measure both, and print the table.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--base", default="main", help="a branch or commit")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-k", help="only functions with such names")
    arguments = parser.parse_args()
    words = ["-k", arguments.k] if arguments.k else []
    commit = _git("merge-base", arguments.base, "HEAD")
    with checked_out(commit) as tree:
        base, now = in_turns([tree, ROOT], arguments.rounds, words)
    print(f"base: {_git('log', '-1', '--format=%h %s', commit)}")
    print("\n".join(table(base, now)))


if __name__ == "__main__":
    main()

"""
Whole campaigns on simulated time, by the thousand, with all that can go wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
from going import Report, run
from planted import PLANTED, worlds_for
from setups import Setup, made
from shrinking import shrunk

#: Worlds are gone through in so many parts, which may go side by side.
_PARTS = 8
_WORLDS = 2_000
_WORLDS_IN_FILES = 80

_AGAIN = """
import sys
from setups import made
from going import run
for seed in map(int, sys.argv[2:]):
    print(run(made(seed, sys.argv[1])).digest)
"""

#: A fault that is put back is found in one of so many worlds that can show it.
_SOON = 150


def _failed(report: Report) -> str:
    """
    What failed, for whoever reads it: the smallest world like it.
    """
    smallest = shrunk(report)
    story = "\n".join(smallest.story)
    return f"{report.failure}\nof {report.setup}\n{smallest.setup}\n{story}"


def _go(seed: int, ledger: str = "memory") -> None:
    report = run(made(seed, ledger))
    assert report.failure is None, _failed(report)


@pytest.mark.parametrize("part", range(_PARTS))
def test_both_promises_hold_in_every_world(part: int) -> None:
    """
    Whatever breaks, dies, stands still, comes late or twice: nobody is rung twice,
    nobody is lost, nothing leaves that was not claimed, and everyone who is unknown is
    so for a reason.
    """
    for seed in range(part, _WORLDS, _PARTS):
        _go(seed)


@pytest.mark.parametrize("part", range(_PARTS))
def test_both_promises_hold_in_files_whose_machine_loses_its_power(part: int) -> None:
    """
    The same in SQLite files, of which a commit that was cut off is there, or not, or in
    part.
    """
    for seed in range(part, _WORLDS_IN_FILES, _PARTS):
        _go(seed, "sqlite")


@pytest.mark.parametrize("words", PLANTED)
def test_a_fault_that_is_put_back_is_found(words: str) -> None:
    """
    Each way in which people were called twice, or lost, breaks a world soon.
    """
    planted = PLANTED[words]
    with planted.plant():
        worlds = islice(worlds_for(planted), _SOON)
        found = any(run(setup).failure for setup in worlds)

    assert found


@pytest.mark.parametrize("ledger", ["memory", "sqlite"])
def test_a_world_goes_the_same_way_again(ledger: str) -> None:
    """
    A seed tells all: also in another process, which hashes otherwise.
    """
    seeds = range(20) if ledger == "memory" else range(6)
    digests = [run(made(seed, ledger)).digest for seed in seeds]
    again = subprocess.run(  # noqa: S603 -- our own program
        [
            sys.executable,
            "-c",
            _AGAIN,
            ledger,
            *map(str, seeds),
        ],
        env={
            **os.environ,
            "PYTHONHASHSEED": "4711",
            "PYTHONPATH": str(Path(__file__).parent),
        },
        check=True,
        capture_output=True,
        text=True,
    )

    assert digests == again.stdout.split()


def test_worlds_are_rough() -> None:
    """
    In a hundred of them all happens that is there to go wrong.
    """
    reports = [run(made(seed)) for seed in range(100)]
    told = "\n".join(line for report in reports for line in report.story)

    for what in ("dies", "stands still", "fails", "receipts of", "calls the unknown"):
        assert what in told
    assert {fault for report in reports for _, fault in report.setup.faults}
    assert 500 < sum(report.requests for report in reports)


def test_a_world_that_fails_is_made_small() -> None:
    """
    What has nothing to do with it is left out, and it fails in the same way.
    """
    planted = PLANTED["what is in doubt is tried again, as HTTP clients do"]
    with planted.plant():
        report = next(filter(_has_failed, map(run, worlds_for(planted))))
        smallest = shrunk(report)

    assert report.failure is not None
    assert smallest.failure is not None
    assert smallest.setup.size < report.setup.size
    assert 1 == len(smallest.setup.people)
    assert 1 == len(smallest.setup.faults)
    assert run(smallest.setup).failure is None


def _has_failed(report: Report) -> bool:
    return report.failure is not None


def test_nobody_is_judged_by_our_own_code() -> None:
    """
    The service that rings imports nothing of ours.
    """
    source = (Path(__file__).parent / "service.py").read_text()

    assert "voicepush" not in source
    assert Setup.__name__ in source

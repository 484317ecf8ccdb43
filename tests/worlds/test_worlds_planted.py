"""
Worlds find what was wrong once, and go the same way again.
"""

from __future__ import annotations

from itertools import islice

import pytest
from going import Report, digests_elsewhere, run
from planted import PLANTED
from planting import worlds_for
from setups import made
from shrinking import shrunk

#: A fault that is put back is found in one of so many worlds that can show it.
_SOON = 150


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

    assert digests == digests_elsewhere(ledger, seeds)


def test_a_world_that_fails_is_made_small() -> None:
    """
    What has nothing to do with it is left out, and it fails in the same way.
    """
    planted = PLANTED["what is in doubt is tried again, as HTTP clients do"]
    with planted.plant():
        report = next(filter(_has_failed, map(run, worlds_for(planted))))
        smallest = shrunk(report)

    assert smallest.failure is not None
    assert smallest.setup.size < report.setup.size
    assert 1 == len(smallest.setup.people)
    assert 1 == len(smallest.setup.faults)
    assert run(smallest.setup).failure is None


def _has_failed(report: Report) -> bool:
    return report.failure is not None

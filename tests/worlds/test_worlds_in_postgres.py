"""
Worlds whose ledger is in a real PostgreSQL, and whose campaign several workers send.
"""

from __future__ import annotations

from itertools import islice

import pytest
from going import digests_elsewhere, run
from planted_shared import SHARED
from planting import worlds_for
from postgres import check_programs
from setups import made
from shrinking import must_hold

_WORLDS = 16

#: What is found in one of so many worlds that can show it.
_SOON = 30
_FOUND = (
    "who was in flight with a worker that is gone is pending again",
    "every other worker is taken for gone",
)


@pytest.fixture(autouse=True)
def _programs() -> None:
    check_programs()


def test_both_promises_hold_where_several_workers_send() -> None:
    """
    Workers that die, stand still, lose connections and databases, and take over from
    each other, call nobody twice and lose nobody.
    """
    reports = [must_hold(made(seed, "postgres")) for seed in range(_WORLDS)]
    told = "\n".join(line for report in reports for line in report.story)

    for what in ("dies", "stands still", "connection is lost", "the database is gone"):
        assert what in told
    assert 100 < sum(report.requests for report in reports)


def test_a_world_in_a_database_goes_the_same_way_again() -> None:
    """
    A seed tells all: also with another server, and in another process.
    """
    seeds = range(6, 8)
    digests = [run(made(seed, "postgres")).digest for seed in seeds]

    assert digests == digests_elsewhere("postgres", seeds)


@pytest.mark.parametrize("words", _FOUND)
def test_what_would_be_wrong_with_several_workers_is_found(words: str) -> None:
    """
    What several workers can do wrong breaks a world soon.
    """
    planted = SHARED[words]
    with planted.plant():
        worlds = islice(worlds_for(planted, "postgres"), _SOON)
        found = any(run(setup).failure for setup in worlds)

    assert found

"""
Worlds whose ledger is in a real PostgreSQL, and whose campaign several workers send.

They go in processes of their own: what other tests left in this one is nothing to them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from going import digests_elsewhere, elsewhere
from postgres import check_programs

_WORLDS = 16

#: What is found in one of so many worlds that can show it.
_SOON = 30
_FOUND = (
    "who was in flight with a worker that is gone is pending again",
    "every other worker is taken for gone",
)

_GO = """
import json, sys
from going import run
from setups import made
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    report = run(made(seed, "postgres"))
    told = [report.failure, report.requests, report.digest, " ".join(report.story)]
    print(json.dumps(told))
"""

_FIND = """
import sys
from itertools import islice
from going import run
from planted_shared import SHARED
from planting import worlds_for
planted = SHARED[sys.argv[1]]
with planted.plant():
    worlds = islice(worlds_for(planted, "postgres"), int(sys.argv[2]))
    print(any(run(setup).failure for setup in worlds))
"""


@pytest.fixture(autouse=True)
def _programs() -> None:
    check_programs()


def _gone_through(first: int, last: int) -> list[list[Any]]:
    """
    Of each world: why it failed, how many requests left, its digest, and its story.
    """
    told = elsewhere(_GO, str(first), str(last), hash_seed=1)
    return [json.loads(line) for line in told.splitlines()]


def test_both_promises_hold_where_several_workers_send() -> None:
    """
    Workers that die, stand still, lose connections and databases, and take over from
    each other, call nobody twice and lose nobody.
    """
    found = _gone_through(0, _WORLDS)
    failed = {seed: each[0] for seed, each in enumerate(found) if each[0]}
    told = " ".join(story for *_, story in found)

    assert not failed
    assert len(found) == _WORLDS
    for what in ("dies", "stands still", "connection is lost", "the database is gone"):
        assert what in told
    assert 100 < sum(requests for _, requests, *_ in found)


def test_a_world_in_a_database_goes_the_same_way_again() -> None:
    """
    A seed tells all: also with another server, and in another process.
    """
    digests = [digest for _, _, digest, _ in _gone_through(6, 8)]

    assert digests == digests_elsewhere("postgres", range(6, 8))


@pytest.mark.parametrize("words", _FOUND)
def test_what_would_be_wrong_with_several_workers_is_found(words: str) -> None:
    """
    What several workers can do wrong breaks a world soon.
    """
    assert "True" == elsewhere(_FIND, words, str(_SOON), hash_seed=1).strip()

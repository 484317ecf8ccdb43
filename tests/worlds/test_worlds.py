"""
Whole campaigns on simulated time, by the thousand, with all that can go wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kinds
import pytest
from going import run
from setups import made
from shrinking import must_hold

#: Worlds are gone through in so many parts.
_PARTS = 8
_WORLDS = 2_000


@pytest.mark.parametrize("part", range(_PARTS))
def test_both_promises_hold_in_every_world(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    """
    Whatever breaks, dies, stands still, comes late or twice: nobody is rung twice,
    nobody is lost, nothing leaves that was not claimed, and everyone who is unknown is
    so for a reason.
    """
    seeds = range(part, _WORLDS, _PARTS)
    for seed in seeds:
        must_hold(made(seed))
    record_property(kinds.WORLDS, len(seeds))


def test_worlds_are_rough() -> None:
    """
    In a hundred of them all happens that is there to go wrong.
    """
    reports = [run(made(seed)) for seed in range(100)]
    told = "\n".join(line for report in reports for line in report.story)

    for what in ("dies", "stands still", "fails", "receipts of", "calls the unknown"):
        assert what in told
    assert 500 < sum(report.requests for report in reports)


def test_nobody_is_judged_by_our_own_code() -> None:
    """
    The service that rings, and keeps the truth, imports nothing of ours.
    """
    source = (Path(__file__).parent / "simulated_service.py").read_text(
        encoding="utf-8"
    )

    assert "voicepush" not in source

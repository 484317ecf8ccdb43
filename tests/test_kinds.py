"""
Quick and slow tests are told apart.
"""

from __future__ import annotations

from pathlib import Path

import kinds
import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted({*kinds.FILES, kinds.CONTRACT}))
def test_each_file_that_is_named_is_there(name: str) -> None:
    """
    A file that is renamed is renamed in the list, too.
    """
    assert 1 == len([*HERE.rglob(f"{name}.py")])


def test_a_slow_file_is_slow_and_this_one_is_not(
    request: pytest.FixtureRequest,
) -> None:
    """
    Whoever leaves out slow tests runs this one, and none of a file that is named.
    """
    marked = {
        Path(item.path).stem
        for item in request.session.items
        if item.get_closest_marker("slow")
    }

    assert "test_kinds" not in marked
    assert {
        Path(item.path).stem
        for item in request.session.items
        if Path(item.path).stem in kinds.FILES
    } <= marked


def test_worlds_are_counted() -> None:
    """
    How many simulated worlds were gone through is told where any were.
    """
    reports = [
        pytest.TestReport("a", ("a", 1, "a"), {}, "passed", None, "call", duration=2.0)
        for _ in range(3)
    ]
    for report in reports[:2]:
        report.user_properties.append((kinds.WORLDS, 250))

    assert "500 simulated worlds, 125.0 a second" == kinds.worlds_told(reports)
    assert kinds.worlds_told(reports[2:]) is None

"""
Options of all commands may stand anywhere.
"""

from __future__ import annotations

import pytest
from test_keys import ALL

from voicepush.cli.application import _FLAGS, _WITH_VALUE, _in_front


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("send --profile june a.csv", "--profile june send a.csv"),
        ("send a.csv -v --config=x --json", "-v --config=x send a.csv --json"),
        ("send --profile= a.csv", "--profile= send a.csv"),
        # What misses its value is left to be complained about.
        ("status --profile", "status --profile"),
        ("status --config --json", "status --config --json"),
        # Behind two hyphens everything is a name.
        ("status -- --profile june", "status -- --profile june"),
        ("status --profiles june", "status --profiles june"),
        ("", ""),
    ],
)
def test_they_go_before_the_command(typed: str, expected: str) -> None:
    """
    With their values, and in their order.
    """
    assert expected.split() == _in_front(typed.split())


def test_no_command_has_such_an_option_of_its_own() -> None:
    """
    It would be given to another.
    """
    names = {
        name for _, options in ALL for each in options.values() for name in each.names
    }

    assert names.isdisjoint({*_FLAGS, *_WITH_VALUE})

"""
Worlds whose ledger is an SQLite file, on a machine that loses its power.
"""

from __future__ import annotations

import pytest
from setups import made
from shrinking import must_hold

#: Worlds are gone through in so many parts.
_PARTS = 4
_WORLDS = 100


@pytest.mark.parametrize("part", range(_PARTS))
def test_both_promises_hold_in_files_whose_machine_loses_its_power(part: int) -> None:
    """
    Of a commit that was cut off all is there, or nothing, or a part that counts for
    nothing; and a disk that is full, or fails, breaks no promise.
    """
    for seed in range(part, _WORLDS, _PARTS):
        must_hold(made(seed, "sqlite"))

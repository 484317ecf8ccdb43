"""
What is left when processes die: real ones, by SIGKILL, again and again.
"""

from __future__ import annotations

from pathlib import Path

from crash_lists import KINDS
from crash_looks import Phase
from crashing import Crashing


def test_both_promises_outlive_fifty_kills(tmp_path: Path) -> None:
    """
    Whenever a process dies, nobody is rung twice, nobody is lost, and only whoever was
    in flight is unknown; started again, the campaign comes to its end. So it is with
    every kind of list.
    """
    crashing = Crashing(tmp_path, kills=50)

    crashing.go()

    assert 50 == crashing.phases.total()
    assert {kind.name for kind in KINDS} == {
        name for name, phases in crashing.seen.items() if phases
    }
    # Chance must not leave a phase out.
    assert {Phase.PLANNING, Phase.DISPATCHING, Phase.SETTLING} <= crashing.phases.keys()
    # Nor may the weather be fair, and some die between the halves of a batch.
    assert {"7006", "7009", "7020"} <= crashing.replies.keys()
    assert crashing.parted

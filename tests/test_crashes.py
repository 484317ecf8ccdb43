"""
What is left when processes die: real ones, by SIGKILL, again and again.
"""

from __future__ import annotations

from pathlib import Path

from conftest import Serve
from crashing import FAULTS, LATENCY, Crashing, Phase


def test_both_promises_outlive_fifty_kills(serve: Serve, tmp_path: Path) -> None:
    """
    Whenever a process dies, nobody is rung twice, nobody is lost, and only whoever was
    in flight is unknown; started again, the campaign comes to its end.
    """
    crashing = Crashing(serve(*FAULTS, latency=LATENCY), tmp_path, kills=50)

    crashing.go()

    assert 50 == crashing.phases.total()
    # Chance must not leave a phase out.
    assert {Phase.PLANNING, Phase.DISPATCHING, Phase.SETTLING} <= crashing.phases.keys()

"""
When people got the outcomes that they have, by the changes of how many have which.
"""

from __future__ import annotations

from collections.abc import Mapping

from voicepush.model.outcome import Outcome
from voicepush.model.overview import OutcomesAt


def lasting(changes: Mapping[int, Mapping[Outcome, int]]) -> list[OutcomesAt]:
    """
    By second, how many got an outcome that they still have.

    Who has another one later is taken away again; those are sought among the ones who
    got it before, the latest first, since nobody knows better.

    Args:
        changes: By second since 1970, by how many each outcome had changed.
    """
    found: dict[int, dict[Outcome, int]] = {}
    taken: dict[Outcome, int] = {}
    for at in sorted(changes, reverse=True):
        for outcome, change in changes[at].items():
            left = change - taken.get(outcome, 0)
            taken[outcome] = max(0, -left)
            if left > 0:
                found.setdefault(at, {})[outcome] = left
    # What was taken away before anyone got it is missing from those who got it later.
    for at in sorted(found):
        for outcome, number in found[at].items():
            missing = min(number, taken.get(outcome, 0))
            taken[outcome] = taken.get(outcome, 0) - missing
            found[at][outcome] = number - missing
    return [
        OutcomesAt(float(at), outcomes)
        for at in sorted(found)
        if (outcomes := {each: n for each, n in found[at].items() if n})
    ]

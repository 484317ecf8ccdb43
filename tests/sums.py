"""
What is counted, and what has to add up.
"""

from __future__ import annotations

from voicepush import Standing, Summary


def check_sums(standing: Standing) -> None:
    """
    Nobody is lost: both sums of the promise hold.
    """
    assert standing.planned == (
        standing.pending
        + standing.in_flight
        + standing.accepted
        + standing.rejected
        + standing.expired
        + standing.not_sent
        + standing.unknown
    )
    assert standing.read == (
        standing.planned + standing.invalid + standing.duplicate + standing.suppressed
    )


def counts(summary: Summary) -> dict[str, int]:
    """
    The outcomes of *summary* that occurred.
    """
    names = ("accepted", "rejected", "expired", "not_sent", "unknown")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}

"""
What has to add up.
"""

from __future__ import annotations

from voicepush import Standing


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

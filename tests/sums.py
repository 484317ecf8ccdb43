"""
What is counted, and what has to add up.
"""

from __future__ import annotations

from voicepush import CampaignStatus, Summary


def check_sums(status: CampaignStatus) -> None:
    """
    Nobody is lost: both sums of the promise hold.
    """
    assert status.planned == (
        status.pending
        + status.in_flight
        + status.accepted
        + status.rejected
        + status.expired
        + status.not_sent
        + status.unknown
    )
    assert status.read == (
        status.planned + status.invalid + status.duplicate + status.suppressed
    )


def counts(summary: Summary) -> dict[str, int]:
    """
    The outcomes of *summary* that occurred.
    """
    names = ("accepted", "rejected", "expired", "not_sent", "unknown")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}

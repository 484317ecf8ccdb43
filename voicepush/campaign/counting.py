"""
Where the people of a campaign stand, by what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.reader import LedgerReader
from voicepush.model.status import GroupCounts

_K = TypeVar("_K", bound=Hashable)


async def counts_by(
    ledger: LedgerReader, campaign: str, key: Callable[[PlannedGroup], _K]
) -> dict[_K, GroupCounts]:
    """
    The counts of the groups of *campaign*, those with the same *key* added up.

    Each batch is looked at, which takes a moment where there are many.
    """
    counts = await ledger.group_counts(campaign)
    found: dict[_K, GroupCounts] = {}
    for group in await ledger.groups(campaign):
        if group.number in counts:
            name = key(group)
            found[name] = found.get(name, GroupCounts()) + counts[group.number]
    return found

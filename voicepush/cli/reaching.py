"""
What is said before the start, and while it goes on, of who waits for their windows.
"""

from __future__ import annotations

from voicepush import clock
from voicepush.campaign.forecasting import pace_of, reach_of
from voicepush.cli.terminal import say, tell
from voicepush.ledger.reader import LedgerReader
from voicepush.model.status import CampaignStatus
from voicepush.report.json import reach_as_object
from voicepush.report.reaching import reach_as_lines


async def say_reach(ledger: LedgerReader, status: CampaignStatus) -> None:
    """
    Say who of a campaign waits for which opening, and who can't be called in time.
    """
    for line in await _lines(ledger, status):
        say(line)


async def tell_reach(ledger: LedgerReader, status: CampaignStatus) -> None:
    """
    Print the same, below where it stands.
    """
    for line in await _lines(ledger, status):
        tell(f"  {line}")


async def reach_object(
    ledger: LedgerReader, status: CampaignStatus
) -> dict[str, object]:
    """
    The same for JSON; nothing where nobody has windows.
    """
    found = await reach_of(ledger, status)
    return {} if found is None else reach_as_object(found)


async def _lines(ledger: LedgerReader, status: CampaignStatus) -> list[str]:
    found = await reach_of(ledger, status)
    if found is None:
        return []
    return reach_as_lines(found, clock.now(), pace_of(status))

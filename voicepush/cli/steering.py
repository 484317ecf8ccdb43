"""
Commands that steer a campaign which another process dispatches.
"""

from __future__ import annotations

from voicepush.campaign.campaign import Campaign
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import DEFAULT_LEDGER, LedgerPath, Yes, existing
from voicepush.cli.terminal import (
    confirm,
    follow,
    showing,
    tell,
)
from voicepush.report.text import as_line


async def pause(campaign: str, /, *, ledger: LedgerPath = DEFAULT_LEDGER) -> int:
    """
    Let the process that dispatches CAMPAIGN record what is under way, and end.

    Parameters
    ----------
    campaign
        The campaign's name.
    ledger
        Where campaigns are kept.
    """
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await found.pause()
        await follow(found)
        tell(as_line(await found.status()))
    return EVERYONE_ACCEPTED


async def cancel(
    campaign: str,
    /,
    *,
    yes: Yes = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    End CAMPAIGN for good: those who are pending are not sent, and nothing resumes it.

    Parameters
    ----------
    campaign
        The campaign's name.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    """
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        status = await found.status()
        confirm(f"cancel {campaign}, with {status.pending:,} pending", yes=yes)
        async with showing(found):
            await found.cancel()
        tell(as_line(await found.status()))
    return EVERYONE_ACCEPTED


async def rate(
    campaign: str, per_second: float, /, *, ledger: LedgerPath = DEFAULT_LEDGER
) -> int:
    """
    Go on with CAMPAIGN at PER-SECOND destinations, at once where it is running.

    Parameters
    ----------
    campaign
        The campaign's name.
    per_second
        Destinations per second.
    ledger
        Where campaigns are kept.
    """
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await found.set_rate(per_second)
        tell(as_line(await found.status()))
    return EVERYONE_ACCEPTED

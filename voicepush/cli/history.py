"""
Commands that tell which campaigns there were, and who did what to them.
"""

from __future__ import annotations

from voicepush.campaign.campaign import Campaign
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import DEFAULT_LEDGER, Json, LedgerPath, existing
from voicepush.cli.terminal import tell, tell_json
from voicepush.cli.times import parse_since
from voicepush.ledger.protocol import Ledger
from voicepush.report.listing import (
    Deed,
    Listed,
    deed_as_object,
    deeds_as_text,
    in_order,
    listed_as_object,
    listed_as_text,
)


async def campaigns(
    *,
    since: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    List the campaigns with their dates: planned, first and last claim, ended.

    Parameters
    ----------
    since
        Only those that were planned since then: a time with its offset, a date in UTC,
        or how long ago, such as 30d.
    ledger
        Where campaigns are kept.
    json
        Print a list of JSON objects.
    """
    earliest = None if since is None else parse_since("--since", since)
    async with existing(ledger) as opened:
        found = [
            each
            for each in await _listed(opened)
            if earliest is None or each.dates.planned >= earliest
        ]
    if json:
        tell_json(list(map(listed_as_object, found)))
    else:
        tell(listed_as_text(found) or "no campaign yet")
    return EVERYONE_ACCEPTED


async def _listed(ledger: Ledger) -> list[Listed]:
    dates = await ledger.dates()
    found = []
    for status in await ledger.campaigns():
        plan = await ledger.plan(status.campaign)
        # It may have been planned, or have gone, since the others were looked at.
        if plan is not None and status.campaign in dates:
            message = Campaign(ledger, plan).message
            found.append(Listed(status, dates[status.campaign], message, plan.source))
    return found


async def history(
    campaign: str | None = None,
    /,
    *,
    since: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Show who did what to CAMPAIGN when, or to all campaigns.

    Parameters
    ----------
    campaign
        The campaign's name.
    since
        Only what was done since then: a time with its offset, a date in UTC, or how
        long ago, such as 24h.
    ledger
        Where campaigns are kept.
    json
        Print a list of JSON objects.
    """
    earliest = None if since is None else parse_since("--since", since)
    async with existing(ledger) as opened:
        if campaign is None:
            names = [each.campaign for each in await opened.campaigns()]
        else:
            names = [(await Campaign.open(opened, campaign)).name]
        deeds = [
            Deed(name, entry) for name in names for entry in await opened.history(name)
        ]
    found = in_order(deeds, earliest)
    if json:
        tell_json(list(map(deed_as_object, found)))
    else:
        tell(deeds_as_text(found) or "nothing was done")
    return EVERYONE_ACCEPTED

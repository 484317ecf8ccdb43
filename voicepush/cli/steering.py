"""
Commands that steer a campaign which another process dispatches.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import DEFAULT_LEDGER, LedgerPath, Yes, existing
from voicepush.cli.terminal import (
    confirm,
    follow,
    showing,
    tell,
)
from voicepush.errors import InputError
from voicepush.ledger import shared_rate
from voicepush.model.pace import Pace
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
    campaign: str | None = None,
    per_second: str | None = None,
    /,
    *,
    tenant: Annotated[bool, Parameter(negative="")] = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Go on with CAMPAIGN at PER-SECOND destinations, at once where it is running.

    With --tenant PER-SECOND all campaigns of a ledger in PostgreSQL, and all services
    that name it as their rate, send no more than that together; "none" takes that
    limit away. With --tenant alone it is shown.

    Parameters
    ----------
    campaign
        The campaign's name.
    per_second
        Destinations per second.
    tenant
        The rate that all processes share.
    ledger
        Where campaigns are kept.
    """
    if tenant:
        if per_second is not None:
            raise InputError(
                "--tenant is the rate of all campaigns; name none, or leave it out"
            )
        await _rate_of_tenant(campaign, ledger)
        return EVERYONE_ACCEPTED
    if campaign is None or per_second is None:
        raise InputError(
            "name a campaign and its destinations per second, as in rate june 80, or "
            "those of all with rate --tenant 80"
        )
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await found.set_rate(_number(per_second))
        tell(as_line(await found.status()))
    return EVERYONE_ACCEPTED


async def _rate_of_tenant(per_second: str | None, ledger: str) -> None:
    async with shared_rate(ledger) as allowance:
        if per_second == "none":
            await allowance.set_rate(None)
        elif per_second is not None:
            await allowance.set_rate(_number(per_second))
        tell(_in_words(await allowance.look()))


def _in_words(pace: Pace) -> str:
    if pace.rate is None:
        return "tenant: no limit of our own"
    if pace.ceiling is None:
        return f"tenant: {pace.rate:,.6g}/s at present, as the service takes it"
    if pace.rate < pace.ceiling:
        return (
            f"tenant: at most {pace.ceiling:,.6g}/s, at present {pace.rate:,.6g}/s, "
            "since the service asked for less"
        )
    return f"tenant: at most {pace.ceiling:,.6g}/s"


def _number(per_second: str) -> float:
    try:
        return float(per_second)
    except ValueError:
        raise InputError(
            f"{per_second!r} is no number of destinations per second"
        ) from None

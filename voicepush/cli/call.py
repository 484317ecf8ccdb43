"""
The command that rings someone now.
"""

from __future__ import annotations

from voicepush import clock
from voicepush.campaign.campaign import Campaign
from voicepush.cli.dispatching import dispatch
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    Message,
    Patience,
    check_expiry,
    patient,
)
from voicepush.cli.service import Service
from voicepush.cli.terminal import say, tell
from voicepush.errors import InputError
from voicepush.ledger import open_ledger
from voicepush.report.text import lookup_as_text
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason


async def call(
    number: str,
    /,
    *,
    message: Message | None = None,
    service: Service | None = None,
    country: str | None = None,
    patience: Patience = "1 minute",
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Ring NUMBER now, also someone who was called before, and tell what came of it.

    It is kept in the ledger as a small campaign of its own.

    Parameters
    ----------
    number
        Who is rung, with + and the calling code unless --country says whose numbers
        they are.
    country
        Whose national numbers are completed: a region such as IN, or +44 or the like.
    patience
        How long the service may be out of reach before nobody is rung, such as 30s.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object when it ends.
    """
    settings = patient((service or Service()).build(), patience)
    built = (message or Message()).build()
    check_expiry(built)
    msisdn = normal_number(number, country)
    # Each call is one of its own: the same again would otherwise ring nobody.
    name = f"call-{clock.utc_now():%Y-%m-%d-%H%M%S}-{clock.random_hex(6)}"
    async with open_ledger(ledger) as opened:
        campaign = await Campaign.plan(
            opened,
            name,
            built,
            [msisdn],
            source="the command line",
            rate=settings.own_rate,
            tell=say,
        )
        code = await dispatch(campaign, settings, json=json)
        if not json:
            for found in await opened.lookup(msisdn):
                if found.campaign == name:
                    tell(lookup_as_text(found))
    return code


def normal_number(text: str, country: str | None = None) -> str:
    """
    The number that was typed as *text*, in its normal form.

    Raises:
        InputError: It is none.
    """
    found = normalise(text, country=country)
    if found is Reason.NO_COUNTRY:
        raise InputError(
            f"{text}: begin with + and the calling code, or give its country "
            "(--country)"
        )
    if isinstance(found, Reason):
        raise InputError(f"{text}: {found}")
    return found

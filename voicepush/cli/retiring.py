"""
Commands about campaigns that are over: into little room, or away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voicepush import clock
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.keeping import tables
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    LedgerPath,
    Yes,
    check_no_backup,
    existing,
    seconds,
)
from voicepush.cli.terminal import confirm, say, tell, working
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.masking import mask_numbers, shown
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.text import counted

if TYPE_CHECKING:
    from voicepush.ledger.sql.ledger import SQLLedger


async def archive(
    campaign: str | None = None,
    /,
    *,
    retention: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Put CAMPAIGN, which is over, into little room; lookup and all else answer as before.

    Parameters
    ----------
    campaign
        The campaign's name.
    retention
        Instead of a name: all campaigns that ended longer ago than that, such as 400d.
    ledger
        Where campaigns are kept.
    """
    async with existing(ledger) as opened:
        check_no_backup(opened, ledger)
        names = await _names(tables(opened), campaign, retention)
        for name in names:
            with working(f"archiving {shown(name)}"):
                done = await tables(opened).archive(name)
            tell(
                shown(
                    f"{name}: archived, {done.before:,} bytes of it in {done.after:,}"
                )
            )
        await _wipe(tables(opened), ledger, names)
    return EVERYONE_ACCEPTED


async def delete(
    campaign: str | None = None,
    /,
    *,
    retention: str | None = None,
    yes: Yes = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Let nothing remain of CAMPAIGN, which is over, but that there was one.

    Nobody can say any more who was called by it: lookup, --not-within and --at-most
    know nothing of it. Its name is not planned again by mistake.

    Parameters
    ----------
    campaign
        The campaign's name.
    retention
        Instead of a name: all campaigns that ended longer ago than that, such as 400d.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    """
    async with existing(ledger) as opened:
        check_no_backup(opened, ledger)
        kept = tables(opened)
        names = await _names(kept, campaign, retention)
        if names:
            by_name = {each.campaign: each for each in await kept.campaigns()}
            found = [by_name[name] for name in names if name in by_name]
            _check_over(found)
            confirm(_question(found, names), yes=yes)
        for name in names:
            try:
                with working(f"deleting {shown(name)}"):
                    await kept.delete(name)
            except InputError as error:
                if retention is None:
                    raise
                say(f"{name} stays: {mask_numbers(str(error))}")  # a later round is new
            else:
                tell(shown(f"{mask_numbers(name)}: deleted"))
        await _wipe(kept, ledger, names)
    return EVERYONE_ACCEPTED


async def _names(
    ledger: SQLLedger, campaign: str | None, retention: str | None
) -> list[str]:
    """
    The campaigns that are meant.
    """
    if (campaign is None) is (retention is None):
        raise InputError("name either a CAMPAIGN, or --retention for all old ones")
    if campaign is not None:
        return [campaign]
    ago = seconds("--retention", retention or "")
    return await ledger.ended_before(clock.now() - ago)


def _check_over(campaigns: Sequence[CampaignStatus]) -> None:
    """
    Refuse before anyone is asked; the ledger looks once more.
    """
    for each in campaigns:
        if each.state is CampaignState.RUNNING:
            raise InputError(
                f"campaign {each.campaign!r} is running; only one that is finished, "
                "cancelled or moved can be deleted"
            )


def _question(found: Sequence[CampaignStatus], names: Sequence[str]) -> str:
    people = sum(each.planned for each in found)
    unknown = sum(each.unknown - each.given_up for each in found)
    told = ", ".join(shown(mask_numbers(each)) for each in names)
    undecided = f", {unknown:,} of them unknown and undecided" if unknown else ""
    return (
        f"delete {told}: {counted(people, 'recipient')}{undecided}; nobody can say any "
        "more whether they were called, and neither --not-within nor --at-most count it"
    )


async def _wipe(ledger: SQLLedger, where: str, names: Sequence[str]) -> None:
    """
    Write the file anew, which is smaller then, or say who can.
    """
    if not names:
        say("no campaign ended as long ago as that")
        return
    with working("writing the file anew"):
        done = await ledger.wipe()
    if is_address(where):
        say(
            "the server keeps what was deleted until its tables are written anew: let "
            "their owner say VACUUM (FULL, ANALYZE) there"
        )
    elif not done:
        say(
            "a campaign is dispatched, so the file keeps its size, and in it what was "
            "deleted, until the next archive, delete or forget while none is"
        )

"""
Commands that keep a ledger in order: whether it is sound, and a backup of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED, LEDGER_FAILED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    existing,
    inputs,
    named,
    title_of,
)
from voicepush.cli.outputs import check_output
from voicepush.cli.terminal import say, tell, tell_json, working
from voicepush.errors import InputError
from voicepush.ledger import is_address
from voicepush.ledger.protocol import Ledger
from voicepush.masking import mask_numbers, shown
from voicepush.model.audit import PARTS, Audit, AuditedCampaign
from voicepush.report.text import counted

if TYPE_CHECKING:
    from voicepush.ledger.sql.ledger import SQLLedger


async def check_ledger(
    *,
    deep: Annotated[bool, Parameter(negative="")] = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Prove that the ledger is sound: nobody is lost in it, and all sums are right.

    Everyone's outcome is read and counted anew, and compared with what is told of the
    campaigns. Nothing is changed, and campaigns may go on meanwhile. The exit status is
    5 if anything is wrong.

    Parameters
    ----------
    deep
        Look for everyone by the index, and into the bodies of all receipts, too.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object.
    """
    async with existing(ledger) as opened:
        with working("looking at all of it"):
            audit = await tables(opened).audit(deep=deep)
    if json:
        tell_json(_as_object(audit, deep=deep))
    else:
        tell(_as_text(audit, title_of(ledger), deep=deep))
    return EVERYONE_ACCEPTED if audit.is_sound else LEDGER_FAILED


async def backup(file: Path, /, *, ledger: LedgerPath = DEFAULT_LEDGER) -> int:
    """
    Copy the ledger into FILE as it is at one moment; campaigns may go on meanwhile.

    The copy can be looked at: status, lookup, export, report. Nobody is called from it
    before resume CAMPAIGN --restored has made all unknown who may have been called
    since.

    Parameters
    ----------
    file
        The file to write, which must not be there, and which only you may read.
    ledger
        The ledger, a file; one in PostgreSQL is backed up by pg_dump.
    """
    if is_address(ledger):
        raise InputError(
            "a ledger in PostgreSQL is backed up as its server is, by pg_dump or "
            "pg_basebackup, and restored with --failed-over; see docs/keeping.md"
        )
    check_output(file, "FILE", inputs(ledger))
    from voicepush.ledger.sqlite.ledger import SQLiteLedger  # noqa: PLC0415 -- see tables

    async with existing(ledger) as opened:
        assert isinstance(opened, SQLiteLedger)  # noqa: S101 -- it is a file
        wanted = _Wanted()
        try:
            with working("copying"):
                size = await opened.back_up(file, wanted)
        finally:
            wanted.is_over = True
    say(f"{size:,} bytes written to {named(file)}; voicepush check-ledger proves it")
    return EVERYONE_ACCEPTED


class _Wanted:
    """
    Ends a copy that nobody waits for any more.
    """

    def __init__(self) -> None:
        self.is_over = False

    def __call__(self, left: int, total: int) -> None:  # noqa: ARG002 -- only heard
        """
        So many of how many pages are left.
        """
        if self.is_over:
            raise InputError("the backup was interrupted; nothing is left of it")


def tables(ledger: Ledger) -> SQLLedger:
    """
    *ledger*, which speaks SQL as all that `open_ledger` opens.
    """
    # Most commands open no database before they know which.
    from voicepush.ledger.sql.ledger import SQLLedger  # noqa: PLC0415

    assert isinstance(ledger, SQLLedger)  # noqa: S101
    return ledger


def _as_text(audit: Audit, title: str, *, deep: bool) -> str:
    """
    What was counted of each campaign, and what is wrong.
    """
    lines = [line for each in audit.campaigns for line in _lines_of(each)]
    lines += [
        shown(mask_numbers(f"wrong: {each.where}: {each.what}"))
        for each in audit.findings
    ]
    if (more := audit.found - len(audit.findings)) > 0:
        lines.append(f"wrong: and {more:,} more")
    if not audit.is_sound:
        lines.append(f"{title}: {counted(audit.found, 'thing')} wrong")
        return "\n".join(lines)
    people = sum(each.counts["planned"] for each in audit.campaigns)
    of_all = counted(len(audit.campaigns), "campaign")
    how = "everyone is found" if deep else "a sample is found; --deep looks for all"
    lines.append(f"{title}: sound; {of_all} with {people:,} people, {how}")
    return "\n".join(lines)


def _lines_of(campaign: AuditedCampaign) -> list[str]:
    counts = campaign.counts
    parts = [f"{counts[part]:,} {part.replace('_', ' ')}" for part in PARTS]
    left_out = [
        f"{getattr(campaign, name):,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
    ]
    return [
        shown(
            f"{campaign.campaign}: {campaign.batches:,} batches, {campaign.calls:,} "
            f"calls with receipts, {campaign.looked_up:,} looked for in the index"
        ),
        f"  {campaign.read:,} read = {counts['planned']:,} planned + "
        + " + ".join(left_out),
        f"  {counts['planned']:,} planned = {' + '.join(parts)}",
    ]


def _as_object(audit: Audit, *, deep: bool) -> dict[str, object]:
    return {
        "sound": audit.is_sound,
        "deep": deep,
        "campaigns": [attrs.asdict(each) for each in audit.campaigns],
        "found": audit.found,
        "findings": [
            {"where": each.where, "what": mask_numbers(each.what)}
            for each in audit.findings
        ],
    }


async def restore(ledger: Ledger) -> None:
    """
    Let the backup *ledger* be a ledger again, and say what that means.

    Raises:
        InputError: It is none.
    """
    for campaign, number in (await tables(ledger).restore()).items():
        say(
            shown(
                f"{campaign}: {number:,} may have been called since the backup was "
                f"made, and are unknown; see voicepush resolve {campaign}"
            )
        )
    say(
        "it is a ledger again, for all of its campaigns. What came after the backup is "
        "not in it: campaigns that were planned, receipts, who must not be called "
        "(voicepush suppress import), and who was forgotten"
    )

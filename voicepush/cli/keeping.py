"""
Commands that keep a ledger in order: whether it is sound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import Parameter

from voicepush.cli.exit_status import EVERYONE_ACCEPTED, LEDGER_FAILED
from voicepush.cli.options import DEFAULT_LEDGER, Json, LedgerPath, existing, title_of
from voicepush.cli.terminal import tell, tell_json, working
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

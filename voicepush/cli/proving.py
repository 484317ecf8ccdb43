"""
The command that makes a bundle of what proves what was done, and checks one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import voicepush
from voicepush.campaign.campaign import Campaign
from voicepush.campaign.proof import MADE, Proof
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, NOT_EVERYONE
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    check_no_backup,
    existing,
    inputs,
)
from voicepush.cli.outputs import check_output
from voicepush.cli.terminal import say, tell, tell_json, working
from voicepush.errors import InputError
from voicepush.masking import shown
from voicepush.report.bundle.verifying import Checked, check

_LedgerPath = Annotated[
    str | None, Parameter(env_var="VOICEPUSH_LEDGER", group="Ledger", name="--ledger")
]


async def evidence(
    campaign: str | None = None,
    /,
    *,
    output: Path | None = None,
    rejects: Path | None = None,
    with_list: Annotated[bool, Parameter(negative="")] = False,
    verify: Path | None = None,
    digest: str | None = None,
    ledger: _LedgerPath = None,
    json: Json = False,
) -> int:
    """
    Write one bundle that shows what was done in CAMPAIGN, or check one.

    Its last digest is printed and written into the campaign's history. It holds whole
    numbers. The exit status of --verify is 1 if the bundle is not as it was made.

    Parameters
    ----------
    campaign
        The campaign's name.
    output
        Where the bundle is written: a zip if it ends in .zip, else a folder; never over
        anything.
    rejects
        The file of refused rows that send --rejects wrote, to be added; the ledger does
        not keep them.
    with_list
        Add the list itself, if it is still the one that was planned.
    verify
        Check this bundle, a zip or a folder, instead of making one.
    digest
        With --verify: the last digest as it was noted elsewhere.
    ledger
        Where campaigns are kept. With --verify, its history must have the last digest.
    json
        Print one JSON object.
    """
    if verify is not None:
        making = {
            "CAMPAIGN": campaign,
            "--output": output,
            "--rejects": rejects,
            "--with-list": with_list,
        }
        for name, given in making.items():
            if given:
                raise InputError(f"{name} is of no use with --verify, which makes none")
        return await _verify(verify, digest, ledger, json=json)
    if campaign is None:
        raise InputError("name a CAMPAIGN, or a bundle to check with --verify")
    if output is None:
        raise InputError(
            "say where the bundle is to be written, such as --output "
            f"{shown(campaign)}-evidence.zip"
        )
    if digest is not None:
        raise InputError("--digest is of no use without --verify")
    where = ledger or DEFAULT_LEDGER
    check_output(output, "--output", inputs(where, None, *filter(None, [rejects])))
    proof = Proof(
        campaign=campaign,
        out=output,
        version=voicepush.__version__,
        rejects=rejects,
        with_list=with_list,
    )
    async with existing(where) as opened:
        check_no_backup(opened, where)  # that a bundle was made is written into it
        # It says which there are, if there is none of that name.
        await Campaign.open(opened, campaign)
        with working(f"gathering what is known of {campaign}"):
            made = await proof.make(opened)
    say(f"wrote {made.path}: {made.people:,} people, with whole numbers")
    if made.went_on:
        say("the campaign went on meanwhile; each row is as it was when it was read")
    say("keep this digest elsewhere, too; it stands for the whole bundle:")
    if json:
        tell_json(
            {
                "campaign": campaign,
                "bundle": str(made.path),
                "digest": made.digest,
                "people": made.people,
                "went_on_meanwhile": made.went_on,
            }
        )
    else:
        tell(made.digest)
    return EVERYONE_ACCEPTED


async def _verify(
    bundle: Path, digest: str | None, ledger: str | None, *, json: bool
) -> int:
    with working(f"checking {bundle}"):
        checked = check(bundle)
    faults = list(checked.faults)
    if digest is not None and digest.strip().lower() != checked.digest:
        faults.append("its last digest is not the one that was given with --digest")
    if ledger is not None:
        faults += await _by_history(checked, ledger)
    if json:
        tell_json(
            {
                "bundle": str(bundle),
                "campaign": checked.campaign,
                "digest": checked.digest,
                "people": checked.people,
                "faults": faults,
            }
        )
    elif faults:
        tell("\n".join(map(shown, faults)))
    else:
        tell(
            shown(
                f"{checked.campaign}: nothing was changed; {checked.people:,} people; "
                f"digest {checked.digest}"
            )
        )
    if not faults and digest is None and ledger is None:
        say(
            "it is one bundle without a contradiction; that it is the one that was "
            "made is known only from the last digest: give --ledger, or --digest"
        )
    return NOT_EVERYONE if faults else EVERYONE_ACCEPTED


async def _by_history(checked: Checked, ledger: str) -> list[str]:
    """
    What the history of the campaign in *ledger* says against it.
    """
    if checked.campaign is None or checked.digest is None:
        return []
    async with existing(ledger) as opened:
        if await opened.plan(checked.campaign) is None:
            return [f"the ledger {ledger} has no campaign {checked.campaign!r}"]
        history = await opened.history(checked.campaign)
    made = {each.detail for each in history if each.event == MADE}
    if checked.digest in made:
        return []
    words = (
        f"the history of {checked.campaign!r} in {ledger} knows no bundle with this "
        f"last digest; it knows {len(made)} others"
    )
    return [words]

"""
The command about the unknown: what speaks for and against, evidence, and a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.cli.dispatching import bring_in
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    ProcessIsGone,
    Yes,
    existing,
)
from voicepush.cli.terminal import confirm, say, tell, tell_json, working
from voicepush.errors import CampaignHeldError, InputError, VoicepushError
from voicepush.ledger.protocol import Ledger
from voicepush.masking import shown
from voicepush.model.status import Resolved, UnknownBatch
from voicepush.receipts.evidence.columns import named_columns
from voicepush.receipts.evidence.reading import EvidenceFile, read_evidence
from voicepush.receipts.evidence.settling import Settled, Settling
from voicepush.report.text import counted, left_alone
from voicepush.report.unknown import (
    Advice,
    Advised,
    advised,
    unknown_as_object,
    unknown_as_text,
)


@Parameter(name="*", group="Evidence")
@attrs.frozen(kw_only=True)
class Evidence:
    """
    The options that say what proves that someone was called.
    """

    # A hyphen alone is standard input.
    evidence: Annotated[
        list[Path] | None, Parameter(negative="", allow_leading_hyphen=True)
    ] = None
    """A log that the console exported, or notifications that failed, as CSV, JSON,
    Excel or zip: whoever is listed is accepted. May be given several times."""
    evidence_column: Annotated[list[str] | None, Parameter(negative="")] = None
    """What a column of it is called, such as transaction="Txn", or its place; of
    transaction, correlation, number, status, code, time and payload."""
    encoding: str | None = None
    """How its text is encoded, such as cp1252, where that can't be told."""
    dry_run: Annotated[bool, Parameter(negative="")] = False
    """Only count what it proves, and change nothing."""

    def files(self) -> list[EvidenceFile]:
        """
        The files, none of which is opened yet.
        """
        named = named_columns(self.evidence_column or [])
        columns = {column.value: name for column, name in named.items()}
        return [
            read_evidence(each, columns=columns, encoding=self.encoding)
            for each in self.evidence or []
        ]

    def check(self) -> None:
        """
        Refuse what belongs to evidence where there is none.
        """
        alone = {
            "--dry-run": self.dry_run,
            "--evidence-column": self.evidence_column,
            "--encoding": self.encoding,
        }
        for option, value in alone.items():
            if value and not self.evidence:
                raise InputError(f"{option} needs --evidence FILE")
        for file in self.evidence or []:
            if str(file).startswith("--"):
                raise InputError(f"--evidence needs a file, and not {file}")


async def resolve(  # noqa: PLR0913 -- each is an option
    campaign: str,
    /,
    *,
    resend: Annotated[bool, Parameter(negative="")] = False,
    give_up: Annotated[bool, Parameter(negative="")] = False,
    only: Annotated[list[str] | None, Parameter(negative="")] = None,
    evidence: Evidence | None = None,
    process_is_gone: ProcessIsGone = False,
    yes: Yes = False,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Show whose fate in CAMPAIGN is unknown and what speaks for and against, and decide
    what to do with them.

    Parameters
    ----------
    campaign
        The campaign's name.
    resend
        Make them pending, at the risk of a second call; resume then sends to them.
    give_up
        Leave them as they are for good, and do not show them here again.
    only
        Decide only about requests of which the receipts speak so: taken, partly,
        not_taken, too_early, unclear or no_receipts; may be given several times.
    process_is_gone
        With --resend: no process exists any more that may have claimed people and not
        called them yet.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object.
    """
    evidence = evidence or Evidence()
    evidence.check()
    if resend + give_up + bool(evidence.evidence) > 1:
        raise InputError("choose one of --resend, --give-up and --evidence")
    wanted = _advices(only, decides=resend or give_up)
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await bring_in(opened)
        if evidence.evidence:
            await _settle(opened, found, evidence, yes=yes, json=json)
            return EVERYONE_ACCEPTED
        batches = await found.unknown()
        counts = await opened.receipt_counts()
        judged = advised(batches, await found.status(), counts)
        about = unknown_as_object(found.name, judged, counts)
        if not json:
            tell(_head(found, batches))
            if batches:
                tell(unknown_as_text(judged))
        meant = [each for each in judged if each.advice in wanted]
        if meant and (resend or give_up):
            unknown = sum(each.batch.unknown for each in meant)
            if resend:
                _warn(meant)
            deed = (
                "call them again, perhaps a second time" if resend else "give them up"
            )
            confirm(f"{campaign}: {deed}, {unknown:,} recipients", yes=yes)
            resolved = await found.resolve(
                resend=resend,
                process_is_gone=process_is_gone,
                batches=[each.batch.batch for each in meant] if only else None,
            )
            decision = "resend" if resend else "give_up"
            about["decided"] = {"decision": decision, **attrs.asdict(resolved)}
            if not json:
                _tell_resolved(resolved, resend=resend)
        elif batches and (resend or give_up):
            say(f"no request is {' or '.join(only or ())}; nothing was changed")
        if json:
            tell_json(about)
    return EVERYONE_ACCEPTED


def _advices(only: list[str] | None, *, decides: bool) -> list[Advice]:
    if only and not decides:
        raise InputError("--only belongs to --resend or --give-up; add one")
    try:
        return [Advice(each.replace("-", "_")) for each in only or Advice]
    except ValueError:
        known = ", ".join(Advice)
        raise InputError(f"--only {', '.join(only or [])} is none of {known}") from None


def _head(campaign: Campaign, batches: Sequence[UnknownBatch]) -> str:
    unknown = sum(batch.unknown for batch in batches)
    requests = counted(len(batches), "request")
    return f"{shown(campaign.name)}: {unknown:,} unknown in {requests}"


def _warn(judged: Sequence[Advised]) -> None:
    """
    Say whom resending may ring twice: it takes all requests, whatever speaks for them.
    """
    taken = sum(
        each.batch.unknown
        for each in judged
        if each.advice in (Advice.TAKEN, Advice.PARTLY)
    )
    if taken:
        say(
            f"{taken:,} of them are in requests that the platform took, at least in "
            "part; they may be rung twice"
        )
    silent = sum(each.batch.unknown for each in judged if each.advice in _SAYS_NOTHING)
    if silent:
        say(
            f"of {silent:,} of them no receipt says yet whether their request was "
            "taken; they may be rung twice"
        )


#: What speaks neither for nor against.
_SAYS_NOTHING = (Advice.TOO_EARLY, Advice.UNCLEAR, Advice.NO_RECEIPTS)


def _tell_resolved(resolved: Resolved, *, resend: bool) -> None:
    tell(f"{resolved.recipients:,} {'are pending again' if resend else 'given up'}")
    if resolved.left_alone:
        tell(left_alone(resolved))


# Evidence.

_DOUBTFUL = "may be of another campaign or ledger with the same ids, and are left alone"
_NAMELESS = (
    "bear no correlation id, and no transaction id that an answer gave; a number alone "
    "names nobody"
)
_UNPROVEN = "prove nothing: the platform refused the call, or gave it no id"


async def _settle(
    ledger: Ledger, campaign: Campaign, evidence: Evidence, *, yes: bool, json: bool
) -> None:
    if not yes and not evidence.dry_run and Path("-") in (evidence.evidence or []):
        raise InputError(
            "standard input can be read only once; add --yes, or look at it first "
            "with --dry-run"
        )
    with suppress(CampaignHeldError):
        # Who is left by a process that died is unknown from now on; if another one
        # dispatches it just now, nobody was left.
        await campaign.unknown()
    before = (await campaign.status()).unknown
    settling = Settling(ledger, campaign.name, apply=yes and not evidence.dry_run)
    await _read(settling, evidence, before, json=json)
    if not settling.applies and not evidence.dry_run:
        found = settling.settled
        if found.new:
            deed = f"accept {found.proven:,} of {before:,} unknown, who are listed"
            confirm(f"{campaign.name}: {deed}", yes=False)
            settling = Settling(ledger, campaign.name, apply=True)
            await _read(settling, evidence, before, json=json, is_again=True)
    await settling.finish()
    after = (await campaign.status()).unknown
    if evidence.dry_run:
        after -= settling.settled.proven
    if json:
        tell_json(_as_object(settling, before, after))
    else:
        tell(_as_text(settling, before, after))


async def _read(
    settling: Settling,
    evidence: Evidence,
    before: int,
    *,
    json: bool,
    is_again: bool = False,
) -> None:
    try:
        for file in evidence.files():
            with file, working(f"reading {file.name}"):
                await settling.read(file)
            if file.columns is not None and not is_again:
                say(f"{file.name}: {file.columns}")
    except VoicepushError:
        if settling.applies and settling.settled.new and not json:
            say("until then, this was read and applied:")
            tell(_as_text(settling, before, None))
        raise


def _as_text(settling: Settling, before: int, after: int | None) -> str:
    """
    What was read, in a line for each count, and who is left.
    """
    settled, name = settling.settled, shown(settling.campaign)
    given_up = f", {settled.given_up:,} of them given up" if settled.given_up else ""
    counts = [
        (settled.proven, f"list someone who was unknown: accepted{given_up}"),
        (settled.in_flight, "list someone who is under way: accepted"),
        (settled.corrected, "list someone who was recorded otherwise: accepted"),
        (settled.accepted, "are of people who are known to be accepted"),
        (settled.repeated, "are of someone who is listed above"),
        (settled.elsewhere, "are of other campaigns, and left alone"),
        (settled.doubtful, _DOUBTFUL),
        (settled.foreign, "bear an id that is not in this ledger"),
        (settled.nameless, _NAMELESS),
        (settled.unproven, _UNPROVEN),
        (settled.unreadable, f"can't be understood: {_rows_of(settled)}"),
    ]
    lines = [f"{name}: {counted(settled.read, 'row')} of evidence read, of which"]
    lines += [f"  {number:>10,}  {words}" for number, words in counts if number]
    if after is None:
        return "\n".join(lines)
    would = "are" if settling.applies else "would be"
    lines.append(f"{settled.proven:,} of {before:,} unknown {would} accepted")
    if not settling.applies:
        lines.append("nothing was changed")
    if after:
        lines.append(
            f"{after:,} are not listed, which proves nothing: they stay unknown; "
            f"see them with voicepush export {name} --outcome unknown"
        )
    return "\n".join(lines)


def _rows_of(settled: Settled) -> str:
    """
    The first rows that can't be understood, with their file where there are several.
    """
    found = settled.unreadable_rows
    several = len({each.file for each in found}) > 1
    words = [
        f"{each.file} row {each.row}" if several else f"{each.row}" for each in found
    ]
    if settled.unreadable > len(found):
        words.append("…")
    return shown(f"{'' if several else 'rows '}{', '.join(words)}")


def _as_object(settling: Settling, before: int, after: int) -> dict[str, object]:
    return {
        "campaign": settling.campaign,
        "applied": settling.applies,
        "unknown_before": before,
        "unknown_after": after,
        "read": settling.settled.read,
        **attrs.asdict(settling.settled),
    }

"""
Commands that tell what became of whom.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.campaign.following import chain_of
from voicepush.campaign.overview import by_message
from voicepush.cli.dispatching import tell_status
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, NOT_EVERYONE
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    existing,
    inputs,
    outcome_called,
    seconds,
    state_called,
)
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.reaching import reach_object, tell_reach
from voicepush.cli.terminal import (
    follow,
    say,
    tell,
    tell_json,
)
from voicepush.errors import (
    InputError,
)
from voicepush.ledger.protocol import Ledger
from voicepush.masking import shown
from voicepush.model.fields import check_text
from voicepush.model.outcome import Outcome
from voicepush.model.recipients import Kind
from voicepush.report.export import Wanted, csv_head, csv_rows, json_rows
from voicepush.report.json import (
    as_object,
    history_as_object,
    lookup_as_object,
    messages_as_object,
    time_text,
)
from voicepush.report.text import (
    as_line,
    history_as_text,
    lookup_as_text,
    messages_as_text,
    receipts_as_text,
)
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason


async def status(
    campaign: str | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    history: Annotated[bool, Parameter(negative="")] = False,
    heard_after: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Show where CAMPAIGN stands, or where all do.

    Parameters
    ----------
    campaign
        The campaign's name.
    watch
        Show the progress until the process that dispatches it has ended.
    history
        Show who did what with it when, and how it went minute by minute.
    heard_after
        Count the calls that were picked up and lasted as long from then on, such as
        10s; in whole seconds.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object, or a list of them.
    """
    options = {"--watch": watch, "--history": history, "--heard-after": heard_after}
    for option, is_given in options.items():
        if is_given and campaign is None:
            raise InputError(f"{option} needs the name of a campaign")
    if history and heard_after:
        raise InputError("choose either --history or --heard-after")
    least = 0 if heard_after is None else _whole_seconds(heard_after)
    async with existing(ledger) as opened:
        if watch and campaign is not None:
            await follow(await Campaign.open(opened, campaign))
        if campaign is not None and history:
            return await _tell_history(opened, campaign, json=json)
        if campaign is not None:
            return await _tell_one(opened, campaign, least, json=json)
        all_of_them = await opened.campaigns()
        if json:
            tell_json([as_object(each) for each in all_of_them])
            return EVERYONE_ACCEPTED
        tell("\n".join(map(as_line, all_of_them)) or "no campaign yet")
        receipts = await opened.receipt_counts()
        if receipts.received or receipts.refused:
            tell(receipts_as_text(receipts))
    return EVERYONE_ACCEPTED


def _whole_seconds(text: str) -> int:
    found = seconds("--heard-after", text)
    if found != int(found):
        raise InputError(f"--heard-after {text}: whole seconds are counted")
    return int(found)


async def _tell_one(ledger: Ledger, campaign: str, least: int, *, json: bool) -> int:
    """
    Where *campaign* stands, and how many were heard for at least so many seconds.
    """
    found = await (await Campaign.open(ledger, campaign)).status()
    heard = await ledger.heard_for(campaign, least) if least else None
    messages = await by_message(ledger, campaign)
    if json:
        told = {**as_object(found), **await reach_object(ledger, found)}
        if messages:
            told["messages"] = messages_as_object(messages)
        if heard is not None:
            told |= {"heard_after": least, "heard": heard}
        tell_json(told)
        return EVERYONE_ACCEPTED
    tell_status(found, json=False)
    if messages:
        tell(messages_as_text(messages))
    await tell_reach(ledger, found)
    if found.follows:
        chain = await chain_of(ledger, campaign)
        tell(shown(f"  round {len(chain)}: {' > '.join(chain)}"))
    if heard is not None:
        tell(f"  heard for {least} s or longer{heard:>14,}")
    return EVERYONE_ACCEPTED


async def _tell_history(ledger: Ledger, campaign: str, *, json: bool) -> int:
    done = await ledger.history(campaign)
    minutes = await ledger.minutes(campaign)
    if json:
        tell_json(history_as_object(done, minutes))
    else:
        tell(history_as_text(done, minutes))
    return EVERYONE_ACCEPTED


async def lookup(
    number: str,
    /,
    *,
    country: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Tell whether NUMBER was called, when, by which request, and what came of it.

    The exit status is 1 if no campaign has it.

    Parameters
    ----------
    number
        An msisdn as anyone writes it, or a customer id.
    country
        Whose national number it is: a region such as IN, or a code such as +44.
    ledger
        Where campaigns are kept.
    json
        Print a list of JSON objects.
    """
    number = number.strip()
    check_text(number, "what is looked up")
    # No one is rung here, so digits alone may be looked for as they stand.
    normal = normalise(number, country=country, international=country is None)
    value = number if isinstance(normal, Reason) else normal
    async with existing(ledger) as opened:
        found = await opened.lookup(value)
        if not found and value != number:
            # An id may have nothing but digits, too.
            found = await opened.lookup(number)
        listed = [
            entry
            for kind in Kind
            for entry in (await opened.suppressed(kind, [value])).values()
        ]
    for entry in listed:
        say(f"{value} is {entry.words}, since {time_text(entry.since)}")
    if json:
        tell_json([lookup_as_object(each) for each in found])
    elif found:
        tell("\n".join(map(lookup_as_text, found)))
    else:
        say(f"no campaign in {ledger} has {value}")
        if not isinstance(normal, Reason) and country is None and normal[1:] == number:
            say("if that is a national number, say whose with --country")
    return EVERYONE_ACCEPTED if found else NOT_EVERYONE


async def export(
    campaign: str,
    /,
    *,
    outcome: Annotated[list[str] | None, Parameter(negative="")] = None,
    calls: Annotated[list[str] | None, Parameter(negative="")] = None,
    format: Literal["csv", "jsonl"] = "csv",  # noqa: A002 -- the option's name
    with_: Annotated[list[str] | None, Parameter(name="--with", negative="")] = None,
    output: Path | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Write everyone in CAMPAIGN, or some by outcome or call state, with whole numbers.

    Parameters
    ----------
    campaign
        The campaign's name.
    outcome
        accepted, rejected, expired, not_sent, unknown or pending; may be given several
        times.
    calls
        What became of the calls of the accepted: reached, agent, not_reached, dropped,
        expired or on_its_way; may be given several times.
    format
        CSV with a header, or one JSON object per line.
    with_
        A column of the list that send kept by --keep; may be given several times.
        One that is called as a column of every export is written as kept_outcome.
    output
        The file to write; without it, standard output.
    ledger
        Where campaigns are kept.
    """
    outcomes = [outcome_called(each) for each in outcome or []]
    states = [state_called(each) for each in calls or []]
    if states and not outcomes:
        outcomes = [Outcome.ACCEPTED]
    columns = list(dict.fromkeys(with_ or []))
    wanted = Wanted(
        outcomes=frozenset(outcomes or Outcome), states=states, kept=columns
    )
    check_output(output, "--output", inputs(ledger))
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        check_output(output, "--output", [("this campaign's list", Path(found.source))])
        has_calls = (await found.status()).calls is not None
        with writing(output) as file:
            rows = csv_rows if format == "csv" else json_rows
            head = csv_head(columns) if format == "csv" else ""
            async for result in found.batches(*outcomes):
                _check_kept(columns, result.batch.recipients.kept)
                known = await opened.calls(result.batch.id) if has_calls else None
                file.write(head + rows(result, wanted, known))
                head = ""
            file.write(head)
    return EVERYONE_ACCEPTED


def _check_kept(columns: Iterable[str], kept: Iterable[str]) -> None:
    for column in columns:
        if column not in kept:
            known = ", ".join(kept) or "none"
            raise InputError(
                f"--with {column}: no such column was kept by --keep; kept are {known}"
            )

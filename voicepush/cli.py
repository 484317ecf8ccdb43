"""
Arguments -> calls: the operator's face.
"""

from __future__ import annotations

import asyncio
import csv
import gc
import hashlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import attrs
from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

import voicepush
from voicepush import report
from voicepush.campaign import READING, Campaign
from voicepush.client import Client
from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
    LedgerError,
    SourceError,
    VoicepushError,
)
from voicepush.ledger import Ledger, open_ledger
from voicepush.model import (
    Outcome,
    Priority,
    Standing,
    State,
    Summary,
    VoiceMessage,
    check_text,
    mask_numbers,
    shown,
)
from voicepush.outputs import check_output, guarded, ledger_files, writing
from voicepush.pacing import most_at
from voicepush.recipients import ListFile, read_file
from voicepush.rehearsal import column_said, rehearse
from voicepush.screening import Reason, Refusal, Screening, Suppressed, normalise
from voicepush.settings import KEY_FILE_VARIABLE, Settings, from_environment
from voicepush.terminal import (
    accept_any_text,
    complain,
    confirm,
    follow,
    interruptible,
    say,
    showing,
    signals,
    tell,
    tell_json,
)
from voicepush.terminal import (
    status as show_status,
)
from voicepush.times import check_future, parse_duration, parse_expiry, told_expiry

_T = TypeVar("_T")

EVERYONE_ACCEPTED = 0
NOT_EVERYONE = 1
WRONG_USAGE = 2
SERVICE_REFUSES = 3
HELD_BY_ANOTHER = 4
LEDGER_FAILED = 5
INTERRUPTED = 130
#: As of a program that SIGPIPE ended: the reader of its results has gone.
READER_GONE = 141

#: So many objects that may hold others, more than there were, make the collector look.
_GARBAGE_THRESHOLD = 50_000

#: So many reasons are told for which rows were refused.
_MOST_REASONS = 5

app = App(
    name="voicepush",
    help="Ring people in bulk and play them a message: no one twice, no one lost.",
    help_epilogue=(
        "Exit status: 0 everyone was accepted; 1 finished or paused, but not everyone "
        "was; 2 wrong usage or input; 3 the service refuses everything; 4 another "
        "process holds the campaign; 5 the ledger failed; 130 interrupted; 141 the "
        "reader of the output has gone."
    ),
    version=voicepush.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)


@Parameter(name="*", group="Message")
@attrs.frozen(kw_only=True)
class _Message:
    media: str | None = None
    """The prompt id of the audio to play."""
    callflow: str | None = None
    """The id of the call flow to run, instead of --media."""
    cli: str | None = None
    """The caller line identity to show."""
    expiry: str | None = None
    """When to give up: 90m, '2 hours', 18:00, or a time with its offset."""
    priority: str | None = None
    """How urgent it is: low, medium or high, or 1, 2, 3."""
    notify_url: str | None = None
    """Where the platform reports what became of each call."""
    callback_data: str | None = None
    """A text that comes back with each report."""

    def build(self) -> VoiceMessage:
        return VoiceMessage(
            media=self.media,
            callflow=self.callflow,
            cli=self.cli,
            expiry=None if self.expiry is None else parse_expiry(self.expiry),
            priority=None if self.priority is None else _priority(self.priority),
            notify_url=self.notify_url,
            callback_data=self.callback_data,
        )


def _priority(text: str) -> Priority:
    word = text.strip().upper()
    try:
        return Priority.__members__.get(word) or Priority(word)
    except ValueError:
        raise InputError(
            f"--priority {text!r} is none of low, medium, high (or 1, 2, 3)"
        ) from None


@Parameter(name="*", group="Service")
@attrs.frozen(kw_only=True)
class _Service:
    base_url: Annotated[str | None, Parameter(env_var="VOICEPUSH_BASE_URL")] = None
    """The tenant's address, such as https://api.imiconnect.io."""
    key_file: Annotated[
        Path | None, Parameter(env_var="VOICEPUSH_SERVICE_KEY_FILE")
    ] = None
    """A file that holds the service key; VOICEPUSH_SERVICE_KEY does as well."""
    concurrency: int = 32
    """How many requests are under way at once."""
    rate: float | None = None
    """Destinations per second; without it, as fast as the service takes them."""
    batch_size: int = 1000
    """The most recipients of one request."""

    def build(self) -> Settings:
        return from_environment(
            base_url=self.base_url,
            key_file=self.key_file,
            concurrency=self.concurrency,
            rate=self.rate,
            batch_size=self.batch_size,
        )

    def rehearsed(self) -> Settings:
        """
        The same where nothing is sent, so that key and address are not needed yet.
        """
        return Settings(
            service_key="none",
            base_url=self.base_url or "https://none.invalid",
            concurrency=self.concurrency,
            rate=self.rate,
            batch_size=self.batch_size,
        )


_Json = Annotated[bool, Parameter(negative="", group="Output")]
_Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]
_LedgerPath = Annotated[
    Path, Parameter(env_var="VOICEPUSH_LEDGER", group="Ledger", name="--ledger")
]
_DEFAULT_LEDGER = Path("voicepush.db")

# What `send` and `resume` have in common.
_OnUnknown = Annotated[Literal["keep", "resend"] | None, Parameter(group="Ledger")]
_Patience = Annotated[str | None, Parameter(group="Service")]
_Drain = Annotated[str | None, Parameter(group="Service")]
_LogWasMerged = Annotated[bool, Parameter(group="Ledger", negative="")]


@app.command
async def send(  # noqa: PLR0913 -- each is an option
    # A lone hyphen is standard input, and no option.
    file: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    message: _Message | None = None,
    service: _Service | None = None,
    column: str | None = None,
    encoding: str | None = None,
    country: str | None = None,
    validity: Annotated[bool, Parameter(negative="")] = False,
    international: Annotated[bool, Parameter(negative="")] = False,
    suppress: Annotated[list[Path] | None, Parameter(negative="")] = None,
    suppress_column: str | None = None,
    allow_unusable: Annotated[bool, Parameter(negative="")] = False,
    rejects: Path | None = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    campaign: Annotated[str | None, Parameter(group="Ledger")] = None,
    retry_internal_error: Annotated[bool | None, Parameter(group="Ledger")] = None,
    on_unknown: _OnUnknown = None,
    patience: _Patience = None,
    drain: _Drain = None,
    log_was_merged: _LogWasMerged = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: _Json = False,
) -> int:
    """
    Plan FILE, if it is not planned yet, and send; again, it goes on where it stopped.

    Parameters
    ----------
    file
        A CSV, a plain list or JSON lines; - reads standard input.
    column
        The column of numbers, by its header or its place; guessed where it is plain.
    encoding
        The file's encoding, where it is not UTF-8.
    country
        Whose national numbers are completed: a region such as IN, or +44 or the like.
    validity
        Refuse what is no valid number in its country's numbering plan, too.
    international
        All numbers begin with their calling code, also those without a plus.
    suppress
        A file of numbers that must not be called; may be given several times.
    suppress_column
        The column of numbers in those files, as --column.
    allow_unusable
        Go on where entries of those files are no numbers, and so suppress no one.
    rejects
        Write each row that is refused, with its reason, into this CSV file.
    ledger
        Where campaigns are kept.
    campaign
        The campaign's name; by default FILE's, without its endings.
    retry_internal_error
        Try code 7006 again; turn it off if the service dials and then says 7006.
    on_unknown
        Whether people who may have been called are called again, perhaps twice.
    patience
        How long a service that can't be reached, or asks to wait, is waited for where
        there is no expiry, such as 15m.
    drain
        How long to wait, at the end, for answers and for a ledger that is locked; by
        default 30 s more than an answer may take.
    log_was_merged
        The ledger's missing log was merged into it by another program.
    dry_run
        Plan and send nothing: print the counts, a forecast and the first request.
    json
        Print one JSON object when it ends.
    """
    chosen = service or _Service()
    check_output(
        rejects,
        "--rejects",
        _inputs(ledger, chosen.key_file, file, *(suppress or [])),
    )
    message_ = (message or _Message()).build()
    chosen_settings = chosen.rehearsed() if dry_run else chosen.build()
    settings = _patient(chosen_settings, patience)
    longest = None if drain is None else _seconds("--drain", drain)
    name = campaign or _name_of(file)
    source = _named(file)
    blocks = read_file(file, column=column, encoding=encoding)
    screening = Screening(
        country=country,
        international=international,
        validity=validity,
        suppressed=_suppressed(
            suppress or [],
            country=country,
            international=international,
            column=suppress_column,
            allow_unusable=allow_unusable,
        ),
    )
    size = most_at(settings.rate, settings.batch_size)
    if dry_run:
        _check_expiry(message_)
        with _refusals(rejects) as refused, interruptible():
            rehearsal = rehearse(
                name,
                message_,
                blocks,
                file=source,
                screening=screening,
                refused=refused,
                batch_size=size,
                rate=settings.rate,
            )
        _tell_refusals(screening)
        tell_json(rehearsal.as_object()) if json else tell(rehearsal.as_text())
        if ledger.exists():
            async with await _existing(ledger) as opened:
                if await opened.plan(name) is not None:
                    say(
                        f"but {name} is planned in {ledger} already: send goes on there"
                    )
        if rehearsal.planned:
            return EVERYONE_ACCEPTED
        raise InputError(f"{source}: there is nobody to call in it")
    given = {
        "expiry": message and message.expiry,
        "column": column,
        "encoding": encoding,
        "country": country,
        "international": "yes" if international else None,
        "validity": "yes" if validity else None,
        "batch-size": _typed_batch_size(service),
        "suppress": ", ".join(map(_with_digest, suppress or [])),
        "suppress-column": suppress_column,
    }
    ledger_is_new = not ledger.exists()
    async with await open_ledger(ledger, log_was_merged=log_was_merged) as opened:
        # Going on reads no file, and keeps the rejects of the planning.
        is_new = await opened.plan(name) is None
        if is_new:
            _check_expiry(message_)
        with (
            _refusals(rejects if is_new else None) as refused,
            show_status("planning"),
        ):
            planned = await _until_interrupted(
                Campaign.plan(
                    opened,
                    name,
                    message_,
                    blocks,
                    source=source,
                    screening=screening,
                    refused=refused,
                    batch_size=size,
                    rate=settings.rate,
                    retry_internal_error=retry_internal_error,
                    resend_unknown=on_unknown and on_unknown == "resend",
                    given={option: typed for option, typed in given.items() if typed},
                    tell=say,
                )
            )
        if planned is None:
            return INTERRUPTED
        if ledger_is_new:
            say(f"a new ledger was made: {ledger.resolve()}")
        if rejects is not None and not is_new:
            say(
                "--rejects is left alone: rows are refused when planning, which is done"
            )
        _tell_refusals(screening)
        _tell_plan(await planned.standing(), blocks if is_new else None)
        return await _dispatch(planned, settings, drain=longest, json=json)


@app.command
async def resume(  # noqa: PLR0913 -- each is an option
    campaign: str,
    /,
    *,
    service: _Service | None = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    retry_internal_error: Annotated[bool | None, Parameter(group="Ledger")] = None,
    on_unknown: _OnUnknown = None,
    patience: _Patience = None,
    drain: _Drain = None,
    log_was_merged: _LogWasMerged = False,
    json: _Json = False,
) -> int:
    """
    Send to everyone in CAMPAIGN who is pending or was not sent.

    Parameters
    ----------
    campaign
        The campaign's name.
    ledger
        Where campaigns are kept.
    retry_internal_error
        Try code 7006 again, or not, from now on; as it was decided before by default.
    on_unknown
        Whether people who may have been called are called again, from now on.
    patience
        How long a service that can't be reached, or asks to wait, is waited for where
        there is no expiry, such as 15m.
    drain
        How long to wait, at the end, for answers and for a ledger that is locked; by
        default 30 s more than an answer may take.
    log_was_merged
        The ledger's missing log was merged into it by another program.
    json
        Print one JSON object when it ends.
    """
    settings = _patient((service or _Service()).build(), patience)
    longest = None if drain is None else _seconds("--drain", drain)
    async with await _existing(ledger, log_was_merged=log_was_merged) as opened:
        found = await Campaign.open(opened, campaign)
        await found.change(
            rate=settings.rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=on_unknown and on_unknown == "resend",
        )
        return await _dispatch(found, settings, drain=longest, json=json)


@app.command
async def status(
    campaign: str | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    json: _Json = False,
) -> int:
    """
    Show where CAMPAIGN stands, or where all do.

    Parameters
    ----------
    campaign
        The campaign's name.
    watch
        Show the progress until the process that dispatches it has ended.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object, or a list of them.
    """
    if watch and campaign is None:
        raise InputError("--watch needs the name of a campaign")
    async with await _existing(ledger) as opened:
        if watch and campaign is not None:
            await follow(await Campaign.open(opened, campaign))
        if campaign is not None:
            _tell_standing(
                await (await Campaign.open(opened, campaign)).standing(), json=json
            )
            return EVERYONE_ACCEPTED
        found = await opened.campaigns()
        if json:
            tell_json([report.as_object(each) for each in found])
        else:
            tell("\n".join(map(report.as_line, found)) or "no campaign yet")
    return EVERYONE_ACCEPTED


@app.command
async def pause(campaign: str, /, *, ledger: _LedgerPath = _DEFAULT_LEDGER) -> int:
    """
    Let the process that dispatches CAMPAIGN settle what is under way, and end.

    Parameters
    ----------
    campaign
        The campaign's name.
    ledger
        Where campaigns are kept.
    """
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await found.pause()
        await follow(found)
        tell(report.as_line(await found.standing()))
    return EVERYONE_ACCEPTED


@app.command
async def cancel(
    campaign: str,
    /,
    *,
    yes: _Yes = False,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
) -> int:
    """
    End CAMPAIGN for good: whoever is pending is not sent, and nothing resumes it.

    Parameters
    ----------
    campaign
        The campaign's name.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    """
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        standing = await found.standing()
        confirm(f"cancel {campaign}, with {standing.pending:,} pending", yes=yes)
        async with showing(found):
            await found.cancel()
        tell(report.as_line(await found.standing()))
    return EVERYONE_ACCEPTED


@app.command
async def rate(
    campaign: str, per_second: float, /, *, ledger: _LedgerPath = _DEFAULT_LEDGER
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
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        await found.set_rate(per_second)
        tell(report.as_line(await found.standing()))
    return EVERYONE_ACCEPTED


@app.command
async def lookup(
    number: str,
    /,
    *,
    country: str | None = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    json: _Json = False,
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
    check_text(number, "what is looked up")
    # No one is rung here, so digits alone may be looked for as they stand.
    normal = normalise(number, country=country, international=country is None)
    value = number if isinstance(normal, Reason) else normal
    async with await _existing(ledger) as opened:
        found = await opened.find(value)
    if json:
        tell_json([report.found_as_object(each) for each in found])
    elif found:
        tell("\n".join(map(report.found_as_text, found)))
    else:
        say(f"no campaign in {ledger} has {value}")
        if not isinstance(normal, Reason) and country is None and normal[1:] == number:
            say("if that is a national number, say whose with --country")
    return EVERYONE_ACCEPTED if found else NOT_EVERYONE


@app.command
async def export(
    campaign: str,
    /,
    *,
    outcome: Annotated[list[str] | None, Parameter(negative="")] = None,
    format: Literal["csv", "jsonl"] = "csv",  # noqa: A002 -- the option's name
    output: Path | None = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
) -> int:
    """
    Write everyone in CAMPAIGN, or everyone with an outcome, with whole numbers.

    Parameters
    ----------
    campaign
        The campaign's name.
    outcome
        accepted, rejected, expired, not_sent, unknown or pending; may be given several
        times.
    format
        CSV with a header, or one JSON object per line.
    output
        The file to write; without it, standard output.
    ledger
        Where campaigns are kept.
    """
    wanted = [_outcome(each) for each in outcome or []]
    check_output(output, "--output", _inputs(ledger))
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        check_output(output, "--output", [("this campaign's list", Path(found.source))])
        with writing(output) as file:
            rows = csv.writer(file, lineterminator="\n")
            if format == "csv":
                rows.writerow(report.EXPORTED)
            async for place, as_came, result in found.rows(*wanted):
                cells = *result, place, as_came
                if format == "csv":
                    rows.writerow(map(guarded, cells))
                else:
                    row = dict(zip(report.EXPORTED, cells, strict=True))
                    file.write(f"{report.dump(row)}\n")
    return EVERYONE_ACCEPTED


@app.command
async def settle(
    campaign: str,
    /,
    *,
    resend: Annotated[bool, Parameter(negative="")] = False,
    give_up: Annotated[bool, Parameter(negative="")] = False,
    yes: _Yes = False,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
) -> int:
    """
    Show whose fate in CAMPAIGN is unknown and why, and decide what to do with them.

    Parameters
    ----------
    campaign
        The campaign's name.
    resend
        Make them pending, at the risk of a second call; resume then sends to them.
    give_up
        Leave them as they are for good, and do not show them here again.
    yes
        Do not ask.
    ledger
        Where campaigns are kept.
    """
    if resend and give_up:
        raise InputError("choose either --resend or --give-up")
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        doubts = await found.doubts()
        unknown = sum(doubt.unknown for doubt in doubts)
        tell(f"{shown(campaign)}: {unknown:,} unknown in {len(doubts):,} requests")
        if doubts:
            tell(report.doubts_as_text(doubts))
        if not doubts or not (resend or give_up):
            return EVERYONE_ACCEPTED
        deed = "call them again, perhaps a second time" if resend else "give them up"
        confirm(f"{campaign}: {deed}, {unknown:,} recipients", yes=yes)
        resolved = await found.resolve(resend=resend)
        tell(f"{resolved:,} {'are pending again' if resend else 'given up'}")
    return EVERYONE_ACCEPTED


@app.command
async def simulate(
    *,
    port: int = 8080,
    service_key: str = "demo",
    answer: str = "one",
    fault: Annotated[list[str] | None, Parameter(negative="")] = None,
    latency: float = 0.0,
    tps: int | None = None,
    seed: int = 0,
) -> int:
    """
    Serve a stand-in for the API on this machine, with faults on demand.

    Parameters
    ----------
    port
        Where to listen on 127.0.0.1; 0 takes any that is free.
    service_key
        The key that it wants; made up, since it guards nothing.
    answer
        The shape of its answers: one, each, list, object or numeric.
    fault
        What goes wrong and how often, such as 7006@20%, drop@1/5, 429:2@1/10,
        hang, garbage, mix:7102=5%; may be given several times.
    latency
        Seconds before each answer.
    tps
        Its own limit of destinations per second.
    seed
        For chance that repeats itself.
    """
    # Only here is a server needed.
    from voicepush.simulator import SHAPES, Simulator  # noqa: PLC0415

    if not 0 <= port <= _HIGHEST_PORT:
        raise InputError(f"--port must be from 0 to {_HIGHEST_PORT}, not {port}")
    if answer not in SHAPES:
        raise InputError(f"--answer {answer!r} is none of {', '.join(SHAPES)}")
    try:
        simulator = Simulator(
            port=port,
            service_key=service_key,
            answer=answer,
            faults=fault or [],
            latency=latency,
            tps=tps,
            seed=seed,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    stopped = asyncio.Event()
    with signals(stopped.set):
        try:
            await simulator.start()
        except OSError as error:
            raise InputError(
                f"--port {port} can't be used: {error.strerror}; 0 takes any free one"
            ) from error
        try:
            say(f"the stand-in listens; the service key is {service_key!r}")
            tell(simulator.url)
            await stopped.wait()
        finally:
            await simulator.stop()
    tell_json(simulator.summary())
    return EVERYONE_ACCEPTED


@app.command
async def demo(
    *,
    recipients: int = 100_000,
    rate: float = 12_000,
    keep: Path | None = None,
    json: _Json = False,
) -> int:
    """
    Run a whole campaign with faults against a stand-in on this machine.

    Parameters
    ----------
    recipients
        How many made-up numbers to call.
    rate
        Destinations per second.
    keep
        A folder to keep its files in; without it they are removed.
    json
        Print one JSON object when it ends.
    """
    from voicepush.simulator import Simulator  # noqa: PLC0415 -- only here is it needed

    if recipients < 1:
        raise InputError(f"--recipients must be at least 1, not {recipients}")
    with _folder(keep) as folder:
        file = folder / "recipients.csv"
        _write_made_up_numbers(file, recipients)
        say(f"wrote {recipients:,} made-up numbers to {file}")
        async with Simulator(
            service_key="demo", faults=_DEMO_FAULTS, latency=0.05, tps=_DEMO_TPS
        ) as simulator:
            say(
                f"started a stand-in for the API at {simulator.url}, which fails "
                f"on purpose ({', '.join(_DEMO_FAULTS)}) and takes "
                f"{_DEMO_TPS:,} destinations per second"
            )
            settings = Settings(
                service_key="demo", base_url=simulator.url, rate=rate, concurrency=16
            )
            patience = timedelta(minutes=10, seconds=3 * recipients / _DEMO_TPS)
            message = VoiceMessage(media="welcome", expiry=patience)
            async with await open_ledger(folder / "voicepush.db") as ledger:
                campaign = await Campaign.plan(
                    ledger,
                    "demo",
                    message,
                    read_file(file),
                    source=str(file),
                    batch_size=250,
                )
                code = await _dispatch(campaign, settings, json=json)
                standing = await campaign.standing()
    return _compare(standing, simulator.summary()) or code


#: Errors of the service's own, lost answers, numbers that it does not allow.
_DEMO_FAULTS = ["7006@5%", "drop@1/50", "mix:7102=2%@1/10"]

#: Less than the demo asks for, so that the pace is seen to fall and come back.
_DEMO_TPS = 10_000

_HIGHEST_PORT = 65_535


def _compare(standing: Standing, counted: dict[str, int]) -> int:
    """
    Hold what the ledger says against what the stand-in counted itself.
    """
    rung, twice = counted["rung"], counted["rung_twice"]
    say(
        f"the stand-in counted {rung:,} calls in {counted['requests']:,} requests, "
        f"{twice or 'no'} number was rung twice"
    )
    if twice or not standing.accepted <= rung <= standing.accepted + standing.unknown:
        say("the counts do not agree; please report this")
        return NOT_EVERYONE
    say(
        f"that is the {standing.accepted:,} accepted and {rung - standing.accepted:,} "
        f"of the {standing.unknown:,} unknown, whose answers were lost on purpose"
    )
    return 0


def _write_made_up_numbers(file: Path, number: int) -> None:
    # +999 is no country's code.
    with file.open("w", encoding="utf-8") as lines:
        lines.write("name,msisdn\n")
        lines.writelines(f"person {i},+999{i:09d}\n" for i in range(number))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"--keep {keep} can't be made: {error.strerror}"
            ) from error
        if (keep / "voicepush.db").exists():
            raise InputError(f"--keep {keep} holds a ledger already; name another")
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="voicepush-") as name:
            yield Path(name)


def _suppressed(files: list[Path], **how: Any) -> Suppressed | None:
    if not files:
        return None
    found = Suppressed.read(*files, **how)
    say(f"{len(found):,} are suppressed by {', '.join(map(_named, files))}")
    if found.unusable_count:
        say(
            f"{found.unusable_count:,} entries of the suppression list can't be "
            "understood and suppress no one"
        )
    return found


def _seconds(option: str, text: str) -> float:
    found = parse_duration(text)
    if not found:
        raise InputError(f"{option} {text} is no duration; write it like 90s or 15m")
    return found.total_seconds()


def _patient(settings: Settings, patience: str | None) -> Settings:
    if patience is None:
        return settings
    return attrs.evolve(settings, patience=_seconds("--patience", patience))


def _typed_batch_size(service: _Service | None) -> str | None:
    size = None if service is None else service.batch_size
    return None if size in (None, _Service().batch_size) else str(size)


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def _with_digest(path: Path) -> str:
    """
    *path* with what tells its contents from others.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    # In letters, since digits could be taken for a number that has to be masked.
    letters = digest[:12].translate(_LETTERS)
    return f"{_named(path)} (contents {letters})"


async def _until_interrupted(work: Coroutine[Any, Any, _T]) -> _T | None:
    """
    The value of *work*, or None if a signal has ended it.
    """
    doing = asyncio.ensure_future(work)
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        say("stopping: nothing new is planned")
        doing.cancel()

    with signals(stop):
        try:
            return await doing
        except asyncio.CancelledError:
            if not interrupted:
                doing.cancel()
                raise
            return None


def _inputs(
    ledger: Path, key_file: Path | None = None, *lists: Path
) -> Iterator[tuple[str, Path]]:
    """
    What no output may name, each in words and as a path.
    """
    key = key_file or os.environ.get(KEY_FILE_VARIABLE)
    if key:
        yield "the file of the service key", Path(key)
    for path in ledger_files(ledger):
        yield "of the ledger", path
    for path in lists:
        yield "a list that is read", path


def _check_expiry(message: VoiceMessage) -> None:
    if isinstance(message.expiry, datetime):
        check_future(message.expiry, "--expiry")


def _existing(
    path: Path, *, log_was_merged: bool = False
) -> Coroutine[Any, Any, Ledger]:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"there is no ledger at {path}; name it with --ledger"
        ) from None
    except OSError as error:
        raise InputError(
            f"the ledger at {path} can't be opened: {error.strerror}; name another "
            "with --ledger"
        ) from error
    return open_ledger(path, log_was_merged=log_was_merged)


def _name_of(file: Path) -> str:
    """
    The campaign's name where none is given; the same list compressed has the same.
    """
    if str(file) == "-":
        return "standard-input"
    is_compressed = file.suffix.lower() == ".gz"
    return (file.with_suffix("") if is_compressed else file).stem


def _named(file: Path) -> str:
    if str(file) == "-":
        return "standard input"
    # A name that is no UTF-8 is shown with escapes.
    return os.path.realpath(file).encode("utf-8", "backslashreplace").decode()


def _outcome(name: str) -> Outcome:
    try:
        return Outcome(name.replace("-", "_"))
    except ValueError:
        known = ", ".join(Outcome)
        raise InputError(f"--outcome {name!r} is none of {known}") from None


@contextmanager
def _refusals(path: Path | None) -> Iterator[Callable[[list[Refusal]], None] | None]:
    """
    Writes refused rows into *path*, if there is one.

    A list in which nobody is left to be called is an error that they explain, so they
    are kept then, too.
    """
    if path is None:
        yield None
        return
    nobody_left: InputError | None = None
    told = 0
    with writing(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["row", "recipient", "kind", "reason"])

        def write(refusals: list[Refusal]) -> None:
            nonlocal told
            told += len(refusals)
            rows.writerows(
                (each.row, guarded(each.recipient), each.kind, each.reason)
                for each in refusals
            )

        try:
            yield write
        except InputError as error:
            if isinstance(error, SourceError) or not told:
                raise
            nobody_left = error
    if nobody_left is not None:
        raise nobody_left


def _tell_refusals(screening: Screening) -> None:
    """
    Say why rows were refused, the most frequent reasons first.
    """
    for reason, number in screening.reasons.most_common(_MOST_REASONS):
        say(f"  {number:>10,}  {reason}")


def _tell_plan(standing: Standing, source: ListFile | None) -> None:
    """
    Say what is planned, and from which column where *blocks* were read just now.
    """
    left_out = [
        f"{number:,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
        if (number := getattr(standing, name))
    ]
    column = column_said(source.column, source.titles) if source else ""
    say(
        f"{standing.campaign}: {standing.planned:,} of {standing.read:,} planned"
        + (f", from {column}" if column else "")
        + (f"; {', '.join(left_out)}" if left_out else "")
    )
    if standing.expiry is not None:
        say(told_expiry(standing.expiry))


def _tell_standing(standing: Standing, *, json: bool) -> None:
    if json:
        tell_json(report.as_object(standing))
    else:
        tell(report.as_text(standing))


async def _dispatch(  # noqa: C901 -- one exit status after the other
    campaign: Campaign,
    settings: Settings,
    *,
    drain: float | None = None,
    json: bool,
) -> int:
    """
    Dispatch with a show, and say in the end what came of it.
    """
    interrupted = False
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- runs in one

    def stop() -> None:
        nonlocal interrupted
        if interrupted:
            task.cancel()
            return
        interrupted = True
        campaign.stop("interrupted")
        say("stopping: what is under way is settled first; again to leave now")

    summary: Summary | None = None
    failed: int | None = None
    try:
        with signals(stop):
            async with Client(settings) as client, showing(campaign):
                summary = await campaign.dispatch(client, drain=drain, tell=say)
    except asyncio.CancelledError:
        if not interrupted:
            raise
    except LedgerError as error:
        if not error.while_sending:
            raise
        is_lost = isinstance(error, CampaignLostError)
        failed = HELD_BY_ANOTHER if is_lost else LEDGER_FAILED
        complain(error)
    standing = await campaign.standing()
    _tell_standing(standing, json=json)
    if summary is not None:
        _tell_reasons(summary, standing)
    if failed is not None:
        return failed
    if interrupted:
        return INTERRUPTED
    if summary is not None and summary.refused:
        return SERVICE_REFUSES
    everyone = standing.accepted == standing.planned
    return EVERYONE_ACCEPTED if everyone else NOT_EVERYONE


def _tell_reasons(summary: Summary, standing: Standing) -> None:
    if summary.reasons:
        for line in report.reasons(summary).split("\n"):
            say(line)
    if summary.stopped and standing.state is State.PAUSED:
        say(
            f"stopped: {mask_numbers(summary.stopped)}. Go on with voicepush resume "
            f"{standing.campaign}",
        )
        if summary.stopped.startswith(_WRONG_KEY):
            say("check the key: VOICEPUSH_SERVICE_KEY, or the file of --key-file")
        if _NOT_FOUND in summary.stopped:
            say(
                "nothing is served at that path: is the address right? Give --base-url "
                "(or VOICEPUSH_BASE_URL) without a path, such as "
                "https://api.imiconnect.io"
            )


#: How the reason begins where the service does not know the key, or misses it.
_WRONG_KEY = ("7001", "7002", "HTTP 401", "HTTP 403")

#: What the reason says where the service has no such path.
_NOT_FOUND = "HTTP 404"


app.register_install_completion_command(
    help="Install completion for this shell, so that the tab key ends commands."
)


@app.meta.default
def _launch(
    *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), negative="")] = False,
    ledger: Path | None = None,
) -> object:
    """
    Ring people in bulk and play them a message: no one twice, no one lost.

    Parameters
    ----------
    verbose
        Say more, and show where an error came from.
    ledger
        Where campaigns are kept; it may also stand behind the command.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        logging.getLogger("voicepush").setLevel(logging.DEBUG)
    if ledger is not None and arguments:
        # For the command, which is named first.
        arguments = (arguments[0], "--ledger", str(ledger), *arguments[1:])
    return app(arguments)


def _clear(error: Exception) -> Exception:
    """
    *error*, in clearer words where it is another's.
    """
    if isinstance(error, UnusedCliTokensError):
        left = " ".join(error.unused_tokens or [])
        return InputError(f"too many arguments: {left}; see voicepush --help")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return InputError(f"{where}{error.strerror or error}")
    return error


def run(arguments: list[str] | None = None) -> int:
    """
    The exit status of the command that *arguments* name.
    """
    try:
        code = app.meta(arguments)
    except CampaignHeldError as error:
        complain(error)
        return HELD_BY_ANOTHER
    except LedgerError as error:
        complain(error)
        return LEDGER_FAILED
    except (CycloptsError, VoicepushError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        complain(_clear(error))
        return WRONG_USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return code if isinstance(code, int) else EVERYONE_ACCEPTED


def main() -> NoReturn:
    """
    Run the command line, and end the process with its exit status.
    """
    # What is imported stays, and columns of texts hold no cycles; looking through them
    # for garbage takes time and stalls the event loop.
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    accept_any_text()
    code = run()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # It was told already; what is left in the buffer must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if any(thread.name == READING for thread in threading.enumerate()):
        # It waits for a silent pipe, and the interpreter would wait for its lock.
        os._exit(code)
    sys.exit(code)

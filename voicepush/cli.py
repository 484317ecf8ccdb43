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
import re
import signal
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NoReturn,
    TextIO,
    TypeVar,
)

import attrs
from cyclopts import App, CycloptsError, Parameter

import voicepush
from voicepush import report
from voicepush.campaign import READING, Campaign
from voicepush.client import Client
from voicepush.errors import (
    CampaignHeldError,
    CampaignLostError,
    InputError,
    LedgerError,
    VoicepushError,
)
from voicepush.ledger import Ledger, open_ledger
from voicepush.model import (
    Batch,
    Outcome,
    Priority,
    Result,
    Standing,
    State,
    Summary,
    VoiceMessage,
    mask_numbers,
    parse_time,
)
from voicepush.pacing import most_at
from voicepush.recipients import Block, read_file
from voicepush.screening import Reason, Refusal, Screening, Suppressed, normalise
from voicepush.settings import Settings, from_environment
from voicepush.wire import encode

if TYPE_CHECKING:
    from rich.console import Console

_T = TypeVar("_T")

EVERYONE_ACCEPTED = 0
NOT_EVERYONE = 1
WRONG_USAGE = 2
SERVICE_REFUSES = 3
HELD_BY_ANOTHER = 4
LEDGER_FAILED = 5
INTERRUPTED = 130

#: So many objects that may hold others, more than there were, make the collector look.
_GARBAGE_THRESHOLD = 50_000

_log = logging.getLogger(__name__)

app = App(
    name="voicepush",
    help="Ring people in bulk and play them a message: no one twice, no one lost.",
    version=voicepush.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
)


def _duration(text: str) -> timedelta | None:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
        return None
    parts = re.findall(r"([\d.]+)([smhd])", text)
    try:
        return sum(
            (timedelta(**{units[unit]: float(number)}) for number, unit in parts),
            timedelta(),
        )
    except OverflowError as error:
        raise InputError(f"a duration of {text} is out of reach") from error


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
    """When to give up: a duration such as 90m or 1h30m, or a time with its offset."""
    priority: Literal["low", "medium", "high"] | None = None
    """How urgent it is."""
    notify_url: str | None = None
    """Where the platform reports what became of each call."""
    callback_data: str | None = None
    """A text that comes back with each report."""

    def build(self) -> VoiceMessage:
        expiry = self.expiry and (_duration(self.expiry) or parse_time(self.expiry))
        return VoiceMessage(
            media=self.media,
            callflow=self.callflow,
            cli=self.cli,
            expiry=expiry or None,
            priority=Priority[self.priority.upper()] if self.priority else None,
            notify_url=self.notify_url,
            callback_data=self.callback_data,
        )


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
    suppress: Annotated[list[Path] | None, Parameter(negative="")] = None,
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
    suppress
        A file of numbers that must not be called; may be given several times.
    rejects
        Write each row that is refused, with its reason, into this CSV file.
    ledger
        Where campaigns are kept.
    campaign
        The campaign's name; by default FILE's, without its ending.
    retry_internal_error
        Try code 7006 again; turn it off if the service dials and then says 7006.
    on_unknown
        Whether whoever may have been called is called again, perhaps a second time.
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
    message_ = (message or _Message()).build()
    settings = _patient((service or _Service()).build(), patience)
    longest = None if drain is None else _seconds("--drain", drain)
    name = campaign or ("standard-input" if str(file) == "-" else file.stem)
    source = _named(file)
    blocks = read_file(file, column=column, encoding=encoding)
    screening = Screening(
        country=country,
        validity=validity,
        suppressed=_suppressed(suppress or [], country),
    )
    size = most_at(settings.rate, settings.batch_size)
    if dry_run:
        with _refusals(rejects) as refused:
            _rehearse(message_, settings, screening, blocks, size, refused)
        return EVERYONE_ACCEPTED
    given = {
        "expiry": message and message.expiry,
        "column": column,
        "encoding": encoding,
        "country": country,
        "validity": "yes" if validity else None,
        "batch-size": _typed_batch_size(service),
        "suppress": ", ".join(map(_with_digest, suppress or [])),
    }
    async with await open_ledger(ledger, log_was_merged=log_was_merged) as opened:
        # Whoever goes on reads no file, and keeps the rejects of its planning.
        is_new = await opened.plan(name) is None
        with (
            _refusals(rejects if is_new else None) as refused,
            _status("planning"),
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
                    tell=_say,
                )
            )
        if planned is None:
            return INTERRUPTED
        _tell_screening(await planned.standing())
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
        Whether whoever may have been called is called again, from now on.
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
            await _follow(await Campaign.open(opened, campaign))
        if campaign is None:
            found = await opened.campaigns()
            lines = [report.as_line(each) for each in found] or ["no campaign yet"]
            print(report.as_json(found) if json else "\n".join(lines))
        else:
            standing = await (await Campaign.open(opened, campaign)).standing()
            print(report.as_json(standing) if json else report.as_text(standing))
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
        await _follow(found)
        print(report.as_line(await found.standing()))
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
        _confirm(f"cancel {campaign}, with {standing.pending:,} pending", yes=yes)
        async with _show(found):
            await found.cancel()
        print(report.as_line(await found.standing()))
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
        print(report.as_line(await found.standing()))
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
    # No one is rung here, so digits alone may be looked for as they stand.
    normal = normalise(number, country=country, international=country is None)
    value = number if isinstance(normal, Reason) else normal
    async with await _existing(ledger) as opened:
        found = await opened.find(value)
    if json:
        print(report.dump([report.found_as_object(each) for each in found]))
    elif found:
        print("\n".join(map(report.found_as_text, found)))
    else:
        _say(f"no campaign in {ledger} has {value}")
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
    async with await _existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        with _writable(output) as file:
            rows = csv.DictWriter(file, Result._fields, lineterminator="\n")
            if format == "csv":
                rows.writeheader()
            async for result in found.results(*wanted):
                if format == "csv":
                    rows.writerow(report.row(result))
                else:
                    print(report.dump(report.row(result)), file=file)
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
        print(f"{campaign}: {unknown:,} unknown in {len(doubts):,} requests")
        if doubts:
            print(report.doubts_as_text(doubts))
        if not doubts or not (resend or give_up):
            return EVERYONE_ACCEPTED
        deed = "call them again, perhaps a second time" if resend else "give them up"
        _confirm(f"{campaign}: {deed}, {unknown:,} recipients", yes=yes)
        resolved = await found.resolve(resend=resend)
        print(f"{resolved:,} {'are pending again' if resend else 'given up'}")
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
    with _signals(stopped.set):
        try:
            await simulator.start()
        except OSError as error:
            raise InputError(f"port {port} can't be used: {error.strerror}") from error
        try:
            _say(f"the stand-in listens; the service key is {service_key!r}")
            print(simulator.url, flush=True)
            await stopped.wait()
        finally:
            await simulator.stop()
    print(report.dump(simulator.summary()))
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

    with _folder(keep) as folder:
        file = folder / "recipients.csv"
        _write_made_up_numbers(file, recipients)
        _say(f"wrote {recipients:,} made-up numbers to {file}")
        async with Simulator(
            service_key="demo", faults=_DEMO_FAULTS, latency=0.05, tps=_DEMO_TPS
        ) as simulator:
            _say(
                f"started a stand-in for the API at {simulator.url}, which fails "
                f"on purpose ({', '.join(_DEMO_FAULTS)}) and takes "
                f"{_DEMO_TPS:,} destinations per second"
            )
            settings = Settings(
                service_key="demo", base_url=simulator.url, rate=rate, concurrency=16
            )
            message = VoiceMessage(media="welcome", expiry=timedelta(minutes=10))
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


def _compare(standing: Standing, counted: dict[str, int]) -> int:
    """
    Hold what the ledger says against what the stand-in counted itself.
    """
    rung, twice = counted["rung"], counted["rung_twice"]
    _say(
        f"the stand-in counted {rung:,} calls in {counted['requests']:,} requests, "
        f"{twice or 'no'} number was rung twice"
    )
    if twice or not standing.accepted <= rung <= standing.accepted + standing.unknown:
        _say("the counts do not agree; please report this")
        return NOT_EVERYONE
    _say(
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
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="voicepush-") as name:
            yield Path(name)


def _suppressed(files: list[Path], country: str | None) -> Suppressed | None:
    if not files:
        return None
    return Suppressed.read(*files, country=country)


def _existing(
    path: Path, *, log_was_merged: bool = False
) -> Coroutine[Any, Any, Ledger]:
    if not path.exists():
        raise InputError(f"there is no ledger at {path}; name it with --ledger")
    return open_ledger(path, log_was_merged=log_was_merged)


def _seconds(option: str, text: str) -> float:
    found = _duration(text)
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


def _with_digest(path: Path) -> str:
    """
    *path* with what tells its contents from others.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    return f"{_named(path)} (sha256 {digest[:16]})"


async def _until_interrupted(work: Coroutine[Any, Any, _T]) -> _T | None:
    """
    The value of *work*, or None if a signal has ended it.
    """
    doing = asyncio.ensure_future(work)
    interrupted = False

    def stop() -> None:
        nonlocal interrupted
        interrupted = True
        _say("stopping: nothing new is planned")
        doing.cancel()

    with _signals(stop):
        try:
            return await doing
        except asyncio.CancelledError:
            if not interrupted:
                doing.cancel()
                raise
            return None


def _named(file: Path) -> str:
    if str(file) == "-":
        return "standard input"
    # A name that is no UTF-8 is shown with escapes.
    return str(file.resolve()).encode("utf-8", "backslashreplace").decode()


def _outcome(name: str) -> Outcome:
    try:
        return Outcome(name.replace("-", "_"))
    except ValueError:
        known = ", ".join(Outcome)
        raise InputError(f"--outcome {name!r} is none of {known}") from None


@contextmanager
def _writable(path: Path | None) -> Iterator[TextIO]:
    """
    *path* for writing, readable by nobody else, since it will hold numbers.
    """
    if path is None:
        yield sys.stdout
        return
    try:
        path.touch(0o600)
        file = path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from error
    try:
        with file:
            yield file
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}") from error


@contextmanager
def _refusals(path: Path | None) -> Iterator[Callable[[list[Refusal]], None] | None]:
    """
    Writes refused rows into *path*, if there is one.
    """
    if path is None:
        yield None
        return
    with _writable(path) as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["row", "recipient", "kind", "reason"])
        yield lambda refusals: rows.writerows(
            (each.row, each.recipient, each.kind, each.reason) for each in refusals
        )


def _confirm(deed: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError(f"to {deed} from a script, add --yes")
    from rich.prompt import Confirm  # noqa: PLC0415 -- see _console

    if not Confirm.ask(f"{deed}?", console=_console(), default=False):
        raise InputError("nothing was done")


def _tell_screening(standing: Standing) -> None:
    left_out = [
        f"{number:,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
        if (number := getattr(standing, name))
    ]
    _say(
        f"{standing.campaign}: {standing.planned:,} of {standing.read:,} planned"
        + (f"; {', '.join(left_out)}" if left_out else "")
    )


def _rehearse(
    message: VoiceMessage,
    settings: Settings,
    screening: Screening,
    blocks: Iterator[Block],
    size: int,
    refused: Callable[[list[Refusal]], None] | None,
) -> None:
    """
    What ``--dry-run`` prints.
    """
    now = datetime.now(UTC)
    started = message.starting(now)
    first: list[Any] = []
    planned = 0
    for block in blocks:
        screened = screening.screen(block)
        if refused is not None:
            refused(screened.refusals)
        clean = screened.recipients
        first = first or list(clean[:3])
        planned += sum(Batch(started, "", clean).weights)
    deadline = started.deadline
    left = None if deadline is None else deadline - now.timestamp()
    print(
        f"read {screening.read:,}, would plan {planned:,} in requests of up to "
        f"{size:,}; {screening.invalid:,} invalid, {screening.duplicate:,} duplicate, "
        f"{screening.suppressed:,} suppressed"
    )
    print(report.forecast(planned, settings.rate, left))
    if first:
        body = encode(Batch(started, "campaign-0", first)).decode()
        print(f"the first request begins: {mask_numbers(body)}")


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
        _say("stopping: what is under way is settled first; again to leave now")

    summary: Summary | None = None
    failed: int | None = None
    try:
        with _signals(stop):
            async with Client(settings) as client, _show(campaign):
                summary = await campaign.dispatch(client, drain=drain, tell=_say)
    except asyncio.CancelledError:
        if not interrupted:
            raise
    except LedgerError as error:
        if not error.while_sending:
            raise
        is_lost = isinstance(error, CampaignLostError)
        failed = HELD_BY_ANOTHER if is_lost else LEDGER_FAILED
        _complain(error)
    standing = await campaign.standing()
    print(report.as_json(standing) if json else report.as_text(standing))
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
        _say(report.reasons(summary))
    if summary.stopped and standing.state is State.PAUSED:
        _say(
            f"stopped: {mask_numbers(summary.stopped)}. Go on with voicepush resume "
            f"{standing.campaign}",
        )


async def _follow(campaign: Campaign) -> None:
    """
    Show the progress for as long as a process dispatches it.
    """
    stopped = asyncio.Event()
    with _signals(stopped.set):
        async with _show(campaign):
            while not stopped.is_set():
                if (await campaign.standing()).state is not State.RUNNING:
                    break
                await asyncio.sleep(0.2)


@asynccontextmanager
async def _show(campaign: Campaign) -> AsyncIterator[None]:
    """
    Progress: a bar on a terminal, a plain line now and then elsewhere.
    """
    show = _show_bar if _is_terminal() else _show_lines
    showing = asyncio.create_task(show(campaign))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait([showing])


async def _show_bar(campaign: Campaign) -> None:
    from rich.progress import (  # noqa: PLC0415 -- see _console
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column  # noqa: PLC0415 -- see _console

    standing = await campaign.standing()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TaskProgressColumn(),
        TextColumn("{task.fields[speed]}/s"),
        TimeRemainingColumn(),
        # On a narrow terminal this is cut, and nothing else.
        TextColumn(
            "{task.fields[outcomes]}",
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        expand=True,
        console=_console(),
        transient=True,
    ) as progress:
        bar = progress.add_task(
            campaign.name,
            total=standing.planned,
            completed=standing.done,
            speed="0",
            outcomes="",
        )
        async for standing, speed in _watch(campaign, every=0.25):
            progress.update(
                bar,
                completed=standing.done,
                speed=f"{speed:,.0f}",
                outcomes=report.outcomes(standing),
            )


async def _show_lines(campaign: Campaign) -> None:
    async for standing, speed in _watch(campaign, every=5.0):
        left = report.duration(standing.pending / speed) if speed else "unknown"
        _say(f"{report.as_line(standing)}; {speed:,.0f}/s, time left {left}")


async def _watch(
    campaign: Campaign, *, every: float
) -> AsyncIterator[tuple[Standing, float]]:
    """
    Where it stands *every* so many seconds, with the mean rate of the last ten looks.
    """
    loop = asyncio.get_running_loop()
    looks: list[tuple[float, int]] = []
    while True:
        standing = await campaign.standing()
        looks = [*looks[-9:], (loop.time(), standing.done)]
        (then, before), (now, done) = looks[0], looks[-1]
        yield standing, (done - before) / (now - then) if now > then else 0.0
        await asyncio.sleep(every)


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """
    Let SIGINT and SIGTERM call *stop* instead of ending the process.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


# Talk goes to stderr, results to stdout.


def _say(text: str) -> None:
    stderr: TextIO | None = sys.stderr
    if stderr is not None:  # which it is where the descriptor was closed
        print(text, file=stderr)


@cache
def _console() -> Console:
    """
    A terminal to draw on; the library is loaded only where there is one.
    """
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _is_terminal() -> bool:
    stderr: TextIO | None = sys.stderr
    return stderr is not None and stderr.isatty() and _console().is_terminal


def _status(text: str) -> AbstractContextManager[object]:
    return _console().status(text) if _is_terminal() else nullcontext()


def _complain(error: BaseException) -> None:
    _say(f"voicepush: {mask_numbers(str(error))}")
    _log.debug("it came from here", exc_info=error)


@app.meta.default
def _launch(
    *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), negative="")] = False,
) -> object:
    """
    Ring people in bulk and play them a message: no one twice, no one lost.

    Parameters
    ----------
    verbose
        Say more, and show where an error came from.
    """
    if verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        logging.getLogger("voicepush").setLevel(logging.DEBUG)
    return app(arguments)


def run(arguments: list[str] | None = None) -> int:
    """
    The exit status of the command that *arguments* name.
    """
    try:
        code = app.meta(arguments)
    except CampaignHeldError as error:
        _complain(error)
        return HELD_BY_ANOTHER
    except LedgerError as error:
        _complain(error)
        return LEDGER_FAILED
    except (CycloptsError, VoicepushError) as error:
        _complain(error)
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
    code = run()
    if any(thread.name == READING for thread in threading.enumerate()):
        # It waits for a silent pipe, and the interpreter would wait for its lock.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(code)
    sys.exit(code)

"""
Arguments -> calls: the operator's face.
"""

from __future__ import annotations

import asyncio
import logging
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import attrs
from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

import voicepush
from voicepush import report
from voicepush.campaign import Campaign
from voicepush.client import Client
from voicepush.errors import CampaignHeldError, InputError, VoicepushError
from voicepush.ledger import Ledger, open_ledger
from voicepush.model import (
    Batch,
    Priority,
    Standing,
    Summary,
    VoiceMessage,
    mask_numbers,
    parse_time,
)
from voicepush.pacing import most_at
from voicepush.recipients import read_file
from voicepush.screening import Screening, Suppressed
from voicepush.settings import Settings, from_environment
from voicepush.simulator import SHAPES, Simulator
from voicepush.wire import encode

EVERYONE_ACCEPTED = 0
NOT_EVERYONE = 1
WRONG_USAGE = 2
SERVICE_REFUSES = 3
HELD_BY_ANOTHER = 4
INTERRUPTED = 130

_log = logging.getLogger(__name__)

#: Talk goes to stderr, results to stdout.
_talk = Console(stderr=True, highlight=False, soft_wrap=True)

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
    return sum(
        (
            timedelta(**{units[unit]: float(number)})
            for number, unit in re.findall(r"([\d.]+)([smhd])", text)
        ),
        timedelta(),
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
_LedgerPath = Annotated[
    Path, Parameter(env_var="VOICEPUSH_LEDGER", group="Ledger", name="--ledger")
]
_DEFAULT_LEDGER = Path("voicepush.db")


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
    suppress: Annotated[list[Path] | None, Parameter(negative="")] = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    campaign: Annotated[str | None, Parameter(group="Ledger")] = None,
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
    suppress
        A file of numbers that must not be called; may be given several times.
    ledger
        Where campaigns are kept.
    campaign
        The campaign's name; by default FILE's, without its ending.
    dry_run
        Plan and send nothing: print the counts, a forecast and the first request.
    json
        Print one JSON object when it ends.
    """
    message_ = (message or _Message()).build()
    settings = (service or _Service()).build()
    name = campaign or ("standard-input" if str(file) == "-" else file.stem)
    source = _named(file)
    blocks = read_file(file, column=column, encoding=encoding)
    screening = Screening(suppressed=_suppressed(suppress or []))
    size = most_at(settings.rate, settings.batch_size)
    if dry_run:
        _rehearse(message_, settings, screening, blocks, size)
        return EVERYONE_ACCEPTED
    async with await open_ledger(ledger) as opened:
        with _talk.status("planning …"):
            planned = await Campaign.plan(
                opened,
                name,
                message_,
                blocks,
                source=source,
                screening=screening,
                batch_size=size,
            )
        _tell_screening(await planned.standing())
        return await _dispatch(planned, settings, json=json)


@app.command
async def resume(
    campaign: str,
    /,
    *,
    service: _Service | None = None,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
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
    json
        Print one JSON object when it ends.
    """
    settings = (service or _Service()).build()
    async with await _existing(ledger) as opened:
        return await _dispatch(
            await Campaign.open(opened, campaign), settings, json=json
        )


@app.command
async def status(
    campaign: str | None = None,
    /,
    *,
    ledger: _LedgerPath = _DEFAULT_LEDGER,
    json: _Json = False,
) -> int:
    """
    Show where CAMPAIGN stands, or where all do.

    Parameters
    ----------
    campaign
        The campaign's name.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object, or a list of them.
    """
    async with await _existing(ledger) as opened:
        if campaign is None:
            found = await opened.campaigns()
            lines = [report.as_line(each) for each in found] or ["no campaign yet"]
            print(report.as_json(found) if json else "\n".join(lines))
        else:
            standing = await (await Campaign.open(opened, campaign)).standing()
            print(report.as_json(standing) if json else report.as_text(standing))
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
            _talk.print(f"the stand-in listens; the service key is {service_key!r}")
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
    with _folder(keep) as folder:
        file = folder / "recipients.csv"
        _write_made_up_numbers(file, recipients)
        _talk.print(f"wrote {recipients:,} made-up numbers to {file}")
        async with Simulator(
            service_key="demo", faults=_DEMO_FAULTS, latency=0.05
        ) as simulator:
            _talk.print(
                f"started a stand-in for the API at {simulator.url}, which fails "
                f"on purpose: {', '.join(_DEMO_FAULTS)}"
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
    return _compare(standing, simulator) or code


#: Errors of the service's own, refusals for speed, lost answers, bad numbers.
_DEMO_FAULTS = ["7006@5%", "429:1@1/40", "drop@1/50", "mix:7102=2%@1/10"]


def _compare(standing: Standing, simulator: Simulator) -> int:
    """
    Hold what the ledger says against what the stand-in counted itself.
    """
    summary = simulator.summary()
    rung, twice = summary["rung"], summary["rung_twice"]
    _talk.print(
        f"the stand-in counted {rung:,} calls in {summary['requests']:,} requests, "
        f"{twice or 'no'} number was rung twice"
    )
    if twice or not standing.accepted <= rung <= standing.accepted + standing.unknown:
        _talk.print("[red]the counts do not agree; please report this")
        return NOT_EVERYONE
    _talk.print(
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


def _suppressed(files: list[Path]) -> Suppressed | None:
    if not files:
        return None
    found = Suppressed.read(*files)
    if found.unusable:
        _talk.print(
            f"{found.unusable:,} entries of the suppression list are no numbers and "
            "suppress no one"
        )
    return found


def _existing(path: Path) -> Coroutine[Any, Any, Ledger]:
    if not path.exists():
        raise InputError(f"there is no ledger at {path}; name it with --ledger")
    return open_ledger(path)


def _named(file: Path) -> str:
    return "standard input" if str(file) == "-" else str(file.resolve())


def _tell_screening(standing: Standing) -> None:
    left_out = [
        f"{number:,} {name}"
        for name in ("invalid", "duplicate", "suppressed")
        if (number := getattr(standing, name))
    ]
    _talk.print(
        f"{standing.campaign}: {standing.planned:,} of {standing.read:,} planned"
        + (f"; {', '.join(left_out)}" if left_out else "")
    )


def _rehearse(
    message: VoiceMessage,
    settings: Settings,
    screening: Screening,
    blocks: Iterator[Any],
    size: int,
) -> None:
    """
    What ``--dry-run`` prints.
    """
    now = datetime.now(UTC)
    started = message.starting(now)
    first: list[Any] = []
    planned = 0
    for block in blocks:
        clean = screening.screen(block).recipients
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


async def _dispatch(campaign: Campaign, settings: Settings, *, json: bool) -> int:
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
        _talk.print("stopping: what is under way is settled first; again to leave now")

    summary: Summary | None = None
    try:
        with _signals(stop):
            async with Client(settings) as client, _show(campaign):
                summary = await campaign.dispatch(client)
    except asyncio.CancelledError:
        if not interrupted:
            raise
    except VoicepushError as error:
        if isinstance(error, (CampaignHeldError, InputError)):
            raise
        _complain(error)
    standing = await campaign.standing()
    print(report.as_json(standing) if json else report.as_text(standing))
    if summary is not None and summary.reasons:
        _talk.print(report.reasons(summary), markup=False)
    if interrupted:
        return INTERRUPTED
    if summary is not None and summary.stopped:
        _talk.print(
            f"stopped: {summary.stopped}. When that is mended, go on with "
            f"voicepush resume {campaign.name}",
            markup=False,
        )
        return SERVICE_REFUSES
    everyone = standing.accepted == standing.planned
    return EVERYONE_ACCEPTED if everyone else NOT_EVERYONE


@asynccontextmanager
async def _show(campaign: Campaign) -> AsyncIterator[None]:
    """
    Progress: a bar on a terminal, a plain line now and then elsewhere.
    """
    show = _show_bar if _talk.is_terminal else _show_lines
    showing = asyncio.create_task(show(campaign))
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.wait([showing])


async def _show_bar(campaign: Campaign) -> None:
    standing = await campaign.standing()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[outcomes]}"),
        console=_talk,
        transient=True,
    ) as progress:
        bar = progress.add_task(
            campaign.name,
            total=standing.planned,
            completed=standing.done,
            rate="0",
            outcomes="",
        )
        async for standing, rate in _watch(campaign, every=0.25):
            progress.update(
                bar,
                completed=standing.done,
                rate=f"{rate:,.0f}",
                outcomes=report.outcomes(standing),
            )


async def _show_lines(campaign: Campaign) -> None:
    async for standing, rate in _watch(campaign, every=5.0):
        left = report.duration(standing.pending / rate) if rate else "unknown"
        _talk.print(f"{report.as_line(standing)}; {rate:,.0f}/s, time left {left}")


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


def _complain(error: BaseException) -> None:
    _talk.print(f"voicepush: {mask_numbers(str(error))}", markup=False)
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
    sys.exit(run())

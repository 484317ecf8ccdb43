"""
What is said to an operator, and heard from one: talk, results, progress, signals.
"""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from functools import cache
from typing import TYPE_CHECKING, TextIO

import attrs

from voicepush import clock
from voicepush.campaign.campaign import Campaign
from voicepush.cli.logs import is_json
from voicepush.errors import InputError
from voicepush.masking import mask_numbers, shown
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.json import dump_shown
from voicepush.report.text import as_line, outcomes_of, pace_of, why_waiting

if TYPE_CHECKING:
    from rich.console import Console

_log = logging.getLogger(__name__)

#: What is said, where that is to be JSON.
_talk = logging.getLogger("voicepush.talk")

#: How often a bar looks, how often a log does, and how often it writes a line, in
#: seconds; why nothing goes on is told at once.
_BAR_LOOKS = 0.25
_LOG_LOOKS = 0.5
_LOG_LINES = 5.0

#: The most of a campaign's name, and of a bar, that a line has room for.
_NAME_WIDTH = 16
_BAR_WIDTH = 12


# Talk goes to stderr, results to stdout.


def say(text: str) -> None:
    """
    Print *text* on stderr, in one line, whatever is in it.

    Talk that nobody can hear stops nothing.
    """
    if is_json():
        _talk.info("%s", shown(text))
        return
    stderr: TextIO | None = sys.stderr
    if stderr is not None:  # which it is where the descriptor was closed
        with suppress(OSError):
            print(shown(text), file=stderr)


def complain(error: BaseException) -> None:
    """
    Say what went wrong, with numbers masked.
    """
    text = mask_numbers(str(error))
    if is_json():
        _talk.error("%s", shown(text))
    else:
        say(f"voicepush: {text}")
    _log.debug("it came from here", exc_info=error)


def tell(text: str) -> None:
    """
    Print *text*, a result, on stdout.

    Raises:
        BrokenPipeError: Its reader has gone.
        InputError: It can't be written.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError(
            f"standard output can't be written: {error.strerror}"
        ) from error


def tell_json(value: object) -> None:
    """
    Print *value* on stdout as one line of JSON.
    """
    tell(dump_shown(value, getattr(sys.stdout, "encoding", None) or "utf-8"))


def accept_any_text() -> None:
    """
    Let stdout and stderr escape what their encoding can't hold, instead of failing.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def confirm(deed: str, *, yes: bool) -> None:
    """
    Ask whether to do *deed*, unless *yes* was said already.

    Raises:
        InputError: The answer is no, or there is nobody to ask.
    """
    if yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise InputError(f"{deed}: nobody is there to be asked; add --yes")
    from rich.prompt import Confirm  # noqa: PLC0415 -- see _console

    question = f"{shown(deed)}?"
    if not Confirm.ask(question, console=_console(), default=False):
        raise InputError("nothing was done")


def working(text: str) -> AbstractContextManager[object]:
    """
    Show that *text* is going on, where there is a terminal.
    """
    return _console().status(text) if _is_terminal() else nullcontext()


@cache
def _console() -> Console:
    """
    A terminal to draw on; the library is loaded only where there is one.
    """
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _is_terminal() -> bool:
    stderr: TextIO | None = sys.stderr
    if stderr is None or is_json() or not stderr.isatty():
        return False
    return _console().is_terminal


# Signals.


@contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """
    Let SIGINT, SIGTERM and SIGHUP call *stop* instead of ending the process.

    A SIGHUP that was ignored, as nohup does, stays so. One that follows another signal
    says nothing new: a terminal that goes away may send several.
    """
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    heard = False

    def hear(number: signal.Signals) -> None:
        nonlocal heard
        if number is signal.SIGHUP and heard:
            return
        heard = True
        stop()

    for number in numbers:
        loop.add_signal_handler(number, hear, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@attrs.define
class Interruption:
    """
    Whether a signal has come.
    """

    has_come: bool = False


@contextmanager
def draining(stop: Callable[[str], object], words: str) -> Iterator[Interruption]:
    """
    Let the first signal call *stop*, with *words* about what follows, and the second
    end the block at once.
    """
    heard = Interruption()
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 -- runs in one

    def hear() -> None:
        if heard.has_come:
            task.cancel()
            return
        heard.has_come = True
        stop("interrupted")
        say(f"stopping: {words}; again to leave now")

    try:
        with signals(hear):
            yield heard
    except asyncio.CancelledError:
        if not heard.has_come:
            raise


@contextmanager
def interruptible() -> Iterator[None]:
    """
    Let the first Ctrl-C end what runs without the event loop, such as reading a pipe.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# Progress.


async def follow(campaign: Campaign) -> None:
    """
    Show the progress for as long as a process dispatches it.
    """
    stopped = asyncio.Event()
    with signals(stopped.set):
        async with showing(campaign):
            while not stopped.is_set():
                if (await campaign.status()).state is not CampaignState.RUNNING:
                    break
                await clock.sleep(0.2)


@asynccontextmanager
async def showing(campaign: Campaign) -> AsyncIterator[None]:
    """
    Progress: a bar on a terminal, a plain line now and then elsewhere.
    """
    show = _show_bar if _is_terminal() else _show_lines
    task = asyncio.create_task(_unheard(show(campaign)))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _unheard(show: AsyncIterator[str]) -> None:
    with suppress(OSError):  # the terminal has gone, the campaign goes on
        async for line in show:
            say(line)


async def _show_bar(campaign: Campaign) -> AsyncIterator[str]:
    """
    Draws a bar, and yields what is told above it.
    """
    from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 -- see _console
    from rich.table import Column  # noqa: PLC0415 -- see _console

    status = await campaign.status()
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR_WIDTH),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[pace]}", markup=False),
        # On a narrow terminal this is cut, and nothing else.
        TextColumn(
            "{task.fields[news]}",
            markup=False,
            table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"),
        ),
        expand=True,
        console=_console(),
        transient=True,
    ) as progress:
        bar = progress.add_task(
            _short(shown(campaign.name)),
            total=status.planned,
            completed=status.done,
            pace="0/s",
            news="",
        )
        before = ""
        async for status, throughput in _watch(campaign, every=_BAR_LOOKS):
            progress.update(
                bar,
                total=status.planned,
                completed=status.done,
                pace=pace_of(status, throughput),
                news=why_waiting(status) or outcomes_of(status),
            )
            news = why_waiting(status)
            if news not in ("", before):
                # The bar has no room for it, and it stays to be read later.
                yield news
            before = news


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"


async def _show_lines(campaign: Campaign) -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    before, due = "", loop.time()
    async for status, throughput in _watch(campaign, every=_LOG_LOOKS):
        news = why_waiting(status)
        if loop.time() >= due or news != before:
            yield f"{as_line(status)}; {pace_of(status, throughput)}"
            due = loop.time() + _LOG_LINES
        before = news


async def _watch(
    campaign: Campaign, *, every: float
) -> AsyncIterator[tuple[CampaignStatus, float]]:
    """
    Where it stands *every* so many seconds, with the mean rate of the last ten looks.
    """
    loop = asyncio.get_running_loop()
    looks: list[tuple[float, int]] = []
    while True:
        status = await campaign.status()
        looks = [*looks[-9:], (loop.time(), status.done)]
        (then, before), (now, done) = looks[0], looks[-1]
        # Who is left out when it is their turn is no longer counted.
        more = max(0, done - before)
        yield status, more / (now - then) if now > then else 0.0
        await clock.sleep(every)

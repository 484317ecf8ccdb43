"""
The command that shows a whole campaign, with everything that can go wrong.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter

from voicepush import __version__
from voicepush.campaign.campaign import Campaign
from voicepush.campaign.overview import overview_of
from voicepush.cli.dispatching import dispatch, tell_status
from voicepush.cli.exit_status import EVERYONE_ACCEPTED, NOT_EVERYONE
from voicepush.cli.options import Json
from voicepush.cli.outputs import writing
from voicepush.cli.terminal import say, signals
from voicepush.errors import InputError
from voicepush.ledger import Ledger, open_ledger
from voicepush.model.message import VoiceMessage
from voicepush.model.status import CampaignStatus
from voicepush.report.account import account_of
from voicepush.report.html import page
from voicepush.report.narrative import narrative
from voicepush.report.pictures import check_library
from voicepush.report.text import calls_as_line
from voicepush.screening.zones import zones_of
from voicepush.settings import Settings
from voicepush.sources.files import read_file

if TYPE_CHECKING:
    from voicepush.simulator import Simulator


async def demo(
    *,
    recipients: int = 20_000,
    rate: float = 4_000,
    keep: Path | None = None,
    dashboard: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """
    Run a whole campaign with faults against a stand-in on this machine, take its
    receipts, and write a report.

    Parameters
    ----------
    recipients
        How many made-up numbers to call.
    rate
        Destinations per second.
    keep
        A folder to keep its files in; without it they are removed.
    dashboard
        Show it live in the browser, too, until Ctrl-C.
    json
        Print one JSON object when it ends.
    """
    if recipients < 1:
        raise InputError(f"--recipients must be at least 1, not {recipients}")
    with _folder(keep) as folder:
        file = folder / "recipients.csv"
        _write_made_up_numbers(file, recipients)
        say(f"wrote {recipients:,} made-up numbers to {file}")
        async with (
            open_ledger(folder / "voicepush.db") as ledger,
            _stand_ins(ledger) as simulator,
            _live(ledger) if dashboard else nullcontext() as live,
        ):
            settings = Settings(
                service_key="demo", base_url=simulator.url, rate=rate, concurrency=16
            )
            patience = timedelta(minutes=10, seconds=3 * recipients / _DEMO_TPS)
            message = VoiceMessage(media="welcome", expiry=patience)
            campaign = await Campaign.plan(
                ledger,
                "demo",
                message,
                read_file(file),
                source=str(file),
                batch_size=250,
            )
            code = await dispatch(campaign, settings, json=json, tells=False)
            status = await _follow_receipts(campaign, simulator)
            tell_status(status, json=json)
            if code == NOT_EVERYONE and status.accepted == status.planned:
                code = EVERYONE_ACCEPTED  # receipts have proved it
            code = _compare(status, simulator.summary()) or code
            report = await _write_report(ledger, keep)
            say(f"a report of it is {report}")
            if live is not None:
                say(f"the dashboard at {live} stays until Ctrl-C")
                await _until_interrupted()
    return code


@asynccontextmanager
async def _stand_ins(ledger: Ledger) -> AsyncIterator[Simulator]:
    """
    A stand-in for the API, and the notify URL to which it rings back.
    """
    # Only here are servers needed.
    from voicepush.receipts.app import receipts_app  # noqa: PLC0415
    from voicepush.receipts.serving import serving  # noqa: PLC0415
    from voicepush.simulator import Simulator  # noqa: PLC0415

    app = receipts_app(ledger, secret=_DEMO_SECRET)
    async with (
        serving(app, "127.0.0.1", 0) as address,
        Simulator(
            service_key="demo",
            faults=_DEMO_FAULTS,
            latency=0.05,
            tps=_DEMO_TPS,
            notify_url=f"{address}/receipts",
            hub_secret=_DEMO_SECRET,
            rings=_DEMO_RINGS,
            ring_seconds=_DEMO_RING_SECONDS,
            dial_rate=_DEMO_DIAL_RATE,
            receipt_faults=_DEMO_RECEIPT_FAULTS,
        ) as simulator,
    ):
        say(
            f"started a stand-in for the API at {simulator.url}, which fails on "
            f"purpose ({', '.join(_DEMO_FAULTS)}) and takes {_DEMO_TPS:,} destinations "
            f"per second; it rings back at {address}/receipts, with faults as well "
            f"({', '.join(_DEMO_RECEIPT_FAULTS)})"
        )
        yield simulator


async def _write_report(ledger: Ledger, keep: Path | None) -> Path:
    """
    Write how it went, with pictures where the library for them is there; gives where.
    """
    # Without --keep it is all that remains, in a folder of its own.
    folder = keep or Path(tempfile.mkdtemp(prefix="voicepush-report-"))
    account = account_of(await overview_of(ledger, "demo"))
    try:
        check_library()
    except InputError as error:
        say(str(error))
        path, text = folder / "report.txt", narrative([account])
    else:
        path, text = folder / "report.html", page([account], version=__version__)
    with writing(path) as file:
        file.write(text)
    return path


@asynccontextmanager
async def _live(ledger: Ledger) -> AsyncIterator[str]:
    """
    The dashboard, at a free port of this machine; gives its address.
    """
    from voicepush.dashboard.app import dashboard_app  # noqa: PLC0415
    from voicepush.receipts.serving import serving  # noqa: PLC0415

    async with serving(dashboard_app(ledger, title="demo"), "127.0.0.1", 0) as address:
        say(f"watch it at {address}/")
        yield f"{address}/"


async def _until_interrupted() -> None:
    stopped = asyncio.Event()
    with signals(stopped.set):
        await stopped.wait()


async def _follow_receipts(campaign: Campaign, simulator: Simulator) -> CampaignStatus:
    """
    Show receipts coming in until all of them have; where the campaign stands then.
    """
    stopped = asyncio.Event()
    done = asyncio.create_task(simulator.receipts_done())
    interrupted = asyncio.create_task(stopped.wait())
    with signals(stopped.set):
        while not (done.done() or interrupted.done()):
            await asyncio.wait(
                [done, interrupted],
                timeout=_LOOKS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            say(calls_as_line(await campaign.status()))
    for task in (done, interrupted):
        task.cancel()
    await asyncio.wait([done, interrupted])
    return await campaign.status()


#: Errors of the service's own, lost answers, numbers that it does not allow.
_DEMO_FAULTS = ["7006@5%", "drop@1/50", "mix:7102=2%@1/10"]


#: What happens on the phones; all others hear the message to its end.
_DEMO_RINGS = ["busy@12%", "rang-out@18%", "hung-up@15%", "agent@5%"]


#: Between two events of a call; a phone takes longer, but nobody waits for a demo.
_DEMO_RING_SECONDS = 1.0


#: The platform queues what it has accepted, and dials at its own pace.
_DEMO_DIAL_RATE = 800


_DEMO_RECEIPT_FAULTS = ["twice@5%", "late@5%", "no-id@2%"]


_DEMO_SECRET = "demo"  # noqa: S105 -- it guards nothing


#: Less than the demo asks for, so that the pace is seen to fall and come back.
_DEMO_TPS = 3_000


#: While receipts come in, it is said how many did, so often, in seconds.
_LOOKS = 2.0


def _compare(status: CampaignStatus, counted: dict[str, Any]) -> int:
    """
    Hold what the ledger says against what the stand-in counted itself.
    """
    rung, twice = counted["rung"], counted["rung_twice"]
    say(
        f"the stand-in counted {rung:,} calls in {counted['requests']:,} requests, "
        f"{twice or 'no'} number was rung twice"
    )
    if twice or not status.accepted <= rung <= status.accepted + status.unknown:
        say("the counts do not agree; please report this")
        return NOT_EVERYONE
    left = rung - status.accepted
    say(
        f"that is the {status.accepted:,} accepted; receipts proved those whose "
        "answers were lost on purpose"
        + (f", and {left:,} of the {status.unknown:,} unknown" if left else "")
    )
    if not left and status.calls is not None:
        ours = {name: n for name, n in attrs.asdict(status.calls).items() if n}
        theirs = {name: n for name, n in counted["calls"].items() if n}
        if ours != theirs:
            say(
                f"what became of the calls does not agree: {theirs}; please report this"
            )
            return NOT_EVERYONE
        say("what became of each call is what the stand-in made of it")
    return 0


def _write_made_up_numbers(file: Path, number: int) -> None:
    with file.open("w", encoding="utf-8") as lines:
        lines.write("name,msisdn\n")
        lines.writelines(
            f"person {i},{msisdn}\n"
            for i, msisdn in enumerate(islice(_made_up_numbers(), number))
        )


def _made_up_numbers() -> Iterator[str]:
    """
    Numbers that belong to nobody: 555-0100 to 555-0199 are kept for fiction in all area
    codes of North America, and +999 is no country's code.
    """
    codes = [code for code in range(201, 990) if len(zones_of(f"+1{code}5550100")) == 1]
    for last in range(100):
        yield from (f"+1{code}55501{last:02d}" for code in codes)
    yield from (f"+999{number:09d}" for number in count())


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

"""
The command that shows how campaigns went.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import voicepush
from voicepush.campaign.following import chain_of
from voicepush.campaign.overview import overview_of
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    existing,
    inputs,
)
from voicepush.cli.outputs import check_output, writing
from voicepush.cli.terminal import say, tell, tell_json, working
from voicepush.errors import InputError
from voicepush.ledger.protocol import Ledger
from voicepush.report.account import Account, account_of
from voicepush.report.figures.hours import Window
from voicepush.report.html import page
from voicepush.report.narrative import narrative
from voicepush.report.objects import report_as_object
from voicepush.report.pictures import check_library
from voicepush.report.together import Together, together


async def report(
    campaign: str,
    /,
    *campaigns: str,
    html: Path | None = None,
    rounds: Annotated[bool, Parameter(negative="")] = False,
    window: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Show how CAMPAIGN went: who was reached, when, how fast, and what to do about the
    others.

    Parameters
    ----------
    campaign
        The campaign's name.
    campaigns
        More of them, for one report on all.
    html
        Write one page with pictures to this file, in place of text.
    rounds
        Report on all rounds of calling the same people that CAMPAIGN belongs to.
    window
        When people may be called by their own clocks, such as 09:00-21:00: it is
        shaded, and told how many calls fell outside; by default as the campaign says.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object.
    """
    allowed = None if window is None else parse_window(window)
    check_output(html, "--html", inputs(ledger))
    if html is not None:
        check_library()
    async with existing(ledger) as opened:
        names = await _names(opened, [campaign, *campaigns], rounds=rounds)
        with working(f"reading {', '.join(names)}"):
            found = [
                account_of(await overview_of(opened, name), allowed) for name in names
            ]
    statuses = [each.status for each in found]
    whole = together(statuses, are_rounds=rounds) if len(found) > 1 else None
    if html is not None:
        _write(html, found, whole)
    if json:
        tell_json(report_as_object(found, whole, version=voicepush.__version__))
    elif html is None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        tell(narrative(found, whole, encoding=encoding))
    return EVERYONE_ACCEPTED


async def _names(
    ledger: Ledger, given: Sequence[str], *, rounds: bool
) -> Sequence[str]:
    """
    The campaigns that are reported on, each once.
    """
    if not rounds:
        return list(dict.fromkeys(given))
    if len(given) > 1:
        raise InputError(
            "--rounds finds the rounds of one campaign; name one, or leave it out"
        )
    first = (await chain_of(ledger, given[0]))[0]
    known = await ledger.campaigns()
    names = [first]
    for name in names:  # which grows by those that follow it
        names += [each.campaign for each in known if each.follows == name]
    return names


def _write(html: Path, found: Sequence[Account], whole: Together | None) -> None:
    for each in found:
        source = Path(each.overview.source)
        check_output(html, "--html", [("a campaign's list", source)])
    drawn = page(found, whole, version=voicepush.__version__)
    with writing(html) as file:
        file.write(drawn)
    say(f"wrote {html}")


def parse_window(text: str) -> Window:
    """
    The hours that were typed as *text*.

    Raises:
        InputError: They are none.
    """
    try:
        begin, end = map(_time, text.replace(" ", "").split("-"))
    except ValueError as error:
        raise InputError(
            f"--window {text!r} is no window; write it like 09:00-21:00"
        ) from error
    if begin == end:
        raise InputError(f"--window {text!r} is empty, or the whole day; leave it out")
    return Window(begin, end)


def _time(text: str) -> time:
    """
    A time of day as it may be typed; 24:00 is the end of the day.
    """
    if text == "24:00":
        return time()
    hours, _, minutes = text.partition(":")
    return time(int(hours), int(minutes or 0))

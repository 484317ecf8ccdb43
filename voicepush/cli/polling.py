"""
The command that asks what became of calls whose receipts never came.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from voicepush import clock
from voicepush.campaign.campaign import Campaign
from voicepush.cli.exit_status import (
    EVERYONE_ACCEPTED,
    INTERRUPTED,
    SERVICE_REFUSES,
)
from voicepush.cli.options import (
    DEFAULT_LEDGER,
    Json,
    LedgerPath,
    Patience,
    check_no_backup,
    existing,
    patient,
)
from voicepush.cli.receipts import zone_called
from voicepush.cli.service import Tenant
from voicepush.cli.terminal import draining, say, tell, tell_json
from voicepush.cli.times import parse_duration
from voicepush.errors import InputError
from voicepush.ledger.protocol import Ledger
from voicepush.masking import shown
from voicepush.receipts.polling import Poll, Polled
from voicepush.report.text import counted
from voicepush.sending.pacing import is_rate
from voicepush.sending.trouble import asks_to_wait

#: An answer that takes longer, in seconds, is asked for again.
_LONGEST_ANSWER = 30.0

#: How often a line tells how far it came, in seconds.
_LINES = 5.0


async def poll(  # noqa: PLR0913 -- each is an option
    campaign: str,
    /,
    *,
    after: str = "1h",
    again_after: str = "1h",
    rate: Annotated[float, Parameter(group="Service")] = 5.0,
    concurrency: Annotated[int, Parameter(group="Service")] = 4,
    tenant: Tenant | None = None,
    patience: Patience = None,
    tenant_zone: str = "UTC",
    ledger: LedgerPath = DEFAULT_LEDGER,
    json: Json = False,
) -> int:
    """
    Ask the service what became of calls in CAMPAIGN whose receipts never came.

    Not every tenant can ask that; where it can't, this ends after a few requests, with
    exit status 3. The same command again goes on where it stopped.

    Parameters
    ----------
    campaign
        The campaign's name.
    after
        Only about calls that were claimed so long ago, such as 30m or 2h.
    again_after
        Not about calls that were asked about since, such as 1h; 0s asks again at once.
    rate
        Requests per second; they do not count as the campaign's.
    concurrency
        How many requests are under way at once.
    patience
        How long the service may be out of reach, or ask to wait, such as 15m.
    tenant_zone
        The time zone of time stamps without an offset: Asia/Kolkata, or +05:30.
    ledger
        Where campaigns are kept.
    json
        Print one JSON object when it ends.
    """
    if not is_rate(rate):
        raise InputError(f"--rate must be at least one request per hour, not {rate}")
    settings = patient(
        (tenant or Tenant()).settings(
            rate=rate,
            concurrency=concurrency,
            answer_timeout=_LONGEST_ANSWER,
        ),
        patience,
    )
    waits, again, zone = (
        _duration("--after", after),
        _duration("--again-after", again_after),
        zone_called(tenant_zone),
    )
    async with existing(ledger) as opened:
        check_no_backup(opened, ledger)
        await Campaign.open(opened, campaign)  # which says what there is
        asking = Poll(
            opened, campaign, settings, after=waits, again_after=again, zone=zone
        )
        words = "what is under way is answered first"
        with draining(asking.stop, words) as interruption:
            async with _showing(asking, campaign):
                await asking.run()
        await _tell(opened, campaign, asking.counts, json=json)
    if interruption.has_come:
        return INTERRUPTED
    return EVERYONE_ACCEPTED if asking.counts.refused is None else SERVICE_REFUSES


@asynccontextmanager
async def _showing(asking: Poll, campaign: str) -> AsyncIterator[None]:
    async def show() -> None:
        while True:
            await clock.sleep(_LINES)
            say(f"{shown(campaign)}: {_line(asking)}")

    task = asyncio.create_task(show())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _line(asking: Poll) -> str:
    """
    How far it came, in one line.
    """
    counts = asking.counts
    line = _asked(counts)
    if counts.ended:
        line += f", {counts.ended:,} have ended"
    if counts.failed:
        line += f"; {counted(counts.failed, 'request')} failed"
    if asking.pacer.held_until is not None:
        line += f"; {asks_to_wait(asking.pacer.held_until)}"
    return line


def _asked(counts: Polled) -> str:
    return (
        f"asked about {counted(counts.calls, 'call')} "
        f"in {counted(counts.requests, 'request')}"
    )


async def _tell(ledger: Ledger, campaign: str, counts: Polled, *, json: bool) -> None:
    if json:
        tell_json(_as_object(campaign, counts))
    else:
        tell(_as_text(campaign, counts))
    if counts.requests == 0 and counts.refused is None:
        status = await ledger.status(campaign)
        if status is not None and status.accepted:
            say(
                "there was nobody to ask about: calls have ended, were claimed or "
                "asked about lately (--after, --again-after), or have no transaction id"
            )
    if counts.refused is not None:
        say(f"stopped: {counts.refused}. The same command goes on")
        if counts.refused.startswith(("7001", "7002", "HTTP 401", "HTTP 403")):
            say("check the key: VOICEPUSH_SERVICE_KEY, or the file of --key-file")
        if "HTTP 404" in counts.refused:
            say("is the address right? Give --base-url without a path")


def _as_object(campaign: str, counts: Polled) -> dict[str, object]:
    return {
        "campaign": campaign,
        "requests": counts.requests,
        "calls": counts.calls,
        "brought_further": counts.further.total(),
        "by_state": dict(+counts.further),
        "still_silent": counts.still_silent,
        "not_told_of": counts.untold,
        "failed": counts.failed,
        "failures": dict(counts.failures),
        "stopped": counts.refused,
    }


def _as_text(campaign: str, counts: Polled) -> str:
    rows = [
        ("brought further", counts.further.total()),
        *(
            (f"  {state.replace('_', ' ')}", number)
            for state, number in counts.further.most_common()
        ),
        ("still silent", counts.still_silent),
        ("  not told of", counts.untold),
        ("failed requests", counts.failed),
    ]
    always = {"brought further", "still silent"}
    lines = [f"{shown(campaign)}: {_asked(counts)}"]
    lines += [
        f"  {name:<16}{number:>12,}"
        for name, number in rows
        if number or name in always
    ]
    failures = counts.failures.most_common()
    lines += [f"  {number:>10,}  {why}" for why, number in failures]
    return "\n".join(lines)


def _duration(option: str, text: str) -> timedelta:
    found = parse_duration(text)
    if found is None:
        raise InputError(f"{option} {text} is no duration; write it like 90s or 2h")
    return found

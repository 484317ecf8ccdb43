"""
Options for when people are called, and the command that changes that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Parameter

from voicepush.campaign.campaign import Campaign
from voicepush.cli.exit_status import EVERYONE_ACCEPTED
from voicepush.cli.options import DEFAULT_LEDGER, LedgerPath, existing
from voicepush.cli.terminal import tell
from voicepush.errors import InputError
from voicepush.ledger.opening import said_of
from voicepush.model.fields import check_text
from voicepush.model.windows import Windows, dates
from voicepush.report.text import as_line
from voicepush.screening.grouping import Zoning
from voicepush.settings import is_loopback

#: Campaigns on the command line call at these hours, unless their owner says others.
DEFAULT_WINDOW = "08:00-21:00"


@Parameter(name="*", group="When people are called")
@attrs.frozen(kw_only=True)
class CallTimes:
    """
    The options that say when people are called, by the clock where they live.
    """

    window: str | None = None
    """At these hours, as "mon-fri 09:00-20:00, sat 10:00-14:00"; by default
    08:00-21:00, but not to a service on this machine."""
    not_on: Annotated[list[str] | None, Parameter(negative="")] = None
    """Not on this date, or those in a file, one on each line; may be given several
    times."""
    zone: str | None = None
    """Everyone lives in this time zone, such as Asia/Kolkata; by default a number's
    first digits tell."""
    zone_column: str | None = None
    """The column of the list with each one's time zone."""
    any_hour: str | None = None
    """Call at any hour, and why; the reason is kept in the history."""

    def build(self, base_url: str | None) -> tuple[Zoning | None, str | None]:
        """
        When people are called, and why at any hour where that is so.

        Args:
            base_url: The service's address; a service on this machine rings nobody.

        Raises:
            InputError: One of them can't be understood, or they contradict each other.
        """
        others = (self.window, self.not_on, self.zone, self.zone_column)
        if self.any_hour is not None:
            check_reason(self.any_hour, others)
            return None, self.any_hour
        if self.zone is not None and self.zone_column is not None:
            raise InputError("give either --zone or --zone-column")
        is_typed = any(each is not None for each in others)
        if not is_typed and base_url is not None and is_loopback(base_url):
            return None, None
        text = DEFAULT_WINDOW if self.window is None else self.window
        windows = build_windows(text, self.not_on or ())
        return Zoning(windows, self.zone, self.zone_column), None

    @property
    def given(self) -> dict[str, str | None]:
        """
        What was typed, by the option's name.
        """
        window = None if self.window is None else str(Windows.parse(self.window))
        days = sorted(_days(self.not_on or ()))
        return {
            "window": window,
            "not-on": ", ".join(map(str, days)),
            "zone": self.zone,
            "zone-column": self.zone_column,
            "any-hour": self.any_hour,
        }


async def windows(
    campaign: str,
    /,
    *,
    window: str | None = None,
    not_on: Annotated[list[str] | None, Parameter(negative="")] = None,
    any_hour: str | None = None,
    ledger: LedgerPath = DEFAULT_LEDGER,
) -> int:
    """
    Call the people of CAMPAIGN at other hours from now on, at once where it is running.

    Parameters
    ----------
    campaign
        The campaign's name.
    window
        At these hours, by the clock where they live; by default those it has.
    not_on
        Not on this date, or those in a file, one on each line, instead of those it has;
        may be given several times.
    any_hour
        Call at any hour, and why; the reason is kept in the history.
    ledger
        Where campaigns are kept.
    """
    if any_hour is not None:
        check_reason(any_hour, (window, not_on))
    async with existing(ledger) as opened:
        found = await Campaign.open(opened, campaign)
        before = found.windows
        if window is None and not_on is None and any_hour is None:
            tell(f"{campaign}: {said_of(before, found.any_hour)}")
            return EVERYONE_ACCEPTED
        changed: Windows | None = None
        if any_hour is None:
            kept = DEFAULT_WINDOW if before is None else str(before)
            text = kept if window is None else window
            changed = build_windows(text, not_on or ())
            if not_on is None and before is not None:
                changed = attrs.evolve(changed, not_on=before.not_on)
        await found.set_windows(changed, any_hour=any_hour)
        tell(f"{campaign}: {said_of(changed, any_hour)}")
        tell(as_line(await found.status()))
    return EVERYONE_ACCEPTED


def check_reason(reason: str, others: Sequence[object]) -> None:
    """
    Refuse to call at any hour without a reason, or at some hours as well.
    """
    if any(each is not None for each in others):
        raise InputError(
            "--any-hour calls at any hour; leave it out to give a window, days or zones"
        )
    if not reason.strip():
        raise InputError(
            'say why people are called at any hour, as --any-hour "outage alert"'
        )
    check_text(reason, "--any-hour")


def build_windows(text: str, not_on: Sequence[str]) -> Windows:
    """
    The windows that were typed as *text*, but for the days *not_on*.
    """
    return Windows.parse(text, not_on=_days(not_on))


def _days(typed: Sequence[str]) -> Iterator[date]:
    for each in typed:
        if not each.strip():
            raise InputError("--not-on names no date; leave it out")
        path = Path(each)
        if not path.is_file():
            yield from dates(each)
            continue
        for row, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1):
            try:
                yield from dates(line.partition("#")[0])
            except InputError as error:
                raise InputError(f"{each}, row {row}: {error}") from None

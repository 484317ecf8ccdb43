"""
Options for who is called first, and from when to when anyone is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs
from cyclopts import Parameter

from voicepush import clock
from voicepush.campaign.terms import Terms
from voicepush.cli.options import seconds
from voicepush.cli.times import check_future, parse_expiry
from voicepush.errors import InputError
from voicepush.ledger.plan import Trial
from voicepush.screening.grouping import Zoning
from voicepush.screening.kept import MessageColumn


@Parameter(name="*", group="In which order")
@attrs.frozen(kw_only=True)
class Ordering:
    """
    The options that say who is called before whom.
    """

    first: int | None = None
    """Call so many people first, chosen by chance from all parts of the list, and then
    stop; resume goes on with the others."""
    seed: str | None = None
    """Choose the same people again for --first: those that a campaign with this seed
    had."""
    observe: str | None = None
    """Go on by itself after such a time, as 30m, unless too many of the first failed or
    were not reached."""
    most_failed: str | None = None
    """How many that may be, as a share of the first: 20% by default."""
    priority_column: str | None = None
    """The column of the list with the number of each one's turn: 1 is called before 2,
    and blank ones after all others."""
    start_at: str | None = None
    """Call nobody before: 09:00, or a time with its offset."""
    stop_at: str | None = None
    """Call nobody from then on; who is left waits for resume."""

    def build(
        self,
        *,
        zoning: Zoning | None,
        any_hour: str | None,
        messages: MessageColumn | None,
    ) -> Terms:
        """
        The terms that they and others describe.

        Raises:
            InputError: One of them can't be understood, or does nothing.
        """
        starts_at = moment_of("--start-at", self.start_at)
        return Terms(
            zoning=zoning,
            any_hour=any_hour,
            messages=messages,
            priority_column=self.priority_column,
            trial=self._trial(),
            starts_at=starts_at,
            stops_at=moment_of("--stop-at", self.stop_at, after=starts_at),
        )

    def _trial(self) -> Trial | None:
        if self.first is None:
            for option, given in (
                ("--seed", self.seed),
                ("--observe", self.observe),
                ("--most-failed", self.most_failed),
            ):
                if given is not None:
                    raise InputError(f"{option} is of no use without --first")
            return None
        if self.most_failed is not None and self.observe is None:
            raise InputError("--most-failed is of no use without --observe")
        more: dict[str, float] = {}
        if self.most_failed is not None:
            more["most_failed"] = _share(self.most_failed)
        return Trial(
            people=self.first,
            seed=clock.random_hex(8) if self.seed is None else self.seed,
            observe=None
            if self.observe is None
            else seconds("--observe", self.observe),
            **more,
        )

    @property
    def given(self) -> dict[str, str | None]:
        """
        What was typed, by the option's name.
        """
        return {
            "first": None if self.first is None else str(self.first),
            "seed": self.seed,
            "observe": self.observe,
            "most-failed": self.most_failed,
            "priority-column": self.priority_column,
            "start-at": self.start_at,
            "stop-at": self.stop_at,
        }


def moment_of(
    option: str, text: str | None, *, after: datetime | None = None
) -> datetime | None:
    """
    The moment that was typed as *text* for *option*.

    Args:
        after: It is the next such time after this.

    Raises:
        InputError: It can't be understood, or has passed.
    """
    if text is None:
        return None
    try:
        found = parse_expiry(text, now=after)
    except InputError:
        raise InputError(
            f"{option} {text!r} can't be understood; write 18:00, 90m, or a time with "
            "its offset, such as 2026-12-24T18:00+05:30"
        ) from None
    if isinstance(found, timedelta):
        found = clock.utc_now() + found
    check_future(found, option)
    return found


def _share(text: str) -> float:
    number = text.strip().removesuffix("%")
    try:
        share = float(number) / 100 if text.strip().endswith("%") else float(number)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError(f"--most-failed {text!r} is no share; write it like 20%")
    return share

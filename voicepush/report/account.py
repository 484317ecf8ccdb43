"""
One campaign as it is told: the same for a page, a terminal and a program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import attrs

from voicepush.model.overview import Overview
from voicepush.model.status import CampaignStatus
from voicepush.report.figures.calls import calls
from voicepush.report.figures.figure import Figure
from voicepush.report.figures.flow import flow
from voicepush.report.figures.hours import Window, hours
from voicepush.report.figures.outcomes import outcomes
from voicepush.report.figures.speed import speed
from voicepush.report.figures.waiting import waiting
from voicepush.report.headline import KeyFigure, headline, key_figures
from voicepush.report.remedies import Remedy, remedy_of, remedy_of_receipt
from voicepush.report.text import Sum, sums_of, why_waiting
from voicepush.report.unknown import Advised, Group, advised, by_advice
from voicepush.report.wording import SHORT, detail, outside

#: So many reasons are listed, the most frequent first.
_MOST_REASONS = 20


class Reason(NamedTuple):
    """
    Why so many people have an outcome, or a call its state, and what to do about it.
    """

    what: str
    code: str
    words: str
    number: int
    remedy: Remedy


class Deed(NamedTuple):
    """
    Something that was done to a campaign.
    """

    at: datetime
    who: str
    event: str
    detail: str


@attrs.frozen(kw_only=True)
class Account:
    """
    One campaign as it is told; texts from outside may be shown as they are here.
    """

    overview: Overview
    name: str
    headline: str
    #: Why it stands as it does, a sentence each.
    standing: Sequence[str]
    key_figures: Sequence[KeyFigure]
    sums: Sequence[Sum]
    figures: Sequence[Figure]
    #: Of outcomes, and of what became of calls.
    reasons: Sequence[Reason]
    call_codes: Sequence[Reason]
    unknown: Sequence[Advised]
    source: str
    settings: Sequence[tuple[str, str]]
    history: Sequence[Deed]

    @property
    def status(self) -> CampaignStatus:
        """
        Where it stands.
        """
        return self.overview.status

    @property
    def advice(self) -> list[Group]:
        """
        What the receipts of the unknown speak for.
        """
        return by_advice(self.unknown)

    @property
    def drawn(self) -> list[Figure]:
        """
        The pictures in which there is something to be seen.
        """
        return [each for each in self.figures if each.spec]

    @property
    def missing(self) -> list[Figure]:
        """
        Those of which it is only said why there is nothing.
        """
        return [each for each in self.figures if not each.spec]


def account_of(overview: Overview, window: Window | None = None) -> Account:
    """
    What is told of the campaign of *overview*.

    Args:
        window: When people may be called, by their own clocks; by default when the
            campaign says so.
    """
    status = overview.status
    if window is None and overview.window is not None:
        window = Window.of_minutes(*overview.window)
    return Account(
        overview=overview,
        name=outside(status.campaign),
        headline=headline(status),
        standing=_standing(status),
        key_figures=key_figures(overview),
        sums=sums_of(status),
        figures=[
            flow(status),
            outcomes(overview),
            calls(overview),
            hours(overview, window),
            speed(overview),
            waiting(overview),
        ],
        reasons=_reasons(overview),
        call_codes=_call_codes(overview),
        unknown=advised(overview.unknown, status, overview.receipts),
        source=outside(overview.source),
        settings=[
            (outside(name, SHORT), outside(value))
            for name, value in overview.settings.items()
        ],
        history=[
            Deed(
                each.at,
                outside(each.who),
                outside(each.event, SHORT),
                detail(each.detail),
            )
            for each in overview.history
        ],
    )


def _standing(status: CampaignStatus) -> list[str]:
    found = [f"The campaign is {status.state.value}"]
    if status.reason:
        found[0] += f": {outside(status.reason)}"
    if status.follows:
        found.append(f"It calls people of {outside(status.follows)} again")
    why = why_waiting(status)
    if why:
        found.append(outside(why[0].upper() + why[1:]))
    return [f"{each}." for each in found]


def _reasons(overview: Overview) -> list[Reason]:
    found: Counter[Reason] = Counter()
    for verdict, number in overview.reasons.items():
        reason = Reason(
            verdict.outcome.value.replace("_", " "),
            outside(verdict.code or "", SHORT),
            outside(verdict.description),
            0,
            remedy_of(verdict),
        )
        # An API that writes the number into each description makes them differ.
        found[reason] += number
    return _most(found)


def _call_codes(overview: Overview) -> list[Reason]:
    told: Counter[tuple[str, str]] = Counter()
    for at in overview.timeline.calls:
        told[at.state.value, at.code] += at.calls
    found: Counter[Reason] = Counter()
    for (state, code), number in told.items():
        remedy = remedy_of_receipt(code)
        words = state.replace("_", " ")
        found[Reason(words, outside(code, SHORT), remedy.means, 0, remedy)] += number
    return _most(found)


def _most(found: Counter[Reason]) -> list[Reason]:
    most = found.most_common()
    listed = [each._replace(number=number) for each, number in most[:_MOST_REASONS]]
    left = sum(number for _, number in most[_MOST_REASONS:])
    if left:
        others = f"for {len(most) - _MOST_REASONS:,} other reasons"
        listed.append(Reason("", "", others, left, Remedy("", "see the export")))
    return listed

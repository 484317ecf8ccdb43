"""
A sentence that says how a campaign went, and the figures that stand out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepush import clock
from voicepush.model.overview import Overview
from voicepush.model.status import CampaignStatus
from voicepush.report.unknown import for_how_long
from voicepush.report.wording import local_time, share


class KeyFigure(NamedTuple):
    """
    A number that stands out.
    """

    words: str
    number: str
    #: What it is a part of, or when it was.
    note: str = ""


def reached(status: CampaignStatus) -> int:
    """
    How many picked up, as far as is known.
    """
    return 0 if status.calls is None else status.calls.reached + status.calls.agent


def headline(status: CampaignStatus, lists: int = 1) -> str:
    """
    How it went, in one sentence.

    Args:
        lists: How many there are, where *status* is that of several.
    """
    where, them = "the list", "the list"
    if lists > 1:
        where, them = f"{lists} lists", "the lists"
    if not status.read:
        return "The list holds nobody." if lists == 1 else "The lists hold nobody."
    picked_up = reached(status)
    head = f"Of {_people(status.read)} on {where} "
    if not status.accepted:
        head += "nobody was called" + (" yet" if _ahead(status) else "")
    elif status.calls is None:
        head += (
            f"{_be(status.accepted, 'called')}; who picked up is not known, since no "
            "receipt has come"
        )
    else:
        head += (
            f"{_be(status.accepted, 'called')} and {picked_up:,} picked up "
            f"({share(picked_up, status.accepted)})"
        )
    left_out = status.invalid + status.duplicate + status.suppressed
    rest = [
        words
        for number, words in (
            (status.unknown, f"{status.unknown:,} may have been called"),
            (status.rejected, _be(status.rejected, "refused")),
            (status.expired, f"{status.expired:,} expired before they were sent"),
            (status.not_sent, _be(status.not_sent, "not sent")),
            (_ahead(status), _be(_ahead(status), "still to be called", now=True)),
            (left_out, f"{_be(left_out, 'left out')} of {them}"),
        )
        if number
    ]
    return f"{'; '.join(filter(None, (head, ', '.join(rest))))}."


def _people(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _be(number: int, done: str, *, now: bool = False) -> str:
    one, more = ("is", "are") if now else ("was", "were")
    return f"{number:,} {one if number == 1 else more} {done}"


def _ahead(status: CampaignStatus) -> int:
    return status.pending + status.in_flight


def key_figures(overview: Overview) -> Sequence[KeyFigure]:
    """
    The figures that stand out.
    """
    status = overview.status
    found = [
        KeyFigure("on the list", f"{status.read:,}"),
        KeyFigure(
            "called",
            f"{status.accepted:,}",
            f"{share(status.accepted, status.planned)} of {status.planned:,} planned",
        ),
    ]
    if status.calls is not None:
        found.append(
            KeyFigure(
                "picked up",
                f"{reached(status):,}",
                f"{share(reached(status), status.accepted)} of the called",
            )
        )
    if status.unknown:
        found.append(
            KeyFigure(
                "may have been called", f"{status.unknown:,}", "unknown, see below"
            )
        )
    if _ahead(status):
        found.append(KeyFigure("still to be called", f"{_ahead(status):,}"))
    stamps = [each.at for each in overview.timeline.outcomes]
    if stamps:
        lasted = max(stamps) - min(stamps)
        found.append(
            KeyFigure(
                "took",
                for_how_long(lasted),
                f"from {local_time(clock.moment(min(stamps)))}",
            )
        )
    return found

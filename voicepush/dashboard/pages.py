"""
Values as HTML: whole pages, and the parts of them that change.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import voicepush
from voicepush import clock
from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.call import CallState
from voicepush.model.status import CampaignStatus
from voicepush.report.figures.calls import why_no_receipt
from voicepush.report.headline import headline, reached
from voicepush.report.pages import environment
from voicepush.report.text import duration, time_of_day, why_waiting
from voicepush.report.wording import share

#: Where those who were planned are, in the order in which a bar shows them.
_PLANNED = (
    *("accepted", "rejected", "expired", "not_sent", "unknown"),
    *("in_flight", "pending"),
)

#: What becomes of calls, likewise.
_CALLS = tuple(state.value for state in CallState)


class Pages:
    """
    Makes pages.

    Args:
        title: What is shown: the ledger's name.
        show_numbers: Whether a recipient that was looked up is shown whole.
    """

    def __init__(self, *, title: str, show_numbers: bool) -> None:
        self._environment = environment("voicepush.dashboard")
        self._environment.filters.update(
            shown=shown,
            number="{:,}".format,
            rate="{:,.0f}/s".format,
            words=lambda name: name.replace("_", " "),
            duration=duration,
            clock=time_of_day,
            iso=_iso,
            quoted=lambda text: quote(text, safe=""),
        )
        self._everywhere: dict[str, Any] = {
            "title": title,
            "version": voicepush.__version__,
            "PLANNED": _PLANNED,
            "CALLS": _CALLS,
            "now": clock.utc_now,
            "moment": clock.moment,
            "headline": headline,
            "reached": reached,
            "seconds_left": _seconds_left,
            "share": share,
            "why_waiting": why_waiting,
            "why_no_receipt": why_no_receipt,
            "whom": shown if show_numbers else lambda text: mask(shown(text)),
            "id_of": shown if show_numbers else lambda text: mask_numbers(shown(text)),
        }

    def page(self, name: str, **values: Any) -> str:
        """
        The page, or the part of one, that is called *name*.
        """
        template = self._environment.get_template(f"{name}.html")
        return template.render(self._everywhere, **values)

    def parts(self, *names: str, **values: Any) -> dict[str, str]:
        """
        Some parts of a page.
        """
        return {name: self.page(f"parts/{name}", **values) for name in names}


def _seconds_left(status: CampaignStatus) -> float | None:
    """
    How long a campaign takes yet, where that is known.
    """
    ahead = status.pending + status.in_flight
    if not ahead or not status.throughput or status.waiting is not None:
        return None
    return ahead / status.throughput


def _iso(moment: datetime) -> str:
    return moment.astimezone().isoformat(timespec="seconds")

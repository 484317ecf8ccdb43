"""
Values as HTML: whole pages, and the parts of them that change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

import voicepush
from voicepush import clock
from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.call import CallState
from voicepush.model.status import CampaignStatus
from voicepush.report.text import (
    call_as_text,
    duration,
    receipts_as_text,
    time_of_day,
    why_waiting,
)

#: What a bar is made of, in this order.
_FLOW = ("accepted", "rejected", "expired", "not_sent", "unknown", "in_flight")

_CALLS = tuple(state.value for state in CallState)


class Pages:
    """
    Makes pages.

    Args:
        title: What is shown: the ledger's name.
        show_numbers: Whether a recipient is shown whole where one was looked up.
    """

    def __init__(self, *, title: str, show_numbers: bool) -> None:
        environment = Environment(
            loader=PackageLoader("voicepush.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals |= {
            "title": title,
            "version": voicepush.__version__,
            "FLOW": _FLOW,
            "CALLS": _CALLS,
            "now": clock.utc_now,
            "left_of": _left,
            "why_waiting": why_waiting,
            "receipts_as_text": receipts_as_text,
            "call_as_text": call_as_text,
        }
        environment.filters |= {
            "words": _words,
            "shown": _shown,
            "said": lambda text: mask_numbers(_shown(text)),
            "number": "{:,}".format,
            "duration": duration,
            "clock": time_of_day,
            "iso": _iso,
            "query": lambda text: quote(text, safe=""),
            "who": _shown if show_numbers else lambda text: mask(_shown(text)),
            "ids": _shown if show_numbers else lambda text: mask_numbers(_shown(text)),
        }
        self._environment = environment

    def page(self, name: str, **values: Any) -> str:
        """
        The page called *name*, with *values*.
        """
        return self._environment.get_template(f"{name}.html").render(values)

    def parts(self, names: Iterable[str], **values: Any) -> dict[str, str]:
        """
        Some parts of a page.
        """
        return {name: self.page(f"parts/{name}", **values) for name in names}


def _left(status: CampaignStatus) -> float | None:
    """
    How many seconds a campaign needs yet, where that is known.
    """
    ahead = status.pending + status.in_flight
    if not ahead or not status.throughput or status.waiting is not None:
        return None
    return ahead / status.throughput


def _words(name: str) -> str:
    return name.replace("_", " ")


def _shown(text: str | None) -> str:
    return shown(text or "")


def _iso(moment: datetime) -> str:
    return moment.astimezone().isoformat(timespec="seconds")

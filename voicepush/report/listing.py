"""
Campaigns with their dates, and what was done to them, a line or two for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import attrs

from voicepush.masking import mask_numbers, shown
from voicepush.model.message import VoiceMessage
from voicepush.model.status import CampaignDates, CampaignStatus, HistoryEntry
from voicepush.report.json import as_object, time_text
from voicepush.report.text import as_line


class Listed(NamedTuple):
    """
    One campaign of a ledger.
    """

    status: CampaignStatus
    dates: CampaignDates
    message: VoiceMessage
    #: Where its recipients came from.
    source: str


class Deed(NamedTuple):
    """
    Something that was done to a campaign.
    """

    campaign: str
    entry: HistoryEntry


def listed_as_text(listed: Iterable[Listed]) -> str:
    """
    Each campaign with its dates.
    """
    return "\n".join(map(_as_text, listed))


def _as_text(each: Listed) -> str:
    dates = each.dates
    told = [f"planned {time_text(dates.planned)}"]
    if dates.first_claimed is not None and dates.last_claimed is not None:
        told.append(f"first claim {time_text(dates.first_claimed)}")
        told.append(f"last claim {time_text(dates.last_claimed)}")
    if dates.ended is not None:
        told.append(f"ended {time_text(dates.ended)}")
    what = f"{_played(each.message)} to {mask_numbers(each.source)}"
    return f"{as_line(each.status)}\n  {', '.join(told)}\n  {shown(what)}"


def _played(message: VoiceMessage) -> str:
    if message.media is not None:
        return f"media {message.media}"
    return f"call flow {message.callflow}"


def listed_as_object(each: Listed) -> dict[str, object]:
    """
    One campaign for JSON.
    """
    return {
        **as_object(each.status),
        **{f"{name}_at": at for name, at in attrs.asdict(each.dates).items()},
        "media": each.message.media,
        "callflow": each.message.callflow,
        "source": each.source,
    }


def deeds_as_text(deeds: Iterable[Deed]) -> str:
    """
    What was done to which campaign, a line for each.
    """
    return "\n".join(
        f"{time_text(each.entry.at)}  {shown(each.campaign)}  {each.entry.event}  "
        f"{each.entry.who}"
        + (f": {shown(each.entry.detail)}" if each.entry.detail else "")
        for each in deeds
    )


def deed_as_object(deed: Deed) -> dict[str, object]:
    """
    The same for JSON.
    """
    return {"campaign": deed.campaign, **attrs.asdict(deed.entry)}


def in_order(deeds: Iterable[Deed], since: datetime | None) -> list[Deed]:
    """
    *deeds*, the oldest first, without those before *since*.
    """
    wanted = [each for each in deeds if since is None or each.entry.at >= since]
    # Those of one campaign stay in the order in which they were written.
    return sorted(wanted, key=lambda each: each.entry.at)

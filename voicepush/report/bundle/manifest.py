"""
What a bundle says of itself: which campaign, what it was told to do, and the counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs
import msgspec

from voicepush.model.outcome import Outcome
from voicepush.model.status import CampaignDates, CampaignStatus
from voicepush.report.bundle.calls import CallRows
from voicepush.report.bundle.contents import FORMAT, FORMAT_VERSION, IN_FLIGHT

_IS_URL = re.compile("https?://", re.IGNORECASE)

#: What adds up to the planned.
PARTS = (
    *("pending", IN_FLIGHT, "accepted", "rejected", "expired", "not_sent", "unknown"),
)

#: What adds up, with the planned, to those who were read.
LEFT_OUT = ("invalid", "duplicate", "suppressed")

#: What must be the same in the ledger and in the rows, if nobody went on meanwhile.
_SAME = (*PARTS, "planned", "suppressed")


@attrs.frozen(kw_only=True)
class Source:
    """
    The list of a campaign, and what is left of it.
    """

    name: str
    sha256: str | None
    size: int | None
    #: ``same``, ``another list``, ``gone``, or ``not looked at``.
    now: str
    #: What it is called in the bundle, where its owner wanted that.
    file: str | None = None


@attrs.frozen(kw_only=True)
class Suppressed:
    """
    The suppression list of the ledger, when a bundle was made.
    """

    #: How many people are on it,
    people: int
    #: of them of this campaign,
    of_this_campaign: int
    #: and how often something was done to it.
    events: int


def counts_of(rows: CallRows, status: CampaignStatus) -> dict[str, int]:
    """
    How many people are where by the *rows* of a bundle; those who were refused when
    planning are in none of them, and counted by *status*.
    """
    later = rows.outcomes[Outcome.SUPPRESSED.value]
    refused = status.invalid + status.duplicate
    when_planned = status.read - refused - rows.number
    return {
        "read": status.read,
        "invalid": status.invalid,
        "duplicate": status.duplicate,
        "suppressed": when_planned + later,
        "suppressed_when_planned": when_planned,
        "suppressed_later": later,
        "rows": rows.number,
        "planned": rows.number - later,
        **{name: rows.outcomes[name] for name in PARTS},
        "given_up": rows.given_up,
    }


def differences(counts: Mapping[str, int], status: CampaignStatus) -> list[str]:
    """
    What the rows of a bundle count otherwise than the ledger's *status*.
    """
    return [
        f"{counts[name]:,} {name.replace('_', ' ')} in the rows, "
        f"{getattr(status, name):,} in the sums"
        for name in _SAME
        if counts[name] != getattr(status, name)
    ]


def sums_in(counts: Mapping[str, int]) -> list[str]:
    """
    Both sums that every campaign keeps, written out; only those that hold.
    """
    return [
        _sum(counts, "planned", PARTS),
        _sum(counts, "read", ("planned", *LEFT_OUT)),
    ]


def _sum(counts: Mapping[str, int], whole: str, parts: Sequence[str]) -> str:
    told = " + ".join(f"{counts[name]} {name}" for name in parts)
    return f"{counts[whole]} {whole} = {told}"


def manifest(  # noqa: PLR0913 -- each is a part of it
    *,
    status: CampaignStatus,
    after: CampaignStatus,
    went_on: bool,
    made: Mapping[str, object],
    dates: CampaignDates,
    plan: Mapping[str, object],
    messages: Sequence[Mapping[str, object]],
    source: Source,
    counts: Mapping[str, int],
    others: Mapping[str, object],
) -> bytes:
    """
    The manifest as JSON, a field per line.

    Args:
        status: Where the campaign stood before its rows were read, and *after* it.
        messages: What is played, by its number, and whatever else is known of those to
            whom; each ``message`` as the plan keeps it.
        others: What else stands in it.
    """
    found = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "campaign": status.campaign,
        "state": after.state,
        "reason": after.reason,
        "made": made,
        "went_on_meanwhile": went_on,
        "dates": attrs.asdict(dates),
        "counts": counts,
        "sums": sums_in(counts),
        "calls": None if after.calls is None else attrs.asdict(after.calls),
        "messages": list(map(_message, messages)),
        "plan": plan,
        "source": attrs.asdict(source),
        **others,
    }
    packed = msgspec.json.encode(found, enc_hook=str)
    return msgspec.json.format(packed, indent=2) + b"\n"


def plan_as_object(plan: Any) -> dict[str, object]:
    """
    Whatever a plan says but for its message, field by field; what has words of its own
    is told in these as well.
    """
    return {
        field.name: _told(getattr(plan, field.name))
        for field in attrs.fields(type(plan))
        if field.name != "message"
    }


def _told(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return list(map(_told, value))
    if not attrs.has(type(value)) or isinstance(value, type):
        return value
    words = {}
    if type(value).__str__ is not object.__str__:
        words["in_words"] = str(value)
    return {**words, **attrs.asdict(value)}  # type: ignore[arg-type] # it is of attrs


def _message(group: Mapping[str, object]) -> dict[str, object]:
    """
    What is played, as it stands in requests, without what may be a secret in a URL.
    """
    packed = str(group["message"])
    found = msgspec.json.decode(packed, type=dict[str, object])
    message = {name: _without_secrets(value) for name, value in found.items()}
    return {**group, "message": message}


def _without_secrets(value: object) -> object:
    if not (isinstance(value, str) and _IS_URL.match(value)):
        return value
    # What stands behind the path, or before the host, may be one.
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

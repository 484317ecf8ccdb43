"""
For people: lines on a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import attrs

from voicepush import clock
from voicepush.masking import mask_numbers, shown
from voicepush.model.call import Call, ReceiptCounts
from voicepush.model.outcome import Outcome, Summary, Verdict
from voicepush.model.status import (
    CampaignState,
    CampaignStatus,
    GroupCounts,
    HistoryEntry,
    Lookup,
    Minute,
    Resolved,
)
from voicepush.report.json import time_text

#: The outcomes in the order in which they are told.
_TOLD = (
    Outcome.ACCEPTED,
    Outcome.REJECTED,
    Outcome.EXPIRED,
    Outcome.NOT_SENT,
    Outcome.UNKNOWN,
)


#: So many reasons are listed, the most frequent first.
_MOST_REASONS = 8


def counted(number: int, word: str) -> str:
    """
    So many of what *word* names, in the singular or the plural.
    """
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def as_line(status: CampaignStatus) -> str:
    """
    One campaign as one line.
    """
    line = (
        f"{shown(status.campaign)}: {status.state.value}, {status.done:,} of "
        f"{status.planned:,} done; {outcomes_of(status)}"
    )
    why = why_waiting(status)
    return f"{line}; {why}" if why else line


def pace_of(status: CampaignStatus, seen: float) -> str:
    """
    How fast it goes, and how long that takes.

    Args:
        seen: Recipients per second as the progress was seen, where the dispatcher has
            not measured it yet.
    """
    throughput = seen if status.throughput is None else status.throughput
    ahead = status.planned - status.done
    if status.waiting is not None or not throughput:
        return (
            f"{throughput:,.0f}/s, time left unknown"
            if ahead
            else f"{throughput:,.0f}/s"
        )
    return f"{throughput:,.0f}/s, {duration(ahead / throughput)} left"


def why_waiting(status: CampaignStatus) -> str:
    """
    Why nothing goes on, and since when; empty where something does.
    """
    if status.waiting is None:
        return ""
    since = status.waiting_since
    when = "" if since is None else f" since {time_of_day(since)}"
    return f"nothing goes on{when}: {shown(mask_numbers(status.waiting))}"


def time_of_day(moment: datetime) -> str:
    """
    *moment* by this machine's clock; what was today needs no date.
    """
    local = moment.astimezone()
    is_today = local.date() == clock.utc_now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S %z}"


def outcomes_of(status: CampaignStatus | GroupCounts) -> str:
    """
    The outcomes that occurred, and how many are under way.
    """
    told = [
        f"{number:,} {_words(outcome)}"
        for outcome in _TOLD
        if (number := getattr(status, outcome.value))
    ]
    if status.in_flight:
        told.append(f"{status.in_flight:,} in flight")
    return ", ".join(told) or "no one called yet"


def messages_as_text(messages: Mapping[str, GroupCounts]) -> str:
    """
    Where people stand by what they are played, a line each.
    """
    return "\n".join(
        f"  {shown(played)}: {each.planned - each.pending - each.in_flight:,} of "
        f"{each.planned:,} done; {outcomes_of(each)}"
        for played, each in messages.items()
    )


def as_text(status: CampaignStatus) -> str:
    """
    One campaign in full: every recipient that was read is in exactly one line.
    """
    by = f", {status.workers} workers" if status.workers > 1 else ""
    lines = [f"campaign {shown(status.campaign)}: {status.state.value}{by}"]
    if status.reason:
        lines.append(f"  because {shown(status.reason)}")
    if status.follows:
        lines.append(f"  calls people of {shown(status.follows)} again")
    why = why_waiting(status)
    if why:
        lines.append(f"  {why}")
    lines += [
        f"  {'  ' * each.depth + each.words:<16}{each.number:>12,}"
        for each in sums_of(status)
    ]
    if status.due_again:
        lines.append(
            f"  due again when their windows open: {status.due_again:,}, not rung "
            "before they closed"
        )
        if status.state is not CampaignState.RUNNING:
            lines.append(f"  voicepush resume {shown(status.campaign)} calls them")
    if status.given_up:
        lines.append(f"  given up: {status.given_up:,} of the unknown")
    if status.unknown > status.given_up:
        lines.append(
            "  unknown: the service may have called them, so they are not sent again; "
            f"see voicepush resolve {shown(status.campaign)}"
        )
    if status.throughput:
        lines.append(f"  {pace_of(status, 0.0)}")
    late = status.will_expire(clock.utc_now())
    if late:
        lines.append(
            f"  at {status.throughput or status.rate:,.0f}/s, {late:,} of "
            f"{status.pending:,} pending will expire unsent"
        )
    return "\n".join(lines)


class Sum(NamedTuple):
    """
    How many recipients are somewhere.
    """

    #: Those of a greater depth that follow are parts of it, or were left out before it.
    depth: int
    words: str
    number: int


def sums_of(status: CampaignStatus) -> list[Sum]:
    """
    Every recipient that was read is in exactly one of those that are no sums of others;
    nobody is told of only where that is something to be told.
    """
    calls = () if status.calls is None else attrs.asdict(status.calls).items()
    rows = [
        Sum(0, "read", status.read),
        Sum(1, "invalid", status.invalid),
        Sum(1, "duplicate", status.duplicate),
        Sum(1, "suppressed", status.suppressed),
        Sum(0, "planned", status.planned),
        Sum(1, "pending", status.pending),
        Sum(1, "in flight", status.in_flight),
        Sum(1, "accepted", status.accepted),
        *(Sum(2, name.replace("_", " "), number) for name, number in calls),
        Sum(1, "rejected", status.rejected),
        Sum(1, "expired", status.expired),
        Sum(1, "not sent", status.not_sent),
        Sum(1, "unknown", status.unknown),
    ]
    return [each for each in rows if each.number or each.words in _ALWAYS]


#: What is told also where it is nobody.
_ALWAYS = {"read", "planned", "pending", "accepted", "reached", "not reached"}


def lookup_as_text(found: Lookup) -> str:
    """
    What is known of one recipient, with the whole number: it was asked for.
    """
    result = found.result
    said = _said(result.code, result.description)
    outcome = "in flight" if found.in_flight else _words(result.outcome)
    head = shown(
        f"{result.recipient or '(forgotten)'}: {outcome} in campaign {found.campaign}"
    )
    head += shown(f", a round after {found.follows}") if found.follows else ""
    if found.archived:
        head += f", archived {time_text(found.archived)}"
    when = f"claimed {time_text(found.claimed)}, recorded {time_text(found.recorded)}"
    lines = [
        f"{head} ({said})" if said else head,
        f"  {when}, {counted(found.attempts, 'request')} for its batch {found.batch}",
        shown(f"  correlation id {result.correlation_id}"),
        shown(f"  transaction id {result.transaction_id or 'none'}"),
    ]
    lines += [shown(f"  kept {name}: {text}") for name, text in found.kept.items()]
    if found.call is not None:
        lines.append(f"  {call_as_text(found.call)}")
    if found.receipts:
        lines.append(f"  {counted(len(found.receipts), 'receipt')} kept; see --json")
    return "\n".join(lines)


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def reasons_of(summary: Summary, status: CampaignStatus) -> list[str]:
    """
    Why recipients were not accepted, the most frequent reason first; and how many more
    the *status* knows of, about whom that dispatch can't tell.
    """
    found = summary.reasons.most_common()
    lines = [f"  {number:>10,}  {_reason(verdict)}" for verdict, number in found]
    if len(lines) > _MOST_REASONS:
        left = sum(number for _, number in found[_MOST_REASONS:])
        lines[_MOST_REASONS:] = [f"  {left:>10,}  for other reasons"]
    told: Counter[Outcome] = Counter()
    for verdict, number in found:
        told[verdict.outcome] += number
    for outcome in _TOLD[1:]:  # all but those who were accepted
        more = getattr(status, outcome.value) - told[outcome]
        if more > 0:
            words = "in an earlier run, or with another process"
            lines.append(f"  {more:>10,}  {_words(outcome)}: {words}")
    return lines


def _reason(verdict: Verdict) -> str:
    said = _said(verdict.code, verdict.description)
    return f"{_words(verdict.outcome)}: {said or 'no reason given'}"


def _said(code: str | None, description: str) -> str:
    return shown(" ".join(filter(None, (code, description))))


def forecast(planned: int, rate: float | None, seconds_left: float | None) -> str:
    """
    How long *planned* recipients take, and how many won't be reached in time.
    """
    if rate is None:
        return (
            "no rate is set: it goes as fast as the service takes it; "
            "set --rate for a forecast"
        )
    needed = planned / rate
    text = f"at {rate:,g}/s, {planned:,} take {duration(needed)}"
    if seconds_left is None:
        return text
    late = max(0, planned - int(rate * max(0.0, seconds_left)))
    if late:
        return (
            f"{text}: {late:,} of {planned:,} will expire unsent, "
            f"{duration(seconds_left)} from now"
        )
    return f"{text}, within the expiry {duration(seconds_left)} from now"


def duration(seconds: float) -> str:
    """
    *seconds* as people say it.
    """
    whole = timedelta(seconds=max(0, round(seconds)))
    if whole < timedelta(minutes=1):
        return f"{whole.seconds} s"
    return str(whole)


def history_as_text(done: Sequence[HistoryEntry], minutes: Sequence[Minute]) -> str:
    """
    What was done to a campaign, and how it went, a line for each.
    """
    lines = [
        f"{time_text(each.at)}  {each.event:8}  {each.who}"
        + (f": {shown(each.detail)}" if each.detail else "")
        for each in done
    ]
    for each in minutes:
        progress = each.progress
        pace = "no limit" if progress.rate is None else f"{progress.rate:,.0f}/s"
        lines.append(
            f"{time_text(each.at)}  minute    {progress.recipients:,} recipients, "
            f"{progress.throttled:,} requests refused for speed, {pace}"
        )
    return "\n".join(lines)


def left_alone(resolved: Resolved) -> str:
    """
    Why some of the unknown are not sent again, in words.
    """
    return (
        f"{resolved.left_alone:,} unknown are not sent again: {resolved.process} had "
        "claimed them and may still send to them; make sure that it has ended, and say "
        "--process-is-gone"
    )


def calls_as_line(status: CampaignStatus) -> str:
    """
    What became of the accepted so far, in one line.
    """
    if status.calls is None:
        return "no receipt yet"
    told = [
        f"{number:,} {name.replace('_', ' ')}"
        for name, number in attrs.asdict(status.calls).items()
        if number
    ]
    return f"of {status.accepted:,} calls: {', '.join(told)}"


def call_as_text(call: Call) -> str:
    """
    What became of one call.
    """
    said = _said(call.code, call.words)
    text = f"call {call.state.replace('_', ' ')}"
    text += f" ({said})" if said else ""
    if call.answered_at is not None:
        text += f", picked up {time_text(clock.moment(call.answered_at))}"
    if call.ended_at is not None:
        text += f", ended {time_text(clock.moment(call.ended_at))}"
    if call.heard is not None:
        text += f", heard for {call.heard:,.0f} s"
    return text


def receipts_as_text(counts: ReceiptCounts) -> str:
    """
    What a ledger has received, in one line.
    """
    told = [f"{counted(counts.received, 'receipt')} received"]
    if counts.last_at is not None:
        told[0] += f", the last {time_text(clock.moment(counts.last_at))}"
    if counts.unplaced:
        told.append(f"{counts.unplaced:,} of no known call")
    if counts.unreadable:
        told.append(f"{counts.unreadable:,} not understood")
    if counts.refused:
        told.append(f"{counts.refused:,} refused for a wrong signature or password")
    return "; ".join(told)

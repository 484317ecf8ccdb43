"""
For people: lines on a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from voicepush import clock
from voicepush.masking import mask_numbers, shown
from voicepush.model.outcome import Outcome, Summary, Verdict
from voicepush.model.status import Doubt, Found, Standing
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


_MOST_DOUBTS = 20


def as_line(standing: Standing) -> str:
    """
    One campaign as one line.
    """
    line = (
        f"{shown(standing.campaign)}: {standing.state.value}, {standing.done:,} of "
        f"{standing.planned:,} done; {outcomes_of(standing)}"
    )
    why = why_waiting(standing)
    return f"{line}; {why}" if why else line


def pace_of(standing: Standing, seen: float) -> str:
    """
    How fast it goes, and how long that takes.

    Args:
        seen: Recipients per second as the progress was seen, where the dispatcher has
            not measured it yet.
    """
    speed = seen if standing.speed is None else standing.speed
    ahead = standing.planned - standing.done
    if standing.waiting is not None or not speed:
        return f"{speed:,.0f}/s, time left unknown" if ahead else f"{speed:,.0f}/s"
    return f"{speed:,.0f}/s, {duration(ahead / speed)} left"


def why_waiting(standing: Standing) -> str:
    """
    Why nothing goes on, and since when; empty where something does.
    """
    if standing.waiting is None:
        return ""
    since = standing.waiting_since
    when = "" if since is None else f" since {_clock(since)}"
    return f"nothing goes on{when}: {shown(mask_numbers(standing.waiting))}"


def _clock(moment: datetime) -> str:
    # What began today needs no date, on this machine's clock.
    local = moment.astimezone()
    is_today = local.date() == clock.utc_now().astimezone().date()
    return f"{local:%H:%M:%S}" if is_today else f"{local:%Y-%m-%d %H:%M:%S %z}"


def outcomes_of(standing: Standing) -> str:
    """
    The outcomes that occurred, and how many are under way.
    """
    told = [
        f"{number:,} {_words(outcome)}"
        for outcome in _TOLD
        if (number := getattr(standing, outcome.value))
    ]
    if standing.in_flight:
        told.append(f"{standing.in_flight:,} in flight")
    return ", ".join(told) or "no one called yet"


def as_text(standing: Standing) -> str:
    """
    One campaign in full: every recipient that was read is in exactly one line.
    """
    lines = [f"campaign {shown(standing.campaign)}: {standing.state.value}"]
    if standing.reason:
        lines.append(f"  because {shown(standing.reason)}")
    why = why_waiting(standing)
    if why:
        lines.append(f"  {why}")
    rows = [
        ("read", standing.read),
        ("  invalid", standing.invalid),
        ("  duplicate", standing.duplicate),
        ("  suppressed", standing.suppressed),
        ("planned", standing.planned),
        ("  pending", standing.pending),
        ("  in flight", standing.in_flight),
        ("  accepted", standing.accepted),
        ("  rejected", standing.rejected),
        ("  expired", standing.expired),
        ("  not sent", standing.not_sent),
        ("  unknown", standing.unknown),
    ]
    always = {"read", "planned", "  pending", "  accepted"}
    lines += [
        f"  {name:<14}{number:>14,}"
        for name, number in rows
        if number or name in always
    ]
    if standing.given_up:
        lines.append(f"  given up: {standing.given_up:,} of the unknown")
    if standing.unknown > standing.given_up:
        lines.append(
            "  unknown: the service may have called them, so they are not sent again; "
            f"see voicepush settle {shown(standing.campaign)}"
        )
    late = standing.will_expire(clock.utc_now())
    if late:
        lines.append(
            f"  at {standing.speed or standing.rate:,.0f}/s, {late:,} of "
            f"{standing.pending:,} pending will expire unsent"
        )
    return "\n".join(lines)


def doubts_as_text(doubts: Sequence[Doubt]) -> str:
    """
    The evidence on requests whose answer is not known.
    """
    lines = [
        f"  {doubt.batch}  {time_text(doubt.claimed)}  {doubt.unknown:>5,} unknown, "
        f"{doubt.accepted:,} accepted  {shown('; '.join(doubt.reasons))}"
        for doubt in doubts[:_MOST_DOUBTS]
    ]
    if len(doubts) > _MOST_DOUBTS:
        lines.append(f"  and {len(doubts) - _MOST_DOUBTS:,} more requests")
    return "\n".join(lines)


def found_as_text(found: Found) -> str:
    """
    What is known of one recipient, with the whole number: it was asked for.
    """
    result = found.result
    said = _said(result.code, result.description)
    outcome = "in flight" if found.in_flight else _words(result.outcome)
    head = shown(f"{result.recipient}: {outcome} in campaign {found.campaign}")
    when = f"claimed {time_text(found.claimed)}, settled {time_text(found.settled)}"
    lines = [
        f"{head} ({said})" if said else head,
        f"  {when}, {found.attempts} requests for its batch {found.batch}",
        shown(f"  correlation id {result.correlation_id}"),
        shown(f"  transaction id {result.transaction_id or 'none'}"),
    ]
    return "\n".join(lines)


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def reasons_of(summary: Summary) -> str:
    """
    Why recipients were not accepted, the most frequent reason first.
    """
    found = summary.reasons.most_common()
    lines = [f"  {number:>10,}  {_reason(verdict)}" for verdict, number in found]
    if len(lines) > _MOST_REASONS:
        left = sum(number for _, number in found[_MOST_REASONS:])
        lines[_MOST_REASONS:] = [f"  {left:>10,}  for other reasons"]
    return "\n".join(lines)


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

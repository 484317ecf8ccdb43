"""
What a campaign would be: counts, a forecast and its first request, with no one called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import attrs

from voicepush import clock
from voicepush.campaign.planning import Cutter
from voicepush.campaign.terms import Terms
from voicepush.cli.times import told, told_expiry
from voicepush.masking import mask, mask_numbers, shown
from voicepush.model.batch import Batch, Group, make_tag
from voicepush.model.message import VoiceMessage
from voicepush.model.reach import Reach, reach
from voicepush.report.json import reach_as_object
from voicepush.report.reaching import reach_as_lines
from voicepush.report.text import counted, forecast
from voicepush.screening.refusals import Refusal
from voicepush.screening.screening import Screening
from voicepush.sending.request import encode
from voicepush.sources.blocks import Block
from voicepush.sources.files import ListFile

#: So much of the first request is shown.
_SHOWN = 600


@attrs.frozen(kw_only=True)
class FirstRequest:
    """
    The request that would leave first.
    """

    destinations: int
    bytes: int
    #: How it begins, with its numbers masked.
    begins: str


@attrs.frozen(kw_only=True)
class Rehearsal:
    """
    What planning would give.
    """

    campaign: str
    file: str
    column: str | None
    #: How many rows stand above the header.
    titles: int
    expiry: datetime | None
    read: int
    planned: int
    invalid: int
    duplicate: int
    suppressed: int
    requests: int
    batch_size: int
    rate: float | None
    request: FirstRequest | None
    #: Who is called when; None at any hour.
    reach: Reach | None
    #: What is said of who is called first, and from when to when anyone is.
    order: Sequence[str]

    def as_object(self) -> dict[str, object]:
        """
        Itself for JSON.
        """
        found = attrs.asdict(self)
        del found["reach"], found["order"]
        return found if self.reach is None else found | reach_as_object(self.reach)

    def as_text(self) -> str:
        """
        Itself for people.
        """
        column = column_said(self.column, self.titles)
        lines = [
            f"campaign {shown(self.campaign)}, "
            f"from {shown(self.file)}" + (f", {column}" if column else ""),
            (
                f"read {self.read:,}, would plan {self.planned:,} in "
                f"{self.requests:,} requests of up to {self.batch_size:,}; "
                f"{self.invalid:,} invalid, {self.duplicate:,} duplicate, "
                f"{self.suppressed:,} suppressed"
            ),
        ]
        left = None
        if self.expiry is None:
            lines.append("no expiry: set one with --expiry")
        else:
            left = (self.expiry - clock.utc_now()).total_seconds()
            lines.append(told_expiry(self.expiry))
        if self.reach is None or not (self.reach.waits or self.reach.unreached):
            # Otherwise who waits, and who is out of reach, says more.
            lines.append(forecast(self.planned, self.rate, left))
        lines += self.order
        if self.reach is not None:
            now = clock.now()
            lines += reach_as_lines(self.reach, now, self.rate, can_change=False)
        if self.request is not None:
            lines.append(
                f"the first request has {self.request.destinations:,} destinations "
                f"in {self.request.bytes:,} bytes and begins"
            )
            lines.append(f"  {shown(self.request.begins)}")
        return "\n".join(lines)


def column_said(column: str | None, titles: int) -> str:
    """
    Which column was taken, in words; empty where there is none to name.
    """
    if column is None:
        return ""
    above = f", below {counted(titles, 'title row')}" if titles else ""
    return f"{shown(column)}{above}"


def rehearse(  # noqa: PLR0913 -- as planning has them
    campaign: str,
    message: VoiceMessage,
    blocks: Iterable[Block],
    *,
    file: Path | str,
    screening: Screening,
    refused: Callable[[list[Refusal]], None] | None,
    batch_size: int,
    rate: float | None,
    terms: Terms,
    prompt_field: str = "media",
) -> Rehearsal:
    """
    Read *blocks* once and cut them as planning does, but keep nothing.
    """
    started = message.starting(clock.utc_now())
    screening.hold_until(started.deadline)
    terms.check(started)
    cutter = Cutter(started, terms, tag=make_tag(), size=batch_size)
    cutter.join(screening)
    first: Batch | None = None
    people: Counter[tuple[str, ...]] = Counter()
    planned = requests = 0
    for batch in _batches(blocks, screening, cutter, refused):
        first = first or batch
        planned += batch.size
        people[batch.group.zones] += batch.size
        requests += 1
    expiry = started.expiry
    found = None
    if terms.windows is not None:
        ends, now = started.deadline, clock.now()
        found = reach(people, terms.windows, now, expires_at=ends, rate=rate)
    return Rehearsal(
        campaign=campaign,
        file=str(file),
        column=blocks.column if isinstance(blocks, ListFile) else None,
        titles=blocks.titles if isinstance(blocks, ListFile) else 0,
        expiry=expiry if isinstance(expiry, datetime) else None,
        read=screening.read,
        planned=planned,
        invalid=screening.invalid,
        duplicate=screening.duplicate,
        suppressed=screening.suppressed,
        requests=requests,
        batch_size=batch_size,
        rate=rate,
        request=None if first is None else _request(first, prompt_field),
        reach=found,
        order=list(_order(terms, planned)),
    )


def _order(terms: Terms, planned: int) -> Iterator[str]:
    if terms.trial is not None:
        first = min(terms.trial.people, planned)
        yield f"{first:,} are called first; the others wait for resume, or --observe"
    if terms.starts_at is not None:
        yield f"nobody is called before {told(terms.starts_at)} (--start-at)"
    if terms.stops_at is not None:
        yield f"nobody is called from {told(terms.stops_at)} on (--stop-at)"


def _batches(
    blocks: Iterable[Block],
    screening: Screening,
    cutter: Cutter,
    refused: Callable[[list[Refusal]], None] | None,
) -> Iterable[Batch]:
    for block in blocks:
        screened = screening.screen(block)
        batches, ungrouped = cutter.cut([screened.recipients])
        screening.count(ungrouped)
        if refused is not None:
            refused([*screened.refusals, *ungrouped])
        yield from batches
    yield from cutter.flush()


def _request(batch: Batch, prompt_field: str) -> FirstRequest:
    # Masking changes no text's length, so what is shown is cut where it would be.
    request_id = batch.id.request_id()
    body, masked = (
        encode(each, request_id=request_id, prompt_field=prompt_field)
        for each in (batch, _masked(batch))
    )
    begins = masked.decode()
    if len(begins) > _SHOWN:
        begins = f"{begins[:_SHOWN]}…"
    return FirstRequest(
        destinations=len(batch),
        bytes=len(body),
        begins=begins,
    )


def _masked(batch: Batch) -> Batch:
    message, recipients = batch.message, batch.recipients
    own = recipients.correlation_ids
    return Batch(
        batch.id,
        attrs.evolve(
            recipients,
            values=list(map(mask, recipients.values)),
            correlation_ids=own and [each and mask(each) for each in own],
        ),
        Group(
            attrs.evolve(
                message,
                cli=message.cli and mask_numbers(message.cli),
                callback_data=message.callback_data
                and mask_numbers(message.callback_data),
            )
        ),
    )

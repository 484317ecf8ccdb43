"""
Events -> spans: of campaigns, of batches, and of attempts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextvars import Context as Surroundings

import attrs
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)

from voicepush.masking import mask_numbers
from voicepush.model.events import (
    AttemptMade,
    BatchRecorded,
    CampaignBegun,
    CampaignStopped,
    Event,
)
from voicepush.model.outcome import Outcome
from voicepush.telemetry.names import (
    CAMPAIGN_SPAN,
    HTTP,
    MESSAGING,
    SEND_SPAN,
)
from voicepush.telemetry.sums import Codes, http_error, status_of

_Attributes = Mapping[str, str | int]

#: What tells how many recipients have an outcome.
_NAMES = {each: f"voicepush.recipients.{each.value}" for each in Outcome}

#: Where there is no span.
_NOWHERE = Context()


@attrs.define(eq=False)
class _Dispatch:
    """
    A campaign that is being dispatched.
    """

    span: Span
    #: What its batches have to it.
    links: Sequence[Link]
    outcomes: Counter[Outcome] = attrs.field(factory=Counter)


class Spans:
    """
    An observer that writes spans.

    A batch of `Client.send` or `Client.stream` is a child of the span in which they
    were called, since that waits for it. A batch of a campaign is a trace of its own,
    linked to the campaign's span: a trace of a million batches could not be looked at.
    So is a batch that many callers of `Client.submit` have joined, linked to the span
    of each.

    Args:
        server: What each span tells of the service.
    """

    def __init__(self, tracer: Tracer, server: _Attributes) -> None:
        self._tracer = tracer
        self._messaging = {**MESSAGING, **server}
        self._http = {**HTTP, **server}
        self._codes = Codes()
        #: By the tag of its batches.
        self._dispatches: dict[str, _Dispatch] = {}

    def __call__(self, event: Event) -> None:
        """
        Write what it tells.
        """
        if isinstance(event, BatchRecorded):
            self._write_batch(event)
        elif isinstance(event, CampaignBegun):
            self._begin(event)
        elif isinstance(event, CampaignStopped):
            self._end(event)

    def close(self) -> None:
        """
        End what has begun and was not told to end.
        """
        for each in self._dispatches.values():
            each.span.end()
        self._dispatches.clear()

    def _begin(self, event: CampaignBegun) -> None:
        if event.tag in self._dispatches:
            # Its ledger was gone when it ended, so that nobody was told.
            self._dispatches.pop(event.tag).span.end()
        name = {"voicepush.campaign": mask_numbers(event.campaign)}
        span = self._tracer.start_span(CAMPAIGN_SPAN, attributes=name)
        self._dispatches[event.tag] = _Dispatch(span, _links([span.get_span_context()]))

    def _end(self, event: CampaignStopped) -> None:
        dispatch = self._dispatches.pop(event.tag, None)
        if dispatch is not None:
            told = {"voicepush.state": event.state.value, **_told(dispatch.outcomes)}
            dispatch.span.set_attributes(told)
            dispatch.span.end()

    def _write_batch(self, event: BatchRecorded) -> None:
        context: Context | None = None
        links: Sequence[Link] | None = None
        dispatch = self._dispatches.get(event.batch.tag)
        if dispatch is not None:
            dispatch.outcomes.update(event.outcomes)
            context, links = _NOWHERE, dispatch.links
        elif event.callers:
            context, links = _NOWHERE, _links(map(_span_of, event.callers))
        span = self._tracer.start_span(
            SEND_SPAN,
            context,
            SpanKind.CLIENT,
            {
                **self._messaging,
                "messaging.batch.message_count": event.recipients,
                "voicepush.batch": str(event.batch),
                **_told(event.outcomes),
            },
            links,
            _nanoseconds(event.began),
        )
        if span.is_recording():
            if failed := event.failure:
                span.set_attribute("error.type", failed.value)
                span.set_status(StatusCode.ERROR)
            within = set_span_in_context(span, _NOWHERE)
            for attempt in event.attempts:
                self._write_attempt(attempt, within)
        span.end(_nanoseconds(event.began + event.seconds))

    def _write_attempt(self, event: AttemptMade, within: Context) -> None:
        error = http_error(event)
        attributes: dict[str, str | int] = {
            **self._http,
            "voicepush.attempt": event.attempt,
            "voicepush.code": self._codes.told(event.code),
            "voicepush.meaning": event.meaning,
        }
        if (status := status_of(event)) is not None:
            attributes["http.response.status_code"] = status
        if error:
            attributes["error.type"] = error
        span = self._tracer.start_span(
            "POST",
            within,
            SpanKind.CLIENT,
            attributes,
            start_time=_nanoseconds(event.began),
        )
        if error:
            span.set_status(StatusCode.ERROR)
        span.end(_nanoseconds(event.began + event.seconds))


def _told(outcomes: Mapping[Outcome, int]) -> dict[str, int]:
    return {_NAMES[outcome]: number for outcome, number in outcomes.items()}


def _links(contexts: Iterable[SpanContext]) -> list[Link]:
    """
    A link to each of the spans that exist, once.
    """
    known = {(each.trace_id, each.span_id): each for each in contexts}
    return [Link(each) for each in known.values() if each.is_valid]


def _span_of(surroundings: Surroundings) -> SpanContext:
    return surroundings.run(get_current_span).get_span_context()


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)

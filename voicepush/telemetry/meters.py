"""
Events -> OpenTelemetry's metrics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs
from opentelemetry.metrics import (
    CallbackOptions,
    Histogram,
    Meter,
    Observation,
)

from voicepush.model.events import AttemptMade, Event
from voicepush.telemetry.names import (
    ACTIVE,
    ATTEMPTS,
    DURATION,
    HTTP,
    MESSAGING,
    PACE,
    POSTS,
    RECEIPTS,
    RECIPIENTS,
    SENT,
    WAITING,
)
from voicepush.telemetry.observed import Sends
from voicepush.telemetry.sums import BOUNDS, Sums, http_error, status_of

_Attributes = Mapping[str, str | int]


@attrs.define(eq=False)
class Measured:
    """
    What is measured of one service, by whichever clients.
    """

    server: _Attributes
    sums: Sums = attrs.field(factory=Sums)
    senders: list[Sends] = attrs.field(factory=list)


class Meters:
    """
    The instruments of one provider; all that is measured shares them.

    Sums are read when someone collects them, so that they cost nothing in between.
    """

    def __init__(self, meter: Meter) -> None:
        self._measured: dict[frozenset[tuple[str, str | int]], Measured] = {}
        self._duration = meter.create_histogram(
            DURATION.name,
            DURATION.unit,
            DURATION.says,
            explicit_bucket_boundaries_advisory=BOUNDS,
        )
        for metric, read in _COUNTERS.items():
            meter.create_observable_counter(
                metric.name, [self._reader(read)], metric.unit, metric.says
            )
        for metric, read in _LEVELS.items():
            meter.create_observable_up_down_counter(
                metric.name, [self._reader(read)], metric.unit, metric.says
            )
        meter.create_observable_gauge(
            PACE.name, [self._reader(_pace)], PACE.unit, PACE.says
        )

    def of(self, server: _Attributes) -> Measured:
        """
        What is measured of the service that has these attributes.
        """
        return self._measured.setdefault(frozenset(server.items()), Measured(server))

    def timing(self, server: _Attributes) -> Timing:
        """
        An observer that keeps how long requests to the service took.
        """
        return Timing(self._duration, server)

    def _reader(
        self, read: Callable[[Measured], Iterator[Observation]]
    ) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return [
                each
                for measured in list(self._measured.values())
                for each in read(measured)
            ]

        return observe


class Timing:
    """
    An observer that keeps how long requests took.
    """

    def __init__(self, duration: Histogram, server: _Attributes) -> None:
        self._duration = duration
        self._server = server
        #: By status and error; there are few.
        self._attributes: dict[tuple[int | None, str], _Attributes] = {}

    def __call__(self, event: Event) -> None:
        """
        Keep how long it took, if it is a request.
        """
        if isinstance(event, AttemptMade):
            told = status_of(event), http_error(event)
            if told not in self._attributes:
                self._attributes[told] = self._of(*told)
            self._duration.record(event.seconds, self._attributes[told])

    def _of(self, status: int | None, error: str) -> _Attributes:
        attributes: dict[str, str | int] = {**HTTP, **self._server}
        if status is not None:
            attributes["http.response.status_code"] = status
        if error:
            attributes["error.type"] = error
        return attributes


def _sent(measured: Measured) -> Iterator[Observation]:
    for error, number in dict(measured.sums.sent).items():
        told = {"error.type": error} if error else {}
        yield Observation(number, {**MESSAGING, **measured.server, **told})


def _attempts(measured: Measured) -> Iterator[Observation]:
    for said, number in dict(measured.sums.attempts).items():
        told = {"voicepush.code": said.code, "voicepush.meaning": said.meaning}
        yield Observation(number, {**measured.server, **told})


def _recipients(measured: Measured) -> Iterator[Observation]:
    for outcome, number in dict(measured.sums.recipients).items():
        told = {"voicepush.outcome": outcome.value}
        yield Observation(number, {**measured.server, **told})


def _receipts(measured: Measured) -> Iterator[Observation]:
    for state, number in dict(measured.sums.receipts).items():
        told = {"voicepush.call.state": state.value}
        yield Observation(number, {**measured.server, **told})


def _posts(measured: Measured) -> Iterator[Observation]:
    for what, number in dict(measured.sums.posts).items():
        yield Observation(number, {**measured.server, "voicepush.post": what})


def _active(measured: Measured) -> Iterator[Observation]:
    if measured.senders:
        number = sum(each.load.requests for each in measured.senders)
        yield Observation(number, {**HTTP, **measured.server})


def _waiting(measured: Measured) -> Iterator[Observation]:
    if measured.senders:
        number = sum(each.load.waiting for each in measured.senders)
        yield Observation(number, measured.server)


def _pace(measured: Measured) -> Iterator[Observation]:
    rates = [each.pacer.rate for each in measured.senders]
    known = [rate for rate in rates if rate is not None]
    if known:
        yield Observation(sum(known), measured.server)


_COUNTERS = {
    SENT: _sent,
    ATTEMPTS: _attempts,
    RECIPIENTS: _recipients,
    RECEIPTS: _receipts,
    POSTS: _posts,
}

_LEVELS = {ACTIVE: _active, WAITING: _waiting}

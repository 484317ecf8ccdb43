"""
Puts observers that write spans and metrics where they hear everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, get_meter_provider
from opentelemetry.trace import TracerProvider, get_tracer_provider

from voicepush.model.events import Observers
from voicepush.telemetry.later import Later
from voicepush.telemetry.meters import Meters
from voicepush.telemetry.names import SCHEMA_URL
from voicepush.telemetry.observed import HasSender
from voicepush.telemetry.spans import Spans

_NAME = "voicepush"

_PORTS = {"http": 80, "https": 443}

#: A provider takes an instrument of one name only once, so all who are measured for it
#: share theirs.
_METERS: WeakKeyDictionary[MeterProvider, Meters] = WeakKeyDictionary()


def attach(
    observed: HasSender | Observers,
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
) -> Callable[[], None]:
    """
    Let *observed* be heard; what takes that back.
    """
    sender = None if isinstance(observed, Observers) else observed.sender
    observers = (
        observed if isinstance(observed, Observers) else observed.sender.observers
    )
    server = {} if sender is None else _server(sender.base_url)
    tracers = tracer_provider or get_tracer_provider()
    spans = Spans(tracers.get_tracer(_NAME, schema_url=SCHEMA_URL), server)
    meters = _meters(meter_provider or get_meter_provider())
    measured = meters.of(server)
    later = Later(spans, meters.timing(server))
    hearing = (measured.sums, later)
    for each in hearing:
        observers.add(each)
    if sender is not None:
        measured.senders.append(sender)
    is_attached = True

    def undo() -> None:
        nonlocal is_attached
        if not is_attached:
            return
        is_attached = False
        for each in hearing:
            observers.remove(each)
        if sender is not None:
            measured.senders.remove(sender)
        later.close()
        spans.close()

    return undo


def is_recorded() -> bool:
    """
    Whether the spans or the metrics of this process go somewhere.
    """
    span = get_tracer_provider().get_tracer(_NAME).start_span("probe", Context())
    is_metered = type(get_meter_provider()).__module__.startswith("opentelemetry.sdk")
    return span.get_span_context().is_valid or is_metered


def _meters(provider: MeterProvider) -> Meters:
    if provider not in _METERS:
        meter = provider.get_meter(_NAME, schema_url=SCHEMA_URL)
        _METERS[provider] = Meters(meter)
    return _METERS[provider]


def _server(base_url: str) -> Mapping[str, str | int]:
    """
    What spans and metrics tell of the service at *base_url*.
    """
    address = urlsplit(base_url)
    host, port = address.hostname, address.port or _PORTS.get(address.scheme)
    told: dict[str, str | int] = {}
    if host is not None:
        told["server.address"] = host
    if port is not None:
        told["server.port"] = port
    return told

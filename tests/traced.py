"""
A real OpenTelemetry SDK that keeps what it is given, for tests to read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer


@attrs.define(eq=False)
class Sdk:
    """
    Where spans and metrics go.
    """

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracers: TracerProvider = attrs.field(
        factory=lambda: TracerProvider(shutdown_on_exit=False)
    )
    meters: MeterProvider = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    @property
    def providers(self) -> dict[str, Any]:
        """
        What `instrument` takes.
        """
        return {"tracer_provider": self.tracers, "meter_provider": self.meters}

    @property
    def tracer(self) -> Tracer:
        """
        A tracer of the application's own.
        """
        return self.tracers.get_tracer("the application")

    def spans(self, name: str) -> list[ReadableSpan]:
        """
        Those of that *name*, in the order in which they were begun.
        """
        found = [
            each for each in self.exporter.get_finished_spans() if each.name == name
        ]
        return sorted(found, key=lambda each: each.start_time or 0)

    def points(self) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
        """
        What is measured now: names, attributes, and a value or how many there were.
        """
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        value = getattr(point, "value", None)
                        if value is None:
                            value = getattr(point, "count", None)
                        yield metric.name, dict(point.attributes or {}), value

    def sums(self, name: str, by: str) -> dict[Any, Any]:
        """
        The values of the metric *name*, by an attribute; None where it is missing.
        """
        return {
            attributes.get(by): value
            for each, attributes, value in self.points()
            if each == name
        }

    def close(self) -> None:
        """
        End it.
        """
        self.tracers.shutdown()
        self.meters.shutdown()


def attribute(span: ReadableSpan, name: str) -> Any:
    """
    What *span* has as *name*.
    """
    return (span.attributes or {}).get(name)

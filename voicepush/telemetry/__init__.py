"""
Events -> OpenTelemetry and Prometheus: what a service's operators look at.

`instrument` is all that most need. Without ``opentelemetry-api`` (the extra ``otel``),
or without an SDK that is configured, nothing is written anywhere.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from voicepush.model.events import Observers

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from voicepush.telemetry.observed import HasSender

__all__ = ["instrument", "is_configured", "is_installed"]

_log = logging.getLogger(__name__)


def is_installed() -> bool:
    """
    Whether there is an ``opentelemetry-api``.
    """
    try:
        return importlib.util.find_spec("opentelemetry.metrics") is not None
    except ImportError:
        return False


def is_configured() -> bool:
    """
    Whether an SDK is set up in this process, so that spans go somewhere.
    """
    if not is_installed():
        return False
    from voicepush.telemetry.instrumenting import is_recorded  # noqa: PLC0415

    return is_recorded()


def instrument(
    observed: HasSender | Observers,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> Callable[[], None]:
    """
    Write spans and metrics of *observed*: a `Client`, campaigns included, or those
    `Observers` that a `receipts_app` tells.

    Neither holds a number, a customer id, a correlation id or a key.

    Args:
        tracer_provider: Where spans go; by default the one that is set for the process.
        meter_provider: Where metrics go, likewise.

    Returns:
        What undoes it.
    """
    if not is_installed():
        _log.info("opentelemetry-api is not installed, so nothing is written")
        return lambda: None
    from voicepush.telemetry.instrumenting import attach  # noqa: PLC0415 -- an extra

    return attach(observed, tracer_provider, meter_provider)

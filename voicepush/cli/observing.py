"""
Whether a command is observed by OpenTelemetry, which its owner says once for all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from voicepush import telemetry
from voicepush.cli.terminal import say
from voicepush.client.client import Client
from voicepush.errors import InputError
from voicepush.model.events import Observers

#: The variable that does as well as ``--telemetry``.
TELEMETRY_VARIABLE = "VOICEPUSH_TELEMETRY"

_IS_WANTED: ContextVar[bool] = ContextVar("is_wanted", default=False)


@contextmanager
def telemetry_if(is_wanted: bool) -> Iterator[None]:
    """
    Let what is `observed` in the block be instrumented, if that is wanted.

    Raises:
        InputError: It can't be: a library is missing.
    """
    if is_wanted and not telemetry.is_installed():
        raise InputError(
            "--telemetry needs a library that is not there: pip install "
            "'voicepush[otel]'"
        )
    if is_wanted and not telemetry.is_configured():
        say(
            "--telemetry: no OpenTelemetry SDK is set up in this process, so nothing "
            "is exported; run it by opentelemetry-instrument voicepush …"
        )
    before = _IS_WANTED.set(is_wanted)
    try:
        yield
    finally:
        _IS_WANTED.reset(before)


@contextmanager
def observed(what: Client | Observers) -> Iterator[None]:
    """
    Let what happens to *what* be seen, if its owner wants that.
    """
    if not _IS_WANTED.get():
        yield
        return
    undo = telemetry.instrument(what)
    try:
        yield
    finally:
        undo()

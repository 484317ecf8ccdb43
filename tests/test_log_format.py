"""
``--log-format json``, as an operator meets it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import KEY, Serve
from mishaps import Said, ended, june, process, say, sending

pytestmark = pytest.mark.usefixtures("in_a_folder")

JSON = ("--log-format", "json")
ANYWHERE = ("--any-hour", "a test", "--at-most", "none")


def lines(said: Said) -> list[dict[str, Any]]:
    """
    Each line of what it said, as an object.
    """
    return [json.loads(line) for line in said.err.splitlines()]


def test_every_line_is_an_object(serve: Serve) -> None:
    """
    Talk and events alike, in order; results stay on stdout as they are.
    """
    listed = june(30)
    simulator = serve("7102")
    command = sending(simulator, "--batch-size", "10", *ANYWHERE, "--json")
    with process(*JSON, *command, "-v") as running:
        said = ended(running)
    found = lines(said)
    events = [each["event"] for each in found if "event" in each]

    assert 1 == said.code
    assert 30 == json.loads(said.out)["rejected"]
    assert {"voicepush", "voicepush.talk"} <= {each["logger"] for each in found}
    assert "campaign_begun" == events[0]
    assert 3 == events.count("attempt_made") == events.count("batch_recorded")
    assert KEY not in said.err
    assert not any(number[1:] in said.err for number in listed)


def test_a_complaint_is_an_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    At the level of an error; the variable does as well as the option.
    """
    monkeypatch.setenv("VOICEPUSH_LOG_FORMAT", "json")
    monkeypatch.setenv("VOICEPUSH_BASE_URL", "http://127.0.0.1:9")
    with process("send", "nowhere.csv", "--media", "x", "-v") as running:
        said = ended(running)
    *_, last = [each for each in lines(said) if each["level"] == "error"]

    assert 2 == said.code
    assert "nowhere.csv" in last["message"]
    assert any("Traceback" in each.get("exception", "") for each in lines(said))


def test_it_holds_for_one_command() -> None:
    """
    What runs next in the same process talks as ever.
    """
    first, second = say("status", "june", *JSON), say("status", "june")

    assert {"error"} == {each["level"] for each in lines(first)}
    assert second.complaint.startswith("voicepush: ")


def test_no_other_form() -> None:
    """
    It is said which there are.
    """
    said = say("status", "--log-format", "xml")

    assert 2 == said.code
    assert "json" in said.complaint


def test_telemetry_without_an_sdk(serve: Serve) -> None:
    """
    Everything is sent, and it is said that nothing is exported.
    """
    june(10)
    command = sending(serve(), *ANYWHERE)
    with process(*command, "--telemetry") as running:
        said = ended(running)

    assert 0 == said.code
    assert "no OpenTelemetry SDK is set up" in said.err


def test_telemetry_without_its_library() -> None:
    """
    One line says what to install.
    """
    first = "import sys; sys.modules['opentelemetry'] = None"
    with process("status", "--telemetry", first=first) as running:
        said = ended(running)

    assert 2 == said.code
    assert "pip install 'voicepush[otel]'" in said.complaint


_SDK = """
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter, PeriodicExportingMetricReader
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))
trace.set_tracer_provider(tracers)
metrics.set_meter_provider(
    MeterProvider([PeriodicExportingMetricReader(ConsoleMetricExporter())])
)
"""


def test_a_command_under_an_sdk(serve: Serve) -> None:
    """
    What it does is exported at the latest when it ends.
    """
    june(10)
    command = sending(serve(), *ANYWHERE)
    with process(*command, "--telemetry", first=_SDK) as running:
        said = ended(running)

    assert 0 == said.code
    for each in ("dispatch campaign", "send voice", "voicepush.recipients"):
        assert f'"name": "{each}"' in said.out

"""
The log: events in words and as fields, and every record as one line of JSON.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any, get_args

import pytest
from conftest import KEY, Connect, Simulate, numbers
from hypothesis import given
from hypothesis import strategies as st

from voicepush import (
    AttemptMade,
    BatchId,
    BatchRecorded,
    CallState,
    Campaign,
    CampaignBegun,
    CampaignState,
    CampaignStopped,
    Event,
    Ledger,
    Outcome,
    PaceChanged,
    ReceiptsApplied,
    Received,
    Verdict,
    VoiceMessage,
)
from voicepush.logs import JsonFormatter
from voicepush.logs.events import LOGGED, fields_of, log_event

NUMBER, *_ = numbers(1, 12_345)

ATTEMPT = AttemptMade(
    batch=BatchId("tag", 7),
    attempt=2,
    destinations=10,
    bytes=1_234_567,
    status=200,
    began=1_700_000_000.0,
    seconds=0.25,
    code="7102",
    meaning="rejected",
    verdicts={
        Verdict(Outcome.REJECTED, "7102", f"no such number {NUMBER}"): 6,
        **{Verdict(Outcome.REJECTED, f"710{n}", ""): 1 for n in range(4)},
    },
)

EVENTS = [
    CampaignBegun(campaign=f"only {NUMBER}", tag="tag"),
    ATTEMPT,
    BatchRecorded(
        batch=BatchId("tag", 7),
        recipients=10,
        outcomes={Outcome.REJECTED: 10},
        attempts=[ATTEMPT],
        began=1_700_000_000.0,
        seconds=0.5,
    ),
    PaceChanged(rate=42.5, held_until=1_700_000_000.0),
    PaceChanged(rate=None, held_until=None),
    CampaignStopped(
        campaign=f"only {NUMBER}",
        tag="tag",
        state=CampaignState.PAUSED,
        reason=f"7001 for {NUMBER}",
    ),
    ReceiptsApplied(
        stored=3,
        refused=1,
        received=Received(applied=2, placed_late=1),
        seconds=0.1,
        states={CallState.REACHED: 2},
    ),
]


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """
    What *record* is as JSON, which is one line.
    """
    line = JsonFormatter().format(record)
    assert [line] == line.splitlines()
    found: dict[str, Any] = json.loads(line, parse_constant=pytest.fail)
    return found


def record_of(message: object, *arguments: Any, **extras: Any) -> logging.LogRecord:
    """
    A record of another library.
    """
    log = logging.getLogger("another")
    return log.makeRecord(
        *("another", logging.WARNING, "file.py", 1, message, arguments, None),
        extra=extras,
    )


def raised(error: Exception) -> Any:
    """
    What a record is given of an *error*.
    """
    return type(error), error, None


@pytest.mark.parametrize("event", EVENTS, ids=lambda each: type(each).__name__)
def test_an_event_arrives_as_fields(
    event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Those that are documented and no others, on the record and in its line of JSON.
    """
    caplog.set_level(logging.INFO, "voicepush")
    log_event(event)
    (record,) = caplog.records
    logged, line = LOGGED[type(event)], line_of(record)

    ours = {"time", "level", "logger", "message", "event"}
    assert {*logged.fields, *ours} == set(line)
    assert logged.name == line["event"] == vars(record)["event"]
    assert json.loads(json.dumps(fields_of(event))).items() <= line.items()
    assert NUMBER not in json.dumps(line)


def test_every_event_is_logged() -> None:
    """
    The table knows each kind of event.
    """
    assert set(get_args(Event)) == set(LOGGED)


def test_the_numbers_of_events_are_numbers() -> None:
    """
    A size is not taken for a phone's number, and the most frequent verdicts are told.
    """
    fields = fields_of(ATTEMPT)

    assert 1_234_567 == fields["bytes"]
    assert 2 == fields["verdicts_left_out"]
    assert [6, 1, 1] == [each["recipients"] for each in fields["verdicts"]]  # type: ignore[attr-defined]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=30)
    | st.binary(max_size=10)
    | st.builds(object),
    lambda each: (
        st.lists(each, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.integers(), each, max_size=4)
        | st.tuples(each, each)
    ),
    max_leaves=12,
)

NAMES = st.text(st.characters(codec=None), min_size=1, max_size=12).filter(
    lambda name: name not in {*vars(logging.makeLogRecord({})), "message", "asctime"}
)


@given(ANYTHING, st.lists(ANYTHING, max_size=3), st.dictionaries(NAMES, ANYTHING))
def test_whatever_is_logged_is_one_line_of_json(
    message: object, arguments: list[object], extras: dict[str, object]
) -> None:
    """
    Also where arguments do not fit, and texts can't be encoded.
    """
    record = logging.LogRecord(
        *("another", logging.INFO, "file.py", 1, message, tuple(arguments), None)
    )
    vars(record).update(extras)

    assert "info" == line_of(record)["level"]


@given(st.integers(10**9, 10**12), st.text(st.characters(codec="utf-8"), max_size=10))
def test_no_whole_number_is_in_a_line(number: int, words: str) -> None:
    """
    In texts, in values and their names, at any depth, and as an integer.
    """
    text = f"{words} +{number}"
    record = record_of(
        "%s", text, to=number, share=float(number), within=[{text: (text, number)}]
    )
    record.exc_info, record.stack_info = raised(ValueError(text)), text
    line = JsonFormatter().format(record)

    assert "ValueError" in json.loads(line)["exception"]
    found = re.findall(r"\d+", line.replace(json.loads(line)["time"], ""))
    assert str(number) not in found or str(number) in re.findall(r"\d+", words)


class UnprintableError(Exception):
    """
    An exception without a text.
    """

    def __str__(self) -> str:
        raise RuntimeError("never")


def test_what_has_no_text_is_logged() -> None:
    """
    An object, or an exception, that can't be printed is told by its kind.
    """
    error = UnprintableError()
    record = record_of("failed", what=error)
    record.exc_info = raised(error)

    line = line_of(record)
    assert "<UnprintableError>" == line["what"]
    assert "UnprintableError" in line["exception"]


def test_another_s_fields_do_not_take_the_place_of_ours() -> None:
    """
    They stand beside, under a name with an underscore.
    """
    line = line_of(record_of("hello", level="theirs", time=3))

    assert ("warning", "theirs", 3) == (line["level"], line["level_"], line["time_"])


async def test_a_campaign_in_the_log(
    simulate: Simulate,
    connect: Connect,
    message: VoiceMessage,
    ledger: Ledger,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """
    Begins, makes attempts, records batches and ends; with neither numbers nor the key,
    also where the service says both.
    """
    caplog.set_level(logging.DEBUG, "voicepush")
    simulator = await simulate("mix:7102=20%", seed=5)
    client = await connect(simulator)
    listed = numbers(30)
    campaign = await Campaign.plan(ledger, "june", message, listed, batch_size=10)
    await campaign.dispatch(client)
    events = [vars(each).get("event") for each in caplog.records]
    lines = [JsonFormatter().format(each) for each in caplog.records]

    assert ["campaign_begun", "campaign_stopped"] == [
        each for each in events if each and "campaign" in each
    ]
    assert 3 == events.count("attempt_made") == events.count("batch_recorded")
    assert not any(KEY in line for line in lines)
    assert not any(number[1:] in line for line in lines for number in listed)

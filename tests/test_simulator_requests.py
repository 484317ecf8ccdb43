"""What the stand-in for the API refuses, as the API would."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import message, number, post, text_of

from voicepush.simulator import Simulator


def with_entry(**entry: Any) -> dict[str, Any]:
    """
    A request with one destination.
    """
    return message(destination=[entry])


def with_voice(**voice: Any) -> dict[str, Any]:
    """
    A request with these settings of the channel.
    """
    return message(channels={"voice": voice})


INVALID: dict[str, Any] = {
    "not an object": [1],
    "an unknown field": message(colour="blue"),
    "a notifyurl that is no string": message(notifyurl=7),
    "a callbackData that is no string": message(callbackData={}),
    "an expiry that is no string": message(expiry=7),
    "an expiry without milliseconds": message(expiry="2099-04-12T13:00:19Z"),
    "an expiry without an offset": message(expiry="2099-04-12T13:00:19.456"),
    "an expiry in no calendar": message(expiry="2099-02-30T13:00:19.456Z"),
    "an unknown priority": message(priority="4"),
    "a priority that is a number": message(priority=1),
    "another channel": message(deliverychannel="sms"),
    "channels that are no object": message(channels="voice"),
    "an unknown channel": message(channels={"voice": {"media": "m"}, "sms": {}}),
    "a channel that is no object": message(channels={"voice": []}),
    "two prompts": with_voice(media="m", callflowid="f"),
    "an empty prompt": with_voice(media=""),
    "a cli that is no string": with_voice(media="m", cli=18005550100),
    "an unknown setting": with_voice(media="m", voice="loud"),
    "no destinations": message(destination=[]),
    "a destination that is no list": message(destination={"msisdn": [number(1)]}),
    "an entry that is no object": message(destination=[number(1)]),
    "an entry of both kinds": with_entry(msisdn=[number(1)], customerid=["c"]),
    "an unknown field of an entry": with_entry(msisdn=[number(1)], name="Ann"),
    "an entry without values": with_entry(msisdn=[]),
    "a value that is no list": with_entry(msisdn=number(1)),
    "a number that is a number": with_entry(msisdn=[18005550101]),
    "a number that is too short": with_entry(msisdn=["123456"]),
    "a number that is too long": with_entry(msisdn=["+1234567890123456"]),
    "a number with foreign digits": with_entry(msisdn=["+١٨٠٠٥٥٥٠١٠١"]),
    "a number with a line end": with_entry(msisdn=[number(1) + "\n"]),
    "an empty customer id": with_entry(customerid=[""]),
    "an id that is no string": with_entry(msisdn=[number(1)], correlationid=7),
    "an id of 51 bytes": with_entry(msisdn=[number(1)], correlationid="é" * 25 + "e"),
    "a request's id of 51 bytes": message(correlationid="e" * 51),
}

MISSING: dict[str, Any] = {
    "no deliverychannel": message(deliverychannel=None),
    "no channels": message(channels=None),
    "no voice": message(channels={}),
    "no prompt": with_voice(cli="18005550100"),
    "no destination": message(destination=None),
    "an entry of neither kind": with_entry(correlationid="c"),
}

TOO_MANY: dict[str, Any] = {
    "entries": message(1001),
    "values": with_entry(msisdn=[number(place) for place in range(1001)]),
}


@pytest.mark.parametrize(
    ("code", "body"),
    [
        pytest.param(code, body, id=f"{code} {name}")
        for code, bodies in {"7003": MISSING, "7004": INVALID, "7009": TOO_MANY}.items()
        for name, body in bodies.items()
    ],
)
async def test_malformed_request_is_refused(
    session: ClientSession, code: str, body: Any
) -> None:
    """
    A malformed request rings nobody and is told its code with a reason.
    """
    async with Simulator(service_key=KEY) as simulator:
        answered = await post(session, simulator, body)

    assert (200, [code]) == (answered.status, answered.codes)
    assert ": " in answered.elements[0]["description"]
    assert (0, {code: 1}) == (simulator.rung, simulator.replies)
    assert (0, code, 200, ()) == (
        simulator.requests[0].size,
        simulator.requests[0].code,
        simulator.requests[0].status,
        simulator.requests[0].correlation_ids,
    )


@pytest.mark.parametrize(
    ("code", "headers", "body"),
    [
        ("7002", {"key": ""}, message()),
        ("7001", {"key": "another"}, message()),
        ("7000", {"content-type": "text/plain"}, message()),
        ("7000", {}, b"{"),
        ("7000", {}, b'{"correlationid": "\\ud800"}'),
        ("7000", {"content-encoding": "gzip"}, b"\x1f\x8b\x08\x00"),
        ("7022", {}, b" " * 2_001),
    ],
)
async def test_unreadable_request_is_refused(
    session: ClientSession, code: str, headers: dict[str, str], body: Any
) -> None:
    """
    A request that bears the wrong key or no JSON is told so.
    """
    async with Simulator(service_key=KEY, most_bytes=2_000) as simulator:
        answered = await post(session, simulator, body, **headers)

    assert [code] == answered.codes
    assert 0 == simulator.rung


async def test_key_is_mandatory() -> None:
    """
    A request without the header is not taken for one with a wrong key.
    """
    async with Simulator(service_key=KEY) as simulator, ClientSession() as bare:
        answered = await post(bare, simulator)

    assert ["7002"] == answered.codes


@pytest.mark.parametrize(
    "zone",
    [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))],
)
@pytest.mark.parametrize(("ahead", "code"), [(60, "1001"), (-60, "7005")])
async def test_expiry_is_understood_with_any_offset(
    session: ClientSession, zone: tzinfo, ahead: int, code: str
) -> None:
    """
    An expiry is compared as a moment, also with an hour of one digit.
    """
    moment = datetime.now(zone) + timedelta(seconds=ahead)
    offset = re.sub(r"([+-])0", r"\1", moment.isoformat()[-6:])
    expiry = moment.strftime("%Y-%m-%dT%H:%M:%S.000") + offset

    async with Simulator(service_key=KEY) as simulator:
        answered = await post(session, simulator, message(expiry=expiry))

    assert [code] == answered.codes


async def test_every_field_of_the_document_is_known(session: ClientSession) -> None:
    """
    A request that uses everything the document names is taken.
    """
    body = message(
        channels={"voice": {"callflowid": "flow", "cli": "18005550100"}},
        destination=[
            {"msisdn": ["447700900123", number(1)], "correlationid": "é" * 25},
            {"customerid": ["customer\n7"]},
        ],
        notifyurl="https://example.com/receipts",
        callbackData="june",
        expiry=text_of(datetime.now(UTC) + timedelta(hours=1)),
        priority="3",
    )

    async with Simulator(service_key=KEY) as simulator:
        answered = await post(
            session,
            simulator,
            body,
            **{"content-type": "Application/JSON; charset=utf-8"},
        )

    assert ["1001"] == answered.codes
    assert {"447700900123": 1, number(1): 1, "customer\n7": 1} == simulator.calls
    assert (3, ("é" * 25, "whole")) == (
        simulator.requests[0].size,
        simulator.requests[0].correlation_ids,
    )


async def test_refusals_can_have_another_status(session: ClientSession) -> None:
    """
    The status of refusals is an option; acceptance stays 200.
    """
    async with Simulator(
        service_key=KEY, refusal_status=400, faults=["7006@1/2"]
    ) as simulator:
        answers = [await post(session, simulator) for _ in range(2)]
        answers.append(await post(session, simulator, b"{"))

    assert [200, 400, 400] == [answered.status for answered in answers]
    assert [["1001"], ["7006"], ["7000"]] == [answered.codes for answered in answers]
    assert [200, 400, 400] == [record.status for record in simulator.requests]

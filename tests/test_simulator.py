"""The stand-in for the API: what it refuses, whom it rings, and what it answers."""

import asyncio
import re
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from voicepush.simulator import SHAPES, Fault, Reply, Simulator
from voicepush.simulator.rate import RateLimit

KEY = "a-made-up-key"
PATH = "/resources/v1/messaging"


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+1800555{place:04}"


def entries(count: int) -> list[dict[str, Any]]:
    """
    Destinations, each with one number and an id of its own.
    """
    return [
        {"msisdn": [number(place)], "correlationid": f"c-{place}"}
        for place in range(count)
    ]


def message(count: int = 3, **changes: Any) -> dict[str, Any]:
    """
    A request for *count* numbers; a change to None takes the field out.
    """
    fields = {
        "deliverychannel": "voice",
        "channels": {"voice": {"media": "welcome"}},
        "destination": entries(count),
        "correlationid": "whole",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def text_of(moment: datetime) -> str:
    """
    A moment as the API writes it, in UTC.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """
    A client that trusts nothing: no redirects are followed unless asked for.
    """
    async with ClientSession(headers={"key": KEY}) as session:
        yield session


class Answered:
    """
    An answer, read to its end.
    """

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self) -> Any:
        """
        The body as JSON.
        """
        return msgspec.json.decode(self.body)

    @property
    def elements(self) -> list[dict[str, Any]]:
        """
        The elements of the usual object.
        """
        elements: list[dict[str, Any]] = self.json["response"]
        return elements

    @property
    def codes(self) -> list[str]:
        """
        The codes of the elements.
        """
        return [element["code"] for element in self.elements]


async def post(
    session: ClientSession,
    simulator: Simulator,
    body: Any = None,
    **headers: str,
) -> Answered:
    """
    Send a request and read what comes back.
    """
    data = body if isinstance(body, bytes) else msgspec.json.encode(body or message())
    async with session.post(
        simulator.url + PATH,
        data=data,
        headers={"content-type": "application/json", **headers},
        allow_redirects=False,
    ) as response:
        return Answered(response, await response.read())


async def until(condition: Callable[[], object]) -> None:
    """
    Let the others run until *condition* holds.
    """
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 -- the simulator signals nothing
            await asyncio.sleep(0)


# What is refused


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


# The shapes of answers


async def shaped(session: ClientSession, answer: str, *words: Any) -> Any:
    """
    The JSON of one answer in that shape.
    """
    async with Simulator(service_key=KEY, answer=answer) as simulator:
        simulator.next_replies(*words)
        return (await post(session, simulator)).json


@pytest.mark.parametrize("answer", ["one", "object"])
async def test_one_element_for_all(session: ClientSession, answer: str) -> None:
    """
    One element speaks for the whole request, under the request's own id.
    """
    json = await shaped(session, answer)

    element = json if answer == "object" else json["response"][0]
    assert ("1001", "Queued", "whole") == (
        element["code"],
        element["description"],
        element["correlationid"],
    )


@pytest.mark.parametrize("answer", ["each", "list"])
async def test_one_element_for_each(session: ClientSession, answer: str) -> None:
    """
    Each destination has its element, in order, with its own id.
    """
    json = await shaped(session, answer)

    elements = json if answer == "list" else json["response"]
    assert [("1001", f"c-{place}") for place in range(3)] == [
        (element["code"], element["correlationid"]) for element in elements
    ]


async def test_numeric_codes(session: ClientSession) -> None:
    """
    The numeric shape has numbers for codes and no ids.
    """
    json = await shaped(session, "numeric")

    assert [(1001, "")] * 3 == [
        (element["code"], element["correlationid"]) for element in json["response"]
    ]


async def test_only_destination_lends_its_id(session: ClientSession) -> None:
    """
    The one element for one destination has the destination's id.
    """
    async with Simulator(service_key=KEY) as simulator:
        answered = await post(session, simulator, message(1))

    assert "c-0" == answered.elements[0]["correlationid"]


@pytest.mark.parametrize("answer", SHAPES)
async def test_refusal_keeps_the_shape(session: ClientSession, answer: str) -> None:
    """
    A refusal is one element, wrapped as acceptance would be.
    """
    json = await shaped(session, answer, 7006)

    wrapped = {"list": json, "object": [json]}.get(answer)
    elements = wrapped or json["response"]
    expected = 7006 if answer == "numeric" else "7006"
    assert [expected] == [element["code"] for element in elements]


async def test_transaction_ids_differ(session: ClientSession) -> None:
    """
    No two elements share a transaction id, and each has the form of a UUID.
    """
    async with Simulator(service_key=KEY, answer="each") as simulator:
        answers = [await post(session, simulator, message(50)) for _ in range(2)]

    ids = [element["transid"] for answered in answers for element in answered.elements]
    assert 100 == len(set(ids))
    assert all(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids
    )


def test_unknown_shape_is_refused() -> None:
    """
    A wrong shape is told which ones there are.
    """
    with pytest.raises(
        ValueError, match="'many' is not a shape; possible are one, each"
    ):
        Simulator(service_key=KEY, answer="many")


# The words for replies


@pytest.mark.parametrize(
    ("word", "code", "description"),
    [
        (7006, "7006", "Internal error"),
        (7102, "7102", "Destination address not allowed"),
        (7020, "7020", "TPS limit exceeded (rate)"),
        ("7020-quota", "7020", "Quota exceeded (quota)"),
        ("9999", "9999", "Unknown error"),
    ],
)
async def test_code_rings_nobody(
    session: ClientSession, word: Any, code: str, description: str
) -> None:
    """
    A code of the API is the answer to the whole request, and nobody is rung.
    """
    async with Simulator(service_key=KEY, answer="each") as simulator:
        simulator.next_replies(word)
        answered = await post(session, simulator)

    assert [(code, description)] == [
        (element["code"], element["description"]) for element in answered.elements
    ]
    assert (0, {str(word): 1}) == (simulator.rung, simulator.replies)
    assert (code, 3) == (simulator.requests[0].code, simulator.requests[0].size)


@pytest.mark.parametrize(
    ("word", "status", "rung"),
    [
        *((word, int(word[:3]), 0) for word in ("429", "429:2", "503", "503:1")),
        *((str(status), status, 0) for status in (302, 401, 403, 404, 413)),
        *((str(status), status, 3) for status in (500, 502, 504)),
        *((f"{status}-early", status, 0) for status in (500, 502, 504)),
    ],
)
async def test_status_without_json(
    session: ClientSession, word: Any, status: int, rung: int
) -> None:
    """
    A status comes with a page; only a gateway's errors may hide that people were rung.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        answered = await post(session, simulator)

    assert (status, rung) == (answered.status, simulator.rung)
    assert answered.body.startswith(b"<html>")
    assert word.partition(":")[2] == answered.headers.get("Retry-After", "")
    assert (status == 302) == ("Location" in answered.headers)
    assert (status, None) == (simulator.requests[0].status, simulator.requests[0].code)


@pytest.mark.parametrize(
    ("word", "status", "code"), [("ring-503", 503, None), ("ring-7006", 200, "7006")]
)
async def test_it_rings_and_says_that_it_did_not(
    session: ClientSession, word: str, status: int, code: str | None
) -> None:
    """
    A proxy's 503 and the API's 7006 may come although everyone was rung.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        answered = await post(session, simulator)

    assert (status, 3) == (answered.status, simulator.rung)
    assert (status, code) == (simulator.requests[0].status, simulator.requests[0].code)
    if code is not None:
        assert [(code, "Internal error")] == [
            (element["code"], element["description"]) for element in answered.elements
        ]


@pytest.mark.parametrize(("word", "code"), [("twice", "1001"), ("twice:7006", "7006")])
async def test_one_answer_too_many(word: str, code: str) -> None:
    """
    An answer can come twice over the same connection, for one request.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        port = int(simulator.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = msgspec.json.encode(message())
        writer.write(
            b"POST /resources/v1/messaging HTTP/1.1\r\nHost: x\r\n"
            b"Content-Type: application/json\r\nConnection: close\r\n"
            + f"key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        answers = await reader.read()
        writer.close()

    assert 2 == answers.count(b"HTTP/1.1 200 OK\r\n")
    assert 2 == answers.count(f'"code":"{code}"'.encode())
    assert 1 == len(simulator.requests)


@pytest.mark.parametrize("echo", [True, False])
async def test_ids_come_back_or_not(session: ClientSession, *, echo: bool) -> None:
    """
    Where one element stands for all, it has the request's own id, if ids are echoed.
    """
    async with Simulator(service_key=KEY, echo=echo) as simulator:
        answered = await post(session, simulator, message(correlationid="mine"))

    assert ["mine" if echo else ""] == [
        element["correlationid"] for element in answered.elements
    ]
    assert "mine" == simulator.requests[0].correlation_id


@pytest.mark.parametrize(("word", "rung"), [("drop", 3), ("drop-early", 0)])
async def test_drop_cuts_the_connection(
    session: ClientSession, word: Any, rung: int
) -> None:
    """
    A drop leaves the client without an answer, before or after the ring.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await post(session, simulator)

    assert (rung, {word: 1}) == (simulator.rung, simulator.replies)
    assert (None, None) == (simulator.requests[0].status, simulator.requests[0].code)


@pytest.mark.parametrize("word", ["hang", "slow:100"])
async def test_waiting_request_ends_with_the_simulator(
    session: ClientSession, word: str
) -> None:
    """
    A simulator that stops cuts off who still waits, instead of answering early.
    """
    async with Simulator(service_key=KEY, faults=[word]) as simulator:
        waiting = [asyncio.create_task(post(session, simulator)) for _ in range(3)]
        await until(lambda: len(simulator.requests) == 3)
        async with asyncio.timeout(1):
            await simulator.stop()
        failures = await asyncio.gather(*waiting, return_exceptions=True)

    assert [aiohttp.ServerDisconnectedError] * 3 == list(map(type, failures))
    assert (9, 3) == (simulator.rung, simulator.most_in_flight)


@pytest.mark.parametrize("word", ["hang", "slow:100"])
async def test_waiting_request_ends_with_the_client(
    session: ClientSession, word: str
) -> None:
    """
    A client that gives up frees its place, and does not take back its ring.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        waiting = asyncio.create_task(post(session, simulator))
        await until(lambda: simulator.requests)
        waiting.cancel()
        await until(lambda: simulator._in_flight == 0)
        await post(session, simulator)

    assert waiting.cancelled()
    assert (6, 1) == (simulator.rung, simulator.most_in_flight)


@pytest.mark.parametrize(
    ("options", "word"), [({}, "slow:0.02"), ({"latency": 0.02}, "1001")]
)
async def test_slow_answer_comes_after_the_ring(
    session: ClientSession, options: dict[str, Any], word: Any
) -> None:
    """
    People are rung at once, however late the answer is.
    """
    async with Simulator(service_key=KEY, **options) as simulator:
        simulator.next_replies(word)
        asked = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(post(session, simulator))
        await until(lambda: simulator.rung)
        rung_before_answer = not waiting.done()
        answered = await waiting
        took = asyncio.get_running_loop().time() - asked

    assert rung_before_answer
    assert 0.02 <= took
    assert ["1001"] == answered.codes


@pytest.mark.parametrize("word", ["garbage", "empty"])
async def test_body_without_json(session: ClientSession, word: Any) -> None:
    """
    A 200 may be worthless although everybody was rung.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        answered = await post(session, simulator)

    assert (200, 3) == (answered.status, simulator.rung)
    assert (word == "empty") == (answered.body == b"")
    with pytest.raises(msgspec.DecodeError):
        _ = answered.json
    assert simulator.requests[0].code is None


@pytest.mark.parametrize(("count", "told"), [(1, 0), (3, 2), (10, 6)])
async def test_short_answer_lacks_its_last_third(
    session: ClientSession, count: int, told: int
) -> None:
    """
    A short answer always lacks somebody, and never the first two thirds.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies("short")
        answered = await post(session, simulator, message(count))

    assert [f"c-{place}" for place in range(told)] == [
        element["correlationid"] for element in answered.elements
    ]
    assert count == simulator.rung


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_reordered_answer_is_complete(session: ClientSession, count: int) -> None:
    """
    A reordered answer has every element, and not where it was.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies("reordered")
        answered = await post(session, simulator, message(count))

    in_order = [f"c-{place}" for place in range(count)]
    ids = [element["correlationid"] for element in answered.elements]
    assert sorted(in_order) == sorted(ids)
    assert (count > 1) == (in_order != ids)
    assert count == simulator.rung


async def test_single_answer_whatever_the_shape(session: ClientSession) -> None:
    """
    A reply that names its own shape has it under any *answer*.
    """
    async with Simulator(service_key=KEY, answer="each") as simulator:
        simulator.next_replies("single")
        answered = await post(session, simulator)

    assert (["1001"], 3) == (answered.codes, simulator.rung)


async def test_truncated_answer_breaks_off(session: ClientSession) -> None:
    """
    A truncated answer promises more bytes than come.
    """
    async with Simulator(service_key=KEY, answer="each") as simulator:
        simulator.next_replies("truncated")
        with pytest.raises(aiohttp.ClientPayloadError):
            await post(session, simulator)

    assert 3 == simulator.rung


async def test_mixed_answer_rings_the_others(session: ClientSession) -> None:
    """
    Who gets another code in a mix is not rung; everybody else is.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies("mix:7006=30%,7102=30%")
        answered = await post(session, simulator, message(200))

    assert {"1001", "7006", "7102"} == set(answered.codes)
    assert [f"c-{place}" for place in range(200)] == [
        element["correlationid"] for element in answered.elements
    ]
    accepted = [place for place, code in enumerate(answered.codes) if code == "1001"]
    assert Counter(map(number, accepted)) == simulator.calls
    assert "mixed" == simulator.requests[0].code


@pytest.mark.parametrize("word", ["mix:7006=100%", "mix:7006=70%,7006=30%"])
async def test_mix_of_one_code(session: ClientSession, word: Any) -> None:
    """
    A mix that leaves nobody over rings nobody.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(word)
        answered = await post(session, simulator)

    assert (["7006"] * 3, 0) == (answered.codes, simulator.rung)
    assert "7006" == simulator.requests[0].code


@pytest.mark.parametrize(
    "word",
    [
        "",
        "dropp",
        "70066",
        "418",
        "429:",
        "429:soon",
        "503-early",
        "slow",
        "slow:-1",
        "slow:" + "9" * 400,
        "mix:",
        "mix:7006",
        "mix:7006=0%",
        "mix:7006=101%",
        "mix:7006=60%,7102=60%",
        "mix:teapot=5%",
        "٧٠٠٦",
        True,
    ],
)
def test_wrong_word_is_told_the_right_ones(word: Any) -> None:
    """
    A word that is no reply is refused with a list of those that are.
    """
    with pytest.raises(
        ValueError, match=r"is not a reply; possible are .*drop, .*mix:"
    ):
        Reply.parse(word)


@pytest.mark.parametrize("often", ["", "20", "0%", "101%", "1/0", "2/5", "sometimes"])
def test_wrong_frequency_is_told_the_right_ones(often: str) -> None:
    """
    A frequency that is none is refused with examples of those that are.
    """
    with pytest.raises(ValueError, match=r"is not a frequency; possible are .*1/5"):
        Fault.parse(f"drop@{often}")


WORDS = st.one_of(
    st.text(),
    st.integers(),
    st.builds(
        "{}{}".format,
        st.sampled_from(["", "mix:", "mix:7006=", "slow:", "429:", "drop@", "drop@1/"]),
        st.text("0123456789.=%,/-@"),
    ),
)


@given(WORDS)
def test_parsing_fails_in_one_way_only(word: Any) -> None:
    """
    Whatever the word, it is a reply that remembers it or a ValueError.
    """
    for parse in (Reply.parse, lambda word: Fault.parse(word).reply):
        try:
            reply = parse(word)
        except ValueError:
            continue

        assert str(word).partition("@")[0] == reply.word


@given(st.text(min_size=1))
def test_every_possible_word_survives_a_round_trip(text: str) -> None:
    """
    Parsing a reply's own word gives the same reply.
    """
    try:
        reply = Reply.parse(text)
    except ValueError:
        return

    assert reply == Reply.parse(reply.word)


# How often


async def test_every_fifth_is_exact(session: ClientSession) -> None:
    """
    A fraction strikes exactly the requests it names, and no other.
    """
    async with Simulator(service_key=KEY, faults=["7006@1/5"]) as simulator:
        codes = [(await post(session, simulator)).codes[0] for _ in range(15)]

    assert (["1001"] * 4 + ["7006"]) * 3 == codes


async def test_percentage_is_repeatable(session: ClientSession) -> None:
    """
    A percentage strikes about that often, and at the same requests for the same seed.
    """

    async def run(seed: int) -> list[str]:
        async with Simulator(
            service_key=KEY, faults=["7006@20%"], seed=seed
        ) as simulator:
            return [(await post(session, simulator)).codes[0] for _ in range(100)]

    first, again, other = await run(1), await run(1), await run(2)

    assert first == again != other
    assert 5 < first.count("7006") < 40


async def test_first_fault_that_strikes_wins(session: ClientSession) -> None:
    """
    Of several faults the first that strikes is the reply.
    """
    async with Simulator(service_key=KEY, faults=["7006@1/4", 7102]) as simulator:
        codes = [(await post(session, simulator)).codes[0] for _ in range(4)]

    assert ["7102", "7102", "7102", "7006"] == codes


async def test_script_comes_before_faults(session: ClientSession) -> None:
    """
    Scripted replies are used up one by one, and do not shift the standing faults.
    """
    async with Simulator(service_key=KEY, faults=["7006@1/2"]) as simulator:
        simulator.next_replies(7102, "1001")
        codes = [(await post(session, simulator)).codes[0] for _ in range(4)]

    assert ["7102", "1001", "1001", "7006"] == codes


async def test_malformed_request_uses_up_no_reply(session: ClientSession) -> None:
    """
    A script waits for a request that is well-formed.
    """
    async with Simulator(service_key=KEY) as simulator:
        simulator.next_replies(7006)
        codes = [
            (await post(session, simulator, body)).codes[0]
            for body in (b"{", message())
        ]

    assert ["7000", "7006"] == codes


def test_wrong_word_spoils_the_script() -> None:
    """
    A script with a wrong word is refused as a whole, as are faults.
    """
    simulator = Simulator(service_key=KEY)

    with pytest.raises(ValueError, match="'nothing' is not a reply"):
        simulator.next_replies(7006, "nothing")
    with pytest.raises(ValueError, match="'nothing' is not a reply"):
        Simulator(service_key=KEY, faults=["nothing"])

    assert not simulator._scripted


# The rate


@pytest.mark.parametrize(
    ("options", "status"), [({}, 200), ({"tps_reply": "429:1"}, 429)]
)
async def test_too_fast_rings_nobody(
    session: ClientSession, options: dict[str, Any], status: int
) -> None:
    """
    What is over the rate is turned away whole, before any scripted reply.
    """
    async with Simulator(service_key=KEY, tps=5, **options) as simulator:
        first = await post(session, simulator, message(4))
        simulator.next_replies(7006)
        second = await post(session, simulator, message(2))
        third = await post(session, simulator, message(1))

    assert [200, status, 200] == [first.status, second.status, third.status]
    assert ["7006"] == third.codes
    assert (4, 1) == (
        simulator.rung,
        simulator.replies[options.get("tps_reply", "7020")],
    )


def test_rate_counts_any_second() -> None:
    """
    The second slides, and what was turned away does not count.
    """
    rate = RateLimit(10)

    assert [True, False, True, False, True, True] == [
        rate.admits(size, now)
        for size, now in [(6, 0), (5, 0.5), (4, 0.75), (1, 0.875), (6, 1), (4, 1.75)]
    ]


def test_reply_to_haste_must_not_ring() -> None:
    """
    A reply that rings people cannot be the one to requests over the rate.
    """
    with pytest.raises(ValueError, match="'504' rings phones; a tps_reply must not"):
        Simulator(service_key=KEY, tps=1, tps_reply=504)


# What is counted


async def test_summary_counts_rings(session: ClientSession) -> None:
    """
    The summary tells how many were rung, and how many of them more than once.
    """
    async with Simulator(service_key=KEY, faults=["7006@1/3"]) as simulator:
        for count in (3, 2, 5):
            await post(session, simulator, message(count))

    assert {
        "requests": 3,
        "rung": 5,
        "numbers": 3,
        "rung_twice": 2,
        "most_in_flight": 1,
        "largest_request": 5,
        "replies": {"1001": 2, "7006": 1},
    } == simulator.summary()


async def test_number_twice_in_a_request_rings_twice(session: ClientSession) -> None:
    """
    A number that is in a request twice is rung twice.
    """
    body = message(destination=[{"msisdn": [number(1), number(1)]}])

    async with Simulator(service_key=KEY) as simulator:
        await post(session, simulator, body)

    assert {number(1): 2} == simulator.calls


async def test_counting_by_number_is_optional(session: ClientSession) -> None:
    """
    Without counting by number the rings still add up, and the rest is not made up.
    """
    async with Simulator(
        service_key=KEY, count_calls=False, most_records=1
    ) as simulator:
        for count in (2, 3):
            await post(session, simulator, message(count))

    summary = simulator.summary()
    assert (5, None, None) == (
        summary["rung"],
        summary["numbers"],
        summary["rung_twice"],
    )
    assert not simulator.calls
    assert [3] == [record.size for record in simulator.requests]


async def test_requests_in_flight_are_counted(session: ClientSession) -> None:
    """
    The most requests at once is the client's concurrency.
    """
    async with Simulator(service_key=KEY, latency=0.01) as simulator:
        await asyncio.gather(*(post(session, simulator) for _ in range(4)))
        await post(session, simulator)

    assert 4 == simulator.most_in_flight


async def begin_request(simulator: Simulator) -> asyncio.StreamWriter:
    """
    Send the head of a request and the first bytes of its body.
    """
    _, writer = await asyncio.open_connection("127.0.0.1", URL(simulator.url).port)
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nhost: simulator\r\nkey: {KEY}\r\n"
        'content-type: application/json\r\ncontent-length: 500\r\n\r\n{"d'.encode()
    )
    await until(lambda: simulator._in_flight == 1)
    return writer


@pytest.mark.parametrize("linger", [True, False])
async def test_request_cut_off_rings_nobody(
    linger: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A request whose body does not arrive whole never happened, however it was cut.
    """
    async with Simulator(service_key=KEY) as simulator:
        writer = await begin_request(simulator)
        if not linger:
            reset = struct.pack("ii", 1, 0)
            peer = writer.get_extra_info("socket")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        writer.close()
        await writer.wait_closed()
        await until(lambda: simulator._in_flight == 0)

    assert (0, []) == (simulator.rung, simulator.requests)
    assert "" == caplog.text


async def test_unfinished_request_does_not_hold_up_the_end() -> None:
    """
    Nobody waits for the rest of a request when the simulator stops.
    """
    async with Simulator(service_key=KEY) as simulator:
        writer = await begin_request(simulator)
        async with asyncio.timeout(1):
            await simulator.stop()
        writer.close()
        await writer.wait_closed()

    assert (0, []) == (simulator.rung, simulator.requests)


# Seen from another process


async def test_counts_are_served_over_http(session: ClientSession) -> None:
    """
    Another process reads the counts as JSON.
    """
    async with Simulator(service_key=KEY) as simulator:
        await post(session, simulator)
        read = []
        for path in ("", "/calls", "/requests"):
            async with session.get(f"{simulator.url}/simulator{path}") as response:
                read.append(await response.json())

    summary, calls, requests = read
    assert simulator.summary() == summary
    assert simulator.calls == calls
    assert [("1001", 200, "1001", 3, ["c-0", "c-1", "c-2"])] == [
        tuple(
            record[name]
            for name in ("reply", "status", "code", "size", "correlation_ids")
        )
        for record in requests
    ]
    assert (simulator.requests[0].arrived, simulator.requests[0].at) == (
        requests[0]["arrived"],
        requests[0]["at"],
    )


async def test_replies_are_scripted_over_http(session: ClientSession) -> None:
    """
    Another process scripts the replies with a list of words.
    """
    async with Simulator(service_key=KEY) as simulator:
        async with session.post(
            f"{simulator.url}/simulator/replies", json=[7006, "7102"]
        ) as response:
            status = response.status
        codes = [(await post(session, simulator)).codes[0] for _ in range(3)]

    assert 204 == status
    assert ["7006", "7102", "1001"] == codes


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "Post a JSON list of words."),
        (b'"drop"', "Post a JSON list of words."),
        (b'["dropp"]', "'dropp' is not a reply"),
    ],
)
async def test_wrong_script_is_refused_over_http(
    session: ClientSession, body: Any, reason: str
) -> None:
    """
    A script that cannot be read is a bad request with the reason.
    """
    async with (
        Simulator(service_key=KEY) as simulator,
        session.post(simulator.url + "/simulator/replies", data=body) as response,
    ):
        text = await response.text()

    assert 400 == response.status
    assert text.startswith(reason)


# Beginning and end


async def test_simulator_can_come_back(session: ClientSession) -> None:
    """
    A simulator that is started again has kept its counts.
    """
    simulator = Simulator(service_key=KEY)
    assert "" == simulator.url
    for _ in range(2):
        await simulator.start()
        await post(session, simulator)
        await simulator.stop()
        await simulator.stop()

    assert {number(place): 2 for place in range(3)} == simulator.calls


async def test_port_can_be_chosen(session: ClientSession) -> None:
    """
    A given port is taken, and given back at the end.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    for _ in range(2):
        async with Simulator(service_key=KEY, port=port) as simulator:
            await post(session, simulator)

        assert f"http://127.0.0.1:{port}" == simulator.url


def test_secrets_and_numbers_stay_out_of_representations() -> None:
    """
    Neither the key nor a number shows where objects are printed.
    """
    simulator = Simulator(service_key=KEY)
    simulator.calls[number(1)] += 1

    assert KEY not in repr(simulator)
    assert number(1) not in repr(simulator)

"""The words for replies of the stand-in for the API, and what they do."""

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import ClientSession
from conftest import KEY
from hypothesis import given
from hypothesis import strategies as st
from simulating import message, number, post, until

from voicepush.simulator import Fault, Reply, Simulator


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
        async with asyncio.timeout(10):
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

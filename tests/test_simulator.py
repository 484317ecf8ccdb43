"""The stand-in for the API: how often it fails, how fast it is, and what it counts."""

import asyncio
import socket
import struct
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import PATH, message, number, post, until
from yarl import URL

from voicepush.simulator import Simulator
from voicepush.simulator.rate import RateLimit

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

    assert not simulator.scripted


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

    summary = simulator.summary()
    assert 0 == summary.pop("receipts")["made"]
    assert {"asked": 0, "replies": {}} == summary.pop("status")
    assert {
        "requests": 3,
        "rung": 5,
        "numbers": 3,
        "rung_twice": 2,
        "most_in_flight": 1,
        "largest_request": 5,
        "replies": {"1001": 2, "7006": 1},
        "calls": {
            "reached": 0,
            "agent": 0,
            "not_reached": 0,
            "dropped": 0,
            "expired": 0,
            "on_its_way": 5,
        },
    } == summary


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
        async with asyncio.timeout(10):
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
        for path in ("", "/numbers", "/requests"):
            async with session.get(f"{simulator.url}/simulator{path}") as response:
                read.append(await response.json())

    summary, numbers, requests = read
    assert simulator.summary() == summary
    assert simulator.calls == numbers
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

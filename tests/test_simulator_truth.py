"""What the stand-in for the API knows of its calls, held against what others hear."""

from collections import defaultdict
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError
from conftest import KEY
from hypothesis import given
from hypothesis import strategies as st
from simulating import message, number, post
from simulator_receiver import Posted, Receiver, receiving, settled

from voicepush.simulator import STATES, Simulator
from voicepush.simulator.truth import state_of, truth_of

MIX = [
    "heard@40%",
    "hung-up@15%",
    "busy@10%",
    "rang-out@15%",
    "hung-up-ringing@8%",
    "agent@7%",
    "expired@5%",
]


# The state of a call


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        ("", "on_its_way"),
        ("7407", "on_its_way"),
        ("7407 7408", "on_its_way"),
        ("7407 7408 7405", "dropped"),
        ("7405", "dropped"),
        ("7407 7409", "dropped"),
        ("7409 7405 7408", "dropped"),
        ("7410", "not_reached"),
        ("7410 7409 7405", "not_reached"),
        ("7407 7408 7409 7401", "not_reached"),
        ("7402 7410", "not_reached"),
        ("7404", "not_reached"),
        ("7406", "not_reached"),
        ("7005", "expired"),
        ("7519", "reached"),
        ("7519 7409 7405", "reached"),
        ("7519 7410 7409 7405", "reached"),
        ("7519 7401", "reached"),
        ("7519 7411 7412 7405", "agent"),
        ("7411", "agent"),
        ("7412", "agent"),
        ("9999", "on_its_way"),
        ("9999 7401", "not_reached"),
    ],
)
def test_the_rank_decides(codes: str, state: str) -> None:
    """
    The state is that of the event of the highest rank, in whatever order they come.
    """
    events = [(code, moment) for moment, code in enumerate(codes.split())]

    assert state == state_of(events) == state_of(reversed(events))


def test_of_equals_the_latest_decides() -> None:
    """
    Of events of one rank the later by its own time stamp decides.
    """
    assert ["expired", "not_reached"] == [
        state_of([("7401", 5), ("7005", moment)]) for moment in (6, 4)
    ]


CODES = st.sampled_from(
    ["7407", "7408", "7519", "7401", "7402", "7405", "7409", "7410", "7411", "7005"]
)


@given(st.lists(st.tuples(CODES, st.integers(0, 9))), st.randoms())
def test_order_and_doubles_say_nothing(
    events: list[tuple[str, int]], chance: Any
) -> None:
    """
    Events in another order, and some of them twice, give the same state.
    """
    shuffled = events + events[:2]
    chance.shuffle(shuffled)

    assert state_of(events) == state_of(shuffled)


# What others hear


def heard_by(receiver: Receiver) -> dict[str, list[Posted]]:
    """
    The receipts that were taken, by the transaction id of their call.
    """
    heard = defaultdict(list)
    for posted in receiver.taken:
        heard[posted.notification["transid"]].append(posted)
    return heard


def state_heard(posts: list[Posted]) -> str:
    """
    What the receipts of one call say of it, read once more.
    """
    statuses = {posted.info["deliveryStatus"] for posted in posts}
    if statuses & {"TROMBONE_CONNECTED", "TROMBONE_RELEASED"}:
        return "agent"
    if "ANSWERED" in statuses:
        return "reached"
    if "Failed" in statuses:
        return "expired"
    if statuses & {"REJECTED", "DISCONNECTED"}:
        return "not_reached"
    return "dropped" if statuses & {"DROPPED", "Released"} else "on_its_way"


@pytest.mark.parametrize("seed", range(3))
async def test_the_truth_is_what_a_receiver_hears(
    session: ClientSession, seed: int
) -> None:
    """
    Whatever goes wrong on the way, the truth of each call is what the receiver heard.
    """
    async with (
        receiving(*[503, 404, 500] * 50) as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            answer="each",
            rings=MIX,
            ring_seconds=0.01,
            dial_rate=2_000,
            receipt_faults=["lost@20%", "twice:0.1@5%", "late:0.1@10%", "no-id@5%"],
            retry_seconds=0.01,
            seed=seed,
        ) as simulator,
    ):
        for word in ("1001", "drop-early", "ring-7006"):
            simulator.next_replies(word)
        for count in (200, 50, 100):
            try:
                await post(session, simulator, message(count))
            except ServerDisconnectedError:
                assert count == 50
        await settled(simulator)
        calls = simulator.truth()

    heard = heard_by(receiver)
    assert 300 == len(calls) == simulator.rung
    for call in calls:
        posts = heard.pop(call.transaction_id, [])
        happened = {event.code: event.timestamp for event in call.events}
        assert {code: happened[code] for code in call.delivered} == {
            posted.code: posted.info["timeStamp"] for posted in posts
        }
        assert state_heard(posts) == call.delivered_state
        assert {call.recipient.lstrip("+")} >= {
            posted.info["destination"].lstrip("+") for posted in posts
        }
    assert {} == heard
    differ = [call for call in calls if call.state != call.delivered_state]
    assert differ
    assert {call.delivered_state for call in calls} == set(STATES)


async def test_states_are_those_of_the_stories(session: ClientSession) -> None:
    """
    What becomes of a call follows from its story, and the summary adds them up.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, rings=MIX, ring_seconds=0
        ) as simulator,
    ):
        await post(session, simulator, message(300))
        await settled(simulator)

    states = {
        "heard": "reached",
        "hung-up": "reached",
        "busy": "not_reached",
        "rang-out": "not_reached",
        "hung-up-ringing": "not_reached",
        "agent": "agent",
        "expired": "expired",
    }
    counted = dict.fromkeys(STATES, 0)
    for call in simulator.truth():
        assert call.story is not None
        assert states[call.story] == call.state == call.delivered_state
        counted[call.state] += 1
    assert counted == simulator.summary()["calls"]
    assert 300 == sum(counted.values())


async def test_how_long_it_was_heard(session: ClientSession) -> None:
    """
    Who picked up heard the message until the end, as the time stamps have it.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            rings=["busy@30%", "hung-up@30%"],
            ring_seconds=0.02,
            receipt_faults=["lost@20%"],
        ) as simulator,
    ):
        await post(session, simulator, message(100))
        await settled(simulator)

    for call in simulator.truth():
        moments = {event.code: event.moment for event in call.events}
        if call.story == "busy":
            assert call.heard_seconds is None
        else:
            assert (moments["7405"] - moments["7519"]) / 1000 == call.heard_seconds
        knows = "7519" in call.delivered and {"7405", "7409", "7410"} & set(
            call.delivered
        )
        assert (call.heard_seconds if knows else None) == call.delivered_heard_seconds


# Where it is told


@pytest.mark.slow
async def test_the_truth_is_served_over_http(session: ClientSession) -> None:
    """
    Another process reads the same as JSON, however long the list is.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, rings=MIX, ring_seconds=0
        ) as simulator,
    ):
        for count in (1_000, 2):
            await post(session, simulator, message(count))
        await settled(simulator)
        read = []
        for path in ("calls", "receipts"):
            async with session.get(f"{simulator.url}/simulator/{path}") as response:
                read.append(await response.json())
        truth = simulator.truth()

    calls, receipts = read
    assert simulator.receipts() == receipts
    assert 1_002 == len(calls)
    assert [1] * 1_000 + [2] * 2 == [call.request for call in truth]
    for call, told in zip(truth, calls, strict=True):
        assert {
            "recipient": call.recipient,
            "correlation_id": call.correlation_id,
            "transaction_id": call.transaction_id,
            "request": call.request,
            "story": call.story,
            "events": [
                {
                    "code": event.code,
                    "timestamp": event.timestamp,
                    "moment": event.moment,
                }
                for event in call.events
            ],
            "delivered": list(call.delivered),
            "state": call.state,
            "delivered_state": call.delivered_state,
            "heard_seconds": call.heard_seconds,
            "delivered_heard_seconds": call.delivered_heard_seconds,
        } == told


async def test_nobody_rung_is_an_empty_list(session: ClientSession) -> None:
    """
    Before anyone is rung there is a list, too.
    """
    async with (
        Simulator(service_key=KEY) as simulator,
        session.get(simulator.url + "/simulator/calls") as response,
    ):
        assert [] == await response.json()


async def test_who_is_rung_twice_is_there_twice(session: ClientSession) -> None:
    """
    Each call has an entry of its own, also without anything reported.
    """
    body = message(destination=[{"msisdn": [number(1), number(1)]}])
    async with Simulator(service_key=KEY) as simulator:
        await post(session, simulator, body)

    assert [(number(1), "whole", None, "on_its_way", ())] * 2 == [
        (call.recipient, call.correlation_id, call.story, call.state, call.events)
        for call in simulator.truth()
    ]


async def test_stories_can_be_told_to_nobody(session: ClientSession) -> None:
    """
    Where rings are given and no address, stories are kept and nothing is posted.
    """
    async with Simulator(service_key=KEY, rings=["busy"], ring_seconds=0) as simulator:
        await post(session, simulator, message(2))
        await settled(simulator)

    assert [("busy", "not_reached", "on_its_way")] * 2 == [
        (call.story, call.state, call.delivered_state) for call in simulator.truth()
    ]
    assert 0 == simulator.receipts()["made"]


async def test_without_counting_nothing_is_kept(session: ClientSession) -> None:
    """
    Without counting by number receipts come all the same, and no truth is kept.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            ring_seconds=0,
            count_calls=False,
        ) as simulator,
    ):
        await post(session, simulator, message(3))
        await settled(simulator)

    assert 15 == len(receiver.posts)
    assert ([], None) == (simulator.truth(), simulator.summary()["calls"])


def test_numbers_stay_out_of_representations() -> None:
    """
    A call does not show its number where it is printed.
    """
    assert number(1) not in repr(truth_of(number(1), "c-1", "t-1"))

"""The words for what happens on a phone, and for what happens to its receipts."""

import random
from collections import Counter

import pytest
from aiohttp import ClientSession
from conftest import KEY
from hypothesis import given
from hypothesis import strategies as st
from simulating import message, post
from simulator_receiver import receiving, settled

from voicepush.simulator import ReceiptFault, Ring, Simulator
from voicepush.simulator.sequences import HEARD, draw

#: What the vendor documents: single events in their order, then those at the same time.
DOCUMENTED = {
    "heard": (["OFFERED", "ACCEPTED", "ANSWERED"], {"DROPPED", "Released"}),
    "hung-up": (
        ["OFFERED", "ACCEPTED", "ANSWERED"],
        {"Released", "DISCONNECTED", "DROPPED"},
    ),
    "busy": (["OFFERED", "ACCEPTED"], {"DROPPED", "REJECTED"}),
    "rang-out": (["OFFERED", "ACCEPTED"], {"DROPPED", "REJECTED"}),
    "hung-up-ringing": (
        ["OFFERED", "ACCEPTED"],
        {"DISCONNECTED", "DROPPED", "REJECTED"},
    ),
    "agent": (
        ["OFFERED", "ACCEPTED", "ANSWERED", "TROMBONE_CONNECTED", "TROMBONE_RELEASED"],
        {"DROPPED", "Released"},
    ),
    "expired": ([], {"Failed"}),
}


@pytest.mark.parametrize("word", DOCUMENTED)
async def test_each_story_is_as_the_vendor_documents_it(
    session: ClientSession, word: str
) -> None:
    """
    Single events come in their order; those of the end share a time stamp.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            rings=[word],
            ring_seconds=0.01,
            most_posts=1,
        ) as simulator,
    ):
        await post(session, simulator, message(1))
        await settled(simulator)

    single, end = DOCUMENTED[word]
    statuses = [posted.info["deliveryStatus"] for posted in receiver.posts]
    times = [posted.info["timeStamp"] for posted in receiver.posts]
    assert single == statuses[: len(single)]
    assert end == set(statuses[len(single) :])
    assert len(single) + len(end) == len(statuses)
    assert 1 == len(set(times[len(single) :]))
    assert times == sorted(times)
    assert len(single) + 1 == len(set(times))


async def test_what_ends_a_call_comes_in_any_order(session: ClientSession) -> None:
    """
    The events of one time stamp are reported in every order.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            rings=["hung-up-ringing"],
            ring_seconds=0,
        ) as simulator,
    ):
        await post(session, simulator, message(100))
        await settled(simulator)

    orders = {
        tuple(event.code for event in call.events[2:]) for call in simulator.truth()
    }
    assert 6 == len(orders)
    assert {"7409": 100, "7410": 100, "7402": 100} == {
        code: receiver.per_code()[code] for code in ("7409", "7410", "7402")
    }


async def test_who_meets_with_no_ring_hears_it(session: ClientSession) -> None:
    """
    The rest up to 100 % hears the message, and the same seed tells the same stories.
    """

    async def told(seed: int) -> list[str | None]:
        async with Simulator(
            service_key=KEY, rings=["busy@30%", "agent@20%"], seed=seed
        ) as simulator:
            await post(session, simulator, message(400))
            return [call.story for call in simulator.truth()]

    first, again, other = await told(1), await told(1), await told(2)

    assert first == again != other
    count = Counter(first)
    assert {"busy", "agent", "heard"} == set(count)
    assert 80 < count["busy"] < 160
    assert 40 < count["agent"] < 120


def test_shares_may_add_up_to_the_whole() -> None:
    """
    Where the rings are all calls nobody is left over, whatever rounding does.
    """
    rings = [
        Ring.parse(word) for word in ("busy@33.3%", "agent@33.3%", "expired@33.4%")
    ]

    stories = draw(rings, 1_000, random.Random(1))  # noqa: S311 -- chance

    assert 1_000 == len(stories)
    assert HEARD not in stories


def test_rings_are_at_most_all_calls() -> None:
    """
    Rings of more than 100 % are refused with their sum.
    """
    with pytest.raises(ValueError, match=r"add up to 120%; possible is at most 100%"):
        Simulator(service_key=KEY, rings=["busy", "heard@20%"])


@pytest.mark.parametrize("word", ["", "buzy", "busy ", "BUSY", "@5%", "7401"])
def test_wrong_ring_is_told_the_right_ones(word: str) -> None:
    """
    A word that is no ring is refused with a list of those that are.
    """
    with pytest.raises(ValueError, match=r"is not a ring; possible are heard, .*agent"):
        Ring.parse(word)


@pytest.mark.parametrize("word", ["", "lots", "late:", "late:-1", "lost:2", "@5%"])
def test_wrong_receipt_fault_is_told_the_right_ones(word: str) -> None:
    """
    A word that is no receipt fault is refused with a list of those that are.
    """
    with pytest.raises(
        ValueError, match=r"is not a receipt fault; possible are lost, .*late:SECONDS"
    ):
        ReceiptFault.parse(word)


@pytest.mark.parametrize("often", ["", "20", "0%", "101%", "1/5"])
def test_wrong_share_is_told_the_right_ones(often: str) -> None:
    """
    A frequency that is no percentage is refused with an example of one.
    """
    for parse, word in ((Ring.parse, "busy"), (ReceiptFault.parse, "lost")):
        with pytest.raises(ValueError, match=r"is not a frequency; .* such as 20%"):
            parse(f"{word}@{often}")


def test_a_delay_can_be_named() -> None:
    """
    Late and twice take the longest delay in seconds.
    """
    assert [("late", 0.1, 30.0), ("twice", 1.0, 0.5)] == [
        (fault.word, fault.share, fault.longest)
        for fault in map(ReceiptFault.parse, ["late:30@10%", "twice:0.5"])
    ]


@given(
    st.text()
    | st.builds(
        "{}{}".format,
        st.sampled_from(["heard@", "busy@", "late:", "lost@"]),
        st.text("0123456789.%:@"),
    )
)
def test_parsing_fails_in_one_way_only(word: str) -> None:
    """
    Whatever the word, it is understood or a ValueError.
    """
    for parse in (Ring.parse, ReceiptFault.parse):
        try:
            parsed = parse(word)
        except ValueError:
            continue

        assert 0 < parsed.share <= 1

"""What goes wrong with the receipts of the stand-in for the API, and how it goes on."""

import asyncio
import hashlib
import hmac
import socket
from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import message, post, until
from simulator_receiver import Posted, Receiver, receiving, settled

from voicepush.simulator import Simulator

SECRET = "hub-5c1e"


def is_signed(posted: Posted) -> bool:
    """
    Whether a post bears the right signature.
    """
    digest = hmac.new(SECRET.encode(), posted.body, hashlib.sha256).hexdigest()
    return digest == posted.headers.get("x-hub-signature")


async def told(
    session: ClientSession, *statuses: int, count: int = 1, **options: Any
) -> tuple[dict[str, Any], Receiver, Simulator]:
    """
    The counts after a request whose receipts are first answered with *statuses*.
    """
    options = {"ring_seconds": 0, "retry_seconds": 0.01, **options}
    async with (
        receiving(*statuses) as receiver,
        Simulator(
            service_key=KEY, **{"notify_url": receiver.url, **options}
        ) as simulator,
    ):
        await post(session, simulator, message(count))
        await settled(simulator)
    return simulator.receipts(), receiver, simulator


# Receipts that are not taken


@pytest.mark.parametrize("status", [503, 500, 401, 403, 412, 413, 429, 201, 502])
async def test_a_receipt_that_is_not_taken_comes_again(
    session: ClientSession, status: int
) -> None:
    """
    After most statuses the same receipt is posted again, until it gets 200.
    """
    counts, receiver, simulator = await told(session, status, status, rings=["expired"])

    assert 1 == len({posted.body for posted in receiver.posts})
    assert [status, status, 200] == [posted.status for posted in receiver.posts]
    assert (3, 1, 0, {str(status): 2}) == (
        counts["sent"],
        counts["delivered"],
        counts["lost"],
        counts["refused"],
    )
    assert ("7005",) == simulator.truth()[0].delivered


async def test_it_is_given_up_after_three_more_times(session: ClientSession) -> None:
    """
    A receipt that is refused four times is lost, and the others are not.
    """
    counts, receiver, simulator = await told(session, *[503] * 20)

    assert 20 == len(receiver.posts)
    assert [4] * 5 == list(receiver.per_code().values())
    assert (5, 20, 0, 5) == tuple(
        counts[name] for name in ("made", "sent", "delivered", "lost")
    )
    (call,) = simulator.truth()
    assert ("reached", "on_its_way", ()) == (
        call.state,
        call.delivered_state,
        call.delivered,
    )


@pytest.mark.parametrize(
    "status", [202, 208, 226, 302, 308, 400, 402, 404, 410, 411, 414, 416, 418, 505]
)
async def test_some_statuses_are_final(session: ClientSession, status: int) -> None:
    """
    After some statuses the platform does not try again, nor follow a redirect.
    """
    counts, receiver, _ = await told(session, status, rings=["expired"])

    assert [status] == [posted.status for posted in receiver.posts]
    assert (1, 0, 1, {str(status): 1}) == (
        counts["sent"],
        counts["delivered"],
        counts["lost"],
        counts["refused"],
    )


async def test_no_answer_in_time_counts_as_refused(session: ClientSession) -> None:
    """
    Who does not answer in time gets the receipt again.
    """
    counts, receiver, _ = await told(session, 0, rings=["expired"], answer_seconds=0.05)

    assert [None, 200] == [posted.status for posted in receiver.posts]
    assert ({"no_answer": 1}, 1) == (counts["refused"], counts["delivered"])


async def test_nobody_listens(session: ClientSession) -> None:
    """
    Without a connection a receipt is tried three more times, and then lost.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
    counts, _, _ = await told(session, rings=["expired"], notify_url=url)

    assert ({"no_connection": 4}, 4, 1) == (
        counts["refused"],
        counts["sent"],
        counts["lost"],
    )


async def test_a_refused_receipt_waits_its_time(session: ClientSession) -> None:
    """
    What is to be tried again later is pending, and so is nothing else.
    """
    async with (
        receiving(503) as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, rings=["expired"], ring_seconds=0
        ) as simulator,
    ):
        await post(session, simulator, message(3))
        await until(lambda: simulator.receipts()["delivered"] == 2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await simulator.receipts_done()

    assert 1 == simulator.receipts()["pending"]
    assert 3 == len(receiver.posts)


# Faults


async def test_doubles(session: ClientSession) -> None:
    """
    A double is the same receipt once more, and counts as one more.
    """
    counts, receiver, simulator = await told(
        session, count=2, receipt_faults=["twice:0.05"]
    )

    assert {2} == set(Counter(posted.body for posted in receiver.posts).values())
    assert (20, 20, 20) == (counts["made"], counts["sent"], counts["delivered"])
    assert {5} == {len(call.delivered) for call in simulator.truth()}


async def test_losses(session: ClientSession) -> None:
    """
    A lost receipt is never posted, and the truth knows it.
    """
    counts, receiver, simulator = await told(
        session, count=100, receipt_faults=["lost@30%", "twice:0@10%"]
    )

    assert 60 < counts["lost"] < 240
    doubles = counts["made"] - 500
    assert 10 < doubles < 90
    assert counts["made"] == counts["delivered"] + counts["lost"]
    assert len(receiver.posts) == counts["delivered"] == counts["sent"]
    delivered = sum(len(call.delivered) for call in simulator.truth())
    assert 500 - counts["lost"] == delivered == len(receiver.posts) - doubles


async def test_late_receipts_come_in_any_order(session: ClientSession) -> None:
    """
    With late receipts the order of arrival is not that of the time stamps.
    """
    counts, receiver, _ = await told(
        session, count=20, receipt_faults=["late:0.2@50%"], ring_seconds=0.001
    )

    times = [posted.info["timeStamp"] for posted in receiver.posts]
    assert times != sorted(times)
    first = [posted.code for posted in receiver.posts][::-1].index("7407")
    assert first < 50
    assert (100, 0) == (counts["delivered"], counts["lost"])


async def test_receipts_without_ids(session: ClientSession) -> None:
    """
    Any receipt may come with an empty correlation id; its transaction id is there.
    """
    _, receiver, _ = await told(session, count=50, receipt_faults=["no-id@20%"])

    empty = [
        posted for posted in receiver.posts if not posted.notification["correlationid"]
    ]
    assert 20 < len(empty) < 90
    assert {"7407", "7408", "7519", "7405", "7409"} == {posted.code for posted in empty}
    assert all(posted.notification["transid"] for posted in empty)


@pytest.mark.parametrize("word", ["forged", "unsigned"])
async def test_wrongly_signed_receipts_are_lost(
    session: ClientSession, word: str
) -> None:
    """
    Who answers 401 gets the wrong signature again, and never the receipt.
    """
    counts, receiver, simulator = await told(
        session,
        *[401] * 20,
        hub_secret=SECRET,
        receipt_faults=[word],
    )

    assert 20 == len(receiver.posts)
    assert not any(map(is_signed, receiver.posts))
    assert (word == "forged") == ("x-hub-signature" in receiver.posts[0].headers)
    assert (20, 0, 5) == (counts["forged"], counts["forged_taken"], counts["lost"])
    assert () == simulator.truth()[0].delivered


async def test_a_wrong_signature_can_be_mended(session: ClientSession) -> None:
    """
    Where the option says so, only the first post is signed wrongly.
    """
    counts, receiver, _ = await told(
        session,
        *[401] * 5,
        hub_secret=SECRET,
        receipt_faults=["forged"],
        forged_again=False,
    )

    assert [False] * 5 + [True] * 5 == list(map(is_signed, receiver.posts))
    assert (5, 5, 0) == (counts["forged"], counts["delivered"], counts["lost"])


async def test_who_takes_what_is_forged_is_found_out(session: ClientSession) -> None:
    """
    A wrong signature that was answered with 200 is counted.
    """
    counts, receiver, _ = await told(
        session, count=20, hub_secret=SECRET, receipt_faults=["forged@20%"]
    )

    wrong = sum(not is_signed(posted) for posted in receiver.posts)
    assert 5 < wrong < 50
    assert (wrong, wrong) == (counts["forged"], counts["forged_taken"])


async def test_chance_is_repeatable(session: ClientSession) -> None:
    """
    The same seed tells the same stories and loses the same receipts.
    """

    async def run(seed: int) -> list[tuple[str | None, tuple[str, ...]]]:
        _, _, simulator = await told(
            session,
            count=50,
            seed=seed,
            rings=["busy@30%"],
            receipt_faults=["lost@20%"],
        )
        return [(call.story, call.delivered) for call in simulator.truth()]

    assert await run(1) == await run(1) != await run(2)


# At once, and at the end


async def test_posts_at_once_are_bounded(session: ClientSession) -> None:
    """
    No more receipts are posted at once than the option says.
    """
    async with (
        receiving(*[0] * 8) as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, ring_seconds=0, most_posts=8
        ) as simulator,
    ):
        await post(session, simulator, message(50))
        await until(lambda: len(receiver.posts) == 8)
        await post(session, simulator, message(50))
        assert 8 == simulator.receipts()["sent"]
        receiver.release()
        await settled(simulator)

    assert 500 == len(receiver.posts)


async def test_the_end_waits_for_nobody(session: ClientSession) -> None:
    """
    A simulator that stops leaves what is pending, and who waits for it is told.
    """
    async with (
        receiving(*[0] * 5) as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, ring_seconds=0
        ) as simulator,
    ):
        await post(session, simulator, message(1))
        await until(lambda: len(receiver.posts) == 5)
        waiting = asyncio.create_task(simulator.receipts_done())
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await simulator.stop()
            await waiting

    assert 5 == simulator.receipts()["pending"]


async def test_what_was_pending_comes_after_a_new_start(session: ClientSession) -> None:
    """
    A simulator that is started again goes on with its receipts.
    """
    async with receiving(0) as receiver:
        simulator = Simulator(
            service_key=KEY, notify_url=receiver.url, ring_seconds=0, most_posts=1
        )
        await simulator.start()
        await post(session, simulator, message(1))
        await until(lambda: receiver.posts)
        await simulator.stop()
        async with simulator:
            await settled(simulator)

    assert (6, 5) == (len(receiver.posts), simulator.receipts()["delivered"])
    assert "reached" == simulator.truth()[0].delivered_state


async def test_nothing_pending_is_done_at_once() -> None:
    """
    Nobody waits for receipts where there are none, started or not.
    """
    simulator = Simulator(service_key=KEY)
    async with asyncio.timeout(10):
        await simulator.receipts_done()
        async with simulator:
            await simulator.receipts_done()

"""
What became of calls is asked for where their receipts never came.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
from aiohttp import web
from conftest import KEY, Connect, Simulate, numbers
from receiving import served
from simulating import until

from voicepush import (
    Campaign,
    CampaignStatus,
    Client,
    Destination,
    Ledger,
    LedgerError,
    Outcome,
    Recipient,
    Settings,
    VoiceMessage,
)
from voicepush.model.call import Receipt, Received
from voicepush.receipts.polling import Poll, Polled
from voicepush.simulator import Simulator

if TYPE_CHECKING:
    from ledger_model import Store

RINGS = ["busy@20%", "hung-up@20%", "hung-up-ringing@10%", "agent@5%", "expired@5%"]

NOW = timedelta(0)


async def sent(
    ledger: Ledger,
    client: Client,
    recipients: Sequence[Recipient],
    *,
    name: str = "june",
    notify_url: str | None = None,
    batch_size: int = 50,
) -> CampaignStatus:
    """
    A campaign to *recipients* that everyone was accepted in.
    """
    message = VoiceMessage(media="welcome", notify_url=notify_url)
    campaign = await Campaign.plan(
        ledger, name, message, recipients, batch_size=batch_size
    )
    await campaign.dispatch(client)
    status = await campaign.status()
    assert status.planned == status.accepted
    return status


def polling(
    ledger: Ledger,
    simulator: Simulator | str,
    *,
    after: timedelta = NOW,
    again_after: timedelta = NOW,
    **settings: Any,
) -> Poll:
    """
    A poll that does not wait long.
    """
    given = {"service_key": KEY, "first_wait": 0.01, "concurrency": 4, **settings}
    chosen = Settings(
        base_url=simulator if isinstance(simulator, str) else simulator.url, **given
    )
    return Poll(ledger, "june", chosen, after=after, again_after=again_after)


async def polled(ledger: Ledger, simulator: Simulator | str, **how: Any) -> Polled:
    """
    What came of one.
    """
    async with asyncio.timeout(20):
        return await polling(ledger, simulator, **how).run()


def truth_of(simulator: Simulator) -> dict[str, str]:
    """
    What the platform tells of each call: it does not tell agents apart.
    """
    return {
        each.recipient: "reached" if each.state == "agent" else each.state
        for each in simulator.truth()
    }


async def known_of(ledger: Ledger) -> dict[str, str]:
    """
    What is known of each call of june.
    """
    found = {}
    plan = await ledger.plan("june")
    assert plan is not None
    async for result in ledger.results("june", [Outcome.ACCEPTED]):
        calls = await ledger.calls(result.batch.id)
        for at, value in enumerate(result.batch.recipients.values):
            if at in calls:
                found[value] = calls[at].state.value
    return found


@asynccontextmanager
async def answering(told: Mapping[str, object]) -> AsyncIterator[str]:
    """
    A service that answers by transaction id what it was told to; gives its address.
    """

    async def answer(http: web.Request) -> web.Response:
        return web.json_response(told[http.match_info["transid"]])

    app = web.Application()
    app.router.add_get("/resources/v1/messaging/status/{transid}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


# Every silent call is asked about


@pytest.mark.parametrize("answer", ["one", "each"])
async def test_every_silent_call_gets_the_truth(
    store: Store, simulate: Simulate, connect: Connect, answer: str
) -> None:
    """
    By one request for one sent before, or by one for each call.
    """
    simulator = await simulate(rings=RINGS, ring_seconds=0, answer=answer)
    await sent(store.ledger, await connect(simulator), numbers(120))
    counts = await polled(store.ledger, simulator)
    truth = truth_of(simulator)
    known = await known_of(store.ledger)
    again = await polled(store.ledger, simulator)

    assert truth == known
    assert Counter(truth.values()) == +counts.further
    assert (120, 120, 0) == (counts.calls, counts.ended, counts.still_silent)
    assert (3 if answer == "one" else 120) == counts.requests == counts.answered
    assert {1} == set(simulator.asked.values())
    assert Polled() == again


@pytest.mark.parametrize("answer", ["one", "each"])
async def test_what_receipts_say_stays(
    store: Store, simulate: Simulate, connect: Connect, answer: str
) -> None:
    """
    Half of them were lost: nothing is asked of calls that have ended, and an agent that
    a receipt tells of stays connected.
    """
    async with served(store.ledger) as address:
        simulator = await simulate(
            rings=RINGS,
            ring_seconds=0.001,
            receipt_faults=["lost@60%"],
            answer=answer,
        )
        client = await connect(simulator)
        url = f"{address}/receipts"
        await sent(store.ledger, client, numbers(120), notify_url=url)
        await simulator.receipts_done()
        before = await store.ledger.receipt_counts()
        counts = await polled(store.ledger, simulator)
    known, truth = await known_of(store.ledger), simulator.truth()
    ends = {"7401", "7402", "7005", "7405", "7409", "7410"}
    ended = {each.recipient for each in truth if ends.intersection(each.delivered)}
    asked = {each.recipient: simulator.asked[each.transaction_id] for each in truth}

    assert 0 < len(ended) < 120
    assert counts.calls == 120 - len(ended) == counts.ended
    if answer == "each":
        assert ended == {each for each, number in asked.items() if not number}
    for each in truth:
        expected = each.state if each.recipient not in ended else each.delivered_state
        if expected == "agent" and each.delivered_state != "agent":
            expected = "reached"
        assert expected == known[each.recipient]
    # What was asked for is no sign of receipts arriving.
    assert before == await store.ledger.receipt_counts()


async def test_customers_and_destinations_of_several(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Each number has a call of its own, whoever gave the ids, and an id stays as it is.
    """
    recipients = [
        *(Destination(numbers(3, 10 * at)) for at in range(4)),
        *(Destination(n, correlation_id=f"o{n}") for n in numbers(4, 100)),
        *(Destination(customer_id=f"c-{at} \N{SNOWMAN}") for at in range(4)),
        *(Destination(customer_id=f"{at}99955500") for at in range(1, 4)),
    ]
    for answer in ("one", "each"):
        name = {"one": "june", "each": "july"}[answer]
        simulator = await simulate(rings=RINGS, ring_seconds=0, answer=answer)
        await sent(store.ledger, await connect(simulator), recipients, name=name)
        poll = polling(store.ledger, simulator)
        poll._campaign = name
        counts = await poll.run()
        truth = truth_of(simulator)
        states = {
            value: each.call.state.value
            for value in truth
            for each in await store.ledger.lookup(value)
            if each.campaign == name and each.call is not None
        }

        assert truth == states
        assert 23 == counts.calls == counts.ended


async def test_what_was_told_is_shown(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Word for word.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0)
    await sent(store.ledger, await connect(simulator), numbers(2))
    await polled(store.ledger, simulator)
    (found,) = await store.ledger.lookup(numbers(2)[1])
    (body,) = found.receipts
    element = msgspec.json.decode(body)

    assert (numbers(2)[1], "no answer") == (element["to"], element["status"])
    assert found.call is not None
    assert ("7401", "no answer: Unknown error") == (found.call.code, found.call.words)
    assert found.call.at is not None
    assert found.call.ended_at is None


async def test_numbers_may_lack_their_plus_and_elements_a_recipient(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Read leniently, as receipts are; of one call there is one element.
    """
    simulator = await simulate(answer="each")
    status = await sent(store.ledger, await connect(simulator), numbers(2))
    first, second = simulator.truth()
    async with answering(
        {
            first.transaction_id: [{"to": first.recipient[1:], "status": "answered"}],
            second.transaction_id: {"transid": second.transaction_id, "status": "BUSY"},
        }
    ) as stand_in:
        counts = await polled(store.ledger, stand_in)

    assert 2 == status.accepted
    assert {"reached": 1, "not_reached": 1} == counts.further


async def test_a_call_that_goes_on_is_asked_about_again(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    But what is told the second time is not kept twice.
    """
    simulator = await simulate(rings=["heard"], ring_seconds=60, dial_rate=0.01)
    await sent(store.ledger, await connect(simulator), numbers(2))
    first = await polled(store.ledger, simulator)
    second = await polled(store.ledger, simulator)
    lately = await polled(store.ledger, simulator, again_after=timedelta(hours=1))
    (found,) = await store.ledger.lookup(numbers(1)[0])

    assert ({"on_its_way": 2}, 0, 2) == (
        *(first.further, first.ended),
        first.still_silent,
    )
    assert ({}, 2) == (+second.further, second.still_silent)
    assert 0 == lately.requests
    assert [2] == list(simulator.asked.values())
    assert 1 == len(found.receipts)


async def test_who_was_claimed_lately_is_not_asked_about(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Receipts may come yet.
    """
    simulator = await simulate()
    await sent(store.ledger, await connect(simulator), numbers(2))

    assert Polled() == await polled(store.ledger, simulator, after=timedelta(hours=1))


async def test_of_some_nothing_is_told(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    They are counted, stay silent, and are not asked about again at once.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0)
    await sent(store.ledger, await connect(simulator), numbers(9))
    simulator.next_status_replies("short")
    counts = await polled(store.ledger, simulator)
    again = await polled(store.ledger, simulator, again_after=timedelta(hours=1))

    assert (9, 6, 3, 3) == (
        *(counts.calls, counts.ended),
        *(counts.untold, counts.still_silent),
    )
    assert 0 == again.requests


async def test_receipts_that_come_meanwhile(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Whose call has ended by then is not asked about any more.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0, answer="each")
    client = await connect(simulator)
    await sent(store.ledger, client, numbers(100), batch_size=100)
    poll = polling(store.ledger, simulator, concurrency=1)
    ledger = Meanwhile(store.ledger, after=50)
    poll._ledger = ledger  # type: ignore[assignment]
    counts = await poll.run()

    assert 50 == counts.requests
    assert 100 == len(await known_of(store.ledger))
    assert Polled() == await polled(store.ledger, simulator)


@attrs.define
class Meanwhile:
    """
    A ledger into which receipts of all come once so many were asked about.
    """

    ledger: Ledger
    after: int

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def receive(self, receipts: Sequence[Receipt]) -> Received:
        """
        Count those.
        """
        self.after -= len(receipts)
        if not self.after:
            (result,) = [
                each async for each in self.ledger.results("june", [Outcome.ACCEPTED])
            ]
            report = receipts[0].reports[0]
            theirs = [
                attrs.evolve(
                    report,
                    correlation_id=result.batch.id.id_at(place),
                    recipient=value,
                )
                for place, value in enumerate(result.batch.recipients.values)
            ]
            come = Receipt(body=b"{}", received_at=5.0, reports=theirs)
            await self.ledger.receive([come])
        return await self.ledger.receive(receipts)


# Failures


async def test_a_tenant_without_it(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    A few requests show it, and nothing is taken for asked.
    """
    simulator = await simulate(status_api=False, answer="each", rings=["busy"])
    await sent(store.ledger, await connect(simulator), numbers(100))
    counts = await polled(store.ledger, simulator)
    asked = simulator.asked.total()
    simulator.status_api = True
    again = await polled(store.ledger, simulator, again_after=timedelta(hours=1))

    assert counts.refused is not None
    assert "HTTP 404" in counts.refused
    assert "this tenant may not have the status API" in counts.refused
    assert 5 == counts.failed == counts.requests
    assert 5 <= asked <= 8
    assert 100 == again.requests


async def test_transactions_that_nobody_knows_any_more(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Once one was answered, the API is there, and the others are counted.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0, answer="each")
    await sent(store.ledger, await connect(simulator), numbers(30))
    simulator.next_status_replies("1001", *["404"] * 10, *["7004"] * 10)
    counts = await polled(store.ledger, simulator, concurrency=1)
    again = await polled(store.ledger, simulator, again_after=timedelta(hours=1))

    assert (None, 30, 20) == (counts.refused, counts.requests, counts.failed)
    assert {
        "HTTP 404 Not Found, without a code in the body": 10,
        "7004 Invalid parameters": 10,
    } == counts.failures
    assert (10, 20) == (counts.ended, counts.still_silent)
    assert (20, 20) == (again.requests, again.ended)


async def test_many_ways_to_fail(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Not more of them are told apart than a person reads; numbers are masked.
    """
    simulator = await simulate(answer="each")
    await sent(store.ledger, await connect(simulator), numbers(40))
    told: dict[str, object] = {
        each.transaction_id: {"code": f"75{place:02}", "message": numbers(1)[0]}
        for place, each in enumerate(simulator.truth())
    }
    told[simulator.truth()[0].transaction_id] = []
    async with answering(told) as stand_in:
        counts = await polled(store.ledger, stand_in, concurrency=1)

    assert (40, 39, 1) == (counts.requests, counts.failed, counts.untold)
    assert {"for other reasons": 19}.items() <= counts.failures.items()
    assert 21 == len(counts.failures)
    assert "7501 +99******0000" in counts.failures


@pytest.mark.parametrize("word", ["7001", "401", "7007", "302", "7020-quota"])
async def test_a_service_that_refuses_everything(
    store: Store, simulate: Simulate, connect: Connect, word: str
) -> None:
    """
    It is asked once.
    """
    simulator = await simulate(answer="each", status_faults=[word])
    await sent(store.ledger, await connect(simulator), numbers(20))
    counts = await polled(store.ledger, simulator, concurrency=1)

    assert counts.refused is not None
    assert (1, 1) == (counts.requests, simulator.asked.total())
    assert KEY not in counts.refused


async def test_a_wrong_key(store: Store, simulate: Simulate, connect: Connect) -> None:
    """
    It ends at once, and the key is not shown.
    """
    simulator = await simulate()
    await sent(store.ledger, await connect(simulator), numbers(2))
    counts = await polled(store.ledger, simulator, service_key="wrong-key-1")

    assert "7001 Authentication failed" == counts.refused


@pytest.mark.parametrize(
    "word", ["garbage", "empty", "500", "502", "7006", "drop", "truncated", "7010"]
)
async def test_what_may_pass_is_asked_again(
    store: Store, simulate: Simulate, connect: Connect, word: str
) -> None:
    """
    It changes nothing, so nothing is in doubt.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0)
    await sent(store.ledger, await connect(simulator), numbers(2))
    simulator.next_status_replies(word, word)
    counts = await polled(store.ledger, simulator)

    assert (1, 2, {}) == (counts.requests, counts.ended, counts.failures)
    assert 3 <= simulator.asked.total() <= 4


async def test_no_answer_in_time_is_asked_again(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    By another connection.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0)
    await sent(store.ledger, await connect(simulator), numbers(2))
    simulator.next_status_replies("hang")
    counts = await polled(store.ledger, simulator, answer_timeout=0.2)

    assert (2, 2) == (counts.ended, simulator.asked.total())


@pytest.mark.parametrize("word", ["garbage", "drop", "500"])
async def test_a_service_that_is_out_of_order(
    store: Store, simulate: Simulate, connect: Connect, word: str
) -> None:
    """
    Five in a row, of which each was tried five times, end it, also late.
    """
    simulator = await simulate(
        rings=["busy"], ring_seconds=0, answer="each", status_faults=[word]
    )
    await sent(store.ledger, await connect(simulator), numbers(20))
    simulator.next_status_replies("1001", "1001")
    counts = await polled(store.ledger, simulator, concurrency=1)

    assert counts.refused is not None
    assert counts.refused.startswith("5 requests in a row failed alike: ")
    assert (7, 2, 5) == (counts.requests, counts.answered, counts.failed)


async def test_a_service_that_is_gone(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Nothing is taken for asked.
    """
    simulator = await simulate(answer="each")
    await sent(store.ledger, await connect(simulator), numbers(20))
    await simulator.stop()
    counts = await polled(store.ledger, simulator)

    assert counts.refused is not None
    assert "no connection" in counts.refused
    assert 0 == counts.answered


async def test_a_ledger_that_fails(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    It ends, and says so.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0, answer="each")
    await sent(store.ledger, await connect(simulator), numbers(20))
    poll = polling(store.ledger, simulator)
    poll._ledger = Failing(store.ledger)

    with pytest.raises(LedgerError, match="the disk is full"):
        await poll.run()
    assert simulator.asked.total() <= 4


@attrs.define
class Failing:
    """
    A ledger that can't be written.
    """

    ledger: Ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def note_asked(self, *_: object) -> None:
        """
        Fail.
        """
        raise LedgerError("the disk is full")


# Pace


async def test_refusals_for_speed_are_waited_out(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Everyone is asked about in the end, and the pace falls.
    """
    simulator = await simulate(
        rings=["busy"], ring_seconds=0, answer="each", status_tps=20
    )
    await sent(store.ledger, await connect(simulator), numbers(40))
    simulator.next_status_replies("429:1")
    poll = polling(store.ledger, simulator, rate=40)
    begun = asyncio.get_running_loop().time()
    counts = await poll.run()
    passed = asyncio.get_running_loop().time() - begun

    assert (40, 0) == (counts.ended, counts.failed)
    assert poll.pacer.rate is not None
    assert poll.pacer.rate < 40
    assert passed >= 1


async def test_the_rate_is_kept(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Of requests, apart from that of the campaign.
    """
    simulator = await simulate(rings=["busy"], ring_seconds=0, answer="each")
    await sent(store.ledger, await connect(simulator), numbers(4))
    begun = asyncio.get_running_loop().time()
    await polled(store.ledger, simulator, rate=5)

    assert asyncio.get_running_loop().time() - begun > 0.5


async def test_a_service_that_asks_to_wait_for_long(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    For longer than the patience: it ends at once, and says so.
    """
    simulator = await simulate(answer="each", status_faults=["429:3000"])
    await sent(store.ledger, await connect(simulator), numbers(20))
    counts = await polled(store.ledger, simulator)

    assert counts.refused is not None
    assert "refuses for speed for longer than the patience" in counts.refused
    assert simulator.asked.total() <= 4


async def test_who_waits_meanwhile_is_not_asked_either(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    The wait is everyone's.
    """
    simulator = await simulate(answer="each")
    await sent(store.ledger, await connect(simulator), numbers(20))
    simulator.next_status_replies("429:3000")
    poll = polling(store.ledger, simulator, rate=2)
    counts = await poll.run()

    assert counts.refused is not None
    assert 1 == simulator.asked.total()
    assert poll.pacer.held_until is not None


async def test_no_more_than_so_many_at_once(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    However long the answers take.
    """
    simulator = await simulate(
        rings=["busy"], ring_seconds=0, answer="each", status_faults=["slow:0.05"]
    )
    await sent(store.ledger, await connect(simulator, concurrency=1), numbers(20))
    await polled(store.ledger, simulator, concurrency=3)

    assert 3 == simulator.most_in_flight


async def test_it_stops_after_what_is_under_way(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    What was answered is written down, and the next one goes on.
    """
    simulator = await simulate(
        rings=["busy"], ring_seconds=0, answer="each", status_faults=["slow:0.1"]
    )
    await sent(store.ledger, await connect(simulator), numbers(20))
    poll = polling(store.ledger, simulator)
    running = asyncio.create_task(poll.run())
    await until(lambda: simulator.asked.total() >= 6)
    poll.stop("enough")
    counts = await running
    again = await polled(store.ledger, simulator, again_after=timedelta(hours=1))

    assert 6 <= counts.requests == counts.ended == counts.calls <= 8
    assert counts.refused is None
    assert 20 - counts.requests == again.requests
    assert {1} == set(simulator.asked.values())

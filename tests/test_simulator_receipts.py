"""The receipts of the stand-in for the API: whom they go to, and what they say."""

import base64
import hashlib
import hmac
import itertools
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import message, number, post, until
from simulator_receiver import Receiver, receiving, settled

from voicepush.simulator import Simulator


async def told(
    session: ClientSession, body: Any = None, *words: Any, **options: Any
) -> tuple[Simulator, Receiver]:
    """
    What a receiver hears of one request.
    """
    options = {"ring_seconds": 0, **options}
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY, **{"notify_url": receiver.url, **options}
        ) as simulator,
    ):
        simulator.next_replies(*words)
        try:
            await post(session, simulator, body)
        except aiohttp.ClientError:
            assert words
        await settled(simulator)
    return simulator, receiver


# What they say


async def test_a_receipt_is_as_the_vendor_shows_it(session: ClientSession) -> None:
    """
    A receipt has every field of the vendor's sample.
    """
    _, receiver = await told(session, message(1, callbackData="june"))

    (offered,) = [posted for posted in receiver.posts if posted.code == "7407"]
    whole: dict[str, Any] = {"notification": offered.notification}
    info = whole["notification"].pop("deliveryInfo")
    time_stamp = info.pop("timeStamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time_stamp)
    assert abs(datetime.now(UTC) - datetime.fromisoformat(time_stamp)) < timedelta(
        minutes=1
    )
    assert {
        "Description": "Call offered",
        "code": "7407",
        "deliveryChannel": "voice",
        "additionalInfo": "",
        "destination": number(0),
        "destinationType": "msisdn",
        "deliveryStatus": "OFFERED",
    } == info
    transid = whole["notification"].pop("transid")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", transid)
    assert {"subtid": "", "callbackData": "june", "correlationid": "c-0"} == whole[
        "notification"
    ]
    assert b'"deliveryTransInfo":"<' in offered.body
    assert "application/json" == offered.headers["Content-Type"]


async def test_three_codes_come_without_ids(session: ClientSession) -> None:
    """
    7410, 7411 and 7412 have neither correlation id nor callback data; others have both.
    """
    body = message(40, callbackData="june")
    _, receiver = await told(session, body, rings=["hung-up@50%", "agent@50%"])

    nameless = {"7410", "7411", "7412"}
    assert nameless < set(receiver.codes)
    for posted in receiver.posts:
        ids = {"correlationid", "callbackData"} & posted.notification.keys()
        assert (0 if posted.code in nameless else 2) == len(ids)


async def test_expired_comes_without_plus(session: ClientSession) -> None:
    """
    The number in an expired call's receipt has no plus; other numbers have theirs.
    """
    _, expired = await told(session, message(1), rings=["expired"])
    _, heard = await told(session, message(1))

    assert [number(0)[1:]] == [posted.info["destination"] for posted in expired.posts]
    assert {number(0)} == {posted.info["destination"] for posted in heard.posts}


@pytest.mark.parametrize("word", ["heard", "expired"])
async def test_customers_are_told_of_by_their_id(
    session: ClientSession, word: str
) -> None:
    """
    A call to a customer id names that id and its kind.
    """
    body = message(destination=[{"customerid": ["+cust 7"]}])
    _, receiver = await told(session, body, rings=[word])

    assert {("+cust 7", "customerid", "whole")} == {
        (
            posted.info["destination"],
            posted.info["destinationType"],
            posted.notification["correlationid"],
        )
        for posted in receiver.posts
    }


async def test_a_tenant_may_leave_out_its_zone(session: ClientSession) -> None:
    """
    With the tenant's offset, time stamps are in its zone and do not say so.
    """
    offset = timedelta(hours=5, minutes=30)
    simulator, receiver = await told(session, message(1), tenant_offset=offset)

    (call,) = simulator.truth()
    expected = {
        event.code: (datetime.fromisoformat(event.timestamp) + offset)
        .replace(tzinfo=None)
        .isoformat(timespec="milliseconds")
        for event in call.events
    }
    assert expected == {
        posted.code: posted.info["timeStamp"] for posted in receiver.posts
    }


# Transaction ids


def transids(receiver: Receiver) -> dict[str, str]:
    """
    The transaction id of each number, which is the same in all its receipts.
    """
    found = {
        (posted.info["destination"], posted.notification["transid"])
        for posted in receiver.posts
    }
    assert len(found) == len(dict(found))
    return dict(found)


@pytest.mark.parametrize("answer", ["one", "object", "each", "list", "numeric"])
@pytest.mark.parametrize("numbered", [False, True])
async def test_transaction_ids_are_the_answers(
    session: ClientSession, answer: str, *, numbered: bool
) -> None:
    """
    Receipts bear the ids of the answer: each its own, or all the one, or numbered.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY,
            notify_url=receiver.url,
            ring_seconds=0,
            answer=answer,
            numbered_transids=numbered,
        ) as simulator,
    ):
        answered = (await post(session, simulator, message(3))).json
        await settled(simulator)

    whole = answer in ("one", "object")
    elements = answered if answer == "list" else [answered]
    if answer not in ("list", "object"):
        elements = answered["response"]
    given = [element["transid"] for element in elements]
    if whole:
        given = [
            f"{given[0]}_{place}" if numbered else given[0] for place in range(1, 4)
        ]
    expected = {number(place): transid for place, transid in enumerate(given)}
    assert expected == transids(receiver)
    assert list(expected.values()) == [
        call.transaction_id for call in simulator.truth()
    ]


async def test_one_of_one_is_not_numbered(session: ClientSession) -> None:
    """
    The transaction id of a request for one is left as it is.
    """
    _, receiver = await told(session, message(1), numbered_transids=True)

    assert "_" not in transids(receiver)[number(0)]


async def test_values_of_one_entry_share_its_ids(session: ClientSession) -> None:
    """
    Several numbers of one entry can be told apart only by number.
    """
    body = message(
        destination=[{"msisdn": [number(1), number(2)], "correlationid": "both"}]
    )
    _, receiver = await told(session, body, answer="each")

    assert {number(1), number(2)} == set(transids(receiver))
    assert 1 == len(set(transids(receiver).values()))
    assert {"both"} == {
        posted.notification["correlationid"] for posted in receiver.posts
    }


# Who is told of


@pytest.mark.parametrize(
    "word", ["drop", "ring-7006", "ring-503", "504", "truncated", "garbage", "twice"]
)
async def test_who_was_rung_is_reported_whatever_was_answered(
    session: ClientSession, word: str
) -> None:
    """
    A lost or false answer changes nothing of what happens on the phones.
    """
    simulator, receiver = await told(session, message(3), word)

    assert 15 == len(receiver.posts)
    assert {"c-0", "c-1", "c-2"} == {
        posted.notification["correlationid"] for posted in receiver.posts
    }
    assert ["reached"] * 3 == [call.delivered_state for call in simulator.truth()]


@pytest.mark.parametrize("word", ["7006", "drop-early", "429", "504-early"])
async def test_who_was_not_rung_is_not_reported(
    session: ClientSession, word: str
) -> None:
    """
    Nothing is reported of a request that rang nobody.
    """
    simulator, receiver = await told(session, message(3), word)

    assert [] == receiver.posts
    assert [] == simulator.truth()


async def test_of_a_mix_the_accepted_are_reported(session: ClientSession) -> None:
    """
    Only those destinations get receipts whose own verdict was acceptance.
    """
    simulator, receiver = await told(session, message(50), "mix:7102=50%")

    assert 5 < len(simulator.calls) < 45
    assert set(simulator.calls) == set(transids(receiver))
    assert len(simulator.truth()) == simulator.rung


# Where to


async def test_the_requests_address_wins(session: ClientSession) -> None:
    """
    A request's notifyurl goes before the simulator's own.
    """
    async with receiving() as other:
        _, receiver = await told(session, message(1, notifyurl=other.url))

    assert (0, 5) == (len(receiver.posts), len(other.posts))


async def test_a_request_can_bring_the_only_address(session: ClientSession) -> None:
    """
    Without an address of its own the simulator reports to the request's.
    """
    async with receiving() as other:
        body = message(1, notifyurl=other.url.replace("127.0.0.1", "localhost"))
        _, receiver = await told(session, body, notify_url=None)

    assert (0, 5) == (len(receiver.posts), len(other.posts))


OUTSIDE = [
    "https://example.com/receipts",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://127.0.0.1.example.com/",
    "http://localhost.example.com/",
    "http://127.0.0.1@example.com/",
    "ftp://127.0.0.1/",
    "http://[::2]/",
    "http://[",
    "receipts",
]


@pytest.mark.parametrize("url", OUTSIDE)
async def test_nobody_else_hears_of_made_up_calls(
    session: ClientSession, url: str
) -> None:
    """
    An address that is not this machine is refused, and skipped where a request has it.
    """
    with pytest.raises(ValueError, match="does not lead to this machine"):
        Simulator(service_key=KEY, notify_url=url)

    simulator, receiver = await told(session, message(2, notifyurl=url))

    assert [] == receiver.posts
    assert ({"not_this_machine": 2}, 0) == (
        simulator.receipts()["skipped"],
        simulator.receipts()["made"],
    )
    assert [None, None] == [call.story for call in simulator.truth()]


async def test_an_address_can_be_given_later(session: ClientSession) -> None:
    """
    Options can be changed between requests, and are checked then, too.
    """
    async with receiving() as receiver, Simulator(service_key=KEY) as simulator:
        await post(session, simulator, message(1))
        simulator.notify_url, simulator.ring_seconds = receiver.url, 0
        await post(session, simulator, message(1))
        await settled(simulator)
        with pytest.raises(ValueError, match="this machine"):
            simulator.notify_url = "http://example.com"

    assert [None, "heard"] == [call.story for call in simulator.truth()]
    assert 5 == len(receiver.posts)


# Signatures


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "sha1"])
@pytest.mark.parametrize("prefix", [False, True])
async def test_receipts_are_signed(
    session: ClientSession, algorithm: str, *, prefix: bool
) -> None:
    """
    The header is the hexadecimal HMAC of the raw body, with its algorithm before it.
    """
    _, receiver = await told(
        session,
        message(2),
        hub_secret="clé",
        hub_algorithm=algorithm,
        hub_prefix=prefix,
    )

    assert 10 == len(receiver.posts)
    for posted in receiver.posts:
        digest = hmac.new("clé".encode(), posted.body, getattr(hashlib, algorithm))
        before = f"{algorithm}=" if prefix else ""
        assert before + digest.hexdigest() == posted.headers["x-hub-signature"]


async def test_without_a_secret_nothing_is_signed(session: ClientSession) -> None:
    """
    Without a secret and a login there is neither signature nor authorization.
    """
    _, receiver = await told(session, message(1))

    assert not {"x-hub-signature", "Authorization"} & set(receiver.posts[0].headers)


async def test_the_platform_can_log_in(session: ClientSession) -> None:
    """
    With a login each post has basic authorization.
    """
    _, receiver = await told(session, message(1), notify_login=("im", "secret:1"))

    expected = "Basic " + base64.b64encode(b"im:secret:1").decode()
    assert {expected} == {posted.headers["Authorization"] for posted in receiver.posts}


def test_wrong_options_are_refused() -> None:
    """
    What makes no sense is refused with a reason, and a secret is never shown.
    """
    for options, reason in (
        ({"hub_algorithm": "md5"}, "possible are sha256, sha512, sha1"),
        ({"dial_rate": 0}, "dial_rate must be more than 0"),
        ({"ring_seconds": -1}, "ring_seconds must not be less than 0"),
        ({"receipt_faults": ["forged@1%"]}, "'forged' needs a hub_secret"),
        ({"receipt_faults": ["unsigned"]}, "'unsigned' needs a hub_secret"),
    ):
        wrong: dict[str, Any] = options
        with pytest.raises(ValueError, match=reason):
            Simulator(service_key=KEY, **wrong)

    assert "xyzzy" not in repr(Simulator(service_key=KEY, hub_secret="xyzzy"))


# The tenant's dialling


def moments(simulator: Simulator, code: str) -> list[int]:
    """
    When this event happened to each call that had it, in milliseconds.
    """
    return [
        event.moment
        for call in simulator.truth()
        for event in call.events
        if event.code == code
    ]


async def test_a_burst_is_rung_at_the_tenants_rate(session: ClientSession) -> None:
    """
    What is accepted at once is dialled one after the other, also over requests.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, ring_seconds=0, dial_rate=200
        ) as simulator,
    ):
        for count in (50, 10):
            await post(session, simulator, message(count))
        waiting = simulator.summary()["calls"]["on_its_way"]
        await settled(simulator)

    dialled = moments(simulator, "7407")
    gaps = {after - before for before, after in itertools.pairwise(dialled)}
    assert gaps <= {4, 5, 6}
    assert 294 <= dialled[-1] - dialled[0] <= 296
    assert waiting > 0
    assert 60 == simulator.summary()["calls"]["reached"]


async def test_who_expires_in_the_queue_is_not_rung(session: ClientSession) -> None:
    """
    Whose turn comes after the request's expiry gets one receipt, at that moment.
    """
    expiry = datetime.now(UTC) + timedelta(milliseconds=600)
    text = expiry.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    simulator, receiver = await told(
        session, message(100, expiry=text), dial_rate=100, ring_seconds=0.01
    )
    calls = simulator.truth()

    expired = [call for call in calls if call.state == "expired"]
    assert 40 <= len(expired) < 100
    assert calls[-len(expired) :] == expired
    assert {"expired"} == {call.story for call in expired}
    assert {("7005",)} == {call.delivered for call in expired}
    (moment,) = set(moments(simulator, "7005"))
    assert abs(moment - expiry.timestamp() * 1000) <= 2
    assert len(expired) == receiver.per_code()["7005"]
    assert 100 - len(expired) == receiver.per_code()["7407"]


async def test_who_is_not_dialled_takes_up_no_turn(session: ClientSession) -> None:
    """
    Expired calls do not slow down the others.
    """
    simulator, _ = await told(
        session, message(100), dial_rate=50, rings=["expired@95%"]
    )

    assert len(moments(simulator, "7407")) < 20


async def test_a_call_takes_its_time(session: ClientSession) -> None:
    """
    Between two events pass from half to one and a half of the seconds between them.
    """
    simulator, _ = await told(session, message(20), ring_seconds=0.02)

    for call in simulator.truth():
        first = [event.moment for event in call.events][:4]
        for before, after in itertools.pairwise(first):
            assert 9 <= after - before <= 31


async def test_nothing_is_posted_before_it_happens(session: ClientSession) -> None:
    """
    A receipt's time stamp is never in the future of who gets it.
    """
    _, receiver = await told(session, message(5), ring_seconds=0.02)

    assert 25 == len(receiver.posts)
    for posted in receiver.posts:
        happened = datetime.fromisoformat(posted.info["timeStamp"]).timestamp()
        assert happened <= posted.at + 0.001


async def test_a_call_is_on_its_way_at_first(session: ClientSession) -> None:
    """
    What is still to happen is not told.
    """
    async with (
        receiving() as receiver,
        Simulator(
            service_key=KEY, notify_url=receiver.url, ring_seconds=100
        ) as simulator,
    ):
        await post(session, simulator, message(1))
        await until(lambda: simulator.receipts()["delivered"])

    (call,) = simulator.truth()
    assert ("on_its_way", "on_its_way", None) == (
        call.state,
        call.delivered_state,
        call.heard_seconds,
    )
    assert (["7407"], ("7407",)) == (
        [event.code for event in call.events],
        call.delivered,
    )
    assert (5, 4) == (simulator.receipts()["made"], simulator.receipts()["pending"])

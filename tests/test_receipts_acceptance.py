"""
Receipts by the thousand, through real processes, against what the simulator knows; and
what strangers post to the same address.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from conftest import Serve, numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mishaps import looking, process, wait_until
from receipt_looks import check_books, check_file, stored_bodies
from receiving import Line, head, served
from reporting import (
    COMBINATIONS,
    Answer,
    Ids,
    Reporting,
    find,
    most_memory,
    receiver,
    unplaced,
)
from sums import check_sums

from voicepush import Campaign, CampaignStatus, Ledger, VoiceMessage, open_ledger
from voicepush.model.call import CallState

MESSAGE = VoiceMessage(media="welcome")

#: So many posts are under way at once.
_AT_ONCE = 32


def body_of(
    number: str,
    code: str = "7407",
    correlation_id: str = "",
    transaction: str = "",
    **more: Any,
) -> bytes:
    """
    A receipt as the platform writes it.
    """
    return json.dumps(
        thing_of(number, code, correlation_id, transaction, **more)
    ).encode()


def thing_of(
    number: str,
    code: str = "7407",
    correlation_id: str = "",
    transaction: str = "",
    **more: Any,
) -> dict[str, Any]:
    """
    The same before it is written.
    """
    info = {
        "timeStamp": "2026-02-05T07:34:23.596Z",
        "code": code,
        "deliveryChannel": "voice",
        "destination": number,
        "destinationType": "msisdn",
        "deliveryStatus": "",
        **more,
    }
    return {
        "deliveryTransInfo": "<event/>",
        "deliveryInfoNotification": {
            "deliveryInfo": info,
            "subtid": "",
            "transid": transaction,
            "callbackData": "",
            "correlationid": correlation_id,
        },
    }


async def planned(ledger: Ledger, count: int = 200, size: int = 50) -> list[str]:
    """
    A campaign that is planned only; the correlation ids of its recipients.
    """
    await Campaign.plan(ledger, "june", MESSAGE, numbers(count), batch_size=size)
    plan = await ledger.plan("june")
    assert plan is not None
    return [f"{plan.tag}-{place // size}-{place % size}" for place in range(count)]


@asynccontextmanager
async def many_posts() -> AsyncIterator[ClientSession]:
    """
    A session for many posts at once.
    """
    async with ClientSession(
        connector=TCPConnector(limit=_AT_ONCE), timeout=ClientTimeout(60)
    ) as session:
        yield session


async def post_all(
    session: ClientSession, url: str, bodies: Sequence[bytes]
) -> Counter[int]:
    """
    Post *bodies*, many at once, and count the statuses.
    """

    async def post(body: bytes) -> int:
        async with session.post(url, data=body) as answer:
            return answer.status

    found: Counter[int] = Counter()
    left = iter(bodies)

    async def work() -> None:
        for body in left:
            found[await post(body)] += 1

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return found


# Everyone is known


@pytest.mark.parametrize(("ids", "answer"), [*COMBINATIONS, ("household", "one")])
def test_every_call_is_as_the_simulator_knows_it(
    tmp_path: Path, ids: Ids, answer: Answer
) -> None:
    """
    Receipts that come twice, late, without ids, not at all and with wrong signatures;
    the receiver and the dispatcher are two processes on one file.
    """
    seed = len(ids) + len(answer)
    reporting = Reporting(tmp_path, 2_000, ids, answer, batch_size=200, seed=seed)

    reporting.go()

    # Chance must not leave a state out.
    states = {"reached", "agent", "not_reached", "dropped", "expired"}
    assert states <= reporting.states.keys()


@pytest.mark.usefixtures("in_a_folder")
def test_two_receivers_and_two_dispatchers_share_a_file(serve: Serve) -> None:
    """
    Whenever one looks every sum holds, and in the end all is as the simulator knows it.
    """
    path = Path("voicepush.db")
    looks = 0
    with receiver(path) as (_, first), receiver(path) as (_, second):
        simulator = serve(
            *["7006@5%", "drop@1/11"],
            rings=["busy@30%", "hung-up@30%"],
            ring_seconds=0.1,
            receipt_faults=["twice:0.2@10%", "no-id@20%", "late:0.3@20%"],
            latency=0.05,
            answer_seconds=60.0,
        )
        with ExitStack() as stack:
            running = []
            for name, prefix, url in (("june", 0, first), ("july", 1, second)):
                people = numbers(600, 10_000 * prefix)
                Path(f"{name}.csv").write_text("\n".join(["msisdn", *people]) + "\n")
                command = ["send", f"{name}.csv", "--media", "x", "--notify-url", url]
                command += ["--base-url", simulator.url, "--batch-size", "20"]
                running.append(stack.enter_context(process(*command)))
            while any(each.poll() is None for each in running):
                looks += _sums_hold(path)
            codes = {each.returncode for each in running}
        while simulator.receipts()["pending"]:
            looks += _sums_hold(path)
        wait_until(lambda: not asyncio.run(unplaced(path)), 60)
        check_books(path)
        found = [asyncio.run(find(path, name)) for name in ("june", "july")]
    calls = {**found[0].calls, **found[1].calls}

    # Who is unknown at the end of a dispatch may be accepted by a later receipt.
    assert codes <= {0, 1}
    assert looks > 5
    assert 0 == simulator.summary()["rung_twice"]
    assert [600, 600] == [each.status.accepted for each in found]
    assert {each.recipient: each.delivered_state for each in simulator.truth()} == {
        number: call.state for number, call in calls.items()
    }
    assert simulator.receipts()["delivered"] == found[0].counts.received


def _sums_hold(path: Path) -> int:
    """
    Look at everything once; gives how many campaigns there are.
    """

    async def look() -> list[CampaignStatus]:
        async with open_ledger(path) as ledger:
            return await ledger.campaigns()

    campaigns = asyncio.run(look())
    for status in campaigns:
        check_sums(status)
        if status.calls is not None:
            states = attrs.asdict(status.calls).values()
            assert status.accepted == sum(states)
            assert min(states) >= 0
    if campaigns:
        check_books(path)
    return len(campaigns)


# What strangers post

#: By what is strange in them; none of them says anything of a call that is known.
STRANGE: Mapping[str, bytes] = {
    "nothing": b"",
    "white space": b" \r\n\t ",
    "no JSON": b"<html>",
    "not even text": bytes(range(256)),
    "broken off": body_of("+999000000001")[:-20],
    "utf-16": body_of("+999000000001").decode().encode("utf-16"),
    "a mark before": b"\xef\xbb\xbf" + body_of("+999000000001"),
    "deep lists": b"[" * 500_000,
    "deep objects": b'{"a":' * 150_000,
    "closed deep lists": b"[" * 100_000 + b"]" * 100_000,
    "a long number": b'{"code":' + b"9" * 100_000 + b"}",
    "a large number": b'{"code":1e400,"deliveryStatus":"x"}',
    "half a character": b'{"code":"\\ud800","transid":"\\udfff"}',
    "null": b"null",
    "only lists": b"[[],[[]],[{}]]",
    "no names": b'{"deliveryInfoNotification":{"deliveryInfo":{"code":"7519"}}}',
    "names of other kinds": b'{"code":7519,"transid":[],"destination":{"a":1},'
    b'"correlationid":true,"callbackData":1.5,"timeStamp":7}',
    "NUL": body_of("\0", "\0", "\0", "a\0b", Description="\0"),
    "SQL": body_of("'); DROP TABLE call; --", "' OR 1=1", "x' OR '1'='1", '"; --'),
    "HTML": body_of("<script>", "<b>", "<img src=x onerror=alert(1)>", "&amp;"),
    "lines": body_of("+999000000001\n+999000000002", "7519", "a\nb", "c\rd"),
    "long texts": body_of("9" * 9_000, "7" * 9_000, "c" * 9_000, "t" * 9_000),
    "a year too far": body_of("+998", timeStamp="9999-12-31T23:59:59-23:59"),
    "a year too early": body_of("+998", timeStamp="0001-01-01T00:00:00+23:59"),
    "no campaign": body_of("+998", "7519", "0123456789-0-0"),
    "a batch too many": body_of("+998", "7519", "0123456789-999999999999999999-0"),
}


async def test_strange_bodies_are_kept_word_for_word(
    ledger: Ledger, tmp_path: Path, session: ClientSession
) -> None:
    """
    Each is answered 200 and counted, and the real one after it is applied.
    """
    ids = await planned(ledger)
    posted: list[bytes] = []
    async with served(ledger) as address:
        url = f"{address}/receipts"
        for (name, strange), own_id in zip(STRANGE.items(), ids, strict=False):
            real = body_of("", "7519", own_id)
            statuses = [
                (await session.post(url, data=body)).status for body in (strange, real)
            ]
            posted += [strange, real]
            assert [200, 200] == statuses, name
    status = await ledger.status("june")
    counts = await ledger.receipt_counts()

    assert status is not None
    assert status.calls is not None
    check_sums(status)
    assert len(STRANGE) == status.accepted == status.calls.reached
    assert 2 * len(STRANGE) == counts.received
    assert len(STRANGE) == counts.unplaced + counts.unreadable
    assert Counter(posted) == stored_bodies(tmp_path / "test.db")
    check_books(tmp_path / "test.db")
    check_file(tmp_path / "test.db")


async def test_names_of_known_batches_with_strange_places(
    ledger: Ledger, tmp_path: Path
) -> None:
    """
    A place that is not there, or a name in another writing, is nobody's.
    """
    (first, *_) = await planned(ledger)
    tag = first.split("-")[0]
    # One that has no letters is the same in capitals.
    capitals = "A" * len(tag) if tag.isdecimal() else tag.upper()
    strange = [
        *(f"{tag}-0-{place}" for place in (50, 999, 1000, "-1", "٣", "0 0", "0\n0")),
        *(f"{tag}-{number}-0" for number in (4, 2**63, 10**17, "-1", "٣")),
        *(f"{capitals}-0-0", f" {tag}-0-x", f"{tag}-0", f"{tag}", f"{tag}-0-0-0"),
    ]
    bodies = [body_of("+998", "7519", each) for each in strange]
    async with served(ledger) as address, many_posts() as session:
        statuses = await post_all(session, f"{address}/receipts", bodies)
    status = await ledger.status("june")
    counts = await ledger.receipt_counts()

    assert Counter({200: len(strange)}) == statuses
    assert status is not None
    assert (None, 0) == (status.calls, status.accepted)
    assert len(strange) == counts.unplaced
    check_books(tmp_path / "test.db")


async def test_slow_and_large_bodies_keep_nobody_waiting(
    ledger: Ledger, session: ClientSession
) -> None:
    """
    They are answered so that they come again, or that the console keeps them; what is
    real is stored beside them.
    """
    ids = await planned(ledger)
    async with served(ledger, most_seconds=0.6, most_bytes=10_000) as address:
        lines = [Line(address) for _ in range(40)]
        async with asyncio.TaskGroup() as group:
            for line in lines:
                group.create_task(line.__aenter__())
        slow, large = lines[:20], lines[20:]
        for line in slow:
            line.say(head("Content-Length: 500") + b"{")
        for line in large:
            line.say(head("Transfer-Encoding: chunked"))
            line.say(b"2ee0\r\n" + b"[" * 12_000 + b"\r\n")
        real = [
            (
                await session.post(
                    f"{address}/receipts", data=body_of("", "7519", own_id)
                )
            ).status
            for own_id in ids[:50]
        ]
        for line in slow:
            line.say(b" ")
        answers = [(await line.hear()).status for line in lines]
        for line in lines:
            await line.__aexit__()
    status = await ledger.status("june")

    assert [200] * 50 == real
    assert [503] * 20 + [413] * 20 == answers
    assert status is not None
    assert 50 == status.accepted
    assert 50 == (await ledger.receipt_counts()).received


async def test_unknown_ids_without_number_take_bounded_memory(tmp_path: Path) -> None:
    """
    A hundred thousand are kept aside and counted; the next real ones are applied, also
    under a transaction's name that the strangers used, and nobody waits for them.
    """
    path = tmp_path / "voicepush.db"
    async with open_ledger(path) as ledger:
        ids = await planned(ledger)
    strangers = [
        json.dumps(
            [
                thing_of(f"+998{each:09d}", "7519", f"nobody-{each}", "shared")
                for each in range(first, first + 500)
            ]
        ).encode()
        for first in range(0, 100_000, 500)
    ]
    real = [
        body_of("", "7519", own_id, f"{'shared' if place % 2 else 't'}")
        for place, own_id in enumerate(ids)
    ]
    with receiver(path) as (process, url):
        async with many_posts() as session:
            warm = await post_all(session, url, strangers[:10])
            before = most_memory(process)
            taken = await post_all(session, url, strangers[10:])
            applied = await post_all(session, url, real)
        grown = most_memory(process) - before
    found = await find(path, "june")

    assert Counter({200: 200}) == warm + taken
    assert Counter({200: 200}) == applied
    assert {CallState.REACHED} == {each.state for each in found.calls.values()}
    assert 200 == len(found.calls) == found.status.accepted
    assert (400, 100_000) == (found.counts.received, found.counts.unplaced)
    assert grown < 40e6
    check_books(path)


async def test_a_transaction_that_strangers_used_is_still_learnt(
    ledger: Ledger, tmp_path: Path
) -> None:
    """
    A receipt without id that came before its call was known is placed, however many
    others bear the same transaction.
    """
    ids = await planned(ledger)
    first = numbers(1)[0]
    strangers = [
        json.dumps(
            [thing_of(f"+998{each:09d}", "7519", "", "shared") for each in range(600)]
        ).encode()
    ] * 2
    async with served(ledger) as address, many_posts() as session:
        url = f"{address}/receipts"
        await post_all(session, url, [body_of(first, "7410", "", "shared")])
        await post_all(session, url, strangers)
        await post_all(session, url, [body_of("", "7407", ids[0], "shared")])
    (found,) = await ledger.lookup(first)
    counts = await ledger.receipt_counts()

    assert found.call is not None
    assert CallState.NOT_REACHED is found.call.state
    assert 1_200 == counts.unplaced
    check_books(tmp_path / "test.db")


async def test_a_call_with_names_without_number_stays_small(
    ledger: Ledger, tmp_path: Path
) -> None:
    """
    All receipts are applied, and what is known of the call takes no more room than
    that of others.
    """
    (own_id, *_) = await planned(ledger)
    first = numbers(1)[0]
    bodies = [
        json.dumps(
            [
                thing_of(first, "7408", own_id, f"name-{each}-{place}")
                for place in range(200)
            ]
        ).encode()
        for each in range(20)
    ]
    async with served(ledger) as address, many_posts() as session:
        statuses = await post_all(session, f"{address}/receipts", bodies)
        await post_all(session, f"{address}/receipts", [body_of("", "7519", own_id)])
    with looking(tmp_path / "test.db") as connection:
        [(names, kept)] = connection.execute(
            "SELECT length(transactions), length(bodies) FROM call"
        ).fetchall()
    (found,) = await ledger.lookup(first)

    assert Counter({200: 20}) == statuses
    assert max(names, kept) < 2_000
    assert found.call is not None
    assert CallState.REACHED is found.call.state


async def test_bodies_replayed_a_thousand_times_change_nothing(tmp_path: Path) -> None:
    """
    All are kept and counted, the state stays as it was, and memory stays flat.
    """
    path = tmp_path / "voicepush.db"
    async with open_ledger(path) as ledger:
        ids = await planned(ledger)
    events = [
        body_of("", code, ids[place], f"t-{place}", timeStamp=f"2026-01-01T00:00:{at}Z")
        for place in range(2)
        for at, code in ((10, "7407"), (12, "7408"), (20, "7519"), (35, "7409"))
    ]
    with receiver(path) as (process, url):
        async with many_posts() as session:
            once = await post_all(session, url, events)
            warm = await post_all(session, url, events * 200)
            before = most_memory(process)
            again = await post_all(session, url, events * 799)
        grown = most_memory(process) - before
    found = await find(path, "june")

    assert Counter({200: 8_000}) == once + warm + again
    assert 8_000 == found.counts.received == stored_bodies(path).total()
    assert 2 == len(found.calls) == found.status.accepted
    assert [(CallState.REACHED, 15.0)] * 2 == [
        (each.state, each.heard) for each in found.calls.values()
    ]
    assert grown < 20e6
    check_books(path)


# What nobody has thought of

#: Stands for the tag of the campaign, which is another each time.
_TAG = "deadbeef00"

_FIELDS = [
    *("code", "deliveryStatus", "Description", "timeStamp", "destination"),
    *("correlationid", "callbackData", "transid", "transactionid", "DESTINATION"),
    *("deliveryInfo", "deliveryInfoNotification"),
]

_TEXTS = st.sampled_from(
    [
        *("7407", "7408", "7519", "7401", "7409", "7410", "7411", "7005", "7999"),
        *("OFFERED", "REJECTED", "failed", "2026-02-05T07:34:23.596Z", "2026-02-05"),
        *("2026-02-05T07:34:23+5:30", "99", f"{_TAG}-0-0", f"{_TAG}-1-7", f"{_TAG}-1"),
        *(f"{_TAG}-0-a0000000f", f"{_TAG}-9-0", "+999000000001", "999000000003"),
        *("order", "t-1", "t-1_4", "\0", "", "-1", "'", '"', "\n"),
    ]
) | st.text(max_size=20)

_VALUES: st.SearchStrategy[Any] = st.recursive(
    _TEXTS
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_FIELDS) | st.text(max_size=3), inner)
    ),
    max_leaves=8,
)


@st.composite
def _bodies(draw: st.DrawFn) -> bytes:
    """
    Receipts of which something is changed, and of some nearly everything.
    """
    own = draw(st.integers(0, 19))
    thing: Any = thing_of(
        f"+999{draw(st.integers(0, 25)):09d}",
        draw(st.sampled_from(["7407", "7519", "7410", "7409", "7005"])),
        draw(st.sampled_from([f"{_TAG}-{own // 10}-{own % 10}", "", f"order-{own}"])),
        draw(st.sampled_from(["t-1", "t-2_3", ""])),
    )
    for _ in range(draw(st.integers(0, 4))):
        notification = thing["deliveryInfoNotification"]
        where = draw(st.sampled_from(["thing", "notification", "info"]))
        chosen = {
            "thing": thing,
            "notification": notification,
            "info": notification.get("deliveryInfo")
            if isinstance(notification, dict)
            else None,
        }[where]
        if isinstance(chosen, dict):
            field = draw(st.sampled_from(_FIELDS))
            if field != "deliveryInfoNotification":
                chosen[field] = draw(_VALUES)
    if draw(st.booleans()):
        thing = [thing, draw(_VALUES)] * draw(st.integers(0, 3))
    body = json.dumps(thing, ensure_ascii=draw(st.booleans())).encode(
        "utf-8", "replace"
    )
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=4)) + body[at + 1 :]
    return body


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(posted=st.lists(_bodies(), min_size=1, max_size=40))
def test_nothing_that_is_posted_breaks_anything(posted: list[bytes]) -> None:
    """
    Every body is answered 200, kept word for word, and all sums hold.
    """

    async def post(path: Path) -> None:
        async with open_ledger(path) as ledger:
            (first, *_) = await planned(ledger, 20, 10)
            tag = first.split("-")[0].encode()
            bodies = [each.replace(_TAG.encode(), tag) for each in posted]
            async with served(ledger) as address, many_posts() as session:
                statuses = await post_all(session, f"{address}/receipts", bodies)
            await ledger.place_again()
            status = await ledger.status("june")
            counts = await ledger.receipt_counts()
            for number in numbers(20):
                assert 1 == len(await ledger.lookup(number))
        assert Counter({200: len(bodies)}) == statuses
        assert status is not None
        check_sums(status)
        assert len(bodies) == counts.received
        assert Counter(bodies) == stored_bodies(path)
        check_books(path)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(post(Path(folder) / "voicepush.db"))

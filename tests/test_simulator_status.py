"""What the stand-in for the API tells of transactions, and how it fails to."""

from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import Answered, message, number, post

from voicepush.simulator import Simulator

PATH = "/resources/v1/messaging/status/"


async def ask(
    session: ClientSession, simulator: Simulator, name: str, **headers: str
) -> Answered:
    """
    What it says of the transaction called *name*.
    """
    async with session.get(
        simulator.url + PATH + name, headers=headers, allow_redirects=False
    ) as response:
        return Answered(response, await response.read())


async def rung(session: ClientSession, simulator: Simulator, count: int = 1) -> str:
    """
    Ring so many; gives the first transaction id.
    """
    name: str = (await post(session, simulator, message(count))).elements[0]["transid"]
    return name


@pytest.mark.parametrize(
    ("ring", "status", "code"),
    [
        ("heard", "answered", ""),
        ("hung-up", "answered", ""),
        ("agent", "answered", ""),
        ("busy", "no answer", "7401"),
        ("rang-out", "no answer", "7401"),
        ("hung-up-ringing", "busy", "7402"),
        ("expired", "expired", "7005"),
    ],
)
async def test_it_tells_the_truth(
    session: ClientSession, ring: str, status: str, code: str
) -> None:
    """
    Each story has a word in the end, and where it failed a code.
    """
    async with Simulator(service_key=KEY, rings=[ring], ring_seconds=0) as simulator:
        name = await rung(session, simulator)
        (element,) = (await ask(session, simulator, name)).json
        (call,) = simulator.truth()

    assert {
        "transactionid": name,
        "to": number(0),
        "channel": "voice",
        "status": status,
        "error_code": code,
    }.items() <= element.items()
    assert call.events[-1].timestamp == element["last_updated"]
    assert element["date_created"] <= element["last_updated"]


async def test_it_tells_what_happened_until_now(session: ClientSession) -> None:
    """
    A call that rings was sent; one that is not rung yet, or never is, is queued.
    """
    options: dict[str, Any] = {"ring_seconds": 60, "dial_rate": 0.01}
    async with (
        Simulator(service_key=KEY, rings=["heard"], **options) as simulator,
        Simulator(service_key=KEY) as silent,
    ):
        name = await rung(session, simulator, 2)
        words = [each["status"] for each in (await ask(session, simulator, name)).json]
        name = await rung(session, silent, 2)
        queued = (await ask(session, silent, name)).json

    assert ["sent", "queued"] == words
    assert [("queued", number(0)), ("queued", number(1))] == [
        (each["status"], each["to"]) for each in queued
    ]
    assert queued[0]["date_created"] == queued[0]["last_updated"]


@pytest.mark.parametrize("rings", [[], ["heard"]])
async def test_one_transaction_for_all_or_one_for_each(
    session: ClientSession, rings: list[str]
) -> None:
    """
    There is an element for each who was rung by it, also after others were.
    """
    async with (
        Simulator(service_key=KEY, rings=rings) as whole,
        Simulator(service_key=KEY, rings=rings, answer="each") as single,
    ):
        names = [await rung(session, whole, 3), await rung(session, whole, 2)]
        found = [len((await ask(session, whole, name)).json) for name in names]
        later = await rung(session, whole, 4)
        found.append(len((await ask(session, whole, later)).json))
        answered = (await post(session, single, message(3))).elements
        told = [(await ask(session, single, each["transid"])).json for each in answered]

    assert [3, 2, 4] == found
    assert [[number(0)], [number(1)], [number(2)]] == [
        [each["to"] for each in elements] for elements in told
    ]
    assert dict.fromkeys((*names, later), 1) == whole.asked


async def test_numbered_transactions(session: ClientSession) -> None:
    """
    The id of the request tells all of them, one with a number behind it one.
    """
    async with Simulator(
        service_key=KEY, rings=["heard"], numbered_transids=True
    ) as simulator:
        name = await rung(session, simulator, 3)
        whole = (await ask(session, simulator, name)).json
        single = (await ask(session, simulator, f"{name}_2")).json

    assert [f"{name}_1", f"{name}_2", f"{name}_3"] == [
        each["transactionid"] for each in whole
    ]
    assert [number(1)] == [each["to"] for each in single]


async def test_what_it_does_not_know(session: ClientSession) -> None:
    """
    A transaction that nobody has made has a code; a path that is not there has none.
    """
    async with (
        Simulator(service_key=KEY) as simulator,
        Simulator(service_key=KEY, status_api=False) as without,
    ):
        unknown = await ask(session, simulator, "a%2Fb")
        name = await rung(session, without)
        switched_off = await ask(session, without, name)

    assert (404, ["7004"]) == (unknown.status, unknown.codes)
    assert 404 == switched_off.status
    assert b"404 Not Found" in switched_off.body
    assert ({"a/b": 1}, {name: 1}) == (simulator.asked, without.asked)
    assert {"asked": 1, "replies": {"404": 1}} == without.summary()["status"]


async def test_it_wants_the_key(session: ClientSession) -> None:
    """
    As for a request to ring someone.
    """
    async with Simulator(service_key=KEY) as simulator:
        name = await rung(session, simulator)
        wrong = await ask(session, simulator, name, key="wrong")
        missing = await ask(session, simulator, name, key="")

    assert (["7001"], ["7002"]) == (wrong.codes, missing.codes)


async def test_faults(session: ClientSession) -> None:
    """
    Scripted replies go first, then the limit of its own is kept to, then faults strike.
    """
    async with Simulator(
        service_key=KEY, status_faults=["garbage@1/2"], status_tps=9
    ) as simulator:
        name = await rung(session, simulator, 3)
        simulator.next_status_replies("429:7", 7006, "empty", "short", "reordered")
        found = [await ask(session, simulator, name) for _ in range(10)]

    assert (429, "7") == (found[0].status, found[0].headers["Retry-After"])
    assert ["7006"] == found[1].codes
    assert b"" == found[2].body
    assert [2, 3] == [len(each.json) for each in found[3:5]]
    assert [True, False, True, False] == [
        each.body.startswith(b"[") for each in found[5:9]
    ]
    assert ["7020"] == found[9].codes
    assert 10 == simulator.summary()["status"]["asked"]


async def test_it_is_scripted_from_another_process(session: ClientSession) -> None:
    """
    What was asked can be read there, too.
    """
    async with Simulator(service_key=KEY) as simulator:
        name = await rung(session, simulator)
        url = f"{simulator.url}/simulator"
        async with session.post(f"{url}/status-replies", json=["404"]) as response:
            assert 204 == response.status
        async with session.post(f"{url}/status-replies", json=["4o4"]) as response:
            assert 400 == response.status
        answered = await ask(session, simulator, name)
        async with session.get(f"{url}/asked") as response:
            asked = await response.json()

    assert (404, {name: 1}) == (answered.status, asked)

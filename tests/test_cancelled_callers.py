"""Callers who give up, and requests that fail: nobody else is disturbed."""

import asyncio

import pytest
from callers import LINGER, Service, begin, moved, submit
from made_up import MESSAGE, number, several

from voicepush.errors import InDoubtError
from voicepush.model.outcome import Result


@moved
async def test_cancelled_before_leaving() -> None:
    """
    Who is cancelled in time is not called, and the others notice nothing.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER / 2)
    callers[1].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [[number(0), number(2)]] == service.groups
    assert [LINGER] == pytest.approx(service.begun)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [number(0), number(2)] == [
        each.recipient for each in results if isinstance(each, Result)
    ]


@moved
async def test_cancelled_caller_makes_room() -> None:
    """
    The place of a cancelled caller is free for the next one.
    """
    service = Service()
    gatherer = service.gatherer(size=4)
    gone = begin(submit(gatherer, MESSAGE, several(2)))
    stays = begin(submit(gatherer, MESSAGE, number(5)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])

    await asyncio.gather(stays, submit(gatherer, MESSAGE, several(3, 6)))

    assert [[number(5), several(3, 6)]] == service.groups
    assert [0] == service.begun


@moved
async def test_cancelled_after_leaving() -> None:
    """
    Who is cancelled too late is called, but its answer goes unheard; the others' not.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER * 2)
    callers[0].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [[number(0), number(1), number(2)]] == service.groups
    assert isinstance(results[0], asyncio.CancelledError)
    assert ["0001", "0002"] == [
        each.code for each in results if isinstance(each, Result)
    ]


@moved
async def test_all_cancelled() -> None:
    """
    A group whose members have all gone is not sent, and the next caller starts anew.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER / 2)
    for caller in callers:
        caller.cancel()
    await asyncio.sleep(LINGER)

    assert [] == service.groups
    assert number(7) == (await submit(gatherer, MESSAGE, number(7))).recipient
    assert [[number(7)]] == service.groups


@moved
async def test_cancelled_while_leaving() -> None:
    """
    A caller who gives up in the moment in which it would leave is not sent as nobody.
    """
    service = Service()
    gatherer = service.gatherer()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LINGER):
            await submit(gatherer, MESSAGE, number(1))
    await gatherer.close()

    assert [] not in service.groups


@moved
async def test_exception() -> None:
    """
    What goes wrong with a request, every caller in it hears, and no one else.
    """
    error = InDoubtError("the answer is lost")
    service = Service(error=error)
    gatherer = service.gatherer(size=3)
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(0.05)
    callers[0].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert [error, error] == results[1:]
    service._error = None
    assert "0009" == (await submit(gatherer, MESSAGE, number(9))).code


@moved
async def test_cancelled_request() -> None:
    """
    If the request itself is cancelled, its callers are; none waits for ever.
    """
    service = Service(error=asyncio.CancelledError())
    gatherer = service.gatherer()

    results = await asyncio.gather(
        submit(gatherer, MESSAGE, number(1)),
        submit(gatherer, MESSAGE, number(2)),
        return_exceptions=True,
    )

    assert [asyncio.CancelledError] * 2 == list(map(type, results))

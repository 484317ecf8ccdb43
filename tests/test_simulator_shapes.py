"""The shapes of answers that the stand-in for the API can give."""

import re
from typing import Any

import pytest
from aiohttp import ClientSession
from conftest import KEY
from simulating import message, post

from voicepush.simulator import SHAPES, Simulator


async def shaped(session: ClientSession, answer: str, *words: Any) -> Any:
    """
    The JSON of one answer in that shape.
    """
    async with Simulator(service_key=KEY, answer=answer) as simulator:
        simulator.next_replies(*words)
        return (await post(session, simulator)).json


@pytest.mark.parametrize("answer", ["one", "object"])
async def test_one_element_for_all(session: ClientSession, answer: str) -> None:
    """
    One element speaks for the whole request, under the request's own id.
    """
    json = await shaped(session, answer)

    element = json if answer == "object" else json["response"][0]
    assert ("1001", "Queued", "whole") == (
        element["code"],
        element["description"],
        element["correlationid"],
    )


@pytest.mark.parametrize("answer", ["each", "list"])
async def test_one_element_for_each(session: ClientSession, answer: str) -> None:
    """
    Each destination has its element, in order, with its own id.
    """
    json = await shaped(session, answer)

    elements = json if answer == "list" else json["response"]
    assert [("1001", f"c-{place}") for place in range(3)] == [
        (element["code"], element["correlationid"]) for element in elements
    ]


async def test_numeric_codes(session: ClientSession) -> None:
    """
    The numeric shape has numbers for codes and no ids.
    """
    json = await shaped(session, "numeric")

    assert [(1001, "")] * 3 == [
        (element["code"], element["correlationid"]) for element in json["response"]
    ]


async def test_only_destination_lends_its_id(session: ClientSession) -> None:
    """
    The one element for one destination has the destination's id.
    """
    async with Simulator(service_key=KEY) as simulator:
        answered = await post(session, simulator, message(1))

    assert "c-0" == answered.elements[0]["correlationid"]


@pytest.mark.parametrize("answer", SHAPES)
async def test_refusal_keeps_the_shape(session: ClientSession, answer: str) -> None:
    """
    A refusal is one element, wrapped as acceptance would be.
    """
    json = await shaped(session, answer, 7006)

    wrapped = {"list": json, "object": [json]}.get(answer)
    elements = wrapped or json["response"]
    expected = 7006 if answer == "numeric" else "7006"
    assert [expected] == [element["code"] for element in elements]


async def test_transaction_ids_differ(session: ClientSession) -> None:
    """
    No two elements share a transaction id, and each has the form of a UUID.
    """
    async with Simulator(service_key=KEY, answer="each") as simulator:
        answers = [await post(session, simulator, message(50)) for _ in range(2)]

    ids = [element["transid"] for answered in answers for element in answered.elements]
    assert 100 == len(set(ids))
    assert all(
        re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", i) for i in ids
    )


def test_unknown_shape_is_refused() -> None:
    """
    A wrong shape is told which ones there are.
    """
    with pytest.raises(
        ValueError, match="'many' is not a shape; possible are one, each"
    ):
        Simulator(service_key=KEY, answer="many")

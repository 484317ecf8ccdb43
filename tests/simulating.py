"""Requests to a simulator, and its answers, read to their end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec
from aiohttp import ClientSession

from voicepush.simulator import Simulator

PATH = "/resources/v1/messaging"


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+1800555{place:04}"


def entries(count: int) -> list[dict[str, Any]]:
    """
    Destinations, each with one number and an id of its own.
    """
    return [
        {"msisdn": [number(place)], "correlationid": f"c-{place}"}
        for place in range(count)
    ]


def message(count: int = 3, **changes: Any) -> dict[str, Any]:
    """
    A request for *count* numbers; a change to None takes the field out.
    """
    fields = {
        "deliverychannel": "voice",
        "channels": {"voice": {"media": "welcome"}},
        "destination": entries(count),
        "correlationid": "whole",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def text_of(moment: datetime) -> str:
    """
    A moment as the API writes it, in UTC.
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Answered:
    """
    An answer, read to its end.
    """

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def json(self) -> Any:
        """
        The body as JSON.
        """
        return msgspec.json.decode(self.body)

    @property
    def elements(self) -> list[dict[str, Any]]:
        """
        The elements of the usual object.
        """
        elements: list[dict[str, Any]] = self.json["response"]
        return elements

    @property
    def codes(self) -> list[str]:
        """
        The codes of the elements.
        """
        return [element["code"] for element in self.elements]


async def post(
    session: ClientSession,
    simulator: Simulator,
    body: Any = None,
    **headers: str,
) -> Answered:
    """
    Send a request and read what comes back.
    """
    data = body if isinstance(body, bytes) else msgspec.json.encode(body or message())
    async with session.post(
        simulator.url + PATH,
        data=data,
        headers={"content-type": "application/json", **headers},
        allow_redirects=False,
    ) as response:
        return Answered(response, await response.read())


async def until(condition: Callable[[], object]) -> None:
    """
    Let the others run until *condition* holds.
    """
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 -- the simulator signals nothing
            await asyncio.sleep(0)

"""
A service that rings one person for each request, with FastAPI.

    VOICEPUSH_SERVICE_KEY=… VOICEPUSH_BASE_URL=https://api.imiconnect.io \
        uvicorn service:app --timeout-graceful-shutdown 35
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

import voicepush

log = logging.getLogger("service")

#: The expiry and the longest wait for an answer bound how long a request takes: to less
#: than uvicorn waits for it when it is told to end.
MESSAGE = voicepush.VoiceMessage(media="welcome", expiry=timedelta(seconds=20))
LONGEST_ANSWER = 10.0


class Order(BaseModel):
    """
    Who is to be rung.
    """

    number: str


class Told(BaseModel):
    """
    What became of it.
    """

    number: str
    outcome: voicepush.Outcome
    code: str | None
    description: str
    correlation_id: str


class Health(BaseModel):
    """
    How it goes at present.
    """

    in_flight: int
    rate: float | None
    held_until: datetime | None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """
    One client for the process: its connections and its pace are shared by all requests.
    """
    async with voicepush.Client(
        answer_timeout=LONGEST_ANSWER, most_waiting=10_000, when_full="refuse"
    ) as client:
        app.state.client = client
        yield
        drained = await client.close(drain=timedelta(seconds=30))
        log.info("closed: %s", drained)


app = FastAPI(lifespan=lifespan)


def client_of(request: Request) -> voicepush.Client:
    """
    The client of the process.
    """
    client: voicepush.Client = request.app.state.client
    return client


Client = Annotated[voicepush.Client, Depends(client_of)]


@app.post("/calls")
async def call(order: Order, client: Client) -> Told:
    """
    Ring someone, and tell what became of that; 503 says that nobody was rung.
    """
    try:
        result = await client.submit(MESSAGE, order.number)
    except (voicepush.BusyError, voicepush.ClientClosedError) as error:
        raise HTTPException(503, str(error), headers={"retry-after": "1"}) from error
    return Told(
        number=result.recipient,
        outcome=result.outcome,
        code=result.code,
        description=result.description,
        correlation_id=result.correlation_id,
    )


@app.get("/health")
async def health(client: Client) -> Health:
    """
    How many have no outcome yet, and how fast it may send.
    """
    pace = client.pace
    return Health(
        in_flight=client.in_flight, rate=pace.rate, held_until=pace.held_until
    )

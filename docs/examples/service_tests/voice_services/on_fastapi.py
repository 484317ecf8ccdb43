"""
A service on FastAPI that rings people: one client for the whole process.

Key and address come from VOICEPUSH_SERVICE_KEY and VOICEPUSH_BASE_URL.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel

from voicepush import Client, Outcome, VoiceMessage

REMINDER = VoiceMessage(media="reminder", expiry=timedelta(hours=2))

#: What the caller hears. 504 must not be repeated: the phone may have rung.
STATUSES = {
    Outcome.ACCEPTED: 202,
    Outcome.REJECTED: 422,
    Outcome.EXPIRED: 410,
    Outcome.NOT_SENT: 503,
    Outcome.UNKNOWN: 504,
}


class Reminder(BaseModel):
    """
    Who is to be reminded.
    """

    number: str


class State(TypedDict):
    """
    What lives as long as the process.
    """

    client: Client


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[State, None]:
    """
    Open the client when the process starts, and close it when it ends.
    """
    async with Client() as client:
        yield {"client": client}


def client_of(request: Request) -> Client:
    """
    The client of this process.
    """
    client: Client = request.state.client
    return client


app = FastAPI(lifespan=lifespan)


@app.post("/reminders")
async def remind(
    reminder: Reminder, client: Annotated[Client, Depends(client_of)]
) -> Response:
    """
    Ring someone, and say what became of it.
    """
    result = await client.submit(REMINDER, reminder.number)
    return Response(result.correlation_id, STATUSES[result.outcome])

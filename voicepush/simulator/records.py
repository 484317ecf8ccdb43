"""What the simulator remembers of requests."""

from datetime import datetime

import attrs

from voicepush.simulator.requests import CallRequest


@attrs.frozen
class Record:
    """
    What the simulator remembers of one request.

    It is written when the request is taken, so a client that gave up while it waited
    has a status here that it never saw.
    """

    #: When the request was complete: monotonic seconds, and seconds of the epoch.
    arrived: float
    at: float
    #: How many values it asked to ring; 0 if it could not be read.
    size: int
    #: The word of the reply, such as "1001" or "drop".
    reply: str
    #: The HTTP status; None if there is no answer.
    status: int | None
    #: The code in the answer, "mixed" for several, None if there is none to read.
    code: str | None
    #: The id that holds for each entry, its own or the request's; "" for none.
    correlation_ids: tuple[str, ...] = attrs.field(repr=False)
    #: The id of the request itself; "" for none.
    correlation_id: str = ""
    #: The id of what was to be played, or of the call flow.
    played: str = ""
    #: After it nobody is rung; None for no such time.
    expiry: datetime | None = None
    #: Who was to be shown as the caller, what receipts give back, and how urgent it
    #: was; "" where the request did not say.
    cli: str = ""
    callback_data: str = attrs.field(default="", repr=False)
    priority: str = ""

    @classmethod
    def of(
        cls,
        request: CallRequest,
        arrived: float,
        at: float,
        reply: str,
        status: int | None,
        code: str | None,
    ) -> "Record":
        """
        What is remembered of *request*, and of the reply to it.
        """
        return cls(
            arrived,
            at,
            request.size,
            reply,
            status,
            code,
            request.correlation_ids,
            request.correlation_id,
            request.played,
            request.expiry,
            request.cli,
            request.callback_data,
            request.priority,
        )

"""
What a stand-in saw and did, as values that a test can look at.
"""

from __future__ import annotations

from datetime import datetime

import attrs

from voicepush.masking import mask
from voicepush.simulator import CallTruth, Record


@attrs.frozen(kw_only=True)
class TakenRequest:
    """
    One request that reached the stand-in, and what it replied.
    """

    #: Its place among all requests; the first is 1.
    number: int
    #: When it was complete, by the clock of the test.
    at: datetime
    #: How many it asked to ring; 0 if it could not be read.
    size: int
    #: What the stand-in did, in its own word: "1001", "7006", "drop", "429:2" …
    reply: str
    #: The HTTP status of the answer; None if there was none.
    status: int | None
    #: The code in the answer, "mixed" for several, None if there was none to read.
    code: str | None
    #: What was to be played: the media, or the call flow.
    played: str
    #: Who was to be shown as the caller; "" if it does not say.
    cli: str
    #: 1 is low, 2 medium, 3 high; "" if it does not say.
    priority: str
    #: After it nobody is rung; None for no such time.
    expiry: datetime | None
    #: The id of the request itself, and the one that holds for each entry.
    correlation_id: str
    correlation_ids: tuple[str, ...] = attrs.field(repr=False)
    #: What receipts give back.
    callback_data: str = attrs.field(repr=False)

    @classmethod
    def of(cls, number: int, record: Record, at: datetime) -> TakenRequest:
        """
        Request *number*, of which the simulator remembers *record*.
        """
        return cls(
            number=number,
            at=at,
            size=record.size,
            reply=record.reply,
            status=record.status,
            code=record.code,
            played=record.played,
            cli=record.cli,
            priority=record.priority,
            expiry=record.expiry,
            correlation_id=record.correlation_id,
            correlation_ids=record.correlation_ids,
            callback_data=record.callback_data,
        )


@attrs.frozen(kw_only=True)
class RungCall:
    """
    One ring of one phone; who was rung twice has two of them.
    """

    #: Who was rung: an msisdn or a customer id.
    recipient: str = attrs.field(repr=mask)
    #: Which request asked for it, with the message.
    request: TakenRequest
    correlation_id: str
    transaction_id: str
    #: Where the call stands, by everything that has happened: reached, agent,
    #: not_reached, dropped, expired or on_its_way.
    state: str
    #: The codes of what has happened to it, such as 7407, 7408 and 7519. Empty where
    #: nobody asked: receipts go nowhere, and the test says nothing of the phones.
    events: tuple[str, ...]

    @property
    def played(self) -> str:
        """
        What was played: the media, or the call flow.
        """
        return self.request.played

    @classmethod
    def of(cls, truth: CallTruth, request: TakenRequest) -> RungCall:
        """
        The call of which the simulator knows the *truth*.
        """
        return cls(
            recipient=truth.recipient,
            request=request,
            correlation_id=truth.correlation_id,
            transaction_id=truth.transaction_id,
            state=truth.state,
            events=tuple(event.code for event in truth.events),
        )


@attrs.frozen(kw_only=True)
class PostedReceipt:
    """
    What was reported of one call.
    """

    recipient: str = attrs.field(repr=mask)
    correlation_id: str
    transaction_id: str
    #: What happened, as 7519 for someone who picked up.
    code: str
    #: Whether it was answered with 200.
    taken: bool

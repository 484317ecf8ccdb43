"""What the simulator answers to who asks what became of a transaction."""

import random
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec
from aiohttp import web

from voicepush.simulator.answers import page_of
from voicepush.simulator.calls import Told, text_of
from voicepush.simulator.codes import describe
from voicepush.simulator.rate import RateLimit
from voicepush.simulator.replies import Reply, pick
from voicepush.simulator.responding import respond
from voicepush.simulator.ringing import Ringing
from voicepush.simulator.tenant import TenantOptions

PATH = "/resources/v1/messaging/status/{transid}"

#: What is said of a call, by the first of these events that has happened to it.
_WORDS = {
    "7519": "answered",
    "7005": "expired",
    "7402": "busy",
    "7401": "no answer",
    "7406": "rejected",
    "7404": "others",
    "7410": "others",
    "7409": "others",
    "7405": "others",
    "7408": "sent",
    "7407": "sent",
}

#: Those that come with the code of their event.
_FAILURES = ("expired", "busy", "no answer", "rejected", "others")

#: The tenant has no such API.
_OFF = Reply.parse("404")

#: It knows no such transaction. Nobody has said what the service answers then; a code
#: of its own tells it apart from a path that does not exist.
_UNKNOWN = Reply("unknown", "7004", "Invalid parameters: no such transaction")


@attrs.define(eq=False, kw_only=True)
class StatusApi:
    """
    Tells by transaction id what became of calls: a list with an element for each.
    """

    #: The HTTP status of answers that refuse with a code.
    refusal_status: int
    #: The reply to who asks too fast.
    too_fast: Reply
    options: TenantOptions
    ringing: Ringing
    chance: random.Random
    #: How often each transaction was asked for.
    asked: Counter[str] = attrs.field(init=False, factory=Counter)
    #: How many of those got which reply, by its word.
    replies: Counter[str] = attrs.field(init=False, factory=Counter)
    #: The replies to the next requests.
    scripted: deque[Reply] = attrs.field(init=False, factory=deque)
    _rate: RateLimit = attrs.field(init=False)
    _reached_faults: int = attrs.field(init=False, default=0)

    @_rate.default
    def _make_rate(self) -> RateLimit:
        return RateLimit(self.options.status_tps)

    def take(
        self, headers: Mapping[str, str], transaction_id: str
    ) -> tuple[Reply, web.Response | None]:
        """
        The reply to who asks for *transaction_id*, and the answer if there is one.
        """
        self.asked[transaction_id] += 1
        reply = self._choose(headers)
        told = self.ringing.told(transaction_id)
        if reply.rings and not told:
            reply = _UNKNOWN
        self.replies[reply.word] += 1
        status = reply.status
        if reply is _UNKNOWN:
            status = 404
        elif reply.refuses:
            status = self.refusal_status
        if status is None:
            return reply, None
        return reply, respond(reply, status, self._body(reply, told))

    def summary(self) -> dict[str, Any]:
        """
        The counts, ready for JSON.
        """
        return {"asked": self.asked.total(), "replies": dict(self.replies)}

    def _choose(self, headers: Mapping[str, str]) -> Reply:
        if not self.options.status_api:
            return _OFF
        if (refusal := self.options.refuse(headers)) is not None:
            return Reply.parse(refusal[0])
        if not self._rate.admits(1, self.options.clock.monotonic()):
            return self.too_fast
        if self.scripted:
            return self.scripted.popleft()
        self._reached_faults += 1
        return pick(self.options.status_faults, self._reached_faults, self.chance)

    def _body(self, reply: Reply, told: list[Told]) -> bytes:
        match reply.shape:
            case "page":
                return page_of(reply)
            case "garbage":
                return b"\x00\xff this is not JSON {"
            case "empty":
                return b""
        if reply.refuses:
            refusal = {"code": reply.code, "description": reply.description}
            return msgspec.json.encode({"response": [refusal]})
        elements = list(map(_element, told))
        if reply.shape == "short":
            elements = elements[: len(elements) * 2 // 3]
        if reply.shape == "reordered":
            self.chance.shuffle(elements)
        return msgspec.json.encode(elements)


def _element(told: Told) -> dict[str, str]:
    call = told.call
    codes = {event.code for event in call.events}
    code = next((each for each in _WORDS if each in codes), "")
    word = _WORDS.get(code, "queued")
    has_failed = word in _FAILURES
    created = text_of(int(told.at * 1000))
    return {
        "transactionid": call.transaction_id,
        "to": call.recipient,
        "channel": "voice",
        "status": word,
        "date_created": created,
        "last_updated": max([created, *(event.timestamp for event in call.events)]),
        "error_code": code if has_failed else "",
        "error_message": describe(code) if has_failed else "",
    }

"""Writing an answer in one of the shapes that the API and its proxies have."""

import itertools
import random
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import attrs
import msgspec

from voicepush.simulator.codes import describe
from voicepush.simulator.replies import Reply
from voicepush.simulator.requests import CallRequest

#: The shapes an ordinary answer can have.
SHAPES = ("one", "each", "list", "object", "numeric")

#: The shapes with one element, whatever the number of destinations.
_WHOLE = ("one", "object")

#: The shapes in which no client can find a code.
_CODELESS = ("page", "garbage", "empty")


@attrs.frozen
class Transactions:
    """
    The transaction ids of a request: one for the whole of it, or one for each entry.
    """

    ids: tuple[str, ...]
    whole: bool

    def of(self, place: int) -> str:
        """
        The id that holds for the entry at *place*.
        """
        return self.ids[0] if self.whole else self.ids[place]


@attrs.frozen
class Answers:
    """
    Writes the bodies of answers.
    """

    #: One of `SHAPES`, for the replies that do not insist on their own.
    shape: str = attrs.field()
    #: Whether correlation ids come back.
    echo: bool
    _chance: random.Random
    _transids: Iterator[str] = attrs.field(init=False)

    @shape.validator
    def _is_known(self, _: object, shape: str) -> None:
        if shape not in SHAPES:
            message = f"{shape!r} is not a shape; possible are {', '.join(SHAPES)}."
            raise ValueError(message)

    @_transids.default
    def _count_transids(self) -> Iterator[str]:
        # Counted, not drawn: a thousand per answer have to be cheap.
        family = f"{self._chance.getrandbits(32):08x}-0000-4000-8000"
        return (f"{family}-{number:012x}" for number in itertools.count(1))

    def identify(self, reply: Reply, request: CallRequest) -> Transactions:
        """
        The transaction ids of *request*, whether or not its answer comes to tell them.
        """
        shape = self.shape if reply.shape in _CODELESS else reply.shape or self.shape
        if shape in _WHOLE or not reply.rings:
            return Transactions((next(self._transids),), whole=True)
        count = len(request.destinations)
        return Transactions(tuple(itertools.islice(self._transids, count)), whole=False)

    def write(
        self,
        reply: Reply,
        request: CallRequest,
        verdicts: list[str],
        transactions: Transactions,
    ) -> bytes:
        """
        The body that tells what became of *request*.

        Args:
            verdicts: A code for each of its destinations.
        """
        shape = reply.shape or self.shape
        if reply.said is not None:
            verdicts = [reply.said] * len(verdicts)
        code = reply.said or reply.code
        match shape:
            case "page":
                return page_of(reply)
            case "garbage":
                return b"\x00\xff this is not JSON {"
            case "empty":
                return b""
        if transactions.whole:
            words = reply.description if code == reply.code else describe(code)
            (transid,) = transactions.ids
            elements = [self._element(code, words, _id_of(request), transid)]
        else:
            elements = [
                self._element(code, describe(code), correlation_id, transid)
                for code, correlation_id, transid in zip(
                    verdicts, request.correlation_ids, transactions.ids, strict=True
                )
            ]
        return msgspec.json.encode(self._arrange(shape, elements))

    def _element(
        self, code: str, description: str, correlation_id: str, transid: str
    ) -> dict[str, Any]:
        return {
            "code": code,
            "transid": transid,
            "description": description,
            "correlationid": correlation_id if self.echo else "",
        }

    def _arrange(self, shape: str, elements: list[dict[str, Any]]) -> Any:
        match shape:
            case "list":
                return elements
            case "object":
                return elements[0]
            case "numeric":
                elements = [
                    {**element, "code": int(element["code"]), "correlationid": ""}
                    for element in elements
                ]
            case "short":
                elements = elements[: len(elements) * 2 // 3]
            case "reordered":
                elements = self._shuffled(elements)
        return {"response": elements}

    def _shuffled(self, elements: list[dict[str, Any]]) -> list[dict[str, Any]]:
        shuffled = elements.copy()
        # A shuffle may leave everything where it was, which would test nothing.
        while shuffled == elements and len(elements) > 1:
            self._chance.shuffle(shuffled)
        return shuffled


def code_shown(reply: Reply, verdicts: list[str]) -> str | None:
    """
    The code a client can read in the answer, "mixed" for several, None for none.
    """
    if reply.status is None or reply.shape in _CODELESS:
        return None
    if reply.said is not None:
        return reply.said
    if len(set(verdicts)) > 1:
        return "mixed"
    return verdicts[0] if verdicts else reply.code


def _id_of(request: CallRequest) -> str:
    # A request for one destination may have left the id to the destination.
    ids = request.correlation_ids
    return ids[0] if len(ids) == 1 else request.correlation_id


def page_of(reply: Reply) -> bytes:
    """
    The page that a proxy shows.
    """
    status = HTTPStatus(reply.status or HTTPStatus.OK)
    title = f"{status.value} {status.phrase}"
    return (
        f"<html><head><title>{title}</title></head>"
        f"<body><center><h1>{title}</h1></center></body></html>"
    ).encode()

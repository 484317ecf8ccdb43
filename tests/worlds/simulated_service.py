"""
The world's own truth: a service that rings people, and remembers by which request.

It reads raw requests and imports nothing of ours but the names of faults, so a mistake
in the sender can't hide in both.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Protocol

import attrs
from setups import Fault, Setup
from simulated_loop import Process
from simulated_network import Connection

#: Everyone in the request is rung.
_RINGS = frozenset(
    (
        *(Fault.RESET_AFTER, Fault.CUT, Fault.LOST, Fault.LATE, Fault.SLOW),
        *(Fault.RANG_7006, Fault.PARTLY, Fault.GOODBYE),
    )
)

#: They may be rung.
_MAY_RING = frozenset(
    (
        *(Fault.BAD_GATEWAY, Fault.BUSY, Fault.PROVIDER, Fault.ANOTHERS),
        *(Fault.TWICE, Fault.GARBAGE),
    )
)

#: Nobody can tell from the answer, if there is one, whether they were rung.
_DOUBTFUL = frozenset(
    (
        *(Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.CUT, Fault.CLOSED, Fault.LOST),
        *(Fault.LATE, Fault.BAD_GATEWAY, Fault.BUSY, Fault.PROVIDER, Fault.ANOTHERS),
        Fault.GARBAGE,
    )
)

_CODES = {
    Fault.RATE: ("7020", "Transaction limit exceeded (rate)"),
    Fault.INTERNAL: ("7006", "Internal error"),
    Fault.RANG_7006: ("7006", "Internal error"),
    Fault.PROVIDER: ("7010", "Provider exception"),
    Fault.TOO_MANY: ("7009", "Too many destinations"),
    Fault.TOO_LARGE: ("7022", "Too large"),
    Fault.REFUSED: ("7004", "Invalid parameters"),
    Fault.STOPPED: ("7007", "Service inactive"),
}


@attrs.define(eq=False)
class Request:
    """
    One request, and what the service made of it.
    """

    number: int
    process: Process
    #: The values of each destination, and its correlation id.
    destinations: Sequence[tuple[tuple[str, ...], str]]
    request_id: str
    fault: Fault | None
    left_at: float
    #: Whether nobody can tell from its answer what became of it.
    is_doubtful: bool
    #: Those whom an answer that tells of others leaves out.
    left_out: set[str] = attrs.field(factory=set)
    rung: set[str] = attrs.field(factory=set)

    @property
    def values(self) -> list[str]:
        """
        Everyone in it.
        """
        return [value for values, _ in self.destinations for value in values]

    def is_in_doubt(self, value: str) -> bool:
        """
        Whether its answer does not tell what became of *value*.
        """
        return self.is_doubtful or value in self.left_out


class Watching(Protocol):
    """
    Hears what leaves, and who is rung.
    """

    def request_left(self, request: Request) -> None:
        """
        A request has left a process.
        """
        ...

    def rings(self, request: Request, value: str) -> None:
        """
        Someone is rung.
        """
        ...


class Service:
    """
    Rings whom requests name, and answers as its setup wants.
    """

    def __init__(
        self, setup: Setup, chance: Random, watching: Watching, now: Callable[[], float]
    ) -> None:
        self.setup = setup
        self.requests: list[Request] = []
        #: Posts a receipt of a call, so many seconds from now.
        self.report: Callable[[float, Request, str], object] = lambda *_: None
        #: By value, the requests that named it, and those that rang it.
        self.named: defaultdict[str, list[Request]] = defaultdict(list)
        self.rang: defaultdict[str, list[Request]] = defaultdict(list)
        self._chance = chance
        self._watching = watching
        self._now = now
        self._faults = dict(setup.faults)
        self._connections = 0

    def accepts(self) -> bool | None:
        """
        Whether the next connection is made; None if nothing comes of it.
        """
        number, self._connections = self._connections, self._connections + 1
        if number in self.setup.silent:
            return None
        return number not in self.setup.refused

    def left(self, connection: Connection, body: bytes) -> Callable[[], None]:
        """
        A request has left; gives what happens when it arrives.
        """
        said = json.loads(body)
        number = len(self.requests)
        fault = self._faults.get(number)
        is_doubtful = fault in _DOUBTFUL or connection.is_doubtful
        if fault in (Fault.INTERNAL, Fault.RANG_7006, Fault.TWICE):
            is_doubtful = is_doubtful or not self.setup.retry_internal_error
        request = Request(
            number=number,
            process=connection.process,
            destinations=[_read(each) for each in said["destination"]],
            request_id=said.get("correlationid", ""),
            fault=fault,
            left_at=self._now(),
            is_doubtful=is_doubtful,
        )
        self.requests.append(request)
        for value in request.values:
            self.named[value].append(request)
        self._watching.request_left(request)
        return lambda: self._arrive(connection, request)

    def _arrive(self, connection: Connection, request: Request) -> None:
        fault = request.fault
        if fault is Fault.RESET_BEFORE:
            connection.reset(0.0)
            return
        if fault is Fault.CLOSED:
            connection.hang_up(0.0)
            return
        may_ring = fault in _MAY_RING and self._chance.random() < 0.5
        if fault is None or fault in _RINGS or may_ring:
            for value in request.values:
                self._ring(request, value)
        self._answer(connection, request)

    def _ring(self, request: Request, value: str) -> None:
        request.rung.add(value)
        self.rang[value].append(request)
        self._watching.rings(request, value)
        while self._chance.random() < self.setup.receipts:
            self.report(self._chance.uniform(0.0, 1.0) ** 3 * 40.0, request, value)

    def _answer(self, connection: Connection, request: Request) -> None:
        fault, chance = request.fault, self._chance
        after = chance.random() ** 3
        if fault is Fault.LOST:
            return
        if fault is Fault.RESET_AFTER:
            connection.reset(after)
            return
        if fault is Fault.LATE:
            after = self.setup.answer_timeout + chance.uniform(0.0, 5.0)
        elif fault is Fault.SLOW:
            after = chance.uniform(1.0, self.setup.answer_timeout / 2)
        status, headers, body = self._said(request)
        if fault is Fault.CUT:
            connection.cut(status, headers, body, after)
            return
        connection.answer(status, headers, body, after)
        if fault is Fault.TWICE:
            connection.doubt()
            connection.answer(status, headers, body, after + 2 * chance.random())
        elif fault is Fault.GOODBYE:
            connection.hang_up(after + chance.random())

    def _said(  # noqa: PLR0911 -- a table, read from the top
        self, request: Request
    ) -> tuple[int, dict[str, str], bytes]:
        fault, wait = request.fault, str(self._chance.choice((0, 1, 5, 30)))
        if fault is Fault.TOO_MANY_REQUESTS:
            return 429, {"retry-after": wait}, b""
        if fault is Fault.UNAVAILABLE:
            return 503, {"retry-after": wait}, b""
        if fault is Fault.BUSY:
            return 503, {}, b"busy"
        if fault is Fault.BAD_GATEWAY:
            return 502, {}, b"<h1>bad gateway</h1>"
        if fault is Fault.GARBAGE:
            return 200, {}, b"<h1>welcome</h1>"
        if fault is Fault.MIXED:
            return 200, {}, self._mixed(request)
        if fault is Fault.PARTLY:
            return 200, {}, self._partly(request)
        if fault in _CODES:
            code, words = _CODES[fault]
            return 200, {}, _response([_element(code, words, request.request_id)])
        return 200, {}, self._queued(request)

    def _queued(self, request: Request) -> bytes:
        if request.fault is Fault.ANOTHERS:
            theirs = "0123456789-7-a" + "0" * 8
            said = self._chance.choice((("1001", "Queued"), ("7006", "Internal error")))
            return _response([_element(*said, theirs)])
        said = "1001", "Queued"
        if request.fault is Fault.TWICE and not request.rung:
            said = "7006", "Internal error"
        shape = self._chance.randrange(4)
        if shape == 0:
            return _response([_element(*said, request.request_id)])
        if shape == 1:
            return _response([_element(*said, "")])
        each = [_element(*said, own) for _, own in request.destinations]
        if shape == 2:
            self._chance.shuffle(each)
        return _response(each)

    def _mixed(self, request: Request) -> bytes:
        each = []
        for values, own in request.destinations:
            code, words = self._chance.choice(
                (
                    ("1001", "Queued"),
                    ("7006", "Internal error"),
                    ("7102", "Destination not allowed"),
                )
            )
            if code == "1001":
                for value in values:
                    self._ring(request, value)
            elif code == "7006" and not self.setup.retry_internal_error:
                request.left_out.update(values)
            each.append(_element(code, words, own))
        return _response(each)

    def _partly(self, request: Request) -> bytes:
        each = []
        for values, own in request.destinations:
            if self._chance.random() < 0.5:
                request.left_out.update(values)
            else:
                each.append(_element("1001", "Queued", own))
        if len(each) == 1:
            # It could be one for all; what it says of the others is not believed.
            request.left_out.update(request.values)
        return _response(each)


def _read(destination: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    values = destination.get("msisdn") or destination["customerid"]
    return tuple(values), destination.get("correlationid", "")


def _element(code: str, words: str, correlation_id: str) -> dict[str, str]:
    return {
        "code": code,
        "description": words,
        "transid": f"t-{correlation_id}",
        "correlationid": correlation_id,
    }


def _response(elements: list[dict[str, str]]) -> bytes:
    return json.dumps({"response": elements}).encode()

"""
Ways in which people were called twice, or lost, put back one by one: the worlds have to
find each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from math import inf
from typing import Any
from unittest import mock

import attrs
from planting import Plant, Planted, planted_in
from setups import Deed, Fault
from showing import (
    Wants,
    any_world,
    expires,
    has_batches,
    has_deaths,
    has_doubles,
    has_receipts,
    has_windows,
    lasts,
    never_retries,
    resends,
    reuses,
    stands_still,
    with_all,
    with_deed,
    with_faults,
)

from voicepush.ledger import decisions
from voicepush.ledger.memory import worker
from voicepush.ledger.memory.campaign import Row, StoredCampaign
from voicepush.ledger.memory.suppression import Listing
from voicepush.ledger.memory.worker import MemoryWorker
from voicepush.model.claim import Claim, Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.windows import ALWAYS, Span
from voicepush.screening.screening import Screening
from voicepush.sending import answer, codes, delivery, transport
from voicepush.sending.carried import Carried
from voicepush.sending.codes import Meaning

#: By what is wrong.
PLANTED: dict[str, Planted] = {}


def _nothing(*_: object) -> None:
    pass


def _nobody(*_: object) -> dict[str, object]:
    return {}


def _planted(words: str, wants: Wants = any_world) -> Callable[[Plant], Plant]:
    return planted_in(PLANTED, words, wants)


@_planted(
    "what is in doubt is tried again, as HTTP clients do",
    with_faults(Fault.LOST, Fault.LATE, Fault.RESET_AFTER, Fault.CUT),
)
def _retry_doubt() -> Iterator[None]:
    outcomes = {**delivery._OUTCOMES, Meaning.IN_DOUBT: Outcome.PENDING}
    with mock.patch.object(delivery, "_OUTCOMES", outcomes):
        yield


@_planted(
    "503 without Retry-After is taken for a refusal",
    with_faults(Fault.BUSY),
)
def _busy_is_refusal() -> Iterator[None]:
    busy = HTTPStatus.SERVICE_UNAVAILABLE
    statuses = {**codes._STATUSES, busy: Meaning.THROTTLED}
    with mock.patch.object(codes, "_STATUSES", statuses):
        yield


@_planted(
    "a code of theirs that may have rung is tried again",
    with_faults(Fault.PROVIDER),
)
def _retry_provider() -> Iterator[None]:
    meanings = {**codes._MEANINGS, "7010": Meaning.INTERNAL}
    with mock.patch.object(codes, "_MEANINGS", meanings):
        yield


@_planted(
    "7006 is tried again although its owner has turned that off",
    with_all(with_faults(Fault.RANG_7006), never_retries),
)
def _retry_internal() -> Iterator[None]:
    note = delivery.Delivery.note

    def noted(self: delivery.Delivery, *args: Any) -> None:
        self._policy = attrs.evolve(self._policy, retry_internal_error=True)
        note(self, *args)

    with mock.patch.object(delivery.Delivery, "note", noted):
        yield


@_planted(
    "whom an answer leaves out is tried again",
    with_all(with_faults(Fault.PARTLY), has_batches),
)
def _retry_unmatched() -> Iterator[None]:
    item = answer.UNMATCHED._replace(meaning=Meaning.INTERNAL)
    with mock.patch.object(answer, "UNMATCHED", item):
        yield


@_planted(
    "an answer with another request's ids is believed",
    with_faults(Fault.ANOTHERS, Fault.TWICE),
)
def _believe_others() -> Iterator[None]:
    with (
        mock.patch.object(answer, "is_generated_id", _nothing),
        mock.patch("voicepush.sending.posting.decode", _credulous(answer.decode)),
    ):
        yield


def _credulous(decode: Callable[..., answer.Answer]) -> Callable[..., answer.Answer]:
    def decoded(*args: Any, **named: Any) -> answer.Answer:
        return decode(*args, **{**named, "fresh": True})

    return decoded


@_planted(
    "an attempt goes over a connection that carried an earlier one",
    with_all(with_faults(Fault.TWICE), reuses),
)
def _stale_connection() -> Iterator[None]:
    connection = transport.Transport.connection

    async def given(self: Any, batch: Any = None, *, fresh: bool = False) -> Any:
        del fresh
        return await connection(self, batch)

    leave = transport.Connection.__aexit__

    async def left(self: Any, *args: object) -> None:
        self.proven = True
        await leave(self, *args)

    with (
        mock.patch.object(transport.Transport, "connection", given),
        mock.patch.object(transport.Connection, "__aexit__", left),
        mock.patch.object(Carried, "could_answer", _nothing),
    ):
        yield


@_planted(
    "requests are sent by a method that aiohttp repeats by itself",
    with_faults(Fault.RESET_AFTER, Fault.CLOSED, Fault.GOODBYE),
)
def _idempotent() -> Iterator[None]:
    ask = transport.Connection._ask

    async def put(self: Any, method: str, *args: Any) -> Any:
        return await ask(self, "PUT" if method == "POST" else method, *args)

    with mock.patch.object(transport.Connection, "_ask", put):
        yield


@_planted(
    "whom a dead process had claimed is pending again",
    has_deaths,
)
def _recover_pending() -> Iterator[None]:
    def recovered(
        result: BatchResult, in_flight: object, *, resend: bool
    ) -> BatchResult:
        del in_flight, resend
        return decisions.replaced(result, Outcome.NOT_SENT, Verdict(Outcome.PENDING))

    with mock.patch.object(decisions, "recovered", recovered):
        yield


@_planted("a claim is written only when its batch is recorded")
def _claim_nothing() -> Iterator[None]:
    claim = MemoryWorker.claim

    async def claimed(self: Any, batch: Any, places: Sequence[int]) -> Claim:
        given = await claim(self, batch, places)
        if isinstance(given, Claimed):
            row = self._rows[batch.id]
            row.in_flight, row.claimed_by = frozenset(), None
        return given

    with mock.patch.object(MemoryWorker, "claim", claimed):
        yield


@_planted(
    "everyone who is asked for may be claimed, whatever is known of them",
    with_all(with_faults(Fault.RANG_7006), has_receipts),
)
def _claim_anyone() -> Iterator[None]:
    with mock.patch.object(decisions, "claimable", _anyone):
        yield


def _anyone(
    _: BatchResult, places: Sequence[int]
) -> tuple[list[int], dict[int, Verdict]]:
    return list(places), {}


@_planted(
    "a campaign can be taken from a worker that lives",
    with_deed(Deed.SECOND),
)
def _take_over() -> Iterator[None]:
    with mock.patch.object(StoredCampaign, "check_free", _nothing):
        yield


@_planted(
    "a worker that was taken over goes on",
    with_all(stands_still, lasts),
)
def _go_on() -> Iterator[None]:
    with mock.patch.object(MemoryWorker, "_check_ours", _nothing):
        yield


@_planted(
    "whom a process that stands still has claimed is called again",
    with_all(stands_still, resends),
)
def _wake() -> Iterator[None]:
    recover = MemoryWorker.recover

    def recovered(self: MemoryWorker, *, process_is_gone: bool) -> None:
        del process_is_gone
        recover(self, process_is_gone=True)

    with mock.patch.object(MemoryWorker, "recover", recovered):
        yield


@_planted(
    "who was taken for lost becomes pending by a late record",
    with_all(stands_still, with_faults(Fault.INTERNAL, Fault.RANG_7006)),
)
def _late_pending() -> Iterator[None]:
    may = {**decisions._MAY_BECOME, Outcome.UNKNOWN: frozenset(Outcome)}
    with mock.patch.object(decisions, "_MAY_BECOME", may):
        yield


@_planted(
    "a receipt proves nothing",
    has_receipts,
)
def _no_proof() -> Iterator[None]:
    with mock.patch.object(Row, "prove", _nothing):
        yield


@_planted(
    "what a worker tells overwrites what a receipt has proven",
    has_receipts,
)
def _overwrite() -> Iterator[None]:
    def heard(_: BatchResult, told: BatchResult) -> BatchResult:
        return told

    with mock.patch.object(decisions, "heard", heard):
        yield


@_planted(
    "duplicates are not looked for",
    has_doubles,
)
def _duplicates() -> Iterator[None]:
    make = Screening.__init__

    def made(self: Screening, **named: Any) -> None:
        make(self, **{**named, "duplicates": False})

    with mock.patch.object(Screening, "__init__", made):
        yield


@_planted(
    "the halves of a batch overlap",
    with_all(with_faults(Fault.TOO_MANY, Fault.TOO_LARGE), has_batches),
)
def _overlap() -> Iterator[None]:
    halve = delivery.Delivery.halve

    def halved(self: Any, places: Sequence[int], item: Any) -> list[Sequence[int]]:
        halves = halve(self, places, item)
        if len(places) > 3:
            halves[0] = [*halves[0], halves[1][0]]
        return halves

    with (
        mock.patch.object(delivery.Delivery, "halve", halved),
        mock.patch.object(decisions, "claimable", _anyone),
    ):
        yield


@_planted(
    "the suppression list is looked at when planning only",
    with_deed(Deed.SUPPRESS),
)
def _suppress_once() -> Iterator[None]:
    with mock.patch.object(Listing, "found", _nobody):
        yield


@_planted(
    "windows are not looked at by claims",
    has_windows,
)
def _no_windows() -> Iterator[None]:
    def always(*_: object) -> Span:
        return ALWAYS

    with (
        mock.patch.object(worker, "called_until", return_value=inf),
        mock.patch("voicepush.campaign.journal.span_of", always),
    ):
        yield


@_planted(
    "people are sent after the expiry",
    expires,
)
def _no_expiry() -> Iterator[None]:
    def long(_: object) -> float:
        return inf

    with (
        mock.patch.object(delivery.Delivery, "has_expired", new=False),
        mock.patch.object(delivery.Delivery, "seconds_left", long),
    ):
        yield


@_planted(
    "who was in flight when a campaign is left is forgotten",
    has_deaths,
)
def _lose() -> Iterator[None]:
    def lost(result: BatchResult, _: object) -> BatchResult:
        return decisions.replaced(
            result, Outcome.PENDING, Verdict(Outcome.NOT_SENT, None, "lost")
        )

    with mock.patch.object(decisions, "lost", lost):
        yield

"""
What is asked of the status API about the silent calls of a batch, and what was told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from itertools import islice

import attrs

from voicepush import clock
from voicepush.ledger.placing import names_of
from voicepush.ledger.silence import Silent
from voicepush.model.call import Call, Receipt, Report
from voicepush.receipts.call_state import call_of_status
from voicepush.receipts.receipt import moment_of
from voicepush.sending.status_api import CallStatus

#: So many are prepared before it is looked again whose receipts have come.
_TOGETHER = 50


@attrs.define(eq=False)
class Asking:
    """
    One batch, and how far it was asked about.
    """

    silent: Silent
    #: The places that were asked about lately.
    asked: set[int]
    #: How many requests about it are under way.
    open: int = 0
    #: Whether all were begun, and whether one of them failed.
    is_whole: bool = False
    has_failed: bool = False

    @property
    def is_done(self) -> bool:
        """
        Whether all that were silent were asked about.
        """
        return self.is_whole and not self.open and not self.has_failed

    def parts(self) -> Iterator[tuple[dict[str, list[int]], bool]]:
        """
        Whom each transaction tells of, some transactions at a time, and whether those
        are the last.
        """
        transactions = self.silent.by_transaction()
        items = iter(transactions.items())
        left = len(transactions)
        while some := dict(islice(items, _TOGETHER)):
            left -= len(some)
            yield some, not left


@attrs.frozen
class Question:
    """
    One transaction, and the silent calls that it tells of.
    """

    asking: Asking
    transaction_id: str
    recipients: Sequence[int]
    #: What is known of the calls of the batch.
    known: Mapping[int, Call]

    def places(self) -> set[int]:
        """
        Where those stand.
        """
        places = self.asking.silent.known.batch.recipients.places_of_values()
        return {places[recipient] for recipient in self.recipients}


@attrs.frozen
class Told:
    """
    What an answer says of one call.
    """

    #: What was known before, and what is known with the answer.
    before: Call | None
    after: Call | None
    #: What is new of it, as if it were receipts.
    receipts: Sequence[Receipt]
    #: Whether it says anything.
    is_told: bool


def told(
    question: Question, statuses: Sequence[CallStatus], zone: tzinfo
) -> Iterator[Told]:
    """
    What *statuses* say of each call that was asked about.

    Args:
        zone: Of time stamps without an offset.
    """
    for recipient, theirs in _by_recipient(question, statuses).items():
        before = after = question.known.get(recipient)
        receipts = []
        for status in theirs:
            call = call_of_status(
                status.status,
                status.error_code,
                status.error_message,
                moment_of(status.updated, zone),
            )
            merged = call if after is None else after.merged(call)
            if merged != after:
                receipts.append(_receipt(question, recipient, call, status.body))
            after = merged
        yield Told(before, after, receipts, bool(theirs))


def _receipt(question: Question, recipient: int, call: Call, body: bytes) -> Receipt:
    batch = question.asking.silent.known.batch
    place = batch.recipients.places_of_values()[recipient]
    report = Report(
        call=call,
        # Ours, also where its owner has given another: it names a place of a batch.
        correlation_id=batch.id.id_at(place),
        transaction_id=question.transaction_id,
        recipient=batch.recipients.values[recipient],
    )
    # It was asked for, so it is no sign of receipts arriving.
    return Receipt(body=body, received_at=clock.now(), reports=[report], is_asked=True)


def _by_recipient(
    question: Question, statuses: Sequence[CallStatus]
) -> dict[int, list[CallStatus]]:
    values = question.asking.silent.known.batch.recipients.values
    found: dict[int, list[CallStatus]] = {each: [] for each in question.recipients}
    if len(statuses) == len(found) == 1 and not statuses[0].recipient:
        return {question.recipients[0]: list(statuses)}
    named: dict[str, list[int]] = {}
    for recipient in question.recipients:
        named.setdefault(values[recipient], []).append(recipient)
    for status in statuses:
        for name in names_of(status.recipient):
            for recipient in named.get(name, ()):
                found[recipient].append(status)
    return found

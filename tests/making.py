"""Batches and blocks made from single recipients, and taken apart again."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from voicepush.ledger import open_ledger
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients

#: A destination as a value that can be compared: kind, values, own correlation id.
Entry: TypeAlias = tuple[Kind, tuple[str, ...], str]


def batch_id(text: str) -> BatchId:
    """
    The id that is written as *text*, with number 0 where it has none.
    """
    tag, _, number = text.rpartition("-")
    return BatchId(tag, int(number)) if tag else BatchId(number, 0)


def batch_of(message: VoiceMessage, key: str, recipients: Sequence[Recipient]) -> Batch:
    """
    A batch of *recipients*, who are of one kind.
    """
    return Batch(batch_id(key), Recipients.of(*recipients), Group(message))


def entry_of(recipient: Recipient) -> Entry:
    """
    *recipient* as a value that can be compared.
    """
    if isinstance(recipient, str):
        return Kind.MSISDN, (recipient,), ""
    kind = Kind.MSISDN if recipient.msisdn else Kind.CUSTOMER_ID
    return kind, recipient.values, recipient.correlation_id or ""


def entries_in(recipients: Recipients) -> list[Entry]:
    """
    The destinations in *recipients*, one by one.
    """
    ids = recipients.correlation_ids or [""] * len(recipients)
    return [
        (recipients.kind, tuple(values), own_id)
        for values, own_id in zip(recipients.by_destination(), ids, strict=True)
    ]


def of_one_kind(recipients: Iterable[Recipient]) -> list[Recipient]:
    """
    Those of *recipients* that are of the same kind as the first.
    """
    found = list(recipients)
    return [each for each in found if entry_of(each)[0] is entry_of(found[0])[0]]


def destinations(recipients: Recipients) -> list[Recipient]:
    """
    The destinations in *recipients* as one would give them: texts where that is enough.
    """
    found: list[Recipient] = []
    for kind, values, own_id in entries_in(recipients):
        if kind is Kind.MSISDN and len(values) == 1 and not own_id:
            found += values
        elif kind is Kind.MSISDN:
            found.append(Destination(values, correlation_id=own_id or None))
        else:
            found.append(Destination(customer_id=values, correlation_id=own_id or None))
    return found


async def opened(where: Path | str) -> None:
    """
    Open the ledger at *where*, and close it.
    """
    async with open_ledger(where):
        pass

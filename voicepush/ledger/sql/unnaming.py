"""
Receipts of those who were forgotten: they are applied, and name nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import attrs

from voicepush.ledger.bodies import pack_bodies
from voicepush.ledger.forgetting import Person
from voicepush.ledger.placing import names_of
from voicepush.ledger.sql.store import Connection
from voicepush.ledger.sql.suppression import forgotten_among
from voicepush.model.call import Receipt, Report
from voicepush.model.recipients import Kind


def unnamed(
    connection: Connection, receipts: Sequence[Receipt], packed: bytes
) -> tuple[Sequence[Receipt], bytes]:
    """
    *receipts*, and their bodies *packed*, without those who were forgotten: they are
    still applied to the calls that other names lead to.
    """
    if connection.execute("SELECT 1 FROM forgotten LIMIT 1").fetchone() is None:
        return receipts, packed
    names = {name for receipt in receipts for name in _names_in(receipt)}
    people = [
        Person(kind, value)
        for kind in Kind
        for value in forgotten_among(connection, kind, list(names))
    ]
    if not people:
        return receipts, packed
    left = [_unnamed(receipt, people) for receipt in receipts]
    return left, pack_bodies([receipt.body for receipt in left])


def _names_in(receipt: Receipt) -> Iterator[str]:
    """
    All that may be a number or a customer id in *receipt*, read or not.
    """
    for report in receipt.reports:
        yield from names_of(report.recipient)
    for digits in _DIGITS.findall(receipt.body):
        yield from names_of(digits.decode())


#: What may be a number, as it is written with its calling code.
_DIGITS = re.compile(rb"(?<![0-9])[0-9]{7,20}(?![0-9])")


def _unnamed(receipt: Receipt, people: Sequence[Person]) -> Receipt:
    for person in people:
        reports = [_without(report, person) for report in receipt.reports]
        if reports != list(receipt.reports) or person.is_in(receipt.body):
            receipt = attrs.evolve(receipt, body=b"", reports=reports)
    return receipt


def _without(report: Report, person: Person) -> Report:
    is_theirs = person.value in names_of(report.recipient)
    return attrs.evolve(
        report,
        recipient="" if is_theirs else report.recipient,
        correlation_id=person.erased(report.correlation_id),
        callback_data=person.erased(report.callback_data),
        transaction_id=person.erased(report.transaction_id),
        call=attrs.evolve(report.call, words=person.erased(report.call.words)),
    )

"""
Receipts of those who were forgotten: they are applied, and name nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from voicepush.ledger.bodies import pack_bodies
from voicepush.ledger.forgetting import Person
from voicepush.ledger.placing import names_of
from voicepush.ledger.sql.store import Connection
from voicepush.ledger.sql.suppression import forgotten_among
from voicepush.model.call import Receipt
from voicepush.model.recipients import Kind


def unnamed(
    connection: Connection, receipts: Sequence[Receipt], packed: bytes
) -> tuple[Sequence[Receipt], bytes]:
    """
    *receipts*, and their bodies *packed*, without those who were forgotten: they are
    still applied to the calls that other names lead to.
    """
    (key,) = connection.execute("SELECT max(key) FROM forgetting").fetchone()
    if key is None:
        return receipts, packed
    names = {
        name
        for receipt in receipts
        for report in receipt.reports
        for name in names_of(report.recipient)
    }
    people = [
        Person(kind, value)
        for kind in Kind
        for value in forgotten_among(connection, key, kind, list(names))
    ]
    if not people:
        return receipts, packed
    left = [_unnamed(receipt, people) for receipt in receipts]
    return left, pack_bodies([receipt.body for receipt in left])


def _unnamed(receipt: Receipt, people: Sequence[Person]) -> Receipt:
    for person in people:
        reports = [
            attrs.evolve(
                report,
                recipient="",
                call=attrs.evolve(report.call, words=person.erased(report.call.words)),
            )
            if person.value in names_of(report.recipient)
            else report
            for report in receipt.reports
        ]
        if reports != list(receipt.reports):
            receipt = attrs.evolve(receipt, body=b"", reports=reports)
    return receipt

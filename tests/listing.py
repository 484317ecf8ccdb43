"""
Exports of the platform's console, made up.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voicepush.receipts.evidence.reading import EvidenceBlock, read_evidence
from voicepush.receipts.evidence.rows import Listed

#: The columns of an export, in the console's words.
HEADERS = ("Transaction ID", "Correlation ID", "MSISDN", "Current Status")


def row(place: int, *, tag: str = "0123456789", status: str = "Answered") -> list[str]:
    """
    The row of who stands at *place* in the first batch of a campaign.
    """
    return [
        f"48ceebcb-8035-40d0-{place:012}",
        f"{tag}-0-{place}",
        f"999{place:09}",
        status,
    ]


def table(
    rows: Iterable[Sequence[str]],
    headers: Sequence[str] = HEADERS,
    *,
    delimiter: str = ",",
    above: Iterable[Sequence[str]] = (),
) -> str:
    """
    A table with a header.
    """
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerows([*above, headers, *rows])
    return text.getvalue()


def payload(place: int, *, code: str = "7519", **changed: Any) -> dict[str, Any]:
    """
    A notification of the same person's call.
    """
    transaction, correlation_id, number, _ = row(place)
    return {
        "deliveryTransInfo": "<x/>",
        "deliveryInfoNotification": {
            "deliveryInfo": {
                "timeStamp": "2030-02-05T07:34:23.596Z",
                "Description": "Answered",
                "code": code,
                "destination": f"+{number}",
                "deliveryStatus": "ANSWERED",
            },
            "subtid": "",
            "transid": transaction,
            "callbackData": "",
            "correlationid": correlation_id,
            **changed,
        },
    }


def write(content: str | bytes, name: str = "export.csv") -> Path:
    """
    A file with *content* in the current folder.
    """
    data = content if isinstance(content, bytes) else content.encode()
    Path(name).write_bytes(data)
    return Path(name)


def blocks_in(path: Path, **options: Any) -> list[EvidenceBlock]:
    """
    All blocks of a file.
    """
    with read_evidence(path, **options) as file:
        return list(file)


def listed_in(path: Path, **options: Any) -> list[Listed]:
    """
    The calls that a file lists, which has nothing else in it.
    """
    blocks = blocks_in(path, **options)
    assert not any(each.unproven or each.unreadable for each in blocks)
    return [each for block in blocks for each in block.listed]


def names_in(listed: Iterable[Listed]) -> list[tuple[str, str, str]]:
    """
    By which names the calls are *listed*.
    """
    return [
        (report.transaction_id, report.correlation_id, report.recipient)
        for each in listed
        for report in each.receipt.reports
    ]


def body_of(listed: Listed) -> Mapping[str, Any]:
    """
    The row as it stood.
    """
    found = json.loads(listed.receipt.body)
    assert isinstance(found, dict)
    return found

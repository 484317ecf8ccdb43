"""
A file of evidence is read, or refused in one line, and no row proves too much.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path

import msgspec

from voicepush import VoicepushError
from voicepush.receipts.evidence.reading import read_evidence
from voicepush.receipts.evidence.rows import Listed
from voicepush.receipts.receipt import MOST_CHARACTERS

_NUMBER, _NAME = tempfile.mkstemp(prefix="evidence-")
_FILE = Path(_NAME)
os.close(_NUMBER)
atexit.register(_FILE.unlink)

#: Two files in one, each of which counts its own rows.
_ARCHIVE = b"PK\x03\x04"


def check(data: bytes) -> None:
    """
    Read *data* as the file that an owner gives.
    """
    _FILE.write_bytes(data)
    rows: list[int] = []
    try:
        for block in read_evidence(_FILE):
            for each in block.listed:
                _check_listed(each)
            found = [each.row for each in block.listed]
            rows += sorted([*found, *block.unproven, *block.unreadable])
    except VoicepushError:
        pass  # what was read before stays, and the owner is told of the rest

    assert all(row > 0 for row in rows)
    if not data.startswith(_ARCHIVE):
        assert sorted(set(rows)) == rows  # each row says one thing


def _check_listed(listed: Listed) -> None:
    body = listed.receipt.body
    thing = msgspec.json.decode(body)  # so that a look-up can show it
    for report in listed.receipt.reports:
        names = (report.correlation_id, report.transaction_id, report.recipient)
        assert MOST_CHARACTERS >= max(map(len, names))
        if b"deliveryinfo" not in body.lower():
            # Otherwise an owner's own list would prove that everyone was called.
            assert report.transaction_id or not report.correlation_id
    assert isinstance(thing, (dict, list))

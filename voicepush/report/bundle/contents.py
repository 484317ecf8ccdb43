"""
What the files of a bundle are called, and their columns.
"""

from __future__ import annotations

import re
from pathlib import Path

from voicepush.report.export import EXPORTED

#: What a manifest says it is, and the version of all of this.
FORMAT = "voicepush evidence"
FORMAT_VERSION = 1

README = "README.txt"
MANIFEST = "manifest.json"
CALLS = "calls.csv"
RECEIPTS = "receipts.jsonl"
SUPPRESSION = "suppression.csv"
SUPPRESSION_HISTORY = "suppression-history.jsonl"
HISTORY = "history.jsonl"
REJECTS = "rejects.csv"
DIGESTS = "digests.txt"

#: What is in every bundle, in this order, before what its owner adds; the digests come
#: last, and are in no digest.
ALWAYS = (
    *(README, MANIFEST, CALLS, RECEIPTS),
    *(SUPPRESSION, SUPPRESSION_HISTORY, HISTORY),
)

#: How a file in a bundle may be called: a name that any shell takes as it is.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

#: The columns of calls.csv before those that the owner kept from the list.
CALL_COLUMNS = (
    *EXPORTED[:-1],  # the last is what is played, of which the manifest has the number
    *("message", "batch", "attempts", "claimed_at", "recorded_at", "given_up"),
    *("call_at", "receipt_at", "receipts"),
)

SUPPRESSION_COLUMNS = (
    *("recipient", "row", "outcome", "since", "category", "reason", "who"),
)

#: In place of an outcome: claimed, and its answer not recorded yet.
IN_FLIGHT = "in_flight"


def list_name(source: Path) -> str:
    """
    What the list is called in a bundle: its ending tells what it is.
    """
    endings = "".join(
        suffix.lower() for suffix in source.suffixes[-2:] if NAME.fullmatch(suffix[1:])
    )
    return f"list{endings}"

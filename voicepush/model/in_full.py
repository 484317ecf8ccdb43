"""
A batch with everything that a ledger knows of it, for a proof of what was done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import attrs

from voicepush.masking import only_count
from voicepush.model.call import Call
from voicepush.model.outcome import BatchResult


class KeptReceipt(NamedTuple):
    """
    One receipt of a call.
    """

    #: When it was stored, in seconds since 1970 by our clock.
    received_at: float | None
    #: What was posted; None where that is deleted by now, and only what it said is
    #: known.
    body: bytes | None

    def __repr__(self) -> str:
        return f"KeptReceipt({self.received_at}, {len(self.body or b'')} bytes)"


@attrs.frozen(kw_only=True, eq=False)
class BatchInFull:
    """
    A batch and everything that is known of it, at one moment.
    """

    #: What its owner sees; who is in flight is unknown in it.
    result: BatchResult
    #: The places that are claimed and not recorded.
    in_flight: frozenset[int] = frozenset()
    #: The places that are unknown and that its owner has given up.
    given_up: frozenset[int] = frozenset()
    #: When it was last claimed and recorded, in seconds since 1970.
    claimed: float | None = None
    recorded: float | None = None
    #: By recipient, counted from 0, what the receipts say of the calls.
    calls: Mapping[int, Call] = attrs.field(factory=dict, repr=only_count)
    #: Likewise the receipts themselves, in the order in which they came.
    receipts: Mapping[int, Sequence[KeptReceipt]] = attrs.field(
        factory=dict, repr=only_count
    )

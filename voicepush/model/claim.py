"""
What a journal answers to who wants to send, and by which rules it is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from voicepush.masking import only_count
from voicepush.model.outcome import Verdict


@attrs.frozen
class Claimed:
    """
    It is durable that these places are about to be sent, by us alone.
    """

    #: Names the worker that claimed them.
    token: str
    places: Sequence[int] = attrs.field(repr=only_count)
    #: What is known by now of places that were asked for, and must not be sent.
    left_out: Mapping[int, Verdict] = attrs.field(factory=dict, repr=only_count)
    #: The claim holds no longer than that, in seconds since 1970.
    until: float | None = None


@attrs.frozen
class NotBefore:
    """
    They may be sent later.
    """

    #: In seconds since 1970.
    moment: float
    reason: str
    #: Whether that is when their window opens, which the ledger looks at by itself.
    is_closed: bool = False


@attrs.frozen
class Refused:
    """
    They may not be sent by us.
    """

    reason: str
    #: Whether nothing else may be, either.
    is_over: bool = False


Claim: TypeAlias = Claimed | NotBefore | Refused


@attrs.frozen(kw_only=True)
class Policy:
    """
    What may be sent again although it is not certain that nobody was called.
    """

    #: Whether code 7006 is tried again. A server that dials and then says so would
    #: call people twice.
    retry_internal_error: bool = True
    #: Whether what is in doubt is tried again, at the risk of a second call.
    resend_unknown: bool = False


@attrs.frozen
class Recorded:
    """
    It is durable what became of a batch.
    """


@attrs.frozen
class Superseded:
    """
    Another worker has taken the batch over; what was told is merged with what it knows.
    """

    reason: str


Record: TypeAlias = Recorded | Superseded

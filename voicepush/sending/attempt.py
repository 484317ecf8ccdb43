"""
What came of one request, and what it leaves to be sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepush.sending.answer import Answer


class Posted(NamedTuple):
    """
    What came of one request.
    """

    answer: Answer
    #: How long the service asked to wait, in seconds.
    asked: float | None
    status: int | None
    seconds: float
    #: Of the request, in bytes.
    size: int


class Rest(NamedTuple):
    """
    What is to be sent yet in this round, and how long to wait before the next.
    """

    places: Sequence[Sequence[int]] = ()
    wait: float | None = None

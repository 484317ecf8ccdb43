"""
A request of a check, with the codes that are believed to answer it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs


class Key(enum.Enum):
    """
    Which key a request carries.
    """

    OWN = enum.auto()
    WRONG = enum.auto()
    NONE = enum.auto()


@attrs.frozen
class Request:
    """
    A request, and how its answer is told apart.
    """

    #: What it is, in a few words that follow "the answer to".
    name: str
    body: bytes = attrs.field(repr=False)
    #: The codes that are believed to answer it.
    expected: Sequence[str]
    key: Key = Key.OWN
    #: The id of the request, and those of its destinations.
    request_id: str = ""
    ids: Sequence[str] = ()

"""
Findings: what is believed, whether it holds, and what that was read from.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs

from voicepush.masking import mask_numbers, shown
from voicepush.sending.answer import without_key


class Holds(enum.StrEnum):
    """
    Whether what is believed holds.
    """

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@attrs.frozen
class Finding:
    """
    One thing that was looked at.
    """

    #: What it is about, in a word or two; no two findings have the same.
    about: str
    holds: Holds
    #: What was found, in one line.
    words: str
    #: What that was read from.
    read_from: str


def yes(about: str, words: str, read_from: str) -> Finding:
    """
    It holds.
    """
    return Finding(about, Holds.YES, words, read_from)


def no(about: str, words: str, read_from: str) -> Finding:
    """
    It does not.
    """
    return Finding(about, Holds.NO, words, read_from)


def unknown(about: str, why: str, read_from: str = "nothing") -> Finding:
    """
    Nobody can tell; *why* says for what reason.
    """
    return Finding(about, Holds.UNKNOWN, why, read_from)


@attrs.frozen
class Checked:
    """
    All that was found of one tenant.
    """

    #: The tenant's address.
    base_url: str
    #: When it was checked.
    at: datetime
    findings: Sequence[Finding]
    #: Whether the service refuses every request, as it is asked now.
    refuses: bool = False

    def count(self, holds: Holds) -> int:
        """
        How many findings say *holds*.
        """
        return sum(each.holds is holds for each in self.findings)

    @property
    def differing(self) -> Sequence[Finding]:
        """
        What is not as it is believed to be.
        """
        return [each for each in self.findings if each.holds is Holds.NO]


def clean(findings: Iterable[Finding], secret: str) -> list[Finding]:
    """
    *findings* as they may be shown and passed on: on one line, without the service key
    *secret*, and with numbers masked.
    """

    def cleaned(text: str) -> str:
        return mask_numbers(shown(without_key(text, secret)))

    return [
        attrs.evolve(each, words=cleaned(each.words), read_from=cleaned(each.read_from))
        for each in findings
    ]

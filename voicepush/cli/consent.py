"""
The option for until when people have agreed to be called.
"""

from __future__ import annotations

from collections.abc import Sequence

from voicepush.errors import InputError
from voicepush.model.consent import CONSENT, CONSENT_COLUMN
from voicepush.model.fields import check_text
from voicepush.sources.choosing import KeptFor, named


def with_consent(keep: Sequence[str], column: str | None) -> Sequence[str]:
    """
    The columns to *keep*, before them the one of consents if there is one.

    Raises:
        InputError: One of the others is the same, or would have its name.
    """
    if column is None:
        return keep
    check_text(column, f"--{CONSENT_COLUMN}")
    for each in keep:
        if named(each, [column]):
            raise InputError(
                f"--keep {each}: --{CONSENT_COLUMN} keeps it already, as "
                f"{CONSENT}; leave that out"
            )
        if named(each, [CONSENT]):
            raise InputError(
                f"--keep {each}: what --{CONSENT_COLUMN} names is kept under that "
                "name; call the other column otherwise"
            )
    return [KeptFor(column, f"--{CONSENT_COLUMN}"), *keep]

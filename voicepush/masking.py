"""
Keys and numbers are hidden, and texts from outside are shown safely.
"""

from __future__ import annotations

import re
from collections.abc import Sized


def mask(value: str) -> str:
    """
    *value* with its middle hidden, for logs, exceptions and ``repr``.
    """
    if len(value) >= 10:  # noqa: PLR2004 -- long enough to keep both ends
        return f"{value[:3]}{'*' * (len(value) - 7)}{value[-4:]}"
    return "*" * max(1, len(value) - 2) + value[max(1, len(value) - 2) :]


def mask_numbers(text: str) -> str:
    """
    *text* with every run of digits that could be a phone number masked, also where
    spaces, hyphens or brackets stand between them. Dates are left as they are.
    """
    return _COULD_BE_NUMBER.sub(lambda found: mask(found[0]), text)


_COULD_BE_NUMBER = re.compile(
    r"\+?\d{7,}"
    r"|(?<![\w-])(?!\d{4}-\d\d-\d\d(?!\d))\+?\(?\d(?:[ ()\u00a0-]{0,2}\d){6,}(?![\w-])"
)


#: Control characters, what turns the direction of writing, and ends of lines: a text
#: with them could forge lines of ours.
UNSHOWN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+"
)


def shown(text: str, most_bytes: int | None = None) -> str:
    """
    *text* on one line and without characters that are not seen, as it may be shown.

    Texts from outside could otherwise forge lines of ours.

    Args:
        most_bytes: Cut what is longer than that in UTF-8.
    """
    text = UNSHOWN.sub(" ", text)
    if most_bytes is not None and len(text) > most_bytes // 4:
        text = text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")
    return text


def masked_repr(text: str | None) -> str:
    """
    The ``repr`` of *text*, with numbers masked.
    """
    return repr(text and mask_numbers(text))


def only_count(items: Sized) -> str:
    """
    How many *items* there are, in place of what they are.
    """
    return f"<{len(items)}>"

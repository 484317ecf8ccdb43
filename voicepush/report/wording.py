"""
Numbers, shares and moments as a report writes them.
"""

from __future__ import annotations

import re
from datetime import datetime

from voicepush.masking import mask_numbers, shown

#: A text from outside is shown up to so many bytes, and one that is to be short.
_MOST_BYTES = 300
SHORT = 48

#: A SHA-256, which stands for a whole bundle of evidence.
_DIGEST = re.compile("[0-9a-f]{64}")


def outside(text: str, most_bytes: int = _MOST_BYTES) -> str:
    """
    *text* that came from outside, as it may be shown; the end of a long one is left
    out.
    """
    whole = shown(mask_numbers(text))
    cut = shown(whole, most_bytes)
    return whole if whole == cut else f"{cut}…"


def detail(text: str | None) -> str:
    """
    What a history says further of something that was done.
    """
    # A digest must be read to its last digit, some of which look like a number.
    if text is not None and _DIGEST.fullmatch(text):
        return text
    return outside(text or "")


def nobreak(text: str) -> str:
    """
    *text* with each number and its percent sign in one line.
    """
    return text.replace(" %", "\N{NO-BREAK SPACE}%")


def share(part: float, whole: float) -> str:
    """
    *part* of *whole* in percent; all and nobody are said only where it is so.
    """
    if not whole:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0 and part:
        return "<1 %"
    return ">99 %" if percent == 100 and part < whole else f"{percent} %"  # noqa: PLR2004 -- of a hundred


def speed_words(per_second: float) -> str:
    """
    So many people per second, exactly enough.
    """
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"  # noqa: PLR2004 -- two digits say enough


def local_time(moment: datetime) -> str:
    """
    *moment* by this machine's clock, with its date.
    """
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y %H:%M:%S}"


def cell(value: object) -> str:
    """
    *value* as it stands in a table.
    """
    if isinstance(value, datetime):
        return local_time(value)
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)

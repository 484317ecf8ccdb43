"""
In which time zones a number may be.
"""

from __future__ import annotations

from functools import cache

#: What the numbering plans' data says of numbers that are nowhere.
_NOWHERE = "Etc/Unknown"


def zones_of(number: str) -> tuple[str, ...]:
    """
    The names of the time zones in which *number*, in normal form, may be by the data of
    *phonenumbers*: those of its longest known prefix. None where that tells of none.

    A mobile number may be anywhere, whatever its area code says.
    """
    zones, longest = _zones()
    for end in range(longest + 1, 1, -1):
        found = zones.get(number[1:end])
        if found is not None:
            return () if found == (_NOWHERE,) else found
    return ()


@cache
def _zones() -> tuple[dict[str, tuple[str, ...]], int]:
    # Only here is it needed, and it takes a moment to load.
    from phonenumbers.tzdata import (  # noqa: PLC0415
        TIMEZONE_DATA,
        TIMEZONE_LONGEST_PREFIX,
    )

    return TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

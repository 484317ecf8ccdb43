"""
Where recipients stood in their source.
"""

from __future__ import annotations

from collections.abc import Sequence


def joined_rows(columns: Sequence[Sequence[int] | None]) -> Sequence[int] | None:
    """
    All of *columns*, in their order; None where one of them is not known.
    """
    # Rows of a file follow each other; a range of a thousand takes no room.
    joined: list[int] = []
    whole: range | None = None
    for rows in columns:
        if rows is None:
            return None
        if isinstance(rows, range) and not joined:
            if whole is None:
                whole = rows
                continue
            if whole.stop == rows.start and whole.step == rows.step == 1:
                whole = range(whole.start, rows.stop)
                continue
        if whole is not None:
            joined, whole = list(whole), None
        joined.extend(rows)
    return joined if whole is None else whole

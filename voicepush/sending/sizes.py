"""
How large a request may be: by the settings, the pace, and what the service has shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicepush.model.batch import Batch

#: The code that speaks of how many destinations there are, and not of bytes.
_TOO_MANY = "7009"


class Sizes:
    """
    Cuts what is larger than a request may be, and learns from what was too large.

    Args:
        most: The most recipients of one request.
        most_bytes: The most bytes of one request.
        paced: Gives how many the present rate allows in one request.
    """

    def __init__(self, most: int, most_bytes: int, paced: Callable[[], int]) -> None:
        self._most = most
        self._limit = self._most_bytes = most_bytes
        self._paced = paced
        #: The largest that were taken.
        self._taken = 1
        self._taken_bytes = 1

    def fits(self, batch: Batch, places: Sequence[int]) -> bool:
        """
        Whether *places* of *batch* may go into one request.
        """
        most = min(self._most, self._paced())
        return batch.weigh(places) <= most or len(places) == 1

    def cut(self, batch: Batch, places: Sequence[int]) -> list[Sequence[int]] | None:
        """
        *places* in pieces that fit, if they need it.
        """
        if self.fits(batch, places):
            return None
        # Counting entries is enough where each holds one value; otherwise halves are
        # cut until they fit.
        is_even = batch.recipients.widths is None
        step = min(self._most, self._paced()) if is_even else len(places) // 2
        return [places[at : at + step] for at in range(0, len(places), step)]

    def is_too_large(self, size: int, number: int) -> bool:
        """
        Whether a body of *size* bytes for a *number* of destinations is too large.

        A single one is sent, whatever others have shown, unless the settings forbid it.
        """
        return size > (self._limit if number == 1 else self._most_bytes)

    def took(self, values: int, size: int) -> None:
        """
        The service did not find a request too large.
        """
        self._taken = max(self._taken, values)
        self._taken_bytes = max(self._taken_bytes, size)

    def found_too_large(self, code: str | None, values: int, size: int) -> None:
        """
        It did. About half of that is the most from now on, or what it has taken before.
        """
        if values == 1:
            return  # that says something of this one alone
        if code == _TOO_MANY:
            self._most = min(self._most, max(self._taken, -(-values // 2)))
        else:
            # What stands around the destinations is not halved.
            most = max(self._taken_bytes, size * 5 // 8)
            self._most_bytes = min(self._most_bytes, most)

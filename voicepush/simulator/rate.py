"""The tenant's transactions per second."""

from collections import deque

import attrs


@attrs.define
class RateLimit:
    """
    Admits at most so many destinations within any second.

    What it turns away does not count, so a client that keeps knocking is let in as
    soon as the second has passed.
    """

    #: None for no limit.
    per_second: int | None
    _admitted: deque[tuple[float, int]] = attrs.field(init=False, factory=deque)
    _total: int = attrs.field(init=False, default=0)

    def admits(self, size: int, now: float) -> bool:
        """
        Whether *size* more destinations fit at *now*, in seconds; if so, they count.
        """
        if self.per_second is None:
            return True
        while self._admitted and self._admitted[0][0] <= now - 1:
            self._total -= self._admitted.popleft()[1]
        if self._total + size > self.per_second:
            return False
        self._admitted.append((now, size))
        self._total += size
        return True

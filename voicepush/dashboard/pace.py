"""
How seldom one may look, so that looking costs next to nothing.
"""

from __future__ import annotations

from collections import deque

import attrs

#: So many times as long as a look took it waits until the next: looking takes one
#: hundredth of a core, at most.
_TIMES = 100

#: Others may work in this process meanwhile. What a look takes is what the cheapest of
#: so many took.
_LOOKS = 5


@attrs.define(eq=False)
class Pace:
    """
    Knows what a look takes, and how long to wait after it.
    """

    #: How long to wait at least, in seconds.
    least: float
    _took: deque[float] = attrs.field(init=False, factory=lambda: deque(maxlen=_LOOKS))
    _is_first: bool = attrs.field(init=False, default=True)

    def pause(self, took: float, among: int = 1) -> float:
        """
        How long to wait after a look that *took* so many seconds of a core.

        Args:
            among: So many share what looking may cost.
        """
        if self._is_first:
            # It also loads what the next ones find loaded.
            self._is_first = False
            return self.least
        self._took.append(took)
        return max(self.least, _TIMES * min(self._took) * among)

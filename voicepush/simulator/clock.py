"""The time by which the simulator lives, so that a test can move it."""

import time


class Clock:
    """
    The true time; who has another one overrides both.
    """

    def now(self) -> float:
        """
        Seconds since 1970, by the clock on the wall.
        """
        return time.time()

    def monotonic(self) -> float:
        """
        Seconds that only ever become more.
        """
        return time.monotonic()

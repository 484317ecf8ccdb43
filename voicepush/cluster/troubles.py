"""
What keeps a worker from its campaigns, and what is told of that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import attrs

from voicepush import clock
from voicepush.errors import LedgerError

#: The ledger as a whole, where others are the names of campaigns.
LEDGER = ""

#: What has not failed again for so long, in seconds, is no trouble any more, even where
#: nothing shows that it works; a database that does not answer is noticed before.
_WORKS_AFTER = 40.0

#: The longest wait until it is tried again, in seconds.
_LONGEST_WAIT = 30.0


@attrs.define
class _Trouble:
    error: LedgerError
    since: float
    times: int

    @property
    def again_at(self) -> float:
        """
        At once for the first time, and then later and later.
        """
        return self.since + (
            min(2.0 ** (self.times - 2), _LONGEST_WAIT) if self.times > 1 else 0.0
        )


class Troubles:
    """
    Tells of each trouble once, and when the last is over.

    Args:
        tell: Hears of them.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._found: dict[str, _Trouble] = {}

    @property
    def first(self) -> LedgerError | None:
        """
        What came up first of what is not over, if anything is not.
        """
        return next((each.error for each in self._found.values()), None)

    def met(self, where: str, error: LedgerError) -> None:
        """
        Take note of an *error* that came up with the ledger, or with a campaign.
        """
        known = self._found.get(where)
        if str(error) not in {str(each.error) for each in self._found.values()}:
            self._tell(f"{error}. Nothing is sent until it is back")
        times = 1 if known is None else known.times + 1
        self._found[where] = _Trouble(error, clock.monotonic(), times)

    def may_try(self, where: str) -> bool:
        """
        Whether it is time to try again what met trouble, or it met none.
        """
        found = self._found.get(where)
        return found is None or clock.monotonic() >= found.again_at

    def over(self, *where: str) -> None:
        """
        It works again there.
        """
        if not self._found:
            return
        for each in where:
            self._found.pop(each, None)
        if not self._found:
            self._tell("the ledger is back")

    def can_be_read(self, names: Collection[str]) -> None:
        """
        The ledger can be, and holds what to do in campaigns of these *names* alone.
        """
        now = clock.monotonic()
        self.over(
            *(
                where
                for where, each in self._found.items()
                if where not in names or now - each.again_at > _WORKS_AFTER
            )
        )

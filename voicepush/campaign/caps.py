"""
Who was called too often or too recently, by whatever campaign of a ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from voicepush import clock
from voicepush.ledger.plan import Cap
from voicepush.ledger.protocol import Ledger
from voicepush.model.recipients import Kind
from voicepush.screening.duplicates import Seen


class CalledBefore:
    """
    Those who must not be called once more now, since that would break one of *caps*.
    """

    def __init__(self, caps: Sequence[Cap]) -> None:
        self._caps = caps
        self._numbers = [_Counted(cap.most) for cap in caps]
        self._customer_ids = [_Counted(cap.most, ids=True) for cap in caps]

    async def look(self, ledger: Ledger, *, besides: Collection[str] = ()) -> None:
        """
        Find them in *ledger*.

        Args:
            besides: The names of campaigns that do not count.
        """
        now = await ledger.now()
        longest = max(cap.seconds for cap in self._caps)
        async for batch in ledger.called(now - longest, besides=besides):
            counted = self._of(batch.kind)
            for cap, each in zip(self._caps, counted, strict=True):
                if batch.at > now - cap.seconds:
                    each.add(batch.values)
            # A batch has a thousand; others get their turn here.
            await clock.sleep(0)

    def known(self, kind: Kind, values: Sequence[str]) -> set[str]:
        """
        Those of *values* who were called too often.
        """
        found: set[str] = set()
        return found.union(*(each.known(values) for each in self._of(kind)))

    def _of(self, kind: Kind) -> list[_Counted]:
        return self._numbers if kind is Kind.MSISDN else self._customer_ids


class _Counted:
    """
    Which texts came how often, up to *most* times.
    """

    def __init__(self, most: int, *, ids: bool = False) -> None:
        make = Seen.of_ids if ids else Seen.of_numbers
        #: Those that came once, twice and so on.
        self._levels = [make() for _ in range(most)]

    def add(self, texts: Sequence[str]) -> None:
        """
        All of *texts* came once more.
        """
        for level in self._levels:
            texts = [texts[place] for place in level.repeated(texts)]
            if not texts:
                return

    def known(self, texts: Sequence[str]) -> set[str]:
        """
        Those of *texts* that came as often as that, or more often.
        """
        return self._levels[-1].known(texts)

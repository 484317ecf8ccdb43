"""
A row for each person of a campaign, with everything that is known of their call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from voicepush import clock
from voicepush.model.in_full import BatchInFull
from voicepush.model.outcome import Outcome
from voicepush.report.bundle.contents import CALL_COLUMNS, IN_FLIGHT
from voicepush.report.cells import Column, csv_line, csv_lines
from voicepush.report.export import EXPORTED, Wanted, columns_of

_OUTCOME, _CALL = EXPORTED.index("outcome"), EXPORTED.index("call")


class CallRows:
    """
    Writes the rows, and counts them.
    """

    def __init__(self) -> None:
        #: By outcome; who is in flight counts as that.
        self.outcomes: Counter[str] = Counter()
        #: By what became of the call, of the accepted.
        self.calls: Counter[str] = Counter()
        self.given_up = 0
        self._kept: Sequence[str] | None = None

    @property
    def number(self) -> int:
        """
        How many rows there are.
        """
        return self.outcomes.total()

    @property
    def kept(self) -> Sequence[str]:
        """
        The columns that the owner kept from the list, under their names in the file.
        """
        return [
            f"kept_{each}" if each in CALL_COLUMNS else each
            for each in self._kept or ()
        ]

    def rows(self, batch: BatchInFull) -> str:
        """
        Those of *batch*, the first time with a header above them.
        """
        head = ""
        if self._kept is None:
            self._kept = list(batch.result.batch.recipients.kept)
            head = csv_line([*CALL_COLUMNS, *self.kept])
        return head + csv_lines(self._columns(batch), batch.result.batch.size)

    def _columns(self, batch: BatchInFull) -> list[Column]:
        wanted = Wanted(outcomes=frozenset(Outcome), kept=self._kept or ())
        size, columns = columns_of(batch.result, wanted, batch.calls)
        places = batch.result.batch.recipients.places_of_values()
        outcomes = columns[_OUTCOME]
        if batch.in_flight:
            outcomes = columns[_OUTCOME] = [
                IN_FLIGHT if place in batch.in_flight else each
                for place, each in zip(places, _spread(outcomes, size), strict=True)
            ]
        self.outcomes.update(_spread(outcomes, size))
        self.calls.update(each for each in _spread(columns[_CALL], size) if each)
        given_up: Column = ""
        if batch.given_up:
            given_up = ["yes" if at in batch.given_up else "" for at in places]
            self.given_up += given_up.count("yes")
        calls = [batch.calls.get(recipient) for recipient in range(size)]
        receipts = [batch.receipts.get(recipient, ()) for recipient in range(size)]
        ours: list[Column] = [
            str(batch.result.batch.group.number),
            str(batch.result.batch.id),
            str(batch.result.attempts),
            moment(batch.claimed),
            moment(batch.recorded),
            given_up,
            [moment(each.at) if each else "" for each in calls],
            [moment(each.received_at) if each else "" for each in calls],
            [str(len(each)) if each else "" for each in receipts],
        ]
        # What is played stands in the manifest by its number.
        return [*columns[: len(EXPORTED) - 1], *ours, *columns[len(EXPORTED) :]]


def _spread(column: Column, size: int) -> Sequence[str]:
    return [column] * size if isinstance(column, str) else column


def moment(seconds: float | None) -> str:
    """
    A moment in seconds since 1970 as it stands in a bundle: ISO 8601, in UTC.
    """
    return "" if seconds is None else clock.moment(seconds).isoformat()

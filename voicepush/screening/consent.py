"""
Until when people have agreed to be called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from voicepush import clock
from voicepush.errors import InputError
from voicepush.model.consent import CONSENT, end_of
from voicepush.model.recipients import Recipients
from voicepush.screening.refusals import Reason


class Consents:
    """
    Refuses those of whom it is not known that they agree for long enough.

    What is asked for is the first of the columns that are kept.
    """

    def __init__(self) -> None:
        self._until: float | None = None

    def hold_until(self, moment: float | None) -> None:
        """
        Each must hold until *moment*, in seconds since 1970, and for now at least.
        """
        now = clock.now()
        self._until = now if moment is None else max(now, moment)

    def named(self, part: Recipients) -> Recipients:
        """
        *part* with its consents under their name.

        Raises:
            InputError: It has none, or another column is kept under that name.
        """
        first = next(iter(part.kept), None)
        if first is None:
            if not len(part):
                return part
            raise InputError(
                "there is no column that says until when people have agreed; name it "
                "with --consent-column, or let it be the first that is kept"
            )
        if first != CONSENT and CONSENT in part.kept:
            raise InputError(
                f"--keep {CONSENT}: what --consent-column names is kept under that "
                "name; call the other column otherwise"
            )
        names = {first: CONSENT}
        kept = {names.get(name, name): column for name, column in part.kept.items()}
        return attrs.evolve(part, kept=kept)

    def reasons(self, part: Recipients) -> Mapping[int, Reason]:
        """
        Why destinations of *part* are refused, by place.
        """
        column: Sequence[str] = part.kept.get(CONSENT, ())
        reasons = {text: self._reason(text) for text in set(column)}
        if not any(reasons.values()):
            return {}
        found = map(reasons.__getitem__, column)
        return {place: each for place, each in enumerate(found) if each is not None}

    def _reason(self, text: str) -> Reason | None:
        if self._until is None:
            self.hold_until(None)
        end = end_of(text)
        if end is None:
            return Reason.NOT_A_CONSENT if text.strip() else Reason.NO_CONSENT
        is_over = self._until is not None and end < self._until
        return Reason.CONSENT_ENDS if is_over else None

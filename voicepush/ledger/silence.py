"""
Which calls are silent: the API has taken them, and nothing says that they have ended.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from voicepush.masking import only_count
from voicepush.model.outcome import BatchResult, Outcome


@attrs.frozen(kw_only=True)
class Silent:
    """
    A batch in which calls are silent that were not asked about lately.
    """

    known: BatchResult
    #: Whose call is silent, counted from 0 in the batch. Each has a transaction id.
    recipients: Sequence[int] = attrs.field(repr=only_count)
    #: The places that were asked about lately; what they were told is known already.
    asked: frozenset[int] = frozenset()

    def by_transaction(self) -> dict[str, list[int]]:
        """
        Those recipients by the transaction id that tells of them: a call's own, or one
        of a whole request.
        """
        places = self.known.batch.recipients.places_of_values()
        found: dict[str, list[int]] = {}
        for recipient in self.recipients:
            name = self.known.transaction_id(places[recipient])
            found.setdefault(name or "", []).append(recipient)
        return found


def silent_in(
    known: BatchResult, ended: Collection[int], asked: frozenset[int]
) -> Silent | None:
    """
    The silent calls of a batch, if there are any.

    Args:
        ended: The recipients whose call has ended.
        asked: The places that were asked about lately.
    """
    values = known.batch.recipients.values
    recipients = [
        recipient
        for recipient, place in enumerate(known.batch.recipients.places_of_values())
        if values[recipient]  # who was forgotten is asked about no more
        and recipient not in ended
        and place not in asked
        and known.at(place).outcome is Outcome.ACCEPTED
        and known.transaction_id(place)
    ]
    if not recipients:
        return None
    return Silent(known=known, recipients=recipients, asked=asked)

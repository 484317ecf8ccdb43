"""
People come to the list of the suppressed, and leave it, at any time.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from ledger_model import ModelBatch
from ledger_reported import Reported
from making import entry_of

from voicepush.model.outcome import Outcome, Verdict
from voicepush.model.recipients import Kind

LISTED = Verdict(Outcome.SUPPRESSED, None, "on the suppression list of the ledger: ads")


class Suppressing(Reported):
    """
    The list changes between all else that happens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.listed: set[tuple[Kind, str]] = set()

    def left_out(self, batch: ModelBatch, places: list[int]) -> dict[int, Verdict]:
        """
        Those at *places* who are left out of a claim.
        """
        found = {}
        for place in places:
            kind, values, _ = entry_of(batch.recipients[place])
            if any((kind, value) in self.listed for value in values):
                found[place] = LISTED
        return found

    @precondition(Reported.some_people)
    @rule(data=st.data(), some=st.integers(1, 3))
    def suppress(self, data: st.DataObject, some: int) -> None:
        """
        Some do not want to be called; nothing else changes.
        """
        everyone = [
            (kind, value)
            for campaign in self.campaigns.values()
            for batch in campaign.batches
            for kind, values, _ in map(entry_of, batch.recipients)
            for value in values
        ]
        if not everyone:
            return
        who = [
            everyone[data.draw(st.integers(0, len(everyone) - 1))] for _ in range(some)
        ]
        people = [(kind, [value]) for kind, value in who]
        added = self.do(self.ledger.suppress(people, category="ads"))

        assert len(set(who) - self.listed) == added
        self.listed.update(who)

    @precondition(lambda self: self.listed)
    @rule(data=st.data())
    def unsuppress(self, data: st.DataObject) -> None:
        """
        Someone may be called again, where they were not left out meanwhile.
        """
        who = data.draw(st.sampled_from(sorted(self.listed)))
        self.listed.discard(who)
        people = [(who[0], [who[1]])]

        assert 1 == self.do(self.ledger.unsuppress(people, reason="asked"))

    @invariant()
    def the_lists_agree(self) -> None:
        """
        Whatever happened to the campaigns.
        """
        for kind in Kind:
            expected = {value for each, value in self.listed if each is kind}
            found = self.do(self.ledger.suppressed(kind, sorted(expected)))
            assert expected == set(found)

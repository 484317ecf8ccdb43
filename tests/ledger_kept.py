"""
What keeps a ledger in order, between all else that happens: archives and backups.
"""

from __future__ import annotations

import zlib
from base64 import b85encode

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from ledger_suppressed import Suppressing
from making import entry_of

from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.recipients import Kind
from voicepush.model.status import CampaignState, CampaignStatus

_OVER = (CampaignState.FINISHED, CampaignState.CANCELLED)

#: They take a while.
_MOST_COPIES = 1

#: What may still be sent, and what is made of that.
_LEFT = ("pending", "in_flight", "not_sent")


class Kept(Suppressing):
    """
    Any campaign may be archived, and any moment may be backed up.
    """

    def __init__(self) -> None:
        super().__init__()
        # Little columns would be left as they are.
        self.patch.setattr("voicepush.ledger.sql.retiring.zipped", _zipped)
        self.patch.setattr("voicepush.ledger.sql.retiring.zipped_text", _zipped_text)
        # One that is not over goes on, so that all else is done to what is zipped.
        self.patch.setattr("voicepush.ledger.sql.retiring._check_over", lambda *_: None)
        self.copies = 0

    @precondition(lambda self: self.campaigns)
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        """
        Nothing that is told of it changes, whatever comes later.
        """
        name = data.draw(st.sampled_from(sorted(self.campaigns)))
        if isinstance(self.ledger, SQLLedger):
            self.do(self.ledger.archive(name))

    @precondition(lambda self: self.campaigns and self.copies < _MOST_COPIES)
    @rule(data=st.data())
    def go_on_from_a_copy(self, data: st.DataObject) -> None:
        """
        In a backup everyone stands as in the ledger; restored, nobody is left to be
        sent, and nobody is lost. Anyone can be forgotten then.
        """
        if not isinstance(self.ledger, SQLiteLedger):
            return
        self.copies += 1
        path = self.folder / f"copy-{self.copies}.db"
        self.do(self.ledger.back_up(path))
        before = self.do(self.ledger.campaigns())
        copy = self.do(SQLiteLedger.open(path))
        try:
            assert [each.planned for each in before] == [
                each.planned for each in self.do(copy.campaigns())
            ]
            self.do(copy.restore())
            after = self.do(copy.campaigns())
            for one, other in zip(before, after, strict=True):
                _check_restored(one, other)
            assert [] == self.do(copy.audit(deep=True)).findings
            self.forget_someone(copy, data)
        finally:
            self.do(copy.close())

    def forget_someone(self, copy: SQLiteLedger, data: st.DataObject) -> None:
        """
        Let the copy name someone no more.
        """
        everyone = sorted(
            {
                (kind, value)
                for campaign in self.campaigns.values()
                for batch in campaign.batches
                for kind, values, _ in map(entry_of, batch.recipients)
                for value in values
            }
        )
        if not everyone:
            return
        kind, value = data.draw(st.sampled_from(everyone))
        before = self.do(copy.campaigns())
        found = self.do(copy.forget(Kind(kind), value))
        after = self.do(copy.campaigns())

        assert found.people >= 1
        assert [] == self.do(copy.lookup(value))
        assert [] == self.do(copy.audit(deep=True)).findings
        assert [each.read for each in before] == [each.read for each in after]
        for name in ("accepted", "rejected", "expired", "unknown", "pending"):
            assert [getattr(each, name) for each in before] == [
                getattr(each, name) for each in after
            ]
        assert not any(
            value in result.batch.recipients.values
            for each in after
            for result in self.do(_results(copy, each.campaign))
            if result.batch.recipients.kind is Kind(kind)
        )


def _check_restored(before: CampaignStatus, after: CampaignStatus) -> None:
    """
    Compare where a campaign stands in a backup that was restored with the ledger.
    """
    left = sum(getattr(before, name) for name in _LEFT)
    if before.state in _OVER:
        assert before == after
        return  # archived, or not
    assert CampaignState.PAUSED is after.state
    assert (before.planned, before.unknown + left) == (after.planned, after.unknown)
    assert [0, 0, 0] == [getattr(after, name) for name in _LEFT]
    for name in ("accepted", "rejected", "expired", "suppressed", "given_up"):
        assert getattr(before, name) == getattr(after, name)


async def _results(ledger: SQLiteLedger, campaign: str) -> list[BatchResult]:
    return [each async for each in ledger.results(campaign, [*Outcome])]


def _zipped(packed: str | bytes | None) -> str | bytes | None:
    if packed is None or (isinstance(packed, bytes) and packed.startswith(b"zlib")):
        return packed
    if isinstance(packed, str):
        return b"zlib\nL" + zlib.compress(packed.encode())
    return b"zlib\nB" + zlib.compress(packed)


def _zipped_text(text: str | None) -> str | None:
    if text is None or text.startswith("z"):
        return text
    return "z" + b85encode(zlib.compress(text.encode())).decode()

"""
What a campaign tells of itself, with nothing changed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from voicepush import clock
from voicepush.errors import LedgerError
from voicepush.ledger.opening import groups_of
from voicepush.ledger.plan import Plan
from voicepush.ledger.protocol import Ledger
from voicepush.model.batch import Group
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Result, SourceRow
from voicepush.model.status import CampaignStatus
from voicepush.model.windows import Windows
from voicepush.sending.request import load_message


class CampaignReader:
    """
    The half of a campaign that changes nothing.
    """

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan

    @property
    def name(self) -> str:
        """
        The name under which it is planned.
        """
        return self._plan.campaign

    @property
    def ledger(self) -> Ledger:
        """
        Where it is kept.
        """
        return self._ledger

    @property
    def source(self) -> str:
        """
        Where its recipients came from.
        """
        return self._plan.source

    @property
    def message(self) -> VoiceMessage:
        """
        What it plays; an expiry that was a duration is a moment here.
        """
        return load_message(self._plan.message)

    @property
    def windows(self) -> Windows | None:
        """
        When its people are called; None at any hour.
        """
        return self._plan.windows

    @property
    def any_hour(self) -> str | None:
        """
        Why they are called at any hour, where its owner said so.
        """
        return self._plan.any_hour

    async def groups(self) -> dict[int, Group]:
        """
        What the people of its batches have in common, by the number of their group.
        """
        return groups_of(await self._ledger.groups(self.name), load_message)

    async def status(self) -> CampaignStatus:
        """
        Where it stands, by the ledger.
        """
        status = await self._ledger.status(self.name)
        if status is None:
            raise LedgerError(f"the campaign {self.name!r} is gone from the ledger")
        return status

    async def batches(self, *outcomes: Outcome) -> AsyncGenerator[BatchResult, None]:
        """
        The batches in which someone has one of *outcomes*, or all, in the order of the
        plan.
        """
        wanted = frozenset(outcomes or Outcome)
        groups = await self.groups()
        async for result in self._ledger.results(self.name, wanted):
            result.batch.group = groups[result.batch.group.number]
            yield result
            # A batch has a thousand; others get their turn here.
            await clock.sleep(0)

    async def results(self, *outcomes: Outcome) -> AsyncGenerator[Result, None]:
        """
        Everyone with one of *outcomes*, or everyone, in the order of the plan.
        """
        wanted = frozenset(outcomes or Outcome)
        async for batch in self.batches(*outcomes):
            for result in batch:
                if result.outcome in wanted:
                    yield result

    async def rows(self, *outcomes: Outcome) -> AsyncGenerator[SourceRow, None]:
        """
        The same with the source's row, and the number as it came.
        """
        wanted = frozenset(outcomes or Outcome)
        async for batch in self.batches(*outcomes):
            for row in batch.rows():
                if row.result.outcome in wanted:
                    yield row

"""
What is done between the people who are called first and all others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from voicepush import clock
from voicepush.campaign.counting import counts_by
from voicepush.errors import LedgerError
from voicepush.ledger.plan import ON_TRIAL, Plan, Stage, Trial
from voicepush.ledger.protocol import Ledger
from voicepush.model.call import CallState
from voicepush.model.claim import NotBefore
from voicepush.model.status import GroupCounts
from voicepush.sending.journal import StopSignal

#: What became of calls that reached nobody.
_IN_VAIN = (CallState.NOT_REACHED, CallState.DROPPED, CallState.EXPIRED)


class OnTrial:
    """
    Decides whether a campaign goes on, once those who are called first were called.

    Args:
        wait: Waits until a moment, or until the campaign is stopped.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        stop: StopSignal,
        wait: Callable[[NotBefore], Awaitable[None]],
    ) -> None:
        self._ledger = ledger
        self._name = campaign
        self._stop = stop
        self._wait = wait

    async def goes_on(self) -> bool:
        """
        Whether the others are called now. Where they are not, the campaign is stopped
        with the reason, unless there is nobody else.
        """
        plan = await self._plan()
        if plan.trial is None or plan.stage not in ON_TRIAL:
            return False
        first, others = await self._counts()
        words = f"the first {first.planned:,} were called"
        if plan.stage is Stage.TRIAL:
            await self._ledger.set_stage(self._name, Stage.TRIED, words)
        if not others.pending:
            await self._ledger.set_stage(self._name, Stage.OVER, "nobody else is left")
            return False
        if plan.trial.observe is None:
            self._stop.set(f"{words}, and the others wait for their owner's word")
            return False
        return await self._observed(plan.trial, plan.trial.observe, words)

    async def _observed(self, trial: Trial, seconds: float, words: str) -> bool:
        tried_at = (await self._plan()).tried_at
        until = (clock.now() if tried_at is None else tried_at) + seconds
        share = f"{trial.most_failed:.0%}"
        if until > clock.now():
            why = f"{words}; the others are, unless more than {share} of these failed"
            await self._wait(NotBefore(until, why))
        if self._stop.is_set or until > clock.now():
            return not self._stop.is_set and await self.goes_on()
        first, _ = await self._counts()
        calls = await self._ledger.trial_calls(self._name)
        failed = first.planned - first.accepted + sum(calls[each] for each in _IN_VAIN)
        told = f"{failed:,} of the first {first.planned:,} failed or were not reached"
        if failed > trial.most_failed * first.planned:
            self._stop.set(f"{told}, which is more than {share}")
            return False
        await self._ledger.set_stage(self._name, Stage.OVER, f"{told}: it goes on")
        return True

    async def _plan(self) -> Plan:
        plan = await self._ledger.plan(self._name)
        if plan is None:
            raise LedgerError(f"the campaign {self._name!r} is gone from the ledger")
        return plan

    async def _counts(self) -> tuple[GroupCounts, GroupCounts]:
        """
        Where those stand who are called first, and all others.
        """
        found = await counts_by(self._ledger, self._name, lambda group: group.trial)
        return found.get(True, GroupCounts()), found.get(False, GroupCounts())

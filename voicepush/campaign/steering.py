"""
What its owner may want of a campaign while it is dispatched, or when nobody does that.
"""

from __future__ import annotations

from datetime import datetime
from math import inf

import attrs

from voicepush import clock
from voicepush.campaign.reading import CampaignReader
from voicepush.errors import InputError
from voicepush.ledger.plan import ON_TRIAL, Command, Stage
from voicepush.ledger.protocol import Ledger, Worker
from voicepush.ledger.sharing import is_shared
from voicepush.model.status import CampaignState
from voicepush.model.windows import Windows
from voicepush.sending.pacing import check_rate
from voicepush.sending.request import load_message

#: Who waits for a dispatcher to end looks again so often.
_LOOK_AGAIN = 0.2


class SteeredCampaign(CampaignReader):
    """
    The half of a campaign by which its owner steers it.
    """

    async def pause(self) -> None:
        """
        Let its dispatcher, in whatever process, record what is under way and end.

        Raises:
            InputError: No process is dispatching it.
        """
        status = await self.status()
        if status.state is not CampaignState.RUNNING:
            raise InputError(
                f"campaign {self.name!r} is {status.state.value}; no process is "
                "dispatching it"
            )
        await self._ledger.steer(self.name, command=Command.PAUSE)

    async def cancel(self) -> None:
        """
        End it for good: those who are pending are not sent, and nothing resumes it.

        Waits until what is under way in another process is recorded.

        Raises:
            InputError: It is finished.
        """
        while (await self.status()).state is CampaignState.RUNNING:
            await self._ledger.steer(self.name, command=Command.CANCEL)
            await clock.sleep(_LOOK_AGAIN)
        status = await self.status()
        if status.state is CampaignState.FINISHED:
            raise InputError(
                f"campaign {self.name!r} is finished; nobody is left to be cancelled"
            )
        if status.state is not CampaignState.CANCELLED:
            worker = await self._join()
            await worker.leave(CampaignState.CANCELLED, "cancelled by its owner")

    async def change(
        self,
        *,
        stops_at: datetime | None = None,
        never_stops: bool = False,
        rate: float | None = None,
        retry_internal_error: bool | None = None,
        resend_unknown: bool | None = None,
    ) -> None:
        """
        Let what is given hold from now on; the arguments are those of `plan` and of
        `Terms`.

        Args:
            never_stops: That it does not stop at any moment.

        Raises:
            CampaignHeldError: Another process is dispatching it.
        """
        if rate is not None:
            check_rate(rate)
        check_resending(self._ledger, resend_unknown=resend_unknown)
        await self._ledger.change(
            self.name,
            stops_at=inf if never_stops else clock.seconds_of(stops_at),
            rate=rate,
            retry_internal_error=retry_internal_error,
            resend_unknown=resend_unknown,
        )

    async def set_rate(self, rate: float) -> None:
        """
        Go on at *rate* destinations per second, at once where it is running.

        Raises:
            InputError: That is less than one per hour, or no number.
        """
        check_rate(rate)
        await self._ledger.steer(self.name, rate=rate)

    async def set_windows(
        self, windows: Windows | None, *, any_hour: str | None = None
    ) -> None:
        """
        Call people at these hours from now on, at once where it is running.

        Args:
            windows: By the clock where they live; None at any hour.
            any_hour: Why that is so, for the history.

        Raises:
            InputError: It was planned without windows, so that nobody knows where its
                people live.
        """
        await self._ledger.set_windows(self.name, windows, any_hour=any_hour)
        self._plan = attrs.evolve(self._plan, windows=windows, any_hour=any_hour)

    @property
    def is_on_trial(self) -> bool:
        """
        Whether only those are called who are called first.
        """
        return self._plan.stage in ON_TRIAL

    async def go_on(self) -> None:
        """
        Let all others be called by the next `dispatch`, once the first were.
        """
        plan = await self._ledger.plan(self.name)
        if plan is not None and plan.stage is Stage.TRIED:
            await self._ledger.set_stage(self.name, Stage.OVER, "its owner goes on")
            self._plan = attrs.evolve(plan, stage=Stage.OVER)

    async def _join(
        self, *, cancelled: bool = False, process_is_gone: bool = False
    ) -> Worker:
        return await self._ledger.join(
            self.name,
            load_message,
            cancelled=cancelled,
            process_is_gone=process_is_gone,
        )


def check_resending(ledger: Ledger, *, resend_unknown: bool | None) -> None:
    """
    Refuse that the unknown are sent again by themselves where machines share a ledger:
    one that was stopped between its claim and its request may wake.
    """
    if resend_unknown and is_shared(ledger):
        raise InputError(
            "in PostgreSQL the unknown are not called again by themselves, since "
            "another machine may have claimed them and send them yet; decide about "
            "them with voicepush resolve --resend"
        )

"""
Asks what became of transactions: paced, and again where that may help.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

import attrs

from voicepush import clock
from voicepush.errors import InDoubtError, NotSentError
from voicepush.sending.codes import Meaning
from voicepush.sending.journal import StopSignal
from voicepush.sending.pacing import Pacer
from voicepush.sending.retrying import until_done
from voicepush.sending.status_api import (
    Refusal,
    StatusAnswer,
    Statuses,
    path_of,
    read_statuses,
)
from voicepush.sending.trouble import asks_to_wait

if TYPE_CHECKING:
    from voicepush.sending.transport import Transport

#: So often it is asked for one transaction, refusals for speed not counted.
_MOST_TRIES = 5

#: After these it may be asked again; it changes nothing, so nothing is in doubt.
_MAY_HELP = (
    *(Meaning.THROTTLED, Meaning.INTERNAL, Meaning.IN_DOUBT),
    Meaning.UNREACHED,
)


@attrs.frozen
class _Tried:
    """
    What came of one try.
    """

    answer: StatusAnswer
    again: bool = False
    retry_after: float | None = None


class Asker:
    """
    Asks through one transport.

    Args:
        stop: Ends waits, and lets nothing else be asked.
        now: The time in seconds since 1970; the default is never set back.
    """

    def __init__(
        self,
        transport: Transport,
        pacer: Pacer,
        stop: StopSignal,
        *,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.pacer = pacer
        self._settings = transport.settings
        self._transport = transport
        self._stop = stop
        self._now = now or clock.never_set_back()
        #: When the service last answered anything but to wait.
        self._heard_at = self._now()

    async def ask(self, transaction_id: str) -> StatusAnswer | None:
        """
        What became of the calls of *transaction_id*; None if it was not asked, because
        it is to stop.
        """
        tries = 0

        async def attempt() -> _Tried:
            nonlocal tries
            if not await self._turn():
                return _Tried(self._too_long())
            tries += 1
            tried = await self._try(transaction_id, fresh=tries > 1)
            if isinstance(tried.answer, Refusal):
                if tried.answer.meaning is Meaning.THROTTLED:
                    tries -= 1
                return attrs.evolve(tried, again=tried.again and tries < _MOST_TRIES)
            return tried

        tried = await attempt()
        if tried.again:
            tried = await until_done(
                attempt,
                tried,
                give_up_at=self._give_up_at,
                first_wait=self._settings.first_wait,
                now=self._now,
                sleep=self._stop.wait,
            )
        is_known = isinstance(tried.answer, Statuses)
        return tried.answer if is_known or not self._stop.is_set else None

    def _give_up_at(self) -> float:
        if self._stop.is_set:
            return -inf
        return self._heard_at + self._settings.patience

    async def _turn(self) -> bool:
        """
        Wait for the pace; whether that was in time.
        """
        return await self.pacer.take(
            1,
            within=lambda: 0.0 if self._stop.is_set else inf,
            held_within=lambda: self._give_up_at() - self._now(),
        )

    def _too_long(self) -> Refusal:
        words = asks_to_wait(self.pacer.held_until)
        return Refusal(Meaning.THROTTLED, "to wait", words)

    async def _try(self, transaction_id: str, *, fresh: bool) -> _Tried:
        sent_at = self.pacer.now()
        try:
            async with await self._transport.connection(fresh=fresh) as connection:
                reply = await connection.get(path_of(transaction_id))
                answer = read_statuses(
                    reply.status,
                    reply.body,
                    transaction_id,
                    asks_to_wait=reply.retry_after is not None,
                    fresh=connection.is_fresh,
                    secret=self._settings.service_key,
                )
                connection.proven = isinstance(answer, Statuses) and answer.is_proven
        except NotSentError as error:
            answer = Refusal(Meaning.UNREACHED, str(error), str(error))
            return _Tried(answer, again=True)
        except InDoubtError as error:
            answer = Refusal(Meaning.IN_DOUBT, str(error), str(error))
            return _Tried(answer, again=True)
        if isinstance(answer, Statuses):
            self._heard_at = self._now()
            return _Tried(answer)
        if answer.meaning is Meaning.THROTTLED:
            self.pacer.slow_down(reply.retry_after, sent_at=sent_at)
        else:
            self._heard_at = self._now()
        again = answer.meaning in _MAY_HELP
        return _Tried(answer, again=again, retry_after=reply.retry_after)

"""
One request, and whatever came of it as an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voicepush import clock
from voicepush.errors import (
    ClientClosedError,
    InDoubtError,
    NotSentError,
    UnreachableError,
)
from voicepush.sending.answer import Answer, ResponseItem, decode
from voicepush.sending.attempt import Posted
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery
from voicepush.sending.journal import StopSignal
from voicepush.sending.trouble import Trouble
from voicepush.settings import Settings

if TYPE_CHECKING:
    from voicepush.sending.reply import Reply
    from voicepush.sending.transport import Transport

#: Reading the answer on so many destinations takes long enough to be felt.
_TAKES_LONG = 100


class Poster:
    """
    Posts requests; a failure is an answer, too.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        trouble: Trouble,
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._trouble = trouble
        self._now = now
        self._reading = asyncio.Lock()

    @asynccontextmanager
    async def _alone(
        self, delivery: Delivery, number: int
    ) -> AsyncGenerator[None, None]:
        """
        Stands around work that takes a millisecond: of a campaign, one answer is read
        in each turn of the event loop, and everyone else in the process gets theirs.
        """
        if delivery.is_urgent or number < _TAKES_LONG:
            yield
            return
        async with self._reading:
            yield
            await clock.sleep(0)

    async def post(
        self,
        delivery: Delivery,
        places: Sequence[int],
        body: bytes,
        request_id: str | None,
        stop: StopSignal,
    ) -> Posted:
        """
        One attempt.
        """
        # What answers an earlier attempt has the same ids, so it must not come over
        # the same connection.
        fresh = delivery.attempts > 0
        delivery.attempts += 1
        begun = self._now()

        def posted(answer: Answer, reply: Reply | None = None) -> Posted:
            asked = None if reply is None else reply.retry_after
            status = None if reply is None else reply.status
            took = self._now() - begun
            return Posted(answer, asked, status, begun, took, len(body))

        connecting = self._transport.connection(delivery.batch, fresh=fresh)
        try:
            with self._trouble.request():
                async with await connecting as connection:
                    reply = await connection.post(
                        body,
                        timeout=self._settings.answer_timeout,
                        # Never 0, which would mean for ever.
                        connect_timeout=max(
                            min(
                                self._settings.connect_timeout, delivery.seconds_left()
                            ),
                            0.001,
                        ),
                    )
                    asks_to_wait = reply.retry_after is not None
                    async with self._alone(delivery, len(places)):
                        answer = decode(
                            reply.status,
                            reply.body,
                            delivery.ids(places),
                            request_id=request_id,
                            asks_to_wait=asks_to_wait,
                            fresh=connection.is_fresh,
                            secret=self._settings.service_key,
                        )
                    connection.proven = answer.proven
                    tokens = self._transport.tokens
                    if tokens is not None and connection.bearer is not None:
                        answer = tokens.judged(answer, reply, connection.bearer)
        except ClientClosedError as error:
            stop.set(str(error))
            return posted(Answer([ResponseItem(Meaning.UNREACHED, None, str(error))]))
        except UnreachableError as error:
            return posted(Answer([delivery.unreachable(str(error))]))
        except NotSentError as error:
            return posted(Answer([ResponseItem(Meaning.UNREACHED, None, str(error))]))
        except InDoubtError as error:
            return posted(Answer([ResponseItem(Meaning.IN_DOUBT, None, str(error))]))
        self._trouble.answered()
        return posted(answer, reply)

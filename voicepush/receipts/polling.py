"""
Asks the platform what became of accepted calls whose receipts never came.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, timedelta, tzinfo

import attrs

from voicepush import clock
from voicepush.ledger.protocol import Ledger
from voicepush.masking import mask_numbers
from voicepush.model.call import CallState, Receipt
from voicepush.receipts.questions import Asking, Question, told
from voicepush.sending import retrying
from voicepush.sending.asking import Asker
from voicepush.sending.codes import Meaning
from voicepush.sending.journal import StopSignal
from voicepush.sending.pacing import Pacer
from voicepush.sending.status_api import Refusal, StatusAnswer, Statuses
from voicepush.settings import Settings

#: So much goes into one commit, so that a dispatcher is not held up.
_MOST_RECEIPTS = 250

#: So many in a row that fail the same way end it.
_MOST_ALIKE = 5

#: What follows where all of them were refused.
_MAY_LACK_IT = (
    "; this tenant may not have the status API, or no longer know these calls"
)

#: So many ways to fail are told apart.
_MOST_WAYS = 20


@attrs.define(kw_only=True)
class Polled:
    """
    What came of it, in calls where nothing else is said.
    """

    #: How many requests asked for a transaction, and were answered or given up.
    requests: int = 0
    #: How many of them were answered with what became of calls.
    answered: int = 0
    #: How many silent calls those were about.
    calls: int = 0
    #: Of how many more is known now than before, by their state now.
    further: Counter[CallState] = attrs.field(factory=Counter)
    #: How many have ended now.
    ended: int = 0
    #: Of how many an answer on their transaction said nothing.
    untold: int = 0
    #: How many requests failed, by what happened.
    failures: Counter[str] = attrs.field(factory=Counter)
    #: Why the service ended it, if it did.
    refused: str | None = None

    @property
    def still_silent(self) -> int:
        """
        How many of those that were asked about have not ended as far as is known.
        """
        return self.calls - self.ended

    @property
    def failed(self) -> int:
        """
        How many requests failed.
        """
        return self.failures.total()


class Poll:
    """
    Asks about the silent calls of one campaign, each transaction once; see
    `Ledger.silent`.

    What it was told is durable, and so is how far it came: another that begins where
    this one was killed goes on there. It may run beside a dispatcher.

    Args:
        campaign: The campaign's name.
        settings: How to reach the service. The rate is that of requests per second,
            ``concurrency`` how many are under way at once, and ``patience`` how long
            the service may be silent, or ask to wait.
        after: Only about calls that were claimed so long ago.
        again_after: Not about those that were asked about since.
        zone: Of time stamps without an offset.
    """

    def __init__(
        self,
        ledger: Ledger,
        campaign: str,
        settings: Settings,
        *,
        after: timedelta = timedelta(hours=1),
        again_after: timedelta = timedelta(hours=1),
        zone: tzinfo = UTC,
    ) -> None:
        self.counts = Polled()
        self.pacer = Pacer(settings.own_rate)
        self._ledger = ledger
        self._campaign = campaign
        self._settings = settings
        self._after = after.total_seconds()
        self._again_after = again_after.total_seconds()
        self._zone = zone
        self._stop = StopSignal()
        self._turn = asyncio.Lock()
        self._errors: list[Exception] = []
        #: How the last requests failed, and how many in a row did so.
        self._alike: tuple[str, int] = ("", 0)

    def stop(self, reason: str) -> None:
        """
        Ask nothing else; what is under way is answered and written down.
        """
        self._stop.set(reason)

    async def run(self) -> Polled:
        """
        Ask about all that are silent now.

        Raises:
            LedgerError: The ledger can't be read or written.
        """
        # Who only looks at a ledger never needs it, and it is half of the start-up.
        from voicepush.sending.transport import Transport  # noqa: PLC0415

        retrying.load()
        async with (
            Transport(self._settings) as transport,
            aclosing(self._questions()) as questions,
            asyncio.TaskGroup() as group,
        ):
            asker = Asker(transport, self.pacer, self._stop)
            for _ in range(self._settings.concurrency):
                group.create_task(self._work(asker, questions))
        if self._errors:
            raise self._errors[0]
        return self.counts

    async def _work(
        self, asker: Asker, questions: AsyncGenerator[Question, None]
    ) -> None:
        try:
            while (question := await self._next(questions)) is not None:
                answer = await asker.ask(question.transaction_id)
                if answer is None:
                    break
                await self._note(question, answer)
        except Exception as error:  # noqa: BLE001 -- raised when all have ended
            self._errors.append(error)
            self._stop.set(mask_numbers(str(error)))

    async def _next(self, questions: AsyncGenerator[Question, None]) -> Question | None:
        async with self._turn:
            return None if self._stop.is_set else await anext(questions, None)

    async def _questions(self) -> AsyncGenerator[Question, None]:
        now = clock.now()
        batches = self._ledger.silent(
            self._campaign,
            claimed_before=now - self._after,
            asked_before=now - self._again_after,
        )
        async for silent in batches:
            asking = Asking(silent, set(silent.asked))
            for part, is_last in asking.parts():
                found = await self._left(asking, part)
                for place, question in enumerate(found):
                    asking.is_whole = is_last and place == len(found) - 1
                    asking.open += 1
                    yield question
            if not asking.is_whole:  # the receipts of the last ones have come
                asking.is_whole = True
                await self._write_down(asking)

    async def _left(
        self, asking: Asking, part: Mapping[str, Sequence[int]]
    ) -> list[Question]:
        """
        What is to be asked yet: receipts may have come meanwhile.
        """
        known = await self._ledger.calls(asking.silent.known.batch.id)
        left = {
            name: [
                each
                for each in recipients
                if each not in known or not known[each].has_ended
            ]
            for name, recipients in part.items()
        }
        return [
            Question(asking, name, recipients, known)
            for name, recipients in left.items()
            if recipients
        ]

    async def _note(self, question: Question, answer: StatusAnswer) -> None:
        counts, asking = self.counts, question.asking
        counts.requests += 1
        counts.calls += len(question.recipients)
        if isinstance(answer, Refusal):
            asking.open -= 1
            asking.has_failed = True
            self._note_refusal(answer)
            return
        counts.answered += 1
        self._alike = ("", 0)
        await self._store(question, answer)
        # Not before that is durable: who is done is not asked about again.
        asking.open -= 1
        asking.asked |= question.places()
        await self._write_down(asking)

    async def _store(self, question: Question, answer: Statuses) -> None:
        counts, receipts = self.counts, list[Receipt]()
        for each in told(question, answer.calls, self._zone):
            receipts += each.receipts
            counts.untold += not each.is_told
            if each.after is not None:
                counts.ended += each.after.has_ended
                counts.further[each.after.state] += each.after != each.before
        for start in range(0, len(receipts), _MOST_RECEIPTS):
            await self._ledger.receive(receipts[start : start + _MOST_RECEIPTS])

    async def _write_down(self, asking: Asking) -> None:
        batch = asking.silent.known.batch.id
        places = None if asking.is_done else frozenset(asking.asked)
        await self._ledger.note_asked(batch, places)

    def _note_refusal(self, refusal: Refusal) -> None:
        counts, (way, number) = self.counts, self._alike
        words = mask_numbers(refusal.words)
        if words not in counts.failures and len(counts.failures) >= _MOST_WAYS:
            words = "for other reasons"
        counts.failures[words] += 1
        if refusal.meaning is Meaning.STOP:
            self._end(words)
        elif refusal.meaning is Meaning.THROTTLED:
            self._end(f"it refuses for speed for longer than the patience: {words}")
        elif not (refusal.is_answer and counts.answered):
            # Once one was answered, the service has this API, and it is a matter of
            # the transaction that it refuses.
            self._alike = refusal.way, number + 1 if way == refusal.way else 1
            if self._alike[1] >= _MOST_ALIKE:
                why = f"{_MOST_ALIKE} requests in a row failed alike: {words}"
                self._end(why + (_MAY_LACK_IT if refusal.is_answer else ""))

    def _end(self, why: str) -> None:
        if not self._stop.is_set:
            self.counts.refused = why
        self._stop.set(why)

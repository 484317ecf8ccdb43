"""The tenant's dialling: when each accepted call is rung, and what then happens."""

import random

import attrs

from voicepush.simulator import fates, sequences
from voicepush.simulator.answers import Transactions
from voicepush.simulator.calls import Call, Origin, Recipient, recipients
from voicepush.simulator.options import ReceiptOptions
from voicepush.simulator.requests import CallRequest
from voicepush.simulator.sequences import NEVER_OFFERED, Story


@attrs.define(eq=False)
class Dialler:
    """
    Rings calls one after the other, as fast as the tenant dials.

    A burst that is accepted waits here for its turn, and who expires meanwhile is not
    rung. All that happens is decided as soon as a request is accepted.
    """

    _options: ReceiptOptions
    _chance: random.Random
    #: When the next call may be rung, by the monotonic clock.
    _next_turn: float = attrs.field(init=False, default=0.0)

    def dial(
        self,
        request: CallRequest,
        verdicts: list[str],
        transactions: Transactions,
        origin: Origin,
        now: float,
    ) -> list[Call]:
        """
        The calls of *request*, which was accepted at *now*.
        """
        rung = list(
            recipients(
                request,
                verdicts,
                transactions,
                numbered=self._options.numbered_transids,
            )
        )
        stories = sequences.draw(self._options.rings, len(rung), self._chance)
        expiry = None
        if request.expiry is not None:
            expiry = request.expiry.timestamp() - origin.offset
        return [
            self._call(origin, recipient, *self._turn(story, now, expiry))
            for recipient, story in zip(rung, stories, strict=True)
        ]

    def _turn(
        self, story: Story, now: float, expiry: float | None
    ) -> tuple[Story, float]:
        rate = self._options.dial_rate
        turn = now if rate is None else max(now, self._next_turn)
        if expiry is not None and turn >= expiry:
            return NEVER_OFFERED, expiry
        if rate is not None and story is not NEVER_OFFERED:
            self._next_turn = turn + 1 / rate
        return story, turn

    def _call(
        self, origin: Origin, recipient: Recipient, story: Story, turn: float
    ) -> Call:
        chance = self._chance
        step = self._options.ring_seconds * 1000
        moment = (turn + origin.offset) * 1000
        moments = [int(moment)]
        for _ in story.steps[1:]:
            moment += step * (0.5 + chance.random())
            moments.append(int(moment))
        events = story.orders[int(chance.random() * len(story.orders))]
        return Call(
            origin,
            recipient,
            story,
            events,
            tuple([moments[number] for number in story.step_of]),
            fates.draw(self._options.receipt_faults, len(events), chance)
            if origin.url is not None and self._options.receipt_faults
            else _NO_FATES,
        )


_NO_FATES: dict[int, fates.Fate] = {}

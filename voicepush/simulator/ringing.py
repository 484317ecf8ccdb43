"""Ringing whom the simulator accepts: what happens then, who hears of it, the truth."""

import random
from collections.abc import Iterator

import attrs

from voicepush.simulator.answers import Transactions
from voicepush.simulator.calls import Book, Origin, Rung, Told, recipients
from voicepush.simulator.codes import ACCEPTED
from voicepush.simulator.dialling import Dialler
from voicepush.simulator.options import ReceiptOptions, loopback
from voicepush.simulator.posting import Poster
from voicepush.simulator.requests import CallRequest
from voicepush.simulator.truth import CallTruth, State


@attrs.define(eq=False)
class Ringing:
    """
    Tells a story of each call where someone hears of it, or where it was asked for.
    """

    _options: ReceiptOptions
    _chance: random.Random
    poster: Poster = attrs.field(init=False)
    _dialler: Dialler = attrs.field(init=False)
    _book: Book = attrs.field(init=False, factory=Book)
    #: How many requests there were, those included that ring nobody.
    _taken: int = attrs.field(init=False, default=0)

    @poster.default
    def _make_poster(self) -> Poster:
        return Poster(self._options)

    @_dialler.default
    def _make_dialler(self) -> Dialler:
        return Dialler(self._options, self._chance)

    def ring(
        self,
        request: CallRequest,
        verdicts: list[str],
        transactions: Transactions,
        *,
        now: float,
        offset: float,
        keep: bool,
    ) -> None:
        """
        Ring those in *request* whom the *verdicts* accept.

        Args:
            now: By the monotonic clock.
            offset: Seconds from that clock to the clock of the epoch.
            keep: Whether to remember what becomes of each call.
        """
        self._taken += 1
        if ACCEPTED not in verdicts:
            return
        asked = request.notify_url or self._options.notify_url
        url = loopback(asked) if asked else None
        if asked and url is None:
            rung = sum(1 for _ in recipients(request, verdicts, transactions))
            self.poster.counts.skipped["not_this_machine"] += rung
        if url is None and not (keep and self._options.rings):
            if keep:
                self._book.keep(
                    Rung(request, verdicts, transactions, now + offset, self._taken)
                )
            return
        origin = Origin(url, request.callback_data, offset, now + offset, self._taken)
        calls = self._dialler.dial(request, verdicts, transactions, origin, now)
        if keep:
            self._book.keep(*calls)
        if url is not None:
            self.poster.report(calls)

    def truth(self) -> Iterator[CallTruth]:
        """
        What became of each call until now, in the order in which they were rung.
        """
        return self._book.truth(self._options.clock.monotonic())

    def told(self, transaction_id: str) -> list[Told]:
        """
        What became of the calls of one transaction until now.
        """
        return self._book.told(transaction_id, self._options.clock.monotonic())

    def states(self) -> dict[State, int]:
        """
        How many calls are in which state.
        """
        return self._book.states(self._options.clock.monotonic())

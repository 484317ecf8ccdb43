"""
The stand-in for the API as a test sees it: who was rung, and what is replied next.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Self

from voicepush.simulator import Ring, Simulator
from voicepush.testing.clock import VoiceClock
from voicepush.testing.settings import VoiceSettings
from voicepush.testing.values import PostedReceipt, RungCall, TakenRequest

#: How long a test waits for what does not come, in true seconds.
_PATIENCE = 10.0


class UnusedRepliesError(AssertionError):
    """
    Scripted replies were left over: fewer requests came than the test was about.
    """


class VoiceApi:
    """
    A stand-in for the API on a socket of its own, which rings nobody.

    Used with ``async with``; what it saw can be looked at after that, too.
    """

    def __init__(
        self, settings: VoiceSettings | None = None, *, clock: VoiceClock | None = None
    ) -> None:
        self.settings = settings or VoiceSettings()
        self._clock = clock or VoiceClock()
        self._simulator = Simulator(
            service_key=self.settings.service_key,
            faults=self.settings.faults,
            answer=self.settings.answer,
            echo=self.settings.echo,
            latency=self.settings.latency,
            tps=self.settings.tps,
            refusal_status=self.settings.refusal_status,
            seed=self.settings.seed,
            notify_url=self.settings.notify_url,
            rings=self.settings.rings,
            ring_seconds=self.settings.ring_seconds,
            receipt_faults=self.settings.receipt_faults,
            hub_secret=self.settings.hub_secret,
            clock=self._clock,
        )

    async def __aenter__(self) -> Self:
        await self._simulator.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._simulator.stop()

    def __repr__(self) -> str:
        return f"<voicepush.testing.VoiceApi {self.url}>"

    @property
    def url(self) -> str:
        """
        Its address, for `Client(base_url=…)` or `VOICEPUSH_BASE_URL`.
        """
        return self._simulator.url

    @property
    def service_key(self) -> str:
        """
        The key that it wants, for `Client(service_key=…)` or `VOICEPUSH_SERVICE_KEY`.
        """
        return self.settings.service_key

    # What came

    @property
    def requests(self) -> tuple[TakenRequest, ...]:
        """
        The requests that reached it, in their order; refused ones, too.
        """
        return tuple(
            TakenRequest.of(number, record, datetime.fromtimestamp(record.at, UTC))
            for number, record in enumerate(self._simulator.requests, 1)
        )

    @property
    def calls(self) -> tuple[RungCall, ...]:
        """
        Every ring of every phone, in their order.

        A phone rings as soon as the request for it is complete, whatever the answer
        says and whether or not it arrives.
        """
        requests = self.requests
        return tuple(
            RungCall.of(truth, requests[truth.request - 1])
            for truth in self._simulator.truth()
        )

    @property
    def times_rung(self) -> Counter[str]:
        """
        How often each recipient was rung; 0 for who was not.
        """
        return Counter(self._simulator.calls)

    @property
    def rung_twice(self) -> tuple[str, ...]:
        """
        Who was rung more than once.
        """
        return tuple(who for who, times in self._simulator.calls.items() if times > 1)

    async def taken(self, requests: int) -> None:
        """
        Wait until so many *requests* have come, and everyone had a turn after that.

        Raises:
            TimeoutError: They do not come.
        """
        await _wait_for(
            lambda: len(self._simulator.requests) >= requests,
            lambda: f"{len(self._simulator.requests)} of {requests} requests came",
        )
        await self._clock.settle()

    # What is replied

    def next_replies(self, *words: str | int) -> None:
        """
        Script the replies to the next requests, one each.

        A word is a code of the API (7006), an HTTP status ("429:2", 504) or a mishap
        ("drop", "hang", "slow:3", "garbage", "ring-7006" …).

        Raises:
            ValueError: One of the *words* is no reply; the text lists what is possible.
        """
        self._simulator.next_replies(*words)

    def next_status_replies(self, *words: str | int) -> None:
        """
        The same for who asks what became of a transaction.
        """
        self._simulator.next_status_replies(*words)

    @property
    def unused_replies(self) -> tuple[str, ...]:
        """
        The scripted replies that no request has met.
        """
        return tuple(reply.word for reply in self._simulator.scripted)

    def forget_replies(self) -> None:
        """
        Take back the scripted replies that no request has met.
        """
        self._simulator.scripted.clear()

    def check_replies(self) -> None:
        """
        Look whether every scripted reply was given.

        Raises:
            UnusedRepliesError: Some were not; the text says which.
        """
        unused = self.unused_replies
        if unused and not self.settings.unused_replies:
            raise UnusedRepliesError(
                f"no request came for the scripted {_listed(unused)}; "
                f"{len(self._simulator.requests)} came in all. Script fewer, take them "
                "back with forget_replies(), or allow it with "
                "VoiceSettings(unused_replies=True)"
            )

    # What happens on the phones, and who hears of it

    def report_to(self, url: str | None) -> None:
        """
        Post the receipts of calls from now on to *url*, which is on this machine; to
        nobody if None. What a request itself asks for goes before it.

        Raises:
            ValueError: *url* does not lead to this machine.
        """
        self._simulator.notify_url = url

    def phones(self, *words: str) -> None:
        """
        What happens on the phones from now on, in words such as "busy", "rang-out",
        "hung-up", "agent" or "busy@10%"; all others hear the message to its end.

        Raises:
            ValueError: One of the *words* is none; the text lists what is possible.
        """
        self._simulator.rings = tuple(map(Ring.parse, words))

    @property
    def receipts(self) -> tuple[PostedReceipt, ...]:
        """
        What was to be reported of the calls until now, call by call.
        """
        return tuple(_receipts(self._simulator))

    async def receipts_done(self) -> None:
        """
        Wait until each receipt was taken or is lost for good.

        Raises:
            TimeoutError: Some are still to come, such as those that are posted again
                in a minute; a test that moves the clock need not wait for that.
        """
        await _wait_for(
            lambda: not self._simulator.receipts()["pending"],
            lambda: f"{self._simulator.receipts()['pending']} receipts are to come",
        )


def _receipts(simulator: Simulator) -> Iterable[PostedReceipt]:
    for call in simulator.truth():
        for event in call.events:
            yield PostedReceipt(
                recipient=call.recipient,
                correlation_id=call.correlation_id,
                transaction_id=call.transaction_id,
                code=event.code,
                taken=event.code in call.delivered,
            )


async def _wait_for(is_so: Callable[[], bool], said: Callable[[], str]) -> None:
    # By the true time, whatever the test makes of its own.
    end = time.monotonic() + _PATIENCE
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"{said()} within {_PATIENCE:g} s")
        await asyncio.sleep(0.001)


def _listed(words: tuple[str, ...]) -> str:
    return f"{'reply' if len(words) == 1 else 'replies'} {', '.join(words)}"

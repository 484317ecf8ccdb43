"""
Why nothing goes on at present, in words for who waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from math import inf

from voicepush import clock
from voicepush.model.status import Waiting
from voicepush.sending.answer import ResponseItem
from voicepush.sending.codes import Meaning
from voicepush.sending.load import Load

#: What has lasted no longer than this is not worth telling, in seconds.
_PASSES_SOON = 1.0

#: A service that has not answered for so long is said to be silent, in seconds.
_SILENCE = 5.0

_TROUBLES = {
    Meaning.THROTTLED: "the service refuses for speed",
    Meaning.INTERNAL: "the service has an error of its own",
    Meaning.UNREACHED: "the service can't be reached",
}


class Trouble:
    """
    Looks at what becomes of requests, and knows why nobody is brought any further.

    Args:
        now: The time in seconds since 1970.
        load: Counts what is on its way.
    """

    def __init__(self, now: Callable[[], float], load: Load) -> None:
        self._now = now
        self._load = load
        #: How many batches are on their way.
        self._unfinished = 0
        #: What went wrong since a request last brought someone further.
        self._trouble: Waiting | None = None
        #: When the requests under way had begun.
        self._begun: dict[int, float] = {}
        self._numbers = count()
        self._answered_at = -inf

    @property
    def waiting(self) -> Waiting | None:
        """
        Why nothing goes on, where nothing does.
        """
        if self._trouble is not None:
            lasted = self._now() - self._trouble.since.timestamp()
            return self._trouble if lasted >= _PASSES_SOON else None
        if not self._begun:
            return None
        since = max(next(iter(self._begun.values())), self._answered_at)
        if self._now() - since < _SILENCE:
            return None
        words = f"the service has not answered {len(self._begun):,} requests yet"
        return Waiting(words, clock.moment(since))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """
        Stands around a batch on its way; without any there is no trouble.
        """
        self._unfinished += 1
        self._load.batches += 1
        try:
            yield
        finally:
            self._load.batches -= 1
            self._unfinished -= 1
            if not self._unfinished:
                self._trouble = None

    @contextmanager
    def request(self) -> Iterator[None]:
        """
        Stands around a request under way.
        """
        number = next(self._numbers)
        self._begun[number] = self._now()
        self._load.requests += 1
        try:
            yield
        finally:
            self._load.requests -= 1
            del self._begun[number]

    def answered(self) -> None:
        """
        The service has answered something.
        """
        self._answered_at = self._now()

    def note(self, items: Sequence[ResponseItem], held_until: float | None) -> None:
        """
        Remember since when, and why, no request has brought anyone further.

        Args:
            held_until: Until when the service asked to wait, in seconds since 1970.
        """
        last = items[0]
        if any(each.meaning not in _TROUBLES for each in items):
            self._trouble = None
            return
        words = _TROUBLES[last.meaning]
        if held_until is not None:
            words = asks_to_wait(held_until)
        said = " ".join(filter(None, (last.code, last.description)))
        since = self._trouble.since if self._trouble else clock.moment(self._now())
        self._trouble = Waiting(f"{words} ({said})" if said else words, since)


def asks_to_wait(until: float | None) -> str:
    """
    That the service asks to wait *until* then, in seconds since 1970.
    """
    return f"the service asks to wait until {clock.local_time(until)}"

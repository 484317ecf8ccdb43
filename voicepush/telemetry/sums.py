"""
Events are added up, by a bounded number of words.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from typing import NamedTuple

from voicepush.model.call import CallState
from voicepush.model.events import (
    AttemptMade,
    BatchRecorded,
    Event,
    ReceiptsApplied,
)
from voicepush.model.outcome import Outcome

#: What the API's codes look like. Anything else may be anything, a number included.
_CODE = re.compile(r"\d{4}", re.ASCII)

#: So many codes are told apart; it has about thirty.
_MOST_CODES = 64

#: What stands for a code that is not told, and where there is none.
OTHER, NONE = "other", "none"

#: The upper ends of the classes of a duration, in seconds: those that the conventions
#: for HTTP ask for, and two for a service that takes its time.
BOUNDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0),
)

_ACCEPTED = "accepted"
_FIRST_STATUS, _FIRST_ERROR, _LAST_STATUS = 100, 400, 599


class Codes:
    """
    Tells the API's codes apart, but no more than a few of them: what comes from outside
    could be anything, and a number is never told.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def told(self, code: str | None) -> str:
        """
        *code*, or a word that stands for it.
        """
        if code is None:
            return NONE
        if code in self._known:
            return code
        if len(self._known) >= _MOST_CODES or not _CODE.fullmatch(code):
            return OTHER
        self._known.add(code)
        return code


def status_of(event: AttemptMade) -> int | None:
    """
    The HTTP status of an attempt, where there was an answer with a possible one.
    """
    status = event.status
    if status is None or not _FIRST_STATUS <= status <= _LAST_STATUS:
        return None
    return status


def http_error(event: AttemptMade) -> str:
    """
    What went wrong with the request itself, in one word; empty if nothing did.
    """
    status = status_of(event)
    if status is None:
        return event.meaning
    return str(status) if status >= _FIRST_ERROR else ""


class Said(NamedTuple):
    """
    What was said of a request.
    """

    code: str
    meaning: str

    @property
    def error(self) -> str:
        """
        What went wrong, in one word; empty if nothing did.
        """
        if self.meaning == _ACCEPTED:
            return ""
        return self.meaning if self.code in (OTHER, NONE) else self.code


class Durations:
    """
    How many durations there were in each class.
    """

    def __init__(self) -> None:
        #: One more than there are bounds: the last is of those above them all.
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """
        Count one.
        """
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


class Sums:
    """
    An observer that adds up what it hears. The sums may be read in any thread.
    """

    def __init__(self) -> None:
        self.codes = Codes()
        #: Requests, by what was said of them.
        self.attempts: Counter[Said] = Counter()
        #: Destinations in them, likewise.
        self.sent: Counter[str] = Counter()
        #: Recipients, by what became of them.
        self.recipients: Counter[Outcome] = Counter()
        #: Receipts, by what they say.
        self.receipts: Counter[CallState] = Counter()
        #: Requests to the notify URL, by what was done with them.
        self.posts: Counter[str] = Counter()
        #: How long requests took.
        self.durations = Durations()

    def __call__(self, event: Event) -> None:
        """
        Add what it tells.
        """
        if isinstance(event, AttemptMade):
            said = Said(self.codes.told(event.code), event.meaning)
            self.attempts[said] += 1
            self.sent[said.error] += event.destinations
            self.durations.add(event.seconds)
        elif isinstance(event, BatchRecorded):
            for outcome, number in event.outcomes.items():
                self.recipients[outcome] += number
        elif isinstance(event, ReceiptsApplied):
            for state, number in event.states.items():
                self.receipts[state] += number
            self.posts["stored"] += event.stored
            self.posts["refused"] += event.refused
            self.posts["unplaced"] += event.received.unplaced
            self.posts["unreadable"] += event.received.unreadable

"""The words that tell the simulator what to reply, and how often."""

import math
import random
import re
from collections.abc import Sequence

import attrs

from voicepush.simulator.codes import ACCEPTED, describe
from voicepush.simulator.shares import add_up, parse_share


@attrs.frozen
class Reply:
    """
    What becomes of one request: who is rung, and what the client gets to see.

    The two are independent, because on the real network they are: a proxy may
    answer 504 while a thousand phones ring.
    """

    #: The word it was read from; requests are counted under it.
    word: str
    #: The verdict on the destinations: `ACCEPTED` if they are rung, the code of the
    #: refusal if not, "" if the request never got as far as a verdict.
    code: str = ACCEPTED
    description: str = describe(ACCEPTED)
    #: Other codes for some of the destinations, each with its probability.
    shares: tuple[tuple[str, float], ...] = ()
    #: The HTTP status; None if the connection is cut instead of answered.
    status: int | None = 200
    #: Seconds for the header Retry-After.
    retry_after: str | None = None
    #: The shape of the answer, if the reply insists on one; see `answers`.
    shape: str | None = None
    #: The answer breaks off in its middle.
    truncated: bool = False
    #: Whether the answer is sent a second time, right after itself.
    twice: bool = False
    #: The code that the answer gives, if not the verdict.
    said: str | None = None
    #: Seconds from the ring to the answer.
    delay: float = 0.0

    @classmethod
    def parse(cls, word: str | int) -> "Reply":
        """
        Read one *word*, such as 7006, "429:2", "drop" or "mix:7006=10%".

        Raises:
            ValueError: It is no such word; the text lists what is possible.
        """
        word = str(word)
        if word in _WORDS:
            return _WORDS[word]
        if re.fullmatch(r"[0-9]{4}", word):
            return cls(word, word, describe(word))
        if match := re.fullmatch(r"(429|503)(?::([0-9]{1,6}))?", word):
            status, seconds = match.groups()
            return _turned_away(word, int(status), retry_after=seconds)
        if match := re.fullmatch(r"twice:([0-9]{4})", word):
            return cls(word, match[1], describe(match[1]), twice=True)
        if match := re.fullmatch(r"slow:([0-9]{1,6}(?:\.[0-9]{1,6})?)", word):
            return cls(word, delay=float(match[1]))
        if word.startswith("mix:") and (shares := _parse_shares(word[4:])):
            return cls(word, shape="each", shares=shares)
        message = f"{word!r} is not a reply; possible are {_POSSIBLE}."
        raise ValueError(message)

    @property
    def rings(self) -> bool:
        """
        Whether phones ring, be it only some of those asked for.
        """
        return self.code == ACCEPTED

    @property
    def refuses(self) -> bool:
        """
        Whether the API gives a code that is not acceptance for the whole request.
        """
        return self.code not in ("", ACCEPTED)

    def deal(self, count: int, chance: random.Random) -> list[str]:
        """
        The verdicts on *count* destinations.
        """
        if not self.shares:
            return [self.code] * count
        codes = [*(code for code, _ in self.shares), self.code]
        weights = [share for _, share in self.shares]
        # Percentages that sum up to 100 may pass it by a rounding error.
        weights.append(max(0.0, 1.0 - sum(weights)))
        return chance.choices(codes, weights, k=count)


@attrs.frozen
class Fault:
    """
    A reply that befalls some of the requests.
    """

    reply: Reply
    #: The probability with which it strikes.
    share: float = 1.0
    #: It strikes every this many requests, counted from the first.
    every: int = 1

    @classmethod
    def parse(cls, word: str | int) -> "Fault":
        """
        Read a reply's *word*, alone, or with a frequency: "7006@20%", "drop@1/5".

        Raises:
            ValueError: It is no such word; the text lists what is possible.
        """
        what, at, how_often = str(word).partition("@")
        reply = Reply.parse(what)
        if not at:
            return cls(reply)
        if share := parse_share(how_often):
            return cls(reply, share=share)
        if match := re.fullmatch(r"1/([1-9][0-9]{0,8})", how_often):
            return cls(reply, every=int(match[1]))
        message = (
            f"{how_often!r} in {word!r} is not a frequency; possible are a "
            "percentage such as 20% and a fraction such as 1/5."
        )
        raise ValueError(message)

    def strikes(self, number: int, chance: random.Random) -> bool:
        """
        Whether request *number* (the first is 1) is hit.
        """
        return number % self.every == 0 and chance.random() < self.share


def pick(faults: Sequence[Fault], number: int, chance: random.Random) -> Reply:
    """
    The reply to request *number*: the first fault that strikes, or acceptance.
    """
    for fault in faults:
        if fault.strikes(number, chance):
            return fault.reply
    return ORDINARY


def _parse_shares(text: str) -> tuple[tuple[str, float], ...] | None:
    shares = []
    for part in text.split(","):
        code, _, percentage = part.partition("=")
        share = parse_share(percentage)
        if share is None or not re.fullmatch(r"[0-9]{4}", code):
            return None
        shares.append((code, share))
    return tuple(shares) if add_up([share for _, share in shares]) else None


def _turned_away(word: str, status: int, *, retry_after: str | None = None) -> Reply:
    return Reply(word, code="", status=status, shape="page", retry_after=retry_after)


_TURNED_AWAY = (302, 401, 403, 404, 413)
_GATEWAY = (500, 502, 504)

ORDINARY = Reply(ACCEPTED)

_WORDS = {
    reply.word: reply
    for reply in (
        ORDINARY,
        Reply("7020-quota", "7020", "Quota exceeded (quota)"),
        *(_turned_away(str(status), status) for status in _TURNED_AWAY),
        *(Reply(str(status), status=status, shape="page") for status in _GATEWAY),
        *(_turned_away(f"{status}-early", status) for status in _GATEWAY),
        Reply("drop", status=None),
        Reply("drop-early", code="", status=None),
        Reply("hang", status=None, delay=math.inf),
        Reply("garbage", shape="garbage"),
        Reply("empty", shape="empty"),
        Reply("short", shape="short"),
        Reply("reordered", shape="reordered"),
        Reply("single", shape="one"),
        Reply("truncated", truncated=True),
        Reply("twice", twice=True),
        # It dials, and says that it did not.
        Reply("ring-503", status=503, shape="page"),
        Reply("ring-7006", said="7006"),
    )
}

_POSSIBLE = (
    f"a four-digit code of the API, {', '.join(_WORDS)}, 429, 503, 429:SECONDS, "
    "503:SECONDS, slow:SECONDS, twice:CODE and mix:CODE=PERCENT%,CODE=PERCENT%"
)

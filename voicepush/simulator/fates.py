"""What goes wrong with the delivery of a receipt, in words with frequencies."""

import random
import re
from collections.abc import Sequence
from typing import Literal

import attrs

from voicepush.simulator.shares import split_share

#: Whether a post is signed as the secret demands, otherwise, or not at all.
Signature = Literal["right", "forged", "missing"]

#: The longest that a receipt is late, and that its double takes, in seconds.
_LONGEST = 1.0


@attrs.frozen
class Fate:
    """
    What becomes of one receipt on its way.
    """

    #: It is never delivered.
    lost: bool = False
    #: It is delivered so many seconds late.
    late: float = 0.0
    #: It is delivered once more, so many seconds after its time.
    again: float | None = None
    signature: Signature = "right"
    #: It comes with an empty correlation id.
    nameless: bool = False


#: The fate of most.
DELIVERED = Fate()


@attrs.frozen
class ReceiptFault:
    """
    What befalls some of the receipts.
    """

    word: str
    #: The probability with which it strikes.
    share: float = 1.0
    #: The longest that it delays a receipt or its double, in seconds.
    longest: float = _LONGEST

    @classmethod
    def parse(cls, word: str) -> "ReceiptFault":
        """
        Read a *word*, alone, or with a percentage: "lost@2%", "late:30@10%".

        Raises:
            ValueError: It is no such word; the text lists what is possible.
        """
        name, share = split_share(str(word))
        if name in _WORDS:
            return cls(name, share)
        seconds = re.fullmatch(r"(late|twice):([0-9]{1,6}(?:\.[0-9]{1,6})?)", name)
        if seconds is not None:
            return cls(seconds[1], share, float(seconds[2]))
        message = (
            f"{name!r} is not a receipt fault; possible are {', '.join(_WORDS)}, "
            "late:SECONDS and twice:SECONDS."
        )
        raise ValueError(message)

    @property
    def signs(self) -> bool:
        """
        Whether it is about the signature.
        """
        return self.word in ("forged", "unsigned")

    def strike(self, fate: Fate, chance: random.Random) -> Fate:
        """
        What *fate* becomes.
        """
        match self.word:
            case "lost":
                return attrs.evolve(fate, lost=True)
            case "twice":
                return attrs.evolve(fate, again=chance.uniform(0, self.longest))
            case "late":
                return attrs.evolve(fate, late=chance.uniform(0, self.longest))
            case "forged":
                return attrs.evolve(fate, signature="forged")
            case "unsigned":
                return attrs.evolve(fate, signature="missing")
            case _:
                return attrs.evolve(fate, nameless=True)


_WORDS = ("lost", "twice", "late", "forged", "unsigned", "no-id")


def draw(
    faults: Sequence[ReceiptFault], count: int, chance: random.Random
) -> dict[int, Fate]:
    """
    The fates of *count* receipts by their place; those that are missing arrive.
    """
    fates: dict[int, Fate] = {}
    for place in range(count):
        for fault in faults:
            if chance.random() < fault.share:
                fates[place] = fault.strike(fates.get(place, DELIVERED), chance)
    return fates

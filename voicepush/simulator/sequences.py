"""What happens on a phone: the sequences of events, in words with frequencies."""

import itertools
import random
from collections.abc import Sequence

import attrs

from voicepush.simulator.shares import add_up, split_share


@attrs.frozen
class Event:
    """
    Something that happens to a call, as a receipt names it.
    """

    code: str
    status: str
    description: str


OFFERED = Event("7407", "OFFERED", "Call offered")
ACCEPTED = Event("7408", "ACCEPTED", "Call accepted")
ANSWERED = Event("7519", "ANSWERED", "Call answered")
CONNECTED = Event("7411", "TROMBONE_CONNECTED", "Trombone connected")
LEFT = Event("7412", "TROMBONE_RELEASED", "Trombone released")
NO_ANSWER = Event("7401", "REJECTED", "No answer")
CUSTOMER_BUSY = Event("7402", "REJECTED", "Customer busy")
RELEASED = Event("7405", "Released", "Call released")
DROPPED = Event("7409", "DROPPED", "Call dropped")
DISCONNECTED = Event("7410", "DISCONNECTED", "Call disconnected")
EXPIRED = Event("7005", "Failed", "Request expired")


@attrs.frozen
class Story:
    """
    What becomes of one call, step by step.
    """

    #: The word that it is called by.
    word: str
    #: The events of one step have the same time stamp, and no order.
    steps: tuple[tuple[Event, ...], ...]
    #: Every order in which its events may be reported.
    orders: tuple[tuple[Event, ...], ...] = attrs.field(init=False, repr=False)
    #: The step of each event, which is the same in all orders.
    step_of: tuple[int, ...] = attrs.field(init=False, repr=False)

    @orders.default
    def _arrange(self) -> tuple[tuple[Event, ...], ...]:
        shuffled = itertools.product(*map(itertools.permutations, self.steps))
        return tuple(tuple(itertools.chain(*steps)) for steps in shuffled)

    @step_of.default
    def _number(self) -> tuple[int, ...]:
        return tuple(
            number for number, step in enumerate(self.steps) for _ in range(len(step))
        )


HEARD = Story("heard", ((OFFERED,), (ACCEPTED,), (ANSWERED,), (DROPPED, RELEASED)))

#: It is never offered, so it takes up none of the tenant's dialling.
NEVER_OFFERED = Story("expired", ((EXPIRED,),))

_STORIES = {
    story.word: story
    for story in (
        HEARD,
        Story(
            "hung-up",
            (
                (OFFERED,),
                (ACCEPTED,),
                (ANSWERED,),
                (RELEASED, DISCONNECTED, DROPPED),
            ),
        ),
        Story("busy", ((OFFERED,), (ACCEPTED,), (DROPPED, NO_ANSWER))),
        Story("rang-out", ((OFFERED,), (ACCEPTED,), (DROPPED, NO_ANSWER))),
        Story(
            "hung-up-ringing",
            ((OFFERED,), (ACCEPTED,), (DISCONNECTED, DROPPED, CUSTOMER_BUSY)),
        ),
        Story(
            "agent",
            (
                (OFFERED,),
                (ACCEPTED,),
                (ANSWERED,),
                (CONNECTED,),
                (LEFT,),
                (DROPPED, RELEASED),
            ),
        ),
        NEVER_OFFERED,
    )
}


@attrs.frozen
class Ring:
    """
    A story that some of the calls have.
    """

    story: Story
    #: The probability with which a call has it.
    share: float = 1.0

    @classmethod
    def parse(cls, word: str) -> "Ring":
        """
        Read a story's *word*, alone, or with a percentage: "busy", "heard@40%".

        Raises:
            ValueError: It is no such word; the text lists what is possible.
        """
        name, share = split_share(str(word))
        if name not in _STORIES:
            message = f"{name!r} is not a ring; possible are {', '.join(_STORIES)}."
            raise ValueError(message)
        return cls(_STORIES[name], share)


def check_rings(rings: Sequence[Ring]) -> None:
    """
    Raise `ValueError` if *rings* are more than all calls.
    """
    if not add_up([ring.share for ring in rings]):
        total = sum(ring.share for ring in rings)
        message = f"the rings add up to {total:.0%}; possible is at most 100%."
        raise ValueError(message)


def draw(rings: Sequence[Ring], count: int, chance: random.Random) -> list[Story]:
    """
    The stories of *count* calls; whom no ring befalls hears the message to its end.
    """
    if not rings:
        return [HEARD] * count
    stories = [*(ring.story for ring in rings), HEARD]
    weights = [ring.share for ring in rings]
    # Percentages that add up to 100 may pass it by a rounding error.
    weights.append(max(0.0, 1.0 - sum(weights)))
    return chance.choices(stories, weights, k=count)

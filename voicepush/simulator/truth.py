"""What the simulator knows of each call, and what its receipts say of it."""

from collections.abc import Iterable
from typing import Literal

import attrs

State = Literal["reached", "agent", "not_reached", "dropped", "expired", "on_its_way"]

#: The states, in the order in which they are counted.
STATES: tuple[State, ...] = (
    "reached",
    "agent",
    "not_reached",
    "dropped",
    "expired",
    "on_its_way",
)

#: What an event says of its call, by its code. The higher rank decides; of equals the
#: later event. Read from the vendor's pages, not from what reads the receipts.
_RANKS: dict[str, tuple[int, State]] = {
    "7407": (1, "on_its_way"),
    "7408": (2, "on_its_way"),
    "7405": (3, "dropped"),
    "7409": (4, "dropped"),
    # The person hung up. Had they picked up before, there would be a 7519.
    "7410": (5, "not_reached"),
    "7401": (6, "not_reached"),
    "7402": (6, "not_reached"),
    "7404": (6, "not_reached"),
    "7406": (6, "not_reached"),
    "7005": (6, "expired"),
    "7519": (7, "reached"),
    # No agent can leave who was not connected, so either of the two proves it.
    "7411": (8, "agent"),
    "7412": (8, "agent"),
}

_ANSWERED = "7519"
_ENDS = ("7405", "7409", "7410")


@attrs.frozen
class Happened:
    """
    One event of a call, and when it happened, as its receipt says.
    """

    code: str
    timestamp: str
    #: The same in milliseconds of the epoch.
    moment: int


@attrs.frozen
class CallTruth:
    """
    What became of one call, and what a reader of its receipts can know.

    The numbers are whole.
    """

    recipient: str = attrs.field(repr=False)
    correlation_id: str
    #: As the receipts give it.
    transaction_id: str
    #: The number of the request that rang it, among all requests; the first is 1.
    request: int
    #: The word of its story; None where none was told, since nobody asked for one.
    story: str | None
    #: What happened until now, in this order.
    events: tuple[Happened, ...]
    #: The codes of those events whose receipt was answered with 200.
    delivered: tuple[str, ...]
    #: The state that follows from all events, and from the delivered ones only.
    state: State
    delivered_state: State
    #: Seconds from picking up to the end; None where either is missing.
    heard_seconds: float | None
    delivered_heard_seconds: float | None


def truth_of(
    recipient: str,
    correlation_id: str,
    transaction_id: str,
    *,
    request: int = 0,
    story: str | None = None,
    events: tuple[Happened, ...] = (),
    delivered: tuple[Happened, ...] = (),
) -> CallTruth:
    """
    The truth about one call, of which *delivered* events are known outside.
    """
    return CallTruth(
        recipient,
        correlation_id,
        transaction_id,
        request,
        story,
        events,
        tuple(event.code for event in delivered),
        state_of((event.code, event.moment) for event in events),
        state_of((event.code, event.moment) for event in delivered),
        _heard(events),
        _heard(delivered),
    )


def state_of(events: Iterable[tuple[str, int]]) -> State:
    """
    The state that follows from the codes and moments of *events*, in any order.
    """
    known = [
        (rank, moment, state)
        for code, moment in events
        for rank, state in [_RANKS.get(code, (0, "on_its_way"))]
    ]
    return max(known)[2] if known else "on_its_way"


def _heard(events: Iterable[Happened]) -> float | None:
    moments = {event.code: event.moment for event in events}
    ends = [moments[code] for code in _ENDS if code in moments]
    if _ANSWERED not in moments or not ends:
        return None
    return (min(ends) - moments[_ANSWERED]) / 1000

"""The calls that were rung, and the book in which the simulator keeps them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import attrs
from yarl import URL

from voicepush.simulator.answers import Transactions
from voicepush.simulator.codes import ACCEPTED
from voicepush.simulator.fates import Fate
from voicepush.simulator.requests import CallRequest
from voicepush.simulator.sequences import Event, Story
from voicepush.simulator.truth import (
    STATES,
    CallTruth,
    Happened,
    State,
    state_of,
    truth_of,
)


@attrs.frozen(eq=False)
class Origin:
    """
    What the calls of one request have in common.
    """

    #: Where their receipts go; None for nowhere.
    url: URL | None
    callback_data: str
    #: Seconds from the monotonic clock to that of the epoch.
    offset: float
    #: When the request was accepted, in seconds of the epoch.
    at: float
    #: The number of the request.
    number: int


@attrs.frozen
class Recipient:
    """
    Who is rung by one call, and under which ids.
    """

    value: str = attrs.field(repr=False)
    #: What the value is: msisdn or customerid.
    kind: str
    correlation_id: str
    transaction_id: str


@attrs.define(eq=False)
class Call:
    """
    One call, with all that will happen to it.
    """

    origin: Origin
    recipient: Recipient
    story: Story
    #: Its events in the order of their receipts, and when each happens, in
    #: milliseconds of the epoch.
    events: tuple[Event, ...]
    moments: tuple[int, ...]
    #: What becomes of its receipts, by their place among the events.
    fates: Mapping[int, Fate]
    #: The place of the next event to report.
    next: int = 0
    #: A bit for each event whose receipt was answered with 200.
    delivered: int = 0

    def due(self, place: int) -> float:
        """
        When the event at *place* happens, by the monotonic clock.
        """
        return self.moments[place] / 1000 - self.origin.offset

    def happened(self, now: float) -> int:
        """
        How many of its events have happened at *now*, by the monotonic clock.
        """
        moment = (now + self.origin.offset) * 1000
        if self.moments[-1] <= moment:
            return len(self.moments)
        # What is reported has happened, whatever rounding does to its moment.
        return max(self.next, sum(each <= moment for each in self.moments))


@attrs.frozen
class Rung:
    """
    A request that was rung, and of whose calls no story is told.
    """

    request: CallRequest
    verdicts: list[str]
    transactions: Transactions
    #: When it was accepted, in seconds of the epoch.
    at: float
    #: Its number among all requests.
    number: int

    def truth(self) -> Iterator[CallTruth]:
        """
        What became of each of its calls, as far as that is told.
        """
        for each in recipients(self.request, self.verdicts, self.transactions):
            yield truth_of(
                each.value,
                each.correlation_id,
                each.transaction_id,
                request=self.number,
            )


class Told(NamedTuple):
    """
    What became of one call until now.
    """

    call: CallTruth
    #: When its request was accepted, in seconds of the epoch.
    at: float


@attrs.define(eq=False)
class Book:
    """
    Everyone who was rung, in this order.
    """

    _entries: list[Call | Rung] = attrs.field(init=False, factory=list)
    #: The state at the end of each story.
    _last_states: dict[str, State] = attrs.field(init=False, factory=dict)
    #: Where the calls of a transaction begin and end among the entries, as far as
    #: those were looked at: few ask for a transaction.
    _bounds: dict[str, tuple[int, int]] = attrs.field(init=False, factory=dict)
    _looked_at: int = attrs.field(init=False, default=0)

    def keep(self, *entries: Call | Rung) -> None:
        """
        Remember *entries*.
        """
        self._entries.extend(entries)

    def truth(self, now: float) -> Iterator[CallTruth]:
        """
        What became of each call until *now*, by the monotonic clock.
        """
        for entry in self._entries:
            if isinstance(entry, Call):
                yield _truth_of_call(entry, now)
            else:
                yield from entry.truth()

    def told(self, transaction_id: str, now: float) -> list[Told]:
        """
        What became of the calls of one transaction until *now*, by the monotonic clock;
        a number behind the id of a whole request tells one of its calls.
        """
        for place in range(self._looked_at, len(self._entries)):
            for name in _transactions_of(self._entries[place]):
                first, _ = self._bounds.get(name, (place, place))
                self._bounds[name] = first, place + 1
        self._looked_at = len(self._entries)
        found = []
        for entry in self._entries[slice(*self._bounds.get(transaction_id, (0, 0)))]:
            if isinstance(entry, Call):
                found.append(Told(_truth_of_call(entry, now), entry.origin.at))
                continue
            found.extend(
                Told(call, entry.at)
                for call in entry.truth()
                if call.transaction_id == transaction_id
            )
        return found

    def states(self, now: float) -> dict[State, int]:
        """
        How many calls are in which state at *now*, as the platform knows it.
        """
        counts: Counter[State] = Counter()
        for entry in self._entries:
            if isinstance(entry, Call):
                counts[self._state(entry, now)] += 1
            else:
                rung = recipients(entry.request, entry.verdicts, entry.transactions)
                counts["on_its_way"] += sum(1 for _ in rung)
        return {state: counts[state] for state in STATES}

    def _state(self, call: Call, now: float) -> State:
        happened = call.happened(now)
        if happened < len(call.events):
            codes = (event.code for event in call.events[:happened])
            return state_of(zip(codes, call.moments, strict=False))
        word = call.story.word
        if word not in self._last_states:
            codes = (event.code for event in call.events)
            self._last_states[word] = state_of(zip(codes, call.moments, strict=True))
        return self._last_states[word]


def recipients(
    request: CallRequest,
    verdicts: list[str],
    transactions: Transactions,
    *,
    numbered: bool = False,
) -> Iterator[Recipient]:
    """
    Whom *request* rings: the values of its entries whose verdict is acceptance.

    Args:
        numbered: Whether one transaction id for many values is told apart by numbers.
    """
    numbered = numbered and transactions.whole and request.size > 1
    number = 0
    for place, values in enumerate(request.destinations):
        for value in values:
            number += 1
            if verdicts[place] == ACCEPTED:
                transid = transactions.of(place)
                yield Recipient(
                    value,
                    request.kinds[place],
                    request.correlation_ids[place],
                    f"{transid}_{number}" if numbered else transid,
                )


def _transactions_of(entry: Call | Rung) -> tuple[str, ...]:
    if isinstance(entry, Rung):
        return entry.transactions.ids
    name = entry.recipient.transaction_id
    whole, _, number = name.rpartition("_")
    return (name, whole) if whole and number.isdecimal() else (name,)


def _truth_of_call(call: Call, now: float) -> CallTruth:
    happened = tuple(
        Happened(event.code, text_of(moment), moment)
        for event, moment in zip(
            call.events[: call.happened(now)], call.moments, strict=False
        )
    )
    recipient = call.recipient
    return truth_of(
        recipient.value,
        recipient.correlation_id,
        recipient.transaction_id,
        request=call.origin.number,
        story=call.story.word,
        events=happened,
        delivered=tuple(
            event for place, event in enumerate(happened) if call.delivered >> place & 1
        ),
    )


def text_of(moment: int) -> str:
    """
    *moment*, in milliseconds of the epoch, as a receipt writes it: with a Z.
    """
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"

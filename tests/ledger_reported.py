"""
What the platform reports of calls, at any time and by any name.
"""

from __future__ import annotations

from collections import Counter
from math import inf

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from ledger_holding import Held
from ledger_model import ModelBatch, values_of
from making import batch_id, entry_of

from voicepush.model.call import Call, Calls, CallState, Receipt, Report
from voicepush.model.outcome import Outcome
from voicepush.model.recipients import Kind
from voicepush.receipts.call_state import EVENTS, call_of

#: How a receipt may say whose it is.
NAMES = ["correlation id", "batch and number", "request and number", "transaction"]


@attrs.frozen
class Person:
    """
    One recipient of a batch.
    """

    batch: ModelBatch
    place: int
    #: Among the recipients of the batch, counted from 0.
    number: int
    value: str

    @property
    def correlation_id(self) -> str:
        """
        The owner's, or ours.
        """
        own = entry_of(self.batch.recipients[self.place])[2]
        return own or f"{self.batch.key}-{self.place}"


def people_in(batch: ModelBatch) -> list[Person]:
    """
    The recipients of *batch*.
    """
    found: list[Person] = []
    for place, recipient in enumerate(batch.recipients):
        for value in values_of(recipient):
            found.append(Person(batch, place, len(found), value))
    return found


class Reported(Held):
    """
    Receipts come between all else that happens.
    """

    def __init__(self) -> None:
        super().__init__()
        #: How the platform called the calls that receipts have named.
        self.taught: dict[str, Person] = {}
        #: What belongs to no known call: the transaction, the recipient, what it says.
        self.aside: list[tuple[str, str, Call]] = []
        self.received = self.unreadable = 0

    def some_people(self) -> bool:
        """
        Whether there is anybody to report of.
        """
        return any(each.batches for each in self.campaigns.values())

    @precondition(some_people)
    @rule(
        data=st.data(),
        code=st.sampled_from([*EVENTS, "7999"]),
        at=st.none() | st.integers(0, 3).map(float),
        name=st.sampled_from(NAMES),
        bare=st.booleans(),
        transaction=st.sampled_from(["", "t1", "t2", "t3_4"]),
        times=st.integers(1, 2),
    )
    def report(
        self,
        data: st.DataObject,
        code: str,
        at: float | None,
        name: str,
        *,
        bare: bool,
        transaction: str,
        times: int,
    ) -> None:
        """
        Whoever has a receipt is accepted, and what it says is merged with what others
        of its call have said.
        """
        people = [
            person
            for campaign in self.campaigns.values()
            for batch in campaign.batches
            for person in people_in(batch)
        ]
        person = people[data.draw(st.integers(0, len(people) - 1))]
        if name != "transaction" and self.taught.get(transaction, person) != person:
            transaction = ""  # the platform calls one call so
        call = call_of(code, "", "", at)
        is_number = entry_of(person.batch.recipients[person.place])[0] is Kind.MSISDN
        value = person.value.removeprefix("+") if bare and is_number else person.value
        report = Report(
            call=call,
            correlation_id=person.correlation_id if name == NAMES[0] else "",
            callback_data={
                NAMES[1]: person.batch.key,
                NAMES[2]: f"{person.batch.key}-a0123456789",
            }.get(name, ""),
            transaction_id=transaction,
            recipient=value,
        )
        receipt = Receipt(body=b"{}", received_at=self.clock.now(), reports=[report])
        found = self.do(self.ledger.receive([receipt] * times, refused=1))
        self.received += times
        if name == "transaction" and self.taught.get(transaction) != person:
            assert (0, times) == (found.applied, found.unplaced)
            self.aside += [(transaction, value, call)] * times
            return
        assert (times, 0) == (found.applied, found.unplaced)
        self.note(person, call)
        if transaction:
            self.taught[transaction] = person
        assert self.place_late() == found.placed_late

    def place_late(self) -> int:
        """
        Apply what was kept aside and is named by now.
        """
        placed = 0
        for waiting in list(self.aside):
            transaction, value, call = waiting
            person = self.taught.get(transaction)
            if person is not None and value in (person.value, person.value[1:]):
                self.note(person, call)
                self.aside.remove(waiting)
                placed += 1
        return placed

    def note(self, person: Person, call: Call) -> None:
        """
        Remember what was said of *person*.
        """
        before = person.batch.calls.get(person.number, call)
        person.batch.calls[person.number] = before.merged(call)
        person.batch.prove(person.place)

    @rule(body=st.sampled_from([b"", b"\x00", b"test"]))
    def post_something_else(self, body: bytes) -> None:
        """
        What is no receipt is kept, and changes nothing.
        """
        receipt = Receipt(body=body, received_at=self.clock.now())
        found = self.do(self.ledger.receive([receipt], refused=1))
        self.received += 1
        self.unreadable += 1

        assert (0, 0, 1) == (found.applied, found.unplaced, found.unreadable)

    @rule()
    def look_again(self) -> None:
        """
        Nothing that was kept aside is named by now, since that was looked for at once.
        """
        self.clock.move(10)
        for campaign in self.campaigns.values():
            if campaign.worker is not None:
                self.do(campaign.worker.heartbeat(2.5, waiting=campaign.waiting))

        assert 0 == self.do(self.ledger.place_again()).placed_late

    @rule()
    def forget_bodies(self) -> None:
        """
        What they have said stays known.
        """
        while self.do(self.ledger.forget_bodies(self.clock.now())):
            pass
        self.aside.clear()
        self.unreadable = 0

    @precondition(some_people)
    @rule(data=st.data(), places=st.none() | st.sets(st.integers(0, 3)))
    def ask(self, data: st.DataObject, places: set[int] | None) -> None:
        """
        The platform is asked what became of some of a batch, or of all that are silent.
        """
        batches = [each for some in self.campaigns.values() for each in some.batches]
        batch = batches[data.draw(st.integers(0, len(batches) - 1))]
        self.do(self.ledger.note_asked(batch_id(batch.key), places))
        known = None if places is None else frozenset(places)
        batch.asked = self.clock.now(), known

    @invariant()
    def the_silent_agree(self) -> None:
        """
        They are accepted, have a transaction id, and have not ended; nobody is asked
        about again at once.
        """
        lately = self.clock.now() - 5
        for name, campaign in self.campaigns.items():
            expected = {
                batch.key: numbers
                for batch in campaign.batches
                if (numbers := _silent_in(batch, lately))
            }
            assert expected == self.do(self.silent(name, lately))

    async def silent(self, name: str, lately: float) -> dict[str, list[int]]:
        """
        Who is silent in which batch, and was not asked about since *lately*.
        """
        found = self.ledger.silent(name, claimed_before=inf, asked_before=lately)
        return {str(one.known.batch.id): list(one.recipients) async for one in found}

    @invariant()
    def calls_agree(self) -> None:
        """
        Each call is in the state that follows from what was said of it.
        """
        for name, campaign in self.campaigns.items():
            states: Counter[CallState] = Counter()
            heard = Counter[int]()
            for batch in campaign.batches:
                for call in batch.calls.values():
                    states[call.state] += 1
                    heard[-1 if call.heard is None else int(call.heard)] += 1
                for person in people_in(batch):
                    (found,) = self.do(self.ledger.lookup(person.value))
                    assert batch.calls.get(person.number) == found.call
            status = self.do(self.ledger.status(name))
            assert status is not None
            expected = Calls.of(states, status.accepted) if states else None
            assert expected == status.calls
            for seconds in (0, 2):
                assert sum(n for each, n in heard.items() if each >= seconds) == (
                    self.do(self.ledger.heard_for(name, seconds))
                )
            assert {
                batch.key: len(batch.calls) for batch in campaign.batches if batch.calls
            }.items() >= {
                (each.batch, each.receipts)
                for each in self.do(self.ledger.unknown(name))
                if each.receipts
            }

    @invariant()
    def receipts_are_counted(self) -> None:
        """
        None of them is lost.
        """
        counts = self.do(self.ledger.receipt_counts())

        assert (self.received, len(self.aside), self.unreadable) == (
            *(counts.received, counts.unplaced),
            counts.unreadable,
        )


def _silent_in(batch: ModelBatch, lately: float) -> list[int]:
    at, places = batch.asked
    if at >= lately and places is None:
        return []
    asked = places if at >= lately and places is not None else ()
    return [
        person.number
        for person in people_in(batch)
        if person.place not in asked
        and batch.verdicts[person.place].outcome is Outcome.ACCEPTED
        and batch.transaction_id(person.place)
        and not (person.number in batch.calls and batch.calls[person.number].has_ended)
    ]

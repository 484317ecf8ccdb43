"""What a batch looks like at rest: nothing is lost, and little is written."""

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush.ledger.packing import (
    pack_exceptions,
    pack_recipients,
    pack_transactions,
    replaced,
    unpack_batch,
    unpack_exceptions,
    unpack_transactions,
)
from voicepush.model.batch import Batch
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination, Recipient

MESSAGE = VoiceMessage(media="welcome")

texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.lists(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=10),
    min_size=1,
    max_size=3,
)
own_ids = st.none() | st.text(st.characters(codec="ascii"), min_size=1, max_size=50)
recipients = st.one_of(
    texts,
    st.builds(Destination, values, correlation_id=own_ids),
    st.builds(Destination, customer_id=values, correlation_id=own_ids),
)
verdicts = st.builds(
    Verdict,
    st.sampled_from(Outcome),
    st.sampled_from([None, "1001", "7004"]),
    st.sampled_from(["", "Queued", 'says "no"\n']),
)

ACCEPTED = Verdict(Outcome.ACCEPTED, "1001", "Queued")
REJECTED = Verdict(Outcome.REJECTED, "7004", "no")
NOT_SENT = Verdict(Outcome.NOT_SENT, None, "stopped")
PENDING = Verdict(Outcome.PENDING)
UNKNOWN = Verdict(Outcome.UNKNOWN, None, "lost")


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+999555{place:04}"


def result_of(*found: Verdict, ids: tuple[str, ...] = ()) -> BatchResult:
    """
    What became of as many recipients as there are verdicts.
    """
    batch = Batch(MESSAGE, "k", [number(place) for place in range(len(found))])
    return BatchResult.of_places(batch, found, ids, attempts=3)


class TestRecipients:
    """
    Who is called, at rest.
    """

    @given(st.lists(texts) | st.lists(recipients))
    @example([])
    @example([""])
    @example(["", ""])
    @example(["a\nb"])
    @example(["a\n", "b"])
    @example(["a\r", "b\x00", "\u2028"])
    def test_round_trip(self, packed: list[Recipient]) -> None:
        """
        Whoever is packed is unpacked, in order.
        """
        batch = Batch(MESSAGE, "k", packed)

        found = unpack_batch(MESSAGE, "k", *pack_recipients(batch))

        assert packed == found.destinations
        assert batch.plain == found.plain

    def test_msisdns(self) -> None:
        """
        Bare msisdns are lines, which a search finds and which cost nothing else.
        """
        form, packed = pack_recipients(Batch(MESSAGE, "k", (number(1), number(2))))

        assert ("lines", b"+9995550001\n+9995550002") == (form, packed)

    def test_form_is_told(self) -> None:
        """
        What can't be lines is not called so.
        """
        assert (
            "lines" != pack_recipients(Batch(MESSAGE, "k", [Destination(number(1))]))[0]
        )
        assert "lines" != pack_recipients(Batch(MESSAGE, "k", ["two\nlines"]))[0]


class TestExceptions:
    """
    Who fared otherwise, at rest.
    """

    @given(st.dictionaries(st.integers(0, 999), verdicts))
    def test_round_trip(self, exceptions: dict[int, Verdict]) -> None:
        """
        Exceptions are unpacked as they were packed, with outcomes that are outcomes.
        """
        again = unpack_exceptions(pack_exceptions(exceptions))

        assert exceptions == again
        assert all(type(each.outcome) is Outcome for each in again.values())

    def test_none(self) -> None:
        """
        No exceptions are nothing.
        """
        assert None is pack_exceptions({})
        assert {} == unpack_exceptions(None)

    def test_grouped(self) -> None:
        """
        A verdict is written once, however many share it.
        """
        exceptions = dict.fromkeys(range(0, 1000, 2), REJECTED)
        packed = pack_exceptions({**exceptions, 1: UNKNOWN})

        assert packed is not None
        assert 2 == len(msgspec.json.decode(packed))
        assert 1 == packed.count(b"7004")


class TestTransactions:
    """
    The platform's ids, at rest.
    """

    @given(st.lists(texts).map(tuple))
    def test_round_trip(self, ids: tuple[str, ...]) -> None:
        """
        Ids are unpacked as they were packed, empty ones included.
        """
        assert ids == unpack_transactions(pack_transactions(ids))

    def test_none(self) -> None:
        """
        No ids are nothing.
        """
        assert None is pack_transactions([])


class TestReplaced:
    """
    An outcome in place of another.
    """

    def test_wherever_it_is(self) -> None:
        """
        Without places, every one with the old outcome gets the new verdict.
        """
        result = replaced(
            result_of(NOT_SENT, ACCEPTED, NOT_SENT, REJECTED, ids=("", "t", "", "")),
            Outcome.NOT_SENT,
            PENDING,
        )

        assert [PENDING, ACCEPTED, PENDING, REJECTED] == [
            result.at(place) for place in range(4)
        ]
        assert [None, "t", None, None] == [row.transaction_id for row in result]
        assert 3 == result.attempts

    def test_at_places(self) -> None:
        """
        With places, only those of them that have the old outcome.
        """
        result = replaced(
            result_of(PENDING, PENDING, ACCEPTED), Outcome.PENDING, UNKNOWN, [1, 2]
        )

        assert [PENDING, UNKNOWN, ACCEPTED] == [result.at(each) for each in range(3)]

    def test_no_places(self) -> None:
        """
        No places are no one, not everyone.
        """
        result = replaced(result_of(PENDING, PENDING), Outcome.PENDING, UNKNOWN, [])

        assert {Outcome.PENDING: 2} == result.counts()

    @given(
        st.lists(verdicts, min_size=1, max_size=12), st.sampled_from(Outcome), verdicts
    )
    def test_nobody_else(
        self, found: list[Verdict], old: Outcome, new: Verdict
    ) -> None:
        """
        Nobody with another outcome is touched, and nobody is lost.
        """
        before = result_of(*found)

        after = replaced(before, old, new)

        assert [new if each.outcome is old else each for each in found] == [
            after.at(place) for place in range(len(found))
        ]
        assert len(before) == len(after) == after.counts().total()
        assert found == [before.at(place) for place in range(len(found))]

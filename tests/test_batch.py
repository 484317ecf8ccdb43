"""Batches, and what becomes of each recipient in one."""

from collections import Counter

import pytest
from hypothesis import given
from made_up import MESSAGE, number, results
from making import batch_of

from voicepush.errors import InputError
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Destination


class TestBatch:
    """
    The unit that is sent.
    """

    def test_generated_ids(self) -> None:
        """
        A correlation id that nobody gave is the batch's key and the place.
        """
        batch = batch_of(MESSAGE, "tag-7", [number(1), number(2), number(3)])

        assert ["tag-7-0", "tag-7-1", "tag-7-2"] == batch.correlation_ids

    def test_own_ids(self) -> None:
        """
        A given correlation id stands at its place; the others count on.
        """
        batch = batch_of(
            MESSAGE,
            "tag-7",
            [
                number(1),
                Destination(number(2), correlation_id="own"),
                Destination([number(3), number(4)]),
            ],
        )

        assert ["tag-7-0", "own", "tag-7-2"] == batch.correlation_ids

    def test_ids_of_a_full_batch(self) -> None:
        """
        The ids of a full batch are all there, and all different.
        """
        batch = batch_of(MESSAGE, "t-0", [number(each) for each in range(1000)])

        assert 1000 == len(set(batch.correlation_ids))
        assert "t-0-999" == batch.correlation_ids[-1]

    def test_too_many(self) -> None:
        """
        A batch never holds more than a request may.
        """
        with pytest.raises(InputError, match="at most 1000 destinations"):
            batch_of(MESSAGE, "t-0", [number(each) for each in range(1001)])

    def test_one_value_each(self) -> None:
        """
        A batch of bare msisdns weighs one per place, and needs no column for that.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])

        assert batch.recipients.widths is None
        assert [1, 1] == [batch.weigh([place]) for place in range(2)]
        assert (2, 2) == (batch.size, len(batch))

    def test_several_values(self) -> None:
        """
        A batch weighs what its destinations hold in values.
        """
        batch = batch_of(
            MESSAGE,
            "k",
            [
                number(1),
                Destination([number(2), number(3), number(4)]),
                Destination(number(5)),
            ],
        )

        assert [1, 3, 1] == list(batch.recipients.widths or ())
        assert [1, 3, 1] == [batch.weigh([place]) for place in range(3)]
        assert (5, 3) == (batch.size, len(batch))

    def test_one_kind(self) -> None:
        """
        Numbers and customer ids never share a batch.
        """
        with pytest.raises(InputError, match="can't stand in one block"):
            batch_of(MESSAGE, "k", [number(1), Destination(customer_id="Ann")])

    def test_weigh(self) -> None:
        """
        Some places weigh what stands at them.
        """
        bare = batch_of(MESSAGE, "k", [number(1), number(2), number(3)])
        mixed = batch_of(MESSAGE, "k", [number(1), Destination([number(2), number(3)])])

        assert [0, 2, 3] == [bare.weigh(places) for places in ([], [0, 2], range(3))]
        assert [0, 2, 3] == [mixed.weigh(places) for places in ([], [1], range(2))]


class TestBatchResult:
    """
    What became of a batch.
    """

    def test_untried(self) -> None:
        """
        Before its first attempt, everyone in a batch is pending.
        """
        result = BatchResult.untried(batch_of(MESSAGE, "k", [number(1), number(2)]))

        assert {Outcome.PENDING: 2} == result.counts()
        assert [0, 1] == result.places(Outcome.PENDING)
        assert [] == result.places(Outcome.ACCEPTED)
        assert (0, None) == (result.attempts, result.stop_reason)

    def test_of_places(self) -> None:
        """
        The most frequent verdict is the rule, the others are exceptions to it.
        """
        accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
        rejected = Verdict(Outcome.REJECTED, "7004", "invalid parameters")
        batch = batch_of(MESSAGE, "k", [number(each) for each in range(3)])

        result = BatchResult.of_places(
            batch,
            [accepted, rejected, accepted],
            ["a", "", "c"],
            attempts=2,
            stop_reason="7007",
        )

        assert accepted == result.verdict
        assert {1: rejected} == result.exceptions
        assert [accepted, rejected, accepted] == [result.at(each) for each in range(3)]
        assert ["a", None, "c"] == [result.transaction_id(each) for each in range(3)]
        assert (2, "7007") == (result.attempts, result.stop_reason)

    def test_iteration(self) -> None:
        """
        Each value has a row, in order; values of one destination share its fate.
        """
        batch = batch_of(
            MESSAGE,
            "k",
            [
                Destination([number(1), number(2)], correlation_id="pair"),
                number(3),
                number(4),
            ],
        )
        accepted = Verdict(Outcome.ACCEPTED, "1001", "Queued")
        rejected = Verdict(Outcome.REJECTED, "7004", "no")
        result = BatchResult.of_places(
            batch, [accepted, rejected, accepted], ["t0", "", "t2"]
        )

        assert [
            (number(1), *accepted, "t0", "pair"),
            (number(2), *accepted, "t0", "pair"),
            (number(3), *rejected, None, "k-0-1"),
            (number(4), *accepted, "t2", "k-0-2"),
        ] == list(result)
        assert 4 == len(result)
        assert {accepted: 3, rejected: 1} == result.reasons()
        assert {Outcome.ACCEPTED: 3, Outcome.REJECTED: 1} == result.counts()

    def test_one_transaction_for_all(self) -> None:
        """
        One transaction id stands for all whom the answer decided on.

        Whoever is to be sent again, or was not, has none.
        """
        outcomes = list(Outcome)
        batch = batch_of(MESSAGE, "k", list(map(number, range(len(outcomes)))))
        result = BatchResult.of_places(batch, list(map(Verdict, outcomes)), ["t"])

        assert {Outcome.ACCEPTED, Outcome.REJECTED, Outcome.UNKNOWN} == {
            row.outcome for row in result if row.transaction_id == "t"
        }
        assert {"t", None} == {row.transaction_id for row in result}

    @pytest.mark.parametrize("ids", [[], [""], ["", ""]])
    def test_no_transaction(self, ids: list[str]) -> None:
        """
        Where the API gave no transaction id, there is none.
        """
        batch = batch_of(MESSAGE, "k", [number(1), number(2)])
        accepted = Verdict(Outcome.ACCEPTED, "1001")

        for result in (
            BatchResult(batch, accepted, transaction_ids=ids),
            BatchResult.of_places(batch, [accepted] * 2, ids),
        ):
            assert [None, None] == [row.transaction_id for row in result]

    @given(results())
    def test_everything_agrees(self, result: BatchResult) -> None:
        """
        Rows, counts, reasons and places tell the same story.
        """
        rows = list(result)

        assert len(result) == len(rows) == result.batch.size
        assert Counter(row.outcome for row in rows) == result.counts()
        assert (
            Counter(Verdict(row.outcome, row.code, row.description) for row in rows)
            == result.reasons()
        )
        assert list(range(len(result.batch))) == sorted(
            place for outcome in Outcome for place in result.places(outcome)
        )
        assert all(
            outcome is result.at(place).outcome
            for outcome in Outcome
            for place in result.places(outcome)
        )
        assert 0 not in result.reasons().values()

    def test_exceptions_everywhere(self) -> None:
        """
        A rule that holds for nobody is no reason.
        """
        rejected = Verdict(Outcome.REJECTED, "7004")
        result = BatchResult(
            batch_of(MESSAGE, "k", [number(1)]), Verdict(Outcome.PENDING), {0: rejected}
        )

        assert [(rejected, 1)] == list(result.reasons().items())
        assert [(Outcome.REJECTED, 1)] == list(result.counts().items())

    @given(results())
    def test_of_places_gives_back_the_places(self, result: BatchResult) -> None:
        """
        Packing verdicts by place loses none of them.
        """
        verdicts = [result.at(place) for place in range(len(result.batch))]

        again = BatchResult.of_places(result.batch, verdicts)

        assert verdicts == [again.at(place) for place in range(len(result.batch))]
        assert len(again.exceptions) <= len(verdicts) - verdicts.count(again.verdict)

"""Cutting: nobody is lost, and as few requests are sent as can be."""

from collections.abc import Sequence
from itertools import count, pairwise

import attrs
from hypothesis import example, given
from hypothesis import strategies as st
from made_up import MESSAGE, number, several
from making import Entry, entries_in, entry_of

from voicepush.model.batch import Batch, Group, make_tag
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.sending.batching import Batcher


def cut(batcher: Batcher, *blocks: Sequence[Recipient]) -> list[Batch]:
    """
    All batches that *blocks* make, the last one included.
    """
    batches = [
        batch for block in blocks for batch in batcher.feed(Recipients.of(*block))
    ]
    return batches + list(batcher.flush())


numbers = st.integers(0, 9999).map(number)

mixtures = st.lists(numbers | st.builds(several, st.integers(1, 7)), max_size=20)

blocks_of_numbers = st.lists(st.lists(numbers, max_size=20), max_size=6)


class TestBatcher:
    """
    A stream, cut.
    """

    @given(
        st.lists(st.lists(numbers, max_size=20) | mixtures, max_size=6),
        st.integers(1, 9),
    )
    @example([[several(5)], ["a", "b"]], 3)
    @example([["a", several(1)], ["b", "c", "d"]], 2)
    @example([["a", "b", several(2)], ["c"] * 10], 3)
    def test_end_to_end(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Batches laid end to end give back the input, and none is larger than it may be.

        Larger is only a single destination that is larger by itself.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert [entry_of(each) for block in blocks for each in block] == [
            each for batch in batches for each in entries_in(batch.recipients)
        ]
        assert all(batch.size <= size or len(batch) == 1 for batch in batches)
        assert all(len(batch) > 0 for batch in batches)
        assert all(MESSAGE is batch.message for batch in batches)
        assert [f"t-{place}" for place in range(len(batches))] == [
            str(batch.id) for batch in batches
        ]

    @given(st.lists(mixtures, max_size=6), st.integers(1, 9))
    def test_as_few_as_possible(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        A batch ends only where the next destination does not fit.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        for batch, following in pairwise(batches):
            assert batch.size + following.weigh([0]) > size

    @given(blocks_of_numbers, st.integers(1, 9))
    def test_full(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Of bare msisdns, all batches but the last are full.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert all(size == batch.size for batch in batches[:-1])

    @given(blocks_of_numbers, st.integers(1, 9))
    def test_no_earlier_and_no_later(
        self, blocks: list[list[Recipient]], size: int
    ) -> None:
        """
        Feeding bare msisdns gives what is full by then, and keeps less than a batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=size)
        fed = 0
        for block in blocks:
            fed += len(block)
            given_now = list(batcher.feed(Recipients.of(*block)))
            assert all(size == batch.size for batch in given_now)
            fed -= sum(batch.size for batch in given_now)
            assert fed < size

    @given(
        st.lists(
            st.lists(
                numbers
                | st.builds(
                    Destination,
                    numbers,
                    correlation_id=st.sampled_from([None, "a", "b", "c"]),
                ),
                max_size=12,
            ),
            max_size=4,
        ),
        st.integers(1, 9),
    )
    def test_own_ids(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Two destinations with one correlation id never share a request.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert [entry_of(each) for block in blocks for each in block] == [
            each for batch in batches for each in entries_in(batch.recipients)
        ]
        assert all(
            len(batch) == len(set(batch.correlation_ids)) <= size for batch in batches
        )

    def test_own_ids_begin_anew(self) -> None:
        """
        An id that stands in an earlier batch ends no later one.
        """
        twins = [Destination(number(place), correlation_id="a") for place in range(3)]
        batches = cut(
            Batcher(Group(MESSAGE), tag="t", size=4),
            [number(3), twins[0]],
            [number(4), number(5), number(6)],
            [twins[1], twins[2], number(7)],
        )

        assert [4, 2, 2] == [batch.size for batch in batches]

    def test_default_size(self) -> None:
        """
        A batch holds 1,000 unless it is told otherwise.
        """
        batches = cut(
            Batcher(Group(MESSAGE), tag="t"), [number(each) for each in range(2500)]
        )

        assert [1000, 1000, 500] == [batch.size for batch in batches]

    def test_first(self) -> None:
        """
        The keys count on from the first.
        """
        batches = cut(
            Batcher(Group(MESSAGE), tag="t", size=1, numbers=count(7)), ["a", "b"]
        )

        assert ["t-7", "t-8"] == [str(batch.id) for batch in batches]

    def test_flush_of_nothing(self) -> None:
        """
        Where nothing waits, there is no last batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)

        assert 1 == len(list(batcher.feed(Recipients.of("a", "b"))))
        assert [] == list(batcher.flush())

    def test_given_once(self) -> None:
        """
        A batch is given once, however its reader takes it.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=9)
        assert [] == list(batcher.feed(Recipients.of("a", "b")))

        assert ["a", "b"] == list(next(batcher.flush()).recipients.values)
        assert [] == list(batcher.flush())

    def test_input_may_be_reused(self) -> None:
        """
        A list that is changed after it was fed changes no batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)
        values = ["a", "b", "c"]
        batches = list(batcher.feed(Recipients(Kind.MSISDN, values)))
        values.clear()
        batches += batcher.flush()

        assert [["a", "b"], ["c"]] == [
            list(batch.recipients.values) for batch in batches
        ]

    def test_tags(self) -> None:
        """
        Tags differ, and leave room for numbers in a correlation id.
        """
        tags = {make_tag() for _ in range(1000)}

        assert 1000 == len(tags)
        assert all(len(tag) <= 20 and tag.isalnum() for tag in tags)


class TestRows:
    """
    Where recipients stood, and what they looked like there.
    """

    @given(
        st.lists(st.lists(numbers, max_size=20) | mixtures, max_size=6),
        st.integers(1, 9),
        st.booleans(),
    )
    def test_each_keeps_its_own(
        self, blocks: list[list[Recipient]], size: int, as_list: bool
    ) -> None:
        """
        However a stream is cut, each destination keeps its row and its text.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=size)
        batches: list[Batch] = []
        expected: list[tuple[Entry, int, str | None]] = []
        row = 1
        for block in blocks:
            rows: Sequence[int] = range(row, row + len(block))
            row += len(block) + 1
            changed = {
                place: f"text of {rows[place]}" for place in range(0, len(block), 2)
            }
            expected += [
                (entry_of(each), rows[place], changed.get(place))
                for place, each in enumerate(block)
            ]
            batches += batcher.feed(
                attrs.evolve(
                    Recipients.of(*block),
                    rows=list(rows) if as_list else rows,
                    as_came=changed,
                )
            )
        batches += batcher.flush()

        assert expected == [
            (each, (batch.rows or ())[place], batch.as_came.get(place))
            for batch in (each.recipients for each in batches)
            for place, each in enumerate(entries_in(batch))
        ]

    def test_ranges_stay_ranges(self) -> None:
        """
        Rows that follow each other stay a range, also across blocks.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=4)
        everyone = list(map(number, range(10)))
        batches = [
            *batcher.feed(Recipients(Kind.MSISDN, everyone[:3], range(2, 5))),
            *batcher.feed(Recipients(Kind.MSISDN, everyone[3:], range(5, 12))),
            *batcher.flush(),
        ]

        assert [range(2, 6), range(6, 10), range(10, 12)] == [
            batch.recipients.rows for batch in batches
        ]
        assert [{}] * 3 == [batch.recipients.as_came for batch in batches]

    def test_unknown_rows(self) -> None:
        """
        A batch in which one came without its row knows none; the next one does.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)
        batches = [
            *batcher.feed(Recipients(Kind.MSISDN, [number(0)], [7])),
            *batcher.feed(Recipients(Kind.MSISDN, [number(1)])),
            *batcher.feed(Recipients(Kind.MSISDN, [number(2), number(3)], [8, 12])),
        ]

        assert [None, [8, 12]] == [batch.recipients.rows for batch in batches]

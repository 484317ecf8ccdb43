"""What a batch looks like at rest: nothing is lost, and little is written."""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voicepush.errors import LedgerError
from voicepush.ledger.decisions import replaced
from voicepush.ledger.index import (
    Column,
    _entries_of,
    _entries_one_by_one,
    bounds,
    merged_pages,
    numbers_in,
    parts,
    sorted_pages,
)
from voicepush.ledger.packing import (
    COLUMNS,
    TO_SEND,
    PackedRecipients,
    pack_exceptions,
    pack_recipients,
    pack_rows,
    pack_transactions,
    unpack_exceptions,
    unpack_recipients,
    unpack_rows,
    unpack_texts,
    unpack_transactions,
)
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Verdict
from voicepush.model.recipients import Kind, Recipients

T = TypeVar("T")

MESSAGE = VoiceMessage(media="welcome")

texts = st.text(st.characters(codec="utf-8"), max_size=10)


@given(
    steps=st.lists(st.integers(1, 3), max_size=20)
    | st.lists(st.integers(1, 255), max_size=20)
    | st.lists(st.integers(1, 3) | st.integers(-(2**40), 2**40), max_size=20),
    start=st.integers(0, 2**40),
)
def test_rows_of_any_order(steps: list[int], start: int) -> None:
    """
    Come back as they were, whether they are runs with gaps or stand alone.
    """
    rows = list(accumulate(steps, initial=start))

    assert rows == list(unpack_rows(pack_rows(rows)) or ())


def test_rows_that_stand_alone_take_little_room() -> None:
    """
    Those of one group among others take a byte each.
    """
    packed = pack_rows(range(5, 3_005, 3))

    assert packed is not None
    assert len(packed) < 1_010


@st.composite
def any_recipients(draw: st.DrawFn) -> Recipients:
    """
    Recipients with any mix of columns and any texts in them.
    """
    size = draw(st.integers(0, 6))

    def column(entries: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
        return st.lists(entries, min_size=size, max_size=size)

    widths = draw(st.none() | column(st.integers(1, 3)))
    many = size if widths is None else sum(widths)
    first = draw(st.integers(0, 2**40))
    return Recipients(
        draw(st.sampled_from(Kind)),
        draw(st.lists(texts, min_size=many, max_size=many)),
        draw(
            st.none()
            | st.just(range(first, first + size))
            | column(st.integers(1, 2**40))
        ),
        draw(st.none() | column(texts)),
        widths,
        draw(st.dictionaries(st.integers(0, 999), texts, max_size=3)),
        draw(st.dictionaries(texts, column(texts), max_size=3)),
    )


def columns(recipients: Recipients) -> tuple[object, ...]:
    """
    All that *recipients* hold, as values that can be compared.
    """

    def plain(column: Sequence[object] | None) -> list[object] | None:
        return None if column is None else list(column)

    return (
        recipients.kind,
        plain(recipients.values),
        plain(recipients.rows),
        plain(recipients.correlation_ids),
        plain(recipients.widths),
        dict(recipients.as_came),
        {header: plain(column) for header, column in recipients.kept.items()},
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
    values = [number(place) for place in range(len(found))]
    batch = Batch(BatchId("k", 0), Recipients(Kind.MSISDN, values), Group(MESSAGE))
    return BatchResult.of_places(batch, found, ids, attempts=3)


class TestRecipients:
    """
    Who is called, at rest.
    """

    @given(any_recipients())
    @example(Recipients(Kind.MSISDN, []))
    @example(Recipients(Kind.MSISDN, [""]))
    @example(Recipients(Kind.MSISDN, ["", ""]))
    @example(Recipients(Kind.MSISDN, ["a\nb"]))
    @example(Recipients(Kind.MSISDN, ["a\n", "b"], None, ["\n", ""]))
    @example(Recipients(Kind.CUSTOMER_ID, ["a\r", "b\x00", "\u2028"]))
    @example(Recipients(Kind.MSISDN, [], range(3, 3)))
    def test_round_trip(self, packed: Recipients) -> None:
        """
        Each column is unpacked as it was packed, and none comes to be or is lost.
        """
        assert columns(packed) == columns(unpack_recipients(pack_recipients(packed)))

    def test_msisdns(self) -> None:
        """
        Bare msisdns are lines, and cost nothing else.
        """
        packed = pack_recipients(Recipients(Kind.MSISDN, [number(1), number(2)]))

        assert PackedRecipients("msisdn", "+9995550001\n+9995550002") == packed

    def test_line_feeds(self) -> None:
        """
        What can't be lines is another type, which tells it apart.
        """
        packed = pack_recipients(
            Recipients(Kind.CUSTOMER_ID, ["two\nlines"], None, ["id"])
        )

        assert (b'["two\\nlines"]', "id") == (packed.packed, packed.ids)

    @given(any_recipients())
    def test_sending(self, packed: Recipients) -> None:
        """
        The columns for sending are enough to know who is called.
        """
        found = unpack_recipients(PackedRecipients(*pack_recipients(packed)[:4]))

        assert list(packed.values) == list(found.values)
        assert packed.correlation_ids == found.correlation_ids
        assert packed.widths == found.widths
        assert TO_SEND == COLUMNS[:4]


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


@pytest.mark.parametrize(
    "read",
    [
        lambda: unpack_rows(b"[0,1000000000000,0,1]"),
        lambda: unpack_rows(b"[5,-5]"),
        lambda: unpack_rows(b"[5,1,2]"),
        lambda: unpack_rows(b"+too"),
        lambda: unpack_rows(b"+12345678" + bytes(1000)),
        lambda: unpack_exceptions(b'[["rejected","7004","no","12"]]'),
        lambda: unpack_exceptions(b'[["gone","7004","no",[1]]]'),
        lambda: unpack_transactions('"abc"'),
        lambda: unpack_transactions("zabc"),
        lambda: unpack_texts(b"zlib\nLabc"),
        lambda: unpack_recipients(PackedRecipients("fax", "+9995550001")),
    ],
)
def test_what_is_damaged_is_refused(read: Callable[[], object]) -> None:
    """
    And not taken for something else.
    """
    with pytest.raises(LedgerError, match="is damaged; see voicepush check-ledger"):
        read()


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


#: Written into ledgers.
KEYS = [146418923, 55131502]


def by_hand(columns: Sequence[Column]) -> list[int]:
    """
    All entries of *columns*, without numpy and without pages.
    """
    return sorted(_entries_one_by_one(columns))


def column_of(number: int, found: list[str]) -> Column:
    """
    *found* as a column of the batch called *number*.
    """
    packed = pack_recipients(Recipients(Kind.MSISDN, found)).packed
    return Column(number, packed, len(found))


def looked_up(columns: Sequence[Column], value: str) -> set[int]:
    """
    The batches in which *value* may stand.
    """
    least, greatest = bounds(value)
    pages = [page.tobytes() for _, page in sorted_pages(columns)]
    return {each for page in pages for each in numbers_in(page, least, greatest)}


class TestIndex:
    """
    Where a value stands.
    """

    @pytest.mark.slow
    @settings(deadline=None)
    @given(st.lists(st.lists(texts, min_size=1), min_size=1))
    @example([["a" * 8, "b" * 8], ["c" * 8]])
    @example([["a" * 16, "b" * 9, ""], ["\N{SNOWMAN}"]])
    @example([["", ""]])
    @example([["with\na line feed", "b"], ["c"]])
    def test_every_text_is_found(self, found: list[list[str]]) -> None:
        """
        Whoever stands in a batch is found there, whichever way the entries were made.
        """
        columns = [column_of(number, each) for number, each in enumerate(found)]

        for few in (0, 2**15):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("voicepush.ledger.index._FEW", few)
                patch.setattr("voicepush.ledger.index._TOGETHER", 20)
                patch.setattr("voicepush.ledger.index.PAGE", 2)
                pages = list(sorted_pages(columns))
                there = {
                    text: looked_up(columns, text)
                    for each in found
                    for text in filter(None, each)
                }
            entries = [each for _, page in pages for each in page.cast("q")]

            assert by_hand(columns) == entries
            assert entries[::2] == [first for first, _ in pages]
            for number, each in enumerate(found):
                assert all(number in there[text] for text in filter(None, each))

    @given(st.lists(texts, min_size=1), st.integers(0, 2**32 - 1))
    def test_lengths(self, found: list[str], number: int) -> None:
        """
        Numpy takes texts of one length another way than others, with the same result.
        """
        for length in (1, 8, 13, 17):
            same = [f"{text:\N{SNOWMAN}<{length}}"[:length] for text in found]
            column = column_of(number, [text.replace("\n", "-") for text in same])
            expected = list(_entries_one_by_one([column]))

            assert expected == _entries_of([column], np).tolist()

    def test_few_share_a_key(self) -> None:
        """
        Numbers and ids that follow each other are spread as if by chance.
        """
        columns = [
            column_of(0, [number(place) for place in range(50_000)]),
            column_of(1, [f"order-{place}" for place in range(50_000)]),
            column_of(2, [f"{place:016}" for place in range(50_000)]),
        ]
        keys = [entry >> 32 for entry in by_hand(columns)]

        assert 31 >= max(keys).bit_length()
        # Some five are to be expected.
        assert 30 >= len(keys) - len(set(keys))

    def test_keys_stay(self) -> None:
        """
        A key is written into ledgers, and has to be the same for ever.
        """
        assert KEYS == [bounds(each)[0] >> 32 for each in ("+9995550001", "order-1")]


@settings(deadline=None)
@given(st.lists(st.lists(texts, min_size=1), min_size=1, max_size=6), st.integers(1, 4))
def test_merged_runs_hold_what_the_runs_held(found: list[list[str]], many: int) -> None:
    """
    In one order, whichever part is merged first.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voicepush.ledger.index.PAGE", 2)
        runs = [
            page.tobytes()
            for number, each in enumerate(found)
            for _, page in sorted_pages([column_of(number, each)])
        ]
        merged = [
            page
            for least, greatest in parts(many)
            for page in (merged_pages(runs, least, greatest) if runs else ())
        ]
    columns = [column_of(number, each) for number, each in enumerate(found)]
    entries = [each for _, page in merged for each in memoryview(page).cast("q")]

    assert by_hand(columns) == entries
    assert all(memoryview(page).cast("q")[0] == first for first, page in merged)

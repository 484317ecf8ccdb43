"""
What is let through and what is refused, block by block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from voicepush.model.recipients import Destination, Kind, Recipients
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Reason, Refusal, RefusalKind
from voicepush.screening.screening import Screened, Screening
from voicepush.screening.suppression import Suppressed
from voicepush.sources.blocks import Block, Malformed, from_iterable

ANN, BEN, CAT = "+447700900101", "+447700900102", "+447700900103"


def block_of(*entries: str | Destination) -> Block:
    """
    A block of *entries*, all of one kind, as a source gives it.
    """
    (block,) = from_iterable(list(entries))
    return block


def screen(screening: Screening, *entries: str | Destination) -> Screened:
    """
    What *screening* makes of a block of *entries*.
    """
    return screening.screen(block_of(*entries))


def values(screened: Screened) -> list[str]:
    """
    Who was let through.
    """
    return list(screened.recipients.values)


def rows(screened: Screened) -> list[int]:
    """
    The rows of those who were let through.
    """
    return list(screened.recipients.rows or ())


def destinations_in(screened: Screened) -> list[Destination]:
    """
    Those who were let through, as their owner would write them.
    """
    recipients = screened.recipients
    ids = recipients.correlation_ids or [""] * len(recipients)
    return [
        Destination(texts, correlation_id=own_id or None)
        if recipients.kind is Kind.MSISDN
        else Destination(customer_id=texts, correlation_id=own_id or None)
        for texts, own_id in zip(recipients.by_destination(), ids, strict=True)
    ]


def reasons(screened: Screened) -> list[tuple[int, str]]:
    """
    The row and reason of each refusal.
    """
    return [(refusal.row, refusal.reason) for refusal in screened.refusals]


def counts(screening: Screening) -> tuple[int, int, int, int]:
    """
    The counts of *screening*: read, invalid, duplicate, suppressed.
    """
    return (
        screening.read,
        screening.invalid,
        screening.duplicate,
        screening.suppressed,
    )


numbers = st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True)
written = st.text(
    st.sampled_from("+0123456789 -.()/\t\n\u00a0\u0664e,telx:"), max_size=20
)
some_texts = st.one_of(
    written,
    numbers,
    st.text(max_size=20),
    st.sampled_from([ANN, BEN, "447700900101", "+44 7700 900102", "n/a", CAT]),
)


def test_first_occurrence_wins() -> None:
    """
    A number is let through once, however it is written, within a block and later.
    """
    screening = Screening()

    first = screen(screening, ANN, "+44 7700 900101", BEN)
    second = screen(screening, "00447700900102", CAT)

    assert [ANN, BEN] == values(first)
    assert [1, 3] == rows(first)
    assert [(2, Reason.DUPLICATE)] == reasons(first)
    assert [CAT] == values(second)
    assert [(1, Reason.DUPLICATE)] == reasons(second)
    assert (5, 0, 2, 0) == counts(screening)


def test_without_duplicates() -> None:
    """
    On request duplicates pass, and nothing is remembered.
    """
    screening = Screening(duplicates=False)
    entry = Destination(customer_id="c", correlation_id="x")

    assert [ANN, ANN] == values(screen(screening, ANN, ANN))
    assert [entry, entry] == destinations_in(screen(screening, entry, entry))
    assert [entry] == destinations_in(screen(screening, entry))
    assert not len(screening._numbers)
    assert not len(screening._customer_ids)
    assert not len(screening._correlation_ids)


def test_destination_loses_bad_values() -> None:
    """
    A destination stays with its good values, and goes when it has none.
    """
    screening = Screening(suppressed=Suppressed(customer_ids={"c3"}))

    screened = screen(
        screening,
        Destination(["+44 7700 900101", "n/a", ANN, BEN], correlation_id="x"),
        Destination(["n/a", ANN], correlation_id="y"),
    )
    customers = screen(
        screening,
        Destination(customer_id=[" c1 ", "c1", " ", "c2", "c3"], correlation_id="y"),
    )
    again = screen(screening, ANN)

    assert [Destination([ANN, BEN], correlation_id="x")] == destinations_in(screened)
    assert [
        Destination(customer_id=["c1", "c2"], correlation_id="y")
    ] == destinations_in(customers)
    assert [1] == rows(screened) == rows(customers)
    assert [
        (1, Reason.NOT_A_NUMBER),
        (1, Reason.DUPLICATE),
        (2, Reason.NOT_A_NUMBER),
        (2, Reason.DUPLICATE),
    ] == reasons(screened)
    assert [
        (1, Reason.DUPLICATE),
        (1, Reason.EMPTY),
        (1, Reason.SUPPRESSED),
    ] == reasons(customers)
    assert [(1, Reason.DUPLICATE)] == reasons(again)
    assert (12, 3, 4, 1) == counts(screening)


def test_destination_that_lost_all_but_one_is_like_others() -> None:
    """
    Where each destination is left with one value, there are no widths any more.
    """
    screened = screen(Screening(), Destination([ANN, "n/a"]), BEN)

    assert [ANN, BEN] == values(screened)
    assert screened.recipients.widths is None


def test_repeated_correlation_id() -> None:
    """
    A correlation id that was used before makes all values under it invalid.
    """
    screening = Screening()

    screened = screen(
        screening,
        Destination(ANN, correlation_id="x"),
        Destination([BEN, CAT], correlation_id="x"),
        BEN,
    )
    later = screen(screening, Destination(CAT, correlation_id="x"))

    assert [Destination(ANN, correlation_id="x"), Destination(BEN)] == destinations_in(
        screened
    )
    assert [(2, Reason.REPEATED_ID)] * 2 == reasons(screened)
    assert RefusalKind.INVALID is screened.refusals[0].kind
    assert [(1, Reason.REPEATED_ID)] == reasons(later)


def test_an_id_that_was_not_used_is_free() -> None:
    """
    The id of someone who was refused may be used by the next, in the same block too.
    """
    screened = screen(
        Screening(),
        Destination("n/a", correlation_id="x"),
        Destination(ANN, correlation_id="y"),
        Destination(ANN, correlation_id="x"),
        Destination(BEN, correlation_id="x"),
        Destination(CAT, correlation_id="x"),
    )

    assert [ANN, BEN] == values(screened)
    assert [2, 4] == rows(screened)
    assert ["y", "x"] == list(screened.recipients.correlation_ids or ())
    assert [
        (1, Reason.NOT_A_NUMBER),
        (3, Reason.DUPLICATE),
        (5, Reason.REPEATED_ID),
    ] == reasons(screened)


def test_ids_in_our_own_form_are_refused() -> None:
    """
    A correlation id such as voicepush makes is refused, with and without duplicates.
    """
    for dropped in (True, False):
        screening = Screening(duplicates=dropped)

        customers = screen(
            screening, Destination(customer_id="c", correlation_id="abcdef0123-0")
        )
        screened = screen(
            screening,
            Destination([ANN, BEN], correlation_id="0123456789-17-3"),
            Destination(CAT, correlation_id="order-17"),
        )

        assert [] == destinations_in(customers)
        assert [Destination(CAT, correlation_id="order-17")] == destinations_in(
            screened
        )
        assert [(1, Reason.GENERATED_ID)] == reasons(customers)
        assert [(1, Reason.GENERATED_ID)] * 2 == reasons(screened)
        assert (4, 3, 0, 0) == counts(screening)


def test_what_was_changed_is_kept_as_it_came() -> None:
    """
    Beside the recipients stand the texts of those that were changed, by place.
    """
    national = screen(Screening(country="GB"), "7700900101", "07700 900102", CAT)
    plain = screen(Screening(), ANN, BEN, ANN)
    several = screen(
        Screening(),
        ANN,
        "n/a",
        "+44 7700 900102",
        Destination(["n/a", CAT, "00447700900104", "+44-7700-900105"]),
    )
    customers = screen(
        Screening(),
        Destination(customer_id=[" c1 ", "c2"]),
        Destination(customer_id="c3"),
    )

    assert {0: "7700900101", 1: "07700 900102"} == national.recipients.as_came
    assert {} == plain.recipients.as_came
    assert {1: "+44 7700 900102", 2: "00447700900104"} == several.recipients.as_came
    assert [1, 3, 4] == rows(several)
    assert {0: " c1 "} == customers.recipients.as_came
    assert [1, 2] == rows(customers)


def test_what_a_reader_had_changed_came_as_the_reader_says() -> None:
    """
    Texts that a reader keeps lead back further than those it gives.
    """
    read = Recipients(
        Kind.CUSTOMER_ID,
        [" c1", "c1", " c2"],
        [4, 5, 6],
        as_came={0: '="c1"', 1: "'c1"},
    )

    screened = Screening().screen(Block(read))

    assert ["c1", "c2"] == values(screened)
    assert {0: '="c1"', 1: " c2"} == screened.recipients.as_came
    assert [Refusal(5, "'c1", Reason.DUPLICATE, RefusalKind.DUPLICATE)] == (
        screened.refusals
    )


def test_columns_to_keep_go_along() -> None:
    """
    What the owner asked to keep stays with those who are let through.
    """
    read = Recipients(
        Kind.MSISDN, [ANN, "n/a", BEN], kept={"language": ["en", "hi", "ta"]}
    )

    screened = Screening().screen(Block(read))

    assert {"language": ["en", "ta"]} == screened.recipients.kept
    assert [(2, Reason.NOT_A_NUMBER)] == reasons(screened)


@given(
    st.lists(st.one_of(numbers, some_texts), max_size=20),
    st.sampled_from([{}, {"country": "GB"}, {"international": True}]),
)
def test_as_came_leads_back(entries: list[str], options: Any) -> None:
    """
    Whatever comes in, each recipient and its row lead back to the text as it came.
    """
    block = Block(Recipients(Kind.MSISDN, entries, range(1, len(entries) + 1)))

    recipients = Screening(**options).screen(block).recipients

    for place, recipient in enumerate(recipients.values):
        text = entries[(recipients.rows or ())[place] - 1]
        assert text == recipients.as_came.get(place, recipient)
        assert recipient == normalise(text, **options)


def test_what_is_no_recipient() -> None:
    """
    Things that are no text, and malformed rows, are refused and never raise.
    """
    screening = Screening()
    things: list[Any] = [447700900101, None, ANN]
    broken = Block(Recipients(Kind.MSISDN, (), ()), [Malformed(3, "{", "broken")])

    screened = [screening.screen(block) for block in from_iterable(things)]
    screened.append(screening.screen(broken))

    assert [ANN] == [value for each in screened for value in values(each)]
    assert [
        Refusal(1, "<int>", Reason.NOT_A_TEXT),
        Refusal(2, "<NoneType>", Reason.NOT_A_TEXT),
        Refusal(3, "{", "broken"),
    ] == [refusal for each in screened for refusal in each.refusals]
    assert Counter({Reason.NOT_A_TEXT: 2, "broken": 1}) == screening.reasons
    assert (4, 3, 0, 0) == counts(screening)


def test_refusals_come_in_order() -> None:
    """
    Refusals are in the order of the rows, whatever their reasons.
    """
    screening = Screening(suppressed=Suppressed({CAT}))
    read = Recipients(Kind.MSISDN, [ANN, ANN, CAT, "n/a", ANN], [1, 2, 3, 4, 6])

    screened = screening.screen(Block(read, [Malformed(5, "{", "broken")]))

    assert [2, 3, 4, 5, 6] == [refusal.row for refusal in screened.refusals]
    assert [
        RefusalKind.DUPLICATE,
        RefusalKind.SUPPRESSED,
        RefusalKind.INVALID,
        RefusalKind.INVALID,
        RefusalKind.DUPLICATE,
    ] == [refusal.kind for refusal in screened.refusals]


def test_line_feeds_do_not_make_two_of_one() -> None:
    """
    A text of two numbers is neither two recipients nor a way around the check.
    """
    screened = screen(Screening(), f"{ANN}\n{BEN}", CAT)
    trailing = screen(Screening(), ANN, "")

    assert [CAT] == values(screened)
    assert [ANN] == values(trailing)


def test_hides_numbers() -> None:
    """
    Refusals and screened blocks do not show numbers in a log.
    """
    screened = screen(Screening(), ANN, ANN)

    assert "900101" not in f"{screened!r} {screened.refusals!r}"


destinations = st.one_of(
    st.builds(
        Destination,
        st.lists(some_texts.filter(bool), min_size=1, max_size=4),
        correlation_id=st.sampled_from([None, "x", "y", "0123456789-1-2"]),
    ),
    st.builds(
        Destination,
        customer_id=st.lists(st.sampled_from(["a", " a", "b", " "]), min_size=1),
        correlation_id=st.sampled_from([None, "x", "z"]),
    ),
)
odd = st.one_of(st.none(), st.integers(), st.binary())
SUPPRESSED = Suppressed({CAT}, {"b"})


@given(
    st.lists(st.one_of(some_texts, some_texts, destinations, odd), max_size=30),
    st.integers(1, 8),
    st.booleans(),
    st.sampled_from([None, SUPPRESSED]),
)
def test_counts_add_up(
    entries: list[Any], size: int, duplicates: bool, suppressed: Suppressed | None
) -> None:
    """
    Whatever comes in: what is read is let through or refused, and never raises.
    """
    screening = Screening(duplicates=duplicates, suppressed=suppressed)
    blocks = list(from_iterable(entries, size=size))

    screened = [screening.screen(block) for block in blocks]

    let_through = [value for each in screened for value in values(each)]
    refused = sum(len(each.refusals) for each in screened)
    came_in = sum(
        len(entry.values) if isinstance(entry, Destination) else 1 for entry in entries
    )
    assert came_in == screening.read == len(let_through) + refused
    assert refused == screening.invalid + screening.duplicate + screening.suppressed
    assert refused == screening.reasons.total()
    assert all(len(rows(each)) == len(each.recipients) for each in screened)
    if duplicates:
        assert len(set(let_through)) == len(let_through)


@given(
    st.lists(
        st.one_of(
            some_texts.filter(bool).map(Destination),
            st.builds(
                Destination,
                st.lists(
                    st.sampled_from([ANN, BEN, CAT, "n/a", "+447700900104"]),
                    min_size=1,
                    max_size=3,
                ),
                correlation_id=st.sampled_from([None, "w", "x", "y", "z"]),
            ),
        ),
        min_size=1,
        max_size=30,
    ),
    st.sampled_from([None, "+44"]),
    st.sampled_from([None, SUPPRESSED]),
)
def test_blocks_are_screened_as_one_by_one(
    entries: list[Destination], country: str | None, suppressed: Suppressed | None
) -> None:
    """
    A block is screened as its entries are when each comes alone.
    """
    together = Screening(country=country, suppressed=suppressed)
    alone = Screening(country=country, suppressed=suppressed)

    fast = screen(together, *entries)
    slow = [alone.screen(Block(block_of(entry).recipients[:1])) for entry in entries]

    assert destinations_in(fast) == [
        destination for each in slow for destination in destinations_in(each)
    ]
    assert rows(fast) == [row for row, each in enumerate(slow, 1) if values(each)]
    assert [
        (refusal.recipient, row)
        for row, each in enumerate(slow, 1)
        for refusal in each.refusals
    ] == [(refusal.recipient, refusal.row) for refusal in fast.refusals]
    assert [came for each in slow for came in as_came(each.recipients)] == as_came(
        fast.recipients
    )


def as_came(recipients: Recipients) -> Sequence[str | None]:
    """
    For each destination the text that was changed, if one was.
    """
    return [recipients.as_came.get(place) for place in range(len(recipients))]


@given(
    st.lists(st.one_of(numbers, some_texts), min_size=1, max_size=30),
    st.sampled_from([None, "+44"]),
    st.sampled_from([None, SUPPRESSED]),
)
def test_numbers_are_screened_as_one_by_one(
    entries: list[str], country: str | None, suppressed: Suppressed | None
) -> None:
    """
    A block of bare numbers is screened as each alone, with the same reasons.
    """
    together = Screening(country=country, suppressed=suppressed)
    alone = Screening(country=country, suppressed=suppressed)

    fast = screen(together, *entries)
    slow = [screen(alone, entry) for entry in entries]

    assert [value for each in slow for value in values(each)] == values(fast)
    assert [
        (row, refusal.recipient, refusal.reason, refusal.kind)
        for row, each in enumerate(slow, 1)
        for refusal in each.refusals
    ] == [
        (refusal.row, refusal.recipient, refusal.reason, refusal.kind)
        for refusal in fast.refusals
    ]
    assert together.reasons == alone.reasons

"""
Normal form, refusals with their reasons, duplicates, and lists of those not to call.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicepush.errors import InputError
from voicepush.model.recipients import Destination, values_of
from voicepush.screening import duplicates
from voicepush.screening.msisdn import normalise
from voicepush.screening.refusals import Kind, Reason, Refusal
from voicepush.screening.screening import Screened, Screening
from voicepush.screening.suppression import Suppressed, Unusable
from voicepush.sources.blocks import Block, Malformed, from_iterable

# A region's numbering plan is made into an expression when it is first needed.
unhurried = settings(deadline=None)

ANN, BEN, CAT = "+447700900101", "+447700900102", "+447700900103"
VALID = "+18005550199"


def screen(screening: Screening, *entries: Any) -> Screened:
    """
    What *screening* makes of a block of *entries*.
    """
    return screening.screen(Block(range(1, len(entries) + 1), list(entries)))


def reasons(screened: Screened) -> list[tuple[int, str]]:
    """
    The row and reason of each refusal.
    """
    return [(refusal.row, refusal.reason) for refusal in screened.refusals]


# Normal form.


@pytest.mark.parametrize(
    "text",
    [
        "+447700900101",
        "00447700900101",
        " +44 7700 900101\t",
        "+44 (0) 7700 900101",
        "0044(0)7700-900101",
        "(+44) 7700/900.101",
        "tel:+44-7700-900101",
        "TEL: +447700900101",
        "+44\u00a07700\u2011900\u2013101",
        "\u202a+447700900101\u202c",
        "\uff0b\uff14\uff14\uff17\uff17\uff10\uff10\uff19\uff10\uff10\uff11\uff10\uff11",
        "+٤٤٧٧٠٠٩٠٠١٠١",
        "+44\u22127700900101",
        "'+447700900101",
        "' +447700900101",
        '="+447700900101"',
        "=+447700900101",
        "+447700900101.0",
    ],
)
def test_ways_of_writing(text: str) -> None:
    """
    The usual ways of writing a number have one normal form.
    """
    assert ANN == normalise(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", Reason.EMPTY),
        (" \t\u00a0", Reason.EMPTY),
        ("n/a", Reason.NOT_A_NUMBER),
        ("-", Reason.NOT_A_NUMBER),
        ("+", Reason.NOT_A_NUMBER),
        ("447700900101 ext 5", Reason.NOT_A_NUMBER),
        ("44+7700900101", Reason.NOT_A_NUMBER),
        ("447700900101,447700900102", Reason.SEVERAL),
        ("+44 7700 900101 / +44 7700 900102", Reason.SEVERAL),
        ("5550101\n5550102", Reason.SEVERAL),
        ("+5550101 5550102", Reason.SEVERAL),
        ("+5550101\t2", Reason.NOT_A_NUMBER),
        ("'", Reason.EMPTY),
        ("=A1+B2", Reason.NOT_A_NUMBER),
        ("44770090010\u00b2", Reason.NOT_A_NUMBER),
        ("4.47701E+11", Reason.ROUNDED),
        ("4,47701e11", Reason.ROUNDED),
        ("+447700900101.00", Reason.ROUNDED),
        ("07700 900101", Reason.NO_COUNTRY),
        ("9876543210", Reason.NO_COUNTRY),
        ("447700900101.0", Reason.NO_COUNTRY),
        ("+07700900101", Reason.ZERO),
        ("0007700900101", Reason.ZERO),
        ("+447700", Reason.TOO_SHORT),
        ("+123", Reason.TOO_SHORT),
        (f"+{'1' * 16}", Reason.TOO_LONG),
    ],
)
def test_reasons(text: str, reason: Reason) -> None:
    """
    What has no normal form is refused with what is wrong about it.
    """
    assert reason is normalise(text)


written = st.text(
    st.sampled_from("+0123456789 -.()/\t\n\u00a0\u0664e,telx:"), max_size=20
)
numbers = st.from_regex(r"\+?[1-9][0-9]{6,14}", fullmatch=True)
texts = st.one_of(written, numbers, st.text(max_size=20))


@unhurried
@given(texts, st.sampled_from([None, "+44", "GB", "US", "international"]))
def test_normal_form(text: str, country: str | None) -> None:
    """
    The result is a plus and 7 to 15 ASCII digits, and is its own normal form.
    """
    international = country == "international"
    country = None if international else country

    found = normalise(text, country=country, international=international)

    if not isinstance(found, Reason):
        assert found.isascii()
        assert found[0] == "+"
        assert found[1:].isdigit()
        assert found[1] != "0"
        assert 7 <= len(found[1:]) <= 15
        assert found == normalise(found, country=country)


some_texts = st.one_of(
    texts, st.sampled_from([ANN, BEN, "447700900101", "+44 7700 900102", "n/a", CAT])
)

# National numbers.


@pytest.mark.parametrize("country", ["GB", "gb", "+44", "44", "0044"])
@pytest.mark.parametrize(
    "text", ["07700 900101", "7700900101", "447700900101", "0044 7700 900101", ANN]
)
def test_ways_to_name_a_country(country: str, text: str) -> None:
    """
    A calling code means its main region, and completes numbers as the region does.
    """
    assert ANN == normalise(text, country=country)


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("+447700900101", "US", ANN),
        ("(800) 555-0199", "US", VALID),
        ("1 800 555 0199", "US", VALID),
        ("06 1234 5678", "IT", "+390612345678"),
        ("18005550199", "GB", Reason.NOT_NATIONAL),
        ("5550199", "US", Reason.NOT_NATIONAL),
        ("0555010199", "US", Reason.NOT_NATIONAL),
        ("0123", "IN", Reason.NOT_NATIONAL),
        ("0", "GB", Reason.NOT_NATIONAL),
        ("1", "GB", Reason.NOT_NATIONAL),
        ("7700900101.0", "GB", ANN),
        ("'07700900101", "GB", ANN),
        ('="07700900101"', "GB", ANN),
        ("7.700900101E+9", "GB", ANN),
        ("7.70090E+9", "GB", Reason.ROUNDED),
        ("\u00a007700\u00a0900101", "GB", ANN),
    ],
)
def test_country(text: str, country: str, expected: str) -> None:
    """
    Numbers are completed by their country's own rules, or refused.
    """
    assert expected == normalise(text, country=country)


@pytest.mark.parametrize("country", ["IN", "+91"])
def test_ten_digits(country: str) -> None:
    """
    Ten digits with a country are of that country, and never another calling code.
    """
    assert "+919876543210" == normalise("9876543210", country=country)
    assert "+919876543210" == normalise("919876543210", country=country)
    assert "+919876543210" == normalise("0 98765 43210", country=country)
    assert Reason.NO_COUNTRY is normalise("9876543210")


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        # Ten digits, or eight after the calling code; only the first is in the plan.
        ("9123456789", "IN", "+919123456789"),
        # Twelve digits, or ten after the calling code; the plan has neither.
        ("915550101234", "IN", Reason.AMBIGUOUS),
        # Leer's area code is 491, so this may be one of its numbers, or a mobile.
        ("4917012345678", "DE", Reason.AMBIGUOUS),
        ("+4917012345678", "DE", "+4917012345678"),
        ("017012345678", "DE", "+4917012345678"),
    ],
)
def test_two_readings(text: str, country: str, expected: str) -> None:
    """
    Where both readings are possible the valid one is taken, if exactly one is.
    """
    assert expected == normalise(text, country=country)


def test_international() -> None:
    """
    On request numbers without a plus begin with their calling code, but for a 0.
    """
    assert ANN == normalise("447700900101", international=True)
    assert ANN == normalise("44 7700 900101", international=True)
    assert Reason.ZERO is normalise("07700900101", international=True)
    with pytest.raises(InputError, match="both can't be"):
        Screening(country="GB", international=True)


REGIONS = ["GB", "US", "IN", "IT", "DE", "RU", "BR", "AR", "MX", "HU", "LT", "SG"]


@unhurried
@given(st.sampled_from(REGIONS), st.data())
def test_region_agrees_with_the_library(region: str, data: st.DataObject) -> None:
    """
    A valid national number, with or without its trunk prefix, is completed as
    *phonenumbers* does.
    """
    library: Any = phonenumbers
    plan = library.PhoneMetadata.metadata_for_region(region)
    pattern = plan.mobile.national_number_pattern
    digits = data.draw(st.from_regex(rf"\A(?:{pattern})\Z", alphabet="0123456789"))
    trunk = data.draw(st.sampled_from(["", plan.national_prefix or ""]))
    parsed = library.parse(trunk + digits, region)
    e164 = library.format_number(parsed, library.PhoneNumberFormat.E164)

    if library.is_valid_number(parsed):
        assert normalise(trunk + digits, country=region) in (e164, Reason.AMBIGUOUS)


@pytest.mark.parametrize(
    "country", ["XX", "Narnia", "", "+0", "+999", "+4444", "4 4", "\u0130N"]
)
def test_unknown_country(country: str) -> None:
    """
    A country that is none is refused.
    """
    with pytest.raises(InputError, match=re.escape(f"the country {country!r} is")):
        Screening(country=country)


@unhurried
@given(
    st.sampled_from(REGIONS),
    st.lists(st.from_regex(r"\A[0-9]{5,13}\Z", alphabet="0123456789"), max_size=6),
    st.data(),
)
def test_columns_are_completed_as_one_by_one(
    region: str, others: list[str], data: st.DataObject
) -> None:
    """
    A column of national numbers is completed as each of them is alone.
    """
    plan: Any = phonenumbers.PhoneMetadata.metadata_for_region(region)
    pattern = rf"\A(?:{plan.country_code})?(?:{plan.mobile.national_number_pattern})\Z"
    usual = st.from_regex(pattern, alphabet="0123456789")
    column = [*data.draw(st.lists(usual, min_size=1, max_size=6)), *others]
    alone = [normalise(text, country=region) for text in column]

    screened = screen(Screening(country=region, duplicates=False), *column)

    assert [each for each in alone if not isinstance(each, Reason)] == list(
        screened.recipients
    )
    assert [each for each in alone if isinstance(each, Reason)] == [
        refusal.reason for refusal in screened.refusals
    ]


# Numbering plans.


def test_validity() -> None:
    """
    On request, numbers that their country's plan does not have are refused.
    """
    screening = Screening(validity=True)

    screened = screen(screening, VALID, ANN, "+9990000000", "n/a")
    again = screen(screening, Destination([ANN, "+18005550198"]))

    assert [VALID] == screened.recipients
    assert [
        (2, Reason.NOT_IN_USE),
        (3, Reason.NOT_IN_USE),
        (4, Reason.NOT_A_NUMBER),
    ] == reasons(screened)
    assert [Destination("+18005550198")] == again.recipients


@unhurried
@given(st.data())
def test_validity_agrees_with_the_library(data: st.DataObject) -> None:
    """
    What is valid is what *phonenumbers* says is valid as it stands.
    """
    library: Any = phonenumbers
    codes = library.COUNTRY_CODE_TO_REGION_CODE
    code = data.draw(st.sampled_from(sorted(codes)))
    region = data.draw(st.sampled_from(codes[code]))
    plan = library.PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    kinds = [plan.fixed_line, plan.mobile, plan.toll_free, plan.general_desc]
    patterns = [kind.national_number_pattern for kind in kinds if kind]
    pattern = data.draw(st.sampled_from([each for each in patterns if each]))
    digits = data.draw(st.from_regex(rf"\A(?:{pattern})\Z", alphabet="0123456789"))
    number = f"+{code}{digits}"
    if isinstance(normalise(number), Reason):
        return
    parsed = library.parse(number)
    as_it_stands = number == library.format_number(
        parsed, library.PhoneNumberFormat.E164
    )

    screened = screen(Screening(validity=True), number)

    assert (as_it_stands and library.is_valid_number(parsed)) is bool(
        screened.recipients
    )


# Screening.


def test_first_occurrence_wins() -> None:
    """
    A number is let through once, however it is written, within a block and later.
    """
    screening = Screening()

    first = screen(screening, ANN, "+44 7700 900101", BEN)
    second = screen(screening, "00447700900102", CAT)

    assert [ANN, BEN] == first.recipients
    assert [1, 3] == first.rows
    assert [(2, Reason.DUPLICATE)] == reasons(first)
    assert [CAT] == second.recipients
    assert [(1, Reason.DUPLICATE)] == reasons(second)
    assert (5, 0, 2, 0) == counts(screening)


def test_without_duplicates() -> None:
    """
    On request duplicates pass, and nothing is remembered.
    """
    screening = Screening(duplicates=False)
    entry = Destination(customer_id="c", correlation_id="x")

    assert [ANN, ANN] == screen(screening, ANN, ANN).recipients
    assert [ANN, entry, entry] == screen(screening, ANN, entry, entry).recipients
    assert not screening._numbers._texts
    assert not screening._customer_ids
    assert not screening._correlation_ids


def test_destination_loses_bad_values() -> None:
    """
    A destination stays with its good values, and goes when it has none.
    """
    screening = Screening(suppressed=Suppressed(customer_ids={"c3"}))
    entries = [
        Destination(["+44 7700 900101", "n/a", ANN, BEN], correlation_id="x"),
        Destination(["n/a", ANN], correlation_id="y"),
        Destination(customer_id=[" c1 ", "c1", " ", "c2", "c3"], correlation_id="y"),
        ANN,
    ]

    screened = screen(screening, *entries)

    assert [
        Destination([ANN, BEN], correlation_id="x"),
        Destination(customer_id=["c1", "c2"], correlation_id="y"),
    ] == screened.recipients
    assert [1, 3] == screened.rows
    assert [
        (1, Reason.NOT_A_NUMBER),
        (1, Reason.DUPLICATE),
        (2, Reason.NOT_A_NUMBER),
        (2, Reason.DUPLICATE),
        (3, Reason.DUPLICATE),
        (3, Reason.EMPTY),
        (3, Reason.SUPPRESSED),
        (4, Reason.DUPLICATE),
    ] == reasons(screened)
    assert (12, 3, 4, 1) == counts(screening)


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

    assert [Destination(ANN, correlation_id="x"), BEN] == screened.recipients
    assert [(2, Reason.REPEATED_ID)] * 2 == reasons(screened)
    assert Kind.INVALID is screened.refusals[0].kind


def test_ids_in_our_own_form_are_refused() -> None:
    """
    A correlation id such as voicepush makes is refused, with and without duplicates.
    """
    for dropped in (True, False):
        screening = Screening(duplicates=dropped)

        screened = screen(
            screening,
            Destination([ANN, BEN], correlation_id="0123456789-17-3"),
            Destination(customer_id="c", correlation_id="abcdef0123-0"),
            Destination(CAT, correlation_id="order-17"),
        )

        assert [Destination(CAT, correlation_id="order-17")] == screened.recipients
        assert [
            (1, Reason.GENERATED_ID),
            (1, Reason.GENERATED_ID),
            (2, Reason.GENERATED_ID),
        ] == reasons(screened)
        assert (4, 3, 0, 0) == counts(screening)


def test_what_was_changed_is_kept_as_it_came() -> None:
    """
    Beside the recipients stand the texts of those that were changed, by place.
    """
    national = screen(Screening(country="GB"), "7700900101", "07700 900102", CAT)
    plain = screen(Screening(), ANN, BEN, ANN)
    mixed = screen(
        Screening(),
        ANN,
        "n/a",
        "+44 7700 900102",
        Destination(["n/a", CAT, "00447700900104", "+44-7700-900105"]),
        Destination(customer_id=[" c1 ", "c2"]),
        Destination(customer_id="c3"),
    )

    assert {0: "7700900101", 1: "07700 900102"} == national.as_came
    assert {} == plain.as_came
    assert {1: "+44 7700 900102", 2: "00447700900104", 3: " c1 "} == mixed.as_came
    assert [1, 3, 4, 5, 6] == mixed.rows


@given(
    st.lists(st.one_of(numbers, some_texts), max_size=20),
    st.booleans(),
    st.sampled_from([{}, {"country": "GB"}, {"international": True}]),
)
def test_as_came_leads_back(entries: list[str], mix: bool, options: Any) -> None:
    """
    Whatever comes in, each recipient and its row lead back to the text as it came.
    """
    block = [*entries, None] if mix else entries

    screened = screen(Screening(**options), *block)

    for place, recipient in enumerate(screened.recipients):
        text = entries[screened.rows[place] - 1]
        assert text == screened.as_came.get(place, recipient)
        assert recipient == normalise(text, **options)


def test_what_is_no_recipient() -> None:
    """
    Things that are no text, and malformed rows, are refused and never raise.
    """
    screening = Screening()

    screened = screen(screening, 447700900101, None, Malformed("{", "broken"), ANN)

    assert [ANN] == screened.recipients
    assert [
        Refusal(1, "<int>", Reason.NOT_A_TEXT),
        Refusal(2, "<NoneType>", Reason.NOT_A_TEXT),
        Refusal(3, "{", "broken"),
    ] == screened.refusals
    assert Counter({Reason.NOT_A_TEXT: 2, "broken": 1}) == screening.reasons


def test_refusals_come_in_order() -> None:
    """
    Refusals are in the order of the rows, whatever their reasons.
    """
    screening = Screening(suppressed=Suppressed.read())
    screening._suppressed.numbers.add(447700900103)

    screened = screen(screening, ANN, ANN, CAT, "n/a", ANN)

    assert [2, 3, 4, 5] == [refusal.row for refusal in screened.refusals]
    assert [Kind.DUPLICATE, Kind.SUPPRESSED, Kind.INVALID, Kind.DUPLICATE] == [
        refusal.kind for refusal in screened.refusals
    ]


def test_line_feeds_do_not_make_two_of_one() -> None:
    """
    A text of two numbers is neither two recipients nor a way around the check.
    """
    screened = screen(Screening(), f"{ANN}\n{BEN}", CAT)
    trailing = screen(Screening(), ANN, "")

    assert [CAT] == screened.recipients
    assert [ANN] == trailing.recipients


def test_hides_numbers() -> None:
    """
    Refusals and screened blocks do not show numbers in a log.
    """
    screened = screen(Screening(), ANN, ANN)

    assert "900101" not in f"{screened!r} {screened.refusals!r}"


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


destinations = st.one_of(
    st.builds(
        Destination,
        st.lists(some_texts.filter(bool), min_size=1, max_size=4),
        correlation_id=st.sampled_from([None, "x", "y"]),
    ),
    st.builds(
        Destination,
        customer_id=st.lists(st.sampled_from(["a", " a", "b", " "]), min_size=1),
    ),
)
odd = st.one_of(
    st.none(), st.integers(), st.binary(), st.builds(Malformed, st.text(), st.just("r"))
)
SUPPRESSED = Suppressed(customer_ids={"b"})
SUPPRESSED.numbers.add(447700900103)


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

    let_through = [
        value
        for each in screened
        for recipient in each.recipients
        for value in values_of(recipient)
    ]
    refused = sum(len(each.refusals) for each in screened)
    came_in = sum(
        len(entry.values) if isinstance(entry, Destination) else 1 for entry in entries
    )
    assert came_in == screening.read == len(let_through) + refused
    assert refused == screening.invalid + screening.duplicate + screening.suppressed
    assert refused == screening.reasons.total()
    assert all(len(each.rows) == len(each.recipients) for each in screened)
    if duplicates:
        assert len(set(let_through)) == len(let_through)


@given(
    st.lists(st.one_of(numbers, some_texts), min_size=1, max_size=30),
    st.sampled_from([None, "+44"]),
    st.sampled_from([None, SUPPRESSED]),
)
def test_blocks_are_screened_as_one_by_one(
    entries: list[str], country: str | None, suppressed: Suppressed | None
) -> None:
    """
    A block is screened as its entries are when each comes alone, among others.
    """
    together = Screening(country=country, suppressed=suppressed)
    mixed = Screening(country=country, suppressed=suppressed)

    fast = screen(together, *entries)
    slow = screen(mixed, *entries, None)

    assert slow.recipients == fast.recipients
    assert list(slow.rows) == list(fast.rows)
    assert slow.refusals[:-1] == fast.refusals


# Lists of those not to call.


def test_suppression_lists(tmp_path: Path) -> None:
    """
    Suppression lists hold numbers in any form, or customer ids.
    """
    plain = tmp_path / "plain.txt"
    plain.write_text("07700 900101\n+447700900102\n")
    customers = tmp_path / "customers.csv"
    customers.write_text("customerid\nc1\n")
    several = tmp_path / "several.jsonl"
    several.write_text('["+447700900103"]\n')

    suppressed = Suppressed.read(plain, customers, several, country="+44")

    assert 4 == len(suppressed)
    assert {"c1"} == suppressed.customer_ids
    assert [] == suppressed.unusable
    screening = Screening(suppressed=suppressed)
    assert [VALID] == screen(screening, ANN, VALID, CAT).recipients
    assert [] == screen(screening, Destination(customer_id="c1"), BEN).recipients
    assert (5, 0, 0, 4) == counts(screening)


def test_entries_that_suppress_nobody_are_named(tmp_path: Path) -> None:
    """
    A suppression list with entries that can't be understood is refused by default.
    """
    plain = tmp_path / "plain.txt"
    plain.write_text("+447700900101\nn/a\n7700900102\n")
    pairs = tmp_path / "pairs.txt"
    pairs.write_text("+999000000011\n+999000000012 ; +999000000013\n")

    with pytest.raises(InputError) as caught:
        Suppressed.read(plain, pairs)
    suppressed = Suppressed.read(plain, pairs, allow_unusable=True)

    assert "plain.txt, row 2: not a phone number; " in str(caught.value)
    assert "plain.txt, row 3: does not begin with + or 00" in str(caught.value)
    assert "pairs.txt, row 2: more than one number" in str(caught.value)
    assert "--allow-unusable" in str(caught.value)
    assert "900102" not in str(caught.value)
    assert 3 == suppressed.unusable_count
    assert [
        Unusable(str(plain), 2, Reason.NOT_A_NUMBER),
        Unusable(str(plain), 3, Reason.NO_COUNTRY),
        Unusable(str(pairs), 2, Reason.SEVERAL),
    ] == suppressed.unusable
    assert 2 == len(suppressed)


def test_not_every_unusable_entry_is_kept(tmp_path: Path) -> None:
    """
    A wrong file as a suppression list does not fill the memory.
    """
    path = tmp_path / "wrong.txt"
    path.write_text("n/a\n" * 2500)

    suppressed = Suppressed.read(path, allow_unusable=True)

    assert 1000 == len(suppressed.unusable)
    assert 2500 == suppressed.unusable_count
    with pytest.raises(InputError, match="; and 2,497 more; correct them"):
        Suppressed.read(path)


def test_suppression_lists_are_read_by_the_rules_of_lists(tmp_path: Path) -> None:
    """
    Ten digits, a column and a calling code mean what they mean in a list.
    """
    path = tmp_path / "no.csv"
    path.write_text("9876543210,447700900101\n")

    assert [919876543210] == list(
        Suppressed.read(path, country="IN", column="1").numbers
    )
    assert [447700900101] == list(
        Suppressed.read(path, international=True, column="2").numbers
    )


def test_correlation_ids_of_suppression_lists_do_not_matter(tmp_path: Path) -> None:
    """
    An export that is given as a suppression list suppresses, whatever its ids.
    """
    path = tmp_path / "no.csv"
    path.write_text("msisdn,correlationid\n+447700900101,0123456789-0-0\n")

    assert [447700900101] == list(Suppressed.read(path).numbers)


def test_suppressed_again_and_again() -> None:
    """
    A suppressed number counts as suppressed each time it comes.
    """
    screening = Screening(suppressed=SUPPRESSED)

    screened = screen(screening, CAT, CAT)

    assert [Reason.SUPPRESSED] * 2 == [refusal.reason for refusal in screened.refusals]


def test_suppressed_hides_numbers() -> None:
    """
    A suppression list shows how many it holds.
    """
    assert repr(SUPPRESSED).startswith("Suppressed(numbers=<1>, customer_ids=<1>,")


@given(
    blocks=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=12),
    kept=st.integers(0, 10),
)
def test_each_once_however_many(blocks: list[list[int]], kept: int) -> None:
    """
    A number passes once, whether those that came before fit into a set or not.
    """
    with patch.object(duplicates, "_KEPT_AS_TEXTS", kept):
        screening = Screening()
        passed: list[object] = []
        came = 0
        for block in blocks:
            numbers = [f"+999555{number:04d}" for number in block]
            rows = range(came + 1, came + len(numbers) + 1)
            passed += screening.screen(Block(rows, numbers)).recipients
            came += len(numbers)

    flat = [f"+999555{number:04d}" for block in blocks for number in block]
    assert list(dict.fromkeys(flat)) == passed
    assert len(flat) - len(passed) == screening.duplicate

"""
The normal form of a number, and why some have none.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicepush.errors import InputError
from voicepush.screening.msisdn import completion_of, normalise, normalise_all
from voicepush.screening.refusals import Reason

# A region's numbering plan is made into an expression when it is first needed.
unhurried = settings(deadline=None)

ANN = "+447700900101"
VALID = "+18005550199"


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
        normalise(ANN, country="GB", international=True)


# Columns.


@unhurried
@given(
    st.lists(
        st.one_of(
            texts,
            st.sampled_from(
                [ANN, "447700900101", "+44 7700 900102", "07700-900101", "n/a"]
            ),
        ),
        max_size=20,
    ),
    st.sampled_from([None, "+44", "IN", "US", "international"]),
)
def test_a_column_is_normalised_as_one_by_one(
    column: list[str], country: str | None
) -> None:
    """
    A column has the normal forms, or the reasons, that each of its texts has alone.
    """
    international = country == "international"
    country = None if international else country
    completion = completion_of(country, international=international)
    alone = [
        normalise(text, country=country, international=international) for text in column
    ]

    found, reasons = normalise_all(column, completion)

    assert alone == [reasons.get(place, number) for place, number in enumerate(found)]
    assert all(found[place] == column[place] for place in reasons)


def test_a_column_in_normal_form_stays_as_it_is() -> None:
    """
    Numbers that need no change are not copied.
    """
    column = [ANN, VALID]

    assert normalise_all(column, completion_of(None, international=False))[0] is column

"""
Numbers are completed and looked up as *phonenumbers* does it.
"""

from __future__ import annotations

import re
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicepush.errors import InputError
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.msisdn import normalise
from voicepush.screening.numbering_plans import NumberingPlans
from voicepush.screening.refusals import Reason
from voicepush.screening.screening import Screened, Screening
from voicepush.sources.blocks import Block

# A region's numbering plan is made into an expression when it is first needed.
unhurried = settings(deadline=None)

ANN = "+447700900101"
VALID = "+18005550199"


def screen(screening: Screening, *numbers: str, widths: Any = None) -> Screened:
    """
    What *screening* makes of a block of *numbers*.
    """
    rows = range(1, len(widths or numbers) + 1)
    return screening.screen(
        Block(Recipients(Kind.MSISDN, list(numbers), rows, widths=widths))
    )


REGIONS = ["GB", "US", "IN", "IT", "DE", "RU", "BR", "AR", "MX", "HU", "LT", "SG"]
ALL_REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.slow
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


@pytest.mark.slow
@unhurried
@given(
    st.one_of(st.sampled_from(REGIONS), st.sampled_from(ALL_REGIONS)),
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
    some = (plan.mobile or plan.general_desc).national_number_pattern
    pattern = rf"\A(?:{plan.country_code})?(?:{some})\Z"
    usual = st.from_regex(pattern, alphabet="0123456789")
    column = [*data.draw(st.lists(usual, min_size=1, max_size=6)), *others]
    alone = [normalise(text, country=region) for text in column]

    screened = screen(Screening(country=region, duplicates=False), *column)

    assert [each for each in alone if not isinstance(each, Reason)] == list(
        screened.recipients.values
    )
    assert [each for each in alone if isinstance(each, Reason)] == [
        refusal.reason for refusal in screened.refusals
    ]


def test_validity() -> None:
    """
    On request, numbers that their country's plan does not have are refused.
    """
    screening = Screening(validity=True)

    screened = screen(screening, VALID, ANN, "+9990000000", "n/a")
    again = screen(screening, ANN, "+18005550198", widths=[2])

    assert [VALID] == screened.recipients.values
    assert [
        (2, Reason.NOT_IN_USE),
        (3, Reason.NOT_IN_USE),
        (4, Reason.NOT_A_NUMBER),
    ] == [(refusal.row, refusal.reason) for refusal in screened.refusals]
    assert ["+18005550198"] == again.recipients.values
    assert 1 == len(again.recipients)


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
        screened.recipients.values
    )


@pytest.mark.slow
@unhurried
@given(
    st.lists(
        st.one_of(
            st.sampled_from([VALID, ANN, "+9990000000", "+919876543210"]),
            st.from_regex(
                r"\A\+(?:91|1|44|20|999)[0-9]{7,10}\Z", alphabet="+0123456789"
            ),
        ),
        max_size=20,
    )
)
def test_columns_are_looked_up_as_one_by_one(numbers: list[str]) -> None:
    """
    In a column of several countries those are found that alone are in no plan.
    """
    plans = NumberingPlans()

    missing = plans.missing(numbers)

    assert missing == [
        place for place, number in enumerate(numbers) if plans.missing([number])
    ]

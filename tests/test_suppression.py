"""
Lists of those not to call.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from voicepush.errors import InputError
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.refusals import Reason
from voicepush.screening.screening import Screening
from voicepush.screening.suppression import Suppressed, Unusable
from voicepush.sources.blocks import Block

ANN, BEN, CAT = "+447700900101", "+447700900102", "+447700900103"
VALID = "+18005550199"


def passed(screening: Screening, *values: str, kind: Kind = Kind.MSISDN) -> list[str]:
    """
    Who of *values* is let through.
    """
    rows = range(1, len(values) + 1)
    screened = screening.screen(Block(Recipients(kind, list(values), rows)))
    return list(screened.recipients.values)


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
    assert [VALID] == passed(screening, ANN, VALID, CAT)
    assert [] == passed(screening, "c1", kind=Kind.CUSTOMER_ID)
    assert [] == passed(screening, BEN)
    assert (5, 0, 0, 4) == (
        screening.read,
        screening.invalid,
        screening.duplicate,
        screening.suppressed,
    )


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

    national = Suppressed.read(path, country="IN", column="1")
    whole = Suppressed.read(path, international=True, column="2")

    assert {"+919876543210"} == national.numbers.known(["+919876543210", ANN])
    assert {ANN} == whole.numbers.known(["+919876543210", ANN])
    assert 1 == len(national) == len(whole)


def test_correlation_ids_of_suppression_lists_do_not_matter(tmp_path: Path) -> None:
    """
    An export that is given as a suppression list suppresses, whatever its ids.
    """
    path = tmp_path / "no.csv"
    path.write_text("msisdn,correlationid\n+447700900101,0123456789-0-0\n")

    suppressed = Suppressed.read(path)

    assert {ANN} == suppressed.numbers.known([ANN])
    assert 1 == len(suppressed)


def test_suppressed_again_and_again() -> None:
    """
    A suppressed number counts as suppressed each time it comes.
    """
    screening = Screening(suppressed=Suppressed({CAT}))

    assert [] == passed(screening, CAT, CAT)
    assert {Reason.SUPPRESSED: 2} == screening.reasons


def test_suppressed_hides_numbers() -> None:
    """
    A suppression list shows how many it holds.
    """
    suppressed = Suppressed({CAT}, {"b"})

    assert repr(suppressed).startswith("Suppressed(numbers=<1>, customer_ids=<1>,")

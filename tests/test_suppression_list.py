"""
A ledger's own list of those who must not be called, from now on.
"""

from __future__ import annotations

import json

import pytest
from conftest import Connect, Simulate, numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    LOST,
    MESSAGE,
    PENDING,
    TAG,
    Store,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
    two_planned,
)
from making import batch_of
from sums import check_sums

from voicepush import (
    Campaign,
    Destination,
    InputError,
    Kind,
    NobodyToCallError,
    Outcome,
    Recipient,
    Screening,
    VoiceMessage,
)
from voicepush.ledger import Ledger
from voicepush.ledger import suppression as of_any_ledger
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.ledger.sql.suppression import _asked, _keys, _text
from voicepush.model.outcome import BatchResult, Verdict
from voicepush.model.suppression import NUMBER, SuppressedEntry

ONE, TWO = "+9991", "+9992"
NO_ADS = Verdict(
    Outcome.SUPPRESSED, None, "on the suppression list of the ledger: no ads"
)


async def suppress(ledger: Ledger, *people: str, kind: Kind = Kind.MSISDN) -> int:
    """
    Put *people* on the list.
    """
    return await ledger.suppress([(kind, people)], category="no ads", reason="wrote")


# The list


async def test_who_is_on_the_list(store: Store) -> None:
    """
    Numbers and customer ids, each once, with the category and the reason.
    """
    ledger = store.ledger
    first = await suppress(ledger, TWO, ONE, TWO)
    again = await ledger.suppress([(Kind.MSISDN, [ONE, "+18005550199"])])
    ids = await suppress(ledger, "c 1", kind=Kind.CUSTOMER_ID)
    found = await ledger.suppressed(Kind.MSISDN, ["+9993", ONE, "no number", "9991"])
    other = await ledger.suppressed(Kind.CUSTOMER_ID, [ONE, "c 1", "nul \0", "C 1"])
    everyone = [each async for some in ledger.all_suppressed() for each in some]
    values = {kind: list(some) async for kind, some in ledger.suppressed_values()}

    assert (2, 1, 1) == (first, again, ids)
    assert [ONE] == list(found)
    assert ("no ads", "wrote") == (found[ONE].category, found[ONE].reason)
    assert ["c 1"] == list(other)
    assert [ONE, TWO, "+18005550199", "c 1"] == [each.value for each in everyone]
    assert [None] == [each.category for each in everyone if each.value[:2] == "+1"]
    assert {
        Kind.MSISDN: [ONE, TWO, "+18005550199"],
        Kind.CUSTOMER_ID: ["c 1"],
    } == values
    assert "9991" not in repr(found[ONE])[:40]


async def test_who_did_what_to_the_list(store: Store) -> None:
    """
    With how many, also where it changed nothing.
    """
    ledger = store.ledger
    await suppress(ledger, ONE, TWO)
    await ledger.suppress([(Kind.MSISDN, [ONE, "+9993"])], imported=True)
    removed = await ledger.unsuppress([(Kind.MSISDN, [ONE, "+9999"])], reason="asked")
    none = await ledger.unsuppress([(Kind.CUSTOMER_ID, [ONE])], reason="asked")
    history = await ledger.suppression_history()

    assert (1, 0) == (removed, none)
    assert [
        ("added", 2, "no ads", "wrote"),
        ("imported", 1, None, None),
        ("removed", 1, None, "asked"),
        ("removed", 0, None, "asked"),
    ] == [(each.event, each.number, each.category, each.reason) for each in history]
    assert all("process" in each.who for each in history)
    assert {TWO, "+9993"} == set(
        await ledger.suppressed(Kind.MSISDN, [ONE, TWO, "+9993"])
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *((Kind.MSISDN, each) for each in ("9991", "+0999", "+", "+99 91", "c1", "")),
        (Kind.MSISDN, "+9999999999999999999"),
        *((Kind.CUSTOMER_ID, each) for each in ("", "nul \0", "\ud800")),
    ],
)
async def test_who_can_not_be_on_the_list(store: Store, kind: Kind, value: str) -> None:
    """
    A number has its normal form, and nothing is changed.
    """
    with pytest.raises(InputError):
        await suppress(store.ledger, value, kind=kind)
    with pytest.raises(InputError, match="one line"):
        await store.ledger.suppress([(Kind.MSISDN, [ONE])], category="two\nlines")
    with pytest.raises(InputError, match="one line"):
        await store.ledger.unsuppress([(Kind.MSISDN, [ONE])], reason=" ")

    assert [] == [each async for each in store.ledger.all_suppressed()]
    assert [] == await store.ledger.suppression_history()


async def test_many_are_written_little_by_little(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    They are one deed, and all of them are found.
    """
    for name in ("ledger.suppression", "ledger.sql.suppression"):
        monkeypatch.setattr(f"voicepush.{name}.TOGETHER", 3)
    listed = numbers(20)
    added = await suppress(store.ledger, *listed, *listed)
    found = await store.ledger.suppressed(Kind.MSISDN, listed)
    values = [
        each async for _, some in store.ledger.suppressed_values() for each in some
    ]

    assert 3 == of_any_ledger.TOGETHER
    assert 20 == added == len(found)
    assert sorted(listed) == values
    (only,) = await store.ledger.suppression_history()
    assert 20 == only.number


TEXTS = st.text("+0123456789 _a", max_size=20) | st.from_regex(NUMBER, fullmatch=True)


@given(st.lists(TEXTS))
def test_a_number_in_the_table_is_one_text(texts: list[str]) -> None:
    """
    Two texts never share a number, so nobody is left out for another.
    """
    taken = [each for each in texts if NUMBER.fullmatch(each)]

    assert taken == [_text(Kind.MSISDN, key) for key in _keys(Kind.MSISDN, texts)]
    assert all(0 < key < 2**63 for key in _keys(Kind.MSISDN, texts))
    for some in (texts, taken):
        assert _keys(Kind.MSISDN, some) == json.loads(_asked(Kind.MSISDN, some))


# At the claim


async def test_the_claim_leaves_out_who_came_to_the_list(store: Store) -> None:
    """
    They are suppressed, with the category, and the sums hold; who is in flight is not
    touched.
    """
    ledger = store.ledger
    batch, worker = await two_planned(ledger)
    others = batch_of(MESSAGE, f"{TAG}-0", [ONE, TWO])
    await suppress(ledger, ONE)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    await suppress(ledger, TWO)
    result = BatchResult.of_places(others, [NO_ADS, ANSWERS[0]], (), attempts=1)
    await worker.record(claim, result)
    status = await status_of(ledger)
    (found,) = await ledger.lookup(ONE)

    assert ([1], {0: NO_ADS}) == (list(claim.places), claim.left_out)
    assert (1, 1, 1) == (status.planned, status.accepted, status.suppressed)
    assert NO_ADS.description == found.result.description
    assert Outcome.SUPPRESSED is found.result.outcome


async def test_who_is_taken_off_the_list_is_claimed(store: Store) -> None:
    """
    As if they had never been on it.
    """
    batch, worker = await two_planned(store.ledger)
    await suppress(store.ledger, ONE, TWO)
    people = [(Kind.MSISDN, [TWO])]
    await store.ledger.unsuppress(people, reason="asked")
    claim = is_claimed(await worker.claim(batch, [0, 1]))

    assert [1] == list(claim.places)


async def test_nobody_is_sent_again_who_is_on_the_list(store: Store) -> None:
    """
    Neither after a refusal, nor where the owner resends the unknown.
    """
    ledger = store.ledger
    batch, worker = await two_planned(ledger)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    told = BatchResult.of_places(batch, [ANSWERS[1], ANSWERS[4]], (), attempts=1)
    assert PENDING.outcome is told.at(0).outcome
    await worker.record(claim, told)
    await suppress(ledger, ONE, TWO)
    await worker.resolve(resend=True, process_is_gone=True)
    again = is_claimed(await worker.claim(batch, [0, 1]))

    assert ([], {0: NO_ADS, 1: NO_ADS}) == (list(again.places), again.left_out)


async def test_who_was_in_flight_with_a_dead_worker(store: Store) -> None:
    """
    Is unknown: they may have been called before they came to the list.
    """
    batch, worker = await two_planned(store.ledger)
    await worker.claim(batch, [0])
    await suppress(store.ledger, ONE, TWO)
    store.make_old("june")
    later = await store.ledger.join("june", load)
    (found,) = await store.ledger.lookup(ONE)
    claim = is_claimed(await later.claim(batch, [1]))

    assert LOST.description == found.result.description
    assert ([], [1]) == (list(claim.places), list(claim.left_out))


@pytest.mark.parametrize("kind", Kind)
async def test_who_shares_an_id_is_left_out_as_well(store: Store, kind: Kind) -> None:
    """
    A destination of several is one call of the platform's.
    """
    ledger = store.ledger
    several = ("+9991", "+9992")
    one: list[Recipient] = (
        [Destination(several), Destination(["+9993"])]
        if kind is Kind.MSISDN
        else [Destination(customer_id=several), Destination(customer_id="+9993")]
    )
    batch = batch_of(MESSAGE, f"{TAG}-0", one)
    await publish(ledger, planned_as(), batch)
    worker = await ledger.join("june", load)
    await suppress(ledger, "+9992", kind=kind)
    claim = is_claimed(await worker.claim(batch, [0, 1]))

    assert ([1], [0]) == (list(claim.places), list(claim.left_out))


# Campaigns


async def test_who_is_on_the_list_is_not_planned(
    store: Store, message: VoiceMessage
) -> None:
    """
    They count as suppressed, as if a file had named them.
    """
    ledger = store.ledger
    await suppress(ledger, *numbers(3))
    await suppress(ledger, "c1", kind=Kind.CUSTOMER_ID)
    with pytest.raises(NobodyToCallError, match="on the suppression list"):
        await Campaign.plan(ledger, "none", message, numbers(2))
    screening = Screening()
    who: list[Recipient] = [*numbers(5)]
    who += [Destination(customer_id=f"c{n}") for n in range(3)]
    june = await Campaign.plan(ledger, "june", message, who, screening=screening)
    status = await june.status()

    assert (8, 4, 4) == (status.read, status.planned, status.suppressed)
    assert 4 == screening.suppressed
    check_sums(status)


async def test_an_opt_out_holds_for_campaigns_that_are_planned(
    store: Store, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    In every campaign of the ledger.
    """
    ledger, simulator = store.ledger, await simulate()
    client = await connect(simulator)
    campaigns = [
        await Campaign.plan(ledger, name, message, numbers(6), batch_size=2)
        for name in ("june", "july")
    ]
    await suppress(ledger, *numbers(6)[1:4])
    for each in campaigns:
        summary = await each.dispatch(client)
        status = await each.status()
        check_sums(status)

        assert (3, 3) == (summary.accepted, summary.suppressed)
        assert (3, 3, 6) == (status.planned, status.suppressed, status.read)
    assert {numbers(6)[0], *numbers(6)[4:]} == set(simulator.calls)


@settings(max_examples=25)
@given(
    st.lists(st.from_regex(r"\+99[0-9]{1,2}", fullmatch=True)),
    st.lists(st.from_regex(r"\+99[0-9]{1,2}", fullmatch=True), min_size=1, unique=True),
)
async def test_exactly_those_on_the_list_are_found(
    listed: list[str], asked: list[str]
) -> None:
    """
    And everyone who is.
    """
    ledger = MemoryLedger()
    await suppress(ledger, *listed)

    found = await ledger.suppressed(Kind.MSISDN, asked)
    assert set(listed) & set(asked) == set(found)
    assert all(isinstance(each, SuppressedEntry) for each in found.values())

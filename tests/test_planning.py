"""
Plans: who is in them, what is refused, and what a second plan may be.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from conftest import Connect, Simulate, numbers
from sums import check_sums

from voicepush import (
    Campaign,
    CampaignHeldError,
    Destination,
    InputError,
    Ledger,
    LedgerError,
    Recipient,
    Screening,
    SourceError,
    VoiceMessage,
    open_ledger,
    read_file,
)
from voicepush.model.recipients import Kind, Recipients
from voicepush.screening.refusals import Refusal
from voicepush.sending.request import load_message
from voicepush.sources.blocks import Block


async def test_duplicates_and_bad_numbers_are_counted(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    What was read is planned, invalid or a duplicate.
    """
    recipients = ["+18005550100", "+1 800 555-0100", "+18005550101", "x", ""]

    campaign = await Campaign.plan(ledger, "mixed", message, recipients)
    status = await campaign.status()

    assert (5, 2, 2, 1) == (
        status.read,
        status.planned,
        status.invalid,
        status.duplicate,
    )
    check_sums(status)


async def test_a_plan_that_is_cancelled_ends_with_its_block(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The thread that reads a file stops soon after nobody wants the file any more.
    """
    read = 0

    def blocks() -> Iterator[Block]:
        nonlocal read
        for place in range(1_000):
            time.sleep(0.02)
            read += 1
            recipients = numbers(1_000)[place : place + 1]
            yield Block(Recipients(Kind.MSISDN, recipients, [place + 1]))

    planning = asyncio.create_task(Campaign.plan(ledger, "j", message, blocks()))
    await asyncio.sleep(0.05)
    planning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await planning
    then = read
    await asyncio.sleep(0.2)

    assert read <= then + 1
    assert [] == await ledger.campaigns()


async def test_refusals_before_an_error_are_told(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    Whoever is refused is told also where the source breaks off soon after.
    """

    def blocks() -> Iterator[Block]:
        yield Block(Recipients(Kind.MSISDN, ["nobody", numbers(1)[0]], range(1, 3)))
        raise SourceError("broken", row=3)

    told: list[Refusal] = []
    with pytest.raises(SourceError):
        await Campaign.plan(ledger, "j", message, blocks(), refused=told.extend)

    assert ["nobody"] == [each.recipient for each in told]


async def test_a_planner_that_was_overtaken_erases_nothing(
    message: VoiceMessage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A planner taken for dead finds its draft gone, and leaves its successor's alone.
    """
    async with (
        open_ledger(tmp_path / "a.db") as first,
        open_ledger(tmp_path / "a.db") as second,
    ):
        begun, silent = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[str]:
            yield "+18005550100"
            begun.set()
            await silent.wait()

        slowly = asyncio.create_task(Campaign.plan(first, "june", message, slow()))
        await begun.wait()
        with pytest.raises(CampaignHeldError):
            await Campaign.plan(second, "june", message, numbers(3))
        monkeypatch.setattr("voicepush.ledger.sql.holding.SILENT_FOR", -1)
        await Campaign.plan(second, "june", message, numbers(3))
        silent.set()
        with pytest.raises(LedgerError, match="taken over"):
            await slowly
        status = await (await Campaign.open(second, "june")).status()

    assert 3 == status.planned == status.pending


async def test_a_name_that_is_no_text_is_refused(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    What UTF-8 can't hold is refused in words, and the ledger goes on.
    """
    with pytest.raises(InputError, match="campaign's name"):
        await Campaign.plan(ledger, "caf\udce9", message, numbers(1))
    with pytest.raises(InputError, match="campaign's name"):
        await Campaign.open(ledger, "caf\udce9")
    with pytest.raises(UnicodeEncodeError):
        await ledger.status("caf\udce9")

    assert [] == await ledger.campaigns()


async def test_planning_twice_is_planning_once(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The same plan again finds the first one, whose expiry stays.
    """
    timed = attrs.evolve(message, expiry=timedelta(hours=1))
    first = await Campaign.plan(ledger, "june", timed, numbers(10))
    second = await Campaign.plan(ledger, "june", timed, numbers(20))

    assert first.message == second.message
    assert 10 == (await second.status()).planned


@pytest.mark.parametrize(
    ("change", "words"),
    [({"media": "other"}, "other"), ({"source": "b.csv"}, r"a\.csv.*b\.csv")],
)
async def test_another_plan_under_the_same_name_is_refused(
    ledger: Ledger, message: VoiceMessage, change: dict[str, str], words: str
) -> None:
    """
    Nothing is merged silently: both messages, or both sources, are named.
    """
    await Campaign.plan(ledger, "june", message, numbers(1), source="a.csv")
    media = change.get("media", message.media)
    source = change.get("source", "a.csv")

    with pytest.raises(InputError, match=words):
        await Campaign.plan(
            ledger,
            "june",
            attrs.evolve(message, media=media),
            numbers(1),
            source=source,
        )


async def test_a_list_that_fails_leaves_nothing_planned(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    A plan exists as a whole or not at all, and can be made again.
    """

    def failing() -> Iterator[str]:
        yield from numbers(100_000)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await Campaign.plan(ledger, "june", message, failing())

    assert [] == await ledger.campaigns()
    await Campaign.plan(ledger, "june", message, numbers(3))
    assert 3 == (await ledger.campaigns())[0].planned


async def test_any_source_of_recipients(
    ledger: Ledger, message: VoiceMessage, tmp_path: Path
) -> None:
    """
    Lists, generators, async generators and blocks of a file.
    """

    async def later() -> AsyncIterator[str]:
        for number in numbers(3):
            yield number

    file = tmp_path / "numbers.csv"
    file.write_text("msisdn\n" + "\n".join(numbers(4)))
    entries: list[Recipient] = [
        Destination(numbers(2), correlation_id="a"),
        "+18005550100",
    ]
    planned = {
        "list": numbers(1),
        "generator": (number for number in numbers(2)),
        "async": later(),
        "file": read_file(file),
        "entries": entries,
    }
    for name, source in planned.items():
        await Campaign.plan(ledger, name, message, source)  # type: ignore[arg-type]

    assert {
        "list": 1,
        "generator": 2,
        "async": 3,
        "file": 4,
        "entries": 3,
    } == {each.campaign: each.planned for each in await ledger.campaigns()}


async def test_own_correlation_ids_survive(
    ledger: Ledger, simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Entries with own ids, several values or customer ids are sent as they were given.
    """
    simulator = await simulate(answer="each")
    entries: list[Recipient] = [
        Destination(numbers(2), correlation_id="family"),
        Destination(customer_id="c-1"),
        "+18005550100",
    ]
    campaign = await Campaign.plan(ledger, "june", message, entries)
    await campaign.dispatch(await connect(simulator))

    assert 4 == (await campaign.status()).accepted
    assert {*numbers(2), "c-1", "+18005550100"} == set(simulator.calls)
    assert "family" == simulator.requests[0].correlation_ids[0]


async def test_an_unknown_campaign_is_named_with_the_known(
    ledger: Ledger, message: VoiceMessage
) -> None:
    """
    The error lists what there is.
    """
    with pytest.raises(InputError, match="is empty"):
        await Campaign.open(ledger, "july")
    await Campaign.plan(ledger, "june", message, numbers(1))

    with pytest.raises(InputError, match=r"no campaign 'july'.*june"):
        await Campaign.open(ledger, "july")
    with pytest.raises(InputError, match="no campaign 'july'"):
        await ledger.join("july", load_message)


async def test_screening_can_be_given(ledger: Ledger, message: VoiceMessage) -> None:
    """
    A screening without duplicate removal plans a number as often as it stands there.
    """
    campaign = await Campaign.plan(
        ledger,
        "june",
        message,
        ["+18005550100"] * 3,
        screening=Screening(duplicates=False),
    )

    assert 3 == (await campaign.status()).planned


async def test_time_is_utc(ledger: Ledger, message: VoiceMessage) -> None:
    """
    An expiry given with an offset comes back as the same moment.
    """
    timed = attrs.evolve(message, expiry="2015-04-12T18:30:19.456+5:30")
    campaign = await Campaign.plan(ledger, "june", timed, numbers(1))

    assert datetime(2015, 4, 12, 13, 0, 19, 456000, UTC) == campaign.message.expiry

"""
Some people are called first, others in their turn, and all from when to when.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs
import pytest
from conftest import Connect, Serve, Simulate, numbers
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import MESSAGE, TAG, PostgresStore, Store, load, planned_as, publish
from making import batch_of
from mishaps import process, say, wait_until
from sums import check_sums

from voicepush import (
    Campaign,
    CampaignState,
    InputError,
    Outcome,
    Receipt,
    Report,
    Stage,
    Terms,
    Trial,
    VoiceMessage,
    clock,
    open_ledger,
    read_file,
)
from voicepush.campaign.journal import LedgerJournal
from voicepush.model.batch import Group
from voicepush.model.claim import Claim, Claimed, NotBefore, Refused
from voicepush.model.recipients import Kind, Recipients
from voicepush.receipts.call_state import call_of
from voicepush.screening.sampling import Sample
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")

TRIAL = Trial(people=50, seed="7")


def command(simulator: Simulator, *options: str) -> list[str]:
    """
    The command that sends june.csv.
    """
    url = simulator.url
    return ["send", "june.csv", "--media", "x", "--base-url", url, *options]


def write_list(many: int, **columns: list[str]) -> list[str]:
    """
    A list of so many, with *columns* besides.
    """
    people = numbers(many)
    rows = zip(people, *columns.values(), strict=True)
    head = ",".join(["msisdn", *columns])
    Path("june.csv").write_text("\n".join([head, *map(",".join, rows), ""]))
    return people


def status() -> dict[str, object]:
    """
    Where june stands.
    """
    found: dict[str, object] = json.loads(say("status", "june", "--json").out)
    return found


# Who they are


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.integers(1, 30),
    st.randoms(use_true_random=False),
)
def test_a_sample_depends_on_its_seed_alone(
    sizes: list[int], size: int, chance: random.Random
) -> None:
    """
    Not on the order or the blocks in which people come; nobody is lost or doubled.
    """
    everyone = numbers(sum(sizes))
    group = Group(VoiceMessage(media="x"))

    def chosen(people: list[str]) -> tuple[set[str], list[str]]:
        sample, start, others = Sample(size, "7"), 0, list[str]()
        for each in sizes:
            block = Recipients(Kind.MSISDN, people[start : start + each])
            start += each
            for _, rest in sample.sift(group, block):
                others += rest.values
        return {v for _, r in sample.chosen() for v in r.values}, others

    first, others = chosen(everyone)
    shuffled = chance.sample(everyone, len(everyone))

    assert sorted(everyone) == sorted([*first, *others])
    assert min(size, len(everyone)) == len(first)
    assert first == chosen(shuffled)[0]


def test_a_sample_comes_from_all_parts_of_a_list() -> None:
    """
    Of ten parts each has some, and another seed chooses others.
    """
    everyone = numbers(20_000)
    group = Group(VoiceMessage(media="x"))
    found = []
    for seed in ("a", "b"):
        sample = Sample(500, seed)
        for start in range(0, len(everyone), 1000):
            block = Recipients(Kind.MSISDN, everyone[start : start + 1000])
            assert sum(len(rest) for _, rest in sample.sift(group, block))
        found.append({v for _, r in sample.chosen() for v in r.values})
    parts = Counter(everyone.index(each) // 2000 for each in found[0])

    assert 500 == len(found[0]) == len(found[1])
    assert len(found[0] & found[1]) < 50
    assert 10 == len(parts)
    assert all(20 < number < 90 for number in parts.values())


# The first, and then all others


async def test_the_first_are_called_and_then_nobody(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Until their owner says so; nobody of them is called again.
    """
    simulator = await simulate()
    client = await connect(simulator)
    terms = Terms(trial=TRIAL)
    message = VoiceMessage(media="x")
    campaign = await Campaign.plan(
        store.ledger, "june", message, numbers(2500), terms=terms
    )
    for _ in range(2):
        await campaign.dispatch(client)
        stands = await campaign.status()
        assert CampaignState.PAUSED is stands.state
        assert "the first 50 were called, and the others wait" in str(stands.reason)
        assert (50, 2450) == (stands.accepted, stands.pending)
    assert 50 == len(simulator.calls)
    campaign = await Campaign.open(store.ledger, "june")
    was_on_trial = campaign.is_on_trial
    await campaign.go_on()
    assert (True, False) == (was_on_trial, campaign.is_on_trial)
    await campaign.dispatch(client)
    stands = await campaign.status()
    history = [each.detail for each in await store.ledger.history("june")]

    check_sums(stands)
    assert CampaignState.FINISHED is stands.state
    assert {1} == set(simulator.calls.values())
    assert 2500 == len(simulator.calls)
    assert "the first 50 were called" in history
    assert "its owner goes on" in history


def test_the_command_stops_and_resume_goes_on(serve: Serve) -> None:
    """
    ``send`` again calls nobody else; the same seed chooses the same people.
    """
    simulator = serve()
    people = write_list(3000)
    options = ["--first", "100", "--seed", "7"]
    first = say(*command(simulator, *options))
    called = set(simulator.calls)
    again = say(*command(simulator, *options))
    other = say(*command(simulator, *options, "--campaign", "july"))
    twice = {number for number, times in simulator.calls.items() if times > 1}
    resumed = say("resume", "june", "--base-url", simulator.url)

    assert (1, 1, 1, 0) == (first.code, again.code, other.code, resumed.code)
    assert "the first 100 were called" in first.err
    assert called == twice
    assert 100 == len(called)
    assert set(people) == set(simulator.calls)
    assert 2900 == sum(times == 1 for times in simulator.calls.values())


def test_a_trial_of_everyone_is_a_campaign(serve: Serve) -> None:
    """
    Nobody is left to wait for a word.
    """
    simulator = serve()
    write_list(20)

    assert 0 == say(*command(simulator, "--first", "100")).code
    assert "finished" == status()["state"]


async def test_a_trial_that_was_observed_goes_on(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    By itself, where no more failed than its owner allows.
    """
    trial = Trial(people=50, seed="7", observe=0.2)
    client = await connect(await simulate())
    campaign = await Campaign.plan(
        store.ledger, "june", VoiceMessage(media="x"), numbers(200),
        terms=Terms(trial=trial),
    )  # fmt: skip
    await campaign.dispatch(client)
    plan = await store.ledger.plan("june")

    assert plan is not None
    assert Stage.OVER is plan.stage
    assert 200 == (await campaign.status()).accepted


async def test_a_trial_of_which_too_many_failed_waits(
    store: Store, simulate: Simulate, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Also where it was stopped while it was observed: the time goes on.
    """
    trial = Trial(people=50, seed="7", observe=3600, most_failed=0.1)
    client = await connect(await simulate())
    campaign = await Campaign.plan(
        store.ledger, "june", VoiceMessage(media="x"), numbers(200),
        terms=Terms(trial=trial),
    )  # fmt: skip
    running = asyncio.create_task(campaign.dispatch(client))
    while (await campaign.status()).waiting is None:  # noqa: ASYNC110 -- the ledger's
        await asyncio.sleep(0.05)
    campaign.stop("enough for today")
    await running
    receipts = [
        Receipt(
            body=b"{}",
            received_at=5.0,
            reports=[
                Report(
                    call=call_of("7402", "", "", 5.0),
                    correlation_id=each.correlation_id,
                )
            ],
        )
        async for each in campaign.results(Outcome.ACCEPTED)
    ]
    await store.ledger.receive(receipts[:6])
    an_hour_later = clock.now() + 3600
    monkeypatch.setattr(clock, "now", lambda: an_hour_later)
    await campaign.dispatch(client)
    stands = await campaign.status()

    assert "6 of the first 50 failed or were not reached" in str(stands.reason)
    assert "which is more than 10%" in str(stands.reason)
    assert (50, 150) == (stands.accepted, stands.pending)


def test_a_trial_whose_process_is_killed(serve: Serve) -> None:
    """
    Who was in flight is unknown, the rest of the first is called, and nobody else.
    """
    simulator = serve(latency=0.3)
    write_list(2000)
    options = ["--first", "40", "--batch-size", "10", "--concurrency", "1"]
    with process(*command(simulator, *options)) as running:
        wait_until(lambda: len(simulator.requests) >= 2)
        running.kill()
        running.wait()
    again = say("resume", "june", "--base-url", simulator.url, "--concurrency", "4")
    stands = status()

    assert 1 == again.code
    assert "the first 40 were called" in again.err
    assert {1} == set(simulator.calls.values())
    assert len(simulator.calls) <= 40
    assert 1960 == stands["pending"]
    assert 40 == int(str(stands["accepted"])) + int(str(stands["unknown"]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--first", "0"], "a trial calls one person at least"),
        (["--seed", "7"], "--seed is of no use without --first"),
        (["--observe", "30m"], "--observe is of no use without --first"),
        (["--first", "5", "--most-failed", "5%"], "no use without --observe"),
        (
            ["--first", "5", "--observe", "1h", "--most-failed", "5"],
            "write it like 20%",
        ),
        (["--first", "5", "--observe", "soon"], "--observe soon is no duration"),
        (["--start-at", "noon"], "--start-at 'noon' can't be understood"),
        (["--stop-at", "2020-01-01T10:00Z"], "choose a time that is still to come"),
        (
            ["--start-at", "2h", "--stop-at", "1h"],
            "a campaign can't stop before it starts",
        ),
        (["--priority-column", "turn"], "there is no column 'turn'"),
        (["--first", "5", "--detach"], "--detach"),
    ],
)
def test_options_that_can_not_be_understood(
    serve: Serve, options: list[str], words: str
) -> None:
    """
    One clear line, and nothing is planned.
    """
    write_list(3)
    said = say(*command(serve(), *options))

    assert 2 == said.code
    assert words in said.err
    assert 1 == len(said.err.strip().splitlines())


# In which order


def test_who_has_a_lower_number_is_called_first(serve: Serve) -> None:
    """
    Blank ones last, whatever the list's order; what is no number is refused.
    """
    simulator = serve()
    turns = [["3", "1", "", " 2", "x"][each % 5] for each in range(100)]
    people = write_list(100, turn=turns)
    said = say(*command(simulator, "--priority-column", "turn", "--concurrency", "1"))
    exported = say("export", "june", "--with", "turn").out.splitlines()[1:]
    turn_of = {row.split(",")[5]: row.split(",")[-1].strip() for row in exported}
    order = [turn_of[each.correlation_ids[0]] for each in simulator.requests]

    assert 0 == said.code
    assert ["1", "2", "3", ""] == order
    assert 80 == len(simulator.calls)
    assert "its priority is no whole number" in said.err
    assert {people[4], people[9]}.isdisjoint(simulator.calls)


def test_the_wrong_column_makes_no_hundred_priorities(serve: Serve) -> None:
    """
    A column of numbers of another kind.
    """
    write_list(200, turn=[str(each) for each in range(200)])
    said = say(*command(serve(), "--priority-column", "turn"))

    assert 2 == said.code
    assert "the column 'turn' has more than 100 priorities" in said.err


# From when to when


async def test_nobody_is_called_before_its_start(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    It waits, and says so.
    """
    simulator = await simulate()
    client = await connect(simulator)
    begins = datetime.now(UTC) + timedelta(seconds=0.8)
    campaign = await Campaign.plan(
        store.ledger,
        "june",
        VoiceMessage(media="x"),
        numbers(10),
        terms=Terms(starts_at=begins),
    )
    await campaign.dispatch(client)

    assert 10 == len(simulator.calls)
    assert min(each.at for each in simulator.requests) >= begins.timestamp() - 0.01


async def test_nobody_is_called_once_it_is_over(
    store: Store, simulate: Simulate, connect: Connect
) -> None:
    """
    Who is pending stays so, and a later end lets it go on.
    """
    simulator = await simulate()
    client = await connect(simulator, rate=20, batch_size=5)
    ends = datetime.now(UTC) + timedelta(seconds=0.6)
    campaign = await Campaign.plan(
        store.ledger,
        "june",
        VoiceMessage(media="x"),
        numbers(40),
        batch_size=5,
        terms=Terms(stops_at=ends),
    )
    await campaign.dispatch(client)
    stands = await campaign.status()
    assert CampaignState.PAUSED is stands.state
    assert "its time was over at" in str(stands.reason)
    assert 0 < stands.accepted < 40
    assert 40 == stands.accepted + stands.pending
    assert max(each.at for each in simulator.requests) < ends.timestamp() + 0.1
    await campaign.change(never_stops=True)
    client = await connect(simulator)
    await campaign.dispatch(client)

    assert 40 == (await campaign.status()).accepted
    assert {1} == set(simulator.calls.values())


@pytest.mark.parametrize(
    ("starts_in", "stops_in", "expected"),
    [(-60, 60, Claimed), (60, 120, NotBefore), (-120, -60, Refused)],
)
async def test_its_times_are_looked_at_where_it_is_claimed(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    starts_in: float,
    stops_in: float,
    expected: type[Claim],
) -> None:
    """
    By the ledger's clock, whatever that of a worker says.
    """
    now = clock.now()
    if isinstance(store, PostgresStore):
        monkeypatch.setattr(clock, "now", lambda: now - 3600)
    batch = batch_of(MESSAGE, f"{TAG}-0", ["+9991", "+9992"])
    plan = attrs.evolve(
        planned_as(), starts_at=now + starts_in, stops_at=now + stops_in
    )
    await publish(store.ledger, plan, batch)
    worker = await store.ledger.join("june", load)
    journal = LedgerJournal(worker, 1.0, lambda: None, print)
    claim = await journal.claim(batch, [0, 1])

    assert expected is type(claim)
    assert (expected is Refused) == journal.stop.is_set


def test_resume_takes_the_end_away(serve: Serve) -> None:
    """
    Or names a later one; with the old one it calls nobody.
    """
    simulator = serve()
    write_list(300)
    options = ["--stop-at", "1s", "--rate", "100"]
    first = say(*command(simulator, *options))
    still = say("resume", "june", "--base-url", simulator.url)
    last = say("resume", "june", "--base-url", simulator.url, "--stop-at", "never")

    assert (1, 1, 0) == (first.code, still.code, last.code)
    assert "resume needs a later one" in still.err
    assert {1} == set(simulator.calls.values())


def test_terms_that_contradict() -> None:
    """
    A moment needs its time zone, and the end comes after the beginning.
    """
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)

    with pytest.raises(InputError, match="can't stop before it starts"):
        Terms(starts_at=noon, stops_at=noon)
    with pytest.raises(InputError, match="needs a time zone"):
        Terms(starts_at=noon.replace(tzinfo=None))
    with pytest.raises(InputError, match="between 0 and 1"):
        Trial(people=1, seed="", most_failed=2)


async def test_a_plan_keeps_its_terms(store: Store) -> None:
    """
    Also in a file that is opened again.
    """
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    terms = Terms(trial=TRIAL, starts_at=noon, stops_at=noon + timedelta(hours=1))
    write_list(5)
    await Campaign.plan(
        store.ledger,
        "june",
        VoiceMessage(media="x"),
        read_file("june.csv"),
        terms=terms,
    )
    plan = await store.ledger.plan("june")

    assert plan is not None
    assert (TRIAL, Stage.TRIAL) == (plan.trial, plan.stage)
    assert (noon.timestamp(), noon.timestamp() + 3600) == (
        plan.starts_at,
        plan.stops_at,
    )


async def test_a_trial_on_several_machines_is_done_by_one(
    simulate: Simulate, connect: Connect
) -> None:
    """
    Workers get the others, once their owner goes on.
    """
    import postgres  # noqa: PLC0415 -- the server starts when it is needed

    from voicepush.sending.request import load_message  # noqa: PLC0415

    client = await connect(await simulate())
    address = postgres.server().address
    async with open_ledger(address, schema="trial_of_one") as ledger:
        campaign = await Campaign.plan(
            ledger, "june", VoiceMessage(media="x"), numbers(100),
            terms=Terms(trial=TRIAL),
        )  # fmt: skip
        with pytest.raises(InputError, match="calls some people first"):
            await ledger.release("june", load_message)  # type: ignore[attr-defined]
        await campaign.dispatch(client)
        await campaign.go_on()
        await ledger.release("june", load_message)  # type: ignore[attr-defined]
        stands = await campaign.status()

    assert (50, 50) == (stands.accepted, stands.pending)
    assert CampaignState.RUNNING is stands.state


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ({"turn": ["high", "1"]}, ["--priority-column", "turn"]),
        (
            {"language": ["xx", "en"]},
            ["--media-column", "language", "--media-map", "en=a"],
        ),
        (
            {"zone": ["Asia/Delhi", "Asia/Kolkata"]},
            ["--zone-column", "zone", "--window", "00:00-24:00"],
        ),
    ],
)
def test_a_good_row_after_one_that_was_refused(
    serve: Serve, columns: dict[str, list[str]], options: list[str]
) -> None:
    """
    Is no duplicate of that: the person is called.
    """
    simulator = serve()
    (column,) = columns.values()
    name = next(iter(columns))
    lines = [f"msisdn,{name}", *(f"+999000000001,{each}" for each in column)]
    Path("june.csv").write_text("\n".join([*lines, ""]))
    rest = [] if "--media-column" in options else ["--media", "x"]
    said = say(
        *("send", "june.csv", "--base-url", simulator.url, *rest, *options),
    )
    stands = status()

    assert 0 == said.code
    assert (1, 1, 0) == (stands["planned"], stands["invalid"], stands["duplicate"])
    assert ["+999000000001"] == list(simulator.calls)


def test_it_can_not_start_after_it_expires(serve: Serve) -> None:
    """
    Also where that is only rehearsed.
    """
    write_list(3)
    options = ["--start-at", "2h", "--expiry", "1h"]
    for more in ([], ["--dry-run"]):
        said = say(*command(serve(), *options, *more))

        assert 2 == said.code
        assert "everyone would expire before it starts" in said.err


def test_a_rehearsal_tells_of_the_order(serve: Serve) -> None:
    """
    Who is called first, and from when to when anyone is.
    """
    write_list(30)
    options = ["--first", "10", "--start-at", "1h", "--stop-at", "2h"]
    told = say(*command(serve(), *options, "--dry-run")).out

    assert "10 are called first; the others wait for resume" in told
    assert "(--start-at)" in told
    assert "(--stop-at)" in told


def test_a_spreadsheets_whole_number_is_a_turn(serve: Serve) -> None:
    """
    With its point and zero.
    """
    simulator = serve()
    write_list(2, turn=["2.0", "1.0"])

    assert 0 == say(*command(simulator, "--priority-column", "turn")).code
    assert 2 == len(simulator.calls)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--window", ""], "the window '' can't be understood"),
        (["--not-on", " "], "--not-on names no date"),
    ],
)
def test_nothing_is_no_window(serve: Serve, options: list[str], words: str) -> None:
    """
    As from a variable that is not set: also where windows are changed.
    """
    simulator = serve()
    write_list(3)
    said = say(*command(simulator, *options))
    say(*command(simulator, "--zone", "Asia/Kolkata", "--window", "00:00-24:00"))
    changed = say("windows", "june", *options)

    assert (2, 2) == (said.code, changed.code)
    assert words in said.err
    assert words in changed.err

"""
How a campaign ends, or does not: by the ledger's own sums, and with a reason.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from pathlib import Path

import attrs
import pytest
from conftest import Connect, Serve, Simulate, numbers
from mishaps import (
    SLOWLY,
    change,
    check,
    check_finished,
    ended,
    exported,
    june,
    locked,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)
from sums import check_sums

from voicepush import (
    Campaign,
    CampaignState,
    Destination,
    InputError,
    Ledger,
    SourceRow,
    VoiceMessage,
)
from voicepush.ledger import Plan
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.outcome import Outcome
from voicepush.model.recipients import Kind, Recipients

pytestmark = pytest.mark.usefixtures("in_a_folder")

MESSAGE = VoiceMessage(media="x")


# A ledger that can't be written for a while


@pytest.mark.slow
def test_a_long_lock_makes_nobody_unknown(serve: Serve) -> None:
    """
    Every answer is kept until the lock goes: exit status 5, and the JSON as always.
    """
    simulator = serve(latency=0.05)
    june(400)
    impatient = "import voicepush.ledger.sqlite.connection as c; c.LOCK_PATIENCE = 0.1"

    with process(*sending(simulator, *SLOWLY, "--json"), first=impatient) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        with locked():
            # Many times as long as the process is told to wait for a lock.
            time.sleep(2.0)
            is_waiting = running.poll() is None
        said = ended(running)
    found = check(simulator)
    printed = json.loads(said.out)
    again = resume(simulator)
    check_finished(simulator)

    assert is_waiting
    assert 5 == said.code
    assert "another program holds its lock" in said.complaint
    assert "kept in memory meanwhile, for at most 150 s (--drain)" in said.err
    assert (0, 0) == (found["in_flight"], found["unknown"])
    assert found["accepted"] == len(simulator.calls) or again.code == 0
    assert (printed["accepted"], "paused") == (found["accepted"], printed["state"])


# A service that asks to wait


@pytest.mark.slow
def test_a_throttled_hour_pauses_it(serve: Serve) -> None:
    """
    It is not finished, the reason is shown, and a restart does not forget the wait.
    """
    simulator = serve()
    simulator.next_replies("429:3600")
    listed = june(400)
    options = ("--batch-size", "10", "--concurrency", "1")

    said = say(*sending(simulator, *options))
    first = check(simulator)
    asked = len(simulator.requests)
    again = say(*sending(simulator, *options))
    second = check(simulator)
    asked_again = len(simulator.requests)
    change("UPDATE campaign SET held_until = ?", time.time() - 1)
    resume(simulator)
    last = check_finished(simulator)

    assert (1, 1) == (said.code, again.code)
    assert {"paused"} == {first["state"], second["state"]}
    for each in (first, second):
        assert "the service asked to wait until" in each["reason"]
        assert "--patience" in each["reason"]
        assert each["accepted"] <= 10  # who left before the refusal came
    assert first["pending"] >= 300
    assert "stopped: the service asked to wait" in said.complaint
    assert asked == asked_again <= 2
    assert 400 == last["accepted"]
    assert Counter(listed) == simulator.calls


@pytest.mark.slow
def test_it_waits_where_the_patience_is_long_enough(serve: Serve) -> None:
    """
    A wait that --patience covers is sat out.
    """
    simulator = serve()
    simulator.next_replies("429:2")
    listed = june(100)
    options = ("--batch-size", "10", "--concurrency", "1")

    said = say(*sending(simulator, *options, "--patience", "1m"))

    assert 0 == said.code
    assert Counter(listed) == simulator.calls
    check_finished(simulator)


async def test_a_service_out_of_reach_leaves_it_paused(
    ledger: Ledger, connect: Connect, unused_tcp_port: int
) -> None:
    """
    Running out of patience is no end: the not sent are left, with the reason.
    """
    campaign = await Campaign.plan(ledger, "june", MESSAGE, numbers(30))
    nowhere = await connect(f"http://127.0.0.1:{unused_tcp_port}", patience=0.1)

    summary = await campaign.dispatch(nowhere)
    status = await campaign.status()

    assert (CampaignState.PAUSED, 30) == (status.state, status.not_sent)
    assert "the patience ran out" in (status.reason or "")
    assert status.reason == summary.stopped
    check_sums(status)


# One set of sums


@pytest.mark.slow
def test_a_paused_campaign_has_one_set_of_sums(serve: Serve) -> None:
    """
    What the command says in words agrees with the ledger: who is pending is pending.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        say("pause", "june")
        said = ended(running)
    found = check(simulator)

    assert 0 == found["not_sent"]
    assert 800 == found["pending"] + found["accepted"]
    assert not re.search(r"\d+  not sent", said.err)


async def test_a_summary_counts_what_the_ledger_has(
    ledger: Ledger, simulate: Simulate, connect: Connect
) -> None:
    """
    Nobody who is pending in the ledger is not sent in the summary.
    """
    simulator = await simulate(latency=0.02)
    client = await connect(simulator, concurrency=2)
    campaign = await Campaign.plan(
        ledger, "june", MESSAGE, numbers(1_000), batch_size=10
    )
    dispatch = asyncio.create_task(campaign.dispatch(client))
    while len(simulator.requests) < 4:  # noqa: ASYNC110 -- it has no event for that
        await asyncio.sleep(0.01)
    campaign.stop("enough for today")
    summary = await dispatch
    status = await campaign.status()

    assert (status.accepted, 0) == (summary.accepted, summary.not_sent)
    assert status.accepted == summary.total


def test_a_finished_campaign_can_not_be_cancelled(serve: Serve) -> None:
    """
    Its state stays what it was, and the text says why.
    """
    simulator = serve()
    june(20)
    say(*sending(simulator))

    said = say("cancel", "june", "--yes")

    assert 2 == said.code
    assert "is finished; nobody is left to be cancelled" in said.complaint
    assert "finished" == stand()["state"]


# Rates


async def test_a_clients_own_rate_is_given_back(
    ledger: Ledger, simulate: Simulate, connect: Connect
) -> None:
    """
    A campaign's rate is its own, and not the client's after its dispatch.
    """
    simulator = await simulate()
    client = await connect(simulator, rate=700)
    campaign = await Campaign.plan(ledger, "june", MESSAGE, numbers(5), rate=4_000)

    await campaign.dispatch(client)

    assert 700 == client.sender.pacer.rate


def test_a_rate_that_is_none_is_refused(serve: Serve) -> None:
    """
    Below one per hour, or no number: exit status 2, and the ledger is not told.
    """
    simulator = serve()
    june(20)
    simulator.next_replies("7001")
    say(*sending(simulator))

    codes = [
        say("rate", "june", text).code for text in ("1e-320", "0.0001", "nan", "inf")
    ]

    assert [2, 2, 2, 2] == codes
    assert None is stand()["rate"]


@pytest.mark.slow
def test_a_rate_that_is_none_does_not_end_a_dispatcher(serve: Serve) -> None:
    """
    Whatever another program writes into the ledger, it goes on as before.
    """
    simulator = serve(latency=0.1)
    june(800)

    with process(*sending(simulator, *SLOWLY)) as running:
        wait_until(lambda: len(simulator.requests) > 10)
        change("UPDATE campaign SET rate = 1e-320")
        said = ended(running)
    check_finished(simulator)

    assert 0 == said.code


# What the ledger tells of it


@pytest.mark.slow
async def test_why_nothing_goes_on_is_told_while_it_runs(
    ledger: Ledger, simulate: Simulate, connect: Connect
) -> None:
    """
    The dispatcher's reason is in the ledger within two seconds, and gone at its end.
    """
    simulator = await simulate("429:60")
    client = await connect(simulator)
    campaign = await Campaign.plan(ledger, "june", MESSAGE, numbers(5))
    dispatch = asyncio.create_task(campaign.dispatch(client))
    async with asyncio.timeout(10):
        while (told := await campaign.status()).waiting is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    dispatch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dispatch
    after = await campaign.status()

    assert "the service asks to wait until" in told.waiting
    assert told.waiting_since is not None
    assert (None, None) == (after.waiting, after.waiting_since)


def test_lookup_finds_a_correlation_id(serve: Serve) -> None:
    """
    One of ours is computed, one of the owner's is searched; either finds its person.
    """
    simulator = serve()
    own = [json.dumps({"msisdn": "+999000000900", "correlationid": 'own "id"-1-2'})]
    others = [json.dumps({"msisdn": each}) for each in numbers(30)]
    Path("june.jsonl").write_text("\n".join([*others, *own]) + "\n")
    say("send", "june.jsonl", "--media", "x", "--base-url", simulator.url)
    ids = [each for record in simulator.requests for each in record.correlation_ids]

    ours = say("lookup", ids[7], "--json")
    owners = say("lookup", 'own "id"-1-2', "--json")
    nobody = say("lookup", f"{ids[7]}99")

    assert (0, 0, 1) == (ours.code, owners.code, nobody.code)
    [found] = json.loads(ours.out)
    assert (numbers(30)[7], ids[7]) == (found["recipient"], found["correlation_id"])
    [found] = json.loads(owners.out)
    assert "+999000000900" == found["recipient"]


def test_the_services_words_decide_nothing(serve: Serve) -> None:
    """
    A description that sounds like the owner's decision, or like a state, is a text.
    """
    simulator = serve()
    simulator.next_replies("drop")
    june(20)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    for words in ("given up: by the provider", "in flight, not answered yet"):
        change("UPDATE batch SET description = ? WHERE unknown > 0", words)
        found = check(simulator)
        shown = say("resolve", "june")

        assert (10, 0, 0) == (found["unknown"], found["given_up"], found["in_flight"])
        assert "10 unknown in 1 request" in shown.out

    assert 10 == list(exported().values()).count("unknown")


async def test_rows_carry_what_the_source_said(ledger: Ledger) -> None:
    """
    Row and number as it came are kept with the plan, also of several values at a place.
    """
    several = attrs.evolve(
        Recipients.of("+9991", Destination(["+9992", "+9993"]), "+9994"),
        rows=[2, 5, 6],
        as_came={0: " 999-1", 1: "9992;9993"},
    )
    plain = Recipients(Kind.MSISDN, ["+9995", "+9996"], range(7, 9))
    unknown = Recipients(Kind.MSISDN, ["+9997"])
    batches = [
        Batch(BatchId("t", number), each, Group(MESSAGE))
        for number, each in enumerate([several, plain, unknown])
    ]
    draft = await ledger.draft(
        Plan(campaign="june", message='{"media":"x"}', source="s", tag="t")
    )
    await draft.add(batches)
    await draft.publish({"read": 7, "invalid": 0, "duplicate": 0, "suppressed": 0})

    campaign = await Campaign.open(ledger, "june")
    rows = [row async for row in campaign.rows(Outcome.PENDING)]

    assert all(isinstance(row, SourceRow) for row in rows)
    assert [
        (2, " 999-1", "+9991"),
        (5, "9992;9993", "+9992"),
        (5, "9992;9993", "+9993"),
        (6, "+9994", "+9994"),
        (7, "+9995", "+9995"),
        (8, "+9996", "+9996"),
        (None, "+9997", "+9997"),
    ] == [(row.row, row.as_came, row.result.recipient) for row in rows]


async def test_a_rate_below_one_per_hour_is_not_planned(ledger: Ledger) -> None:
    """
    Nonsense is refused before anything is kept.
    """
    with pytest.raises(InputError, match="at least one destination per hour"):
        await Campaign.plan(ledger, "june", MESSAGE, numbers(3), rate=1e-320)

    assert [] == await ledger.campaigns()

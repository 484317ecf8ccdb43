"""
Answers that are lost, processes that die and disks that are full, while the platform
reports: nobody is called twice, and no receipt that was answered 200 is lost.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import Connect, Serve, Simulate, numbers
from held_answers import gate, held_answers, in_a_thread
from mishaps import (
    SLOWLY,
    check_finished,
    ended,
    june,
    process,
    resume,
    say,
    sending,
    wait_until,
    wait_until_quiet,
)
from receipt_crashing import ReceiptCrashing
from receipt_looks import check_books, check_file, stored_bodies
from reporting import done, receiver
from test_disk import fill, small_disk
from test_receipts_command import post as post_one

from voicepush import Campaign, VoiceMessage, open_ledger
from voicepush.sending.journal import StopSignal
from voicepush.simulator import Simulator

LEDGER = Path("voicepush.db")

#: What takes a request and does not say so, or says so in no way to be believed.
LOST = ("drop@1/4", "504@1/3", "garbage@1/2", "truncated")

#: Few batches, so that no campaign pauses itself because so many are in doubt.
_SIZE = ("--batch-size", "25", "--concurrency", "4")


def is_resumed(simulator: Simulator, *options: str) -> None:
    """
    The campaign comes to its end, everyone is accepted, and was rung once.
    """
    before = len(simulator.requests)
    said = say("resume", "june", "--base-url", simulator.url, *options)
    found = check_finished(simulator)
    assert 0 == said.code, said.err
    assert found["planned"] == found["accepted"] == sum(found["calls"].values())
    assert set(simulator.calls.values()) == {1}
    assert before + -(-found["pending"] // 25) == len(simulator.requests)
    check_books(LEDGER)


# Requests that were taken and not answered


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize("resend", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_whom_receipts_prove_is_not_called_again(
    serve: Serve, *, early: bool, resend: bool
) -> None:
    """
    Every answer is lost, and every call reported: before the dispatcher could write
    that down, or after it has ended. All are accepted, whatever is decided.
    """
    june(250)
    with receiver(LEDGER) as (_, url), in_a_thread(gate(url)) as posts:
        simulator = serve(
            *LOST,
            notify_url=posts.url,
            ring_seconds=0.001,
            rings=["busy@30%", "hung-up@30%"],
            answer_seconds=60.0,
        )
        if early:
            posts.open()
        with in_a_thread(held_answers(simulator)) as address:
            base = address if early else simulator.url
            with process(
                *["send", "june.csv", "--media", "x", "--base-url", base, *_SIZE],
                *["--json"],
            ) as running:
                said = ended(running, 60)
        rung = len(simulator.requests)
        posts.open()
        done(simulator, 60)
        is_resumed(simulator, *(["--on-unknown", "resend"] if resend else []))

    assert (0 if early else 1) == said.code, said.err
    assert 10 == rung == len(simulator.requests)
    assert {"drop", "504", "garbage", "truncated"} == set(simulator.replies)


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize("resend", [False, True])
@pytest.mark.parametrize("early", [False, True])
def test_a_dead_dispatcher_is_told_by_receipts(
    serve: Serve, *, early: bool, resend: bool
) -> None:
    """
    It is killed while it waits for answers; the receipts come before that, or after.
    Those who were in flight are accepted, the others are called, and nobody again.
    """
    june(250)
    with receiver(LEDGER) as (_, url), in_a_thread(gate(url)) as posts:
        simulator = serve(
            notify_url=posts.url, ring_seconds=0.001, latency=60.0, answer_seconds=60.0
        )
        if early:
            posts.open()
        with process(*sending(simulator, *_SIZE)) as running:
            wait_until(lambda: len(simulator.requests) == 4)
            if early:
                done(simulator, 60)
            running.kill()
            running.wait()
        posts.open()
        done(simulator, 60)
        simulator.latency = 0.0
        said = say(
            *["resume", "june", "--base-url", simulator.url],
            *["--concurrency", "4"],
            *(["--on-unknown", "resend"] if resend else []),
        )
        done(simulator, 60)
        is_resumed(simulator)

    assert 0 == said.code, said.err
    assert 10 == len(simulator.requests)


@pytest.mark.usefixtures("in_a_folder")
def test_whom_it_rang_and_denied_is_not_asked_for_again(serve: Serve) -> None:
    """
    It rings, reports, and says 7006, after which everyone would be tried again.
    """
    june(250)
    with receiver(LEDGER) as (_, url):
        simulator = serve(notify_url=url, ring_seconds=0.001)
        simulator.next_replies(*["ring-7006", "mix:7006=40%"] * 5)
        with (
            in_a_thread(held_answers(simulator)) as address,
            process(
                *["send", "june.csv", "--media", "x", "--base-url", address, *_SIZE]
            ) as running,
        ):
            said = ended(running, 60)
        done(simulator, 60)
        is_resumed(simulator)

    assert 0 == said.code, said.err
    assert 5 == simulator.replies["ring-7006"] == simulator.replies["mix:7006=40%"]


async def test_receipts_that_come_while_it_waits_to_ask_again(
    tmp_path: Path,
    simulate: Simulate,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    The 7006 is written down, and the next attempt waits; when its time has come there
    is nobody to ask for.
    """
    path = tmp_path / "voicepush.db"
    with receiver(path) as (_, url):
        simulator = await simulate(
            "ring-7006@1/2",
            notify_url=url,
            ring_seconds=0.001,
            receipt_faults=["late:0.3"],
        )
        wait, waited = StopSignal.wait, 0

        async def wait_longer(stop: StopSignal, seconds: float | None = None) -> None:
            nonlocal waited
            if seconds is not None:
                waited += simulator.receipts()["pending"] > 0
                await simulator.receipts_done()
            await wait(stop, seconds)

        monkeypatch.setattr(StopSignal, "wait", wait_longer)
        client = await connect(simulator)
        async with open_ledger(path) as ledger:
            campaign = await Campaign.plan(
                ledger, "june", VoiceMessage(media="x"), numbers(200), batch_size=20
            )
            await campaign.dispatch(client)
            await simulator.receipts_done()
            status = await campaign.status()
    check_books(path)

    assert waited
    assert 0 == simulator.summary()["rung_twice"]
    assert 200 == status.accepted == len(simulator.calls)
    assert 10 == len(simulator.requests)
    assert 5 == simulator.replies["ring-7006"]


# A receiver that dies


def test_what_was_answered_200_outlives_thirty_kills(tmp_path: Path) -> None:
    """
    Of the receiver, under load and while it starts, or where it is asked to end, with a
    dispatcher beside it that dies as well: nothing is lost, nobody is rung twice, and
    all sums hold.
    """
    crashing = ReceiptCrashing(tmp_path, kills=30, seed=1)

    crashing.go()

    assert 30 == crashing.loaded
    assert crashing.early
    # Nor may chance let every post be answered, or every receipt come in time.
    assert crashing.statuses[None]
    assert crashing.proven


@pytest.mark.usefixtures("in_a_folder")
def test_a_ledger_that_was_deleted_takes_no_receipt() -> None:
    """
    As no dispatcher claims in one: what is written there nobody would ever read.
    """
    with receiver(LEDGER) as (_, url):
        before = post_one(url, b'{"code": "7519"}')
        for file in Path().glob("voicepush.db*"):
            file.unlink()
        after = {post_one(url, b'{"code": "7519"}') for _ in range(3)}

    assert (200, {503}) == (before, after)


# A disk that is full


@pytest.mark.usefixtures("in_a_folder")
def test_a_full_disk_loses_no_receipt(serve: Serve) -> None:
    """
    Receipts are answered 503 while there is no room, and the dispatcher stops; with
    room again both go on, and whatever was answered 200 is there.
    """
    june(1_500)
    simulator = serve(latency=0.1)
    taken: Counter[bytes] = Counter()
    refused: list[bytes] = []

    def post(body: bytes) -> int:
        status = post_one(url, body)
        if status == 200:
            taken[body] += 1
        else:
            refused.append(body)
        return status

    bodies = (
        json.dumps({"code": "7519", "transid": f"t-{place}", "x": "é" * 500}).encode()
        for place in itertools.count()
    )
    with small_disk("4m") as disk:
        ledger = disk / "june.db"
        where = ("--ledger", str(ledger))
        with receiver(ledger) as (_, url):
            assert {200} == {post(next(bodies)) for _ in range(30)}
            with process(*sending(simulator, *where, *SLOWLY)) as running:
                wait_until(lambda: len(simulator.requests) > 20)
                filler = fill(disk)
                wait_until(lambda: post(next(bodies)) != 200)
                while_full = {post(next(bodies)) for _ in range(10)}
                wait_until_quiet(simulator)
                filler.unlink()
                # A sweep or the next receipt finds out that there is room again.
                wait_until(lambda: post(next(bodies)) == 200)
                left, refused = refused, []
                assert {200} == {post(body) for body in left}
                said = ended(running)
        again = resume(simulator, *where)
        found = check_finished(simulator, ledger)
        check_books(ledger)
        check_file(ledger)
        stored = stored_bodies(ledger)

    assert {503} == while_full
    assert 5 == said.code, said.err
    assert 0 == again.code
    assert 1_500 == found["accepted"]
    assert not refused
    assert not taken - stored

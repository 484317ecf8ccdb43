"""
What is to become of the unknown: their owner decides, and nobody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from conftest import Serve
from mishaps import (
    LEDGER,
    check,
    check_finished,
    june,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush import Receipt, Report, open_ledger
from voicepush.receipts.call_state import call_of
from voicepush.simulator import Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")


def killed_with_twenty_in_flight(simulator: Simulator) -> None:
    """
    A campaign of a hundred whose process was killed while it waited for two answers.
    """
    simulator.next_replies("hang", "hang")
    june(100)
    with process(*sending(simulator, "--batch-size", "10", "--concurrency", "2")) as it:
        wait_until(lambda: len(simulator.calls) == 20)
        it.kill()
        it.wait()


def test_settle_shows_and_resends_only_on_demand(serve: Serve) -> None:
    """
    The evidence is shown; without --yes nothing is done; then, and only then, resume
    rings those whose answer was lost a second time.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop")
    listed = june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    check_finished(simulator)

    shown = say("resolve", "june")
    refused = say("resolve", "june", "--resend")
    resume(simulator)
    untouched = check_finished(simulator)
    decided = say("resolve", "june", "--resend", "--yes")
    waiting = stand()
    again = resume(simulator)
    found = stand()

    assert "20 unknown in 2 requests" in shown.out
    assert "closed the connection without an answer" in shown.out
    assert 2 == refused.code
    assert "--yes" in refused.complaint
    assert 20 == untouched["unknown"]
    assert 0 == decided.code
    assert ("paused", 20, 0) == (
        waiting["state"],
        waiting["pending"],
        waiting["unknown"],
    )
    assert 0 == again.code
    assert 100 == found["accepted"]
    assert Counter(listed) + Counter(listed[:20]) == simulator.calls


def test_settle_gives_up(serve: Serve) -> None:
    """
    They stay unknown, are shown no more, and are never sent again.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop")
    june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))

    decided = say("resolve", "june", "--give-up", "--yes")
    shown = say("resolve", "june")
    both = say("resolve", "june", "--give-up", "--resend")
    again = resume(simulator)
    found = check_finished(simulator)

    assert 0 == decided.code
    assert "0 unknown in 0 requests" in shown.out
    assert 2 == both.code
    assert 1 == again.code
    assert (80, 20, 20) == (found["accepted"], found["unknown"], found["given_up"])


@pytest.mark.slow
def test_settle_knows_of_those_a_dead_process_left(serve: Serve) -> None:
    """
    Right after kill -9 they are shown, without anything being sent first.
    """
    simulator = serve()
    killed_with_twenty_in_flight(simulator)
    shown = say("resolve", "june")
    decided = say("resolve", "june", "--give-up", "--yes")
    found = check(simulator)

    assert "20 unknown in 2 requests" in shown.out
    assert 0 == decided.code
    assert 20 == found["unknown"]


@pytest.mark.slow
def test_those_a_dead_process_left_are_told_of_in_the_end(serve: Serve) -> None:
    """
    The reasons that are told add up to the sums, also where this process has none.
    """
    simulator = serve()
    killed_with_twenty_in_flight(simulator)
    simulator.next_replies("drop")
    again = resume(simulator)

    lines = [" ".join(line.split()) for line in again.err.splitlines()]
    assert 30 == check_finished(simulator)["unknown"]
    assert "20 unknown: in an earlier run, or with another process" in lines
    assert "10 unknown: the service closed the connection without an answer" in lines


def test_what_a_cancelled_campaign_left_can_be_given_up(serve: Serve) -> None:
    """
    Cancelling leaves the unknown as they are, and their owner still has the word.
    """
    simulator = serve()
    simulator.next_replies("drop", "7001")
    june(100)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    say("cancel", "june", "--yes")

    decided = say("resolve", "june", "--give-up", "--yes")
    found = check(simulator)

    assert 0 == decided.code
    assert ("cancelled", 10, 10) == (
        found["state"],
        found["unknown"],
        found["given_up"],
    )


def test_unknown_are_resent_where_that_was_decided(serve: Serve) -> None:
    """
    --on-unknown resend takes the risk of a second call for those, and nobody else.
    """
    simulator = serve()
    simulator.next_replies("drop")
    listed = june(50)

    said = say(
        *sending(simulator, "--batch-size", "10", "--concurrency", "1"),
        *("--on-unknown", "resend"),
    )
    found = stand()

    assert 0 == said.code
    assert 50 == found["accepted"]
    assert Counter(listed) + Counter(listed[:10]) == simulator.calls


def test_an_internal_error_is_final_where_that_was_decided(serve: Serve) -> None:
    """
    --no-retry-internal-error leaves them unknown after one request, also on resuming.
    """
    simulator = serve()
    simulator.next_replies(7006)
    june(50)

    said = say(
        *sending(simulator, "--batch-size", "10", "--concurrency", "1"),
        "--no-retry-internal-error",
    )
    resume(simulator)
    found = check_finished(simulator)

    assert 1 == said.code
    assert (40, 10) == (found["accepted"], found["unknown"])
    assert 5 == len(simulator.requests)


def test_only_some_requests_are_decided_about(serve: Serve) -> None:
    """
    Those of which the receipts speak so: one of three has a receipt.
    """
    simulator = serve()
    simulator.next_replies("drop", "drop", "drop")
    listed = june(30)
    say(*sending(simulator, "--batch-size", "10", "--concurrency", "1"))
    asyncio.run(_report(listed[:3]))

    odd = say("resolve", "june", "--only", "partly")
    word = say("resolve", "june", "--resend", "--only", "maybe")
    given_up = say("resolve", "june", "--give-up", "--only", "partly", "--yes")
    nobody = say("resolve", "june", "--resend", "--only", "not_taken", "--yes")
    found = stand()

    assert (2, 2, 0, 0) == (odd.code, word.code, given_up.code, nobody.code)
    assert "--only belongs to --resend or --give-up" in odd.complaint
    assert "--only maybe is none of taken, partly" in word.complaint
    assert "7 given up" in given_up.out
    assert "no request is not_taken; nothing was changed" in nobody.err
    assert (3, 27, 7, 0) == (
        *(found["accepted"], found["unknown"], found["given_up"]),
        found["pending"],
    )


def test_resending_warns_where_nothing_is_known(serve: Serve) -> None:
    """
    They may have been rung, and nobody can tell yet.
    """
    simulator = serve()
    simulator.next_replies("drop")
    june(10)
    say(*sending(simulator))
    said = say("resolve", "june", "--resend", "--yes")

    assert 0 == said.code
    assert "of 10 of them no receipt says yet" in said.err
    assert "they may be rung twice" in said.err


async def _report(people: list[str]) -> None:
    async with open_ledger(LEDGER) as ledger:
        for value in people:
            (known,) = await ledger.lookup(value)
            said = Report(
                call=call_of("7519", "", "", 1.0),
                correlation_id=known.result.correlation_id,
            )
            receipt = Receipt(body=b"{}", received_at=1.0, reports=[said])
            await ledger.receive([receipt])

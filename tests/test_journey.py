"""
End to end: what a campaign's owner is promised, over real sockets and files.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import Serve, numbers
from servers import Tls, in_thread

from voicepush.cli.application import run
from voicepush.simulator import SHAPES, Simulator

pytestmark = pytest.mark.usefixtures("in_a_folder")


def write_list(many: int) -> None:
    """
    A file as a spreadsheet writes it: byte order mark, CRLF, quoted fields.
    """
    with Path("june.csv").open("w", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL)
        rows.writerow(["Name, first", "msisdn", "note"])
        rows.writerows(
            [f'Person "{i}", {i}', number, "two\nlines" if i % 7 == 0 else ""]
            for i, number in enumerate(numbers(many))
        )


def send(simulator: Simulator, *options: str) -> int:
    """
    The exit status of the main job.
    """
    command = ["send", "june.csv", "--media", "welcome", "--base-url", simulator.url]
    return run([*command, *options])


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """
    What ``status --json`` says.
    """
    capsys.readouterr()
    run(["status", "june", "--json"])
    found: dict[str, int] = json.loads(capsys.readouterr().out)
    return found


def throttled(capsys: pytest.CaptureFixture[str]) -> int:
    """
    How many refusals for speed the minutes of ``status --history --json`` tell.
    """
    capsys.readouterr()
    run(["status", "june", "--history", "--json"])
    minutes = json.loads(capsys.readouterr().out)["minutes"]
    return sum(each["throttled"] for each in minutes)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_spreadsheet_of_12345_numbers(
    shape: str, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Each number is rung exactly once, in requests of at most 1,000, several at a time.
    """
    simulator = serve(answer=shape, latency=0.05)
    write_list(12_345)

    code = send(simulator)
    found = status(capsys)

    assert 0 == code
    assert Counter(numbers(12_345)) == simulator.calls
    assert 1_000 == simulator.largest_request
    assert simulator.most_in_flight > 1
    assert (12_345, 12_345) == (found["planned"], found["accepted"])
    assert (0, 0, 0) == (found["pending"], found["in_flight"], found["unknown"])


def test_a_fifth_of_internal_errors(serve: Serve) -> None:
    """
    With 20 % of 7006 everyone is accepted in the end, and rung once.
    """
    simulator = serve("7006@20%", seed=7)
    write_list(5_000)

    code = send(simulator, "--batch-size", "100")

    assert 0 == code
    assert simulator.replies["7006"] > 2
    assert Counter(numbers(5_000)) == simulator.calls


@pytest.mark.parametrize("fault", ["7020@1/4", "429:1@1/4", "503:1@1/4"])
def test_refusals_for_speed(
    fault: str, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Everyone is accepted, and the history tells each refusal.
    """
    simulator = serve(fault)
    write_list(2_000)

    code = send(simulator, "--rate", "4000", "--batch-size", "250")

    word = fault.removesuffix("@1/4")
    refused = sum(each.reply == word for each in simulator.requests)
    sizes = [request.size for request in simulator.requests]
    assert 0 == code
    assert Counter(numbers(2_000)) == simulator.calls
    assert max(sizes) == 250
    assert 2 <= refused == throttled(capsys)


@pytest.mark.parametrize("fault", ["drop", "504", "garbage"])
def test_lost_answers(
    fault: str, serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Every fifth answer lost: those are unknown, and resuming rings nobody again.
    """
    simulator = serve(f"{fault}@1/5")
    write_list(2_000)

    first = send(simulator, "--batch-size", "100")
    second = run(["resume", "june", "--base-url", simulator.url])
    found = status(capsys)

    assert (1, 1) == (first, second)
    assert (1_600, 400) == (found["accepted"], found["unknown"])
    assert 20 == len(simulator.requests)
    assert Counter(numbers(2_000)) == simulator.calls


@pytest.mark.slow
def test_mixed_answers(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Of each mixed answer only the part with 7006 goes again, under the same ids.
    """
    simulator = serve("mix:7006=20%,7104=5%", seed=9)
    write_list(2_000)

    code = send(simulator)
    found = status(capsys)

    ids = Counter(i for each in simulator.requests for i in each.correlation_ids)
    assert 1 == code
    assert 2_000 == found["accepted"] + found["rejected"]
    assert found["accepted"] == len(simulator.calls)
    assert {1} == set(simulator.calls.values())
    assert 2_000 == len(ids)
    assert max(ids.values()) > 1


@pytest.mark.slow
def test_a_limit_that_nobody_told_is_found(serve: Serve) -> None:
    """
    Without a rate, a tenant of 50 a second is dialled in small requests at once, and
    few of them are refused.
    """
    simulator = serve(tps=50)
    write_list(200)

    code = send(simulator)

    refused = [each for each in simulator.requests if each.reply == "7020"]
    taken = [each for each in simulator.requests if each.reply == "1001"]
    assert 0 == code
    assert {1} == set(simulator.calls.values())
    assert max(each.size for each in taken) <= 50
    assert len(refused) <= len(taken)


@pytest.mark.slow
def test_a_wrong_certificate_ends_with_its_status(tmp_path: Path) -> None:
    """
    The service can't be trusted, so everything stops, with exit status 3.
    """
    write_list(50)
    with in_thread(Tls(folder=tmp_path)) as server:
        code = run(["send", "june.csv", "--media", "x", "--base-url", server.url])

    assert 3 == code
    assert 0 == server.requests


def test_those_who_are_left_can_be_called_under_another_name(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The refusal of another expiry says how, the export is read back as it is, and no
    one is rung twice.
    """
    simulator = serve("mix:7005=30%")
    write_list(500)
    send(simulator, "--expiry", "1h")
    capsys.readouterr()

    refused = send(simulator, "--expiry", "2h")
    advice = capsys.readouterr().err.strip().rpartition("voicepush export ")[2]
    run(["export", *advice.split()])
    rest = [*csv.DictReader(Path("rest.csv").read_text().splitlines())]
    simulator.faults = ()
    command = ["send", "rest.csv", "--media", "x", "--base-url", simulator.url]
    code = run(command)

    assert 2 == refused
    assert {"expired"} == {row["outcome"] for row in rest}
    assert 0 == code
    assert 500 == len(simulator.calls)
    assert {1} == set(simulator.calls.values())


def test_a_list_and_its_compressed_copy_have_one_name(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    So the copy is refused under the name that is taken, and nobody is rung twice.
    """
    simulator = serve()
    write_list(20)
    Path("june.csv.gz").write_bytes(gzip.compress(Path("june.csv").read_bytes()))
    send(simulator)
    command = ["send", "june.csv.gz", "--media", "welcome"]

    code = run([*command, "--base-url", simulator.url])

    assert 2 == code
    assert "planned already" in capsys.readouterr().err
    assert {1} == set(simulator.calls.values())


def test_nobody_to_call_says_why(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    The most frequent reason is told where it is missed most.
    """
    Path("june.csv").write_text("msisdn\n9876543210\n9876543211\n")

    code = send(serve())

    assert 2 == code
    assert "--country" in capsys.readouterr().err


@pytest.mark.slow
def test_patience_does_not_count_the_wait_for_ones_turn(serve: Serve) -> None:
    """
    A campaign that takes longer than the patience goes on through short troubles.
    """
    simulator = serve("7006@1/5")
    write_list(100)

    code = send(simulator, "--rate", "8", "--batch-size", "2", "--patience", "8s")

    assert 0 == code
    assert {1} == set(simulator.calls.values())
    assert 100 == len(simulator.calls)

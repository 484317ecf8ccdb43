"""
Files that are written: whole or not at all, for nobody else, and never over an input.
"""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import KEY, Serve, numbers
from mishaps import LEDGER, june, say, sending

from voicepush.cli.outputs import writing
from voicepush.errors import InputError
from voicepush.report.cells import guarded

CODE = [sys.executable, "-m", "voicepush"]

pytestmark = pytest.mark.usefixtures("in_a_folder")


def mode(path: str | Path) -> int:
    """
    The permissions of a file.
    """
    return stat.S_IMODE(Path(path).stat().st_mode)


# No output overwrites an input.


@pytest.mark.parametrize(
    "output",
    [
        *("june.csv", "./june.csv", "link.csv", "hard.csv", "no.txt", "key"),
        *("voicepush.db", "voicepush.db-wal", "voicepush.db-shm"),
    ],
)
def test_rejects_never_name_an_input(output: str) -> None:
    """
    By whatever name, it is refused before anything is opened.
    """
    june(3)
    Path("no.txt").write_text("+999000000001\n")
    Path("key").write_text(KEY)
    Path("link.csv").symlink_to("june.csv")
    Path("hard.csv").hardlink_to("june.csv")
    before = {path: path.read_bytes() for path in Path().iterdir()}

    said = say(
        *("send", "june.csv", "--media", "x", "--base-url", "http://127.0.0.1:1"),
        *("--suppress", "no.txt", "--key-file", "key", "--rejects", output),
    )

    assert 2 == said.code
    assert f"--rejects {Path(output)} is" in said.complaint
    assert before == {path: path.read_bytes() for path in Path().iterdir()}


def test_rejects_never_name_what_standard_input_is() -> None:
    """
    A list that the shell opened is known by what it is.
    """
    june(3)
    command = [*CODE, "send", "-", "--media", "x", "--dry-run", "--rejects", "june.csv"]

    with Path("june.csv").open() as file:
        done = subprocess.run(  # noqa: S603 -- our own program
            command, stdin=file, capture_output=True, text=True, check=False
        )

    assert 2 == done.returncode
    assert "which would be lost" in done.stderr
    assert Path("june.csv").read_text().startswith("msisdn\n")


@pytest.mark.parametrize(
    "output", [LEDGER, Path("voicepush.db-wal"), Path("other.db"), Path("june.csv")]
)
def test_an_export_never_names_the_ledger(serve: Serve, output: Path) -> None:
    """
    Nor a hard link to it, nor the list that the campaign came from.
    """
    june(3)
    say(*sending(serve()))
    if output == Path("other.db"):
        output.hardlink_to(LEDGER)
    before = LEDGER.read_bytes()
    Path("linked.db").symlink_to(LEDGER)

    said = say("export", "june", "--output", str(output), "--ledger", "linked.db")

    assert 2 == said.code
    assert "which would be lost" in said.complaint
    assert before == LEDGER.read_bytes()


# Whole or not at all.


def test_a_file_is_in_place_once_it_is_whole() -> None:
    """
    Its mode is 0600, also where one stood, and a link still leads to it.
    """
    Path("old.csv").write_text("old")
    Path("old.csv").chmod(0o644)
    Path("link.csv").symlink_to("old.csv")

    with writing(Path("link.csv")) as file:
        file.write("née\n")
        assert "old" == Path("old.csv").read_text()
        assert {0o600} == {
            mode(each) for each in Path().iterdir() if each.name[0] == "."
        }

    assert "née\n".encode() == Path("old.csv").read_bytes()
    assert 0o600 == mode("old.csv")
    assert Path("link.csv").is_symlink()
    assert {"old.csv", "link.csv"} == {each.name for each in Path().iterdir()}


def test_what_stood_there_is_kept_when_writing_fails() -> None:
    """
    The file is as it was, and nothing is left beside it.
    """
    Path("old.csv").write_text("old")

    with pytest.raises(ZeroDivisionError), writing(Path("old.csv")) as file:
        file.write(f"half {1 // 0}")

    assert "old" == Path("old.csv").read_text()
    assert ["old.csv"] == [each.name for each in Path().iterdir()]


def test_an_export_leaves_a_private_file(serve: Serve) -> None:
    """
    An export over a file that everyone could read is for nobody else.
    """
    june(3)
    say(*sending(serve()))
    Path("out.csv").write_text("old")
    Path("out.csv").chmod(0o666)

    assert 0 == say("export", "june", "--output", "out.csv").code
    assert 0o600 == mode("out.csv")
    assert 4 == len(Path("out.csv").read_text().splitlines())


def test_rejects_are_kept_as_they_were_if_the_list_breaks_off() -> None:
    """
    A list that can't be read to its end leaves no half file of rejects.
    """
    Path("june.csv").write_bytes(
        b"msisdn\nx\n" + b"+999000000001\n" * 9_000 + b"\xff\n"
    )
    Path("no.csv").write_text("old")

    said = say(
        *("send", "june.csv", "--media", "x", "--dry-run", "--rejects", "no.csv")
    )

    assert 2 == said.code
    assert "old" == Path("no.csv").read_text()


def test_rejects_say_why_nobody_is_left() -> None:
    """
    If nobody can be called, that is an error, and the file of rejects explains it.
    """
    Path("june.csv").write_text("msisdn\nx\n=1+1\n")

    said = say(
        *("send", "june.csv", "--media", "x", "--dry-run", "--rejects", "no.csv")
    )

    assert 2 == said.code
    assert "nobody to call" in said.complaint
    rows = list(csv.reader(Path("no.csv").read_text().splitlines()))
    assert ["recipient", "x", "'=1+1"] == [row[1] for row in rows]


def test_devices_and_pipes_are_written_directly() -> None:
    """
    They stay what they are.
    """
    os.mkfifo("pipe")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(Path("pipe").read_text()))
    reader.start()
    with writing(Path("pipe")) as file:
        file.write("+999\n")
    reader.join()
    with writing(Path(os.devnull)) as file:
        file.write("+999\n")

    assert ["+999\n"] == heard
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.slow
def test_standard_output_by_its_name_is_continued() -> None:
    """
    What the shell appends to is not cut off.
    """
    Path("june.csv").write_text("msisdn\nx\n+999000000001\n")
    Path("all.txt").write_text("before\n")
    here = ["--base-url", "http://127.0.0.1:9"]
    command = [*CODE, "send", "june.csv", "--media", "x", "--dry-run", *here]

    with Path("all.txt").open("a") as file:
        subprocess.run(  # noqa: S603 -- our own program
            [*command, "--rejects", "/dev/stdout"], stdout=file, check=True
        )

    text = Path("all.txt").read_text()
    assert text.startswith("before\nrow,recipient,kind,reason\n2,x,invalid,")
    assert "would plan 1" in text


@pytest.mark.parametrize(
    ("output", "words"),
    [("loop", "Too many levels"), (".", "a folder"), ("no/such", "No such file")],
)
def test_what_can_not_be_written_is_told(output: str, words: str) -> None:
    """
    A loop of links, a folder, and a folder that is not there are one clear line.
    """
    Path("loop").symlink_to("loop")

    with (
        pytest.raises(InputError, match=rf"{output} can't be written: .*{words}"),
        writing(Path(output)),
    ):
        pass


# What spreadsheets would run.


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("+999000000001", "+999000000001"),
        ("C-17", "C-17"),
        ("", ""),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-1", "'-1"),
        ("+1 800", "'+1 800"),
        ("+1\n", "'+1\n"),
        ("+", "'+"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
    ],
)
def test_formulas_are_guarded(cell: str, written: str) -> None:
    """
    A cell that a spreadsheet would run begins with a quote; a number does not.
    """
    assert written == guarded(cell)


def test_an_export_is_no_list_of_correlation_ids(serve: Serve) -> None:
    """
    Whoever imports our export makes ids of their own.
    """
    listed = june(3)
    simulator = serve()
    say(*sending(simulator))

    head = say("export", "june").out.splitlines()[0].split(",")
    say("export", "june", "--output", "again.csv")
    say("export", "june", "--output", "again.jsonl", "--format", "jsonl")
    for name in ("again.csv", "again.jsonl"):
        sent = say(
            *("send", name, "--column", "recipient", "--media", "x"),
            *("--campaign", name, "--base-url", simulator.url),
        )
        assert 0 == sent.code, sent.err
    ids = [
        row["sent_as"]
        for name in ("june", "again.csv", "again.jsonl")
        for row in csv.DictReader(say("export", name).out.splitlines())
    ]

    expected = ["recipient", "outcome", "code", "description", "transaction_id"]
    assert [*expected, "sent_as"] == head[:6]
    assert 3 * len(listed) == len(set(ids))
    assert numbers(3) == listed


def test_a_column_that_was_not_kept_can_not_be_exported(serve: Serve) -> None:
    """
    That is wrong usage, and nothing is written.
    """
    simulator = serve()
    Path("l.csv").write_text("msisdn,city\n+999000000001,Oz\n", encoding="utf-8")
    assert 0 == say("send", "l.csv", *sending(simulator)[2:], "--keep", "city").code

    typo = say("export", "l", "--with", "town")
    good = say("export", "l", "--with", "city")

    assert (2, "", 0) == (typo.code, typo.out, good.code)
    assert "kept are city" in typo.complaint
    assert good.out.endswith(",2,+999000000001,,,,,,,x,Oz\n")


def test_a_kept_column_with_a_name_of_ours(serve: Serve) -> None:
    """
    It is told from the export's own.
    """
    simulator = serve()
    text = "msisdn,outcome\n+999000000001,busy\n"
    Path("l.csv").write_text(text, encoding="utf-8")
    assert 0 == say("send", "l.csv", *sending(simulator)[2:], "--keep", "outcome").code

    table = say("export", "l", "--with", "outcome")
    objects = say("export", "l", "--with", "outcome", "--format", "jsonl")

    row = next(csv.DictReader(table.out.splitlines()))
    for each in (row, json.loads(objects.out)):
        assert ("accepted", "busy") == (each["outcome"], each["kept_outcome"])

"""
The owner's program hears news within bounds: of time, of output, of what it may know.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import attrs
import pytest
from conftest import KEY
from hearing import script
from mishaps import wait_until

from voicepush.cli.program import Program
from voicepush.errors import InputError

pytestmark = pytest.mark.usefixtures("in_a_folder")

Capture = pytest.CaptureFixture[str]

BODY = b'{"campaign":"june"}\n'


def tell(program: Program, body: bytes = BODY) -> str | None:
    """
    Tell *program* that a campaign is finished.
    """
    return asyncio.run(program.tell("finished", "june", body))


def run(
    text: str, body: bytes = BODY, *, longest: float = 30.0, grace: float = 2.0
) -> str | None:
    """
    Tell a script of *text* the same, within bounds.
    """
    program = Program.found(script(text))
    return tell(attrs.evolve(program, longest=longest, grace=grace), body)


def is_alive(file: str) -> bool:
    """
    Whether the process whose id stands in *file* goes on.
    """
    try:
        stat = Path(f"/proc/{Path(file).read_text().strip()}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    # One that has ended may wait for a parent that never asks.
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_it_gets_the_body_and_the_event(capsys: Capture) -> None:
    """
    The body comes on its standard input, and what it writes is shown line by line.
    """
    failure = run('cat; echo "$VOICEPUSH_EVENT of $VOICEPUSH_CAMPAIGN" >&2')
    said = capsys.readouterr()

    assert failure is None
    assert "" == said.out
    assert [
        'notify-command: {"campaign":"june"}',
        "notify-command: finished of june",
    ] == said.err.splitlines()


def test_secrets_of_ours_are_not_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Of our own variables it gets the event, the campaign and the ledger; all of others.
    """
    monkeypatch.setenv("VOICEPUSH_HUB_SECRET", "hush")
    monkeypatch.setenv("VOICEPUSH_NOTIFY_WEBHOOK", "https://h.example/hush")
    monkeypatch.setenv("VOICEPUSH_LEDGER", "june.db")
    monkeypatch.setenv("MAILTO", "boss")

    assert run("env > env.txt") is None
    pairs = (line.partition("=") for line in Path("env.txt").read_text().splitlines())
    found = {name: value for name, _, value in pairs}

    assert {
        "VOICEPUSH_EVENT": "finished",
        "VOICEPUSH_CAMPAIGN": "june",
        "VOICEPUSH_LEDGER": "june.db",
    } == {name: value for name, value in found.items() if "VOICEPUSH" in name}
    assert "boss" == found["MAILTO"]
    assert os.environ["PATH"] == found["PATH"]
    assert KEY not in str(found)


def test_no_shell_looks_at_it() -> None:
    """
    Words are parted as a shell parts them, and mean nothing more.
    """
    command = f"""{script('printf "%s|" "$@" > words')} 'a b' $HOME ; > x"""

    assert tell(Program.found(command)) is None
    assert "a b|$HOME|;|>|x|" == Path("words").read_text()


def test_one_that_hangs_is_ended_with_all_that_it_started() -> None:
    """
    Its whole group is, once its time is over.
    """
    text = "sleep 60 & echo $! > child; echo $$ > parent; wait"

    failure = run(text, longest=0.5)

    assert "it had not ended after 0.5 s, and was stopped" == failure
    assert not is_alive("parent")
    wait_until(lambda: not is_alive("child"))


def test_one_that_hears_no_signal_is_ended_as_well() -> None:
    """
    It is asked, and then it is not asked.
    """
    text = "trap '' TERM; echo $$ > parent; while :; do sleep 60; done"

    failure = run(text, longest=0.5, grace=0.1)

    assert failure is not None
    assert "was stopped" in failure
    assert not is_alive("parent")


def test_one_that_is_asked_to_end_may_clean_up() -> None:
    """
    It hears SIGTERM first.
    """
    text = "trap 'echo bye > bye; exit 0' TERM; while :; do sleep 0.05; done"

    failure = run(text, longest=1.0, grace=20)

    assert failure is not None
    assert Path("bye").exists()


def test_one_that_writes_a_lot_is_read_to_its_end(capsys: Capture) -> None:
    """
    The beginning is shown, the rest counted, and it does not wait for a reader.
    """
    failure = run("yes 0123456 | head -n 40000; echo done > done", longest=60)
    lines = capsys.readouterr().err.splitlines()

    assert failure is None
    assert Path("done").exists()
    assert ["notify-command: 0123456"] * 20 == lines[:-1]
    assert lines[-1] == (
        "notify-command: … and 319,840 bytes more, which are not shown"
    )


def test_one_that_writes_without_end_is_ended(capsys: Capture) -> None:
    """
    Also one that writes a line without end.
    """
    failure = run("tr '\\0' x < /dev/zero", longest=0.5)
    [line, more] = capsys.readouterr().err.splitlines()

    assert failure is not None
    assert "was stopped" in failure
    assert f"notify-command: {'x' * 4_096}" == line
    assert more.endswith("bytes more, which are not shown")


def test_what_it_writes_forges_no_line(capsys: Capture) -> None:
    """
    Control characters, and what is no UTF-8, are shown as something harmless.
    """
    run(r"printf 'a\033[2J\302\233b\377\n'")

    assert "notify-command: a [2J b\ufffd\n" == capsys.readouterr().err


def test_one_that_reads_nothing_is_not_waited_for() -> None:
    """
    However long what it is told.
    """
    assert run("exit 0", b"x" * (1 << 20)) is None


def test_what_it_has_started_may_go_on() -> None:
    """
    Nobody waits for a process in the background that holds its output open.
    """
    failure = run("sleep 60 & echo $! > child")

    assert failure is None
    assert is_alive("child")
    os.kill(int(Path("child").read_text()), 9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("exit 3", "it ended with exit status 3"),
        ("kill -9 $$", "it was ended by signal 9"),
    ],
)
def test_a_failure_is_told_in_words(text: str, words: str) -> None:
    """
    An exit status or a signal is named.
    """
    assert words == run(text)


def test_one_that_can_no_longer_be_run() -> None:
    """
    It was there when the campaign began, and is told of when it is gone, or is none.
    """
    command = script("exit 0")
    program = Program.found(command)
    Path("tell.sh").write_bytes(b"\x7fELF, or so it says")
    is_none = tell(program)
    Path("tell.sh").unlink()
    is_gone = tell(program)

    assert "it can't be run: Exec format error" == is_none
    assert "it can't be run: No such file or directory" == is_gone


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "--notify-command is empty"),
        ("  ", "--notify-command is empty"),
        ("tell 'june", "can't be taken apart: no closing quotation"),
        ("no-such-program --token hush", "no program 'no-such-program' that can be"),
        ("./tell.sh hush", r"no program './tell\.sh' that can be run; .* sh -c"),
        ("A=b true hush", "no program 'A=b'"),
    ],
)
def test_what_can_not_be_run_is_refused(command: str, words: str) -> None:
    """
    The program is named, and not its arguments, which may be secret.
    """
    Path("tell.sh").write_text("not executable")

    with pytest.raises(InputError, match=words) as caught:
        Program.found(command)

    assert "hush" not in str(caught.value)


def test_its_name_holds_no_argument() -> None:
    """
    Nor does its repr.
    """
    program = Program.found("sh -c 'curl https://h.example/hush'")

    assert "--notify-command sh" == program.name
    assert "hush" not in repr(program)

"""
The commands that documents show: each is one that there is, with options that it has.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from voicepush.cli.application import _in_front, app
from voicepush.errors import VoicepushError

ROOT = Path(__file__).parent.parent

PAGES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"),
    *sorted((ROOT / "docs").glob("*.md")),
]

_BLOCK = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)

#: What stands between two commands of one line.
_BETWEEN = {";", "&", "&&", "|", "||", "(", ")", ");", "$", "`"}

#: What stands before the name of a file.
_INTO = {">", ">>", "<", "2>"}


def lines_of(page: Path) -> list[str]:
    """
    What is typed on *page*, each line with those that it goes on in.
    """
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    typed = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ") for line in typed if line.strip()]


def commands_in(line: str) -> Iterator[list[str]]:
    """
    The words of each command in a *line* of a shell, without where its output goes.
    """
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    for is_between, words in groupby(reader, _BETWEEN.__contains__):
        if is_between:
            continue
        typed: list[str] = []
        left = iter(words)
        for word in left:
            if word in _INTO:
                next(left)
            elif typed or not re.match(r"\w+=", word):
                typed.append(word)
        if typed:
            yield typed


def understand(words: list[str]) -> None:
    """
    Let the command line read *words*, and run nothing.
    """
    _, of_all, _ = app.meta.parse_args(_in_front(words[1:]), exit_on_error=False)
    app.parse_args(of_all.args, exit_on_error=False, print_error=False)


SHOWN = [
    pytest.param(words, id=f"{page.relative_to(ROOT)}: {' '.join(words)}"[:120])
    for page in PAGES
    for line in lines_of(page)
    for words in commands_in(line)
]

OURS = [each for each in SHOWN if Path(each.values[0][0]).name == "voicepush"]  # type: ignore[index] # pytest has no type for it

PROGRAMS = [
    each
    for each in SHOWN
    if any(str(word).endswith(".py") and "/" in word for word in each.values[0])  # type: ignore[union-attr] # see above
]


def test_commands_were_found() -> None:
    """
    On most pages, of ours and of others.
    """
    assert len(OURS) > 100
    assert len(PROGRAMS) > 10


@pytest.mark.parametrize("words", OURS)
def test_what_is_typed_is_understood(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    By the command line itself, which runs nothing: a command, an option or a value that
    there is not is an error.
    """
    monkeypatch.chdir(tmp_path)

    understand(words)


@pytest.mark.parametrize(
    "line",
    [
        "voicepush sned june.csv",
        "voicepush status june --whatch",
        "voicepush send june.csv --concurrency many",
        "voicepush resume june july",
        "voicepush lookup",
    ],
)
def test_a_slip_would_be_found(line: str) -> None:
    """
    Whatever is wrong with a command, it is no command.
    """
    (words,) = commands_in(line)

    with pytest.raises((CycloptsError, VoicepushError)):
        understand(words)


@pytest.mark.parametrize("words", PROGRAMS)
def test_programs_are_there(words: list[str]) -> None:
    """
    So are the options that they are given.
    """
    place = next(place for place, word in enumerate(words) if word.endswith(".py"))
    program = ROOT / words[place]
    options = [word for word in words[place + 1 :] if word.startswith("--")]
    if "pytest" in words[0]:
        options = []

    text = program.read_text(encoding="utf-8")

    assert [] == [option for option in options if f'"{option}"' not in text]

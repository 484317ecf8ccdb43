"""
What docs/testing.md shows is from tests that run, and what it names is there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import voicepush.testing
from voicepush.simulator import Reply, Ring

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "service_tests"
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

#: Those that need nothing but what these tests need; CI runs all of them.
OURS = ("test_on_aiohttp.py", "test_receipts.py")


def _section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def _words(text: str) -> list[str]:
    found = re.findall(r"`([^`]+)`", text)
    return [re.sub("SECONDS", "2", each).replace("CODE", "7006") for each in found]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_each_block_is_from_a_test_that_runs(number: int) -> None:
    """
    Word for word: of the example, which CI runs, or of these tests.
    """
    language, block = BLOCKS[number]
    files = [*EXAMPLE.rglob("*.py"), ROOT / "tests" / "test_mocked.py"]
    texts = [file.read_text(encoding="utf-8") for file in files]

    assert "python" == language
    # What the page shows together may have other tests in between.
    parts = block.split("\n\n\n")
    assert all(any(part.strip("\n") in text for text in texts) for part in parts)


def test_the_examples_for_aiohttp_run() -> None:
    """
    As a user would run them, with warnings as errors.
    """
    command = [sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603 -- our own example
        [*command, *(f"tests/{name}" for name in OURS)],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr


def test_the_replies_that_are_told_of_are_replies() -> None:
    """
    Each word in the table can be scripted.
    """
    rows = [row for row in _section("What is replied").splitlines() if row[:2] == "| "]
    words = [word for row in rows for word in _words(row.split("|")[1])]

    assert 30 < len(words)
    assert words == [Reply.parse(word).word for word in words]


def test_what_happens_on_phones_is_told_of() -> None:
    """
    Each word of it can be given.
    """
    line = next(each for each in PAGE.splitlines() if "`phones(" in each)
    words = _words(line.partition("what happens: ")[2])

    assert 7 == len(words)
    assert words == [Ring.parse(word).story.word for word in words]


@pytest.mark.parametrize("name", voicepush.testing.__all__)
def test_each_public_name_is_told_of(name: str) -> None:
    """
    All but the error, which speaks for itself.
    """
    assert name == "UnusedRepliesError" or f"{name}" in PAGE

"""
What the documents promise: their examples run, and every command has its place.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import KEY, Serve

import voicepush
from voicepush.cli.application import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
API = (ROOT / "docs" / "api.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
PAGES = [
    README,
    *((ROOT / "docs" / f"{each}.md").read_text() for each in ("logs", "telemetry")),
]
EXAMPLES = re.findall(r"```python\n(.*?)```", "\n".join(PAGES), re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run(number: int, serve: Serve, tmp_path: Path) -> None:
    """
    Each example of the README, and of what is told of logs and telemetry, is a whole
    program that ends well.
    """
    surroundings = {
        **os.environ,
        "VOICEPUSH_BASE_URL": serve().url,
        "VOICEPUSH_SERVICE_KEY": KEY,
    }

    done = subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, "-W", "error", "-c", EXAMPLES[number]],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_every_command_is_told_of() -> None:
    """
    The pages show each command once at least.
    """
    pages = "\n".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    commands = [name for name in app if not name.startswith("-")]

    assert "send" in commands
    assert [] == [name for name in commands if f"voicepush {name}" not in pages]


def test_the_changelog_knows_the_version() -> None:
    """
    The version is in the changelog, or still to come.
    """
    assert "[Unreleased]" in CHANGELOG or f"[{voicepush.__version__}]" in CHANGELOG


@pytest.mark.parametrize("code", ["1001", *map(str, range(7000, 7008)), "7009", "7020"])
def test_the_codes_are_told_of(code: str) -> None:
    """
    Each code of the API's own document has its line.
    """
    assert code in API


@pytest.mark.parametrize(
    ("program", "page"),
    [
        ("house.py", "architecture.md"),
        ("call_states.py", "receipts.md"),
        ("call_statuses.py", "receipts-poll.md"),
        ("keys.py", "configuration.md"),
        ("log_fields.py", "logs.md"),
        ("measured.py", "telemetry.md"),
    ],
)
def test_what_is_drawn_from_the_code_is_of_this_code(program: str, page: str) -> None:
    """
    The picture of the house, and the table of what receipts mean.
    """
    drawn = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, str(ROOT / "docs" / program)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert drawn in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_no_module_is_too_long() -> None:
    """
    A module has one job: at most 400 lines, and fewer than 220 on the average.
    """
    lines = {
        path: path.read_text(encoding="utf-8").count("\n")
        for path in (ROOT / "voicepush").rglob("*.py")
        if path.stem != "__init__"
    }

    assert {} == {path: number for path, number in lines.items() if number > 400}
    assert sum(lines.values()) / len(lines) < 220

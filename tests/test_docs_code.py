"""
The code that documents show: it is taken from files that run, and data can be read.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import KEY, Serve

DOCS = Path(__file__).parent.parent / "docs"

EXAMPLES = sorted((DOCS / "examples").glob("*.py"))

#: Pages whose code is run, or compared with files that run, by tests of their own.
TESTED_ELSEWHERE = {
    *("notifications.md", "logs.md", "services.md", "telemetry.md", "testing.md"),
}

_BLOCK = re.compile(
    r"^ *```(?P<language>python|toml|json)(?: title=\"(?P<title>[^\"]+)\")?$"
    r"(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)

_READERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
}

#: How deep a part of an example may stand in it.
_DEPTHS = range(0, 20, 4)

#: What an example reads, by the name of the file.
_LISTS = {
    "june.csv": "msisdn,agreed until\n+999100000001,2099-01-01\n+999100000002,\n",
    "logs.csv": "Phone,Status,Transaction ID\n+999100000001,Delivered,t-1\n",
}


def _blocks(*languages: str, told: str) -> list[object]:
    """
    Blocks of some *languages*: page, what is *told* of each where it begins, and text.
    """
    return [
        pytest.param(
            page.name,
            found[told],
            textwrap.dedent(found["text"]).strip("\n"),
            id=f"{page.name} {place}",
        )
        for page in sorted(DOCS.glob("*.md"))
        for place, found in enumerate(_BLOCK.finditer(page.read_text("utf-8")), 1)
        if found["language"] in languages
    ]


@pytest.mark.parametrize(("page", "title", "text"), _blocks("python", told="title"))
def test_code_is_of_a_file_that_runs(page: str, title: str | None, text: str) -> None:
    """
    The block names the file, and stands in it word for word; pages that are tested
    elsewhere hold code at least.
    """
    if page in TESTED_ELSEWHERE:
        compile(text, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return
    assert title is not None, 'name its file: ```python title="docs/examples/….py"'
    whole = (DOCS.parent / title).read_text(encoding="utf-8")

    assert any(textwrap.indent(text, depth * " ") in whole for depth in _DEPTHS)


@pytest.mark.parametrize(
    ("page", "language", "text"), _blocks("toml", "json", told="language")
)
def test_data_can_be_read(page: str, language: str, text: str) -> None:
    """
    TOML and JSON are what they are called.
    """
    assert _READERS[language](text), page


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(example: Path, serve: Serve, tmp_path: Path) -> None:
    """
    Each is a whole program that ends well, and says nothing of warnings.
    """
    for name, text in _LISTS.items():
        (tmp_path / name).write_text(text)
    surroundings = {
        **os.environ,
        "VOICEPUSH_BASE_URL": serve().url,
        "VOICEPUSH_SERVICE_KEY": KEY,
    }

    done = subprocess.run(  # noqa: S603 -- our own example
        [sys.executable, "-W", "error", str(example)],
        cwd=tmp_path,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_every_example_is_shown() -> None:
    """
    A file that no page shows is of no use there.
    """
    pages = "\n".join(page.read_text("utf-8") for page in DOCS.glob("*.md"))

    assert [] == [
        each.name for each in EXAMPLES if f"examples/{each.name}" not in pages
    ]

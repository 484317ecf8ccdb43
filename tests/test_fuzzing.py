"""
What was once worth trying stays tried: every input of ``fuzzing/corpus``.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from fuzzing import CORPUS

_INPUTS = sorted(each for each in CORPUS.glob("*/*") if each.is_file())


@pytest.mark.parametrize(
    "file", _INPUTS, ids=[f"{each.parent.name}-{each.name}" for each in _INPUTS]
)
def test_what_was_tried_holds(file: Path) -> None:
    """
    Whatever a reader is given, what its module says of it is true.
    """
    check = importlib.import_module(f"fuzzing.{file.parent.name}").check

    check(file.read_bytes())


def test_every_reader_has_inputs() -> None:
    """
    And all inputs have a reader.
    """
    readers = {each.stem for each in CORPUS.parent.glob("[!_]*.py")}

    assert readers == {each.parent.name for each in _INPUTS}

"""
Writes the page of the library from its public names, in the order of the journey.

``python docs/library.py`` prints it; ``docs/build.py`` makes it a page of the site, where
mkdocstrings puts the docstrings in. The comments in ``voicepush.__all__`` are its parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import voicepush

_BEGIN = """\
# The library

Every public name, in the order of the journey, made from the code. What is not here may
change without notice.
"""

_SOURCE = Path(voicepush.__file__).read_text(encoding="utf-8")

#: A comment that begins a part, or a name.
_LINE = re.compile(r'^    (?:# (?P<part>.+)|"(?P<name>\w+)",)$', re.MULTILINE)


def lines() -> Iterator[str]:
    """
    The page, line by line.
    """
    yield _BEGIN
    for found in _LINE.finditer(_SOURCE.partition("__all__ = [")[2]):
        if found["part"]:
            yield f"## {found['part']}\n"
        else:
            yield f"::: voicepush.{found['name']}\n"


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 -- it is to be read

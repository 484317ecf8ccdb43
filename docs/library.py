"""
Writes the pages of the library from its public names, in the order of the journey.

``docs/build.py`` makes them pages of the site, and mkdocstrings puts the docstrings in.
Each comment in ``voicepush.__all__`` begins a page. ``python docs/library.py`` prints
the lines that the navigation in ``zensical.toml`` has for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import voicepush

_SOURCE = Path(voicepush.__file__).read_text(encoding="utf-8")

#: A comment that begins a part, or a name.
_LINE = re.compile(r'^    (?:# (?P<part>.+)|"(?P<name>\w+)",)$', re.MULTILINE)


def parts() -> dict[str, list[str]]:
    """
    The public names of each part, by its title.
    """
    found: dict[str, list[str]] = {}
    for line in _LINE.finditer(_SOURCE.partition("__all__ = [")[2]):
        if line["part"]:
            names = found[line["part"]] = []
        else:
            names.append(line["name"])
    return found


def file_of(title: str) -> str:
    """
    The name of the page of a part: its title, up to a comma.
    """
    return title.partition(",")[0].lower().replace(" ", "-") + ".md"


def pages() -> Iterator[tuple[str, str]]:
    """
    Each page: its file and its text.
    """
    for title, names in parts().items():
        shown = "\n\n".join(f"::: voicepush.{name}" for name in names)
        yield file_of(title), f"# {title}\n\n{shown}\n"


if __name__ == "__main__":
    for title in parts():
        print(f'{{ "{title}" = "reference/library/{file_of(title)}" }},')  # noqa: T201 -- to be read

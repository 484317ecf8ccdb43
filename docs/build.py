"""
Builds the site of the documentation: ``python docs/build.py`` makes the folder ``site``.

Pages that are made from the code are written first, into ``docs/reference``, which is not
committed. Whatever is told as a warning ends it with an error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent

#: The programs that print a page each.
PAGES = ("commands", "library")

#: Zensical is strict with links only; what reads the docstrings just tells of them.
_TOLD = ("WARNING", "ERROR", "Traceback")


def write_pages() -> None:
    """
    Write the pages that are made from the code.
    """
    folder = DOCS / "reference"
    folder.mkdir(exist_ok=True)
    for name in PAGES:
        program = [sys.executable, str(DOCS / f"{name}.py")]
        page = subprocess.run(program, check=True, capture_output=True).stdout  # noqa: S603 -- our own
        (folder / f"{name}.md").write_bytes(page)


def build() -> int:
    """
    Build the site; the exit status is 0 if nothing was complained of.
    """
    done = subprocess.run(  # noqa: S603 -- with arguments of our own
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=DOCS.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    return done.returncode or int(any(each in done.stdout for each in _TOLD))


if __name__ == "__main__":
    write_pages()
    sys.exit(build())

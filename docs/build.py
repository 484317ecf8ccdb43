"""
Builds the site of the documentation: ``python docs/build.py`` makes the folder `site`.

Pages that are made from the code are written first, into `docs/reference`, which is not
committed. Whatever is told as a warning makes its exit status 1.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import commands
import library

DOCS = Path(__file__).resolve().parent

#: Zensical is strict with links only; what reads the docstrings just tells of them.
_TOLD = ("griffe:", "WARNING", "ERROR")


def write_pages() -> None:
    """
    Write the pages that are made from the code.
    """
    made = {"commands.md": "\n".join(commands.lines())}
    made |= {f"library/{name}": text for name, text in library.pages()}
    rmtree(DOCS / "reference", ignore_errors=True)
    for name, text in made.items():
        page = DOCS / "reference" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")


def build() -> int:
    """
    Build the site; the exit status is 0 if nothing was complained of.
    """
    done = subprocess.run(
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

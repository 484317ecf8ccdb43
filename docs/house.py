"""
Draws the house from the code: rooms in their order, modules, what each is for.

``python docs/house.py`` prints it; docs/architecture.md holds the same text, and a test
says when that is out of date.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "voicepush"


def layers() -> list[list[str]]:
    """
    The rooms, from the highest layer to the lowest, as the house contract orders them.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (ordered,) = [each["layers"] for each in contracts if each["type"] == "layers"]
    return [[name.strip() for name in layer.split("|")] for layer in ordered]


def told(path: Path) -> str:
    """
    The first line of a module's docstring.
    """
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def lines() -> Iterator[str]:
    """
    The picture, line by line.
    """
    for layer in layers():
        for room in layer:
            folder = PACKAGE / room
            if not folder.is_dir():
                yield f"{room + '.py':26}{told(PACKAGE / f'{room}.py')}"
                continue
            yield f"{room + '/':26}{told(folder / '__init__.py')}"
            yield from _inside(folder, 1)
        yield ""


def _inside(folder: Path, depth: int) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        indent = "  " * depth
        if path.is_dir() and (path / "__init__.py").exists():
            yield f"{indent + path.name + '/':26}{told(path / '__init__.py')}"
            yield from _inside(path, depth + 1)
        elif path.suffix == ".py" and path.stem != "__init__":
            yield f"{indent + path.name:26}{told(path)}"


def picture() -> str:
    """
    The whole of it.
    """
    return "\n".join(lines()).rstrip() + "\n"


if __name__ == "__main__":
    print(picture(), end="")  # noqa: T201 -- that is what it is for

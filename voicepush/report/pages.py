"""
Pages made from templates, in which every text is taken for a text.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from voicepush.report.wording import cell, nobreak, outside

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment(*packages: str) -> Environment:
    """
    What makes pages of the templates of this package, and of *packages* before it.
    """
    from jinja2 import (  # noqa: PLC0415 -- only pages need it
        ChoiceLoader,
        Environment,
        PackageLoader,
        StrictUndefined,
    )

    found = Environment(
        loader=ChoiceLoader(list(map(PackageLoader, [*packages, "voicepush.report"]))),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(cell=cell, nobreak=nobreak, outside=outside)
    return found


def style() -> str:
    """
    The style sheet of every page.
    """
    from importlib.resources import files  # noqa: PLC0415 -- see above

    sheet = files("voicepush.report") / "templates" / "report.css"
    return sheet.read_text(encoding="utf-8")

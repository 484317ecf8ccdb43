"""
The shape of an answer: how it is built, which is more than a sender has to know.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

#: What an element of an answer is believed to have.
FIELDS = ("code", "transid", "description", "correlationid")


@attrs.frozen
class Shape:
    """
    How an answer is built.
    """

    #: In words.
    form: str
    #: Whether it is an object with a list, as it is by rule.
    is_usual: bool = False
    elements: Sequence[dict[str, Any]] = ()

    @property
    def has_codes(self) -> bool:
        """
        Whether it is an answer of the API's, whatever it says.
        """
        return any(isinstance(each.get("code"), str | int) for each in self.elements)

    @property
    def missing(self) -> list[str]:
        """
        The fields that some element lacks.
        """
        return [
            name
            for name in FIELDS
            if any(name not in element for element in self.elements)
        ]

    @property
    def others(self) -> list[str]:
        """
        The fields that nobody expects.
        """
        found = {name for element in self.elements for name in element}
        return sorted(found.difference(FIELDS))

    @property
    def has_numeric_codes(self) -> bool:
        """
        Whether a code is a number instead of a text.
        """
        return any(isinstance(each.get("code"), int) for each in self.elements)

    @property
    def ids(self) -> list[str]:
        """
        The correlation ids that it gives back.
        """
        found = (each.get("correlationid") for each in self.elements)
        return [str(each) for each in found if each not in (None, "")]


def shape_of(body: bytes) -> Shape:
    """
    The shape of *body*, whatever it is.
    """
    text = body.removeprefix(codecs.BOM_UTF8)
    if not text.strip():
        return Shape("nothing")
    try:
        thing = msgspec.json.decode(text)
    except (ValueError, RecursionError):
        is_page = text.lstrip()[:1] == b"<"
        return Shape("a page (HTML)" if is_page else "no JSON")
    if isinstance(thing, dict) and "response" in thing:
        inner, holder = thing["response"], "an object with `response`"
    else:
        inner, holder = thing, "JSON without `response`"
    if isinstance(inner, list):
        elements = [each for each in inner if isinstance(each, dict)]
        is_usual = inner is not thing and len(elements) == len(inner) > 0
        return Shape(f"{holder}, a list", is_usual, elements)
    if isinstance(inner, dict):
        return Shape(f"{holder}, one object", elements=[inner])
    return Shape(f"{holder}, no object")

"""
The digests of a bundle's files, each chained to those before it.

A line of ``digests.txt`` holds the SHA-256 of a file, its name, and the SHA-256 of the
line that is made of the chain so far, that digest and that name. So the last one stands
for every byte of every file, their names and their order.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from voicepush.report.bundle.contents import NAME

#: What the first file is chained to.
START = "0" * 64

_LINE = re.compile(rf"([0-9a-f]{{64}})  ({NAME.pattern})  ([0-9a-f]{{64}})")


class Link(NamedTuple):
    """
    A file in the chain.
    """

    name: str
    #: Of its bytes.
    digest: str
    #: Of the chain up to it.
    chain: str


def linked(files: Iterable[tuple[str, str]]) -> list[Link]:
    """
    The chain of *files*, each with its name and its digest.
    """
    chain = START
    links = []
    for name, digest in files:
        line = f"{chain}  {digest}  {name}\n"
        chain = hashlib.sha256(line.encode()).hexdigest()
        links.append(Link(name, digest, chain))
    return links


def as_text(links: Iterable[Link]) -> str:
    """
    *links* as they stand in a bundle.
    """
    return "".join(f"{each.digest}  {each.name}  {each.chain}\n" for each in links)


def parsed(text: str) -> list[Link] | None:
    """
    The links that `as_text` wrote; None if *text* was written otherwise.
    """
    found = [_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    links = [Link(each[2], each[1], each[3]) for each in found if each is not None]
    return links if links and as_text(links) == text else None


def last_of(links: Sequence[Link]) -> str:
    """
    What stands for all of *links*.
    """
    return links[-1].chain

"""
How something is made wrong for a while, and which worlds can show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import NamedTuple

from setups import Setup, made
from showing import Wants

#: Makes something wrong, and right again.
Plant = Callable[[], Iterator[None]]


class Planted(NamedTuple):
    """
    Something that is wrong again for as long as a ``with`` lasts.
    """

    plant: Callable[[], AbstractContextManager[None]]
    #: Whether a world has what it takes to show it.
    wants: Wants


def worlds_for(
    planted: Planted, ledger: str = "memory", first: int = 0
) -> Iterator[Setup]:
    """
    The worlds that can show it, in the order of their seeds, from the *first* on.
    """
    return filter(planted.wants, (made(seed, ledger) for seed in count(first)))


def planted_in(
    where: dict[str, Planted], words: str, wants: Wants
) -> Callable[[Plant], Plant]:
    """
    Put what the decorated function does *where* others are, by what is wrong.
    """

    def plant(work: Plant) -> Plant:
        where[words] = Planted(contextmanager(work), wants)
        return work

    return plant

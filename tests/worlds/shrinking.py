"""
The smallest world that fails as a larger one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
from going import Report, run
from setups import Setup

#: So many smaller worlds are tried at most.
_MOST_TRIES = 400

#: What is taken out piece by piece, the largest first.
_LISTS = (
    *("faults", "deeds", "deaths", "stops", "ledger_faults", "cuts", "losses"),
    *("outages", "people"),
)

#: What a world is like where nothing special is known of it.
_PLAIN: dict[str, Any] = {
    "shuffles": False,
    "planner_dies": None,
    "own_ids": (),
    "refused": frozenset(),
    "silent": frozenset(),
    "receipts": 0.0,
    "gap": None,
    "starts_in": None,
    "expiry": None,
    "rate": None,
    "resolve_resends": False,
    "resend_unknown": False,
    "retry_internal_error": True,
    "reuse": "proven",
    "batch_size": 1,
    "concurrency": 1,
    "machines": False,
}


def shrunk(report: Report, went: Callable[[Setup], Report] = run) -> Report:
    """
    The report of the smallest world found that fails, too.

    Args:
        went: Lets a world go.
    """
    smallest, tries = report, 0
    found = True
    while found and tries < _MOST_TRIES:
        found = False
        for smaller in _smaller(smallest.setup):
            tries += 1
            other = went(smaller)
            if other.failure is not None and _is_alike(other, report):
                smallest, found = other, True
                break
            if tries >= _MOST_TRIES:
                break
    return smallest


def must_hold(setup: Setup) -> Report:
    """
    Let the world of *setup* go.

    Raises:
        AssertionError: It has failed; the text tells of the smallest that does so, too.
    """
    report = run(setup)
    if report.failure is None:
        return report
    smallest = shrunk(report)
    story = "\n".join(smallest.story)
    raise AssertionError(
        f"seed {setup.seed}: {report.failure}\n{smallest.setup}\n{story}"
    )


def _is_alike(one: Report, other: Report) -> bool:
    return _words(one) == _words(other)


def _words(report: Report) -> list[str]:
    """
    What failed, without names and numbers.
    """
    words = (report.failure or "").split()
    return [word for word in words if word.isalpha() or word.endswith("Error:")]


def _smaller(setup: Setup) -> Iterator[Setup]:
    """
    Worlds in which less happens, those with much less first.
    """
    for name in _LISTS:
        whole = getattr(setup, name)
        least = 1 if name == "people" else 0
        size = len(whole)
        while size:
            for first in range(0, len(whole), size):
                less = whole[:first] + whole[first + size :]
                if len(less) >= least:
                    yield _with(setup, name, less)
            size //= 2
    if first := min((at for at, _ in setup.faults), default=0):
        sooner = tuple((at - first, fault) for at, fault in setup.faults)
        yield _with(setup, "faults", sooner)
    for name, plain in _PLAIN.items():
        if getattr(setup, name) != plain:
            yield _with(setup, name, plain)


def _with(setup: Setup, name: str, value: Any) -> Setup:
    changed: dict[str, Any] = {name: value}
    if name == "people":
        changed["own_ids"] = ()
    return attrs.evolve(setup, **changed)

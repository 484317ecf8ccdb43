"""
How a worker learns that everyone who is left waits for a window.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ledger_model import Ticking

from voicepush import Windows
from voicepush.cluster.closed import Closed
from voicepush.model.claim import NotBefore

LATER = NotBefore(5.0, "2 wait for 09:00 in Asia/Kolkata", is_closed=True)


class Fakes:
    """
    A run and a worker, as far as it looks at them.
    """

    def __init__(self) -> None:
        self.done, self.asked = 0, 0
        self.said: list[NotBefore | None] = []
        self.journal = SimpleNamespace(windows=None)
        self.answer: NotBefore | None = None

    def waits_for(self, later: NotBefore | None) -> None:
        """
        Remember what is let known.
        """
        self.said.append(later)

    async def waits(self) -> NotBefore | None:
        """
        Count how often the ledger is asked.
        """
        self.asked += 1
        return self.answer


async def test_the_ledger_is_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Only while nothing goes on, and once that is known, every ten seconds or when the
    windows have changed.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    fakes: Any = Fakes()
    closed = Closed(fakes, fakes)

    fakes.done = 10
    await closed.look()
    assert (0, None) == (fakes.asked, fakes.said[-1])
    await closed.look()
    assert (1, None) == (fakes.asked, fakes.said[-1])
    fakes.answer = LATER
    await closed.look()
    await closed.look()
    assert (2, LATER) == (fakes.asked, fakes.said[-1])
    clock.move(11)
    await closed.look()
    assert 3 == fakes.asked
    fakes.journal.windows, fakes.answer = Windows.parse("00:00-24:00"), None
    await closed.look()
    assert (4, None) == (fakes.asked, fakes.said[-1])
    fakes.done = 12
    await closed.look()
    assert 4 == fakes.asked

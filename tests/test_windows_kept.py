"""
What every ledger does about windows: who is given, who may be claimed, and who waits.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from math import inf
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    COUNTS,
    MESSAGE,
    PENDING,
    TAG,
    MemoryStore,
    SQLiteStore,
    Store,
    Ticking,
    is_claimed,
    load,
    planned_as,
)
from making import batch_of
from test_windows import _TEXTS, ZONES, by_the_clock, moment

from voicepush.errors import InputError
from voicepush.ledger import Ledger
from voicepush.ledger.opening import groups_of
from voicepush.ledger.plan import PlannedGroup
from voicepush.ledger.protocol import Due, Finished
from voicepush.model.batch import Batch
from voicepush.model.claim import Claimed, NotBefore
from voicepush.model.outcome import BatchResult, Verdict
from voicepush.model.windows import Windows

ACCEPTED = ANSWERS[0]
KOLKATA, LONDON, NEW_YORK = "Asia/Kolkata", "Europe/London", "America/New_York"
DAY = Windows.parse("09:00-21:00")


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> Ticking:
    """
    A clock that the ledger lives by, and that the test moves.
    """
    clock = Ticking()
    clock.patch(monkeypatch.setattr)
    return clock


def set_to(clock: Ticking, at: float) -> None:
    """
    Set *clock*.
    """
    clock.microseconds = round(at * 1_000_000)


async def planned(
    ledger: Ledger,
    windows: Windows | None,
    *zones: Sequence[str] | PlannedGroup,
    expires_at: float | None = None,
) -> list[Batch]:
    """
    The batches of a campaign, one of two people for each group of *zones*.
    """
    groups = [
        each
        if isinstance(each, PlannedGroup)
        else PlannedGroup(number=number, message="{}", zones=tuple(each))
        for number, each in enumerate(zones, 1)
    ]
    batches = []
    for group in groups:
        people = [f"+999{group.number}1", f"+999{group.number}2"]
        batch = batch_of(MESSAGE, f"{TAG}-{group.number - 1}", people)
        batch.group = groups_of([group], load)[group.number]
        batches.append(batch)
    plan = attrs.evolve(planned_as(), windows=windows, expires_at=expires_at)
    draft = await ledger.draft(plan)
    await draft.add(batches, groups)
    await draft.publish({"read": 2 * len(batches), **COUNTS})
    return batches


def numbers_of(found: object) -> list[int]:
    """
    The numbers of the batches that are given.
    """
    assert isinstance(found, list)
    assert all(isinstance(each, Due) for each in found)
    return [each.known.batch.id.number for each in found]


def result(batch: Batch, verdict: Verdict) -> BatchResult:
    """
    *batch*, of which everyone has that *verdict*.
    """
    return BatchResult(batch, verdict, {}, (), 1)


async def test_who_may_be_called_is_given(store: Store, ticking: Ticking) -> None:
    """
    Those whose windows close first come first; the others wait, and it is said for
    what.
    """
    set_to(ticking, moment("2026-11-27T17:00", KOLKATA))  # 11:30 in London
    london, kolkata, _ = await planned(
        store.ledger, DAY, [LONDON], [KOLKATA], [NEW_YORK]
    )
    worker = await store.ledger.join("june", load)
    first, second = await worker.due(1), await worker.due(5)
    for batch in (london, kolkata):
        claim = is_claimed(await worker.claim(batch, [0, 1]))
        await worker.record(claim, result(batch, ACCEPTED))
    left = await worker.due(5)

    assert [1] == numbers_of(first)
    assert [0] == numbers_of(second)
    nine = moment("2026-11-27T09:00", NEW_YORK)
    assert NotBefore(nine, "2 wait for 09:00 in America/New_York", is_closed=True) == (
        left
    )


async def test_a_claim_looks_at_the_clock(store: Store, ticking: Ticking) -> None:
    """
    Whatever was given before: at the closing minute nobody is claimed any more, and
    before that only until then.
    """
    nine = moment("2026-11-27T21:00", KOLKATA)
    set_to(ticking, nine - 10)
    (batch,) = await planned(store.ledger, DAY, [KOLKATA])
    worker = await store.ledger.join("june", load)
    await worker.due(5)
    early = is_claimed(await worker.claim(batch, [0]))
    await worker.record(early, result(batch, PENDING), due_at=nine)
    set_to(ticking, nine)
    late = await worker.claim(batch, [0, 1])

    assert nine == early.until
    assert isinstance(late, NotBefore)
    assert nine + 12 * 3600 == late.moment
    assert late.is_closed


async def test_windows_that_are_changed_hold_for_the_next_claim(
    store: Store, ticking: Ticking
) -> None:
    """
    Also for those who were told to wait for another moment.
    """
    set_to(ticking, moment("2026-11-27T22:00", KOLKATA))
    (batch,) = await planned(store.ledger, DAY, [KOLKATA])
    worker = await store.ledger.join("june", load)
    before = await worker.due(5)
    refused = await worker.claim(batch, [0, 1])
    await worker.record(None, result(batch, PENDING), due_at=ticking.now() + 36_000)
    await store.ledger.set_windows("june", Windows.parse("09:00-23:00"))
    found = await worker.due(5)
    claim = is_claimed(await worker.claim(batch, [0, 1]))
    await worker.record(claim, result(batch, PENDING))
    await store.ledger.set_windows("june", None, any_hour="a dam has broken")
    again = is_claimed(await worker.claim(batch, [0, 1]))
    control = await worker.heartbeat(None)
    plan = await store.ledger.plan("june")
    history = [each.detail for each in await store.ledger.history("june")]

    assert isinstance(before, NotBefore)
    assert isinstance(refused, NotBefore)
    assert [0] == numbers_of(found)
    assert moment("2026-11-27T23:00", KOLKATA) == claim.until
    assert again.until in (None, inf)
    assert control.windows is None
    assert plan is not None
    assert (None, "a dam has broken") == (plan.windows, plan.any_hour)
    assert "window 09:00-23:00" in history
    assert "any hour: a dam has broken" in history


async def test_windows_need_people_who_are_sorted(store: Store) -> None:
    """
    A campaign that was planned for any hour can't be given windows, and says why.
    """
    await planned(store.ledger, None, [])

    with pytest.raises(InputError, match="planned to call at any hour"):
        await store.ledger.set_windows("june", DAY)


async def test_who_is_closed_until_the_expiry(store: Store, ticking: Ticking) -> None:
    """
    Waits for no opening that comes after it, and is given then to be told so.
    """
    set_to(ticking, moment("2026-11-27T22:00", KOLKATA))
    expires_at = moment("2026-11-28T06:00", KOLKATA)
    await planned(store.ledger, DAY, [KOLKATA], [LONDON], expires_at=expires_at)
    worker = await store.ledger.join("june", load)
    set_to(ticking, moment("2026-11-27T21:00", LONDON))
    waits = await worker.due(5)
    set_to(ticking, expires_at)
    found = await worker.due(5)

    words = "the windows of all 4 who are left open after the expiry"
    assert NotBefore(expires_at, words, is_closed=True) == waits
    assert [0, 1] == sorted(numbers_of(found))


async def test_windows_that_never_open(store: Store, ticking: Ticking) -> None:
    """
    Are looked at again after a while, since their owner may change them.
    """
    set_to(ticking, moment("2026-11-27T12:00", KOLKATA))
    await planned(store.ledger, DAY, [KOLKATA, NEW_YORK])
    await store.ledger.set_windows("june", Windows.parse("12:00-13:00"))
    worker = await store.ledger.join("june", load)
    now = ticking.now()
    waits = await worker.due(5)

    assert isinstance(waits, NotBefore)
    assert now < waits.moment < now + 7_200
    assert "2 wait: no moment of a year" in waits.reason


async def test_a_trial_goes_first_and_then_who_is_urgent(
    store: Store, ticking: Ticking
) -> None:
    """
    Before those whose windows close first.
    """
    set_to(ticking, moment("2026-11-27T17:00", KOLKATA))
    await planned(
        store.ledger,
        DAY,
        PlannedGroup(number=1, message="{}", zones=(KOLKATA,), priority=2),
        PlannedGroup(number=2, message="{}", zones=(LONDON,), priority=1),
        PlannedGroup(number=3, message="{}", zones=(LONDON,), priority=3, trial=True),
    )
    worker = await store.ledger.join("june", load)
    found = [numbers_of(await worker.due(1)) for _ in range(3)]

    assert [[2], [1], [0]] == found


@settings(max_examples=60)
@given(
    text=_TEXTS,
    groups=st.lists(
        st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
        min_size=1,
        max_size=3,
    ),
    start=st.integers(int(moment("2027-03-20")), int(moment("2027-11-10"))),
    steps=st.lists(
        st.sampled_from([1, 30, 60, 600, 3_600]) | st.integers(1, 3 * 86_400),
        min_size=1,
        max_size=5,
    ),
    again=st.lists(st.booleans(), min_size=20, max_size=20),
    in_a_file=st.booleans(),
)
def test_whatever_the_zones_the_windows_and_the_moment(
    text: str,
    groups: list[list[str]],
    start: int,
    steps: list[int],
    again: list[bool],
    in_a_file: bool,
) -> None:
    """
    Who is given and claimed may be called by all the clocks where they live, until the
    claim ends; who waits may not, until the moment that is told.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patched,
    ):
        clock = Ticking()
        clock.patch(patched.setattr)
        kind = SQLiteStore if in_a_file else MemoryStore
        looks = _Looks(Windows.parse(text), groups, clock, again)
        asyncio.run(looks.go(kind(Path(folder)), start, steps))


class _Looks:
    """
    Looks at a campaign at some moments.
    """

    def __init__(
        self,
        windows: Windows,
        groups: list[list[str]],
        clock: Ticking,
        again: list[bool],
    ) -> None:
        self.windows, self.groups, self.clock = windows, groups, clock
        self.again = again
        self.left = set(range(len(groups)))

    def may(self, group: int, at: float) -> bool:
        return all(by_the_clock(self.windows, at, zone) for zone in self.groups[group])

    async def go(self, store: Store, start: float, steps: list[int]) -> None:
        set_to(self.clock, start)
        await store.open()
        batches = await planned(store.ledger, self.windows, *self.groups)
        worker = await store.ledger.join("june", load)
        at = float(start)
        for step in [0, *steps]:
            at += step
            set_to(self.clock, at)
            while isinstance(found := await worker.due(10), list):
                for number in numbers_of(found):
                    assert self.may(number, at)
                    claim = await worker.claim(batches[number], [0, 1])
                    self.check_claim(number, claim)
                    is_again = self.again.pop() if self.again else False
                    verdict = PENDING if is_again else ACCEPTED
                    later = at + 1 if is_again else None
                    assert isinstance(claim, Claimed)
                    await worker.record(claim, result(batches[number], verdict), later)
                    if not is_again:
                        self.left.remove(number)
            self.check_wait(found, at)
            for number in self.left:
                if not self.may(number, at):
                    claim = await worker.claim(batches[number], [0, 1])
                    assert isinstance(claim, NotBefore)
        await store.close()

    def check_claim(self, number: int, claim: object) -> None:
        assert isinstance(claim, Claimed)
        assert claim.until is not None
        if claim.until < inf:
            assert self.may(number, claim.until - 1)
            assert not self.may(number, claim.until)

    def check_wait(self, found: object, at: float) -> None:
        if not self.left:
            assert isinstance(found, Finished)
            return
        assert isinstance(found, NotBefore)
        if not found.is_closed:
            return  # they wait for a second
        assert not any(self.may(number, at) for number in self.left)
        if "no moment" in found.reason:
            return
        minutes = range(int(at // 60 + 1) * 60, int(found.moment), 60)
        for minute in minutes[:: max(1, len(minutes) // 200)]:
            assert not any(self.may(number, minute) for number in self.left)
        assert any(self.may(number, found.moment) for number in self.left)

"""
One looks for all who watch: how often, at what cost, and what each gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from receiving import settle

from voicepush import LedgerError, clock
from voicepush.dashboard.live import Live, Parts, TooManyError, Topic
from voicepush.dashboard.pace import Pace
from voicepush.dashboard.seldom import Seldom

SOON = 10.0


class Looks:
    """
    Something that is looked at.
    """

    def __init__(self) -> None:
        self.parts: dict[str, str] = {"one": "1", "two": "2"}
        self.topics: list[Topic] = []
        self.failure: Exception | None = None
        self.looked = asyncio.Event()

    async def __call__(self, topic: Topic) -> Parts:
        """
        What is seen.
        """
        self.topics.append(topic)
        self.looked.set()
        if self.failure is not None:
            raise self.failure
        return {"trouble": "", **self.parts}

    async def again(self, times: int = 1) -> None:
        """
        Return once it was looked at so many times more.
        """
        for _ in range(times):
            self.looked.clear()
            await self.looked.wait()

    def live(self, most: int = 10, pause: float = 0.001) -> Live:
        """
        One who looks at it.
        """
        return Live(self, lambda error: {"trouble": str(error)}, most=most, pause=pause)


async def test_everything_comes_first_and_then_what_changes() -> None:
    """
    Nothing comes while nothing changes.
    """
    looks = Looks()
    live = looks.live()
    with live.watching("june") as viewer:
        first = await viewer.news(SOON)
        looks.parts["two"] = "3"
        then = await viewer.news(SOON)
        nothing = await viewer.news(0.02)

    assert {"trouble": "", "one": "1", "two": "2"} == first
    assert {"two": "3"} == then
    assert {} == nothing
    await live.close()


async def test_one_looks_for_all() -> None:
    """
    Who comes later gets at once what was seen last.
    """
    looks = Looks()
    live = looks.live(pause=100.0)
    with live.watching("june") as one:
        await one.news(SOON)
        with live.watching("june") as other:
            got = await other.news(0)

            assert 2 == live.viewers
            assert looks.parts.items() <= got.items()
    assert ["june"] == looks.topics
    await live.close()


async def test_nobody_looks_while_nobody_watches() -> None:
    """
    It ends with the last who leaves, and begins with the next who comes.
    """
    looks = Looks()
    live = looks.live()
    with live.watching(None) as viewer:
        await viewer.news(SOON)
    await settle()
    before = len(looks.topics)
    await asyncio.sleep(0.02)

    assert before == len(looks.topics)
    with live.watching("june") as viewer:
        assert await viewer.news(SOON)
    await live.close()


async def test_a_slow_viewer_gets_the_newest() -> None:
    """
    What came meanwhile is not piled up.
    """
    looks = Looks()
    live = looks.live()
    with live.watching("june") as viewer:
        for number in range(50):
            looks.parts["one"] = str(number)
            await looks.again()
        await looks.again()
        got = await viewer.news(SOON)

    assert {"trouble": "", "one": "49", "two": "2"} == got
    await live.close()


async def test_each_topic_is_looked_at_by_itself() -> None:
    """
    A new one does not wait for the others.
    """
    looks = Looks()
    live = looks.live(pause=100.0)
    with live.watching(None) as one, live.watching("june") as other:
        await one.news(SOON)
        await other.news(SOON)
        with live.watching("july") as third:
            await third.news(SOON)

    assert [None, "june", "july"] == looks.topics
    await live.close()


async def test_trouble_is_told_and_what_is_seen_keeps_its_time() -> None:
    """
    Until all is well again.
    """
    looks = Looks()
    live = looks.live()
    with live.watching("june") as viewer:
        await viewer.news(SOON)
        looks.failure = LedgerError("the disk is gone")
        ill = await viewer.news(SOON)
        seen = viewer.looked_at
        await looks.again(3)
        assert seen == viewer.looked_at
        looks.failure = None
        well = await viewer.news(SOON)
        assert seen < viewer.looked_at

    assert ({"trouble": "the disk is gone"}, {"trouble": ""}) == (ill, well)
    await live.close()


async def test_too_many_are_not_let_in() -> None:
    """
    Until one leaves.
    """
    live = Looks().live(most=1)
    with live.watching("june"), pytest.raises(TooManyError), live.watching("june"):
        pass
    with live.watching("june"):
        assert 1 == live.viewers
    await live.close()


async def test_at_the_end_everyone_is_let_go() -> None:
    """
    At once, and nobody is let in any more.
    """
    live = Looks().live()
    with live.watching("june") as viewer:
        await viewer.news(SOON)
        waiting = asyncio.create_task(viewer.news(SOON))
        await settle()
        await live.close()
        await waiting

        assert viewer.is_over
    with pytest.raises(TooManyError), live.watching("june"):
        pass


async def test_a_mistake_of_ours_lets_everyone_go() -> None:
    """
    Nobody goes on believing what is not looked at any more; who comes again, may.
    """
    caught: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: caught.append(context["exception"]))
    looks = Looks()
    live = looks.live()
    with live.watching("june") as viewer:
        await viewer.news(SOON)
        looks.failure = mistake = ZeroDivisionError()
        while not viewer.is_over:
            await viewer.news(SOON)
    looks.failure = None
    with live.watching("june") as viewer:
        assert await viewer.news(SOON)
    await live.close()

    assert [mistake] == caught


# What it costs


def test_looking_takes_one_hundredth_of_a_core() -> None:
    """
    What it takes is what the cheapest of the last five looks took, the first not
    counted; those of several topics share it.
    """
    pace = Pace(1.0)

    assert 1.0 == pace.pause(5.0)
    assert 300.0 == pace.pause(3.0)
    assert 200.0 == pace.pause(2.0)
    assert 400.0 == pace.pause(9.0, among=2)
    assert 1.0 == pace.pause(0.001)
    for _ in range(4):
        assert 1.0 == pace.pause(9.0)
    assert 900.0 == pace.pause(9.0)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """
    Moves the clock.
    """
    at = 100.0

    def move(seconds: float) -> None:
        nonlocal at
        at += seconds

    monkeypatch.setattr(clock, "monotonic", lambda: at)
    monkeypatch.setattr(clock, "taken", lambda: at)
    return move


async def test_a_costly_question_is_asked_seldom(
    moved: Callable[[float], None],
) -> None:
    """
    However many want to know, and for as long as the answer holds.
    """
    asked = 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        moved(2.0)
        await settle()
        return asked

    seldom = Seldom[int](least=3.0)

    assert [1, 1, 1] == await asyncio.gather(*(seldom.ask("a", ask) for _ in range(3)))
    assert 2 == await seldom.ask("b", ask)
    moved(3.0)
    assert 3 == await seldom.ask("a", ask)
    moved(199.0)
    assert 3 == await seldom.ask("a", ask)
    moved(1.0)
    assert 4 == await seldom.ask("a", ask)


async def test_only_some_answers_are_kept() -> None:
    """
    The one that was asked for longest ago is forgotten.
    """
    asked: list[int] = []

    async def about(number: int) -> int:
        async def ask() -> int:
            asked.append(number)
            return number

        return await seldom.ask(number, ask)

    seldom = Seldom[int](least=60.0)
    for number in range(100):
        await about(number)
    await about(0)
    await about(100)
    asked.clear()
    await about(0)
    await about(1)

    assert [1] == asked


async def test_a_failure_is_not_remembered() -> None:
    """
    The next one asks again.
    """

    async def fail() -> int:
        raise LedgerError("the disk is gone")

    async def ask() -> int:
        return 7

    seldom = Seldom[int](least=60.0)
    with pytest.raises(LedgerError):
        await seldom.ask("a", fail)

    assert 7 == await seldom.ask("a", ask)

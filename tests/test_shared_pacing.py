"""A pacer that shares its rate: like one that paces alone, and with others."""

import asyncio
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs
import postgres
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moved_clock import MovedClock
from shared_rates import connected, execute, taker, unused

from voicepush import Priority
from voicepush.errors import LedgerError, NoLedgerError
from voicepush.ledger.postgres.ledger import PostgresLedger
from voicepush.ledger.postgres.pace import PostgresAllowance
from voicepush.model.pace import Allowed, Taker, Urgency
from voicepush.sending.pacing import Pacing
from voicepush.sending.shared_pacing import SharedPacer

#: What happens, and with which values.
Step = tuple[str, Any]

SCENARIOS: dict[str, list[Step]] = {
    "steady": [("rate", 500), *[("take", 125)] * 12],
    "single destinations": [("rate", 50), *[("take", 1)] * 20],
    "idle time is not saved": [
        ("rate", 100),
        ("take", 25),
        ("move", 3600),
        *[("take", 25)] * 4,
    ],
    "slower than one a second": [("rate", 0.25), ("take", 1), ("take", 1)],
    "larger than a burst": [("rate", 20), ("take", 40), ("take", 1)],
    "a change": [
        ("rate", 100),
        ("take", 25),
        ("rate", 1000),
        ("take", 250),
        ("rate", 10),
        ("take", 2),
        ("rate", None),
        ("take", 1000),
    ],
    "a refusal": [
        ("rate", 100),
        ("take", 25),
        ("refuse", (None, 0)),
        *[("take", 20), ("move", 0.3)] * 12,
    ],
    "refusals at once": [("rate", 1000), *[("refuse", (None, 0.01))] * 3, ("take", 1)],
    "refusals again and again": [
        ("rate", 1000),
        *[("refuse", (None, 0)), ("move", 1.1), ("take", 9)] * 6,
    ],
    "asked to wait": [
        ("rate", 100),
        ("refuse", (7, 0)),
        ("refuse", (3, 0)),
        ("take", 1),
        ("take", 25),
    ],
    "waiting proves nothing": [("rate", 100), ("refuse", (60, 0)), ("take", 1)],
    "the search": [
        ("take", 1000),
        ("refuse", (None, 0)),
        *[("take", 12), ("move", 0.21)] * 20,
        ("refuse", (None, 0)),
        *[("take", 12), ("move", 0.21)] * 10,
        ("refuse", (None, 0)),
        ("take", 12),
    ],
    "a search without an end": [
        ("refuse", (None, 0)),
        *[("take", 1), ("move", 1.5)] * 25,
        ("take", 1000),
    ],
    "what left before": [
        ("refuse", (None, 0)),
        ("move", 0.2),
        ("refuse", (None, 0.5)),
        ("refuse", (None, 0.1)),
        ("take", 12),
    ],
    "no time": [
        ("rate", 100),
        ("take", 25),
        ("hurry", 25),
        ("move", 0.1),
        ("hurry", 1),
        ("refuse", (2, 0)),
        ("hurry", 1),
        ("take", 1),
    ],
}


@attrs.frozen
class Seen:
    """
    What can be seen of a pacer after a step.
    """

    at: float
    passed: bool | None
    rate: float | None
    most: int
    held_until: float | None


async def seen_of(
    pacer: Pacing,
    set_rate: Callable[[float | None], Any],
    clock: MovedClock,
    steps: Iterable[Step],
) -> list[Seen]:
    """
    What is seen of *pacer* while *steps* are made.
    """
    seen = []
    for act, value in steps:
        passed = None
        if act == "take":
            passed = await pacer.take(value)
        elif act == "hurry":
            passed = await pacer.take(value, within=lambda: 0.05)
        elif act == "move":
            clock.move(value)
        elif act == "refuse":
            retry_after, ago = value
            await pacer.slow_down(retry_after, sent_at=clock.now() - ago)
        else:
            if (changed := set_rate(value)) is not None:
                await changed
            # Where there was no limit, it is noticed within half a second.
            clock.move(0.5)
        # That everything is held is known with the next answer.
        held = pacer.held_until if act == "take" else None
        seen.append(Seen(clock.now(), passed, pacer.rate, pacer.most, held))
    return seen


async def check_equal(steps: list[Step]) -> None:
    """
    A pacer that shares its rate with nobody behaves as one that has its own.
    """
    clock = MovedClock()
    pacer = clock.pacer()
    alone = await seen_of(pacer, pacer.set_rate, clock, steps)

    clock = MovedClock()
    async with unused(clock.now) as allowance:
        shared = shared_pacer(allowance, clock, ahead=0)
        together = await seen_of(shared, allowance.set_rate, clock, steps)

    assert alone == together


def shared_pacer(allowance: Any, clock: MovedClock, **arguments: Any) -> SharedPacer:
    """
    One that lives by *clock*.
    """
    return SharedPacer(
        allowance, now=clock.now, sleep=clock.sleep, wall=clock.wall, **arguments
    )


class TestLikeOneAlone:
    """
    Nothing else changes where the rate is shared.
    """

    @pytest.mark.parametrize("name", SCENARIOS)
    async def test_scenario(self, name: str) -> None:
        """
        What is known of one pacer holds for the other.
        """
        await check_equal(SCENARIOS[name])

    @settings(max_examples=40)
    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("take"), st.integers(1, 300)),
                st.tuples(st.just("hurry"), st.integers(1, 300)),
                st.tuples(st.just("move"), st.floats(0.01, 3)),
                st.tuples(
                    st.just("refuse"),
                    st.tuples(
                        st.none() | st.floats(0.1, 5), st.sampled_from([0, 0.0373])
                    ),
                ),
                st.tuples(st.just("rate"), st.none() | st.floats(5, 5000)),
            ),
            max_size=25,
        )
    )
    async def test_anything(self, steps: list[Step]) -> None:
        """
        So does what happens in any order.
        """
        await check_equal(steps)

    async def test_ahead(self) -> None:
        """
        Being told ahead of time makes nobody faster, or slower.
        """
        clock = MovedClock()
        async with unused(clock.now) as allowance:
            await allowance.set_rate(500)
            pacer = shared_pacer(allowance, clock)
            for _ in range(20):
                assert await pacer.take(125)

        assert 19 * 0.25 == pytest.approx(clock.now(), abs=0.001)


class Told:
    """
    An allowance that answers what it is told to, and remembers what it was asked.
    """

    def __init__(self, *answers: Allowed | LedgerError) -> None:
        self.rate: float | None = 100
        self.answers = list(answers)
        self.asked: list[tuple[int, Taker]] = []
        self.refusals: list[tuple[float | None, float]] = []

    async def take(self, number: int, taker: Taker) -> Allowed:
        """
        The next answer; everything, once they are used up.
        """
        self.asked.append((number, taker))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else Allowed(number=number)
        if isinstance(answer, LedgerError):
            raise answer
        return answer

    async def slow_down(
        self, retry_after: float | None = None, *, ago: float = 0.0
    ) -> None:
        """
        Remember it.
        """
        if self.answers and isinstance(self.answers[0], LedgerError):
            raise self.answers[0]
        self.refusals.append((retry_after, ago))


GONE = LedgerError("the ledger calls at nowhere: it can't be reached")


class TestAsking:
    """
    Whom it asks what, and when.
    """

    async def test_without_a_limit(self, clock: MovedClock) -> None:
        """
        Where there is none, it looks twice a second whether there is one.
        """
        allowance = Told()
        allowance.rate = None
        pacer = shared_pacer(allowance, clock)
        for _ in range(200):
            assert await pacer.take(1000)
            clock.move(0.01)

        assert len(allowance.asked) <= 2 * 2 + 1
        assert None is pacer.rate

    async def test_as_whom(self, clock: MovedClock) -> None:
        """
        For its campaign, with its rate, as urgent as its messages are.
        """
        allowance = Told()
        pacer = shared_pacer(
            allowance, clock, campaign="june", priority=Priority.HIGH, rate=40
        )
        await pacer.take(5)
        pacer.set_rate(30)
        await pacer.take(1, urgent=True)
        (_, usual), (_, urgent) = allowance.asked

        assert (Urgency.HIGH, "june", 40) == (usual.urgency, usual.campaign, usual.rate)
        assert (Urgency.URGENT, 30) == (urgent.urgency, urgent.rate)
        assert usual.name == urgent.name
        assert (30, 7) == (pacer.rate, pacer.most)

    async def test_one_asks_at_a_time(self, clock: MovedClock) -> None:
        """
        The others of its class wait behind it; who is in a hurry does not.
        """
        allowance = Told(Allowed(number=0, wait=5.0))
        pacer = shared_pacer(allowance, clock)
        served = []

        async def come(name: str, *, urgent: bool = False) -> None:
            await pacer.take(1, urgent=urgent)
            served.append((name, clock.now()))

        async with asyncio.TaskGroup() as group:
            for name in ("first", "second"):
                group.create_task(come(name))
            group.create_task(come("urgent", urgent=True))

        assert ["urgent", "first", "second"] == [name for name, _ in served]
        assert served[1][1] <= 5

    async def test_told_before_its_time(self, clock: MovedClock) -> None:
        """
        Then it waits for that.
        """
        pacer = shared_pacer(Told(Allowed(number=3, wait=0.008)), clock)

        assert await pacer.take(3)
        assert 0.008 == clock.now()

    async def test_who_has_no_time(self, clock: MovedClock) -> None:
        """
        It is told so at once, and does not ask for what it could not use.
        """
        allowance = Told(Allowed(number=0, wait=5.0), Allowed(number=0, held=9.0))
        pacer = shared_pacer(allowance, clock)

        assert not await pacer.take(1, within=lambda: 0.004)
        assert not await pacer.take(1, held_within=lambda: 9)
        assert not await pacer.take(1, held_within=lambda: 8)
        assert 0 == clock.now()
        assert 2 == len(allowance.asked)
        assert 0.004 == allowance.asked[0][1].ahead
        assert clock.wall() + 9 == pacer.held_until

    async def test_held_as_before(self, clock: MovedClock) -> None:
        """
        A hold that the campaign was left with is kept to.
        """
        pacer = shared_pacer(Told(), clock)
        pacer.hold_until(clock.wall() + 3)
        pacer.hold_until(clock.wall() + 2)

        assert await pacer.take(1)
        assert 3 == clock.now()
        assert None is pacer.held_until

    async def test_refusals_are_told_first(self, clock: MovedClock) -> None:
        """
        Nothing is sent before the others know, and it is held here at once.
        """
        allowance = Told(GONE)
        pacer = shared_pacer(allowance, clock)
        clock.move(1)
        await pacer.slow_down(4, sent_at=0.5)
        assert [] == allowance.refusals
        assert clock.wall() + 4 == pacer.held_until
        pacer.slow_down(sent_at=0.7)
        allowance.answers.clear()
        assert await pacer.take(1)

        (told,) = allowance.refusals
        assert (3.5, 0.8) == pytest.approx(told)
        assert 5 == clock.now()

    async def test_nobody_answers(self, clock: MovedClock) -> None:
        """
        For some seconds it is asked again; then it is an error, at once for the next.
        """
        allowance = Told(*[GONE] * 30)
        pacer = shared_pacer(allowance, clock)

        assert not await pacer.take(1, within=lambda: 2 - clock.now())
        with pytest.raises(LedgerError, match="can't be reached"):
            await pacer.take(1)
        ended = clock.now()
        with pytest.raises(LedgerError, match="can't be reached"):
            await pacer.take(1)
        allowance.answers.clear()
        assert await pacer.take(1)

        assert 10 == pytest.approx(ended, abs=0.6)
        assert ended == clock.now()


class TestDatabase:
    """
    One that goes away and comes back, and callers that do.
    """

    async def test_it_comes_back(self, clock: MovedClock) -> None:
        """
        Nothing is let through while it is away; then it goes on at the same rate.
        """
        postgres.server()  # says what is missing
        with tempfile.TemporaryDirectory(prefix="voicepush-pace-") as folder:
            server = postgres.Server(Path(folder))
            async with (
                await PostgresLedger.open(server.address),
                PostgresAllowance(server.address) as allowance,
            ):
                await allowance.set_rate(100)
                pacer = shared_pacer(allowance, clock)
                assert await pacer.take(25)
                server.stop_at_once()
                with pytest.raises(LedgerError):
                    await allowance.take(1, taker("june"))
                with pytest.raises(LedgerError, match=r"can't be reached|shut down"):
                    await pacer.take(1)
                server.start()
                assert await pacer.take(1)

                assert 100 == allowance.rate
            server.stop_at_once()

    async def test_a_caller_that_is_cancelled(self) -> None:
        """
        It disturbs no one else.
        """
        async with unused() as allowance:
            await allowance.set_rate(100_000)
            pacers = [SharedPacer(allowance) for _ in range(3)]
            tasks = [
                asyncio.create_task(pacer.take(1, urgent=bool(number % 2)))
                for number in range(30)
                for pacer in pacers
            ]
            for number, task in enumerate(tasks):
                if number % 3 == 0:
                    await asyncio.sleep(0)
                    task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)

            assert await pacers[0].take(1)
        assert {True} == {each for each in done if isinstance(each, bool)}

    @pytest.mark.parametrize("patience", ["client's", "server's"])
    async def test_it_does_not_answer(
        self, patience: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """
        That is an error after some seconds, and no more than that.
        """
        async with unused() as allowance:
            await allowance.set_rate(80)
            if patience == "client's":
                monkeypatch.setattr("voicepush.ledger.postgres.pace._PATIENCE", 0.2)
            else:
                assert allowance._connection is not None
                await allowance._connection.execute("SET statement_timeout = 200")
            with connected() as other, other.transaction():
                other.execute("LOCK TABLE pace")
                with pytest.raises(LedgerError, match="does not answer"):
                    await allowance.take(1, taker("june"))
            allowed = await allowance.take(1, taker("june"))

        assert 1 == allowed.number

    async def test_no_tables(self) -> None:
        """
        A database without a ledger shares no rate, and says so.
        """
        address = postgres.server().address
        with pytest.raises(NoLedgerError, match="there is no shared rate"):
            await PostgresAllowance(address, schema="nothing_here").open()

    async def test_closed(self) -> None:
        """
        Nothing is allowed by one that is not open.
        """
        async with unused() as allowance:
            pass

        with pytest.raises(LedgerError, match="is not open"):
            await allowance.look()

    async def test_campaigns_are_forgotten(self) -> None:
        """
        One that sends nothing for a day leaves nothing behind.
        """
        async with unused() as allowance:
            for name in ("june", "july"):
                await allowance.take(1, taker(name, rate=5))
            execute("UPDATE campaign_pace SET used_at = 0 WHERE campaign = 'june'")
            await allowance.close()
            await allowance.open()

        assert [("july",)] == execute("SELECT campaign FROM campaign_pace")

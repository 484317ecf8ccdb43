"""
A campaign goes to another ledger: whole, and dispatched from one of them only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Connect, Simulate, numbers
from half_done import half_done
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
    PostgresStore,
    SQLiteStore,
    Store,
    planned_as,
    publish,
    status_of,
)
from making import batch_of
from mishaps import say

from voicepush import Campaign, Kind, SuppressedEntry, VoiceMessage, open_ledger
from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger.plan import Follows, Plan
from voicepush.ledger.sql.ledger import SQLLedger
from voicepush.ledger.sql.moving import Move
from voicepush.model.call import CallState
from voicepush.model.outcome import Outcome
from voicepush.model.status import CampaignState
from voicepush.sending.request import dump_message, load_message

ACCEPTED, AGAIN, REJECTED, _, IN_DOUBT = ANSWERS[:5]

#: Where a campaign may come from and go to.
WAYS = [
    (SQLiteStore, PostgresStore),
    (PostgresStore, SQLiteStore),
    (SQLiteStore, SQLiteStore),
]


@attrs.frozen
class Two:
    """
    Two ledgers.
    """

    source: SQLLedger
    target: SQLLedger


def sql(store: Store) -> SQLLedger:
    """
    The ledger of *store*.
    """
    assert isinstance(store.ledger, SQLLedger)
    return store.ledger


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0].__name__}-{way[1].__name__}")
async def two(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Two]:
    """
    A ledger in which june stands in the middle of everything, and an empty one.
    """
    stores = []
    for kind, name in zip(request.param, ("source", "target"), strict=True):
        (tmp_path / name).mkdir()
        store: Store = kind(tmp_path / name)
        await store.open()
        stores.append(store)
    ledgers = Two(*map(sql, stores))
    await more_done(ledgers.source)
    yield ledgers
    for store in stores:
        await store.close()


async def more_done(ledger: SQLLedger) -> None:
    """
    The same, and some people must not be called, though nobody of june.
    """
    await half_done(ledger)
    await suppress(ledger, "+9990009901", "+9990009902", category="no ads")
    await ledger.suppress([(Kind.CUSTOMER_ID, ["c 1", "c 2"])], reason="wrote")


async def suppress(
    ledger: SQLLedger, *people: str, category: str | None = None
) -> None:
    """
    Put *people* on the list.
    """
    await ledger.suppress([(Kind.MSISDN, people)], category=category)


async def listed(ledger: SQLLedger) -> dict[str, SuppressedEntry]:
    """
    Who is on the list.
    """
    return {each.value: each async for some in ledger.all_suppressed() for each in some}


async def everything(ledger: SQLLedger) -> list[Any]:
    """
    All that a ledger tells of june, but for where it is; and who must not be called.
    """
    status = await status_of(ledger)
    found: list[Any] = [attrs.evolve(status, state=CampaignState.PLANNED, reason="")]
    results = [each async for each in ledger.results("june", list(Outcome))]
    found += [
        (list(each.rows()), each.batch.recipients.kept, each.attempts)
        for each in results
    ]
    found += [await ledger.calls(each.batch.id) for each in results]
    found.append(await listed(ledger))
    values = "+9990000001", "+9990000002", "+999000042"
    for value in (*values, "order-2", "order\n1", f"{TAG}-2-1"):
        found.append(await ledger.lookup(value))
    timeline, reasons = await ledger.timeline("june"), await ledger.reasons("june")
    history = [each for each in await ledger.history("june") if each.event != "moved"]
    unknown, plan = await ledger.unknown("june"), await ledger.plan("june")
    return [*found, timeline, reasons, history, unknown, plan]


async def test_all_that_is_known_goes_with_it(two: Two) -> None:
    """
    People, outcomes, calls, bodies, history and index are there as they were.
    """
    before = await everything(two.source)
    status = await two.source.move("june", two.target, to="there").go()

    assert before == await everything(two.target)
    assert (CampaignState.PAUSED, "enough for today") == (status.state, status.reason)
    assert status.calls is not None
    assert 1 == status.calls.reached
    assert "moved" == (await two.target.history("june"))[-1].event


async def test_only_one_of_them_dispatches_it(
    two: Two, simulate: Simulate, connect: Connect
) -> None:
    """
    Where it was, everything is refused, and told where it went; where it is, those are
    called who were pending, and nobody else.
    """
    simulator = await simulate()
    client = await connect(simulator)
    await two.source.move("june", two.target, to="there").go()
    left = await status_of(two.source)
    for refused in (
        two.source.join("june", load_message),
        two.source.change("june", rate=5.0),
        two.source.steer("june", rate=5.0),
        two.source.move("june", two.target, to="there").go(),
        two.source.move("june", two.target, to="there").back(),
    ):
        with pytest.raises(InputError, match="'june' was moved to there"):
            await refused
    campaign = await Campaign.open(two.target, "june")
    await campaign.dispatch(client)

    assert (CampaignState.MOVED, "there") == (left.state, left.reason)
    assert {f"+9990000{n}{at}" for n in (6, 7) for at in range(3)} == set(
        simulator.calls
    )
    assert set(simulator.calls.values()) == {1}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS[:2], ids=["to PostgreSQL", "from PostgreSQL"])
async def test_a_move_that_is_cut_off_can_be_gone_on_with_or_taken_back(
    way: tuple[Callable[[Path], Store], ...], tmp_path: Path
) -> None:
    """
    Wherever it is cut off, before a transaction or after it: at no moment both of them
    can dispatch it, and in the end one of them can.
    """
    cut = 0
    while True:
        stores = [kind(tmp_path) for kind in way]
        if isinstance(stores[0], SQLiteStore):
            stores[0].path = tmp_path / f"source-{cut}.db"
        else:
            stores[1].path = tmp_path / f"target-{cut}.db"  # type: ignore[attr-defined]
        async with AsyncExitStack() as stack:
            for store in stores:
                await store.open()
                stack.push_async_callback(store.close)
            two = Two(*map(sql, stores))
            await half_done(two.source)
            whole = await everything(two.source)
            try:
                with pytest.MonkeyPatch.context() as patch:
                    cut_off(patch, two, cut)
                    await two.source.move("june", two.target, to="there").go()
            except _CutOffError:
                able = await dispatchable(two)
                assert able <= 1
            else:
                break
            if (await status_of(two.source)).state is not CampaignState.MOVED:
                for store in stores:
                    store.make_old("june")  # whoever was cut off is gone
                moving = two.source.move("june", two.target, to="there")
                is_back = cut % 3 == 0 and able == 0
                await (moving.back() if is_back else moving.go())
                if able == 0:  # who joins it changes it
                    there = two.source if is_back else two.target
                    assert whole == await everything(there)
            assert 1 == await dispatchable(two)
        cut += 1
    assert cut > 10


class _CutOffError(Exception):
    """
    The process has died here.
    """


def cut_off(patch: pytest.MonkeyPatch, two: Two, after: int) -> None:
    """
    Let the process die at so many transactions, the even ones before they are begun and
    the odd ones once they are committed.
    """
    left = after

    def dying(do: Callable[..., Any]) -> Callable[..., Any]:
        async def die(*arguments: Any, **options: Any) -> Any:
            nonlocal left
            if left == 0:
                left = -2
                raise _CutOffError
            given = await do(*arguments, **options)
            if left == 1:
                left = -2
                raise _CutOffError
            left -= 2 if left > 1 else 0
            return given

        return die

    for ledger in (two.source, two.target):
        patch.setattr(ledger._store, "do", dying(ledger._store.do))


async def dispatchable(two: Two) -> int:
    """
    How many of the two let june be dispatched.
    """
    found = 0
    for ledger in (two.source, two.target):
        try:
            worker = await ledger.join("june", load_message)
        except InputError:
            continue
        found += 1
        await worker.leave(CampaignState.PAUSED, "enough for today")
    return found


async def test_what_is_dispatched_is_not_moved(two: Two) -> None:
    """
    Nothing has changed then.
    """
    worker = await two.source.join("june", load_message)
    with pytest.raises(CampaignHeldError):
        await two.source.move("june", two.target, to="there").go()
    await worker.leave(CampaignState.PAUSED)

    assert CampaignState.PAUSED is (await status_of(two.source)).state
    assert await two.target.status("june") is None


async def test_another_of_that_name_is_left_alone(two: Two) -> None:
    """
    It is refused in one line, and can be taken back.
    """
    other = Plan(campaign="june", message="{}", source="s", tag="abcdef0123")
    await publish(two.target, other, batch_of(MESSAGE, "abcdef0123-0", ["+9991"]))
    with pytest.raises(InputError, match="another campaign 'june' in that ledger"):
        await two.source.move("june", two.target, to="there").go()

    assert CampaignState.MOVING is (await status_of(two.source)).state
    with pytest.raises(InputError, match="is being moved to there"):
        await two.source.join("june", load_message)


async def test_it_does_not_go_where_it_is_or_was(two: Two) -> None:
    """
    Both would say that it goes on elsewhere; it goes on where it is.
    """
    words = "stands in that ledger already"
    with pytest.raises(InputError, match=words):
        await two.source.move("june", two.source, to="here").go()
    here = await status_of(two.source)
    await two.source.move("june", two.target, to="there").go()
    with pytest.raises(InputError, match=words):
        await two.target.move("june", two.source, to="back").go()

    assert CampaignState.PAUSED is here.state
    assert CampaignState.PAUSED is (await status_of(two.target)).state
    assert 1 == await dispatchable(two)


async def test_rounds_go_in_their_order(two: Two) -> None:
    """
    The first before the second, and not while the second is not over.
    """
    follows = Follows(campaign="june", states=(CallState.NOT_REACHED,))
    second = attrs.evolve(
        planned_as("june-2", tag="abcdef0123"),
        follows=follows,
        message=dump_message(MESSAGE),
    )
    batch = batch_of(MESSAGE, "abcdef0123-0", ["+999000040"])
    await publish(two.source, second, batch)
    with pytest.raises(InputError, match="june-2 calls people of june again and is no"):
        await two.source.move("june", two.target, to="there").go()
    with pytest.raises(InputError, match="june again, which is not in that ledger"):
        await two.source.move("june-2", two.target, to="there").go()
    await two.source.move("june-2", two.target, to="there").back()
    worker = await two.source.join("june-2", load_message)
    await worker.leave(CampaignState.CANCELLED)
    await two.source.move("june", two.target, to="there").go()
    status = await two.source.move("june-2", two.target, to="there").go()

    assert "june" == status.follows


async def test_sums_that_differ_are_found(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is not published, and can be taken back.
    """
    monkeypatch.setattr(
        "voicepush.ledger.sql.copying._placed", lambda bodies, _: bodies
    )
    monkeypatch.setattr("voicepush.ledger.sql.copying._OF_BATCHES", _WITHOUT_PROOF)
    with pytest.raises((LedgerError, KeyError)):
        await two.source.move("june", two.target, to="there").go()

    assert await two.target.status("june") is None
    status = await two.source.move("june", two.target, to="there").back()
    assert CampaignState.PAUSED is status.state


_WITHOUT_PROOF = ("batch", "recipients", "call", "poll")


async def test_who_must_not_be_called_is_not_called_there_either(
    two: Two, simulate: Simulate, connect: Connect
) -> None:
    """
    They stand on the list there as they stood here, unless they did so before.
    """
    stays, comes = "+999000060", "+999000071"
    await suppress(two.target, stays, "+9990009903", category="of before")
    await suppress(two.source, stays, comes, category="no ads")
    before = await listed(two.source)
    moving = two.source.move("june", two.target, to="there")
    await moving.go()
    found = await listed(two.target)
    campaign = await Campaign.open(two.target, "june")
    simulator = await simulate()
    await campaign.dispatch(await connect(simulator))
    history = await two.target.suppression_history()
    events = [each.detail for each in await two.target.history("june")]

    assert 5 == moving.brought
    assert "of before" == found.pop(stays).category
    assert "of before" == found.pop("+9990009903").category
    del before[stays]
    assert before == found
    assert {stays, comes}.isdisjoint(simulator.calls)
    assert 4 == len(simulator.calls)
    assert 2 == (await status_of(two.target)).suppressed
    assert "here, with 5 of the suppression list" in events
    # The first at the first; those who were added are those who stand on it.
    assert sorted(each.at for each in history) == [each.at for each in history]
    assert 7 == sum(each.number for each in history)


async def test_who_was_forgotten_is_not_called_there_either(two: Two) -> None:
    """
    Also where others were forgotten there, and once more when it is moved on.
    """
    await two.source.forget(Kind.MSISDN, "+9990009907")
    await two.target.forget(Kind.MSISDN, "+9990009908")
    await two.source.move("june", two.target, to="there").go()
    people = ["+9990009907", "+9990009908", "+9990009909"]
    forgotten = await two.target.forgotten()
    listed = await two.target.suppressed(Kind.MSISDN, people)

    assert set(people[:2]) == set(listed)
    assert set(people[:2]) == forgotten.known(Kind.MSISDN, people)
    assert 2 == len(forgotten)
    await two.target.unsuppress([(Kind.MSISDN, people[:1])], reason="asked for it")
    assert {people[1]} == (await two.target.forgotten()).known(Kind.MSISDN, people)


async def test_a_long_list_comes_little_by_little(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each thing that was done to it is told once, with how many came by it.
    """
    monkeypatch.setattr("voicepush.ledger.sql.suppression.TOGETHER", 3)
    people = numbers(20)
    await suppress(two.source, *people[::2], category="even")
    await suppress(two.source, *people[1::2], category="odd")
    moving = two.source.move("june", two.target, to="there")
    await moving.go()
    history = await two.target.suppression_history()

    assert 24 == moving.brought
    assert await listed(two.source) == await listed(two.target)
    # Two connections read a server's clock a moment apart.
    assert {("no ads", 2), (None, 2), ("even", 10), ("odd", 10)} == {
        (each.category, each.number) for each in history
    }
    assert 4 == len(history)


async def test_who_opts_out_while_it_is_moved_comes_along(two: Two) -> None:
    """
    Also where it was published there already, and the same command goes on.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Move, "_end", _die)
        with pytest.raises(_CutOffError):
            await two.source.move("june", two.target, to="there").go()
    await suppress(two.source, "+999000060")
    moving = two.source.move("june", two.target, to="there")
    await moving.go()

    assert 1 == moving.brought
    assert await listed(two.source) == await listed(two.target)


def _die(*_: Any) -> None:
    raise _CutOffError


@pytest.mark.usefixtures("in_a_folder")
def test_the_command(message: VoiceMessage) -> None:
    """
    Moves, says where it goes on, and prints where it stands.
    """
    asyncio.run(_plan("a.db", message))
    say("suppress", "add", numbers(1)[0], "--ledger", "a.db")
    moved = say("move", "june", "--ledger", "a.db", "--to", "b.db")
    old = say("status", "june", "--ledger", "a.db")
    new = say("status", "june", "--ledger", "b.db", "--json")
    same = say("move", "june", "--ledger", "a.db", "--to", "a.db")

    assert 0 == moved.code
    assert "june goes on in" in moved.err
    assert "1 of the suppression list came along" in moved.err
    assert "june: moved" in old.out
    assert '"planned":2' in new.out
    assert (2, True) == (same.code, "is the ledger in which it is" in same.err)


async def _plan(path: str, message: VoiceMessage) -> None:
    async with open_ledger(path) as ledger:
        await Campaign.plan(ledger, "june", message, numbers(2))

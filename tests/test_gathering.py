"""Gathering: callers share requests, and nobody waits for long."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from contextvars import Context

import pytest
from callers import LINGER, Service, after, begin, moved, now, submit
from hypothesis import example, given
from hypothesis import strategies as st
from made_up import MESSAGE, number, several
from making import entry_of

from voicepush.client.gathering import Gatherer
from voicepush.errors import BusyError
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult
from voicepush.model.recipients import Destination, Recipient, Recipients
from voicepush.settings import WhenFull

OTHER = VoiceMessage(media="farewell")


def weigh(recipients: Sequence[Recipient]) -> int:
    """
    How many values *recipients* hold.
    """
    return Recipients.of(*recipients).size


@moved
async def test_many_callers() -> None:
    """
    500 callers at once make a few requests, and each gets its own answer.
    """
    service = Service()
    gatherer = service.gatherer(size=100)

    results = await asyncio.gather(
        *(submit(gatherer, MESSAGE, number(place)) for place in range(500))
    )

    assert [number(place) for place in range(500)] == [
        result.recipient for result in results
    ]
    assert [f"{place:04}" for place in range(500)] == [
        result.code for result in results
    ]
    assert [100] * 5 == [len(group) for group in service.groups]
    assert 500 == len({result.correlation_id for result in results})


@moved
async def test_callers_over_time() -> None:
    """
    Callers who trickle in share requests as well, and nobody waits too long.
    """
    service = Service(takes=0)
    gatherer = service.gatherer(size=1000)
    waited = []

    async def call(place: int) -> None:
        await asyncio.sleep(place * 0.001)
        begun = now()
        result = await submit(gatherer, MESSAGE, number(place))
        waited.append(now() - begun)
        assert number(place) == result.recipient

    await asyncio.gather(*map(call, range(500)))

    assert 500 == sum(map(len, service.groups))
    assert len(service.groups) <= 27
    assert max(waited) <= LINGER + 0.0001


@moved
async def test_oldest_decides() -> None:
    """
    A group leaves when its oldest member has waited, however young the others are.
    """
    service = Service()
    gatherer = service.gatherer()

    await asyncio.gather(
        submit(gatherer, MESSAGE, number(1)),
        after(0.019, submit(gatherer, MESSAGE, number(2))),
        after(0.021, submit(gatherer, MESSAGE, number(3))),
    )

    assert [[number(1), number(2)], [number(3)]] == service.groups
    assert [LINGER, 0.021 + LINGER] == pytest.approx(service.begun)


@moved
async def test_full_group_leaves_at_once() -> None:
    """
    A full group does not wait, and the next one has a linger of its own.
    """
    service = Service()
    gatherer = service.gatherer(size=2)

    await asyncio.gather(
        after(0.01, submit(gatherer, MESSAGE, number(1))),
        after(0.01, submit(gatherer, MESSAGE, number(2))),
        after(0.015, submit(gatherer, MESSAGE, number(3))),
    )

    assert [[number(1), number(2)], [number(3)]] == service.groups
    assert [0.01, 0.015 + LINGER] == pytest.approx(service.begun)


@moved
async def test_values_are_counted() -> None:
    """
    A group is full by its values; a destination that does not fit begins the next.
    """
    service = Service()
    gatherer = service.gatherer(size=4)
    recipients: list[Recipient] = [
        several(2, 0),
        several(3, 10),
        number(20),
        several(9, 30),
        number(40),
    ]

    results = await asyncio.gather(
        *(submit(gatherer, MESSAGE, each) for each in recipients)
    )

    assert [
        [recipients[0]],
        [recipients[1], recipients[2]],
        [recipients[3]],
        [recipients[4]],
    ] == service.groups
    assert [entry_of(each)[1][0] for each in recipients] == [
        result.recipient for result in results
    ]
    assert [entry_of(each)[1][0][-4:] for each in recipients] == [
        result.code for result in results
    ]


@moved
async def test_messages_are_kept_apart() -> None:
    """
    Different messages never share a request; equal ones do, whoever made them.
    """
    service = Service()
    gatherer = service.gatherer()

    await asyncio.gather(
        submit(gatherer, MESSAGE, number(1)),
        submit(gatherer, OTHER, number(2)),
        submit(gatherer, VoiceMessage(media="welcome"), number(3)),
    )

    assert [[number(1), number(3)], [number(2)]] == service.groups
    assert [MESSAGE, OTHER] == service.messages


@moved
async def test_equal_correlation_ids() -> None:
    """
    Two submissions with one correlation id never share a request.
    """
    service = Service()
    gatherer = service.gatherer()
    twins: list[Recipient] = [
        Destination(number(place), correlation_id="own") for place in range(3)
    ]
    single: Recipient = Destination(number(3), correlation_id="other")

    results = await asyncio.gather(
        *(submit(gatherer, MESSAGE, each) for each in [*twins, single, number(4)])
    )

    assert [0, 1, 2, 3, 4] == [int(result.code or -1) for result in results]
    for group in service.groups:
        ids = [each.correlation_id for each in group if isinstance(each, Destination)]
        assert len(set(ids)) == len(ids)
    assert 3 == len(service.groups)


@moved
async def test_close() -> None:
    """
    Closing sends what waits without lingering, and waits until all have their answer.
    """
    service = Service(takes=3)
    gatherer = service.gatherer()
    callers = [
        begin(submit(gatherer, message, number(place)))
        for place, message in enumerate([MESSAGE, OTHER, MESSAGE])
    ]
    await asyncio.sleep(0)

    await gatherer.close()
    await asyncio.sleep(0)

    assert 3 == pytest.approx(now())
    assert [0, 0] == service.begun
    assert all(caller.done() for caller in callers)
    assert ["0000", "0001", "0002"] == [(await caller).code for caller in callers]


@moved
async def test_close_with_nothing() -> None:
    """
    Closing what nobody used takes no time.
    """
    service = Service()
    await service.gatherer().close()

    assert 0 == now()
    assert [] == service.groups


@moved
async def test_close_while_under_way() -> None:
    """
    Closing waits for what has left before as well.
    """
    service = Service(takes=1)
    gatherer = service.gatherer(size=1)
    caller = begin(submit(gatherer, MESSAGE, number(1)))
    await asyncio.sleep(0.5)

    await gatherer.close()

    assert 1 == pytest.approx(now())
    assert "0001" == (await caller).code


@given(
    st.lists(
        st.tuples(
            st.sampled_from([MESSAGE, OTHER]),
            st.integers(1, 5),
            st.floats(0, 0.1),
            st.none() | st.floats(0, 0.1),
        ),
        max_size=25,
    ),
    st.integers(1, 6),
)
@example([(MESSAGE, 1, 0.0, LINGER)], 2)
def test_any_callers(
    calls: list[tuple[VoiceMessage, int, float, float | None]], size: int
) -> None:
    """
    Whoever comes, goes or gives up: each who stays is sent once and gets its answer.
    """
    service = Service(takes=0.01)
    stayed = []

    async def call(
        gatherer: Gatherer,
        place: int,
        weight: int,
        begins: float,
        patience: float | None,
    ) -> None:
        recipient = several(weight, 10 * place)
        await asyncio.sleep(begins)
        try:
            async with asyncio.timeout(patience):
                result = await submit(gatherer, calls[place][0], recipient)
        except TimeoutError:
            return
        stayed.append(entry_of(recipient))
        assert recipient.values[0] == result.recipient
        assert recipient.values[0][-4:] == result.code

    @moved
    async def everyone() -> None:
        gatherer = service.gatherer(size)
        await asyncio.gather(
            *(
                call(gatherer, place, weight, begins, patience)
                for place, (_, weight, begins, patience) in enumerate(calls)
            )
        )
        await gatherer.close()

    everyone()

    sent = Counter(entry_of(each) for group in service.groups for each in group)
    assert set(stayed) <= sent.keys()
    assert all(1 == times for times in sent.values())
    assert all(weigh(group) <= size or 1 == len(group) for group in service.groups)
    assert [] not in service.groups
    assert len(stayed) >= sum(patience is None for *_, patience in calls)


@given(
    st.lists(st.tuples(st.floats(0, 0.1), st.none() | st.floats(0, 0.1)), max_size=25),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_places_are_given_back(
    calls: list[tuple[float, float | None]], size: int, most: int
) -> None:
    """
    However many come and give up, at whatever moment: no more than may be are without
    an answer, and afterwards every place is free.
    """
    service = Service(takes=0.01)
    under_way = 0

    async def send(
        message: VoiceMessage, recipients: Recipients, callers: Sequence[Context]
    ) -> BatchResult:
        nonlocal under_way
        under_way += len(recipients)
        assert under_way <= most
        try:
            return await service(message, recipients, callers)
        finally:
            under_way -= len(recipients)

    @moved
    async def everyone() -> None:
        gatherer = Gatherer(
            send,
            size=size,
            linger=LINGER,
            most_waiting=most,
            when_full=WhenFull.REFUSE,
        )

        async def call(place: int, begins: float, patience: float | None) -> None:
            await asyncio.sleep(begins)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await submit(gatherer, MESSAGE, number(place))

        await asyncio.gather(*(call(place, *each) for place, each in enumerate(calls)))
        await gatherer.close()
        for place in range(most):
            gatherer.check_room()
            begin(submit(gatherer, MESSAGE, number(100 + place)))
            await asyncio.sleep(0)
        with pytest.raises(BusyError):
            gatherer.check_room()
        await gatherer.close()

    everyone()

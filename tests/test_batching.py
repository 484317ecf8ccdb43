"""Cutting and gathering: nobody is lost, nobody is disturbed, and little is sent."""

import asyncio
import functools
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import count, pairwise
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from making import Entry, batch_of, destinations, entries_in, entry_of

from voicepush.client.gathering import Gatherer
from voicepush.errors import InDoubtError
from voicepush.model.batch import Batch, Group, make_tag
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Result, Verdict
from voicepush.model.recipients import Destination, Kind, Recipient, Recipients
from voicepush.sending.batching import Batcher

MESSAGE = VoiceMessage(media="welcome")
OTHER = VoiceMessage(media="farewell")
LINGER = 0.02


def number(place: int) -> str:
    """
    A number that belongs to nobody.
    """
    return f"+999555{place:04}"


def several(count: int, first: int = 0) -> Destination:
    """
    A destination of *count* values.
    """
    return Destination([number(place) for place in range(first, first + count)])


def weigh(recipients: Sequence[Recipient]) -> int:
    """
    How many values *recipients* hold.
    """
    return Recipients.of(*recipients).size


def cut(batcher: Batcher, *blocks: Sequence[Recipient]) -> list[Batch]:
    """
    All batches that *blocks* make, the last one included.
    """
    batches = [
        batch for block in blocks for batch in batcher.feed(Recipients.of(*block))
    ]
    return batches + list(batcher.flush())


numbers = st.integers(0, 9999).map(number)
mixtures = st.lists(numbers | st.builds(several, st.integers(1, 7)), max_size=20)
blocks_of_numbers = st.lists(st.lists(numbers, max_size=20), max_size=6)


class TestBatcher:
    """
    A stream, cut.
    """

    @given(
        st.lists(st.lists(numbers, max_size=20) | mixtures, max_size=6),
        st.integers(1, 9),
    )
    @example([[several(5)], ["a", "b"]], 3)
    @example([["a", several(1)], ["b", "c", "d"]], 2)
    @example([["a", "b", several(2)], ["c"] * 10], 3)
    def test_end_to_end(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Batches laid end to end give back the input, and none is larger than it may be.

        Larger is only a single destination that is larger by itself.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert [entry_of(each) for block in blocks for each in block] == [
            each for batch in batches for each in entries_in(batch.recipients)
        ]
        assert all(batch.size <= size or len(batch) == 1 for batch in batches)
        assert all(len(batch) > 0 for batch in batches)
        assert all(MESSAGE is batch.message for batch in batches)
        assert [f"t-{place}" for place in range(len(batches))] == [
            str(batch.id) for batch in batches
        ]

    @given(st.lists(mixtures, max_size=6), st.integers(1, 9))
    def test_as_few_as_possible(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        A batch ends only where the next destination does not fit.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        for batch, following in pairwise(batches):
            assert batch.size + following.weigh([0]) > size

    @given(blocks_of_numbers, st.integers(1, 9))
    def test_full(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Of bare msisdns, all batches but the last are full.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert all(size == batch.size for batch in batches[:-1])

    @given(blocks_of_numbers, st.integers(1, 9))
    def test_no_earlier_and_no_later(
        self, blocks: list[list[Recipient]], size: int
    ) -> None:
        """
        Feeding bare msisdns gives what is full by then, and keeps less than a batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=size)
        fed = 0
        for block in blocks:
            fed += len(block)
            given_now = list(batcher.feed(Recipients.of(*block)))
            assert all(size == batch.size for batch in given_now)
            fed -= sum(batch.size for batch in given_now)
            assert fed < size

    @given(
        st.lists(
            st.lists(
                numbers
                | st.builds(
                    Destination,
                    numbers,
                    correlation_id=st.sampled_from([None, "a", "b", "c"]),
                ),
                max_size=12,
            ),
            max_size=4,
        ),
        st.integers(1, 9),
    )
    def test_own_ids(self, blocks: list[list[Recipient]], size: int) -> None:
        """
        Two destinations with one correlation id never share a request.
        """
        batches = cut(Batcher(Group(MESSAGE), tag="t", size=size), *blocks)

        assert [entry_of(each) for block in blocks for each in block] == [
            each for batch in batches for each in entries_in(batch.recipients)
        ]
        assert all(
            len(batch) == len(set(batch.correlation_ids)) <= size for batch in batches
        )

    def test_own_ids_begin_anew(self) -> None:
        """
        An id that stands in an earlier batch ends no later one.
        """
        twins = [Destination(number(place), correlation_id="a") for place in range(3)]
        batches = cut(
            Batcher(Group(MESSAGE), tag="t", size=4),
            [number(3), twins[0]],
            [number(4), number(5), number(6)],
            [twins[1], twins[2], number(7)],
        )

        assert [4, 2, 2] == [batch.size for batch in batches]

    def test_default_size(self) -> None:
        """
        A batch holds 1,000 unless it is told otherwise.
        """
        batches = cut(
            Batcher(Group(MESSAGE), tag="t"), [number(each) for each in range(2500)]
        )

        assert [1000, 1000, 500] == [batch.size for batch in batches]

    def test_first(self) -> None:
        """
        The keys count on from the first.
        """
        batches = cut(
            Batcher(Group(MESSAGE), tag="t", size=1, numbers=count(7)), ["a", "b"]
        )

        assert ["t-7", "t-8"] == [str(batch.id) for batch in batches]

    def test_flush_of_nothing(self) -> None:
        """
        Where nothing waits, there is no last batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)

        assert 1 == len(list(batcher.feed(Recipients.of("a", "b"))))
        assert [] == list(batcher.flush())

    def test_given_once(self) -> None:
        """
        A batch is given once, however its reader takes it.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=9)
        assert [] == list(batcher.feed(Recipients.of("a", "b")))

        assert ["a", "b"] == list(next(batcher.flush()).recipients.values)
        assert [] == list(batcher.flush())

    def test_input_may_be_reused(self) -> None:
        """
        A list that is changed after it was fed changes no batch.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)
        values = ["a", "b", "c"]
        batches = list(batcher.feed(Recipients(Kind.MSISDN, values)))
        values.clear()
        batches += batcher.flush()

        assert [["a", "b"], ["c"]] == [
            list(batch.recipients.values) for batch in batches
        ]

    def test_tags(self) -> None:
        """
        Tags differ, and leave room for numbers in a correlation id.
        """
        tags = {make_tag() for _ in range(1000)}

        assert 1000 == len(tags)
        assert all(len(tag) <= 20 and tag.isalnum() for tag in tags)


class MovedSelector(selectors.DefaultSelector):
    """
    Moves the time instead of waiting for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """
        What has happened by the time the next timer is due.
        """
        assert timeout is not None, "nothing is left that could happen"
        self.time += timeout
        return super().select(0)


class MovedLoop(asyncio.SelectorEventLoop):
    """
    An event loop in which a second lasts no time.
    """

    def __init__(self) -> None:
        self._moved = MovedSelector()
        #: What went wrong where nobody could hear of it.
        self.unheard: list[object] = []
        super().__init__(self._moved)
        self.set_exception_handler(lambda _, context: self.unheard.append(context))

    def time(self) -> float:
        """
        The moved time, in seconds.
        """
        return self._moved.time


def moved(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """
    Run *test* in a loop whose time is moved.
    """

    @functools.wraps(test)
    def run() -> None:
        loop = MovedLoop()
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(test())
        assert [] == loop.unheard

    return run


def now() -> float:
    """
    The time of the running loop.
    """
    return asyncio.get_running_loop().time()


class Service:
    """
    Answers each group after a while, and keeps who was in it and when it came.
    """

    def __init__(
        self, *, takes: float = 0.1, error: BaseException | None = None
    ) -> None:
        self._takes = takes
        self._error = error
        self.groups: list[list[Recipient]] = []
        self.messages: list[VoiceMessage] = []
        self.begun: list[float] = []

    async def __call__(
        self, message: VoiceMessage, recipients: Recipients
    ) -> BatchResult:
        """
        Answer with a code that tells the place and the first value.
        """
        self.groups.append(destinations(recipients))
        self.messages.append(message)
        self.begun.append(now())
        batch = batch_of(message, f"k-{len(self.groups)}", destinations(recipients))
        await asyncio.sleep(self._takes)
        if self._error is not None:
            raise self._error
        return BatchResult.of_places(
            batch,
            [
                Verdict(Outcome.ACCEPTED, values[0][-4:])
                for values in recipients.by_destination()
            ],
        )

    def gatherer(self, size: int = 1000) -> Gatherer:
        """
        A gatherer that sends to this service.
        """
        return Gatherer(self, size=size, linger=LINGER)


async def submit(
    gatherer: Gatherer, message: VoiceMessage, recipient: Recipient
) -> Result:
    """
    Submit one recipient.
    """
    return await gatherer.submit(message, Recipients.of(recipient))


def begin(call: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """
    A caller.
    """
    return asyncio.get_running_loop().create_task(call)


async def after(seconds: float, call: Awaitable[Result]) -> Result:
    """
    A caller who comes later.
    """
    await asyncio.sleep(seconds)
    return await call


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
async def test_cancelled_before_leaving() -> None:
    """
    Who is cancelled in time is not called, and the others notice nothing.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER / 2)
    callers[1].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [[number(0), number(2)]] == service.groups
    assert [LINGER] == pytest.approx(service.begun)
    assert isinstance(results[1], asyncio.CancelledError)
    assert [number(0), number(2)] == [
        each.recipient for each in results if isinstance(each, Result)
    ]


@moved
async def test_cancelled_caller_makes_room() -> None:
    """
    The place of a cancelled caller is free for the next one.
    """
    service = Service()
    gatherer = service.gatherer(size=4)
    gone = begin(submit(gatherer, MESSAGE, several(2)))
    stays = begin(submit(gatherer, MESSAGE, number(5)))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])

    await asyncio.gather(stays, submit(gatherer, MESSAGE, several(3, 6)))

    assert [[number(5), several(3, 6)]] == service.groups
    assert [0] == service.begun


@moved
async def test_cancelled_after_leaving() -> None:
    """
    Who is cancelled too late is called, but its answer goes unheard; the others' not.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER * 2)
    callers[0].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert [[number(0), number(1), number(2)]] == service.groups
    assert isinstance(results[0], asyncio.CancelledError)
    assert ["0001", "0002"] == [
        each.code for each in results if isinstance(each, Result)
    ]


@moved
async def test_all_cancelled() -> None:
    """
    A group whose members have all gone is not sent, and the next caller starts anew.
    """
    service = Service()
    gatherer = service.gatherer()
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(LINGER / 2)
    for caller in callers:
        caller.cancel()
    await asyncio.sleep(LINGER)

    assert [] == service.groups
    assert number(7) == (await submit(gatherer, MESSAGE, number(7))).recipient
    assert [[number(7)]] == service.groups


@moved
async def test_cancelled_while_leaving() -> None:
    """
    A caller who gives up in the moment in which it would leave is not sent as nobody.
    """
    service = Service()
    gatherer = service.gatherer()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LINGER):
            await submit(gatherer, MESSAGE, number(1))
    await gatherer.close()

    assert [] not in service.groups


@moved
async def test_exception() -> None:
    """
    What goes wrong with a request, every caller in it hears, and no one else.
    """
    error = InDoubtError("the answer is lost")
    service = Service(error=error)
    gatherer = service.gatherer(size=3)
    callers = [begin(submit(gatherer, MESSAGE, number(place))) for place in range(3)]
    await asyncio.sleep(0.05)
    callers[0].cancel()

    results = await asyncio.gather(*callers, return_exceptions=True)

    assert isinstance(results[0], asyncio.CancelledError)
    assert [error, error] == results[1:]
    service._error = None
    assert "0009" == (await submit(gatherer, MESSAGE, number(9))).code


@moved
async def test_cancelled_request() -> None:
    """
    If the request itself is cancelled, its callers are; none waits for ever.
    """
    service = Service(error=asyncio.CancelledError())
    gatherer = service.gatherer()

    results = await asyncio.gather(
        submit(gatherer, MESSAGE, number(1)),
        submit(gatherer, MESSAGE, number(2)),
        return_exceptions=True,
    )

    assert [asyncio.CancelledError] * 2 == list(map(type, results))


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


class TestRows:
    """
    Where recipients stood, and what they looked like there.
    """

    @given(
        st.lists(st.lists(numbers, max_size=20) | mixtures, max_size=6),
        st.integers(1, 9),
        st.booleans(),
    )
    def test_each_keeps_its_own(
        self, blocks: list[list[Recipient]], size: int, as_list: bool
    ) -> None:
        """
        However a stream is cut, each destination keeps its row and its text.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=size)
        batches: list[Batch] = []
        expected: list[tuple[Entry, int, str | None]] = []
        row = 1
        for block in blocks:
            rows: Sequence[int] = range(row, row + len(block))
            row += len(block) + 1
            changed = {
                place: f"text of {rows[place]}" for place in range(0, len(block), 2)
            }
            expected += [
                (entry_of(each), rows[place], changed.get(place))
                for place, each in enumerate(block)
            ]
            batches += batcher.feed(
                attrs.evolve(
                    Recipients.of(*block),
                    rows=list(rows) if as_list else rows,
                    as_came=changed,
                )
            )
        batches += batcher.flush()

        assert expected == [
            (each, (batch.rows or ())[place], batch.as_came.get(place))
            for batch in (each.recipients for each in batches)
            for place, each in enumerate(entries_in(batch))
        ]

    def test_ranges_stay_ranges(self) -> None:
        """
        Rows that follow each other stay a range, also across blocks.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=4)
        everyone = list(map(number, range(10)))
        batches = [
            *batcher.feed(Recipients(Kind.MSISDN, everyone[:3], range(2, 5))),
            *batcher.feed(Recipients(Kind.MSISDN, everyone[3:], range(5, 12))),
            *batcher.flush(),
        ]

        assert [range(2, 6), range(6, 10), range(10, 12)] == [
            batch.recipients.rows for batch in batches
        ]
        assert [{}] * 3 == [batch.recipients.as_came for batch in batches]

    def test_unknown_rows(self) -> None:
        """
        A batch in which one came without its row knows none; the next one does.
        """
        batcher = Batcher(Group(MESSAGE), tag="t", size=2)
        batches = [
            *batcher.feed(Recipients(Kind.MSISDN, [number(0)], [7])),
            *batcher.feed(Recipients(Kind.MSISDN, [number(1)])),
            *batcher.feed(Recipients(Kind.MSISDN, [number(2), number(3)], [8, 12])),
        ]

        assert [None, [8, 12]] == [batch.recipients.rows for batch in batches]

"""
An answer counts only for the request that it belongs to.

The servers here break HTTP in ways that servers and proxies were seen to.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import KEY, Connect, Serve, Simulate, numbers
from servers import (
    AnswersLateTwice,
    AnswersTwice,
    Echo,
    RingsThenFails,
    Server,
    ShortKeepAlive,
    Tls,
)

from voicepush import (
    Campaign,
    Client,
    Destination,
    InputError,
    Outcome,
    Result,
    VoiceMessage,
    read_file,
)
from voicepush.environment import from_environment
from voicepush.ledger import Ledger
from voicepush.sending import posting
from voicepush.settings import ReuseConnections, Settings


async def results_of(
    client: Client, message: VoiceMessage, recipients: Any
) -> list[Result]:
    """
    What became of each of *recipients*.
    """
    async with client.stream(message, recipients) as stream:
        return [row async for batch in stream for row in batch]


def check(server: Server, results: list[Result], expected: int) -> None:
    """
    No one is lost, none is rung twice, and who is said to be accepted was rung.
    """
    by_outcome: dict[Outcome, set[str]] = {each: set() for each in Outcome}
    for row in results:
        by_outcome[row.outcome].add(row.recipient)
    rung = set(server.rung)
    assert expected == len(results) == sum(map(len, by_outcome.values()))
    assert {1} >= set(server.rung.values())
    assert by_outcome[Outcome.ACCEPTED] <= rung
    assert rung <= by_outcome[Outcome.ACCEPTED] | by_outcome[Outcome.UNKNOWN]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AnswersTwice, AnswersLateTwice])
@pytest.mark.parametrize("echo", Echo)
@pytest.mark.parametrize("codes", [("1001",), ("7006", "1001"), ("7006",)])
async def test_one_answer_too_many_is_no_one_elses(
    connect: Connect,
    message: VoiceMessage,
    kind: type[AnswersTwice],
    echo: Echo,
    codes: tuple[str, ...],
) -> None:
    """
    Whatever a server leaves on a connection, no other request takes it for its own.
    """
    async with kind(echo=echo, codes=codes) as server:
        client = await connect(server.url, batch_size=10, concurrency=4, patience=1)

        results = await results_of(client, message, numbers(400))

        check(server, results, 400)


async def test_answers_twice_are_not_believed_by_single_submissions(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    The same holds for who is called alone, one after the other.
    """
    async with AnswersLateTwice(echo=Echo.REQUEST) as server:
        client = await connect(server.url, linger=0.001)
        results = [await client.submit(message, number) for number in numbers(20)]

        check(server, results, 20)


@pytest.mark.parametrize("remembered", [1, 10, 1_000])
async def test_own_ids_that_are_used_again_prove_nothing(
    connect: Connect,
    message: VoiceMessage,
    remembered: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    An answer on the list before has the very ids of this one.
    """
    monkeypatch.setattr("voicepush.sending.carried._FEW", remembered)
    people = [
        Destination(each, correlation_id=f"order-{at}")
        for at, each in enumerate(numbers(10))
    ]
    codes = ("1001", "7102", "1001", "7102")
    async with AnswersLateTwice(echo=Echo.DESTINATIONS, codes=codes) as server:
        client = await connect(server.url)
        first = await client.send(message, people)
        second = await client.send(message, people)
        third = [await client.submit(message, people[0]) for _ in range(2)]

    assert (10, 10) == (first.accepted, second.rejected)
    assert [Outcome.ACCEPTED, Outcome.REJECTED] == [each.outcome for each in third]


async def test_a_campaign_with_own_ids_keeps_its_connections(
    connect: Connect, ledger: Ledger, message: VoiceMessage
) -> None:
    """
    In one campaign no id comes twice. One is enough where answers are the faster.
    """
    people = [
        Destination(each, correlation_id=f"order-{at}")
        for at, each in enumerate(numbers(2_000))
    ]
    async with Server(echo=Echo.DESTINATIONS) as server:
        client = await connect(server.url, concurrency=2)
        campaign = await Campaign.plan(
            *(ledger, "june", message, people), batch_size=100
        )
        summary = await campaign.dispatch(client)

        assert 2_000 == summary.accepted
        assert 1 <= server.connections <= 2


async def test_ids_that_are_not_echoed_cost_a_connection_each(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    A connection is used again only after an answer with an id of its own request.
    """
    used = {}
    for echo in Echo:
        async with Server(echo=echo) as server:
            client = await connect(server.url, batch_size=10, concurrency=1)
            summary = await client.send(message, numbers(100))

            assert 100 == summary.accepted
            used[echo] = server.connections

    assert {Echo.DESTINATIONS: 1, Echo.REQUEST: 1, Echo.NOTHING: 10} == used


@pytest.mark.parametrize(
    ("reuse", "echo", "connections"),
    [("always", Echo.NOTHING, 1), ("never", Echo.DESTINATIONS, 10)],
)
async def test_reuse_can_be_set(
    connect: Connect,
    message: VoiceMessage,
    reuse: str,
    echo: Echo,
    connections: int,
) -> None:
    """
    Who knows better can have connections used again always, or never.
    """
    async with Server(echo=echo) as server:
        client = await connect(
            server.url, batch_size=10, concurrency=1, reuse_connections=reuse
        )
        await client.send(message, numbers(100))

        assert connections == server.connections


def test_reuse_comes_from_the_environment() -> None:
    """
    The variable stands in for the argument; anything else is refused with the choice.
    """
    environment = {
        "VOICEPUSH_SERVICE_KEY": KEY,
        "VOICEPUSH_BASE_URL": "https://api.example.org",
        "VOICEPUSH_REUSE_CONNECTIONS": "never",
    }

    assert ReuseConnections.NEVER is from_environment(environment).reuse_connections
    assert ReuseConnections.PROVEN is (
        Settings(service_key=KEY, base_url="https://x.example").reuse_connections
    )
    with pytest.raises(InputError, match="proven, always, never"):
        from_environment({**environment, "VOICEPUSH_REUSE_CONNECTIONS": "maybe"})


async def test_each_request_has_an_id_of_its_own(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    Retries and halves repeat the destinations' ids, and never the request's.
    """
    simulator = await simulate("7006@1/3", "7009@1/4")
    client = await connect(simulator, batch_size=20, concurrency=4)

    await client.send(message, numbers(400))

    ids = [record.correlation_id for record in simulator.requests]
    assert len(ids) == len(set(ids)) > 20
    assert all(0 < len(each.encode()) <= 50 for each in ids)


async def test_an_id_of_the_owner_stays(simulate: Simulate, connect: Connect) -> None:
    """
    Where the message has a correlation id, every request has that one.
    """
    simulator = await simulate()
    client = await connect(simulator, batch_size=10)
    message = VoiceMessage(media="x", correlation_id="june")

    summary = await client.send(message, numbers(30))

    assert 30 == summary.accepted
    assert ["june"] * 3 == [record.correlation_id for record in simulator.requests]


async def test_a_later_attempt_takes_another_connection(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    An attempt never uses a connection that carried an earlier one of its batch.
    """
    carried: list[tuple[int, str]] = []

    class Noting(Server):
        """
        Notes which connection carries whom.
        """

        async def serve(self, reader: Any, writer: Any) -> None:
            """
            Serve a connection under its number.
            """
            self.numbers[writer] = self.connections
            await super().serve(reader, writer)

        async def answer(self, request: Any, writer: Any) -> None:
            """
            Note it, and answer.
            """
            number = self.numbers[writer]
            carried.extend((number, value) for value in request.values)
            await super().answer(request, writer)

        numbers: dict[Any, int] = {}  # noqa: RUF012 -- one server, one test

    async with Noting(codes=("7006", "1001", "1001")) as server:
        client = await connect(server.url, batch_size=5, concurrency=3)
        summary = await client.send(message, numbers(60))

        assert 60 == summary.accepted
    assert len(carried) > 60
    assert {1} == set(Counter(carried).values())


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.1, 0.3, 1.0])
async def test_a_server_that_keeps_connections_shortly(
    connect: Connect, message: VoiceMessage, seconds: float
) -> None:
    """
    Requests hardly ever meet a server's goodbye, however early it leaves.
    """
    async with ShortKeepAlive(keep_alive=seconds, echo=Echo.DESTINATIONS) as server:
        # One request about each time that the server closes a connection.
        client = await connect(server.url, rate=4 / seconds, batch_size=4)
        results = await results_of(client, message, numbers(24))

        check(server, results, 24)
        unknown = [row for row in results if row.outcome is Outcome.UNKNOWN]
        assert len(unknown) <= 4


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [({}, Outcome.UNKNOWN), ({"Retry-After": "soon"}, Outcome.UNKNOWN)],
)
async def test_a_503_proves_nothing(
    connect: Connect,
    message: VoiceMessage,
    headers: dict[str, str],
    outcome: Outcome,
) -> None:
    """
    A proxy says 503 after it has passed a request on; so it is not sent again.
    """
    async with RingsThenFails(status=503, headers=headers) as server:
        client = await connect(server.url, batch_size=10)
        results = await results_of(client, message, numbers(50))

        assert {outcome} == {row.outcome for row in results}
        assert {1} == set(server.rung.values())


async def test_a_wait_is_read_where_it_means_one(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    ``Retry-After`` beside an acceptance or a page in doubt slows nothing down.
    """
    headers = {"Retry-After": "3600"}
    async with RingsThenFails(status=502, headers=headers) as server:
        client = await connect(server.url, batch_size=10, concurrency=1)

        async with asyncio.timeout(10):
            summary = await client.send(message, numbers(50))

    assert 50 == summary.unknown


@pytest.mark.parametrize(
    "header",
    [
        "Sun, 06 Nov 99999999999 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "9" * 400,
        "٣",
    ],
)
async def test_an_absurd_wait_is_no_crash(
    connect: Connect, message: VoiceMessage, header: str
) -> None:
    """
    No header escapes as an exception; each recipient has an outcome.
    """
    headers = {"Retry-After": header}
    async with RingsThenFails(status=429, headers=headers) as server:
        client = await connect(server.url, patience=0.3)

        async with asyncio.timeout(10):
            results = await results_of(client, message, numbers(5))

    assert 5 == len(results)


async def test_what_is_raised_inside_reaches_the_reader_of_a_stream(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A stream never hangs: its reader gets what was raised after a claim.
    """
    client = await connect(await simulate(), batch_size=10)

    def break_down(*_: object, **__: object) -> object:
        raise LookupError("our own mistake")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posting, "decode", break_down)
        async with asyncio.timeout(10):
            with pytest.raises(LookupError, match="our own mistake"):
                await results_of(client, message, numbers(50))


async def test_a_mark_before_an_answer_is_no_part_of_it(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    A byte order mark before the JSON is passed over.
    """

    class Marked(Server):
        """
        Marks its bodies as UTF-8.
        """

        def body(self, request: Any, code: str) -> bytes:
            """
            The body behind its mark.
            """
            return b"\xef\xbb\xbf" + super().body(request, code)

    async with Marked() as server:
        client = await connect(server.url)
        summary = await client.send(message, numbers(10))

    assert 10 == summary.accepted


async def test_the_key_is_taken_out_of_what_comes_back(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    A service that repeats the key, or forges lines, is shown without either.
    """

    class Telling(Server):
        """
        Says more than it should.
        """

        def body(self, request: Any, code: str) -> bytes:  # noqa: ARG002
            """
            The key, a line end, and a lot more.
            """
            words = f"key {KEY} is unknown\\naccepted 20,000\\u202e" + "x" * 2000
            return b'{"code": "7104", "description": "%s"}' % words.encode()

    async with Telling() as server:
        client = await connect(server.url)
        summary = await client.send(message, numbers(10))

    [(verdict, number)] = summary.reasons.items()
    assert 10 == number
    assert KEY not in verdict.description
    assert verdict.description.isprintable()
    assert len(verdict.description.encode()) <= 500


async def test_an_untrusted_certificate_stops_everything(
    tmp_path: Path, message: VoiceMessage
) -> None:
    """
    After a few tries the rest is not sent, and the reason says what is wrong.
    """
    async with (
        Tls(folder=tmp_path) as server,
        Client(
            service_key=KEY, base_url=server.url, first_wait=0.01, batch_size=10
        ) as client,
    ):
        async with asyncio.timeout(20):
            summary = await client.send(message, numbers(500))

        assert summary.refused
        assert summary.stopped is not None
        assert "certificate" in summary.stopped
        assert 500 == summary.not_sent
        assert 0 == server.requests


async def test_a_name_that_does_not_exist_stops_everything(
    message: VoiceMessage,
) -> None:
    """
    The same for an address with a mistake in it.
    """
    async with Client(
        service_key=KEY, base_url="https://voicepush.invalid", first_wait=0.01
    ) as client:
        async with asyncio.timeout(30):
            summary = await client.send(message, numbers(5_000))

    assert summary.refused
    assert summary.stopped is not None
    assert "can't be resolved" in summary.stopped
    assert 5_000 == summary.not_sent


async def test_a_file_can_be_sent_by_a_client(
    simulate: Simulate, connect: Connect, message: VoiceMessage, tmp_path: Path
) -> None:
    """
    ``client.send(message, read_file(path))`` sends to everyone in the file.
    """
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["msisdn", *numbers(2_500), "nobody"]))
    simulator = await simulate()
    client = await connect(simulator)

    summary = await client.send(message, read_file(path))

    assert (2_500, 1) == (summary.accepted, summary.rejected)
    assert {1} == set(simulator.calls.values())


async def test_ids_in_our_own_form_are_refused(
    simulate: Simulate, connect: Connect, message: VoiceMessage
) -> None:
    """
    A receipt or an answer could credit another campaign with them.
    """
    simulator = await simulate()
    client = await connect(simulator)
    own = Destination("+18005550101", correlation_id="0123456789-17-3")

    summary = await client.send(message, [own])

    assert (0, 1) == (summary.accepted, summary.rejected)
    assert not simulator.calls


@pytest.mark.slow
def test_few_descriptors_are_no_crash(serve: Serve, tmp_path: Path) -> None:
    """
    Nothing is imported in the moment of need, when no file can be opened any more.
    """
    simulator = serve("7006@1/2", latency=0.05)
    (tmp_path / "list.csv").write_text("\n".join(["msisdn", *numbers(80)]))
    command = [sys.executable, "-m", "voicepush", "send", "list.csv", "--media", "x"]
    command += ["--base-url", simulator.url, "--batch-size", "10"]
    command += ["--concurrency", "8"]

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

    done = subprocess.run(  # noqa: S603 -- our own program
        command,
        cwd=tmp_path,
        env={"VOICEPUSH_SERVICE_KEY": KEY},
        preexec_fn=few,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )

    assert 0 == done.returncode, done.stderr
    assert {1} == set(simulator.calls.values())
    assert 80 == len(simulator.calls)


async def test_the_end_comes_with_the_answers(
    simulate: Simulate, connect: Connect
) -> None:
    """
    Many requests are under way at the expiry: each answer still counts.
    """
    simulator = await simulate(latency=1.0)
    client = await connect(simulator, batch_size=10, concurrency=8)
    message = VoiceMessage(media="x", expiry=timedelta(seconds=0.6))

    summary = await client.send(message, numbers(400))

    assert 0 == summary.unknown
    assert 80 == summary.accepted
    assert 320 == summary.expired


@pytest.mark.parametrize("kind", [AnswersTwice, AnswersLateTwice])
@pytest.mark.parametrize("size", [1, 7])
async def test_anothers_answer_is_known_by_an_owners_id_as_well(
    connect: Connect, message: VoiceMessage, kind: type[AnswersTwice], size: int
) -> None:
    """
    With correlation ids of the owner's own, too, no one is accepted who was not rung.
    """
    people = [
        Destination(number, correlation_id=f"order-{place}")
        for place, number in enumerate(numbers(60))
    ]
    async with kind(codes=("1001", "7101")) as server:
        client = await connect(server.url, batch_size=size, concurrency=1)

        results = await results_of(client, message, people)
        results += await results_of(client, message, numbers(20, 500))

        check(server, results, 80)


async def test_an_id_that_the_service_made_up_stands_for_all(
    connect: Connect, message: VoiceMessage
) -> None:
    """
    On a connection that carried nothing before, an id that nobody gave is its own.
    """

    class MakesUp(Server):
        """
        Answers with ids of its own.
        """

        def body(self, request: Any, code: str) -> bytes:  # noqa: ARG002
            """
            One element for all.
            """
            return b'{"response": [{"code": "1001", "correlationid": "theirs-%d"}]}' % (
                self.requests
            )

    async with MakesUp() as server:
        client = await connect(server.url, batch_size=10, concurrency=2)
        summary = await client.send(message, numbers(40))

        assert 40 == summary.accepted
        assert 4 == server.connections

"""Requests as they are written, and messages as they are kept."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from made_up import MESSAGE
from making import batch_of, destinations

from voicepush.model.batch import Batch
from voicepush.model.fields import MOST_CORRELATION_BYTES
from voicepush.model.message import Priority, VoiceMessage
from voicepush.model.recipients import Destination, Recipient, Recipients
from voicepush.sending.request import dump_message, encode, format_time, load_message
from voicepush.simulator.requests import read_request
from voicepush.simulator.tenant import TenantOptions

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# Every text that UTF-8 can hold, quotes and line breaks included.
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)

written = texts.filter(lambda text: bool(text.strip()))

correlation_ids = texts.filter(
    lambda text: len(text.encode()) <= MOST_CORRELATION_BYTES
)

msisdns = st.from_regex(r"\+?999[0-9]{4,12}", fullmatch=True)

moments = st.integers(0, 10**14).map(
    lambda milliseconds: NOW + timedelta(milliseconds=milliseconds)
)

messages = st.builds(
    lambda prompt, **fields: VoiceMessage(**prompt, **fields),
    st.one_of(
        st.fixed_dictionaries({"media": written}),
        st.fixed_dictionaries({"callflow": written}),
    ),
    cli=st.none() | written,
    correlation_id=st.none() | correlation_ids,
    notify_url=st.sampled_from([None, "https://example.test/r?x=1&y=%22"]),
    callback_data=st.none() | written,
    expiry=st.none() | moments,
    priority=st.none() | st.sampled_from(Priority),
)


def destinations_of(
    values: st.SearchStrategy[str], *, customers: bool
) -> st.SearchStrategy[Destination]:
    """
    Destinations of one kind; msisdns are *values*.
    """
    optional_id = st.none() | correlation_ids
    if customers:
        return st.builds(
            Destination,
            customer_id=st.lists(texts, min_size=1, max_size=3),
            correlation_id=optional_id,
        )
    return st.builds(
        Destination,
        st.lists(values, min_size=1, max_size=3),
        correlation_id=optional_id,
    )


def batches_of(values: st.SearchStrategy[str]) -> st.SearchStrategy[Batch]:
    """
    Batches of bare strings, of destinations of either kind, and of both.
    """
    return st.builds(
        batch_of,
        messages,
        st.from_regex(r"[0-9a-f]{1,10}-[0-9]{1,5}", fullmatch=True),
        st.lists(values, min_size=1, max_size=10)
        | st.lists(
            values | destinations_of(values, customers=False), min_size=1, max_size=10
        )
        | st.lists(destinations_of(values, customers=True), min_size=1, max_size=10),
    )


def entry_of(recipient: Recipient, correlation_id: str) -> dict[str, Any]:
    """
    The entry of a request for *recipient*, as PROTOCOL.md words it.
    """
    customers = isinstance(recipient, Destination) and recipient.customer_id
    return {
        "customerid" if customers else "msisdn": list(Recipients.of(recipient).values),
        "correlationid": correlation_id,
    }


def sent(message: VoiceMessage) -> dict[str, Any]:
    """
    The request for *message*, read back, without its destinations.
    """
    body: dict[str, Any] = json.loads(encode(batch_of(message, "k", ["+9995550100"])))
    del body["destination"]
    return body


class TestEncode:
    """
    What is sent.
    """

    def test_least(self) -> None:
        """
        A request holds what is mandatory, and nothing that nobody asked for.
        """
        body = json.loads(encode(batch_of(MESSAGE, "k", ["+9995550100"])))

        assert {
            "deliverychannel": "voice",
            "channels": {"voice": {"media": "welcome"}},
            "destination": [{"msisdn": ["+9995550100"], "correlationid": "k-0-0"}],
            "callbackData": "k-0",
        } == body

    @pytest.mark.parametrize(
        ("fields", "name", "value"),
        [
            ({"correlation_id": "whole"}, "correlationid", "whole"),
            ({"notify_url": "https://h.test/r"}, "notifyurl", "https://h.test/r"),
            ({"callback_data": 'a "b"'}, "callbackData", 'a "b"'),
            ({"priority": "low"}, "priority", "1"),
            ({"priority": 2}, "priority", "2"),
            ({"priority": Priority.HIGH}, "priority", "3"),
            (
                {"expiry": "2030-04-12T18:30:19.456+5:30"},
                "expiry",
                "2030-04-12T13:00:19.456Z",
            ),
        ],
    )
    def test_fields_of_the_request(
        self, fields: dict[str, Any], name: str, value: str
    ) -> None:
        """
        Each field of a message has the API's name and stands beside the channel.
        """
        assert {**sent(MESSAGE), name: value} == sent(
            VoiceMessage(media="welcome", **fields)
        )

    @pytest.mark.parametrize(
        ("fields", "voice"),
        [
            ({"media": "welcome"}, {"media": "welcome"}),
            ({"callflow": "flow"}, {"callflowid": "flow"}),
            ({"media": "m", "cli": "999"}, {"media": "m", "cli": "999"}),
        ],
    )
    def test_fields_of_the_channel(
        self, fields: dict[str, Any], voice: dict[str, str]
    ) -> None:
        """
        What is played, and whose line shows, stands inside the channel.
        """
        assert {
            "deliverychannel": "voice",
            "channels": {"voice": voice},
            "callbackData": "k-0",
        } == sent(VoiceMessage(**fields))

    @pytest.mark.parametrize(
        ("moment", "text"),
        [
            (datetime(2030, 4, 12, 13, 0, tzinfo=UTC), "2030-04-12T13:00:00.000Z"),
            (
                datetime(2030, 4, 12, 13, 0, 19, 456_999, tzinfo=UTC),
                "2030-04-12T13:00:19.456Z",
            ),
            (
                datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=5.5))),
                "2029-12-31T19:30:00.000Z",
            ),
        ],
    )
    def test_format_time(self, moment: datetime, text: str) -> None:
        """
        A moment is written in UTC with milliseconds, never later than it is.
        """
        assert text == format_time(moment)

    @given(batches_of(msisdns) | batches_of(texts))
    @example(batch_of(MESSAGE, "k", ['+999"5550100', "+9995550101"]))
    @example(batch_of(MESSAGE, "k", ["1,2", "\\", "\n", "é", "\u2028"]))
    def test_destinations(self, batch: Batch) -> None:
        """
        However the destinations are written, they say their values and their ids.
        """
        ids = batch.correlation_ids

        assert (
            list(map(entry_of, destinations(batch.recipients), ids))
            == msgspec.json.decode(encode(batch))["destination"]
        )

    @given(batches_of(msisdns) | batches_of(texts), st.data())
    def test_places(self, batch: Batch, data: st.DataObject) -> None:
        """
        A request for some places speaks of those, with the ids that they always have.
        """
        chosen = data.draw(st.sets(st.sampled_from(range(len(batch))), min_size=1))
        places = sorted(chosen)
        given = destinations(batch.recipients)

        assert [
            entry_of(given[place], batch.correlation_ids[place]) for place in places
        ] == msgspec.json.decode(encode(batch, places))["destination"]

    def test_full_batch(self) -> None:
        """
        A full batch goes into one request, in order.
        """
        batch = batch_of(MESSAGE, "k", [f"+999555{place:04}" for place in range(1000)])

        entries = msgspec.json.decode(encode(batch))["destination"]

        assert list(batch.recipients.values) == [each["msisdn"][0] for each in entries]
        assert batch.correlation_ids == [each["correlationid"] for each in entries]

    @given(batches_of(msisdns), st.data())
    def test_simulator_reads_it(self, batch: Batch, data: st.DataObject) -> None:
        """
        What is written, a strict reader that knows nothing of ours takes as meant.
        """
        chosen = data.draw(st.sets(st.sampled_from(range(len(batch))), min_size=1))
        places = data.draw(st.sampled_from([None, sorted(chosen)]))

        request = read_request(
            {"key": "a-made-up-key", "content-type": "application/json"},
            encode(batch, places),
            tenant=TenantOptions(service_key="a-made-up-key"),
            most_bytes=1 << 20,
            now=NOW - timedelta(milliseconds=1),
        )

        wanted = range(len(batch)) if places is None else places
        values = list(batch.recipients.by_destination())
        assert [list(values[place]) for place in wanted] == request.destinations
        assert (
            tuple(batch.correlation_ids[place] for place in wanted)
            == request.correlation_ids
        )
        assert (batch.message.correlation_id or "") == request.correlation_id


class TestKeptMessage:
    """
    A message at rest.
    """

    @given(messages)
    def test_round_trip(self, message: VoiceMessage) -> None:
        """
        A message that was kept is the same message.
        """
        kept = dump_message(message)

        assert message == load_message(kept)

    def test_expiry_is_kept_to_the_millisecond(self) -> None:
        """
        An expiry is kept as exactly as the API takes it, and never gets later.
        """
        message = VoiceMessage(media="m", expiry="2030-04-12T12:00:00.123999Z")

        kept = load_message(dump_message(message))

        assert kept == load_message(dump_message(kept))
        assert sent(message) == sent(kept)

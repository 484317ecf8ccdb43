"""Bytes there and back: what is written, and what an answer can be made to mean."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from making import batch_of, destinations

from voicepush.model.batch import Batch
from voicepush.model.fields import MOST_CORRELATION_BYTES
from voicepush.model.message import Priority, VoiceMessage
from voicepush.model.recipients import Destination, Recipient, Recipients
from voicepush.sending.answer import UNMATCHED, Answer, Remark, decode
from voicepush.sending.codes import Meaning
from voicepush.sending.request import dump_message, encode, format_time, load_message
from voicepush.simulator.requests import read_request

MESSAGE = VoiceMessage(media="welcome")
NOW = datetime(2030, 1, 1, tzinfo=UTC)
IDS = ["k-0", "k-1", "k-2"]

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


def plain(count: int = 3) -> Batch:
    """
    A batch of bare msisdns.
    """
    return batch_of(MESSAGE, "k", [f"+999555010{place}" for place in range(count)])


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
            service_key="a-made-up-key",
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


def answered(*elements: object, status: int = 200, ids: Sequence[str] = IDS) -> Answer:
    """
    What an answer of *elements* says of *ids*.
    """
    return decode(status, msgspec.json.encode({"response": elements}), ids)


def queued(correlation_id: str | None = None, **more: object) -> dict[str, object]:
    """
    An element that accepts.
    """
    more = {"code": "1001", "transid": "t", "description": "Queued", **more}
    return more if correlation_id is None else {**more, "correlationid": correlation_id}


def refused(correlation_id: str | None = None, **more: object) -> dict[str, object]:
    """
    An element that refuses.
    """
    return queued(correlation_id, **{"code": "7004", "description": "no", **more})


def meanings(answer: Answer, count: int = 3) -> list[Meaning]:
    """
    What *answer* means for each of *count* destinations.
    """
    remarks = list(answer.remarks)
    return [
        each.meaning for each in (remarks * count if len(remarks) == 1 else remarks)
    ]


YES, NO, OPEN = Meaning.ACCEPTED, Meaning.REJECTED, Meaning.IN_DOUBT


class TestDecode:
    """
    What an answer says.
    """

    def test_of_the_document(self) -> None:
        """
        The document's own example is understood.
        """
        body = b"""{"response": [{"code": "1001",
            "transid": "48ceebcb-8035-40d0-8f22-3608b915e2b6",
            "description": "Queued", "correlationid": "k-0"}]}"""

        answer = decode(200, body, ["k-0"])

        assert [Remark(Meaning.ACCEPTED, "1001", "Queued")] == answer.remarks
        assert ["48ceebcb-8035-40d0-8f22-3608b915e2b6"] == answer.transaction_ids

    @pytest.mark.parametrize("start", [b"[", b'{"response":[', b'{"a":'])
    def test_endless_nesting(self, start: bytes) -> None:
        """
        An answer that only opens brackets is no answer, and does no harm.
        """
        answer = decode(200, start * 50_000, ["k-0"])

        assert [Meaning.IN_DOUBT] == [each.meaning for each in answer.remarks]

    @given(st.lists(st.sampled_from(["1001", "7004", "7006"]), min_size=1))
    def test_by_rule_or_field_by_field(self, codes: list[str]) -> None:
        """
        Elements that have every field as a text are understood as all others are.
        """
        ids = [f"k-{place}" for place in range(len(codes))]
        named = list(zip(codes, ids, strict=True))
        by_rule = [queued(own_id, code=code) for code, own_id in named]
        numeric = [queued(own_id, code=int(code)) for code, own_id in named]

        assert answered(*by_rule, ids=ids) == answered(*numeric, ids=ids)

    @pytest.mark.parametrize(
        "body",
        [
            {"response": [queued()]},
            {"response": queued()},
            [queued()],
            queued(),
        ],
    )
    def test_shapes(self, body: object) -> None:
        """
        A list in an object, an object in it, a bare list and a bare object are one.
        """
        answer = decode(200, msgspec.json.encode(body), IDS)

        assert [Remark(Meaning.ACCEPTED, "1001", "Queued")] == answer.remarks
        assert ["t"] == answer.transaction_ids

    @pytest.mark.parametrize("code", ["1001", 1001, 1001.0, " 1001 ", "1001\n"])
    def test_forms_of_a_code(self, code: object) -> None:
        """
        A code is a text, with spaces or without, or a number.
        """
        assert [Remark(Meaning.ACCEPTED, "1001", "")] == answered(
            {"code": code}
        ).remarks

    @pytest.mark.parametrize(
        "code", [None, "", "  ", True, False, 1001.5, [1001], {"code": "1001"}]
    )
    def test_no_code(self, code: object) -> None:
        """
        Anything else is no code, so the status decides, and it never accepts.
        """
        answer = answered({"code": code, "transid": "t"}, status=200)

        assert [Meaning.IN_DOUBT] == [each.meaning for each in answer.remarks]

    @pytest.mark.parametrize("others", [{}, {"correlationid": ""}])
    def test_by_place(self, others: dict[str, str]) -> None:
        """
        Without correlation ids, elements stand for places where the counts agree.
        """
        answer = answered(
            queued(**others, transid="a"), refused(**others), queued(**others)
        )

        assert [YES, NO, YES] == meanings(answer)
        assert ["a", "t", "t"] == answer.transaction_ids

    def test_by_id(self) -> None:
        """
        Elements that name their destinations are matched in any order.
        """
        answer = answered(
            refused("k-2", transid="c"), queued("k-0", transid="a"), queued("k-1")
        )

        assert [YES, YES, NO] == meanings(answer)
        assert ["a", "t", "c"] == answer.transaction_ids

    def test_in_order(self) -> None:
        """
        Elements that name their destinations in order are understood as well.
        """
        answer = answered(*map(queued, IDS[:2]), refused("k-2"))

        assert [YES, YES, NO] == meanings(answer)

    def test_fewer_with_ids(self) -> None:
        """
        Whom the answer passes over is in doubt, and has no transaction.
        """
        answer = answered(queued("k-2"), queued("k-0"))

        assert [YES, OPEN, YES] == meanings(answer)
        assert UNMATCHED == answer.remarks[1]
        assert ["t", "", "t"] == answer.transaction_ids

    @pytest.mark.parametrize("count", [2, 4])
    def test_other_count_without_ids(self, count: int) -> None:
        """
        Fewer or more elements without ids could stand for anyone, so for no one.
        """
        answer = answered(*[queued()] * count)

        assert [OPEN, OPEN, OPEN] == meanings(answer)
        assert not any(answer.transaction_ids)

    def test_more_with_ids(self) -> None:
        """
        Elements about others change nothing for those who were sent.
        """
        answer = answered(*map(queued, ["k-3", *IDS]), refused("x"))

        assert [YES, YES, YES] == meanings(answer)
        assert 3 == len(answer.transaction_ids)

    def test_named_twice(self) -> None:
        """
        Of a destination that is named twice, in contradiction, nothing is known.
        """
        answer = answered(queued("k-0"), refused("k-0"), queued("k-2"))

        assert [OPEN, OPEN, YES] == meanings(answer)

    def test_named_three_times(self) -> None:
        """
        Mentions that agree count as one: an entry may be answered once per value.
        """
        answer = answered(*[queued("k-0")] * 3)

        assert [YES, OPEN, OPEN] == meanings(answer)

    def test_named_twice_among_others(self) -> None:
        """
        A contradiction is one in whatever order, and spreads to nobody else.
        """
        told = [queued("k-0"), refused("k-0"), queued("k-0"), refused("k-1")]

        assert [OPEN, NO, OPEN] == meanings(answered(*told))
        assert [OPEN, NO, OPEN] == meanings(answered(*reversed(told)))

    def test_ids_of_the_request(self) -> None:
        """
        If every element bears the request's own id, they stand for their places.
        """
        told = [queued("whole"), refused("whole"), queued("whole")]

        assert [YES, NO, YES] == meanings(answered(*told))
        assert [OPEN, OPEN, OPEN] == meanings(answered(*told[:2]))

    def test_id_as_number(self) -> None:
        """
        An id that comes back as a number still speaks of one destination only.
        """
        element = {"code": "1001", "correlationid": 7}

        assert [OPEN, YES, OPEN] == meanings(answered(element, ids=["6", "7", "8"]))

    def test_foreign_ids(self) -> None:
        """
        Elements that name no one of ours say nothing of ours.
        """
        assert [OPEN, OPEN, OPEN] == meanings(answered(*map(queued, "xyz")))

    def test_some_without_ids(self) -> None:
        """
        An element without an id is trusted at its place if the others keep theirs.
        """
        assert [YES, NO, YES] == meanings(answered(queued("k-0"), refused(), queued()))

    def test_some_without_ids_out_of_order(self) -> None:
        """
        It is not, once another element is out of its place.
        """
        answer = answered(queued("k-1"), queued("k-0"), queued())

        assert [YES, YES, OPEN] == meanings(answer)

    @pytest.mark.parametrize("correlation_id", [None, "", "whole", "k-3"])
    def test_one_for_all(self, correlation_id: str | None) -> None:
        """
        One element that is about no single destination stands for all.
        """
        answer = answered(queued(correlation_id))

        assert [Remark(Meaning.ACCEPTED, "1001", "Queued")] == answer.remarks
        assert ["t"] == answer.transaction_ids

    def test_one_for_one_of_many(self) -> None:
        """
        One element that names one destination of many speaks of that one only.
        """
        answer = answered(queued("k-1"))

        assert [OPEN, YES, OPEN] == meanings(answer)
        assert ["", "t", ""] == answer.transaction_ids

    @pytest.mark.parametrize("correlation_id", [None, "", "k-0", "whole"])
    def test_one_for_one(self, correlation_id: str | None) -> None:
        """
        One element for one destination is about that, whatever it is called.
        """
        answer = answered(queued(correlation_id), ids=["k-0"])

        assert [YES] == meanings(answer, 1)

    def test_two_for_one(self) -> None:
        """
        Two elements for one destination settle it only if one of them names it.
        """
        assert [OPEN] == meanings(answered(queued(), queued(), ids=["k-0"]), 1)
        assert [NO] == meanings(answered(queued(), refused("k-0"), ids=["k-0"]), 1)

    @pytest.mark.parametrize("junk", [None, 5, "1001", [queued()], {}, {"code": None}])
    def test_element_that_is_none(self, junk: object) -> None:
        """
        An element that says nothing still keeps its place.
        """
        answer = answered(queued(), junk, refused())

        assert [YES, OPEN, NO] == meanings(answer)
        assert ["t", "", "t"] == answer.transaction_ids

    @pytest.mark.parametrize(
        ("code", "meaning"),
        [("7006", Meaning.INTERNAL), ("7001", Meaning.STOP), ("1001", YES)],
    )
    @pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
    def test_body_wins(self, status: int, code: str, meaning: Meaning) -> None:
        """
        A code in the body wins over whatever the status says.
        """
        assert [meaning] * 3 == meanings(answered({"code": code}, status=status))

    @pytest.mark.parametrize(
        ("description", "meaning"),
        [("Throttled (rate)", Meaning.THROTTLED), ("Throttled (quota)", Meaning.STOP)],
    )
    def test_throttled(self, description: str, meaning: Meaning) -> None:
        """
        The words of a 7020 are read.
        """
        answer = answered({"code": 7020, "description": description})

        assert [Remark(meaning, "7020", description)] == answer.remarks

    @pytest.mark.parametrize(
        ("status", "meaning"),
        [
            (200, Meaning.IN_DOUBT),
            (401, Meaning.STOP),
            (413, Meaning.TOO_LARGE),
            (429, Meaning.THROTTLED),
            (503, Meaning.IN_DOUBT),
            (504, Meaning.IN_DOUBT),
        ],
    )
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>1001</html>",
            b"null",
            b"1001",
            b'"1001"',
            b"[]",
            b"{}",
            b'{"response": null}',
            b'{"response": "1001"}',
            b'{"response": []}',
            b'{"error": {"code": "1001"}}',
            b"[" * 5000,
            b'{"code": "1001"',
            b"\xff\xfe",
        ],
    )
    def test_status_decides(self, status: int, meaning: Meaning, body: bytes) -> None:
        """
        Without a code in a well-formed body, the status decides for all.
        """
        answer = decode(status, body, IDS)

        assert [(meaning, None)] == [each[:2] for each in answer.remarks]
        assert str(status) in answer.remarks[0].description
        assert not any(answer.transaction_ids)

    @given(st.integers())
    def test_status_that_is_none(self, status: int) -> None:
        """
        A status that HTTP does not know is told as it is.
        """
        assert f"HTTP {status}" in decode(status, b"", IDS).remarks[0].description

    def test_other_types(self) -> None:
        """
        A description or transaction of another type is as good as none.
        """
        answer = answered({"code": 1001, "description": 5, "transid": None})

        assert [Remark(Meaning.ACCEPTED, "1001", "")] == answer.remarks
        assert [""] == answer.transaction_ids

    def test_equal_own_ids(self) -> None:
        """
        Destinations that share an id can't be told apart by it, in whatever order.
        """
        ids = ["own", "own", "k-2"]

        in_order = answered(queued("own"), refused("own"), queued("k-2"), ids=ids)
        reordered = answered(queued("own"), queued("k-2"), refused("own"), ids=ids)

        assert [OPEN, OPEN, YES] == meanings(in_order)
        assert [OPEN, OPEN, YES] == meanings(reordered)


ids_lists = st.lists(
    st.sampled_from(["a", "b", "c", "d", "own"]), min_size=1, max_size=6
)
unique_ids = st.lists(
    st.sampled_from(["a", "b", "c", "d", "own"]), min_size=1, unique=True
)

# Elements that are nearly right are met more often than anything else.
elements = st.fixed_dictionaries(
    {},
    optional={
        "code": st.sampled_from(["1001", 1001, 7004, "7020", None, "", True]),
        "correlationid": st.sampled_from(["a", "b", "c", "d", "", "x", None, 5]),
        "transid": st.sampled_from(["t", "", None, 7]),
        "description": st.sampled_from(["(quota)", "(rate)", None, 1]),
    },
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)
lists_of_elements = st.lists(elements | json_values, max_size=7)
bodies = st.one_of(
    lists_of_elements,
    st.fixed_dictionaries({"response": lists_of_elements | json_values}),
    elements,
    json_values,
).map(lambda value: json.dumps(value, allow_nan=True).encode())


class TestAnyAnswer:
    """
    What holds for any answer at all.
    """

    @given(st.integers(), st.binary() | bodies, ids_lists)
    @example(200, b'{"code": 1e300}', ["a"])
    @example(200, b'{"code": 123456789012345678901234567890}', ["a"])
    @example(200, b'{"code": -0.0}', ["a"])
    def test_never_raises(self, status: int, body: bytes, ids: list[str]) -> None:
        """
        Any answer has one remark for all, or one for each.
        """
        answer = decode(status, body, ids)

        assert len(answer.remarks) in {1, len(ids)}
        assert len(answer.transaction_ids) in {0, 1, len(ids)}
        assert all(isinstance(each, Remark) for each in answer.remarks)
        assert all(isinstance(each, str) for each in answer.transaction_ids)

    @given(st.sampled_from([200, 202, 400, 503]), lists_of_elements, unique_ids)
    def test_accepts_nobody_by_mistake(
        self, status: int, answer: list[Any], ids: list[str]
    ) -> None:
        """
        Accepted is only whom an accepting element speaks of.

        It does if it bears the destination's id, and no other that does disagrees; if
        it bears none, or the request's own, and stands at the same place among as
        many; or if it is the only one and about no single destination.
        """
        decoded = decode(status, json.dumps(answer).encode(), ids)

        found = meanings(decoded, len(ids))
        objects = [each if isinstance(each, dict) else {} for each in answer]
        theirs = [each.get("correlationid") for each in objects]
        shared = any([name] * len(theirs) == theirs for name in {*"abcdx"} - {*ids})
        accepting = [str(each.get("code")) == "1001" for each in objects]
        for place, correlation_id in enumerate(ids):
            if found[place] is not Meaning.ACCEPTED:
                continue
            alone = len(objects) == 1 and (len(ids) == 1 or theirs[0] not in ids)
            named = [
                accepts
                for accepts, name in zip(accepting, theirs, strict=True)
                if name == correlation_id
            ]
            at_place = len(objects) == len(ids) and (
                shared or theirs[place] in ("", None, 5)
            )
            assert (
                (alone and accepting[0])
                or (named and all(named))
                or (at_place and accepting[place] and not named)
            )

    @given(unique_ids, st.randoms())
    def test_complete_answers_are_complete(self, ids: list[str], random: Any) -> None:
        """
        If every destination is named once, each gets exactly its own remark.
        """
        codes = {each: random.choice(["1001", "7004", "7006"]) for each in ids}
        told = random.sample(ids, len(ids))
        body = [{"code": codes[each], "correlationid": each} for each in told]

        answer = decode(200, msgspec.json.encode(body), ids)

        assert [codes[each] for each in ids] == [
            answer.remarks[at if len(answer.remarks) > 1 else 0].code
            for at in range(len(ids))
        ]


def test_batch_of_answers_keeps_its_order() -> None:
    """
    What was sent and what is said of it meet at the same places.
    """
    batch = plain()
    entries = msgspec.json.decode(encode(batch, [0, 2]))["destination"]
    ids = [each["correlationid"] for each in entries]

    answer = answered(refused(ids[1]), queued(ids[0]), ids=ids)

    assert ["k-0-0", "k-0-2"] == ids
    assert [YES, NO] == meanings(answer, 2)

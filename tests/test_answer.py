"""What an answer is made to mean, for each destination."""

import msgspec
import pytest
from answers import IDS, answered, meanings, queued, refused
from hypothesis import given
from hypothesis import strategies as st
from made_up import MESSAGE
from making import batch_of

from voicepush.model.batch import Batch
from voicepush.sending.answer import UNMATCHED, ResponseItem, decode
from voicepush.sending.codes import Meaning
from voicepush.sending.request import encode


def plain(count: int = 3) -> Batch:
    """
    A batch of bare msisdns.
    """
    return batch_of(MESSAGE, "k", [f"+999555010{place}" for place in range(count)])


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

        assert [ResponseItem(Meaning.ACCEPTED, "1001", "Queued")] == answer.items
        assert ["48ceebcb-8035-40d0-8f22-3608b915e2b6"] == answer.transaction_ids

    @pytest.mark.parametrize("start", [b"[", b'{"response":[', b'{"a":'])
    def test_endless_nesting(self, start: bytes) -> None:
        """
        An answer that only opens brackets is no answer, and does no harm.
        """
        answer = decode(200, start * 50_000, ["k-0"])

        assert [Meaning.IN_DOUBT] == [each.meaning for each in answer.items]

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

        assert [ResponseItem(Meaning.ACCEPTED, "1001", "Queued")] == answer.items
        assert ["t"] == answer.transaction_ids

    @pytest.mark.parametrize("code", ["1001", 1001, 1001.0, " 1001 ", "1001\n"])
    def test_forms_of_a_code(self, code: object) -> None:
        """
        A code is a text, with spaces or without, or a number.
        """
        assert [ResponseItem(Meaning.ACCEPTED, "1001", "")] == answered(
            {"code": code}
        ).items

    @pytest.mark.parametrize(
        "code", [None, "", "  ", True, False, 1001.5, [1001], {"code": "1001"}]
    )
    def test_no_code(self, code: object) -> None:
        """
        Anything else is no code, so the status decides, and it never accepts.
        """
        answer = answered({"code": code, "transid": "t"}, status=200)

        assert [Meaning.IN_DOUBT] == [each.meaning for each in answer.items]

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
        assert UNMATCHED == answer.items[1]
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

        assert [ResponseItem(Meaning.ACCEPTED, "1001", "Queued")] == answer.items
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

        assert [ResponseItem(meaning, "7020", description)] == answer.items

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

        assert [(meaning, None)] == [each[:2] for each in answer.items]
        assert str(status) in answer.items[0].description
        assert not any(answer.transaction_ids)

    @given(st.integers())
    def test_status_that_is_none(self, status: int) -> None:
        """
        A status that HTTP does not know is told as it is.
        """
        assert f"HTTP {status}" in decode(status, b"", IDS).items[0].description

    def test_other_types(self) -> None:
        """
        A description or transaction of another type is as good as none.
        """
        answer = answered({"code": 1001, "description": 5, "transid": None})

        assert [ResponseItem(Meaning.ACCEPTED, "1001", "")] == answer.items
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


def test_the_key_is_hidden_wherever_it_is_repeated() -> None:
    """
    Also in what names the calls.
    """
    body = msgspec.json.encode(
        [queued(transid="key-1", description="by key-1"), queued(transid="t-2")]
    )

    answer = decode(200, body, ["a", "b"], secret="key-1")

    assert ["<service key>", "t-2"] == answer.transaction_ids
    assert "by <service key>" == answer.items[0].description


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

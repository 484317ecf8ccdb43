"""What holds for any answer at all, however odd."""

import json
from typing import Any

import msgspec
from answers import meanings
from hypothesis import example, given
from hypothesis import strategies as st

from voicepush.sending.answer import ResponseItem, decode
from voicepush.sending.codes import Meaning

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
        Any answer has one item for all, or one for each.
        """
        answer = decode(status, body, ids)

        assert len(answer.items) in {1, len(ids)}
        assert len(answer.transaction_ids) in {0, 1, len(ids)}
        assert all(isinstance(each, ResponseItem) for each in answer.items)
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
        If every destination is named once, each gets exactly its own item.
        """
        codes = {each: random.choice(["1001", "7004", "7006"]) for each in ids}
        told = random.sample(ids, len(ids))
        body = [{"code": codes[each], "correlationid": each} for each in told]

        answer = decode(200, msgspec.json.encode(body), ids)

        assert [codes[each] for each in ids] == [
            answer.items[at if len(answer.items) > 1 else 0].code
            for at in range(len(ids))
        ]

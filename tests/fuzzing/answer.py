"""
An answer decides about everyone whom it was asked for, and accepts nobody by mistake.

An input's first line has the HTTP status, ``Retry-After`` with ``_`` in place of
spaces, and the correlation ids of the request; then comes the body.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fuzzing import first_line
from voicepush import (
    Batch,
    BatchId,
    BatchResult,
    Group,
    Kind,
    Outcome,
    Recipients,
    VoiceMessage,
)
from voicepush.model.batch import is_generated_id
from voicepush.model.claim import Policy
from voicepush.sending.answer import Answer, decode
from voicepush.sending.attempt import by_item
from voicepush.sending.codes import Meaning
from voicepush.sending.delivery import Delivery
from voicepush.sending.reply import Reply

KEY = "made-up-key"
REQUEST_ID = "deadbeef00-7-a0000000f"

_MOST_IDS = 20
_MOST_WAIT = 3600.0
_GROUP = Group(VoiceMessage(media="welcome"))


def check(data: bytes) -> None:
    """
    Hold what is made of the answer in *data* against what it says.
    """
    words, body = first_line(data)
    status = int(words[0]) if words[0].isascii() and words[0].isdecimal() else 200
    wait = words[1].replace("_", " ") if len(words) > 1 else ""
    ids = words[2 : 2 + _MOST_IDS] or ["a"]
    reply = Reply(status % 1000, body, wait)

    after = reply.retry_after
    assert after is None or 0.0 <= after <= _MOST_WAIT
    for fresh in (True, False):
        answer = decode(
            reply.status,
            body,
            ids,
            request_id=REQUEST_ID,
            asks_to_wait=after is not None,
            fresh=fresh,
            secret=KEY,
        )
        _check_shape(answer, len(ids))
        _check_accepted(answer, body, ids, fresh=fresh)
        _check_nobody_is_lost(answer, len(ids))


def _check_shape(answer: Answer, count: int) -> None:
    assert len(answer.items) in (1, count)
    assert len(answer.transaction_ids) in (0, 1, count)
    texts = [each.description for each in answer.items]
    texts += [each.code or "" for each in answer.items]
    texts += answer.transaction_ids
    assert not any(KEY in text for text in texts)
    "".join(texts).encode()


def _check_accepted(
    answer: Answer, body: bytes, ids: Sequence[str], *, fresh: bool
) -> None:
    """
    Who is accepted has an element that accepts, and that is not another's.
    """
    items = list(answer.items) * (len(ids) if len(answer.items) == 1 else 1)
    accepted = [
        one for one, item in zip(ids, items, strict=True) if _accepts(item.meaning)
    ]
    if not accepted:
        return
    elements = _elements(body)
    theirs = {_text(each.get("correlationid")) for each in elements}
    foreign = theirs.difference(ids, (REQUEST_ID, ""))
    assert not any(map(is_generated_id, foreign))
    assert fresh or not foreign
    for each in accepted:
        assert any(
            _is_1001(element.get("code"))
            and _text(element.get("correlationid")) in {each, REQUEST_ID, "", *foreign}
            for element in elements
        )


def _accepts(meaning: Meaning) -> bool:
    return meaning is Meaning.ACCEPTED


def _elements(body: bytes) -> list[dict[str, Any]]:
    # Another reader than ours.
    found = json.loads(body.decode("utf-8-sig", "replace"))
    if isinstance(found, dict):
        found = found.get("response", found)
    found = found if isinstance(found, list) else [found]
    return [each for each in found if isinstance(each, dict)]


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _is_1001(value: object) -> bool:
    return str(value).strip() in ("1001", "1001.0")


def _check_nobody_is_lost(answer: Answer, count: int) -> None:
    """
    What a sender makes of it has one outcome for each, and who may be tried again was
    not accepted.
    """
    values = [f"+99900000{place:04d}" for place in range(count)]
    batch = Batch(BatchId("deadbeef00", 7), Recipients(Kind.MSISDN, values), _GROUP)
    delivery = Delivery(BatchResult.untried(batch), Policy(), 60.0, lambda: 0.0)
    places = range(count)
    told: list[int] = []
    for item, spoken_of in by_item(answer.items, places):
        delivery.note(item, spoken_of)
        told += spoken_of
        if item.meaning is not Meaning.ACCEPTED:
            outcomes = {delivery.at(place).outcome for place in spoken_of}
            assert Outcome.ACCEPTED not in outcomes
    delivery.note_transactions(answer, places)
    result = delivery.result()

    assert list(places) == sorted(told)
    assert count == result.counts().total() == len(list(result))
    assert result.places(Outcome.PENDING) == list(delivery.pending())

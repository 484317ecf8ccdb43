"""
The one call of a check, and what its answer shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import attrs

from voicepush.checking.findings import Finding, no, unknown, yes
from voicepush.checking.probing import Asked
from voicepush.checking.request import Request
from voicepush.model.batch import Batch, BatchId, Group, make_tag
from voicepush.model.message import VoiceMessage
from voicepush.model.recipients import Recipients
from voicepush.sending.codes import Meaning
from voicepush.sending.request import encode


def call(
    message: VoiceMessage,
    msisdn: str,
    *,
    expiry: datetime | None = None,
    prompt_field: str = "media",
) -> Request:
    """
    A request that rings *msisdn*, exactly as other commands would send it.

    Args:
        expiry: One that has passed, after which nobody should be rung.
        prompt_field: What the API calls the prompt id.
    """
    name = "the call"
    if expiry is not None:
        message = attrs.evolve(message, expiry=expiry)
        name = "a call whose expiry has passed"
    batch = Batch(BatchId(make_tag(), 0), Recipients.of(msisdn), Group(message))
    request_id = batch.id.request_id()
    body = encode(batch, request_id=request_id, prompt_field=prompt_field)
    ids = tuple(batch.correlation_ids)
    return Request(name, body, ("1001",), request_id=request_id, ids=ids)


def is_taken(asked: Asked) -> bool:
    """
    Whether the service has queued the call.
    """
    return asked.reply is not None and asked.item.meaning is Meaning.ACCEPTED


def transactions(asked: Asked) -> list[str]:
    """
    The service's own ids of the call.
    """
    found = (each.get("transid") for each in asked.shape.elements)
    return [each for each in found if isinstance(each, str) and each]


def of_the_call(asked: Asked) -> Iterator[Finding]:
    """
    What the answer to the call shows.
    """
    if not is_taken(asked):
        judge = no if asked.item.meaning is Meaning.REJECTED else unknown
        yield judge("call", f"not taken: {asked.words}", asked.source)
        return
    shape = asked.shape
    yield yes("call", f"taken: {asked.words}; {shape.form}", asked.source)
    if transactions(asked):
        yield yes("transaction id", "there is one", asked.source)
    else:
        yield no("transaction id", "there is none", asked.source)
    yield _ids(asked)


def _ids(asked: Asked) -> Finding:
    about, request = "ids of a call", asked.request
    ids = set(asked.shape.ids)
    if not ids:
        words = (
            "none come back, so each request takes a connection of its own; see "
            "reuse_connections"
        )
        return no(about, words, asked.source)
    if foreign := ids - {*request.ids, request.request_id}:
        words = f"{len(foreign)} belong to no part of this request"
        return no(about, words, asked.source)
    whose = "the destination's" if ids & set(request.ids) else "the request's"
    words = f"{whose} comes back, so connections are used again"
    return yes(about, words, asked.source)

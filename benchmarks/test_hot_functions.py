"""
The functions that every batch passes, one by one, so that a regression shows where.

    pytest benchmarks --benchmark-autosave
    pytest benchmarks --benchmark-compare
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec
import pytest

import voicepush
from voicepush.ledger.packing import pack_recipients, unpack_recipients
from voicepush.model.batch import Batch, BatchId, Group
from voicepush.model.message import VoiceMessage
from voicepush.model.outcome import BatchResult, Outcome, Summary, Verdict
from voicepush.model.recipients import Kind, Recipients
from voicepush.sending.answer import decode
from voicepush.sending.batching import Batcher
from voicepush.sending.request import encode
from voicepush.sources.blocks import Block
from voicepush.sources.files import read_stream

#: What pytest-benchmark's fixture is used as here.
Measure = Callable[..., Any]

MESSAGE = VoiceMessage(media="welcome")
NUMBERS = [f"+99{place:010d}" for place in range(1000)]
BATCH = Batch(
    BatchId("0123456789", 12), Recipients(Kind.MSISDN, NUMBERS), Group(MESSAGE)
)


def answer_of(many: int) -> bytes:
    """
    An answer that accepts, of one element or of one for each.
    """
    ids = BATCH.correlation_ids if many > 1 else [""]
    accepted = {"code": "1001", "transid": "t" * 36, "description": "Queued"}
    return msgspec.json.encode(
        {"response": [{**accepted, "correlationid": own_id} for own_id in ids]}
    )


def fresh() -> Iterator[list[str]]:
    """
    A thousand numbers, and each time others.
    """
    return (
        [f"+99{start + place:010d}" for place in range(1000)]
        for start in count(0, 1000)
    )


def test_encode(benchmark: Measure) -> None:
    """
    A request of 1,000.
    """
    assert benchmark(encode, BATCH)


def test_encode_some(benchmark: Measure) -> None:
    """
    What is left of it for another attempt.
    """
    assert benchmark(encode, BATCH, range(0, 1000, 3))


@pytest.mark.parametrize("many", [1, 1000])
def test_decode(benchmark: Measure, many: int) -> None:
    """
    An answer of one element, and of 1,000.
    """
    body, ids = answer_of(many), BATCH.correlation_ids

    answer = benchmark(decode, 200, body, ids)

    assert 1 == len(answer.items)


@pytest.mark.parametrize("duplicates", [False, True])
def test_screen(benchmark: Measure, *, duplicates: bool) -> None:
    """
    A block of 1,000 numbers in normal form, with the search for duplicates or not.
    """
    screening = voicepush.Screening(duplicates=duplicates)
    blocks = fresh()

    def setup() -> tuple[tuple[Block], dict[str, Any]]:
        return (Block(Recipients(Kind.MSISDN, next(blocks))),), {}

    screened = benchmark.pedantic(  # type: ignore[attr-defined]  # a fixture of theirs
        screening.screen, setup=setup, rounds=1000
    )

    assert 1000 == len(screened.recipients)


def test_read(benchmark: Measure) -> None:
    """
    A CSV of 10,000 rows.
    """
    rows = "".join(f"person {place},+99{place:010d}\n" for place in range(10_000))
    content = f"name,msisdn\n{rows}".encode()

    blocks = benchmark(lambda: list(read_stream(io.BytesIO(content))))

    assert 10_000 == sum(len(block.recipients) for block in blocks)


def test_batch(benchmark: Measure) -> None:
    """
    Blocks that end elsewhere than batches.
    """

    def cut() -> int:
        batcher = Batcher(Group(MESSAGE), tag="0123456789")
        blocks = [Recipients(Kind.MSISDN, NUMBERS[:700])] * 10
        return sum(len(list(batcher.feed(block))) for block in blocks)

    assert 7 == benchmark(cut)


def test_pack_and_unpack(benchmark: Measure) -> None:
    """
    The recipients of a batch into the ledger's form, and back.
    """

    def there_and_back() -> Recipients:
        return unpack_recipients(pack_recipients(BATCH.recipients))

    assert 1000 == len(benchmark(there_and_back))


def test_summarise(benchmark: Measure) -> None:
    """
    The result of a batch that was accepted, counted in.
    """
    summary = Summary()
    result = BatchResult(BATCH, Verdict(Outcome.ACCEPTED, "1001", "Queued"), attempts=1)

    benchmark(summary.add, result)

    assert summary.accepted == 1000 * summary.requests

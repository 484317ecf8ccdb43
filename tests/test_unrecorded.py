"""
What is known and could not be recorded stands in a file until it can be.
"""

from __future__ import annotations

import json
import resource
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_model import (
    ANSWERS,
    MESSAGE,
    TAG,
)
from making import batch_of

from voicepush.campaign.unrecorded import Unrecorded
from voicepush.errors import LedgerError
from voicepush.ledger.late_record import (
    Fate,
    LateRecord,
    PackedLateRecord,
    pack_late,
    unpack_late,
)
from voicepush.ledger.sharing import SharedLedger
from voicepush.masking import mask_numbers
from voicepush.model.claim import Claimed
from voicepush.model.outcome import BatchResult, Outcome, Verdict

ACCEPTED, AGAIN, REJECTED = ANSWERS[:3]

PEOPLE = [f"+9198123456{place:02}" for place in range(20)]

texts = st.text(st.characters(codec="utf-8"), max_size=30)
verdicts = st.builds(Verdict, st.sampled_from(Outcome), st.none() | texts, texts)


@st.composite
def late_records(draw: st.DrawFn) -> LateRecord:
    """
    Late records of any results.
    """
    many = draw(st.integers(1, len(PEOPLE)))
    batch = batch_of(MESSAGE, f"{TAG}-{draw(st.integers(0, 2**40))}", PEOPLE[:many])
    told = draw(st.lists(verdicts, min_size=many, max_size=many))
    number = draw(st.sampled_from([0, 1, many]))
    ids = draw(st.lists(texts, min_size=number, max_size=number))
    result = BatchResult.of_places(batch, told, ids, attempts=draw(st.integers(0, 9)))
    places = draw(st.sets(st.integers(0, many - 1), min_size=1))
    claimed = Claimed(draw(texts), sorted(places))
    return LateRecord.of(claimed, result, resends=draw(st.booleans()))


def record(number: int = 0, *told: Verdict) -> LateRecord:
    """
    What became of a batch of that *number*.
    """
    told = told or (ACCEPTED,)
    batch = batch_of(MESSAGE, f"{TAG}-{number}", PEOPLE[: len(told)])
    result = BatchResult.of_places(batch, told, ["t-1"], attempts=1)
    return LateRecord.of(
        Claimed("host:1:1-:2", range(len(told))), result, resends=False
    )


@attrs.define
class Heard:
    """
    A ledger that takes late records, unless it is gone.
    """

    records: list[LateRecord] = attrs.field(factory=list)
    fate: Fate = Fate.RECORDED
    is_gone: bool = False

    async def record_late(self, late: LateRecord) -> Fate:
        """
        Take it.
        """
        if self.is_gone:
            raise LedgerError("it is gone")
        self.records.append(late)
        return self.fate


async def bring_in(unrecorded: Unrecorded, heard: Heard) -> None:
    """
    Let *heard* take what was left.
    """
    await unrecorded.bring_in(cast("SharedLedger", heard))


async def brought_in(folder: Path, heard: Heard | None = None) -> list[LateRecord]:
    """
    What another process finds in *folder*.
    """
    heard = heard or Heard()
    with Unrecorded(folder) as other:
        await bring_in(other, heard)
    return heard.records


def same(record: LateRecord) -> LateRecord:
    """
    *record*.
    """
    return record


def kept(unrecorded: Unrecorded, number: int) -> int:
    """
    Let a batch of that *number* be kept while it is tried to record it.
    """
    at = unrecorded.begin(partial(record, number))
    unrecorded.keep(at)
    return at


def left(unrecorded: Unrecorded, number: int) -> int:
    """
    Let nobody try to record it any more.
    """
    at = unrecorded.begin(partial(record, number))
    unrecorded.leave(at)
    return at


def leave(folder: Path, *records: LateRecord) -> Path:
    """
    Let a process end that could not record them.
    """
    with Unrecorded(folder) as unrecorded:
        for each in records:
            unrecorded.leave(unrecorded.begin(partial(same, each)))
    [path] = folder.iterdir()
    return path


def write(path: Path, data: bytes) -> None:
    """
    Let a file hold *data*.
    """
    path.write_bytes(data)


def files(folder: Path) -> list[Path]:
    """
    What is in *folder*.
    """
    return sorted(folder.iterdir())


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """
    No file can grow beyond *size*.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, heard)


# The record


@given(late_records())
def test_a_late_record_is_written_as_it_is(late: LateRecord) -> None:
    """
    Nothing of it is lost.
    """
    line = msgspec.json.encode(pack_late(late))

    assert late == unpack_late(msgspec.json.decode(line, type=PackedLateRecord))
    assert b"\n" not in line


def test_a_late_record_holds_no_number() -> None:
    """
    Also where the API's words do.
    """
    words = f"no such subscriber {PEOPLE[0]}"
    late = record(0, Verdict(Outcome.REJECTED, "7100", words), ACCEPTED)
    found = [each.description for each in (late.verdict, *late.exceptions.values())]

    assert {mask_numbers(words), "Queued"} == set(found)


def test_who_was_to_be_tried_again_was_not_sent() -> None:
    """
    Unless that may be in doubt.
    """
    batch = batch_of(MESSAGE, f"{TAG}-0", PEOPLE[:1])
    claimed = Claimed("host:1:1-:2", [0])
    found = [
        LateRecord.of(claimed, BatchResult(batch, AGAIN), resends=resends).verdict
        for resends in (False, True)
    ]

    assert [Outcome.NOT_SENT, Outcome.PENDING] == [each.outcome for each in found]
    assert "7006" == found[0].code


# The file


async def test_what_is_left_is_found_by_the_next(tmp_path: Path) -> None:
    """
    Only this user may read it, and it is deleted then.
    """
    folder = tmp_path / "voicepush" / "answers"
    path = leave(folder, record(1), record(2, ACCEPTED, REJECTED))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (folder, path)]
    written = path.read_text()

    assert [0o700, 0o600] == modes
    assert not [number for number in PEOPLE if number[1:] in written]
    assert [record(1), record(2, ACCEPTED, REJECTED)] == await brought_in(folder)
    assert [] == files(folder)


async def test_what_is_recorded_is_not_found(tmp_path: Path) -> None:
    """
    A file in which nothing else stands is deleted by its process.
    """
    with Unrecorded(tmp_path) as unrecorded:
        for number in (1, 2):
            kept(unrecorded, number)
        unrecorded.recorded(1)
        [path] = files(tmp_path)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        unrecorded.recorded(2)
        kept(unrecorded, 3)
        unrecorded.recorded(3)

    assert [1, 2, 1] == [line["at"] for line in lines]
    assert [] == files(tmp_path)


async def test_the_file_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    """
    It records by itself.
    """
    with Unrecorded(tmp_path) as living:
        left(living, 1)
        found = await brought_in(tmp_path)
        heard = Heard()
        await bring_in(living, heard)

        assert [] == found
        assert [record(1)] == heard.records
        assert not living.is_any_left


async def test_what_waits_at_the_end_is_kept(tmp_path: Path) -> None:
    """
    Whoever tries to record it may not come to say so, nor that it is done.
    """
    with Unrecorded(tmp_path) as unrecorded:
        at = unrecorded.begin(partial(record, 1))
    unrecorded.leave(at)
    unrecorded.recorded(at)

    assert [record(1)] == await brought_in(tmp_path)


async def test_a_torn_last_line(tmp_path: Path) -> None:
    """
    Its process ended before it was kept; the others are recorded.
    """
    path = leave(tmp_path, record(1), record(2))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in (first, first + 1, len(whole) - 20, len(whole) - 1):
        path.write_bytes(whole[:end])

        assert [record(1)] == await brought_in(tmp_path)
        assert [] == files(tmp_path)


@given(st.binary(max_size=200))
async def test_a_file_that_someone_else_wrote(data: bytes) -> None:
    """
    It does no harm.
    """
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "any.unrecorded"), data)

        assert [] == await brought_in(Path(folder))


async def test_lines_that_cannot_be_read(tmp_path: Path) -> None:
    """
    The file stays, and its owner is told.
    """
    path = leave(tmp_path, record(1), record(2))
    path.write_bytes(b'{"at": 7, "record": 3}\n' + path.read_bytes())
    told: list[str] = []
    heard = Heard()
    with Unrecorded(tmp_path, told.append) as other:
        await bring_in(other, heard)

    assert [record(1), record(2)] == heard.records
    assert [path] == files(tmp_path)
    assert [f"{path} holds lines that can't be read, and is left there"] == told[:1]
    assert [] == await brought_in(tmp_path)


@pytest.mark.parametrize("fate", [Fate.UNDER_WAY, Fate.NOT_HERE])
async def test_what_the_ledger_does_not_take(tmp_path: Path, fate: Fate) -> None:
    """
    It is kept for later, or for another ledger.
    """
    leave(tmp_path, record(1))
    told: list[str] = []
    with Unrecorded(tmp_path, told.append) as other:
        await bring_in(other, Heard(fate=fate))

    assert [] == told
    assert [record(1)] == await brought_in(tmp_path)


async def test_a_ledger_that_is_gone_again(tmp_path: Path) -> None:
    """
    What it did not take is kept.
    """
    leave(tmp_path, record(1))
    with Unrecorded(tmp_path) as other, pytest.raises(LedgerError):
        await bring_in(other, Heard(is_gone=True))

    assert [record(1)] == await brought_in(tmp_path)


async def test_what_was_brought_in_is_told(tmp_path: Path) -> None:
    """
    In one line.
    """
    leave(tmp_path, record(1), record(2, ACCEPTED, REJECTED))
    told: list[str] = []
    with Unrecorded(tmp_path, told.append) as other:
        await bring_in(other, Heard())
        await bring_in(other, Heard())

    words = (
        "recorded now: the answers to 2 requests, with 3 destinations, that the "
        "database could not take when they came"
    )

    assert [words] == told


# What can't be written


@pytest.mark.parametrize("folder", ["taken", "taken/below", None])
async def test_a_folder_that_cannot_be_used(tmp_path: Path, folder: str | None) -> None:
    """
    That is told once, and what is left is recorded from memory.
    """
    (tmp_path / "taken").touch()
    told: list[str] = []
    heard = Heard()
    where = None if folder is None else tmp_path / folder
    with Unrecorded(where, told.append) as unrecorded:
        for number in (1, 2):
            left(unrecorded, number)
        told_at_first = len(told)
        await bring_in(unrecorded, heard)

    assert [record(1), record(2)] == heard.records
    assert (0 if folder is None else 1) == told_at_first


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """
    What was kept before is found, and nothing that is recorded already.
    """
    told: list[str] = []
    with Unrecorded(tmp_path, told.append) as unrecorded:
        for number in (1, 2):
            kept(unrecorded, number)
        [path] = files(tmp_path)
        with full_disk(path.stat().st_size + 10):
            left(unrecorded, 3)
            left(unrecorded, 4)
            unrecorded.recorded(1)

    assert ["what is answered can't be kept"] == [line[:30] for line in told[:1]]
    assert [record(2)] == await brought_in(tmp_path)

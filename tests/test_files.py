"""
Files and streams: bytes, encodings, digests, and what errors say.
"""

from __future__ import annotations

import encodings
import encodings.aliases
import gzip
import hashlib
import io
import json
import os
import pkgutil
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import ANN, SMALL, flat, read

from voicepush.errors import InputError, SourceError
from voicepush.sources.files import read_file, read_stream
from voicepush.sources.opening import digest_of


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]
)
def test_byte_order_marks(encoding: str) -> None:
    """
    A byte order mark tells the encoding and is no part of the header.
    """
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = f"{mark}msisdn,name\n{ANN},Zoë\n".encode(encoding)

    assert [(2, ANN)] == read(content)


def test_given_encoding() -> None:
    """
    The encoding that is given is used.
    """
    content = f"name,msisdn\nZoë,{ANN}\n".encode("cp1252")

    assert [(2, ANN)] == read(content, encoding="cp1252")


@given(st.binary(max_size=200), st.sampled_from(["", "x.csv", "x.jsonl", "x.gz"]))
def test_never_fails_otherwise(content: bytes, name: str) -> None:
    """
    Whatever the bytes, they are read or refused with a `SourceError`.
    """
    with suppress(SourceError):
        read(content, name=name)


def test_gzip() -> None:
    """
    Text files may be compressed; their inner ending tells the format.
    """
    assert [(1, ANN)] == read(gzip.compress(f"{ANN}\n".encode()), name="list.csv.gz")
    content = gzip.compress(json.dumps({"msisdn": ANN}).encode())
    assert [(1, ANN)] == read(content, name="list.jsonl.GZ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"msisdn\r\n1\r\n\xff\r\n",
            "june.csv, row 3: is not utf-8; say which encoding it is with --encoding",
        ),
        (b"msisdn\n1\n\xc3", "june.csv, row 3: is not utf-8"),
        (b"msisdn\n1\n2\0\n", "june.csv, row 3: holds a NUL character"),
        (b'msisdn,a\n1,b\n2,"c\n3,d\n4,e\n', "june.csv, row 3: a quoted cell begins"),
        (b'msisdn,"a\n1,b\n', "june.csv, row 1: a quoted cell begins"),
        (b"\xff\xfem\0s\0\n\0\0\xd8", "june.csv, row 2: is not utf-16-le"),
    ],
)
def test_unreadable_content(content: bytes, words: str) -> None:
    """
    An error names the file and the row and says in one sentence what to do.
    """
    with pytest.raises(SourceError) as caught:
        read(content, name="june.csv")

    assert str(caught.value).startswith(words)


def test_row_of_a_wrong_byte_in_a_later_chunk() -> None:
    """
    The row of a wrong byte is counted through all chunks.
    """
    with pytest.raises(SourceError) as caught:
        read(b"447700900101\n" * 20 + b"\xff\n", chunk_bytes=SMALL)

    assert 21 == caught.value.row


def test_line_without_end() -> None:
    """
    A file that is one endless line is refused instead of filling the memory.
    """
    with pytest.raises(SourceError, match="row 2: the line does not end"):
        read("msisdn\n" + "1" * (1 << 21))


ODD_ENCODINGS = [
    *("nonsense", "base64", "undefined", "punycode", "utf-7", "UTF7", "idna"),
    *("unicode_escape", "raw-unicode-escape", "rot13", "a\0b", "\ud800", "x" * 5000),
]


@pytest.mark.parametrize("encoding", ODD_ENCODINGS)
def test_unknown_encoding(encoding: str) -> None:
    """
    An encoding that is none of a list is refused.
    """
    with pytest.raises(InputError, match=r"the encoding '.*' is not known"):
        read(ANN, encoding=encoding)


CODECS = sorted(
    {module.name for module in pkgutil.iter_modules(encodings.__path__)}
    | set(encodings.aliases.aliases)
)


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_of_python(codec: str) -> None:
    """
    Each codec of Python's either reads a list or is refused in one sentence.
    """
    text = "msisdn,name\n+447700900101,Ann\n"
    try:
        content = text.encode(codec)
    except (LookupError, ValueError, TypeError, OSError):
        content = text.encode()
    with suppress(InputError):
        assert [(2, "+447700900101")] == read(content, encoding=codec)
    with suppress(InputError):
        read(bytes(range(1, 256)) * 2, encoding=codec)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"PK\x03\x04", "an Excel file or a zip archive; save the sheet as CSV UTF-8"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0",
            "an Excel file of the old kind; save the sheet as CSV UTF-8",
        ),
        (b"PAR1\0", "Parquet; let its name end in .parquet"),
    ],
)
@pytest.mark.parametrize("name", ["june.csv", "june.xlsx", "june", "june.jsonl"])
def test_other_kinds_of_files(start: bytes, words: str, name: str) -> None:
    """
    A file of another kind is recognised, whatever its ending.
    """
    with pytest.raises(SourceError, match=f"^{name}: is {words} and give that$"):
        read(start + b"\xff" * 500, name=name)


def test_gzip_without_its_ending() -> None:
    """
    A compressed list is recognised, also on standard input.
    """
    assert [(1, ANN)] == read(gzip.compress(f"{ANN}\n".encode()))


def test_places_that_hold_no_list(tmp_path: Path) -> None:
    """
    A folder, a loop of links and a name that can't be are refused by name.
    """
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)

    for path, words in (
        (tmp_path, "Is a directory"),
        (loop, "Too many levels of symbolic links"),
        (tmp_path / "a\0b", "embedded null byte"),
        (tmp_path / ("x" * 5000), "File name too long"),
    ):
        with pytest.raises(SourceError, match=f"can't be read: {words}"):
            flat(read_file(path))
        with pytest.raises(SourceError, match=f"can't be read: {words}"):
            digest_of(path)


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without a standard input the error says so.
    """
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(SourceError, match="standard input: is closed"):
        flat(read_file("-"))


def digest(content: bytes) -> str:
    """
    The SHA-256 of *content*.
    """
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f"x,msisdn\n1,{ANN}\n".encode() * 20_000),
        ("a.csv.gz", gzip.compress(f"{ANN}\n".encode(), mtime=0) * 2),
        ("a.jsonl", f'"{ANN}"\n'.encode()),
        ("a.txt", b""),
        ("a.txt", b"\n" * 100),
    ],
)
def test_digest(tmp_path: Path, name: str, content: bytes) -> None:
    """
    After its end a source knows the digest of the raw bytes, the size and the time.
    """
    path = tmp_path / name
    path.write_bytes(content)

    source = read_file(path)
    flat(source)

    assert digest(content) == source.digest == digest_of(path)
    assert (str(path), len(content)) == (source.name, source.size)
    assert path.stat().st_mtime_ns == source.modified_ns


def test_no_digest_before_the_end(tmp_path: Path) -> None:
    """
    A list that was left early, or that can't be read, has no digest.
    """
    path = tmp_path / "june.csv"
    path.write_bytes(b"msisdn\n" + b"+447700900101\n" * 20_000 + b"\xff\n")

    left = read_file(path)
    next(left)
    left.close()
    broken = read_file(path)
    with pytest.raises(SourceError, match="row 20002: is not utf-8"):
        flat(broken)

    assert left.digest is None
    assert broken.digest is None
    assert [] == list(left)


def test_digest_of_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Standard input has a digest, and neither size nor time.
    """
    content = f"{ANN}\n".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    source = read_file("-")
    flat(source)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    assert digest(content) == source.digest == digest_of("-")
    assert ("standard input", None, None) == (
        source.name,
        source.size,
        source.modified_ns,
    )


def test_pipe(tmp_path: Path) -> None:
    """
    A named pipe is read as a file is, and has neither size nor time.
    """
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = f"msisdn\n{ANN}\n".encode()
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()

    source = read_file(path)
    found = flat(source)
    writer.join()

    assert [(2, ANN)] == found
    assert digest(content) == source.digest
    assert (None, None) == (source.size, source.modified_ns)


class Slowly(io.BytesIO):
    """
    A pipe that brings a line at a time.
    """

    def read(self, _: int | None = -1, /) -> bytes:
        """
        The next line, however much was asked for.
        """
        return self.readline()


def test_a_pipe_that_begins_with_blank_lines() -> None:
    """
    The format is told by what follows them, as in a file.
    """
    content = f'\n  \n{{"msisdn": "{ANN}"}}\n'.encode()

    assert [(3, ANN)] == flat(read_stream(Slowly(content)))
    assert [(3, ANN)] == flat(read_stream(io.BytesIO(content)))
    assert [] == flat(read_stream(Slowly(b"\n\n")))


def open_files() -> int:
    """
    How many files this process has open.
    """
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    """
    A list that is left, closed or forgotten keeps no file open.
    """
    path = tmp_path / "june.csv"
    path.write_bytes(f"{ANN}\n".encode() * 20_000)
    before = open_files()

    with read_file(path) as source:
        next(source)
        assert before + 1 == open_files()
    assert before == open_files()

    closed = read_file(path)
    next(closed)
    closed.close()
    assert before == open_files()

    for _ in read_file(path):
        break
    assert before == open_files()


def test_list_file_hides_what_it_holds() -> None:
    """
    A source shows its name only.
    """
    source = read_stream(io.BytesIO(ANN.encode()), name="june.csv")

    assert "<voicepush.ListFile june.csv>" == repr(source)

"""
Parquet files: what is read, and what they say when they can't be.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from reading import ANN, BEN, CAT, flat, parquet

from voicepush.errors import InputError, SourceError
from voicepush.model.recipients import Destination
from voicepush.sources.blocks import Malformed
from voicepush.sources.entries import BAD_CORRELATION_ID, BAD_VALUES
from voicepush.sources.files import read_file
from voicepush.sources.opening import digest_of


def test_parquet(tmp_path: Path) -> None:
    """
    Parquet may hold numbers as texts, integers or lists; rows are records.
    """
    texts = parquet(tmp_path / "a.parquet", name=["a", "b"], Phone=[ANN, None])
    integers = parquet(tmp_path / "b.parquet", msisdn=[int(ANN), int(BEN)])
    lists = parquet(tmp_path / "c.parquet", msisdn=[[ANN, BEN], [CAT]])

    assert [(1, ANN), (2, "")] == flat(read_file(texts))
    assert [(1, ANN), (2, BEN)] == flat(read_file(integers))
    assert [(1, Destination([ANN, BEN])), (2, CAT)] == flat(read_file(lists))


def test_parquet_with_correlation_ids(tmp_path: Path) -> None:
    """
    Correlation ids are taken from Parquet as they are from text.
    """
    path = parquet(tmp_path / "a.parquet", correlationid=["x"], msisdn=[ANN])

    assert [(1, Destination(ANN, correlation_id="x"))] == flat(read_file(path))


def test_broken_parquet(tmp_path: Path) -> None:
    """
    A file that is no Parquet is refused by name.
    """
    pytest.importorskip("pyarrow")
    path = tmp_path / "june.parquet"
    path.write_bytes(b"PAR1 and no more")

    with pytest.raises(SourceError, match=r"june.parquet: can't be read: "):
        flat(read_file(path))


def test_parquet_needs_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without pyarrow the error says what to install.
    """
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)

    with pytest.raises(InputError, match=r"pip install 'voicepush\[parquet\]'"):
        flat(read_file(tmp_path / "a.parquet"))


def test_digest_of_parquet(tmp_path: Path) -> None:
    """
    Parquet has its digest, too.
    """
    path = parquet(tmp_path / "a.parquet", x=["a"], Phone=[ANN])

    source = read_file(path)

    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    assert [(1, ANN)] == flat(source)
    assert digest == source.digest == digest_of(path)
    assert path.stat().st_size == source.size
    assert 'column 2 ("Phone")' == source.column


def test_exceptions_in_parquet(tmp_path: Path) -> None:
    """
    Integers, nulls and floats in Parquet follow the rules of all lists.
    """
    ids = parquet(
        tmp_path / "a.parquet",
        msisdn=[int(ANN), None, int(CAT)],
        correlationid=["a", "b", "x" * 51],
    )
    floats = parquet(tmp_path / "b.parquet", msisdn=[float(ANN), None])
    customers = parquet(
        tmp_path / "c.parquet", custid=["c", "'=d"], correlationid=[7, 8]
    )

    assert [
        (1, Destination(ANN, correlation_id="a")),
        (2, ""),
        (3, Malformed(3, CAT, BAD_CORRELATION_ID)),
    ] == flat(read_file(ids))
    assert [(1, f"{ANN}.0"), (2, "")] == flat(read_file(floats))
    assert [
        (1, Destination(customer_id="c", correlation_id="7")),
        (2, Destination(customer_id="=d", correlation_id="8")),
    ] == flat(read_file(customers))


def test_bytes_in_parquet(tmp_path: Path) -> None:
    """
    Bytes are no texts, and what claims to be text must be UTF-8.
    """
    pyarrow = pytest.importorskip("pyarrow")
    path = parquet(tmp_path / "a.parquet", msisdn=[b"1"])
    odd = pyarrow.array([b"\xff"]).view(pyarrow.string())
    broken = parquet(tmp_path / "b.parquet", msisdn=odd)

    assert [(1, Malformed(1, "b'1'", BAD_VALUES))] == flat(read_file(path))
    with pytest.raises(SourceError, match=r"b.parquet: can't be read: .*utf-8"):
        flat(read_file(broken))


def test_parquet_without_rows(tmp_path: Path) -> None:
    """
    A Parquet file without rows gives no block.
    """
    assert [] == flat(read_file(parquet(tmp_path / "a.parquet", msisdn=[])))


def test_parquet_without_a_known_column(tmp_path: Path) -> None:
    """
    Where no header of Parquet is known, the error lists those that there are.
    """
    path = parquet(tmp_path / "a.parquet", a=["1"], b=["2"])

    with pytest.raises(
        SourceError, match="can't tell which column holds the numbers; t"
    ):
        flat(read_file(path))

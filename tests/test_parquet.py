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

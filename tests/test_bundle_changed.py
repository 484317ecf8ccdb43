"""
A bundle that was changed in any way is found out.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from bundles import (
    busy,
    chained,
    checked,
    files_in,
    forged,
    made,
    manifest_of,
    written,
)
from campaigns_made import make
from hypothesis import given
from hypothesis import strategies as st
from mishaps import say

from voicepush import InputError, open_ledger
from voicepush.report.bundle.contents import ALWAYS, DIGESTS
from voicepush.report.bundle.verifying import check

#: All that the bundle of these tests holds.
EVERY = (*ALWAYS, "rejects.csv", "list.csv", DIGESTS)


def _swapped(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([*lines[:-2], lines[-1], lines[-2]]) if lines[1:] else b"?"


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte more": lambda content: content + b"\n",
    "a byte before": lambda content: b" " + content,
    "the last byte less": lambda content: content[:-1],
    "the first byte less": lambda content: content[1:],
    "nothing left": lambda _: b"",
    "a bit of the first byte": lambda content: bytes([content[0] ^ 1]) + content[1:],
    "a digit": lambda content: content.translate(bytes.maketrans(b"01", b"10")),
    "ends of lines": lambda content: content.replace(b"\n", b"\r\n"),
    "small letters": lambda content: content.replace(b"a", b"A"),
    "two lines swapped": _swapped,
    "a line less": lambda content: b"\n".join(content.split(b"\n")[:-2]) + b"\n",
    "a line twice": lambda content: content + content.splitlines(keepends=True)[-1],
    "no text": lambda content: content[:7] + b"\xff\x00" + content[7:],
}


@pytest.mark.slow
def test_the_bundle_as_it_was_made() -> None:
    """
    Nothing is found in a bundle that was not changed.
    """
    files = busy()

    found = checked(files)

    assert EVERY == tuple(files)
    assert [] == found.faults
    assert "june" == found.campaign
    assert files[DIGESTS].decode().split()[-1] == found.digest
    assert manifest_of(files)["counts"]["rows"] == found.people


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", EVERY)
def test_each_file_with_each_change(name: str, change: str) -> None:
    """
    Whatever is done to whichever file, the fault names it, or what it does not fit.
    """
    content = CHANGES[change](busy()[name])

    found = checked({**busy(), name: content})

    assert content != busy()[name]
    assert any(name in fault or "broken" in fault for fault in found.faults)


@pytest.mark.parametrize("name", EVERY)
def test_a_file_less(name: str) -> None:
    """
    A file that was taken out is told of as missing.
    """
    found = checked({each: busy()[each] for each in EVERY if each != name})

    assert f"{name} is missing" in found.faults


@pytest.mark.parametrize("name", ["more.csv", ".hidden", "calls.csv.bak", "README"])
def test_a_file_more(name: str) -> None:
    """
    A file that was put beside is told of.
    """
    found = checked({**busy(), name: b""})

    assert [f"{name} is not of this bundle"] == found.faults


@pytest.mark.parametrize("name", EVERY)
def test_a_file_under_another_name(name: str) -> None:
    """
    A file that was renamed is missing under one name, and too many under the other.
    """
    files = busy()
    renamed = {f"x{each}" if each == name else each: files[each] for each in EVERY}

    found = checked(renamed)

    assert f"{name} is missing" in found.faults
    assert name == DIGESTS or f"x{name} is not of this bundle" in found.faults


def test_what_is_no_plain_file(tmp_path: Path) -> None:
    """
    A link and a folder are told of, also where their content would be right.
    """
    bundle = written(busy(), tmp_path / "bundle")
    (bundle / "calls.csv").rename(tmp_path / "calls.csv")
    (bundle / "calls.csv").symlink_to(tmp_path / "calls.csv")
    (bundle / "more").mkdir()

    found = check(bundle).faults

    assert "calls.csv is no plain file" in found
    assert "more is no plain file" in found
    assert "more is not of this bundle" in found


@given(data=st.data())
def test_any_byte_of_any_file(data: st.DataObject) -> None:
    """
    No byte of any file can be another without being found out.
    """
    files = busy()
    name = data.draw(st.sampled_from(EVERY))
    content = bytearray(files[name])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))

    found = checked({**files, name: bytes(content)})

    assert [] != found.faults


@given(data=st.data())
def test_any_order_of_the_digests(data: st.DataObject) -> None:
    """
    Lines of the digests in another order, or fewer or more of them, are found out.
    """
    files = busy()
    lines = files[DIGESTS].splitlines(keepends=True)
    other = data.draw(st.lists(st.sampled_from(lines), max_size=len(lines) + 1))

    found = checked({**files, DIGESTS: b"".join(other)})

    assert (other == lines) == (found.faults == [])


@given(order=st.permutations(EVERY[:-1]))
def test_another_order_with_right_digests(order: list[str]) -> None:
    """
    Files that were chained again in another order are found out by the manifest.
    """
    files = busy()

    found = checked(chained({name: files[name] for name in order}))

    assert (tuple(order) == EVERY[:-1]) == (found.faults == [])


@pytest.mark.parametrize("name", EVERY[:-1])
def test_a_file_less_with_right_digests(name: str) -> None:
    """
    A file that was taken out with its digest is found out by the manifest.
    """
    found = checked(chained({each: busy()[each] for each in EVERY if each != name}))

    assert [] != found.faults


def test_a_file_more_with_right_digests() -> None:
    """
    So is one that was added with a digest.
    """
    found = checked(chained({**busy(), "more.csv": b""}))

    assert [
        "digests.txt does not name the files that manifest.json does, in its order"
    ] == found.faults


def _without_last_line(content: bytes) -> bytes:
    return b"".join(content.splitlines(keepends=True)[:-1])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("calls.csv", _without_last_line, "calls.csv has 2"),
        (
            "calls.csv",
            lambda content: content.replace(b",accepted,", b",rejected,", 1),
            "rejected, and manifest.json says",
        ),
        (
            "calls.csv",
            lambda content: content.replace(b",reached,", b",dropped,", 1),
            "calls dropped, and manifest.json says",
        ),
        ("calls.csv", lambda _: b"", "not the columns"),
        ("calls.csv", lambda content: content + b"1,2\n", "not the columns"),
        ("receipts.jsonl", _without_last_line, "receipts.jsonl has"),
        ("suppression.csv", _without_last_line, "suppression.csv has 2 rows"),
        ("suppression.csv", lambda _: b"x\n", "suppression.csv has -1 rows"),
        ("suppression-history.jsonl", lambda _: b"", "suppression-history.jsonl has 0"),
        ("history.jsonl", _without_last_line, "history.jsonl has"),
        ("list.csv", _without_last_line, "list.csv is not the list that was planned"),
        ("manifest.json", lambda _: b"[]", "manifest.json is no JSON object"),
        ("manifest.json", lambda _: b"{}", "is not that of a bundle"),
        (
            "manifest.json",
            lambda content: content.replace(b'version": 1', b'version": 2'),
            "it has format version 2, and this voicepush knows 1",
        ),
    ],
)
def test_parts_that_do_not_agree(
    name: str, change: Callable[[bytes], bytes], words: str
) -> None:
    """
    A file that was changed with right digests is found out where others count it.
    """
    found = checked(forged(busy(), name, change))

    assert any(words in fault for fault in found.faults), found.faults


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("counts", "planned"), 7, "the planned of manifest.json are 7"),
        (("counts", "read"), 7, "the read of manifest.json are 7"),
        (("counts", "accepted"), 7, "accepted, and manifest.json says 7"),
        (("counts", "accepted"), "many", "not the counts"),
        (("counts",), None, "not the counts"),
        (("sums",), [], "the sums in manifest.json are not those of its counts"),
        (("receipts",), None, "and manifest.json says None"),
        (("calls", "reached"), 0, "calls reached, and manifest.json says 0"),
    ],
)
def test_a_manifest_that_contradicts(
    path: tuple[str, ...], value: object, words: str
) -> None:
    """
    Counts that do not add up, or are not those of the rows, are told of.
    """
    manifest = manifest_of(busy())
    place = manifest
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    packed = json.dumps(manifest).encode()

    found = checked(forged(busy(), "manifest.json", lambda _: packed))

    assert any(words in fault for fault in found.faults), found.faults


@pytest.fixture(scope="module")
def ledger_with_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder with a ledger and a zip of its campaign june.
    """
    folder = tmp_path_factory.mktemp("made")

    async def build() -> None:
        await make(folder / "june.db", recipients=60, size=20)
        async with open_ledger(folder / "june.db") as ledger:
            await made(ledger, folder / "june.zip")

    asyncio.run(build())
    return folder


def test_a_forgery_without_a_fault(ledger_with_bundle: Path, tmp_path: Path) -> None:
    """
    What was changed together with all digests has another last digest, which neither
    the ledger's history knows nor the owner who had noted it.
    """
    zipped, ledger = ledger_with_bundle / "june.zip", ledger_with_bundle / "june.db"
    files = files_in(zipped)
    digest = files[DIGESTS].decode().split()[-1]
    other = forged(files, "README.txt", lambda content: content + b"All is well.\n")
    bundle = str(written(other, tmp_path / "forged"))

    alone = say("evidence", "--verify", bundle)
    by_ledger = say("evidence", "--verify", bundle, "--ledger", str(ledger))
    by_digest = say("evidence", "--verify", bundle, "--digest", digest)
    honest = [
        say("evidence", "--verify", str(zipped), *options).code
        for options in (
            ("--ledger", str(ledger)),
            ("--digest", digest),
            ("--digest", f" {digest.upper()}\n", "--ledger", str(ledger)),
        )
    ]

    assert 0 == alone.code
    assert "known only from the last digest" in alone.err
    assert 1 == by_ledger.code
    assert "knows no bundle with this last digest; it knows 1 others" in by_ledger.out
    assert 1 == by_digest.code
    assert "not the one that was given with --digest" in by_digest.out
    assert [0, 0, 0] == honest


@given(data=st.data())
def test_any_byte_of_a_zip(ledger_with_bundle: Path, data: st.DataObject) -> None:
    """
    Whatever byte of a zip is another: it is found out, or no file in it has changed.
    """
    content = bytearray((ledger_with_bundle / "june.zip").read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    changed = ledger_with_bundle / "changed.zip"
    changed.write_bytes(content)

    try:
        faults = check(changed).faults
    except InputError:
        return

    assert faults or files_in(changed) == files_in(ledger_with_bundle / "june.zip")


def test_cut_off_zips(ledger_with_bundle: Path) -> None:
    """
    A zip of which some is missing is refused, wherever it was cut.
    """
    content = (ledger_with_bundle / "june.zip").read_bytes()
    cut = ledger_with_bundle / "cut.zip"
    for end in range(0, len(content), max(1, len(content) // 50)):
        cut.write_bytes(content[:end])

        with pytest.raises(InputError, match="neither a folder nor a whole zip"):
            check(cut)


def _rezipped(
    source: Path, target: Path, add: Callable[[zipfile.ZipFile], None]
) -> Path:
    shutil.copy(source, target)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        add(archive)
    return target


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("add", "words"),
    [
        (lambda archive: archive.writestr("calls.csv", "x"), "two files of the same"),
        (lambda archive: archive.writestr("../up", "x"), "../up is not of this bundle"),
        (lambda archive: archive.mkdir("more"), "more/ is not of this bundle"),
        (lambda archive: setattr(archive, "comment", b"x"), "the zip has a comment"),
        (
            lambda archive: archive.writestr("x", "x", zipfile.ZIP_LZMA),
            "x is stored in the zip otherwise",
        ),
    ],
)
def test_what_was_added_to_a_zip(
    ledger_with_bundle: Path,
    tmp_path: Path,
    add: Callable[[zipfile.ZipFile], None],
    words: str,
) -> None:
    """
    A second file of a name, other files and folders, and a comment are told of.
    """
    zipped = _rezipped(ledger_with_bundle / "june.zip", tmp_path / "more.zip", add)

    found = check(zipped).faults

    assert any(words in fault for fault in found), found


def test_a_zip_that_was_made_anew(ledger_with_bundle: Path, tmp_path: Path) -> None:
    """
    The same files in a zip of another program are told of; unpacked, they are whole.
    """
    files = files_in(ledger_with_bundle / "june.zip")
    anew = tmp_path / "anew.zip"
    with zipfile.ZipFile(anew, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in files.items():
            archive.writestr(name, content)

    found = check(anew).faults

    assert any("stored in the zip otherwise" in fault for fault in found)
    assert [] == checked(files).faults


def test_unreadable_bundles(tmp_path: Path) -> None:
    """
    What is not there, or is no bundle, is wrong use and no fault of a bundle.
    """
    (tmp_path / "text").write_text("no zip\n")

    for name, words in (("none", "can't be read"), ("text", "neither a folder nor")):
        with pytest.raises(InputError, match=words):
            check(tmp_path / name)
    assert 2 == say("evidence", "--verify", str(tmp_path / "none")).code

"""
A bundle is checked: every file, the chain, and whether its parts agree.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import attrs
import msgspec

from voicepush.model.outcome import Outcome
from voicepush.report.bundle.chain import Link, last_of, linked, parsed
from voicepush.report.bundle.contents import (
    ALWAYS,
    CALL_COLUMNS,
    CALLS,
    DIGESTS,
    FORMAT,
    FORMAT_VERSION,
    HISTORY,
    MANIFEST,
    RECEIPTS,
    SUPPRESSION,
    SUPPRESSION_COLUMNS,
    SUPPRESSION_HISTORY,
)
from voicepush.report.bundle.manifest import LEFT_OUT, PARTS, sums_in
from voicepush.report.bundle.opening import UNREADABLE, OpenBundle, opened_bundle

_CHUNK_BYTES = 2**20

#: No manifest, and no file of digests, is larger.
_MOST_BYTES = 2**24

#: So long may a cell be.
_MOST_CELL = 2**27

_T = TypeVar("_T")

_LAST_OF_CALLS = CALL_COLUMNS.index("call")
_OUTCOME = CALL_COLUMNS.index("outcome")


@attrs.frozen(kw_only=True)
class Checked:
    """
    What was found out about a bundle.
    """

    #: What is wrong with it, a sentence each.
    faults: list[str]
    #: The last of its chain, where there is one.
    digest: str | None = None
    #: What its manifest says, where that can be read.
    campaign: str | None = None
    people: int | None = None


def check(path: Path) -> Checked:
    """
    Check the bundle at *path*: what it holds must be what was written.

    Raises:
        InputError: There is none that can be read.
    """
    with opened_bundle(path) as bundle:
        return _Check(bundle).check()


class _Check:
    """
    The check of one bundle.
    """

    def __init__(self, bundle: OpenBundle) -> None:
        self._bundle = bundle
        self._faults = list(bundle.faults)

    def check(self) -> Checked:
        links = self._links()
        if links is None:
            return Checked(faults=self._faults)
        self._check_chain(links)
        self._check_names(links)
        for link in links:
            found = self._read(link.name, _digest_of)
            if found is not None and found != link.digest:
                self._fault(f"{link.name} was changed: its SHA-256 is another one")
        manifest = self._manifest()
        people = None
        if manifest is not None:
            self._check_list(manifest, links)
            people = self._check_sums(manifest)
        return Checked(
            faults=self._faults,
            digest=last_of(links),
            campaign=None if manifest is None else str(manifest.get("campaign")),
            people=people,
        )

    def _fault(self, words: str) -> None:
        self._faults.append(words)

    def _read(self, name: str, work: Callable[[Any], _T]) -> _T | None:
        """
        What *work* makes of the file called *name*; None where it can't be read.
        """
        with ExitStack() as stack:
            try:
                file = stack.enter_context(self._bundle.open(name))
                return work(file)
            except KeyError:
                if name == DIGESTS:
                    self._fault(f"{name} is missing")
            except UNREADABLE as error:
                # Once is enough for a file that is read twice.
                words = f"{name} can't be read: {error}"
                if not any(each.startswith(f"{name} can't") for each in self._faults):
                    self._fault(words)
        return None

    # The chain.

    def _links(self) -> list[Link] | None:
        raw = self._read(DIGESTS, lambda file: file.read(_MOST_BYTES + 1))
        if raw is None:
            return None
        links = parsed(raw.decode("ascii", "replace"))
        if links is None:
            self._fault(f"{DIGESTS} is not written as voicepush does")
        return links

    def _check_chain(self, links: list[Link]) -> None:
        whole = linked((each.name, each.digest) for each in links)
        for kept, right in zip(links, whole, strict=True):
            if kept.chain != right.chain:
                self._fault(f"the chain of digests is broken at {kept.name}")
                break

    def _check_names(self, links: list[Link]) -> None:
        listed = Counter(each.name for each in links)
        there = set(self._bundle.names()) - {DIGESTS}
        self._faults += [
            f"{name} stands in {DIGESTS} more than once"
            for name, number in listed.items()
            if number > 1
        ]
        self._faults += [f"{name} is missing" for name in listed if name not in there]
        self._faults += [
            f"{name} is not in {DIGESTS}, as it is in every bundle"
            for name in ALWAYS
            if name not in listed
        ]
        self._faults += [
            f"{name} is not of this bundle" for name in sorted(there - set(listed))
        ]

    # What the files say.

    def _manifest(self) -> dict[str, Any] | None:
        raw = self._read(MANIFEST, lambda file: file.read(_MOST_BYTES + 1))
        if raw is None:
            return None
        try:
            found = msgspec.json.decode(raw, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._fault(f"{MANIFEST} is no JSON object")
            return None
        if found.get("format") != FORMAT:
            self._fault(f"{MANIFEST} is not that of a bundle")
            return None
        if found.get("format_version") != FORMAT_VERSION:
            self._fault(
                f"it has format version {found.get('format_version')}, and this "
                f"voicepush knows {FORMAT_VERSION}; check it with the one that made it"
            )
            return None
        return found

    def _check_list(self, manifest: Mapping[str, Any], links: list[Link]) -> None:
        names = [each.name for each in links]
        if manifest.get("files") != names or names[: len(ALWAYS)] != list(ALWAYS):
            self._fault(
                f"{DIGESTS} does not name the files that {MANIFEST} does, in its order"
            )
        source = manifest.get("source") or {}
        digests = {each.name: each.digest for each in links}
        if source.get("file") and digests.get(source["file"]) != source.get("sha256"):
            self._fault(f"{source['file']} is not the list that was planned")

    def _check_sums(self, manifest: Mapping[str, Any]) -> int | None:
        counts = _counts_in(manifest)
        if counts is None:
            self._fault(f"{MANIFEST} has not the counts that it should have")
            return None
        self._check_equal("planned", counts["planned"], _sum(counts, PARTS))
        wholes = ("planned", *LEFT_OUT)
        self._check_equal("read", counts["read"], _sum(counts, wholes))
        if manifest.get("sums") != sums_in(counts):
            self._fault(f"the sums in {MANIFEST} are not those of its counts")
        rows = self._read(CALLS, _count_calls)
        if rows is not None:
            self._check_rows(rows, counts, manifest)
        for name, expected in (
            (RECEIPTS, _number_in(manifest, "receipts", "lines")),
            (SUPPRESSION, _number_in(manifest, "suppression", "of_this_campaign")),
            (SUPPRESSION_HISTORY, _number_in(manifest, "suppression", "events")),
            (HISTORY, manifest.get("history")),
        ):
            count = _count_suppressed if name == SUPPRESSION else _count_lines
            found = self._read(name, count)
            if found is not None and found != expected:
                self._fault(f"{name} has {found} rows, and {MANIFEST} says {expected}")
        people: int = counts["rows"]
        return people

    def _check_equal(self, what: str, whole: int, parts: int) -> None:
        if whole != parts:
            self._fault(f"the {what} of {MANIFEST} are {whole}, its parts {parts}")

    def _check_rows(
        self, rows: _Rows, counts: Mapping[str, int], manifest: Mapping[str, Any]
    ) -> None:
        if not rows.is_whole:
            self._fault(f"{CALLS} has not the columns that it should have")
            return
        found = {
            "rows": rows.outcomes.total(),
            "suppressed_later": rows.outcomes[Outcome.SUPPRESSED.value],
            **{name: rows.outcomes[name] for name in PARTS},
        }
        for name, number in found.items():
            if number != counts[name]:
                self._fault(
                    f"{CALLS} has {number} {name.replace('_', ' ')}, and {MANIFEST} "
                    f"says {counts[name]}"
                )
        calls = manifest.get("calls")
        if calls is None or manifest.get("went_on_meanwhile"):
            return
        for name, number in calls.items():
            if rows.calls[name] != number:
                self._fault(
                    f"{CALLS} has {rows.calls[name]} calls {name.replace('_', ' ')}, "
                    f"and {MANIFEST} says {number}"
                )


@attrs.define
class _Rows:
    """
    What stands in calls.csv.
    """

    outcomes: Counter[str] = attrs.field(factory=Counter)
    calls: Counter[str] = attrs.field(factory=Counter)
    is_whole: bool = True


def _count_calls(file: Any) -> _Rows:
    rows = _Rows()
    reader = _csv_rows(file)
    head = next(reader, [])
    if tuple(head[: len(CALL_COLUMNS)]) != CALL_COLUMNS:
        rows.is_whole = False
        return rows
    for cells in reader:
        if len(cells) != len(head):
            rows.is_whole = False
            return rows
        rows.outcomes[cells[_OUTCOME]] += 1
        rows.calls[cells[_LAST_OF_CALLS]] += 1
    return rows


def _count_suppressed(file: Any) -> int:
    reader = _csv_rows(file)
    head = tuple(next(reader, []))
    number = sum(1 for _ in reader)
    return number if head == SUPPRESSION_COLUMNS else -1


def _csv_rows(file: Any) -> Iterator[list[str]]:
    # What was kept of a list may be longer than the module takes by itself.
    before = csv.field_size_limit(_MOST_CELL)
    try:
        yield from csv.reader(line.decode("utf-8", "replace") for line in file)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    finally:
        csv.field_size_limit(before)


def _count_lines(file: Any) -> int:
    chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
    return sum(chunk.count(b"\n") for chunk in chunks)


def _digest_of(file: Any) -> str:
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()


_COUNTS = ("read", "planned", "rows", "suppressed_later", *LEFT_OUT, *PARTS)


def _counts_in(manifest: Mapping[str, Any]) -> dict[str, int] | None:
    """
    The counts of *manifest*, if all of them are there.
    """
    counts = manifest.get("counts")
    if not isinstance(counts, dict):
        return None
    found = {
        name: counts[name] for name in _COUNTS if isinstance(counts.get(name), int)
    }
    return found if len(found) == len(_COUNTS) else None


def _sum(counts: Mapping[str, int], names: Iterable[str]) -> int:
    return sum(counts[name] for name in names)


def _number_in(manifest: Mapping[str, Any], field: str, name: str) -> object:
    found = manifest.get(field)
    return found.get(name) if isinstance(found, dict) else None

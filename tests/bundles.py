"""
Bundles of evidence as files in memory, which tests change.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from campaigns_made import make

from voicepush import open_ledger
from voicepush.campaign.proof import Made, Proof
from voicepush.ledger.protocol import Ledger
from voicepush.model.recipients import Kind
from voicepush.report.bundle.chain import as_text, linked
from voicepush.report.bundle.contents import DIGESTS
from voicepush.report.bundle.verifying import Checked, check

#: What a bundle holds, by name, in the order of its digests.
Files = dict[str, bytes]


async def made(ledger: Ledger, out: Path, campaign: str = "june", **how: Any) -> Made:
    """
    A bundle of *campaign* at *out*.
    """
    proof = Proof(campaign=campaign, out=out, version="1.2.3", **how)
    return await proof.make(ledger)


@cache
def busy() -> Files:
    """
    The bundle of a campaign with faults, receipts, and people who object.
    """
    with TemporaryDirectory() as name, chdir(name):
        asyncio.run(_make_busy(Path(name)))
        return files_in(Path(name, "bundle"))


async def _make_busy(folder: Path) -> None:
    await make(folder / "june.db", recipients=300, size=20)
    rejects = folder / "rejected.csv"
    rejects.write_text("row,recipient,kind,reason\n10,x,invalid,not a phone number\n")
    async with open_ledger(folder / "june.db") as ledger:
        people = [
            value
            async for batch in ledger.in_full("june")
            for value in batch.result.batch.recipients.values
        ]
        await ledger.suppress(
            [(Kind.MSISDN, [*people[:3], "+999000000000"])], category="no calls"
        )
        await made(ledger, folder / "bundle", rejects=rejects, with_list=True)


def files_in(bundle: Path) -> Files:
    """
    What the bundle at *bundle* holds.
    """
    if bundle.is_dir():
        names = [
            line.split()[1] for line in (bundle / DIGESTS).read_text().splitlines()
        ]
        return {name: (bundle / name).read_bytes() for name in [*names, DIGESTS]}
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(files: Files, folder: Path) -> Path:
    """
    A bundle of *files*, a folder in *folder*.
    """
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def checked(files: Files) -> Checked:
    """
    What the check of a bundle of *files* finds.
    """
    with TemporaryDirectory() as name:
        return check(written(files, Path(name, "bundle")))


def chained(files: Files) -> Files:
    """
    *files* with digests that are right for them, as a forger would make them.
    """
    links = linked(
        (name, hashlib.sha256(content).hexdigest())
        for name, content in files.items()
        if name != DIGESTS
    )
    others = {name: each for name, each in files.items() if name != DIGESTS}
    return {**others, DIGESTS: as_text(links).encode()}


def forged(files: Files, name: str, change: Callable[[bytes], bytes]) -> Files:
    """
    *files* with another content of the one called *name*, and digests that are right
    for that.
    """
    return chained({**files, name: change(files[name])})


def manifest_of(files: Files) -> dict[str, Any]:
    """
    The manifest among *files*.
    """
    found: dict[str, Any] = json.loads(files["manifest.json"])
    return found


def rows_of(files: Files, name: str = "calls.csv") -> list[dict[str, str]]:
    """
    The rows of the file called *name*.
    """
    return list(csv.DictReader(io.StringIO(files[name].decode(), newline="")))


def lines_of(files: Files, name: str) -> list[dict[str, Any]]:
    """
    The lines of JSON of the file called *name*.
    """
    return [json.loads(line) for line in files[name].decode().splitlines()]

"""
Gathers what proves what was done in a campaign, and writes it as one bundle.
"""

from __future__ import annotations

import getpass
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import attrs

from voicepush import clock
from voicepush.errors import InputError, LedgerError
from voicepush.ledger.plan import Fingerprint, Plan
from voicepush.ledger.protocol import Ledger
from voicepush.model.status import CampaignState, CampaignStatus
from voicepush.report.bundle.calls import CallRows
from voicepush.report.bundle.contents import (
    ALWAYS,
    CALLS,
    HISTORY,
    MANIFEST,
    README,
    RECEIPTS,
    REJECTS,
    SUPPRESSION,
    SUPPRESSION_HISTORY,
    list_name,
)
from voicepush.report.bundle.lines import (
    ReceiptLines,
    deeds,
    suppression_head,
    suppression_rows,
)
from voicepush.report.bundle.manifest import (
    Source,
    Suppressed,
    counts_of,
    differences,
    manifest,
    plan_as_object,
)
from voicepush.report.bundle.readme import readme
from voicepush.report.bundle.writing import Building, building
from voicepush.sources.opening import digest_of

#: What stands in a campaign's history once a bundle was made, with its last digest.
MADE = "evidence made"


class Made(NamedTuple):
    """
    A bundle that was made.
    """

    path: Path
    #: The last of its chain, which stands for all of it.
    digest: str
    #: How many people are in it.
    people: int
    #: Whether the campaign went on meanwhile.
    went_on: bool


@attrs.frozen(kw_only=True)
class Proof:
    """
    What is to be in a bundle.
    """

    campaign: str
    #: A zip if it ends in ``.zip``, else a folder.
    out: Path
    #: Which voicepush makes it.
    version: str
    #: The rows that were refused when planning, which the ledger does not keep.
    rejects: Path | None = None
    #: Whether the list itself is added.
    with_list: bool = False

    async def make(self, ledger: Ledger) -> Made:
        """
        Make it, and write its last digest into the campaign's history in *ledger*.

        Raises:
            InputError: There is no such campaign, its list is another one by now, or
                something is at that place already.
            LedgerError: The ledger can't be read, or its rows and its sums differ.
        """
        plan = await ledger.plan(self.campaign)
        if plan is None:
            raise InputError(f"there is no campaign {self.campaign!r} in this ledger")
        fingerprint = await ledger.fingerprint(self.campaign)
        with building(self.out) as bundle:
            gathered = await self._gather(ledger, bundle)
            files = list(ALWAYS)
            others: dict[str, object] = {}
            if self.rejects is not None:
                files.append(REJECTS)
                bundle.add(REJECTS, self.rejects)
                others["rejects"] = {"name": str(self.rejects)}
            source = _source(plan, fingerprint)
            if self.with_list:
                source = _add_list(source, bundle)
                files += filter(None, [source.file])
            await self._write(ledger, bundle, gathered, plan, source, files, others)
            digest = bundle.seal(files)
            # Were it the other way round, there could be a bundle of which nobody
            # knows that it was made.
            await ledger.note(self.campaign, MADE, digest)
            bundle.put()
        rows = gathered.rows
        return Made(self.out, digest, rows.number, gathered.went_on)

    async def _gather(self, ledger: Ledger, bundle: Building) -> _Gathered:
        """
        Write what is known of each person, as it is when it is read.
        """
        began, before = clock.utc_now(), await _status(ledger, self.campaign)
        deeds_before = len(await ledger.history(self.campaign))
        rows, receipts, of_this = CallRows(), ReceiptLines(), 0
        with (
            bundle.file(CALLS) as calls_file,
            bundle.file(RECEIPTS) as receipts_file,
            bundle.file(SUPPRESSION) as suppression_file,
        ):
            suppression_file.write(suppression_head())
            async for batch in ledger.in_full(self.campaign):
                calls_file.write(rows.rows(batch))
                receipts_file.write(receipts.lines(batch))
                people = batch.result.batch.recipients
                listed = await ledger.suppressed(people.kind, people.values)
                lines = suppression_rows(batch, listed)
                suppression_file.write("".join(lines))
                of_this += len(lines)
                # Others get their turn here.
                await clock.sleep(0)
        history = await ledger.history(self.campaign)
        with bundle.file(HISTORY) as file:
            file.write(deeds(history))
        events = await ledger.suppression_history()
        with bundle.file(SUPPRESSION_HISTORY) as file:
            file.write(deeds(events))
        on_the_list = 0
        async for _, values in ledger.suppressed_values():
            on_the_list += len(values)
        after = await _status(ledger, self.campaign)
        return _Gathered(
            rows=rows,
            receipts=receipts,
            suppressed=Suppressed(
                people=on_the_list, of_this_campaign=of_this, events=len(events)
            ),
            deeds=len(history),
            began=began,
            before=before,
            after=after,
            went_on=_went_on(before, after) or len(history) != deeds_before,
        )

    async def _write(
        self,
        ledger: Ledger,
        bundle: Building,
        gathered: _Gathered,
        plan: Plan,
        source: Source,
        files: list[str],
        others: dict[str, object],
    ) -> None:
        rows = gathered.rows
        counts = counts_of(rows, gathered.before)
        found = differences(counts, gathered.before)
        if found and not gathered.went_on:
            raise LedgerError(
                f"the rows of {self.campaign!r} and its sums differ: "
                f"{'; '.join(found)}; the ledger is damaged, and proves nothing"
            )
        made = {
            "began": gathered.began,
            "ended": clock.utc_now(),
            "by": _who(),
            "voicepush": self.version,
            "ledger": ledger.kept_in,
        }
        dates = (await ledger.dates())[self.campaign]
        others = {
            "rejects": None,
            **others,
            "receipts": {
                "lines": gathered.receipts.number,
                "deleted": gathered.receipts.deleted,
            },
            "suppression": attrs.asdict(gathered.suppressed),
            "history": gathered.deeds,
            "kept": rows.kept,
            "files": files,
        }
        with bundle.file(MANIFEST) as file:
            file.write(
                manifest(
                    status=gathered.before,
                    after=gathered.after,
                    went_on=gathered.went_on,
                    made=made,
                    dates=dates,
                    plan=plan_as_object(plan),
                    messages=[
                        attrs.asdict(each)
                        for each in await ledger.groups(self.campaign)
                    ],
                    source=source,
                    counts=counts,
                    others=others,
                )
            )
        with bundle.file(README) as file:
            asks = plan.asks_consent
            file.write(readme(self.campaign, files, rows.kept, asks_consent=asks))


@attrs.frozen(kw_only=True)
class _Gathered:
    """
    What was written and counted.
    """

    rows: CallRows
    receipts: ReceiptLines
    suppressed: Suppressed
    #: How many entries the campaign's history has.
    deeds: int
    began: datetime
    before: CampaignStatus
    after: CampaignStatus
    went_on: bool


async def _status(ledger: Ledger, campaign: str) -> CampaignStatus:
    status = await ledger.status(campaign)
    if status is None:
        raise LedgerError(f"the campaign {campaign!r} is gone from the ledger")
    return status


def _went_on(before: CampaignStatus, after: CampaignStatus) -> bool:
    """
    Whether something happened to a campaign, or may have, between two looks.
    """
    if CampaignState.RUNNING in (before.state, after.state):
        return True
    # How fast a worker was, and why it waits, changes nothing.
    return attrs.evolve(after, throughput=before.throughput) != before


def _source(plan: Plan, fingerprint: Fingerprint | None) -> Source:
    """
    The list of *plan*, and whether the same is still there.
    """
    sha256 = None if fingerprint is None else fingerprint.digest
    now, path = "not looked at", Path(plan.source)
    if fingerprint is not None and fingerprint.size is not None:
        try:
            now = "same" if digest_of(path) == sha256 else "another list"
        except (InputError, OSError):
            now = "gone"
    return Source(
        name=plan.source,
        sha256=sha256,
        size=None if fingerprint is None else fingerprint.size,
        now=now,
    )


def _add_list(source: Source, bundle: Building) -> Source:
    if source.now != "same":
        raise InputError(
            f"--with-list: the list is no more where it was when the campaign was "
            f"planned ({source.name}: {source.now}); bring it back, or leave "
            "--with-list out"
        )
    path = Path(source.name)
    name = list_name(path)
    if bundle.add(name, path) != source.sha256:
        raise InputError(f"--with-list: {source.name} was changed while it was read")
    return attrs.evolve(source, file=name)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a process without a name
        user = f"user {os.getuid()}"
    return f"{user} on {socket.gethostname()} (process {os.getpid()})"

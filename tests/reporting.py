"""
Sends a whole list while every call is reported, and holds the ledger against what the
simulator knows: with a real receiver beside a real dispatcher on one file.

The test suite does so with some thousands; ``python tests/reporting.py --recipients
100000 --ids own --answer each`` does it with as many as one likes, and prints what it
saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import attrs
from conftest import KEY, _in_thread
from receipt_looks import check_books, named_bodies
from sums import check_sums

from voicepush import Outcome, ReceiptCounts, open_ledger
from voicepush.model.call import Call
from voicepush.model.status import CampaignStatus
from voicepush.simulator import Simulator
from voicepush.simulator.truth import CallTruth

SECRET = "hub-secret"

#: Whose ids the receipts bear, and how the answers name the calls. Several of a
#: household share an id, and are told apart by number only.
Ids = Literal["made", "own", "customer", "household"]
Answer = Literal["one", "each"]
COMBINATIONS: list[tuple[Ids, Answer]] = [
    (ids, answer) for ids in ("made", "own", "customer") for answer in ("one", "each")
]

RINGS = (
    *("busy@15%", "rang-out@10%", "hung-up@15%", "hung-up-ringing@10%", "agent@10%"),
    "expired@5%",
)
FAULTS = ("twice:0.5@10%", "late:0.5@20%", "forged@1%", "lost@2%", "no-id@10%")

#: No process is waited for any longer where there are few people, in seconds.
_PATIENCE = 60.0


@attrs.frozen
class Found:
    """
    What a ledger says of the calls of a campaign.
    """

    status: CampaignStatus
    counts: ReceiptCounts
    #: By value; those of whom nothing was heard are missing.
    calls: dict[str, Call]
    outcomes: Counter[Outcome]


async def find(path: Path, campaign: str) -> Found:
    """
    Everything about the calls of *campaign*.
    """
    calls: dict[str, Call] = {}
    outcomes: Counter[Outcome] = Counter()
    async with open_ledger(path) as ledger:
        status = await ledger.status(campaign)
        assert status is not None
        async for result in ledger.results(campaign, list(Outcome)):
            values = [each.recipient for each in result]
            outcomes.update(each.outcome for each in result)
            calls |= {
                values[recipient]: call
                for recipient, call in (await ledger.calls(result.batch.id)).items()
            }
        return Found(status, await ledger.receipt_counts(), calls, outcomes)


@contextmanager
def receiver(
    ledger: Path, *options: str, said: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """
    ``voicepush receipts`` in a process of its own, and its address.
    """
    process = subprocess.Popen(  # noqa: S603 -- our own program
        [
            *[sys.executable, "-m", "voicepush", "receipts"],
            *["--listen", "127.0.0.1:0", "--ledger", str(ledger), *options],
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if said is None else said,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def most_memory(process: subprocess.Popen[str]) -> int:
    """
    The most that *process* has had in memory, in bytes.
    """
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) << 10


def done(simulator: Simulator, seconds: float) -> None:
    """
    Wait until every receipt of *simulator*, which is in a thread, is delivered or lost.
    """
    until = time.monotonic() + seconds
    while simulator.receipts()["pending"]:
        assert time.monotonic() < until, simulator.receipts()
        time.sleep(0.02)


@attrs.define
class Reporting:
    """
    One list, sent and reported.
    """

    folder: Path
    recipients: int
    ids: Ids
    answer: Answer
    batch_size: int = 250
    seed: int = 0
    faults: tuple[str, ...] = FAULTS
    #: What was seen: seconds of sending and until the last receipt, and memory.
    sent_in: float = attrs.field(init=False, default=0.0)
    reported_in: float = attrs.field(init=False, default=0.0)
    memory: int = attrs.field(init=False, default=0)
    posted: dict[str, Any] = attrs.field(init=False, factory=dict)
    states: Counter[str] = attrs.field(init=False, factory=Counter)

    @property
    def ledger(self) -> Path:
        """
        Where it is kept.
        """
        return self.folder / "voicepush.db"

    def go(self) -> None:
        """
        Send, report and compare.

        Raises:
            AssertionError: The ledger knows other than the simulator.
        """
        self._write_list()
        secret = self.folder / "secret"
        secret.write_text(f"{SECRET}\n")
        with receiver(self.ledger, "--secret-file", str(secret)) as (process, url):
            options = {
                "answer": self.answer,
                "seed": self.seed,
                "notify_url": url,
                "rings": RINGS,
                "ring_seconds": 0.1,
                "receipt_faults": self.faults,
                "hub_secret": SECRET,
                "numbered_transids": self.answer == "one" and self.ids != "own",
                "retry_seconds": 0.5,
                "answer_seconds": 60.0,
                "latency": 0.02,
            }
            with _in_thread((), options) as simulator:
                began = time.monotonic()
                self._send(simulator)
                self.sent_in = time.monotonic() - began
                done(simulator, self._patience)
                self.reported_in = time.monotonic() - began
                self._wait_until_placed()
                self.memory = most_memory(process)
                self.posted = simulator.receipts()
                truth = simulator.truth()
                assert 0 == simulator.summary()["rung_twice"]
            process.send_signal(signal.SIGTERM)
            assert 0 == process.wait(_PATIENCE)
        self._compare(truth)
        check_books(self.ledger)

    @property
    def _patience(self) -> float:
        # A core may have much else to do.
        return _PATIENCE + self.recipients / 20

    @property
    def _file(self) -> str:
        return "june.jsonl" if self.ids == "household" else "june.csv"

    def _write_list(self) -> None:
        with (self.folder / self._file).open("w", encoding="utf-8") as lines:
            if self.ids == "household":
                for first in range(0, self.recipients, 3):
                    people = range(first, min(first + 3, self.recipients))
                    values = [f"+999{i:09d}" for i in people]
                    entry = {"msisdn": values, "correlationid": f"home-{first}"}
                    lines.write(json.dumps(entry) + "\n")
            elif self.ids == "customer":
                lines.write("customerid\n")
                lines.writelines(f"cust {i:07d}\n" for i in range(self.recipients))
            elif self.ids == "own":
                lines.write("msisdn,correlationid\n")
                lines.writelines(
                    f"+999{i:09d},order-{i}/é\n" for i in range(self.recipients)
                )
            else:
                lines.write("msisdn\n")
                lines.writelines(f"+999{i:09d}\n" for i in range(self.recipients))

    def _send(self, simulator: Simulator) -> None:
        said = self.folder / "said"
        # With a text of the owner's a receipt without an id names its call only by
        # the platform's transaction and the number.
        callback = ["--callback-data", "of-june"] if self.seed % 2 == 0 else []
        with said.open("wb") as file:
            code = subprocess.run(  # noqa: S603 -- our own program
                [
                    *[sys.executable, "-m", "voicepush", "send", self._file],
                    *["--media", "hello", "--base-url", simulator.url, *callback],
                    *["--ledger", str(self.ledger), "--concurrency", "8"],
                    *["--batch-size", str(self.batch_size)],
                ],
                stdout=subprocess.DEVNULL,
                stderr=file,
                cwd=self.folder,
                env={**os.environ, "VOICEPUSH_SERVICE_KEY": KEY},
                check=False,
                timeout=self._patience,
            ).returncode
        assert 0 == code, said.read_text()

    def _wait_until_placed(self) -> None:
        """
        Wait until what came before its call was known has found it.
        """
        until = time.monotonic() + self._patience
        while asyncio.run(unplaced(self.ledger)):
            assert time.monotonic() < until, "some are kept aside for ever"
            time.sleep(0.05)

    def _compare(self, truth: list[CallTruth]) -> None:
        found = asyncio.run(find(self.ledger, "june"))
        check_sums(found.status)
        assert self.recipients == len(truth) == found.status.accepted
        assert {Outcome.ACCEPTED: self.recipients} == found.outcomes
        wrong = [
            (each, found.calls.get(each.recipient))
            for each in truth
            if not _agrees(each, found.calls.get(each.recipient))
        ]
        assert not wrong, f"{len(wrong)} of {len(truth)}, such as {wrong[:3]}"
        self.states = Counter(each.delivered_state for each in truth)
        assert found.status.calls is not None
        assert self.states == Counter(attrs.asdict(found.status.calls))
        posted, counts = self.posted, found.counts
        assert 0 == posted["forged_taken"]
        assert posted["forged"] == counts.refused > 0
        assert {"401": posted["forged"]} == posted["refused"]
        assert posted["lost"] > 0
        assert posted["delivered"] == counts.received
        assert (0, 0) == (counts.unplaced, counts.unreadable)
        assert (posted["delivered"], 0) == named_bodies(self.ledger)

    def summary(self) -> str:
        """
        What was seen, in words.
        """
        delivered = self.posted["delivered"]
        states = ", ".join(f"{n:,} {state}" for state, n in self.states.most_common())
        return (
            f"{self.recipients:,} recipients, {self.ids} ids, {self.answer}: sent in "
            f"{self.sent_in:.0f} s; {delivered:,} receipts stored, "
            f"{self.posted['forged']:,} refused, {self.posted['lost']:,} lost, in "
            f"{self.reported_in:.0f} s ({delivered / self.reported_in:,.0f}/s); the "
            f"receiver took {self.memory / 1e6:.0f} MB; {states}; every call is as the "
            "simulator knows it"
        )


async def unplaced(path: Path) -> int:
    """
    How many receipts of no known call are kept aside.
    """
    async with open_ledger(path) as ledger:
        return (await ledger.receipt_counts()).unplaced


def _agrees(truth: CallTruth, call: Call | None) -> bool:
    """
    Whether *call* is what was delivered of the truth.
    """
    if call is None or not truth.delivered:
        return call is None and not truth.delivered
    heard, expected = call.heard, truth.delivered_heard_seconds
    return (
        truth.delivered_state == call.state
        and (heard is None) == (expected is None)
        and (heard is None or abs(heard - (expected or 0.0)) < 0.001)
    )


def main() -> None:
    """
    Send and report as the arguments say, and print what was seen.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--recipients", type=int, default=100_000)
    parser.add_argument("--ids", choices=get_args(Ids), default="made")
    parser.add_argument("--answer", choices=get_args(Answer), default="one")
    parser.add_argument("--batch-size", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reporting = Reporting(
            Path(folder),
            arguments.recipients,
            arguments.ids,
            arguments.answer,
            arguments.batch_size,
            arguments.seed,
        )
        reporting.go()
    print(reporting.summary())  # noqa: T201 -- its result


if __name__ == "__main__":
    main()

"""
Kills the receiver at random moments while posts come in and a campaign is dispatched,
and looks after each kill whether every receipt that was answered 200 is there.

The test suite does so thirty times; ``python tests/receipt_crashing.py --kills 300``
does it as often as one likes, and prints what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from conftest import KEY, _in_thread, numbers
from mishaps import looking
from receipt_looks import check_books, check_file
from reporting import receiver
from sums import check_sums

from voicepush import Campaign, Outcome, VoiceMessage, open_ledger
from voicepush.ledger.bodies import unpack_bodies
from voicepush.simulator import Simulator

#: How many are posted at once.
_POSTERS = 12

_SIZE = 40

#: What befalls the requests of the campaign meanwhile.
_FAULTS = ("drop@1/9", "7006@15%", "mix:7100=10%@1/4", "504@1/13")

#: No process is waited for any longer, in seconds.
_PATIENCE = 60.0

_CODES = ("7407", "7408", "7519", "7401", "7409", "7410", "7405", "7005", "7411")


@attrs.define
class ReceiptCrashing:
    """
    One ledger, whose receiver is killed again and again.
    """

    folder: Path
    kills: int
    seed: int = 0
    recipients: int = 1_200
    #: How many were killed before they listened, how many under load, and how many
    #: were asked to end under load.
    early: int = attrs.field(init=False, default=0)
    loaded: int = attrs.field(init=False, default=0)
    asked: int = attrs.field(init=False, default=0)
    #: How many posts were answered how; None for not at all.
    statuses: Counter[int | None] = attrs.field(init=False, factory=Counter)
    #: Every body that was answered 200, and how often.
    taken: Counter[bytes] = attrs.field(init=False, factory=Counter)
    #: Every body that is in the ledger.
    stored: Counter[bytes] = attrs.field(init=False, factory=Counter)
    #: How often a body was there although its answer was lost.
    unanswered: int = attrs.field(init=False, default=0)
    #: How often the campaign had to be begun again, and how often someone was proven
    #: by receipts alone at a kill.
    dispatched: int = attrs.field(init=False, default=0)
    proven: int = attrs.field(init=False, default=0)
    _again: list[bytes] = attrs.field(init=False, factory=list)
    _last_block: int = attrs.field(init=False, default=0)
    _number: int = attrs.field(init=False, default=0)
    _tag: str = attrs.field(init=False, default="")
    _chance: random.Random = attrs.field(init=False)

    @_chance.default
    def _seed_chance(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311 -- chance, not secrecy

    @property
    def ledger(self) -> Path:
        """
        The file.
        """
        return self.folder / "voicepush.db"

    def go(self) -> None:
        """
        Post, kill and look, and let everything come to its end.

        Raises:
            AssertionError: A promise was broken.
        """
        options = {"latency": 0.05, "seed": self.seed, "answer": "each"}
        with _in_thread(_FAULTS, options) as simulator:
            asyncio.run(self._plan())
            while self.loaded < self.kills:
                with self._dispatching(simulator):
                    self._kill()
                self._look()
            self._end(simulator)
            twice = {number for number, times in simulator.calls.items() if times > 1}
            assert not twice, f"{len(twice)} were rung twice"

    async def _plan(self) -> None:
        async with open_ledger(self.ledger) as ledger:
            message = VoiceMessage(media="hello")
            await Campaign.plan(
                ledger, "june", message, numbers(self.recipients), batch_size=_SIZE
            )
            plan = await ledger.plan("june")
            assert plan is not None
            self._tag = plan.tag

    # Dispatching

    @contextmanager
    def _dispatching(self, simulator: Simulator) -> Iterator[None]:
        """
        Go on with the campaign beside, in some of the rounds, and slowly.
        """
        if self._chance.random() < 1 / 2:
            yield
            return
        rate = str(2 * self.recipients / self.kills)
        with self._resuming(simulator, "--rate", rate, "--concurrency", "3") as process:
            yield
            process.kill()

    @contextmanager
    def _resuming(
        self, simulator: Simulator, *options: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        self.dispatched += 1
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *[sys.executable, "-m", "voicepush", "resume", "june"],
                    *["--ledger", str(self.ledger), "--base-url", simulator.url],
                    *options,
                ],
                stdout=subprocess.DEVNULL,
                stderr=said,
                env={**os.environ, "VOICEPUSH_SERVICE_KEY": KEY},
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    # Posting

    def _kill(self) -> None:
        with receiver(self.ledger) as (process, url):
            # `receiver` gives it once it listens.
            asyncio.run(self._post_until_killed(process, url))
        if self._chance.random() < 1 / 5:
            # And one that is killed while it starts, or takes over the log.
            starting = subprocess.Popen(  # noqa: S603 -- our own program
                [
                    *[sys.executable, "-m", "voicepush", "receipts", "--listen"],
                    *["127.0.0.1:0", "--ledger", str(self.ledger)],
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(self._chance.uniform(0.2, 0.6))
            starting.kill()
            starting.wait()
            self.early += 1

    async def _post_until_killed(
        self, process: subprocess.Popen[str], url: str
    ) -> None:
        async with ClientSession(
            connector=TCPConnector(limit=_POSTERS), timeout=ClientTimeout(30)
        ) as session:
            before = self.statuses[200]
            posters = [
                asyncio.create_task(self._post_on(session, url))
                for _ in range(_POSTERS)
            ]
            some = before + self._chance.randint(1, 200)
            until = time.monotonic() + _PATIENCE
            while self.statuses[200] < some:
                assert time.monotonic() < until, "nothing is stored"
                await asyncio.sleep(0.002)
            await asyncio.sleep(self._chance.uniform(0.0, 0.02))
            is_asked = self._chance.random() < 1 / 10
            process.send_signal(signal.SIGTERM if is_asked else signal.SIGKILL)
            await asyncio.gather(*posters)
        code = await asyncio.to_thread(process.wait)
        assert (0 if is_asked else -signal.SIGKILL) == code
        self.asked += is_asked
        self.loaded += not is_asked

    async def _post_on(self, session: ClientSession, url: str) -> None:
        while True:
            body = self._again.pop() if self._again else self._next()
            status = await self._post(session, url, body)
            if status is None:
                return

    async def _post(self, session: ClientSession, url: str, body: bytes) -> int | None:
        status: int | None = None
        try:
            async with session.post(url, data=body) as answer:
                status = answer.status
        except (ClientError, TimeoutError, OSError):
            pass
        self.statuses[status] += 1
        if status == 200:
            self.taken[body] += 1
        else:
            self._again.append(body)
        return status

    def _next(self) -> bytes:
        """
        A receipt like no other: of someone by any name, of a stranger, or none at all.
        """
        chance, self._number = self._chance, self._number + 1
        if chance.random() < 1 / 30:
            return f"no receipt, number {self._number}".encode()
        # Whom receipts prove early is never called; some shall be.
        place = chance.randrange(0, self.recipients, 2)
        batch = f"{self._tag}-{place // _SIZE}"
        names = chance.choice(
            [
                {"correlationid": f"{batch}-{place % _SIZE}"},
                {"correlationid": f"{batch}-{place % _SIZE}"},
                {"callbackData": batch},
                {"callbackData": f"{batch}-a0000000f"},
                {},
                {"correlationid": f"stranger-{self._number}"},
            ]
        )
        at = f"2026-02-05T07:{place % 60:02d}:{chance.randrange(60):02d}.596Z"
        return json.dumps(
            {
                "deliveryInfoNotification": {
                    "deliveryInfo": {
                        "timeStamp": at,
                        "code": chance.choice(_CODES),
                        "destination": f"+999{place:09d}",
                        "additionalInfo": f"{self._number}",
                    },
                    "transid": f"t-{place}",
                    **names,
                }
            }
        ).encode()

    # Looking

    def _look(self) -> None:
        """
        Whatever was answered 200 is there, and all sums hold.
        """
        with looking(self.ledger) as connection:
            connection.row_factory = sqlite3.Row
            blocks = connection.execute(
                "SELECT id, packed FROM body_block WHERE id > ?", (self._last_block,)
            ).fetchall()
            (proven,) = connection.execute("SELECT count(*) FROM proof").fetchone()
        self.proven += proven > 0
        for row in blocks:
            self.stored.update(unpack_bodies(row["packed"]))
            self._last_block = max(self._last_block, row["id"])
        missing = self.taken - self.stored
        assert not missing, f"{missing.total()} were answered 200 and are gone"
        self.unanswered = (self.stored - self.taken).total()
        check_books(self.ledger)

    def _end(self, simulator: Simulator) -> None:
        """
        Post what is left, dispatch who is left, and look at everything once more.
        """
        with receiver(self.ledger) as (_, url):
            asyncio.run(self._post_rest(url))
            with self._resuming(simulator, "--concurrency", "1") as process:
                code = process.wait(_PATIENCE)
        assert code in (0, 1), (self.folder / "said").read_text()
        self._look()
        check_file(self.ledger)
        asyncio.run(self._check_end())

    async def _post_rest(self, url: str) -> None:
        async with ClientSession() as session:
            left, self._again = self._again, []
            for body in left:
                assert 200 == await self._post(session, url, body)

    async def _check_end(self) -> None:
        async with open_ledger(self.ledger) as ledger:
            status = await ledger.status("june")
            counts = await ledger.receipt_counts()
            results = [each async for each in ledger.results("june", list(Outcome))]
            calls = {
                (result.batch.id, recipient)
                for result in results
                for recipient in await ledger.calls(result.batch.id)
            }
        assert status is not None
        check_sums(status)
        assert "finished" == status.state, status
        assert status.calls is not None
        assert status.accepted == sum(attrs.asdict(status.calls).values())
        assert self.stored.total() == counts.received >= self.taken.total()
        assert calls
        for result in results:
            for place in range(len(result.batch)):
                if (result.batch.id, place) in calls:
                    assert Outcome.ACCEPTED is result.at(place).outcome

    def summary(self) -> str:
        """
        What was seen, in words.
        """
        return (
            f"seed {self.seed}: {self.loaded} kills under load, {self.early} while "
            f"starting, {self.asked} asked to end; {self.statuses[200]:,} posts were "
            f"answered 200 and all are there, {self.statuses[None]:,} were not "
            f"answered, of which {self.unanswered:,} are there, too; the campaign was "
            f"begun again {self.dispatched} times; at {self.proven} kills someone was "
            "proven by receipts alone; nobody was rung twice"
        )


def main() -> None:
    """
    Kill as often as the arguments say, and print what was seen.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        crashing = ReceiptCrashing(
            Path(folder),
            arguments.kills,
            arguments.seed,
            recipients=40 * max(30, arguments.kills),
        )
        crashing.go()
    seconds = time.monotonic() - began
    print(f"{crashing.summary()}; {seconds:.0f} s")  # noqa: T201 -- its result


if __name__ == "__main__":
    main()

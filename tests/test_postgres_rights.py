"""
The rights that the documentation names are enough, and each of them is needed.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import urllib.request
from pathlib import Path

import postgres
import psycopg
import pytest
from conftest import Serve, numbers
from mishaps import Said, ended, process, say, wait_until

from voicepush import Campaign, VoiceMessage, open_ledger

pytestmark = pytest.mark.usefixtures("in_a_folder")

#: The statements of the documentation: those of the database, those for a role that
#: works with the tables, and those for one that only looks.
MAKES, WORKS, LOOKS = re.findall(
    r"```sql\n(.*?)```",
    (Path(__file__).parents[1] / "docs/postgres.md").read_text(encoding="utf-8"),
    re.DOTALL,
)


class Database:
    """
    A database, and the roles of the documentation, under names of their own.
    """

    def __init__(self) -> None:
        self._mark = os.urandom(4).hex()
        self._server = postgres.server().address
        self.run("tests", "postgres", MAKES)

    def address(self, role: str, database: str = "calls") -> str:
        """
        Where *role* finds it.
        """
        found = self._server.replace("tests@", f"{self.named(role)}@")
        return found.replace("/postgres?", f"/{self.named(database)}?")

    def named(self, text: str) -> str:
        """
        *text* with the names that are used here.
        """
        names = r"\b(june|calls|caller|looker)\b"
        return re.sub(names, rf"\1_{self._mark}", text)

    def run(self, role: str, database: str, statements: str) -> None:
        """
        Run *statements* as *role*.
        """
        with psycopg.connect(
            self.address(role, database), autocommit=True
        ) as connection:
            for each in filter(str.strip, statements.split(";")):
                connection.execute(self.named(each).encode())


@pytest.fixture(scope="module")
def database() -> Database:
    """
    One whose owner has made the tables and given rights to others.
    """
    found = Database()

    async def make() -> None:
        async with open_ledger(found.address("june")) as ledger:
            message = VoiceMessage(media="welcome")
            await Campaign.plan(ledger, "seen", message, numbers(1, 7_000))

    asyncio.run(make())
    for statements in (WORKS, LOOKS):
        found.run("june", "calls", statements)
    return found


def correlation_ids(exported: str) -> list[str]:
    """
    What the calls that were exported as JSON lines were sent as.
    """
    return [json.loads(line)["sent_as"] for line in exported.splitlines()]


def post(url: str, correlation_id: str) -> int:
    """
    The status with which a receipt is taken at *url*.
    """
    info = {"code": "7519", "deliveryStatus": "ANSWERED", "Description": "Answered"}
    body = {
        "deliveryInfoNotification": {
            "deliveryInfo": info,
            "correlationid": correlation_id,
        }
    }
    asked = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310 -- ours
    with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 -- ours
        return int(answer.status)


def test_whoever_works_with_the_tables(
    serve: Serve, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Can do all that an operator does, and can't make tables.
    """
    monkeypatch.setenv("VOICEPUSH_LEDGER", database.address("caller"))
    simulator = serve("mix:7102=20%")
    simulator.next_replies("drop")
    Path("june.csv").write_text("msisdn\n" + "\n".join(numbers(60)))
    Path("july.csv").write_text("msisdn\n" + "\n".join(numbers(90)))
    service = ["--base-url", simulator.url]
    sending = [*service, "--concurrency", "1", "--batch-size", "10", "--media", "x"]

    def works(*arguments: str, code: int = 0) -> Said:
        said = say(*arguments)
        assert code == said.code, said.err
        return said

    works("send", "june.csv", *sending, code=1)
    works("send", "july.csv", *sending, "--not-within", "1d", "--rate", "500", code=1)
    works("status", "june", "--history")
    works("status")
    works("lookup", numbers(1)[0])
    exported = works("export", "july", "--outcome", "accepted", "--format", "jsonl")
    with process("receipts", "--listen", "127.0.0.1:0") as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        assert 200 == post(url, correlation_ids(exported.out)[0])
        assert 200 == post(url, "nobody's")
    works("report", "july")
    works("report", "july", "--html", "july.html")
    works("poll", "july", *service, "--after", "0s", "--rate", "500")
    works("resolve", "june")
    works("resolve", "june", "--resend", "--yes")
    works("resume", "june", *service, "--failed-over", code=1)
    works("resolve", "june", "--give-up", "--yes")
    works("rate", "june", "100")
    slowly = ["send", "june.csv", *sending, "--campaign", "slow", "--rate", "10"]
    with process(*slowly) as running:
        wait_until(lambda: "slow: running" in say("status", "slow").out)
        works("pause", "slow")
        assert 1 == ended(running).code
    works("cancel", "slow", "--yes")
    # Whatever the service says of that one number.
    called = say("call", "+999000000777", *service, "--media", "x")
    assert called.code in (0, 1), called.err
    works("move", "july", "--to", "july.db")
    moved = ["--ledger", "august.db"]
    works("send", "june.csv", *sending, "--campaign", "august", *moved, code=1)
    works("move", "august", *moved, "--to", database.address("caller"))
    elsewhere = f"{database.address('caller')}&schema=elsewhere"
    refused = say("send", "june.csv", *sending, "--ledger", elsewhere)

    assert (5, "which rights a ledger needs") == (
        refused.code,
        refused.complaint.rpartition("see ")[2],
    )


def test_whoever_only_looks(database: Database) -> None:
    """
    Sees all, and changes nothing.
    """
    ledger = ["--ledger", database.address("looker")]
    seen = [
        say(*each, *ledger).code
        for each in (
            ["status"],
            ["status", "seen", "--history"],
            ["lookup", numbers(1, 7_000)[0]],
            ["export", "seen"],
            ["report", "seen", "--html", "seen.html"],
            ["resolve", "seen"],
        )
    ]
    refused = say("rate", "seen", "100", *ledger)

    assert [0] * 6 == seen
    assert 5 == refused.code
    assert "this user may not do that" in refused.complaint

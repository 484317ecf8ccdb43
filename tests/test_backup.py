"""
`voicepush backup`: whole at one moment, only to be looked at, and safe to go on from.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Serve
from half_done import half_done
from ledger_model import (
    ANSWERS,
    MESSAGE,
    SQLiteStore,
    all_of,
    is_claimed,
    load,
    planned_as,
    publish,
    status_of,
)
from making import batch_of
from mishaps import (
    Said,
    ended,
    exported,
    june,
    process,
    resume,
    say,
    sending,
    stand,
    wait_until,
)

from voicepush import BackupError, Campaign, Kind, clock
from voicepush.errors import CampaignHeldError, InputError, LedgerError
from voicepush.ledger.sqlite import backup
from voicepush.ledger.sqlite.ledger import SQLiteLedger
from voicepush.model.outcome import BatchResult, Outcome
from voicepush.model.status import CampaignState
from voicepush.sending.request import load_message

ACCEPTED, AGAIN, REJECTED, NOT_SENT, IN_DOUBT = ANSWERS[:5]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[SQLiteLedger]:
    """
    A ledger in which june stands in the middle of everything.
    """
    store = SQLiteStore(tmp_path)
    await store.open()
    await half_done(store.ledger)
    assert isinstance(store.ledger, SQLiteLedger)
    yield store.ledger
    await store.close()


async def copied(ledger: SQLiteLedger, path: Path) -> SQLiteLedger:
    """
    A backup of it, opened.
    """
    await ledger.back_up(path)
    return await SQLiteLedger.open(path)


async def told(ledger: SQLiteLedger) -> list[Any]:
    """
    What it answers.
    """
    return [
        await ledger.campaigns(),
        [
            list(each.rows())
            for each in await all_of(ledger.results("june", [*Outcome]))
        ],
        await ledger.lookup("+9990000001"),
        await ledger.history("june"),
        await ledger.timeline("june"),
        await ledger.unknown("june"),
        await ledger.receipt_counts(),
        await ledger.audit(deep=True),
    ]


async def test_it_can_be_looked_at(kept: SQLiteLedger, tmp_path: Path) -> None:
    """
    It answers what the ledger answers, and only its owner can read it.
    """
    path = tmp_path / "backup.db"
    async with await copied(kept, path) as copy:
        assert await told(kept) == await told(copy)
        assert kept.backup is None
        assert copy.backup is not None
        assert copy.backup.startswith(f"a backup of {tmp_path / 'ledger.db'}, made 20")
        assert f"by process {os.getpid()} on " in copy.backup

    assert 0o600 == stat.S_IMODE(path.lstat().st_mode)
    assert [] == _hidden(tmp_path)


def _hidden(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir() if each.name.startswith(".")]


def _is_there(path: Path) -> bool:
    return path.exists()


async def test_nothing_in_it_is_changed(kept: SQLiteLedger, tmp_path: Path) -> None:
    """
    Whatever sends or changes is refused in one line, which says what to do.
    """
    async with await copied(kept, tmp_path / "backup.db") as copy:
        before = await told(copy)
        campaign = await Campaign.open(copy, "june")
        batch = batch_of(MESSAGE, "0-0", ["+9991"])
        for refused in (
            copy.join("june", load_message),
            copy.change("june", rate=5.0),
            copy.steer("june", rate=5.0),
            copy.draft(planned_as("july")),
            copy.receive([]),
            copy.note("june", "was", "here"),
            copy.place_again(),
            copy.note_asked(batch.id, None),
            copy.forget_bodies(1e12),
            copy.suppress([(Kind.MSISDN, ["+9991"])]),
            copy.unsuppress([(Kind.MSISDN, ["+9991"])], reason="asked"),
            campaign.resolve(resend=True),
            campaign.cancel(),
        ):
            with pytest.raises(
                BackupError, match=r"backup\.db is a backup of .*: it ca"
            ):
                await refused

        assert before == await told(copy)


async def test_who_is_in_flight_in_it_is_shown(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    Nobody has to become unknown for that.
    """
    worker = await kept.join("june", load_message)
    batch = batch_of(MESSAGE, f"{worker.plan.tag}-3", [f"+99900006{n}" for n in "012"])
    is_claimed(await worker.claim(batch, range(3)))
    async with await copied(kept, tmp_path / "backup.db") as copy:
        await worker.leave(CampaignState.PAUSED)
        campaign = await Campaign.open(copy, "june")

        assert 2 == sum(each.unknown for each in await campaign.unknown())
        assert 3 == (await campaign.status()).in_flight


# Going on from one


async def test_whoever_may_have_been_called_is_unknown(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    In all campaigns that were not over, durably, and with a line in their history.
    """
    done = [batch_of(MESSAGE, f"abcdef012{n}-0", [f"+99911{n}"]) for n in range(4)]
    names = ("finished", "cancelled", "not sent", "planned")
    for number, (name, batch) in enumerate(zip(names, done, strict=True)):
        plan = planned_as(name, tag=f"abcdef012{number}")
        await publish(kept, plan, batch)
        if name == "planned":
            continue
        worker = await kept.join(name, load)
        if name != "cancelled":
            claimed = is_claimed(await worker.claim(batch, [0]))
            verdict = ACCEPTED if name == "finished" else NOT_SENT
            await worker.record(claimed, BatchResult(batch, verdict, {}, (), 1))
        await worker.leave(CampaignState("cancelled" if number == 1 else "finished"))
    path = tmp_path / "backup.db"
    async with await copied(kept, path) as copy:
        restored = await copy.restore()
        assert {"june": 6, "not sent": 1, "planned": 1} == restored
    async with await SQLiteLedger.open(path) as copy:
        june_, finished, cancelled, not_sent, planned = await copy.campaigns()
        history = await copy.history("june")
        (someone,) = await copy.lookup("+999113")
        lately = [each async for each in copy.called(clock.now() - 60)]
        audit = await copy.audit(deep=True)
        assert copy.backup is None
        with pytest.raises(InputError, match="is no backup, or was restored already"):
            await copy.restore()
        joined = await copy.join("june", load_message)
        assert "Finished" in type(await joined.due(10)).__name__
        await joined.leave(CampaignState.FINISHED)

    assert (0, 0, 8) == (june_.pending, june_.in_flight, june_.unknown)
    assert (6, 1) == (june_.accepted, june_.rejected)
    assert CampaignState.PAUSED is june_.state
    assert [(1, 0), (0, 0)] == [(e.accepted, e.unknown) for e in (finished, cancelled)]
    assert (CampaignState.CANCELLED, 1) == (cancelled.state, cancelled.not_sent)
    assert [1, 1] == [not_sent.unknown, planned.unknown]
    assert "restored" == history[-1].event
    assert "6 unknown, from a backup of " in (history[-1].detail or "")
    assert "may have been called since; restored from" in someone.result.description
    assert "+999113" in [value for each in lately for value in each.values]
    assert audit.is_sound


async def test_what_is_no_backup_is_not_restored(kept: SQLiteLedger) -> None:
    """
    In a ledger nobody becomes unknown by mistake.
    """
    before = await status_of(kept)
    with pytest.raises(InputError, match="is no backup"):
        await kept.restore()

    assert before == await status_of(kept)


async def test_who_dispatches_the_ledger_may_call_them_yet(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    As long as that process exists, nobody of them is sent to again from the backup.
    """
    worker = await kept.join("june", load_message)
    batch = batch_of(MESSAGE, f"{worker.plan.tag}-3", [f"+99900006{n}" for n in "012"])
    is_claimed(await worker.claim(batch, [0]))  # it is at work
    async with await copied(kept, tmp_path / "backup.db") as copy:
        await copy.restore()
        campaign = await Campaign.open(copy, "june")
        resolved = await campaign.resolve(resend=True)
        pending = (await campaign.status()).pending
        gone = await campaign.resolve(resend=True, process_is_gone=True)
        assert (2, 6, 2) == (resolved.recipients, resolved.left_alone, pending)
        assert 6 == gone.recipients
        assert (await copy.audit()).is_sound
    await worker.leave(CampaignState.PAUSED)


async def test_what_was_being_planned_can_be_planned_again(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    Whoever planned it does so elsewhere.
    """
    draft = await kept.draft(planned_as("july", tag="abcdef0123"))
    async with await copied(kept, tmp_path / "backup.db") as copy:
        await copy.restore()
        with pytest.raises(CampaignHeldError):
            await kept.draft(planned_as("july", tag="abcdef0124"))
        again = await copy.draft(planned_as("july", tag="abcdef0124"))
        await again.discard()
    await draft.discard()


async def test_a_backup_of_a_backup_is_as_old(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    It says of itself what the first one says.
    """
    async with (
        await copied(kept, tmp_path / "one.db") as one,
        await copied(one, tmp_path / "two.db") as two,
    ):
        assert one.backup == two.backup


async def test_what_was_on_its_way_elsewhere_stays_so(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    Whoever takes the move back calls nobody by that.
    """
    await kept._store.do(
        lambda connection: connection.execute(
            "UPDATE campaign SET state = 'moving', reason = 'there', moved = ?",
            ('{"to":"there","state":"paused","reason":null}',),
        )
    )
    async with await copied(kept, tmp_path / "backup.db") as copy:
        await copy.restore()
        status = await status_of(copy)

    assert (CampaignState.MOVING, 0, 8) == (
        status.state,
        status.pending,
        status.unknown,
    )


async def test_the_log_of_the_ledger_before_is_not_read_into_it(
    kept: SQLiteLedger, tmp_path: Path
) -> None:
    """
    Whoever put a backup in the place of a ledger, and left its log there, is told.
    """
    worker = await kept.join("june", load_message)
    await kept.back_up(tmp_path / "backup.db")
    await worker.leave(CampaignState.PAUSED)
    log = (tmp_path / "ledger.db-wal").read_bytes()
    async with await SQLiteLedger.open(tmp_path / "backup.db"):
        pass  # it was looked at
    (tmp_path / "backup.db-wal").write_bytes(log)
    with pytest.raises(LedgerError, match="is the log of the ledger that was there be"):
        await SQLiteLedger.open(tmp_path / "backup.db")
    (tmp_path / "backup.db-wal").unlink()
    async with await SQLiteLedger.open(tmp_path / "backup.db") as copy:
        await copy.restore()
        # It is not taken for one that was put there, while it is in use.
        async with await SQLiteLedger.open(tmp_path / "backup.db") as again:
            assert again.backup is None
            assert await told(copy) == await told(again)


async def test_who_reads_a_backup_is_waited_for(
    kept: SQLiteLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    If it takes too long, nobody is called, and the same again can be done.
    """
    monkeypatch.setattr("voicepush.ledger.sqlite.connection.LOCK_PATIENCE", 0.05)
    path = tmp_path / "backup.db"
    async with await copied(kept, path) as copy:
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM campaign").fetchall()
            with pytest.raises(
                LedgerError, match="another program holds its lock, one"
            ):
                await copy.restore()
        assert copy.backup is not None
        with pytest.raises(BackupError):
            await copy.join("june", load_message)


# Making one


async def test_it_goes_over_nothing(kept: SQLiteLedger, tmp_path: Path) -> None:
    """
    A file, a link, or what comes there meanwhile stays as it is.
    """
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("a letter")
    link.symlink_to(tmp_path / "nowhere")
    for path in (there, link):
        with pytest.raises(InputError, match="goes over nothing; name another"):
            await kept.back_up(path)
    with pytest.raises(InputError, match="can't be written: No such file"):
        await kept.back_up(tmp_path / "no" / "such")

    assert "a letter" == there.read_text()
    assert not _is_there(tmp_path / "nowhere")
    assert [] == _hidden(tmp_path)


async def test_where_there_are_no_hard_links(
    kept: SQLiteLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It goes over nothing all the same.
    """

    def none(*_: object) -> None:
        raise OSError(errno.EPERM, "there are none")

    monkeypatch.setattr(Path, "hardlink_to", none)
    await kept.back_up(tmp_path / "one.db")
    with pytest.raises(InputError, match="goes over nothing"):
        await kept.back_up(tmp_path / "one.db")
    async with await SQLiteLedger.open(tmp_path / "one.db") as copy:
        assert await told(kept) == await told(copy)


async def test_what_ends_a_copy_leaves_nothing(
    kept: SQLiteLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    An interruption, or a disk that fails.
    """

    def interrupted(left: int, total: int) -> None:
        raise InputError(f"interrupted at {left} of {total}")

    with pytest.raises(InputError, match="interrupted at "):
        await kept.back_up(tmp_path / "one.db", interrupted)
    monkeypatch.setattr(backup, "_mark", lambda copy, _: copy.execute("no such"))
    with pytest.raises(LedgerError, match=r"the backup .*one\.db can't be made: "):
        await kept.back_up(tmp_path / "one.db")

    assert [] == _hidden(tmp_path)
    assert not _is_there(tmp_path / "one.db")


# The command


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
def test_a_campaign_at_full_speed(serve: Serve) -> None:
    """
    Backups that are made meanwhile are sound. From one of them, nobody is called whom
    the ledger has called, nobody is lost, and the ledger goes on untouched.
    """
    simulator = serve()
    june(30_000)
    options = ("--batch-size", "10", "--concurrency", "16")
    backups: list[Said] = []
    with process(*sending(simulator, *options)) as running:
        wait_until(lambda: len(simulator.calls) > 500)
        while running.poll() is None and len(backups) < 5:
            backups.append(say("backup", f"backup-{len(backups)}.db"))
        was_running = running.poll() is None
        looked = stand(ledger=Path("backup-0.db"))
        at_once = resume(simulator, "--ledger", "backup-0.db")
        sent = ended(running, 120)
    checks = [
        say("check-ledger", "--deep", "--ledger", f"backup-{number}.db")
        for number in range(len(backups))
    ]
    rung = dict(simulator.calls)
    restored = resume(simulator, "--restored", "--ledger", "backup-0.db")
    again = resume(simulator, "--restored", "--ledger", "backup-0.db")
    after = stand(ledger=Path("backup-0.db"))
    accepted = {
        each
        for each, outcome in exported(ledger=Path("backup-0.db")).items()
        if outcome == "accepted"
    }

    assert was_running
    assert 0 == sent.code
    assert [0] * len(backups) == [each.code for each in backups]
    assert [0] * len(backups) == [each.code for each in checks], checks
    assert (30_000, True) == (looked["planned"], looked["pending"] > 0)
    assert (2, True) == (at_once.code, "it can only be looked at" in at_once.complaint)
    assert 1 == restored.code
    assert "may have been called since the backup was made" in restored.err
    assert "it is a ledger again, for all of its campaigns" in restored.err
    assert (2, True) == (again.code, "is no backup" in again.complaint)
    assert rung == simulator.calls
    assert {1} == set(simulator.calls.values())
    assert (30_000, 0) == (after["accepted"] + after["unknown"], after["pending"])
    assert accepted <= set(rung)
    assert 0 == say("check-ledger", "--deep", "--ledger", "backup-0.db").code
    assert 30_000 == stand()["accepted"]


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_folder")
def test_the_commands_that_only_look(serve: Serve) -> None:
    """
    They say what it is; all others refuse, in one line.
    """
    simulator = serve()
    june(20)
    assert 0 == say(*sending(simulator)).code
    made = say("backup", "backup.db")
    looks: list[tuple[str, ...]] = [
        ("status",),
        ("status", "june", "--history"),
        ("lookup", "+999000000001"),
        ("export", "june", "--output", "out.csv"),
        ("report", "june"),
        ("resolve", "june"),
        ("check-ledger",),
        ("suppress", "list"),
        ("backup", "another.db"),
    ]
    for arguments in looks:
        said = say(*arguments, "--ledger", "backup.db")
        assert said.code in (0, 1), (arguments, said.err)
        assert "backup.db is a backup of " in said.err
    to = ("--base-url", simulator.url)
    deeds: list[tuple[str, ...]] = [
        ("call", "+999111111111", "--media", "x", *to),
        ("send", "june.csv", "--media", "x", *to),
        ("send", "june.csv", "--campaign", "july", "--media", "x", *to),
        ("resume", "june", *to),
        ("rate", "june", "5"),
        ("suppress", "add", "+999000000001"),
        ("suppress", "remove", "+999000000001", "--reason", "x"),
        ("poll", "june", *to),
        ("receipts", "--listen", "127.0.0.1:0"),
        ("move", "june", "--to", "there.db"),
    ]
    for arguments in deeds:
        said = say(*arguments, "--ledger", "backup.db")
        assert 2 == said.code, (arguments, said)
        assert "it can only be looked at" in said.complaint
    moved = say("move", "june", "--to", "backup.db")

    assert "bytes written to" in made.err
    assert "it can only be looked at" in moved.complaint
    assert "finished" == stand()["state"]
    assert 20 == sum(simulator.calls.values())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["backup", "voicepush.db"], "is of the ledger, which would be lost"),
        (["backup", "voicepush.db-wal"], "is of the ledger"),
        (["backup", "x", "--ledger", "postgresql://u@h/d"], "is backed up as its serv"),
        (["backup", "x", "--ledger", "none.db"], "there is no ledger at none.db"),
        (
            ["resume", "june", "--restored", "--ledger", "postgresql://u@h/d"],
            "a database notices by itself that it was restored",
        ),
        (
            ["resume", "june", "--restored", "--on-unknown", "resend"],
            "leave out --on-unknown resend, and decide with voicepush resolve",
        ),
        (["resume", "june", "--restored", "--base-url", "http://127.0.0.1:1"], "is no"),
    ],
)
@pytest.mark.usefixtures("in_a_folder")
def test_wrong_usage(arguments: list[str], complaint: str, serve: Serve) -> None:
    """
    One line says what is wrong, and nothing is done.
    """
    june(3)
    assert 0 == say(*sending(serve())).code
    before = json.dumps(stand())
    said = say(*arguments)

    assert 2 == said.code
    assert complaint in said.complaint
    assert before == json.dumps(stand())
    assert not Path("x").exists()


@pytest.mark.usefixtures("in_a_folder")
def test_who_interrupts_it_leaves_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The copy ends at its next look.
    """
    june(3)
    assert 0 == say(*sending(serve())).code

    async def cancelled(
        ledger: SQLiteLedger, path: Path, tell: Any = None
    ) -> int:  # as Ctrl-C does it
        task = asyncio.create_task(real(ledger, path, tell))
        task.cancel()
        return await task

    real = SQLiteLedger.back_up
    monkeypatch.setattr(SQLiteLedger, "back_up", cancelled)
    said = say("backup", "x")

    assert 130 == said.code
    assert [] == list(Path().glob("*x*"))

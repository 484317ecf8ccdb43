"""
A real PostgreSQL, started when a test first needs one and ended with the tests.
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest

#: Where Debian keeps the programs, besides the PATH.
_DEBIAN = Path("/usr/lib/postgresql")


def _program(name: str) -> str | None:
    found = shutil.which(name)
    if found is None:
        versions = sorted(_DEBIAN.glob(f"*/bin/{name}"))
        found = str(versions[-1]) if versions else None
    return found


class Server:
    """
    A server of its own in a folder of its own, reached through a socket in it.

    Args:
        settings: Of the server, besides those that it has here.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.settings = settings
        #: PostgreSQL refuses to run as root.
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            owner = pwd.getpwnam(self.user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self.make()
        self.process: subprocess.Popen[bytes]
        self.start()

    def make(self) -> None:
        """
        Make what it holds at first.
        """
        self._run(str(_program("initdb")), "-A", "trust", "-U", "tests", "-N")

    @property
    def address(self) -> str:
        """
        Where it is reached.
        """
        return f"postgresql://tests@/postgres?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 -- ours
            [program, "-D", str(self.data), *arguments],
            user=self.user,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )

    def start(self) -> None:
        """
        Start it, and wait until it answers.
        """
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "max_connections": "100",
            "shared_buffers": "64MB",
            # What a crash of the machine would need is not needed here.
            "fsync": "off",
            **self.settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 -- ours
                [str(_program("postgres")), "-D", str(self.data), *options],
                user=self.user,
                stdout=log,
                stderr=log,
                cwd=self.folder,
            )
        until = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415

        try:
            psycopg.connect(self.address).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop_at_once(self) -> None:
        """
        End it without waiting for anyone, as a crash does; it recovers when started.
        """
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


class Standby(Server):
    """
    A server that follows another one, without being waited for.
    """

    def __init__(self, folder: Path, primary: Server) -> None:
        self.primary = primary
        super().__init__(folder)

    def make(self) -> None:
        """
        Make a copy of the other one.
        """
        source = f"host={self.primary.folder} user=tests"
        how = ("-R", "-X", "stream", "-c", "fast", "--no-sync")
        self._run(str(_program("pg_basebackup")), "-d", source, *how)

    def execute(self, statement: str) -> Any:
        """
        The first value that *statement* gives, outside of transactions.
        """
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
        return row and row[0]

    def wait_until(self, condition: str) -> None:
        """
        Wait until *condition* holds there.
        """
        until = time.monotonic() + 30
        while not self.execute(f"SELECT {condition}"):
            assert time.monotonic() < until
            time.sleep(0.05)

    def catch_up(self) -> None:
        """
        Take all that the other one has, and nothing more.
        """
        import psycopg  # noqa: PLC0415

        with psycopg.connect(self.primary.address) as connection:
            row = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert row is not None
        self.wait_until(f"pg_last_wal_replay_lsn() >= '{row[0]}'")
        self.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.execute("SELECT pg_reload_conf()")
        self.wait_until("NOT EXISTS (SELECT * FROM pg_stat_wal_receiver)")

    def take_over(self) -> None:
        """
        Let the other one crash, and take its place.
        """
        self.primary.stop_at_once()
        assert self.execute("SELECT pg_promote()")


class Restored(Standby):
    """
    A server that was restored from a backup of another one, as it was at some moment.
    """

    def make(self) -> None:
        """
        Make it, and let it recover by itself when it is started.
        """
        super().make()
        (self.data / "standby.signal").rename(self.data / "recovery.signal")
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write("primary_conninfo = ''\nrestore_command = 'false'\n")


def copy_database(source: str, target: str) -> None:
    """
    Restore in *target* a dump of *source*.
    """
    dump = _output_of("pg_dump", source)
    _output_of("psql", "-q", "-v", "ON_ERROR_STOP=1", target, given=dump)


def _output_of(name: str, *arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(  # noqa: S603 -- ours
        [str(_program(name)), *arguments],
        input=given,
        check=True,
        stdout=subprocess.PIPE,
    ).stdout


def check_programs() -> None:
    """
    Leave a test out where there are none.
    """
    if _program("initdb") is None or _program("postgres") is None:
        missing = "there is no PostgreSQL here: apt-get install postgresql"
        # Where everything is installed on purpose, nothing is left out in silence.
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)


@cache
def server() -> Server:
    """
    The one that all tests share.
    """
    check_programs()
    folder = Path(tempfile.mkdtemp(prefix="voicepush-pg-"))
    started = Server(folder)

    def end() -> None:
        started.stop_at_once()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return started

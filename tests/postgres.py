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
        self._run(str(_program("initdb")), "-A", "trust", "-U", "tests", "-N")
        self.process: subprocess.Popen[bytes]
        self.start()

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


@cache
def server() -> Server:
    """
    The one that all tests share.
    """
    if _program("initdb") is None or _program("postgres") is None:
        missing = "there is no PostgreSQL here: apt-get install postgresql"
        # Where everything is installed on purpose, nothing is left out in silence.
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="voicepush-pg-"))
    started = Server(folder)

    def end() -> None:
        started.stop_at_once()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return started

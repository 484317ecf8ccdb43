"""
A program run to its end, with what the operating system says that it took.
"""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

#: Bytecode is written, as an installation does; otherwise ours would be compiled anew
#: in each process, and no one else's.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "VOICEPUSH"))
} | {"VOICEPUSH_SERVICE_KEY": "made-up"}


class Spent(NamedTuple):
    """
    What one process took, and what it printed.
    """

    cpu: float  # seconds, user and system
    wall: float
    memory: float  # MB at its peak
    printed: str


def spend(command: Sequence[str], folder: Path, *, exits: int = 0) -> Spent:
    """
    Run *command*, which must end with the status *exits*.

    Its peak of memory can't be seen below that of this process, which therefore stays
    small: whatever needs much memory is made in processes of its own.
    """
    began = time.perf_counter()
    with (folder / "talk").open("w+") as talk:
        process = subprocess.Popen(  # noqa: S603 -- our own programs
            command,
            stdout=subprocess.PIPE,
            stderr=talk,
            env=ENVIRONMENT,
            text=True,
            # ``-m`` would take a package in the present folder for the one installed.
            cwd=folder,
        )
        assert process.stdout is not None
        with process.stdout as pipe:
            printed = pipe.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        talk.seek(0)
        assert process.returncode == exits, (command, process.returncode, talk.read())
    return Spent(_cpu(used), wall, used.ru_maxrss / 1024, printed)


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime

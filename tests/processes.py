"""
Commands of ours as processes of their own, beside a test that goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

#: No process is waited for any longer, in seconds.
_PATIENCE = 60.0


async def said(*arguments: str | Path, code: int = 0) -> str:
    """
    What a command prints, which ends with the exit status *code*.
    """
    process = await _start(arguments)
    try:
        async with asyncio.timeout(_PATIENCE):
            told, _ = await process.communicate()
    finally:
        await _end(process)
    assert code == process.returncode, arguments
    return told.decode()


async def status_of(ledger: Path, campaign: str) -> dict[str, Any]:
    """
    What ``voicepush status --json`` says.
    """
    told = await said("status", "--json", "--ledger", ledger, "--", campaign)
    found: dict[str, Any] = json.loads(told)
    return found


@asynccontextmanager
async def served(*arguments: str | Path) -> AsyncIterator[str]:
    """
    The address at which a command serves; it is ended as its owner does, and well.
    """
    process = await _start(arguments)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            address = (await process.stdout.readline()).decode().strip()
            yield address
            process.terminate()
            assert 0 == await process.wait()
    finally:
        await _end(process)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def _start(arguments: tuple[str | Path, ...]) -> Process:
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "voicepush", *map(str, arguments)],
        stdin=DEVNULL,
        stdout=PIPE,
    )

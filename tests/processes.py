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


async def said(*arguments: str | Path) -> str:
    """
    What a command prints; that it does not fail.
    """
    process = await _start(arguments)
    async with asyncio.timeout(_PATIENCE):
        told, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return told.decode()


async def status_of(ledger: Path, campaign: str) -> dict[str, Any]:
    """
    What ``voicepush status --json`` says.
    """
    told = await said("status", "--json", "--ledger", ledger, "--", campaign)
    found: dict[str, Any] = json.loads(told)
    return found


@asynccontextmanager
async def running(*arguments: str | Path) -> AsyncIterator[tuple[Process, str]]:
    """
    A command that serves or sends, with the first line that it prints, if it serves; it
    is ended as a user would, and says that all is well.
    """
    process = await _start(arguments)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            yield process, (await process.stdout.readline()).decode().strip()
            process.terminate()
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _start(arguments: tuple[str | Path, ...]) -> Process:
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "voicepush", *map(str, arguments)],
        stdin=DEVNULL,
        stdout=PIPE,
    )

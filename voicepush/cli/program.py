"""
A program of the owner's that hears news: run within bounds, and without our secrets.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
from asyncio.subprocess import Process, create_subprocess_exec
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

import attrs

from voicepush.cli.terminal import say
from voicepush.errors import InputError
from voicepush.masking import shown

#: How long what it wrote is waited for once it has ended; what it has started may hold
#: its output open for ever.
_LAST_WORDS = 0.5

#: Of what it writes so much is shown, in bytes and in lines.
_MOST_BYTES = 4_096
_MOST_LINES = 20

#: What goes beyond that is read so seldom, in seconds, that it slows nothing of ours.
_SELDOM = 0.01

#: The environment variables of ours that it gets; others may hold secrets.
_KEPT = ("VOICEPUSH_LEDGER",)


@attrs.frozen
class Program:
    """
    A program and its arguments, which no shell looks at.
    """

    #: As its owner wrote it.
    program: str
    #: Where it was found.
    _path: str
    _arguments: Sequence[str] = attrs.field(repr=False)
    #: How long it may run, in seconds.
    longest: float = attrs.field(default=30.0, kw_only=True)
    #: How long it may go on once it was asked to end, in seconds.
    grace: float = attrs.field(default=2.0, kw_only=True)

    @classmethod
    def found(cls, command: str) -> Self:
        """
        What *command* names.

        Raises:
            InputError: There is no such program.
        """
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise InputError(
                f"--notify-command can't be taken apart: {str(error).lower()}"
            ) from None
        if not words:
            raise InputError(
                "--notify-command is empty; name a program, or leave it out"
            )
        path = shutil.which(words[0])
        if path is None:
            raise InputError(
                f"--notify-command: there is no program {words[0]!r} that can be run; "
                "no shell looks at it, so for more than a program and its arguments "
                "write sh -c '…'"
            )
        return cls(words[0], os.path.abspath(path), words[1:])  # noqa: PTH100 -- a text

    @property
    def name(self) -> str:
        """
        Which it is, without its arguments, which may be secret.
        """
        return f"--notify-command {shown(self.program)}"

    async def tell(self, event: str, campaign: str, body: bytes) -> str | None:
        """
        Run it with *body* on its standard input, and show what it writes.

        Returns:
            What went wrong, in words; None if it ended well.
        """
        told = {"VOICEPUSH_EVENT": event, "VOICEPUSH_CAMPAIGN": campaign}
        output = _Output()
        try:
            with tempfile.TemporaryFile() as given:
                given.write(body)
                given.seek(0)
                async with output as writing:
                    process = await create_subprocess_exec(
                        self._path,
                        *self._arguments,
                        stdin=given,
                        stdout=writing,
                        stderr=writing,
                        env=_without_secrets(os.environ) | told,
                        # A group of its own, so that all of it can be ended; it has
                        # no terminal, and Ctrl-C is for us.
                        start_new_session=True,
                    )
                    output.close_ours()
                    return await self._end_of(process)
        except OSError as error:
            return f"it can't be run: {error.strerror or error}"
        finally:
            output.show()

    async def _end_of(self, process: Process) -> str | None:
        """
        How *process* has ended, at the latest when its time is over.
        """
        try:
            async with asyncio.timeout(self.longest):
                status = await process.wait()
        except TimeoutError:
            return f"it had not ended after {self.longest:,g} s, and was stopped"
        finally:
            if process.returncode is None:
                await self._stop(process)
        if status < 0:
            return f"it was ended by signal {-status}"
        return f"it ended with exit status {status}" if status else None

    async def _stop(self, process: Process) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # The second goes to those of its group who did not hear the first.
            with suppress(OSError):
                os.killpg(process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.grace):
                    await process.wait()


def _without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("VOICEPUSH_") or name in _KEPT
    }


class _Output(asyncio.Protocol):
    """
    What a program writes: its beginning is kept, and the rest is only counted.

    It is read to its end, since a program whose pipe is full would wait for ever.
    """

    def __init__(self) -> None:
        self._kept = b""
        self._written = 0
        self._has_ended = asyncio.Event()
        self._ours: int | None = None
        self._pipe: asyncio.ReadTransport

    async def __aenter__(self) -> int:
        reading, self._ours = os.pipe()
        self._pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: self, os.fdopen(reading, "rb", 0)
        )
        return self._ours

    async def __aexit__(self, *_: object) -> None:
        self.close_ours()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._has_ended.wait()
        finally:
            self._pipe.close()

    def close_ours(self) -> None:
        """
        Keep no end of the pipe but the one that is read, which else would never end.
        """
        if self._ours is not None:
            os.close(self._ours)
            self._ours = None

    def data_received(self, data: bytes) -> None:
        """
        Keep it, or count it.
        """
        self._kept += data[: _MOST_BYTES - len(self._kept)]
        self._written += len(data)
        if self._written > _MOST_BYTES:
            self._pipe.pause_reading()
            asyncio.get_running_loop().call_later(_SELDOM, self._go_on)

    def _go_on(self) -> None:
        if not self._pipe.is_closing():
            self._pipe.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        """
        Nobody writes any more.
        """
        self._has_ended.set()

    def show(self) -> None:
        """
        Say what was kept, a line for each.
        """
        lines = self._kept.splitlines(keepends=True)[:_MOST_LINES]
        for line in lines:
            say(f"notify-command: {line.decode('utf-8', 'replace').rstrip()}")
        more = self._written - sum(map(len, lines))
        if more:
            say(f"notify-command: … and {more:,} bytes more, which are not shown")

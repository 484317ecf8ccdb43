"""
Who hears news of a campaign: a script that writes down what it was told, and a server.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from servers import Server, read_head, response

#: Does nothing but write down what it was told, each event into a file of its own.
WRITES_DOWN = 'cat > "told-$VOICEPUSH_EVENT.json"; echo "$VOICEPUSH_EVENT" >> events'


def script(text: str, name: str = "tell.sh") -> str:
    """
    A command that runs *text* as a script of the shell.
    """
    path = Path(name).absolute()
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return shlex.quote(str(path))


def by_command(text: str = WRITES_DOWN) -> tuple[str, str]:
    """
    The option that names a script of *text*.
    """
    return ("--notify-command", script(text))


def events() -> list[str]:
    """
    What the script was told of, in that order.
    """
    path = Path("events")
    return path.read_text().split() if path.exists() else []


def told(event: str) -> dict[str, Any]:
    """
    What the script was told with *event*.
    """
    found: dict[str, Any] = json.loads(Path(f"told-{event}.json").read_text())
    return found


@attrs.frozen
class Posted:
    """
    A request that a hook has read whole.
    """

    #: Method, path and version.
    line: str
    #: By name in lower case.
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> str:
        """
        What it tells of.
        """
        return self.headers["x-voicepush-event"]


@attrs.define(kw_only=True, eq=False)
class Hook(Server):
    """
    Hears news, and answers in turn what it is told to, the last over and over.
    """

    #: Each an answer's bytes, or a status; None closes the connection, and "" hangs.
    answers: Sequence[int | bytes | str | None] = (200,)
    posted: list[Posted] = attrs.field(init=False, factory=list)

    @property
    def events(self) -> list[str]:
        """
        What it was told of.
        """
        return [each.event for each in self.posted]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """
        Read one request, and answer it.
        """
        head = (await read_head(reader)).decode("latin-1").split("\r\n")
        pairs = (line.split(":", 1) for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        turn = min(len(self.posted), len(self.answers) - 1)
        self.posted.append(Posted(head[0], headers, body))
        answer = self.answers[turn]
        if answer is None:
            return
        if isinstance(answer, str):
            await asyncio.Event().wait()
        text = answer if isinstance(answer, bytes) else response(b"", int(answer))
        writer.write(text)
        await writer.drain()

"""
Records a terminal: a campaign is killed at 60 %, goes on, and rings nobody twice.

Everything is real: a shell on a pseudo terminal, ``kill -9``, and a stand-in for the
service on this machine that counts whom it rings. `python docs/recording.py` writes
the picture to docs/pictures/recording.svg, unless the stand-in has counted otherwise.

It needs pyte, which the extra `docs` brings.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import pyte

#: Few columns, so that a phone can show them.
COLUMNS, LINES = 62, 22
PORT = 8093
PEOPLE = 100_000

#: Where the dispatcher is killed, as a share of the list.
KILLED_AT = 0.6

#: A picture is shown for at least and at most so long, in seconds, and the last one so
#: long.
SHORTEST, LONGEST, LAST = 0.12, 1.4, 6.0

#: What the shell asks with.
PROMPT = "$ "

#: Seconds between two keys.
KEY = 0.028

BASH = "/bin/bash"
PICTURE = Path(__file__).with_name("pictures") / "recording.svg"


class Frame(NamedTuple):
    """
    What stands on the screen, and for how long.
    """

    lines: tuple[tuple[tuple[str, str, bool], ...], ...]
    seconds: float


class Terminal:
    """
    A shell on a pseudo terminal, and what is seen of it.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self._seen: list[tuple[float, Any]] = []
        pid, self._terminal = pty.fork()
        if not pid:
            os.chdir(folder)
            os.execve(BASH, ["bash", "--norc", "--noprofile", "-i"], variables)  # noqa: S606
        self.shell = pid
        size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    def read(self, seconds: float) -> None:
        """
        Show what comes within *seconds*.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self._terminal], [], [], min(left, 0.05))
            if ready:
                self._stream.feed(os.read(self._terminal, 65_536))
                self._look()

    def type(self, text: str) -> None:
        """
        Type *text* and Enter, as a person does.
        """
        for letter in f"{text}\r":
            os.write(self._terminal, letter.encode())
            self.read(KEY)

    def wait_for(self, words: str, seconds: float) -> re.Match[str]:
        """
        Read until *words* stand on the screen.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read(0.05)
            found = re.search(words, "\n".join(self.screen.display))
            if found is not None:
                return found
        shown = "\n".join(self.screen.display)
        raise SystemExit(f"{words!r} did not come within {seconds} s:\n{shown}")

    def prompted(self, seconds: float = 180.0) -> None:
        """
        Read until the shell asks for the next command.
        """
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read(0.05)
            cursor = self.screen.cursor
            if self.screen.display[cursor.y][: cursor.x] == PROMPT:
                return
        raise SystemExit("the shell did not ask for another command")

    def _look(self) -> None:
        lines = tuple(_runs(self.screen.buffer[row]) for row in range(LINES))
        if not self._seen or self._seen[-1][1] != lines:
            self._seen.append((time.monotonic(), lines))

    def frames(self) -> list[Frame]:
        """
        What was seen, without pictures that nobody could have seen, nor long waits.
        """
        found: list[Frame] = []
        begins, shown = self._seen[0]
        for at, lines in self._seen[1:]:
            if at - begins >= SHORTEST:
                found.append(Frame(shown, min(at - begins, LONGEST)))
                begins = at
            shown = lines
        return [*found, Frame(shown, LAST)]


def _runs(row: Any) -> tuple[tuple[str, str, bool], ...]:
    """
    A line of the screen, cut where its colour changes.
    """
    found: list[tuple[str, str, bool]] = []
    for column in range(COLUMNS):
        cell = row[column]
        if found and found[-1][1:] == (cell.fg, cell.bold):
            found[-1] = (found[-1][0] + cell.data, cell.fg, cell.bold)
        else:
            found.append((cell.data, cell.fg, cell.bold))
    return tuple(found)


#: Of dark and bright, on a dark ground.
_COLOURS = {
    "default": "#d7dce2",
    "black": "#8b949e",
    "red": "#ff7b72",
    "green": "#7ee787",
    "brown": "#e3b341",
    "yellow": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#f0f6fc",
}

_FONTS = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"
_SAID = "A campaign is killed at 60 percent, goes on, and rings nobody twice"
_WIDTH, _HEIGHT, _EDGE, _BAR = 8.4, 18, 16, 34


def picture(frames: Sequence[Frame]) -> str:
    """
    *frames* as one animated SVG, which needs neither a script nor a font from anywhere.
    """
    width = round(COLUMNS * _WIDTH + 2 * _EDGE)
    height = LINES * _HEIGHT + _EDGE + _BAR
    whole = sum(frame.seconds for frame in frames)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
            f'width="{width}" height="{height}" role="img"',
            f'aria-label="{_SAID}">',
            "<style>",
            f"text{{font:14px {_FONTS};white-space:pre}}",
            f"g.f{{visibility:hidden;animation:f {whole:.2f}s step-end infinite}}",
            # Who wants nothing to move sees how it ends.
            "@media (prefers-reduced-motion:reduce){g.f{animation:none}",
            "g.f:last-of-type{visibility:visible}}",
            *_steps(frames, whole),
            "</style>",
            # Its edge is seen on a dark page, too.
            f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10"',
            'fill="#0d1117" stroke="#484f58" stroke-width="1.5"/>',
            *(
                f'<circle cx="{20 + 20 * at}" cy="18" r="6" fill="{colour}"/>'
                for at, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
            ),
            *(
                f'<g class="f" style="animation-name:f{number}">{_drawn(frame)}</g>'
                for number, frame in enumerate(frames)
            ),
            "</svg>\n",
        ]
    )


def _steps(frames: Sequence[Frame], whole: float) -> Iterator[str]:
    begins = 0.0
    for number, frame in enumerate(frames):
        ends = begins + frame.seconds
        first, last = 100 * begins / whole, 100 * ends / whole
        before = "0%{visibility:hidden}" if number else ""
        after = f"{last:.3f}%{{visibility:hidden}}" if ends < whole else ""
        yield (
            f"@keyframes f{number}{{{before}{first:.3f}%{{visibility:visible}}{after}}}"
        )
        begins = ends


def _drawn(frame: Frame) -> str:
    return "".join(
        f'<text x="{_EDGE}" y="{_BAR + _HEIGHT * (row + 1) - 4}" '
        f'textLength="{len(text) * _WIDTH:.1f}" lengthAdjust="spacing">{spans}</text>'
        for row, line in enumerate(frame.lines)
        for text, spans in [_spans(line)]
        if text
    )


def _spans(line: Sequence[tuple[str, str, bool]]) -> tuple[str, str]:
    """
    A line without the blanks at its end, as text and as what is drawn.
    """
    left = len("".join(text for text, *_ in line).rstrip())
    whole, spans = "", ""
    for text, colour, is_bold in line:
        part = text[: left - len(whole)]
        if not part:
            break
        whole += part
        is_hexadecimal = re.fullmatch("[0-9a-f]{6}", colour) is not None
        fill = (
            f"#{colour}" if is_hexadecimal else _COLOURS[colour.removeprefix("bright")]
        )
        weight = ' font-weight="bold"' if is_bold else ""
        spans += f'<tspan fill="{fill}"{weight}>{escape(part)}</tspan>'
    return whole, spans


def killed(terminal: Terminal) -> None:
    """
    Kill what runs in front of the shell, without a word.
    """
    group = os.tcgetpgrp(terminal._terminal)  # noqa: SLF001 -- ours
    assert group != terminal.shell, "the command has ended already"  # noqa: S101
    os.killpg(group, signal.SIGKILL)


def play(terminal: Terminal) -> None:
    """
    What is shown.
    """
    terminal.prompted(10)
    terminal.type(f"wc -l june.csv  # {PEOPLE:,} people; some answers will be lost")
    terminal.prompted()
    terminal.type("voicepush send june.csv --media welcome --rate 12000")
    terminal.wait_for(rf"\b{KILLED_AT * 10:.0f}\d%", 60)
    killed(terminal)
    terminal.prompted()
    terminal.type("# that was kill -9")
    terminal.prompted()
    terminal.type("voicepush resume june --rate 12000")
    terminal.prompted()
    terminal.type(f"curl -s 127.0.0.1:{PORT}/simulator | grep -o '\"rung[^,}}]*'")
    terminal.wait_for(r'"rung_twice":0\b', 10)
    terminal.prompted()
    terminal.read(0.5)


def record(folder: Path) -> list[Frame]:
    """
    Play it in *folder*.
    """
    rows = "\n".join(f"+999{number:09d}" for number in range(PEOPLE))
    (folder / "june.csv").write_text(rows + "\n")
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "PS1": PROMPT,
        "COLUMNS": str(COLUMNS),
        "LINES": str(LINES),
        "VOICEPUSH_SERVICE_KEY": "demo",
        "VOICEPUSH_BASE_URL": f"http://127.0.0.1:{PORT}",
    }
    command = shutil.which("voicepush", path=variables["PATH"])
    assert command is not None, "voicepush is not installed"  # noqa: S101
    stand_in = subprocess.Popen(  # noqa: S603 -- ours
        [command, "simulate", "--port", str(PORT), "--fault", "drop@1/50"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(2)
        # So that there is a ledger, and its path need not be told.
        ledger = str(folder / "voicepush.db")
        add = ["suppress", "add", "+999999999999", "--ledger", ledger]
        subprocess.run([command, *add], check=True, capture_output=True)  # noqa: S603
        terminal = Terminal(folder, variables)
        try:
            play(terminal)
        finally:
            os.kill(terminal.shell, signal.SIGKILL)
            os.waitpid(terminal.shell, 0)
        return terminal.frames()
    finally:
        stand_in.terminate()
        stand_in.wait(10)


def main() -> None:
    """
    Write the picture.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames = record(Path(folder))
    PICTURE.write_text(picture(frames), "utf-8")
    seconds = sum(frame.seconds for frame in frames)
    print(f"{PICTURE}: {len(frames)} pictures, {seconds:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()

"""
How the log of a command is written: as text with -v, or as JSON, and all talk with it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

from voicepush.logs import JsonFormatter

#: What ``--log-format`` may be.
LogFormat = Literal["text", "json"]

#: The variable that does as well.
FORMAT_VARIABLE = "VOICEPUSH_LOG_FORMAT"


class _Stderr(logging.StreamHandler[TextIO]):
    """
    Writes to whatever stderr is at the moment; what nobody can hear stops nothing.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """
        Write it, if there is a stderr.
        """
        stream: TextIO | None = sys.stderr
        if stream is not None:  # which it is where the descriptor was closed
            self.stream = stream
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- its name
        """
        Say nothing: there is nowhere to say it.
        """


def write_log(form: LogFormat, *, verbose: bool) -> None:
    """
    Write the log in that *form* from now on.

    As JSON it is written in any case, and talk as records of it, so that every line on
    stderr is an object.

    Args:
        verbose: Whether everything is written.
    """
    root, ours = logging.getLogger(), logging.getLogger("voicepush")
    if form == "json":
        root.addHandler(_Stderr())
        root.setLevel(logging.INFO if verbose else logging.WARNING)
        ours.setLevel(logging.DEBUG if verbose else logging.INFO)
        logging.captureWarnings(True)  # noqa: FBT003 -- it takes nothing else
    elif verbose:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO)
        ours.setLevel(logging.DEBUG)


@contextmanager
def log_of_a_command() -> Iterator[None]:
    """
    Stands around a command: what it says of JSON holds to its end, and no longer.
    """
    root, ours = logging.getLogger(), logging.getLogger("voicepush")
    before = root.level, ours.level
    try:
        yield
    finally:
        if is_json():
            for each in [each for each in root.handlers if isinstance(each, _Stderr)]:
                root.removeHandler(each)
            logging.captureWarnings(False)  # noqa: FBT003
            root.setLevel(before[0])
            ours.setLevel(before[1])


def is_json() -> bool:
    """
    Whether everything on stderr is to be JSON.
    """
    return any(isinstance(each, _Stderr) for each in logging.getLogger().handlers)

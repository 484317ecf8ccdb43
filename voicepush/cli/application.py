"""
The commands as one application, and the process around it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError

import voicepush
from voicepush.cli.call import call
from voicepush.cli.campaigns import resume, send
from voicepush.cli.check import check
from voicepush.cli.config import config
from voicepush.cli.configured import from_file, settings_from
from voicepush.cli.dashboard import dashboard
from voicepush.cli.demo import demo
from voicepush.cli.exit_status import (
    EVERYONE_ACCEPTED,
    HELD_BY_ANOTHER,
    INTERRUPTED,
    LEDGER_FAILED,
    READER_GONE,
    WRONG_USAGE,
)
from voicepush.cli.forgetting import forget
from voicepush.cli.history import campaigns, history
from voicepush.cli.keeping import backup, check_ledger
from voicepush.cli.keys import Keys
from voicepush.cli.logs import FORMAT_VARIABLE, LogFormat, log_of_a_command, write_log
from voicepush.cli.moving import move
from voicepush.cli.observing import TELEMETRY_VARIABLE, telemetry_if
from voicepush.cli.polling import poll
from voicepush.cli.proving import evidence
from voicepush.cli.questions import export, lookup, status
from voicepush.cli.receipts import receipts
from voicepush.cli.reporting import report
from voicepush.cli.resolving import resolve
from voicepush.cli.retiring import archive, delete
from voicepush.cli.stand_in import simulate
from voicepush.cli.steering import cancel, pause, rate
from voicepush.cli.suppressing import suppress
from voicepush.cli.terminal import (
    accept_any_text,
    complain,
)
from voicepush.cli.windows import windows
from voicepush.cli.worker import worker
from voicepush.errors import (
    CampaignHeldError,
    InputError,
    LedgerError,
    VoicepushError,
)
from voicepush.profiles import CONFIG_VARIABLE, PROFILE_VARIABLE
from voicepush.sources.feeding import READING

#: So many objects that may hold others, more than there were, make the collector look.
_GARBAGE_THRESHOLD = 50_000


app = App(
    name="voicepush",
    help="Ring people in bulk and play them a message: no one twice, no one lost.",
    help_epilogue=(
        "Exit status: 0 done, and where people were called everyone was accepted; 1 "
        "finished or paused, but not everyone was; 2 wrong usage or input; 3 the "
        "service refuses everything; 4 another process holds the campaign; 5 the "
        "ledger failed; 130 interrupted; 141 the reader of the output has gone."
    ),
    version=voicepush.__version__,
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    # After what is typed and the environment.
    config=(from_file,),
)


for command in (
    *(demo, check, call, send, resume, worker, status, pause, cancel, rate, windows),
    *(lookup, export, report, resolve, receipts, poll, move, dashboard, simulate),
    *(campaigns, history, evidence, check_ledger, backup, archive, delete, forget),
    config,
):
    app.command(command)
app.command(suppress)
app.register_install_completion_command(
    help="Install completion for this shell, so that the tab key ends commands."
)


#: What may be kept in a file of settings.
_KEYS = Keys(app)

#: Options of all commands, without and with a value.
_FLAGS = ("--verbose", "-v", "--telemetry")
_WITH_VALUE = ("--profile", "--config", "--log-format")


@app.meta.default
def _launch(
    *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    verbose: Annotated[bool, Parameter(name=("--verbose", "-v"), negative="")] = False,
    profile: Annotated[str | None, Parameter(env_var=PROFILE_VARIABLE)] = None,
    file: Annotated[
        str | None, Parameter(name="--config", env_var=CONFIG_VARIABLE)
    ] = None,
    log_format: Annotated[LogFormat, Parameter(env_var=FORMAT_VARIABLE)] = "text",
    telemetry: Annotated[
        bool, Parameter(env_var=TELEMETRY_VARIABLE, negative="")
    ] = False,
    ledger: str | None = None,
) -> object:
    """
    Ring people in bulk and play them a message: no one twice, no one lost.

    Parameters
    ----------
    verbose
        Say more, and show where an error came from.
    profile
        Which profile of the file of settings holds; by default the one that it names.
    file
        The file of settings; by default voicepush.toml in this folder, else the one in
        ~/.config/voicepush.
    log_format
        With json, every line on stderr is one JSON object: what happens, and all talk.
    telemetry
        Give spans and metrics to the OpenTelemetry SDK of this process, which
        opentelemetry-instrument sets up.
    ledger
        Where campaigns are kept; it may also stand behind the command.
    """
    write_log(log_format, verbose=verbose)
    if ledger is not None and arguments:
        # For the command, which is named first.
        place = 2 if arguments[0] == "suppress" else 1
        arguments = (*arguments[:place], "--ledger", ledger, *arguments[place:])
    with (
        telemetry_if(telemetry),
        settings_from(_KEYS, Path(file) if file else None, profile or None),
    ):
        return app(arguments)


def _clear(error: Exception) -> Exception:
    """
    *error*, in clearer words where it is another's.
    """
    if isinstance(error, UnusedCliTokensError):
        left = " ".join(error.unused_tokens or [])
        return InputError(
            f"too many arguments: {left}; an option before may be misspelt; see "
            "voicepush --help"
        )
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return InputError(f"{where}{error.strerror or error}")
    return error


def _in_front(arguments: list[str]) -> list[str]:
    """
    *arguments* with those first that belong to all commands.

    They may stand anywhere, and a FILE that may be a hyphen would else be taken for
    one.
    """
    ours: list[str] = []
    others: list[str] = []
    left = deque(arguments)
    while left and left[0] != "--":
        found = left.popleft()
        option, joined, _ = found.partition("=")
        has_value = bool(joined or (left and not left[0].startswith("-")))
        if found in _FLAGS or (option in _WITH_VALUE and has_value):
            ours.append(found)
            if found in _WITH_VALUE:
                ours.append(left.popleft())
        else:
            others.append(found)
    return [*ours, *others, *left]


def run(arguments: list[str] | None = None) -> int:
    """
    The exit status of the command that *arguments* name.
    """
    with log_of_a_command():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(arguments: list[str]) -> int:
    try:
        code = app.meta(_in_front(arguments))
    except CampaignHeldError as error:
        complain(error)
        return HELD_BY_ANOTHER
    except LedgerError as error:
        complain(error)
        return LEDGER_FAILED
    except (CycloptsError, VoicepushError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            return READER_GONE
        complain(_clear(error))
        return WRONG_USAGE
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    return code if isinstance(code, int) else EVERYONE_ACCEPTED


def main() -> NoReturn:
    """
    Run the command line, and end the process with its exit status.
    """
    # What is imported stays, and columns of texts hold no cycles; looking through them
    # for garbage takes time and stalls the event loop.
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    accept_any_text()
    code = run()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        # It was told already; what is left in the buffer must not be tried again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if any(thread.name == READING for thread in threading.enumerate()):
        # It waits for a silent pipe, and the interpreter would wait for its lock.
        os._exit(code)
    sys.exit(code)

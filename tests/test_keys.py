"""
Which options may be kept in a file of settings: all that make sense there, no others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cyclopts import App, Argument

from voicepush.cli.application import app
from voicepush.cli.configured import SECRETS
from voicepush.cli.keys import (
    CHECKED,
    NEVER,
    OTHERWISE,
    READ_NOTHING,
    REFUSED,
    SHORTENED,
    TABLES,
    Keys,
    key_of,
    options_of,
)
from voicepush.profiles import DEFAULT_PROFILE, PROFILES

KEYS = Keys(app)


def commands(root: App = app) -> Iterator[tuple[str, dict[str, Argument]]]:
    """
    Each command, by its first word, with its options.
    """
    for name in root:
        if name.startswith("-"):
            continue
        command = root[name]
        if command.default_command is None:
            for _, options in commands(command):
                yield name, options
        else:
            yield (
                name,
                options_of(command.assemble_argument_collection(parse_docstring=True)),
            )


ALL = [each for each in commands() if each[0] not in READ_NOTHING]


def test_what_is_named_is_there() -> None:
    """
    A name that is no option, or no command, is a slip.
    """
    known = {name for _, options in ALL for name in options}
    pairs = {(command, name) for command, options in ALL for name in options}

    # Options that are still to come here may be named before.
    coming = {"any-hour", "seed", "start-at", "stop-at"}
    assert set() == NEVER - known - coming
    assert set() == (OTHERWISE | REFUSED) - pairs
    assert set() == {*TABLES, *READ_NOTHING} - {name for name in app}  # noqa: C416 -- an App is no mapping


def test_no_decision_of_the_moment_is_kept() -> None:
    """
    Nobody is called twice because a file said so once.
    """
    kept = {*KEYS.of_all, *(name for each in TABLES for name in KEYS.own(each))}

    for name in (
        *("process-is-gone", "failed-over", "log-was-merged", "on-unknown"),
        *("dry-run", "expired-call", "call", "from-campaign", "campaign", "yes"),
        *("rejects", "save", "output", "html", "resend", "give-up", "json"),
    ):
        assert name not in kept


def test_what_sends_can_be_kept() -> None:
    """
    Tenant, key file, pace, list, message, notifications.
    """
    for name in (
        *("base-url", "key-file", "concurrency", "rate", "batch-size", "patience"),
        *("drain", "retry-internal-error", "ledger", "answers-in"),
        *("media", "callflow", "cli", "expiry", "priority", "notify-url"),
        *("callback-data", "notify-command", "notify-webhook"),
        *("column", "keep", "encoding", "country", "validity", "international"),
        *("suppress", "suppress-column", "not-within", "at-most"),
        *("tenant-zone", "secret-file"),
    ):
        assert name in KEYS.of_all


def test_whatever_a_file_turns_on_can_be_turned_off() -> None:
    """
    Arguments beat the file, so there must be one.
    """
    for command, options in ALL:
        for name, option in options.items():
            is_kept = name in KEYS.of_all or name in (
                KEYS.own(command) if command in TABLES else ()
            )
            if is_kept and key_of(option).is_flag:
                assert option.negatives, (command, name)


def test_a_key_means_the_same_wherever_it_is_taken() -> None:
    """
    Where an option of that name is another thing, it is named as such.
    """
    for command, options in ALL:
        for name, option in options.items():
            if KEYS.is_of_all(command, name):
                # A command with a default of its own takes no None.
                found, expected = key_of(option), KEYS.of_all[name]
                assert expected == found, (command, name)


def test_a_variable_that_does_as_well_is_known() -> None:
    """
    The environment beats the file, so what the file names must not be read then.
    """
    for command, options in ALL:
        for name, option in options.items():
            told = " ".join((option.parameter.help or "").split())
            found = re.search(r"(VOICEPUSH_\w+) does as well", told)
            if found and name != "key-file":
                assert found[1] == SECRETS.get(name), (command, name)


def test_a_command_that_changes_something_takes_only_the_ledger() -> None:
    """
    Its options are what its owner wants to change, this time.
    """
    for command in ("pause", "cancel", "rate", "resolve", "move", "windows"):
        assert KEYS.is_of_all(command, "ledger")
        assert not KEYS.is_of_all(command, "window")
        assert not KEYS.is_of_all(command, "encoding")


def test_no_table_is_called_as_a_key() -> None:
    """
    TOML would have no room for both.
    """
    names = {*TABLES, DEFAULT_PROFILE, PROFILES, SHORTENED, CHECKED}

    assert names.isdisjoint(KEYS.of_all)
    assert len(names) == len(TABLES) + 4


@pytest.mark.parametrize("command", TABLES)
def test_a_table_holds_something(command: str) -> None:
    """
    What the command alone has, and what all have.
    """
    own = KEYS.own(command)

    assert own
    assert set(own) < set(KEYS.of(command))

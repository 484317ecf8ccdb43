"""
What the exit statuses mean.
"""

from __future__ import annotations

EVERYONE_ACCEPTED = 0


NOT_EVERYONE = 1


WRONG_USAGE = 2


SERVICE_REFUSES = 3


HELD_BY_ANOTHER = 4


LEDGER_FAILED = 5


INTERRUPTED = 130


#: As of a program that SIGPIPE ended: the reader of its results has gone.
READER_GONE = 141

"""
What must hold for any bytes: one module per reader, each with a ``check``, and a folder
of the inputs that it has been worth keeping.

``tests/test_fuzzing.py`` puts every input through its check. ``tests/fuzz.py`` looks
for others, guided by what code they reach; those that find a mistake are kept, too.
"""

from __future__ import annotations

from pathlib import Path

#: A folder of inputs for each module beside it.
CORPUS = Path(__file__).parent / "corpus"


def first_line(data: bytes) -> tuple[list[str], bytes]:
    """
    The words of the first line of *data*, and what follows it.
    """
    line, _, rest = data.partition(b"\n")
    return line.decode("utf-8", "replace").split(" "), rest

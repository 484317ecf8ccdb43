"""
Looks for inputs that a reader of ours can't take, guided by what code they reach.

``python tests/fuzz.py receipt --seconds 300`` puts ever other inputs through
``fuzzing/receipt.py``, beginning with those in ``fuzzing/corpus/receipt``, until one
fails or the time is over; that one is left in the current folder. It needs atheris,
which is for Linux: ``pip install atheris``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import random
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fuzzing import CORPUS

#: What stands in inputs is tried elsewhere, too.
_WORD = re.compile(rb"[\w.:+-]{2,40}")

#: So many bytes at most; what is wrong with long inputs is wrong with short ones.
_LONGEST = 4096


def main() -> None:
    """
    Look as the arguments say; what was done is printed by libFuzzer.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "reader", choices=sorted(each.name for each in CORPUS.iterdir())
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1)
    parser.add_argument("--seed", type=int, default=0, help="0 is another each time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # It ends its process, and nothing would be cleaned up after that.
        looking = multiprocessing.Process(target=_look, args=(given, Path(folder)))
        looking.start()
        looking.join()
    sys.exit(looking.exitcode)


def _look(given: argparse.Namespace, folder: Path) -> None:
    # It is needed here only, and has to be there before what is looked into.
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["voicepush"]):
        check = _keeping(importlib.import_module(f"fuzzing.{given.reader}").check)
    seeds = CORPUS / given.reader
    words = sorted({word for file in seeds.iterdir() for word in _words(file)})
    dictionary, found = folder / "words", folder / "found"
    dictionary.write_text("".join(f'"{word}"\n' for word in words))
    found.mkdir()
    atheris.Setup(
        [
            sys.argv[0],
            f"-max_total_time={given.seconds}",
            f"-runs={given.runs}",
            f"-max_len={_LONGEST}",
            f"-dict={dictionary}",
            f"-seed={given.seed}",
            "-timeout=60",
            "-print_final_stats=1",
            str(found),
            str(seeds),
        ],
        check,
        custom_mutator=_Mutator(words, atheris),
    )
    atheris.Fuzz()


def _keeping(check: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """
    *check*, which writes what it can't take into the current folder.
    """

    def checked(data: bytes) -> None:
        try:
            check(data)
        except BaseException:
            name = hashlib.sha256(data).hexdigest()[:12]
            Path(f"found-{name}").write_bytes(data)
            raise

    return checked


def _words(file: Path) -> list[str]:
    return [each.decode("ascii", "ignore") for each in _WORD.findall(file.read_bytes())]


class _Mutator:
    """
    Changes inputs: half of the time their bytes, else what stands in them as JSON.
    """

    def __init__(self, words: list[str], atheris: ModuleType) -> None:
        self._words = words
        self._atheris = atheris

    def __call__(self, data: bytes, most: int, seed: int) -> bytes:
        """
        Another input than *data*, of *most* bytes at most.
        """
        chance = random.Random(seed)  # noqa: S311 -- no secret
        found = self._by_json(data, chance) if chance.random() < 0.5 else None
        if found is None or len(found) > most:
            # Which function that is changes when looking begins.
            return bytes(self._atheris.Mutate(data, most))
        return found

    def _by_json(self, data: bytes, chance: random.Random) -> bytes | None:
        """
        *data* with some line of it changed, or all of it, as far as it is JSON.
        """
        lines = data.split(b"\n")
        first = chance.randrange(len(lines))
        last = chance.choice((first + 1, len(lines)))
        try:
            thing = json.loads(b"\n".join(lines[first:last]))
        except (ValueError, RecursionError):
            return None
        for _ in range(chance.randint(1, 3)):
            thing = self._changed(thing, chance)
        text = json.dumps(thing, ensure_ascii=chance.random() < 0.5)
        lines[first:last] = [text.encode("utf-8", "surrogatepass")]
        return b"\n".join(lines)

    def _changed(  # noqa: PLR0911 -- one for each way
        self, thing: Any, chance: random.Random
    ) -> Any:
        """
        *thing* with something in it changed, left out, doubled or moved.
        """
        if not isinstance(thing, (dict, list)) or not thing or chance.random() < 0.2:
            return self._another(thing, chance)
        what = chance.choice(("leave out", "double", *["change"] * 5))
        if isinstance(thing, list):
            at = chance.randrange(len(thing))
            if what == "leave out":
                return thing[:at] + thing[at + 1 :]
            if what == "double":
                return [*thing, thing[at]]
            return [*thing[:at], self._changed(thing[at], chance), *thing[at + 1 :]]
        key = chance.choice(list(thing))
        if what == "leave out":
            return {name: each for name, each in thing.items() if name != key}
        if what == "double":
            return {**thing, self._word(chance): thing[key]}
        return {**thing, key: self._changed(thing[key], chance)}

    def _another(self, thing: Any, chance: random.Random) -> Any:
        return chance.choice(
            (
                *(None, True, 0, -1, 1.5, 10**20, 1e400, "", [], {}, "\0", "\ud800"),
                *([thing], {self._word(chance): thing}, str(thing), f" {thing}\n"),
                *(self._word(chance) for _ in range(8)),
                chance.randint(0, 2000),
            )
        )

    def _word(self, chance: random.Random) -> str:
        return chance.choice(self._words) if self._words else "x"


if __name__ == "__main__":
    main()

"""
Lets a world go to its end, on time and chance of its own, and reports what came of it.
"""

from __future__ import annotations

import gc
import hashlib
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest import mock

import attrs
from setups import Setup
from simulated_loop import SimulatedLoop, WorldError
from world import World

_AGAIN = """
import sys
from setups import made
from going import run
for seed in map(int, sys.argv[2:]):
    print(run(made(seed, sys.argv[1])).digest)
"""


@attrs.frozen
class Report:
    """
    What became of a world.
    """

    setup: Setup
    #: Why it failed; None where everything held.
    failure: str | None
    #: What happened in it, line by line.
    story: tuple[str, ...] = attrs.field(repr=False)
    requests: int
    steps: int
    #: How long it took, in its own seconds.
    seconds: float

    @property
    def digest(self) -> str:
        """
        Tells its story from any other.
        """
        return hashlib.sha256("\n".join(self.story).encode()).hexdigest()


def run(setup: Setup) -> Report:
    """
    Let the world of *setup* go to its end, or until something happens that must not.
    """
    chance = Random(f"world {setup.seed}")  # noqa: S311 -- chance, not secrecy
    loop = SimulatedLoop(chance, shuffles=setup.shuffles)
    with _left_alone(loop):
        return _went(World(setup, loop, chance))


def digests_elsewhere(ledger: str, seeds: Iterable[int]) -> list[str]:
    """
    The digests of the worlds of *seeds* in another process, which hashes otherwise.
    """
    return elsewhere(_AGAIN, ledger, *map(str, seeds), hash_seed=4711).split()


def elsewhere(program: str, *arguments: str, hash_seed: int) -> str:
    """
    What *program* prints, in a process of its own.

    Args:
        hash_seed: By what it hashes texts.
    """
    here = Path(__file__).parent
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", program, *arguments],
        env={
            **os.environ,
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONPATH": f"{here}{os.pathsep}{here.parent}",
        },
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout


def _went(world: World) -> Report:
    loop = world.loop
    failure: str | None = None
    try:
        with _simulated(world), world.place.there():
            loop.run_until_complete(world.go())
    except WorldError as error:
        failure = loop.broken or str(error)
    except Exception as error:  # noqa: BLE001 -- a world must not end so
        failure = loop.broken or f"{type(error).__name__}: {error}"
    return Report(
        world.setup,
        failure or loop.broken,
        tuple(world.story),
        len(world.service.requests),
        loop.steps,
        loop.time() - world.begun,
    )


@contextmanager
def _simulated(world: World) -> Iterator[None]:
    """
    Time and chance are the world's own.
    """
    loop, chance = world.loop, world.chance
    before = random.getstate()
    random.seed(chance.random())
    time = SimpleNamespace(
        time=world.wall,
        monotonic=loop.time,
        process_time=loop.time,
        sleep=lambda _: None,
    )
    secrets = SimpleNamespace(
        token_hex=lambda n: f"{chance.getrandbits(8 * n):0{2 * n}x}"
    )
    try:
        with (
            mock.patch("voicepush.clock.time", time),
            mock.patch("voicepush.clock.secrets", secrets),
            mock.patch("aiohttp.connector.monotonic", loop.time),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(before)


@contextmanager
def _left_alone(loop: SimulatedLoop) -> Iterator[None]:
    """
    What the dead have left is thrown away, without a word of what it would do then.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    # Being watched line by line would halve the worlds, and what they go through is
    # covered by other tests.
    trace = sys.gettrace()
    sys.settrace(None)
    gc.disable()
    gc.freeze()  # only what the world has made is looked at in the end
    try:
        yield
        loop.throw_away()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # What is thrown away can bring others back for a moment.
            while gc.collect():
                pass
    finally:
        gc.unfreeze()
        gc.enable()
        sys.settrace(trace)
        sys.unraisablehook = hook

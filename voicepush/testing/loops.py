"""
The event loop of a test, in which what its fixtures open lives.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, TypeVar

import attrs

_T = TypeVar("_T")


@attrs.frozen
class LoopOfTest:
    """
    The event loop of a test: its own, which runs whenever a fixture or the test does,
    or for a test that is not async one in a thread beside it, which always runs.
    """

    loop: asyncio.AbstractEventLoop
    beside: bool = False

    @contextmanager
    def entered(self, manager: AbstractAsyncContextManager[_T]) -> Iterator[_T]:
        """
        What *manager* gives, entered and left in the loop; for a fixture, not a test.
        """
        entered = self._run(manager.__aenter__())
        try:
            yield entered
        finally:
            self._run(manager.__aexit__(None, None, None))

    def _run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        if self.beside:
            return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()
        return self.loop.run_until_complete(coroutine)


@contextmanager
def loop_beside() -> Iterator[LoopOfTest]:
    """
    An event loop in a thread of its own.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="voice_api")
    thread.start()
    try:
        yield LoopOfTest(loop, beside=True)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

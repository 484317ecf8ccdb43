"""
Where the ledger of a world is kept: in memory, in a file, or in a database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, cast

from setups import NAME
from simulated_disk import SimulatedDisk

from voicepush import Campaign, Client
from voicepush.ledger import Ledger
from voicepush.ledger.memory.ledger import MemoryLedger
from voicepush.ledger.sharing import SharedLedger
from voicepush.ledger.sqlite.ledger import SQLiteLedger

if TYPE_CHECKING:
    from world import World


class Place:
    """
    In memory, where all processes have the same.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        #: The ledger, for the world itself, for which no time goes by.
        self.kept: Ledger = MemoryLedger()

    @property
    def beside(self) -> Ledger:
        """
        The ledger, for others than dispatchers.
        """
        return self.kept

    @contextmanager
    def there(self) -> Iterator[None]:
        """
        Let it be there as long as the block lasts.
        """
        yield

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """
        The same once there is an event loop.
        """
        yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """
        The ledger as a process has it, which is the one that asks.
        """
        yield self.kept

    async def dispatch(
        self, ledger: Ledger, client: Client, *, process_is_gone: bool
    ) -> None:
        """
        Dispatch the campaign in *ledger*.
        """
        campaign = await Campaign.open(ledger, NAME)
        await campaign.dispatch(client, process_is_gone=process_is_gone)

    def told(self, line: str) -> str:
        """
        *line* without where it is, which is another place each time.
        """
        return line


class File(Place):
    """
    In a file, of a machine that can lose its power.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._disk = SimulatedDisk(
            world.setup, world.loop, world.chance, world.processes, self._cut
        )

    @contextmanager
    def there(self) -> Iterator[None]:
        """
        Let it be there as long as the block lasts.
        """
        with self._disk.in_place():
            yield

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """
        The same once there is an event loop.
        """
        self.kept = self._disk.opened()
        yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """
        The ledger as a process has it, which is the one that asks.
        """
        async with await SQLiteLedger.open(self._disk.path) as ledger:
            yield cast("Ledger", ledger)

    def told(self, line: str) -> str:
        """
        *line* without where it is, which is another place each time.
        """
        return line.replace(str(self._disk.path.parent), "")

    def _cut(self) -> None:
        """
        The machine has lost its power, and is on again.
        """
        self._world.tell("the power is gone")
        assert isinstance(self.kept, SQLiteLedger)
        self.kept._file._closed = True  # whoever holds it yet must not write there
        self.kept = self._disk.opened()


class Database(Place):
    """
    In a real PostgreSQL, where several processes may work on the campaign.
    """

    def __init__(self, world: World) -> None:
        # Others need none of what it needs.
        from simulated_server import SimulatedServer  # noqa: PLC0415

        super().__init__(world)
        self._server = SimulatedServer(
            world.setup, world.loop, world.chance, world.processes, world.tell
        )
        self._beside: Ledger | None = None

    @property
    def beside(self) -> Ledger:
        """
        The ledger, for others than dispatchers.
        """
        assert self._beside is not None
        return self._beside

    @contextmanager
    def there(self) -> Iterator[None]:
        """
        Let it be there as long as the block lasts.
        """
        with self._server.in_place():
            yield

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[None]:
        """
        The same once there is an event loop.
        """
        self.kept = cast("Ledger", self._server.opened())
        async with await self._server.open() as ledger:
            self._beside = cast("Ledger", ledger)
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """
        The ledger as a process has it, which is the one that asks.
        """
        async with await self._server.open() as ledger:
            yield cast("Ledger", ledger)

    async def dispatch(
        self, ledger: Ledger, client: Client, *, process_is_gone: bool
    ) -> None:
        """
        Dispatch the campaign in *ledger*, beside others or alone.
        """
        if not self._world.setup.workers:
            await super().dispatch(ledger, client, process_is_gone=process_is_gone)
            return
        from voicepush.cluster.dispatching import (  # noqa: PLC0415 -- see above
            SharedDispatch,
        )

        shared = SharedDispatch(cast("SharedLedger", ledger), NAME)
        await shared.dispatch(client, process_is_gone=process_is_gone)

    def told(self, line: str) -> str:
        """
        *line* without where it is, which is another place each time.
        """
        return self._server.told(line)


#: By the kinds of ledgers.
PLACES: dict[str, type[Place]] = {"memory": Place, "sqlite": File, "postgres": Database}

"""Gateways that count for real, on a ledger that fails and with a life that may end at any moment."""

import asyncio
import contextlib
import glob
import itertools
import random
from pathlib import Path

from relay.infra.statistics import counter as tally
from relay.infra.statistics import delivery
from relay.infra.statistics.counter import Tally
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes
from simulated.traffic import callers

_NEVER_BY_ITSELF_S = 36_000


class World:
    """What all gateways share: the ledger, the spool, the clock, whether the ledger is out of reach."""

    def __init__(self, book, spool, seed, monkeypatch):
        self.book, self.spool, self.seed = book, spool, seed
        self.now = 0.0
        self.out = False
        self.tries = {}
        self.lost = []
        self.resent = 0
        self.merged = 0
        self.kills = []
        self.callers = callers()
        errors = [one.error for group in load_oauth_errors().values() for one in group]
        self.counting = Counting(load_catalogue(), load_rsp_codes(), errors)
        self.ids = (f"batch-{number:06}" for number in itertools.count())
        monkeypatch.setattr(tally, "_new_id", lambda: next(self.ids))
        monkeypatch.setattr(delivery, "_PAUSE_S", 0.001)
        monkeypatch.setattr(delivery, "_PAUSE_MOST_S", 0.01)


class Gateway:
    """One instance: the real Tally, and what the simulation knows of the calls in it.

    `pending` are calls since the last flush; `cut` those of batches that are neither in the ledger nor on disk, by id.
    """

    def __init__(self, world, machine):
        self.world = world
        self.machine = machine
        self._spool = world.spool / machine
        self.pending = []
        self.cut = {}
        self.dying = asyncio.Event()
        self._moved = asyncio.Event()
        self._sent = []
        self._seen = set()
        self._tally = Tally(
            world.counting, lambda: world.callers, self._take, self._spool, lambda: world.now, lambda: world.now
        )
        self._life = asyncio.create_task(self._tally.follow(_NEVER_BY_ITSELF_S, asyncio.Event()))

    def count(self, calls):
        """The calls end here."""
        self._tally.count([call.exchange() for call in calls])
        self.pending += calls

    @classmethod
    async def begun(cls, world, machine):
        """One that knows what former ones of this machine left on disk."""
        gateway = cls(world, machine)
        while gateway._on_disk() and not gateway._tally.waiting:  # noqa: ASYNC110 - reading the disk has no event
            await asyncio.sleep(0.0005)
        return gateway

    async def flush(self):
        """What happens each half second; and, while the ledger is there, the time until it has everything."""
        await self._delivered()
        if self.dying.is_set():
            return
        if self.pending:
            before = len(self._tally._delivery._free)
            cutting = asyncio.create_task(self._tally.flush())
            await asyncio.sleep(0)
            batches = list(self._tally._delivery._free)[before:]
            assert len(batches) == 1, "one batch for each flush"
            self.cut[batches[0].batch.batch_id] = self.pending
            self.pending = []
            await cutting
        self._look()
        await self._delivered()

    async def _delivered(self):
        """Until the ledger has all that was flushed, or is out of reach, or this process dies."""
        while not (self.world.out or self.dying.is_set() or self._tally._delivery.idle):
            self._moved.clear()
            await self._moved.wait()
        if self._tally._delivery.idle:
            self.cut.clear()

    async def kill(self):
        """A process that ends here and now: what was in its memory alone is lost, and nothing else."""
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        self._tally._delivery._spool.close()  # the locks of a process end with it
        self._look()
        assert len(self.cut) <= 1, "nothing older than two flushes is in memory alone"
        gone = self.pending + [call for calls in self.cut.values() for call in calls]
        self.world.lost += gone
        self.world.kills.append(len(gone))

    async def stop(self):
        """A process that is asked to end."""
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        assert await self._tally.settle() == 0

    async def settled(self):
        """This machine's gateway, or another one started there, when the ledger has everything of it."""
        gateway = self
        while gateway._tally.waiting or self._on_disk():
            if gateway.dying.is_set():
                await gateway.kill()
                gateway = await Gateway.begun(self.world, self.machine)
            await asyncio.sleep(0.0005)
        return gateway

    def _on_disk(self):
        return glob.glob(f"{self._spool}/*/*.jsonl")  # noqa: PTH207 - Path.glob breaks off at a folder that goes away

    def _look(self):
        """What stands on disk is safe."""
        for path in self._on_disk():
            if path not in self._seen:
                self._seen.add(path)
                with contextlib.suppress(FileNotFoundError):  # the ledger has it by now
                    text = Path(path).read_text()
                    self.cut = {one: calls for one, calls in self.cut.items() if f'"{one}"' not in text}

    async def _take(self, batch, now):
        try:
            return await self._perhaps_take(batch, now)
        finally:
            self._moved.set()

    async def _perhaps_take(self, batch, now):
        """The way to the ledger. What befalls a batch is drawn from its id, whenever it comes."""
        world = self.world
        if world.out:
            raise ConnectionError
        world.merged += len(batch.counts) == delivery.LINES_MOST
        number = world.tries[batch.batch_id] = world.tries.get(batch.batch_id, 0) + 1
        chance = random.Random(f"{world.seed} {batch.batch_id} {number}")
        fate = chance.random()
        if fate < 0.04:
            raise ConnectionError
        if fate < 0.06:
            await self._die()
        taken = await world.book.take_batch(batch, now)
        self.cut.pop(batch.batch_id, None)
        self._sent.append(batch)
        if fate < 0.08:
            await self._die()
        if fate < 0.12:
            raise TimeoutError
        if fate < 0.2:
            world.resent += 1
            assert not await world.book.take_batch(chance.choice(self._sent), now)
        return taken

    async def _die(self):
        self.dying.set()
        self._moved.set()
        await asyncio.get_running_loop().create_future()

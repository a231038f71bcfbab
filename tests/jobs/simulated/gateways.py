"""Gateways that count with the real counter, on a failing ledger, and may be killed at any moment."""

import asyncio
import contextlib
import glob
import itertools
import random
from pathlib import Path

from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import MAX_LINES, Delivery, DeliveryOptions
from relay.infra.statistics.spool import Spool
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_oauth_errors, load_rsp_codes
from simulated.traffic import callers

_NEVER_BY_ITSELF_S = 36_000
PAUSES = DeliveryOptions(pause_s=0.001, max_pause_s=0.01)


class World:
    """State shared by all gateways: ledger, spool, clock, and whether the ledger is unreachable."""

    def __init__(self, store, spool, seed):
        self.store, self.spool, self.seed = store, spool, seed
        self.now = 0.0
        self.out = False
        self.tries = {}
        self.lost = []
        self.resent = 0
        self.merged = 0
        self.kills = []
        self.callers = callers()
        errors = [error.error for group in load_oauth_errors().values() for error in group]
        self.counting = Counting(load_catalogue(), load_rsp_codes(), errors)
        self.ids = (f"batch-{number:06}" for number in itertools.count())


class Gateway:
    """One instance: the real counter, and what the simulation knows of its calls.

    `pending` are calls since the last flush; `cut` are calls, by id, of batches neither in the ledger nor on disk.
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
        self._disk = Spool(self._spool, lambda: next(world.ids))
        self._delivery = Delivery(
            self._take, self._disk, lambda: world.now, lambda: world.now, lambda: next(world.ids), PAUSES
        )
        self._counter = StatisticsCounter(world.counting, lambda: world.callers, self._delivery, lambda: world.now)
        self._life = asyncio.create_task(self._counter.run(_NEVER_BY_ITSELF_S, asyncio.Event()))

    def count(self, calls):
        """Counts closed calls."""
        self._counter.count([call.exchange() for call in calls])
        self.pending += calls

    @classmethod
    async def start(cls, world, machine):
        """Starts a gateway and waits until it has read what earlier ones of this machine left on disk."""
        gateway = cls(world, machine)
        while gateway._on_disk() and not gateway._counter.waiting:  # noqa: ASYNC110 - reading the disk has no event
            await asyncio.sleep(0.0005)
        return gateway

    async def flush(self):
        """Flushes, and waits until the ledger has everything while it is reachable."""
        await self._wait_idle()
        if self.dying.is_set():
            return
        if self.pending:
            before = len(self._delivery.batches)
            cutting = asyncio.create_task(self._counter.flush())
            while not (batches := self._delivery.batches[before:]):  # noqa: ASYNC110 - there is no event
                await asyncio.sleep(0)
            assert len(batches) == 1, "one batch for each flush"
            self.cut[batches[0].batch_id] = self.pending
            self.pending = []
            await cutting
        self._drop_written()
        await self._wait_idle()

    async def _wait_idle(self):
        """Waits until the ledger has all that was flushed, is unreachable, or this process dies."""
        while not (self.world.out or self.dying.is_set() or self._delivery.is_idle):
            self._moved.clear()
            await self._moved.wait()
        if self._delivery.is_idle:
            self.cut.clear()

    async def kill(self):
        """Kills the process: only what was in memory alone is lost."""
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        self._disk.close()  # the locks of a process end with it
        self._drop_written()
        assert len(self.cut) <= 1, "nothing older than two flushes is in memory alone"
        gone = self.pending + [call for calls in self.cut.values() for call in calls]
        self.world.lost += gone
        self.world.kills.append(len(gone))

    async def stop(self):
        """Stops the process regularly."""
        self._life.cancel()
        await asyncio.gather(self._life, return_exceptions=True)
        assert await self._counter.settle() == 0

    async def wait_delivered(self):
        """Returns this machine's gateway, perhaps restarted, when the ledger has everything of it."""
        gateway = self
        while gateway._counter.waiting or self._on_disk():
            if gateway.dying.is_set():
                await gateway.kill()
                gateway = await Gateway.start(self.world, self.machine)
            await asyncio.sleep(0.0005)
        return gateway

    def _on_disk(self):
        return glob.glob(f"{self._spool}/*/*.jsonl")  # noqa: PTH207 - Path.glob breaks off at a folder that goes away

    def _drop_written(self):
        """Removes calls from `cut` that are safe on disk."""
        for path in self._on_disk():
            if path not in self._seen:
                self._seen.add(path)
                with contextlib.suppress(FileNotFoundError):  # the ledger has it by now
                    text = Path(path).read_text()
                    self.cut = {batch_id: calls for batch_id, calls in self.cut.items() if f'"{batch_id}"' not in text}

    async def _take(self, batch, now):
        try:
            return await self._take_or_fail(batch, now)
        finally:
            self._moved.set()

    async def _take_or_fail(self, batch, now):
        """Delivers to the ledger. Errors are drawn from the batch's id, independent of the time."""
        world = self.world
        if world.out:
            raise ConnectionError
        world.merged += len(batch.counts) == MAX_LINES
        number = world.tries[batch.batch_id] = world.tries.get(batch.batch_id, 0) + 1
        chance = random.Random(f"{world.seed} {batch.batch_id} {number}")
        draw = chance.random()
        if draw < 0.04:
            raise ConnectionError
        if draw < 0.06:
            await self._die()
        taken = await world.store.take_batch(batch, now)
        self.cut.pop(batch.batch_id, None)
        self._sent.append(batch)
        if draw < 0.08:
            await self._die()
        if draw < 0.12:
            raise TimeoutError
        if draw < 0.2:
            world.resent += 1
            assert not await world.store.take_batch(chance.choice(self._sent), now)
        return taken

    async def _die(self):
        self.dying.set()
        self._moved.set()
        await asyncio.get_running_loop().create_future()

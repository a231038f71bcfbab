"""Delivery of batches to the ledger: exactly once, with every failure."""

import asyncio
import itertools
from collections import Counter, deque

import pytest

from relay.domain.ledger import LedgerDown
from relay.domain.statistics import Batch, Line
from relay.infra.statistics import delivery as deliveries
from relay.infra.statistics.delivery import FREE_MOST, LINES_MOST, Delivery
from relay.infra.statistics.spool import Spool

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


class Ledger:
    """Takes a batch once. `failures` apply to the next offers: "refuses", "takes silently", "hangs"."""

    def __init__(self):
        self.taken, self.offered, self.failures = {}, [], deque()
        self.always, self.changed = "", asyncio.Condition()

    async def take(self, batch, _now):
        self.offered.append(batch.batch_id)
        failure = self.failures.popleft() if self.failures else self.always
        async with self.changed:
            if failure in {"", "takes silently"}:
                self.taken.setdefault(batch.batch_id, dict(batch.counts))
            self.changed.notify_all()
        if failure == "hangs":
            await asyncio.Event().wait()
        if failure:
            raise LedgerDown("away")
        return True

    @property
    def total(self):
        return sum((Counter(counts) for counts in self.taken.values()), Counter())

    async def until(self, reached):
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(reached)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def delivery(ledger, folder, clock, monkeypatch):
    """Returns a function that makes the delivery of one more process."""
    monkeypatch.setattr(deliveries, "_PAUSE_S", 0.001)
    monkeypatch.setattr(deliveries, "_PAUSE_MOST_S", 0.002)
    numbers = itertools.count(1)

    def new_id():
        return f"new-{next(numbers)}"

    return lambda: Delivery(ledger.take, Spool(folder, new_id), clock, lambda: 1_800_000_000.0, new_id)


def batch(name, count=1, lines=1):
    return Batch(name, {LINE._replace(provider=f"ZBAA{at:06}"): count for at in range(lines)})


def files(folder):
    return sorted(folder.glob("*/*.jsonl"))


async def test_batches_are_delivered_in_order(delivery, ledger):
    sender = delivery()
    sender.add([batch("one", 3), batch("two")], 90.0)
    assert (sender.waiting, sender.since, sender.is_idle) == (4, 90.0, False)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: len(ledger.taken) == 2)
    assert await sender.settle(1.0) == 0
    running.cancel()
    assert (ledger.offered, sender.waiting, sender.since, sender.is_idle) == (["one", "two"], 0, None, True)


@pytest.mark.parametrize("failure", ["refuses", "takes silently"])
async def test_an_unacknowledged_batch_is_offered_again_first(delivery, ledger, failure, caplog):
    sender = delivery()
    ledger.failures += [failure] * 3
    sender.add([batch("one"), batch("two")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: "two" in ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one", "one", "one", "two"]
    assert ledger.total == {LINE._replace(provider="ZBAA000000"): 2}
    assert sender.failures == 3
    assert caplog.messages == []  # the ledger logs its outage itself


async def test_a_hanging_ledger_is_retried(delivery, ledger, monkeypatch):
    monkeypatch.setattr(deliveries, "_TAKE_S", 0.01)
    sender = delivery()
    ledger.failures.append("hangs")
    sender.add([batch("one")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one"]


async def test_a_waiting_batch_is_written_once_and_removed_when_taken(delivery, ledger, folder):
    sender = delivery()
    ledger.always = "refuses"
    sender.add([batch("one")], 90.0)
    assert not await sender._offer()
    await sender.save()
    sender.add([batch("two")], 91.0)
    await sender.save()
    await sender.save()
    assert len(files(folder)) == 2
    ledger.always = ""
    assert await sender.settle(1.0) == 0
    assert list(folder.iterdir()) == []


async def test_batches_of_a_killed_process_are_delivered_by_the_next(delivery, ledger):
    killed = delivery()
    ledger.always = "takes silently"
    killed.add([batch("one"), batch("two", 5)], 90.0)
    await killed._offer()
    await killed.save()
    killed._spool.close()  # as the kernel does
    ledger.always = ""
    successor = delivery()
    successor.add([batch("three")], 95.0)
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: "three" in ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one", "two", "three"]
    assert sum(ledger.total.values()) == 7


async def test_a_broken_file_is_logged_and_counted_and_others_go(delivery, ledger, folder, caplog):
    killed = delivery()
    for name in ("one", "two"):
        killed.add([batch(name)], 90.0)
        await killed.save()
    killed._spool.close()
    broken = files(folder)[0]
    broken.write_text("{")
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert (list(ledger.taken), successor.broken) == (["two"], 1)
    assert f"spool file broken and set aside, reconcile its day: path={broken.with_suffix('.bad')}" in caplog.text


@pytest.mark.parametrize("disk", ["well", "full"])
async def test_too_many_free_batches_are_merged_but_no_offered_ones(
    delivery, ledger, folder, disk, monkeypatch, caplog
):
    sender = delivery()
    if disk == "full":
        monkeypatch.setattr(sender._spool, "write", full)
    ledger.always = "takes silently"
    sender.add([batch("first")], 90.0)
    await sender._offer()
    for number in range(4 * FREE_MOST):
        sender.add([batch(f"batch-{number}", 2, lines=3)], 91.0)
        await sender.save()
        assert len(sender._free) <= FREE_MOST + 2
    assert (sender.waiting, sender._offered[0].batch.batch_id) == (1 + 4 * FREE_MOST * 6, "first")
    assert len(files(folder)) <= FREE_MOST + 2
    ledger.always = ""
    assert await sender.settle(5.0) == 0
    assert sum(ledger.total.values()) == 1 + 4 * FREE_MOST * 6
    assert caplog.text.count("statistics in memory only") == (disk == "full")


def full(*_):
    raise OSError(28, "No space left on device")


async def test_merged_batches_are_split_to_the_ledgers_size(delivery, ledger):
    sender = delivery()
    for number in range(FREE_MOST + 1):
        sender.add([Batch(f"{number}", {LINE._replace(client_id=f"{number} {at}"): 1 for at in range(100)})], 90.0)
    await sender.save()
    sizes = [len(waiting.batch.counts) for waiting in sender._free]
    assert (sum(sizes), max(sizes)) == (100 * (FREE_MOST + 1), LINES_MOST)


async def test_saved_and_unsaved_batches_are_never_merged(delivery, folder, monkeypatch):
    sender = delivery()
    sender.add([batch(f"kept-{number}") for number in range(FREE_MOST)], 90.0)
    await sender.save()
    with monkeypatch.context() as broken:
        broken.setattr(sender._spool, "write", full)
        sender.add([batch(f"loose-{number}") for number in range(FREE_MOST + 1)], 91.0)
        await sender.save()
    kept = [waiting for waiting in sender._free if waiting.is_saved]
    assert [waiting.batch.batch_id for waiting in kept] == [f"kept-{number}" for number in range(FREE_MOST)]
    assert [waiting.size for waiting in sender._free if not waiting.is_saved] == [FREE_MOST + 1]


async def test_a_batch_taken_while_it_is_written_leaves_the_disk(delivery, ledger, folder, monkeypatch):
    sender = delivery()
    sender.add([batch("one")], 90.0)
    write, loop = sender._spool.write, asyncio.get_running_loop()

    def slowly(*arguments):
        write(*arguments)
        asyncio.run_coroutine_threadsafe(sender._offer(), loop).result(10)

    monkeypatch.setattr(sender._spool, "write", slowly)
    await sender.save()
    assert (files(folder), sender.is_idle) == ([], True)


async def test_a_cancelled_save_keeps_memory_and_disk_consistent(delivery, ledger, folder):
    sender = delivery()
    ledger.always = "refuses"
    sender.add([batch(f"{number}") for number in range(FREE_MOST + 1)], 90.0)
    keeping = asyncio.ensure_future(sender.save())
    await asyncio.sleep(0)
    keeping.cancel()
    assert await sender.settle(1.0) == FREE_MOST + 1
    ledger.always = ""
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert sum(ledger.total.values()) == FREE_MOST + 1


@pytest.mark.parametrize(("disk", "message"), [("well", "spooled=3 lost=0"), ("full", "spooled=0 lost=3")])
async def test_the_end_logs_spooled_and_lost_exchanges(delivery, ledger, disk, message, monkeypatch, caplog):
    sender = delivery()
    if disk == "full":
        monkeypatch.setattr(sender._spool, "write", full)
    ledger.always = "refuses"
    sender.add([batch("one", 3)], 90.0)
    assert await sender.settle(1.0) == 3
    assert message in caplog.text


async def test_the_end_keeps_its_time_limit(delivery, ledger):
    sender = delivery()
    ledger.always = "hangs"
    sender.add([batch("one")], 90.0)
    assert await sender.settle(0.05) == 1


async def test_a_machine_without_threads_still_delivers(delivery, ledger, monkeypatch, caplog):
    sender = delivery()

    def refused():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(sender._spool, "inherit", refused)
    sender.add([batch("one")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert (sender.broken, "statistics spool not read: reason=RuntimeError" in caplog.text) == (1, True)


async def test_an_unreadable_folder_is_logged_once_and_retried(delivery, ledger, folder, monkeypatch, caplog):
    monkeypatch.setattr(deliveries, "_LOOK_S", 0.001)
    for name in ("one", "two"):
        killed = delivery()
        killed.add([batch(name)], 90.0)
        await killed.save()
        killed._spool.close()
    lock = files(folder)[0].parent / "lock"
    lock.unlink()
    lock.mkdir()
    successor = delivery()
    looks, inherit = itertools.count(1), successor._spool.inherit
    often, loop = asyncio.Event(), asyncio.get_running_loop()

    def looked():
        if next(looks) > 3:
            loop.call_soon_threadsafe(often.set)
        return inherit()

    monkeypatch.setattr(successor._spool, "inherit", looked)
    running = asyncio.ensure_future(successor.run())
    await asyncio.wait_for(often.wait(), 20)
    await ledger.until(lambda: ledger.taken)
    assert (list(ledger.taken), successor.broken) == (["two"], 1)
    lock.rmdir()
    await ledger.until(lambda: "one" in ledger.taken)
    running.cancel()
    assert successor.broken == 0
    assert caplog.text.count(f"spool file not read, retried each minute: path={lock.parent} reason=Is a directory") == 1


async def test_batches_of_a_process_killed_meanwhile_are_inherited(delivery, ledger, monkeypatch):
    monkeypatch.setattr(deliveries, "_LOOK_S", 0.001)
    successor, living = delivery(), delivery()
    living.add([batch("one")], 90.0)
    await living.save()
    running = asyncio.ensure_future(successor.run())
    living._spool.close()  # as the kernel does
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert list(ledger.taken) == ["one"]


async def test_an_unremovable_file_is_logged_and_counts_once(delivery, ledger, folder, monkeypatch, caplog):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    sender = delivery()
    sender.add([batch("one")], 90.0)
    await sender.save()
    with monkeypatch.context() as broken:
        broken.setattr(sender._spool, "remove", forbidden)
        assert await sender.settle(1.0) == 0
    assert "spool file not removed: reason=Permission denied" in caplog.text
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: len(ledger.offered) == 2)
    running.cancel()
    assert sum(ledger.total.values()) == 1

"""Batches reach the ledger once, whatever happens on the way."""

import asyncio
import itertools
from collections import Counter, deque

import pytest

from relay.domain.ledger import Unreachable
from relay.domain.statistics import Batch, Line
from relay.infra.statistics import delivery as deliveries
from relay.infra.statistics.delivery import FREE_MOST, LINES_MOST, Delivery
from relay.infra.statistics.spool import Spool

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


class Ledger:
    """Takes a batch once. `misfortunes` befall the next offers: "refuses", "takes silently", "hangs"."""

    def __init__(self):
        self.taken, self.offered, self.misfortunes = {}, [], deque()
        self.always, self.told = "", asyncio.Condition()

    async def take(self, batch, _now):
        self.offered.append(batch.batch_id)
        misfortune = self.misfortunes.popleft() if self.misfortunes else self.always
        async with self.told:
            if misfortune in {"", "takes silently"}:
                self.taken.setdefault(batch.batch_id, dict(batch.counts))
            self.told.notify_all()
        if misfortune == "hangs":
            await asyncio.Event().wait()
        if misfortune:
            raise Unreachable("away")
        return True

    @property
    def total(self):
        return sum((Counter(counts) for counts in self.taken.values()), Counter())

    async def until(self, reached):
        async with asyncio.timeout(20), self.told:
            await self.told.wait_for(reached)


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
    """Makes the delivery of one more process."""
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


async def test_batches_go_in_order_and_nothing_waits_afterwards(delivery, ledger):
    way = delivery()
    way.add([batch("one", 3), batch("two")], 90.0)
    assert (way.waiting, way.since, way.idle) == (4, 90.0, False)
    running = asyncio.ensure_future(way.run())
    await ledger.until(lambda: len(ledger.taken) == 2)
    assert await way.settle(1.0) == 0
    running.cancel()
    assert (ledger.offered, way.waiting, way.since, way.idle) == (["one", "two"], 0, None, True)


@pytest.mark.parametrize("misfortune", ["refuses", "takes silently"])
async def test_what_was_not_acknowledged_is_offered_again_under_its_id_before_everything_else(
    delivery, ledger, misfortune, caplog
):
    way = delivery()
    ledger.misfortunes += [misfortune] * 3
    way.add([batch("one"), batch("two")], 90.0)
    running = asyncio.ensure_future(way.run())
    await ledger.until(lambda: "two" in ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one", "one", "one", "two"]
    assert ledger.total == {LINE._replace(provider="ZBAA000000"): 2}
    assert way.failures == 3
    assert caplog.messages == []  # the outage of the ledger is logged by itself


async def test_a_ledger_that_hangs_is_given_up_and_asked_again(delivery, ledger, monkeypatch):
    monkeypatch.setattr(deliveries, "_TAKE_S", 0.01)
    way = delivery()
    ledger.misfortunes.append("hangs")
    way.add([batch("one")], 90.0)
    running = asyncio.ensure_future(way.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one"]


async def test_what_waits_is_kept_on_disk_once_and_goes_from_there_when_it_is_taken(delivery, ledger, folder):
    way = delivery()
    ledger.always = "refuses"
    way.add([batch("one")], 90.0)
    assert not await way._offer()
    await way.keep()
    way.add([batch("two")], 91.0)
    await way.keep()
    await way.keep()
    assert len(files(folder)) == 2
    ledger.always = ""
    assert await way.settle(1.0) == 0
    assert list(folder.iterdir()) == []


async def test_who_comes_after_a_kill_offers_what_stands_on_disk_under_its_own_ids_first(delivery, ledger):
    killed = delivery()
    ledger.always = "takes silently"
    killed.add([batch("one"), batch("two", 5)], 90.0)
    await killed._offer()
    await killed.keep()
    killed._spool.close()  # as the kernel does
    ledger.always = ""
    heir = delivery()
    heir.add([batch("three")], 95.0)
    running = asyncio.ensure_future(heir.run())
    await ledger.until(lambda: "three" in ledger.taken)
    running.cancel()
    assert ledger.offered == ["one", "one", "two", "three"]
    assert sum(ledger.total.values()) == 7


async def test_a_broken_file_is_told_and_counted_and_the_others_go(delivery, ledger, folder, caplog):
    killed = delivery()
    for name in ("one", "two"):
        killed.add([batch(name)], 90.0)
        await killed.keep()
    killed._spool.close()
    broken = files(folder)[0]
    broken.write_text("{")
    heir = delivery()
    running = asyncio.ensure_future(heir.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert (list(ledger.taken), heir.broken) == (["two"], 1)
    assert f"a file of the spool is broken and was set aside: {broken.with_suffix('.bad')}" in caplog.text


@pytest.mark.parametrize("disk", ["well", "full"])
async def test_too_much_that_nobody_has_seen_is_merged_and_what_was_offered_is_not(
    delivery, ledger, folder, disk, monkeypatch, caplog
):
    way = delivery()
    if disk == "full":
        monkeypatch.setattr(way._spool, "keep", full)
    ledger.always = "takes silently"
    way.add([batch("first")], 90.0)
    await way._offer()
    for number in range(4 * FREE_MOST):
        way.add([batch(f"batch-{number}", 2, lines=3)], 91.0)
        await way.keep()
        assert len(way._free) <= FREE_MOST + 2
    assert (way.waiting, way._offered[0].batch.batch_id) == (1 + 4 * FREE_MOST * 6, "first")
    assert len(files(folder)) <= FREE_MOST + 2
    ledger.always = ""
    assert await way.settle(5.0) == 0
    assert sum(ledger.total.values()) == 1 + 4 * FREE_MOST * 6
    assert caplog.text.count("kept in memory only") == (disk == "full")


def full(*_):
    raise OSError(28, "No space left on device")


async def test_what_is_merged_is_cut_into_batches_of_a_size_the_ledger_takes_at_once(delivery, ledger):
    way = delivery()
    for number in range(FREE_MOST + 1):
        way.add([Batch(f"{number}", {LINE._replace(client_id=f"{number} {at}"): 1 for at in range(100)})], 90.0)
    await way.keep()
    sizes = [len(one.batch.counts) for one in way._free]
    assert (sum(sizes), max(sizes)) == (100 * (FREE_MOST + 1), LINES_MOST)


async def test_what_is_on_disk_and_what_is_not_are_never_merged_with_each_other(delivery, folder, monkeypatch):
    way = delivery()
    way.add([batch(f"kept-{number}") for number in range(FREE_MOST)], 90.0)
    await way.keep()
    with monkeypatch.context() as broken:
        broken.setattr(way._spool, "keep", full)
        way.add([batch(f"loose-{number}") for number in range(FREE_MOST + 1)], 91.0)
        await way.keep()
    kept = [one for one in way._free if one.kept]
    assert [one.batch.batch_id for one in kept] == [f"kept-{number}" for number in range(FREE_MOST)]
    assert [one.size for one in way._free if not one.kept] == [FREE_MOST + 1]


async def test_a_batch_taken_while_it_is_written_does_not_stay_on_disk(delivery, ledger, folder, monkeypatch):
    way = delivery()
    way.add([batch("one")], 90.0)
    keep, loop = way._spool.keep, asyncio.get_running_loop()

    def slowly(*what):
        keep(*what)
        asyncio.run_coroutine_threadsafe(way._offer(), loop).result(10)

    monkeypatch.setattr(way._spool, "keep", slowly)
    await way.keep()
    assert (files(folder), way.idle) == ([], True)


async def test_a_keeper_that_is_cancelled_parts_neither_memory_nor_disk(delivery, ledger, folder):
    way = delivery()
    ledger.always = "refuses"
    way.add([batch(f"{number}") for number in range(FREE_MOST + 1)], 90.0)
    keeping = asyncio.ensure_future(way.keep())
    await asyncio.sleep(0)
    keeping.cancel()
    assert await way.settle(1.0) == FREE_MOST + 1
    ledger.always = ""
    heir = delivery()
    running = asyncio.ensure_future(heir.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert sum(ledger.total.values()) == FREE_MOST + 1


@pytest.mark.parametrize(("disk", "said"), [("well", "of 3 exchanges wait in the spool; of 0"), ("full", "of 0 exch")])
async def test_the_end_says_what_waits_and_what_is_lost(delivery, ledger, disk, said, monkeypatch, caplog):
    way = delivery()
    if disk == "full":
        monkeypatch.setattr(way._spool, "keep", full)
    ledger.always = "refuses"
    way.add([batch("one", 3)], 90.0)
    assert await way.settle(1.0) == 3
    assert said in caplog.text


async def test_the_end_takes_no_longer_than_it_may(delivery, ledger):
    way = delivery()
    ledger.always = "hangs"
    way.add([batch("one")], 90.0)
    assert await way.settle(0.05) == 1


async def test_a_machine_that_gives_no_thread_keeps_nothing_from_going(delivery, ledger, monkeypatch, caplog):
    way = delivery()

    def refused():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(way._spool, "inherit", refused)
    way.add([batch("one")], 90.0)
    running = asyncio.ensure_future(way.run())
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert (way.broken, "the spool of statistics cannot be read (RuntimeError)" in caplog.text) == (1, True)


async def test_what_cannot_be_read_is_told_once_counted_and_tried_again(delivery, ledger, folder, monkeypatch, caplog):
    monkeypatch.setattr(deliveries, "_LOOK_S", 0.001)
    for name in ("one", "two"):
        killed = delivery()
        killed.add([batch(name)], 90.0)
        await killed.keep()
        killed._spool.close()
    lock = files(folder)[0].parent / "lock"
    lock.unlink()
    lock.mkdir()
    heir = delivery()
    looks, inherit = itertools.count(1), heir._spool.inherit
    often, loop = asyncio.Event(), asyncio.get_running_loop()

    def looked():
        if next(looks) > 3:
            loop.call_soon_threadsafe(often.set)
        return inherit()

    monkeypatch.setattr(heir._spool, "inherit", looked)
    running = asyncio.ensure_future(heir.run())
    await asyncio.wait_for(often.wait(), 20)
    await ledger.until(lambda: ledger.taken)
    assert (list(ledger.taken), heir.broken) == (["two"], 1)
    lock.rmdir()
    await ledger.until(lambda: "one" in ledger.taken)
    running.cancel()
    assert heir.broken == 0
    assert caplog.text.count(f"cannot be read from the spool: {lock.parent} (Is a directory)") == 1


async def test_who_dies_meanwhile_is_inherited(delivery, ledger, monkeypatch):
    monkeypatch.setattr(deliveries, "_LOOK_S", 0.001)
    heir, living = delivery(), delivery()
    living.add([batch("one")], 90.0)
    await living.keep()
    running = asyncio.ensure_future(heir.run())
    living._spool.close()  # as the kernel does
    await ledger.until(lambda: ledger.taken)
    running.cancel()
    assert list(ledger.taken) == ["one"]


async def test_a_file_that_cannot_be_removed_is_told_and_its_batch_counts_once(
    delivery, ledger, folder, monkeypatch, caplog
):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    way = delivery()
    way.add([batch("one")], 90.0)
    await way.keep()
    with monkeypatch.context() as broken:
        broken.setattr(way._spool, "done", forbidden)
        assert await way.settle(1.0) == 0
    assert "cannot be removed (Permission denied)" in caplog.text
    heir = delivery()
    running = asyncio.ensure_future(heir.run())
    await ledger.until(lambda: len(ledger.offered) == 2)
    running.cancel()
    assert sum(ledger.total.values()) == 1

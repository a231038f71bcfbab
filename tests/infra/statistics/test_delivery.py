"""Delivery of batches to the ledger: exactly once, with every failure."""

import asyncio
import itertools

import pytest

from relay.domain.statistics import Batch, Line
from relay.infra.statistics.delivery import MAX_FREE, MAX_LINES, Delivery, DeliveryOptions
from relay.infra.statistics.spool import Spool

LINE = Line("20261122", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def process(ledger, folder, clock):
    """Returns a function that makes one more process. Returns its delivery and its spool."""
    numbers = itertools.count(1)

    def new_id():
        return f"new-{next(numbers)}"

    def make(**options):
        spool = Spool(folder, new_id)
        options = DeliveryOptions(pause_s=0.001, max_pause_s=0.002, **options)
        return Delivery(ledger.take, spool, clock, lambda: 1_800_000_000.0, new_id, options), spool

    return make


@pytest.fixture
def delivery(process):
    """Returns a function that makes the delivery of one more process."""
    return lambda **options: process(**options)[0]


def batch(name, count=1, lines=1):
    return Batch(name, {LINE._replace(provider=f"ZBAA{at:06}"): count for at in range(lines)})


def files(folder):
    return sorted(folder.glob("*/*.jsonl"))


async def test_batches_are_delivered_in_order(delivery, ledger):
    sender = delivery()
    sender.add([batch("one", 3), batch("two")], 90.0)
    assert (sender.waiting, sender.since, sender.is_idle) == (4, 90.0, False)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: len(ledger.batches) == 2)
    assert await sender.settle(1.0) == 0
    running.cancel()
    assert (ledger.offered, sender.waiting, sender.since, sender.is_idle) == (["one", "two"], 0, None, True)


def many_counts(lines):
    return {LINE._replace(client_id=f"{number}"): 2 for number in range(lines)}


async def test_many_counts_are_added_a_batch_in_each_turn_of_the_loop(delivery):
    sender, added = delivery(), []
    adding = asyncio.ensure_future(sender.add_counts(many_counts(4 * MAX_LINES), {}, 90.0))
    while not adding.done():
        await asyncio.sleep(0)
        added.append(len(sender.batches))
        assert sender.waiting == 8 * MAX_LINES
    assert set(added) >= {0, 1, 2, 3, 4}
    assert [len(batch.counts) for batch in sender.batches] == [MAX_LINES] * 4


async def test_a_cancelled_caller_loses_no_counts(delivery, ledger):
    sender = delivery()
    adding = asyncio.ensure_future(sender.add_counts(many_counts(4 * MAX_LINES), {}, 90.0))
    for _ in range(3):
        await asyncio.sleep(0)
    assert 0 < len(sender.batches) < 4
    adding.cancel()
    assert await sender.settle(5.0) == 0
    assert sum(ledger.counts.values()) == 8 * MAX_LINES


@pytest.mark.parametrize("failure", ["refuses", "takes silently"])
async def test_an_unacknowledged_batch_is_offered_again_first(delivery, ledger, failure, caplog):
    sender = delivery()
    ledger.failures += [failure] * 3
    sender.add([batch("one"), batch("two")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: "two" in ledger.batches)
    running.cancel()
    assert ledger.offered == ["one", "one", "one", "one", "two"]
    assert ledger.counts == {LINE._replace(provider="ZBAA000000"): 2}
    assert sender.failures == 3
    assert caplog.messages == []  # the ledger logs its outage itself


async def test_a_hanging_ledger_is_retried(delivery, ledger):
    sender = delivery(take_s=0.01)
    ledger.failures.append("hangs")
    sender.add([batch("one")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: ledger.batches)
    running.cancel()
    assert ledger.offered == ["one", "one"]


async def test_a_waiting_batch_is_written_once_and_removed_when_taken(delivery, ledger, folder):
    sender = delivery()
    ledger.failure = "refuses"
    sender.add([batch("one")], 90.0)
    assert not await sender.offer()
    await sender.save()
    sender.add([batch("two")], 91.0)
    await sender.save()
    await sender.save()
    assert len(files(folder)) == 2
    ledger.failure = ""
    assert await sender.settle(1.0) == 0
    assert list(folder.iterdir()) == []


async def test_batches_of_a_killed_process_are_delivered_by_the_next(process, delivery, ledger):
    killed, spool = process()
    ledger.failure = "takes silently"
    killed.add([batch("one"), batch("two", 5)], 90.0)
    await killed.offer()
    await killed.save()
    spool.close()  # as the kernel does
    ledger.failure = ""
    successor = delivery()
    successor.add([batch("three")], 95.0)
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: "three" in ledger.batches)
    running.cancel()
    assert ledger.offered == ["one", "one", "two", "three"]
    assert sum(ledger.counts.values()) == 7


async def test_a_broken_file_is_logged_and_counted_and_others_go(process, delivery, ledger, folder, caplog):
    killed, spool = process()
    for name in ("one", "two"):
        killed.add([batch(name)], 90.0)
        await killed.save()
    spool.close()
    broken = files(folder)[0]
    broken.write_text("{")
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: ledger.batches)
    running.cancel()
    assert (list(ledger.batches), successor.broken) == (["two"], 1)
    assert f"spool file broken and set aside, reconcile its day: path={broken.with_suffix('.bad')} " in caplog.text


@pytest.mark.parametrize("disk", ["well", "full"])
async def test_too_many_free_batches_are_merged_but_no_offered_ones(process, ledger, folder, disk, monkeypatch, caplog):
    sender, spool = process()
    if disk == "full":
        monkeypatch.setattr(spool, "write", full)
    ledger.failure = "takes silently"
    sender.add([batch("first")], 90.0)
    await sender.offer()
    for number in range(4 * MAX_FREE):
        sender.add([batch(f"batch-{number}", 2, lines=3)], 91.0)
        await sender.save()
        assert len(sender.batches) <= 1 + MAX_FREE + 2
    assert (sender.waiting, sender.batches[0].batch_id) == (1 + 4 * MAX_FREE * 6, "first")
    assert len(files(folder)) <= MAX_FREE + 2
    ledger.failure = ""
    assert await sender.settle(5.0) == 0
    assert sum(ledger.counts.values()) == 1 + 4 * MAX_FREE * 6
    line = "statistics in memory only, spool not written: setting=statistics.spool path="
    assert caplog.text.count(line) == (disk == "full")


def full(*_):
    raise OSError(28, "No space left on device")


async def test_merged_batches_are_split_to_the_ledgers_size(delivery, ledger):
    sender = delivery()
    for number in range(MAX_FREE + 1):
        sender.add([Batch(f"{number}", {LINE._replace(client_id=f"{number} {at}"): 1 for at in range(100)})], 90.0)
    await sender.save()
    sizes = [len(merged.counts) for merged in sender.batches]
    assert (sum(sizes), max(sizes)) == (100 * (MAX_FREE + 1), MAX_LINES)


async def test_saved_and_unsaved_batches_are_never_merged(process, monkeypatch):
    sender, spool = process()
    sender.add([batch(f"kept-{number}") for number in range(MAX_FREE)], 90.0)
    await sender.save()
    with monkeypatch.context() as broken:
        broken.setattr(spool, "write", full)
        sender.add([batch(f"loose-{number}") for number in range(MAX_FREE + 1)], 91.0)
        await sender.save()
    *kept, merged = sender.batches
    assert [batch.batch_id for batch in kept] == [f"kept-{number}" for number in range(MAX_FREE)]
    assert sum(merged.counts.values()) == MAX_FREE + 1


async def test_a_batch_taken_while_it_is_written_leaves_the_disk(process, folder, monkeypatch):
    sender, spool = process()
    sender.add([batch("one")], 90.0)
    write, loop = spool.write, asyncio.get_running_loop()

    def slowly(*arguments):
        write(*arguments)
        asyncio.run_coroutine_threadsafe(sender.offer(), loop).result(10)

    monkeypatch.setattr(spool, "write", slowly)
    await sender.save()
    assert (files(folder), sender.is_idle) == ([], True)


async def test_a_cancelled_save_keeps_memory_and_disk_consistent(delivery, ledger, folder):
    sender = delivery()
    ledger.failure = "refuses"
    sender.add([batch(f"{number}") for number in range(MAX_FREE + 1)], 90.0)
    keeping = asyncio.ensure_future(sender.save())
    await asyncio.sleep(0)
    keeping.cancel()
    assert await sender.settle(1.0) == MAX_FREE + 1
    ledger.failure = ""
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: ledger.batches)
    running.cancel()
    assert sum(ledger.counts.values()) == MAX_FREE + 1


@pytest.mark.parametrize(("disk", "message"), [("well", "spooled=3 lost=0"), ("full", "spooled=0 lost=3")])
async def test_the_end_logs_spooled_and_lost_exchanges(process, ledger, disk, message, monkeypatch, caplog):
    sender, spool = process()
    if disk == "full":
        monkeypatch.setattr(spool, "write", full)
    ledger.failure = "refuses"
    sender.add([batch("one", 3)], 90.0)
    assert await sender.settle(1.0) == 3
    assert message in caplog.text


async def test_the_end_keeps_its_time_limit(delivery, ledger):
    sender = delivery()
    ledger.failure = "hangs"
    sender.add([batch("one")], 90.0)
    assert await sender.settle(0.05) == 1


async def test_a_machine_without_threads_still_delivers(process, ledger, monkeypatch, caplog):
    sender, spool = process()

    def refused():
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(spool, "inherit", refused)
    sender.add([batch("one")], 90.0)
    running = asyncio.ensure_future(sender.run())
    await ledger.until(lambda: ledger.batches)
    running.cancel()
    assert (sender.broken, "statistics spool not read: reason=RuntimeError" in caplog.text) == (1, True)


async def test_an_unreadable_folder_is_logged_once_and_retried(process, ledger, folder, monkeypatch, caplog):
    for name in ("one", "two"):
        killed, spool = process()
        killed.add([batch(name)], 90.0)
        await killed.save()
        spool.close()
    lock = files(folder)[0].parent / "lock"
    lock.unlink()
    lock.mkdir()
    successor, spool = process(look_s=0.001)
    looks, inherit = itertools.count(1), spool.inherit
    often, loop = asyncio.Event(), asyncio.get_running_loop()

    def looked():
        if next(looks) > 3:
            loop.call_soon_threadsafe(often.set)
        return inherit()

    monkeypatch.setattr(spool, "inherit", looked)
    running = asyncio.ensure_future(successor.run())
    await asyncio.wait_for(often.wait(), 20)
    await ledger.until(lambda: ledger.batches)
    assert (list(ledger.batches), successor.broken) == (["two"], 1)
    lock.rmdir()
    await ledger.until(lambda: "one" in ledger.batches)
    running.cancel()
    assert successor.broken == 0
    assert caplog.text.count(f"spool file not read, retried each minute: path={lock.parent} reason=Is a directory") == 1


async def test_batches_of_a_process_killed_meanwhile_are_inherited(process, delivery, ledger):
    successor, (living, spool) = delivery(look_s=0.001), process()
    living.add([batch("one")], 90.0)
    await living.save()
    running = asyncio.ensure_future(successor.run())
    spool.close()  # as the kernel does
    await ledger.until(lambda: ledger.batches)
    running.cancel()
    assert list(ledger.batches) == ["one"]


async def test_an_unremovable_file_is_logged_and_counts_once(process, delivery, ledger, monkeypatch, caplog):
    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    sender, spool = process()
    sender.add([batch("one")], 90.0)
    await sender.save()
    with monkeypatch.context() as broken:
        broken.setattr(spool, "remove", forbidden)
        assert await sender.settle(1.0) == 0
    assert "spool file not removed: reason=Permission denied" in caplog.text
    successor = delivery()
    running = asyncio.ensure_future(successor.run())
    await ledger.until(lambda: len(ledger.offered) == 2)
    running.cancel()
    assert sum(ledger.counts.values()) == 1

"""A gateway's process is killed with SIGKILL: acknowledged counts are kept, and none is doubled."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from relay.infra.ledger import upgrading
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import create_ledger
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import Delivery
from relay.infra.statistics.spool import Spool
from relay.policy.call.access import Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

PROCESS = Path(__file__).with_name("counting_process.py")
FLUSH_S = 0.2
LOST_MOST_S = 1.0


class CountingProcess:
    """A process that counts for its own operator, its output, and how to kill it."""

    def __init__(self, ledger, spool, operator):
        self.operator = operator
        command = [sys.executable, str(PROCESS), f"sqlite:{ledger}", str(spool), str(FLUSH_S), operator]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.recorded, self.acknowledged = [(0, 0.0)], {}

    def read_line(self):
        """Reads one line of output. Returns False at the end."""
        words = self.process.stdout.readline().split()
        if len(words) == 3 and words[0] == "R":
            self.recorded.append((int(words[1]), float(words[2])))
        elif len(words) == 3:
            self.acknowledged[words[1]] = int(words[2])
        return bool(words)

    def until(self, reached):
        while not reached():
            assert self.read_line(), "it ended by itself"

    def kill(self):
        self.process.kill()
        while self.read_line():
            pass
        self.process.stdout.close()
        self.process.wait()

    def lost_s(self, counted):
        """Returns the age of the oldest lost exchange when this many were counted."""
        moments = [moment for number, moment in self.recorded if number > counted]
        return moments[-1] - moments[0] if moments else 0.0


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    asyncio.run(upgrading.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture
def ledger(template, tmp_path):
    return Path(shutil.copy(template, tmp_path / "ledger.db"))


@pytest.fixture
def counting(ledger, tmp_path):
    """Returns a function that starts counting processes; they are killed after the test."""
    processes = []

    def start():
        processes.append(CountingProcess(ledger, tmp_path / "spool", f"ZOPA{len(processes):06}"))
        return processes[-1]

    yield start
    for process in processes:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture
def settle(ledger, tmp_path):
    """Inherits the spool. Returns the ledger's counts by operator and institution, and the ids of batches."""

    async def settled():
        opened = create_ledger(f"sqlite:{ledger}", Sealer([CustomerKey("one", b"1" * 32)]), 2)
        counting = Counting(load_catalogue(), load_rsp_codes(), ())
        delivery = Delivery(opened.statistics.take_batch, Spool(tmp_path / "spool"))
        successor = StatisticsCounter(counting, lambda: Callers.from_iterable(()), delivery)
        await delivery.inherit()
        assert await successor.settle() == 0
        counts = defaultdict(Counter)
        for line, count in await opened.statistics.counts("0", "9"):
            counts[line.operator][int(line.provider[-1])] += count
        await opened.close()
        return counts

    def batches():
        with closing(sqlite3.connect(ledger)) as rows:
            return {batch_id for (batch_id,) in rows.execute("select batch_id from statistics_batches")}

    return lambda: (asyncio.run(settled()), batches())


def check_killed(process, counts, batches):
    """Checks a killed process: the first exchanges counted, each once, all acknowledged ones, few lost."""
    counted = counts[process.operator].total()
    assert counts[process.operator] == Counter(number % 7 for number in range(counted))
    assert set(process.acknowledged) <= batches
    assert sum(process.acknowledged.values()) <= counted
    assert process.lost_s(counted) <= LOST_MOST_S
    return True


@pytest.fixture
def locked(ledger):
    """Returns a context manager that locks the ledger for writing."""

    @contextmanager
    def holding():
        with closing(sqlite3.connect(ledger, isolation_level=None)) as writer:
            writer.execute("begin immediate")
            yield
            writer.execute("rollback")

    return holding


@pytest.mark.parametrize(("acknowledged", "more"), [(1, 3), (3, 30)])
def test_a_kill_loses_under_a_second_and_nothing_acknowledged(counting, settle, acknowledged, more):
    process = counting()
    process.until(lambda: len(process.acknowledged) >= acknowledged)
    lines = len(process.recorded)
    process.until(lambda: len(process.recorded) >= lines + more)
    process.kill()
    assert check_killed(process, *settle())


def test_a_kill_while_the_ledger_is_locked_loses_as_little(counting, settle, locked):
    process = counting()
    process.until(lambda: process.acknowledged)
    with locked():
        start = process.recorded[-1][1]
        process.until(lambda: process.recorded[-1][1] > start + 8 * FLUSH_S)
        process.kill()
    counts, batches = settle()
    assert check_killed(process, counts, batches)
    assert counts[process.operator].total() > sum(process.acknowledged.values())


def test_counts_of_killed_processes_reach_the_ledger_later(counting, settle, locked):
    with locked():
        killed = [counting(), counting()]
        for process in killed:
            process.until(
                lambda process=process: (
                    process.recorded[-1][1] > process.recorded[min(1, len(process.recorded) - 1)][1] + 1.0
                )
            )
            process.kill()
    counts, batches = settle()
    assert all(check_killed(process, counts, batches) and counts[process.operator] for process in killed)
    assert not any(process.acknowledged for process in killed)

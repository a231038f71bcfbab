"""A gateway's process is killed as hard as can be: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from relay.infra.ledger import schema
from relay.infra.ledger.database.sealing import CustomerKey, Sealer
from relay.infra.ledger.sql_ledger import open_ledger
from relay.infra.statistics.counter import Tally
from relay.policy.call.access import Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

PROCESS = Path(__file__).with_name("counting_process.py")
FLUSH_S = 0.2
LOST_MOST_S = 1.0


class Killed:
    """A process that counts for an operator of its own, what it said, and its death."""

    def __init__(self, ledger, spool, operator):
        self.operator = operator
        command = [sys.executable, str(PROCESS), f"sqlite:{ledger}", str(spool), str(FLUSH_S), operator]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.recorded, self.acknowledged = [(0, 0.0)], {}

    def hear(self):
        """One thing it says; False at its end."""
        words = self.process.stdout.readline().split()
        if len(words) == 3 and words[0] == "R":
            self.recorded.append((int(words[1]), float(words[2])))
        elif len(words) == 3:
            self.acknowledged[words[1]] = int(words[2])
        return bool(words)

    def until(self, reached):
        while not reached():
            assert self.hear(), "it ended by itself"

    def kill(self):
        self.process.kill()
        while self.hear():
            pass
        self.process.stdout.close()
        self.process.wait()

    def lost_s(self, counted):
        """How old the oldest was of what it took with it, if so many were counted."""
        moments = [moment for number, moment in self.recorded if number > counted]
        return moments[-1] - moments[0] if moments else 0.0


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    asyncio.run(schema.upgrade(f"sqlite:{path}"))
    return path


@pytest.fixture
def ledger(template, tmp_path):
    return Path(shutil.copy(template, tmp_path / "ledger.db"))


@pytest.fixture
def counting(ledger, tmp_path):
    """Begins processes that count; none of them lives on."""
    begun = []

    def begin():
        begun.append(Killed(ledger, tmp_path / "spool", f"ZOPA{len(begun):06}"))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def settle(ledger, tmp_path):
    """What the ledger has after somebody inherited the spool: by operator and institution, and the ids of batches."""

    async def settled():
        opened = await open_ledger(f"sqlite:{ledger}", Sealer([CustomerKey("one", b"1" * 32)]), 2)
        counting = Counting(load_catalogue(), load_rsp_codes(), ())
        heir = Tally(counting, lambda: Callers.of(()), opened.statistics.take_batch, tmp_path / "spool")
        await heir._delivery._inherit()
        assert await heir.settle() == 0
        found = defaultdict(Counter)
        for line, count in await opened.statistics.counts("0", "9"):
            found[line.operator][int(line.provider[-1])] += count
        await opened.close()
        return found

    def batches():
        with closing(sqlite3.connect(ledger)) as rows:
            return {batch_id for (batch_id,) in rows.execute("select batch_id from statistics_batches")}

    return lambda: (asyncio.run(settled()), batches())


def bore(one, found, batches):
    """A killed process left what it should: the first it counted, each once, all that was acknowledged, few lost."""
    counted = found[one.operator].total()
    assert found[one.operator] == Counter(number % 7 for number in range(counted))
    assert set(one.acknowledged) <= batches
    assert sum(one.acknowledged.values()) <= counted
    assert one.lost_s(counted) <= LOST_MOST_S
    return True


@pytest.fixture
def held(ledger):
    """Holds the ledger, so that nobody else writes into it."""

    @contextmanager
    def holding():
        with closing(sqlite3.connect(ledger, isolation_level=None)) as writer:
            writer.execute("begin immediate")
            yield
            writer.execute("rollback")

    return holding


@pytest.mark.parametrize(("acknowledged", "more"), [(1, 3), (3, 30)])
def test_a_kill_loses_less_than_a_second_and_nothing_acknowledged_and_doubles_nothing(
    counting, settle, acknowledged, more
):
    one = counting()
    one.until(lambda: len(one.acknowledged) >= acknowledged)
    heard = len(one.recorded)
    one.until(lambda: len(one.recorded) >= heard + more)
    one.kill()
    assert bore(one, *settle())


def test_a_kill_while_the_ledger_takes_nothing_loses_as_little(counting, settle, held):
    one = counting()
    one.until(lambda: one.acknowledged)
    with held():
        begun = one.recorded[-1][1]
        one.until(lambda: one.recorded[-1][1] > begun + 8 * FLUSH_S)
        one.kill()
    found, batches = settle()
    assert bore(one, found, batches)
    assert found[one.operator].total() > sum(one.acknowledged.values())


def test_processes_that_never_reached_the_ledger_leave_what_they_counted_to_who_comes(counting, settle, held):
    with held():
        killed = [counting(), counting()]
        for one in killed:
            one.until(lambda one=one: one.recorded[-1][1] > one.recorded[min(1, len(one.recorded) - 1)][1] + 1.0)
            one.kill()
    found, batches = settle()
    assert all(bore(one, found, batches) and found[one.operator] for one in killed)
    assert not any(one.acknowledged for one in killed)

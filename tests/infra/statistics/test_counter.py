"""Exchanges are counted once, attributed as far as possible, and reach the ledger."""

import asyncio
import threading
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.domain.party import Operator, Service
from relay.domain.statistics import Line, Pulse
from relay.infra.records.metrics import GAUGES
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import Delivery, DeliveryOptions
from relay.infra.statistics.spool import Spool
from relay.policy.call.access import Caller, Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

COUNTING = Counting(load_catalogue(), load_rsp_codes(), {"invalid_grant"})
FAST = DeliveryOptions(pause_s=0.001, max_free=3)
"""Short pauses; batches are merged in short runs too."""
NIGHT = 1_800_000_000.0
"""15 January 2027, 17:00 in Korea."""
LINE = Line("20270115", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


def callers(**services):
    parties = [
        Operator(name, "x", name, ("192.0.2.1",), tuple(Service(service, "x", name) for service in named))
        for name, named in services.items()
    ]
    return Callers.from_iterable(map(Caller.from_operator, parties))


def closed(**changes):
    exchange = Exchange(0.0, changes.pop("received", NIGHT))
    good = {"provider": "ZBAA000001", "operator": "ZOPA000001", "client_id": "SVC1", "industry": "bank"}
    good |= {"api_code": "BA01", "status": 200, "rsp_code": "00000", "provider_status": 200}
    for name, value in (good | changes).items():
        setattr(exchange, name, value)
    exchange.close(0.25)
    return exchange


@pytest.fixture
def known():
    """Returns the callers, which a test may replace."""
    return {"callers": callers(ZOPA000001=["SVC1"], ZOPA000002=["A", "B"])}


@pytest.fixture
def clock():
    return {"now": 100.0}


@pytest.fixture
def make_counter(ledger, known, clock, tmp_path):
    """Returns a function that makes the counter of one more process."""

    def make(spool=None):
        delivery = Delivery(
            ledger.take, spool or Spool(tmp_path / "spool"), lambda: clock["now"], lambda: NIGHT, options=FAST
        )
        return StatisticsCounter(COUNTING, lambda: known["callers"], delivery, lambda: clock["now"])

    return make


async def test_counts_are_in_the_ledger_after_a_clean_stop(make_counter, ledger):
    counter = make_counter()
    counter.count([closed(), closed(), closed(status=401, rsp_code="40101", provider_status=0)])
    counter.count([closed()])
    assert (counter.waiting, await counter.settle(), counter.waiting) == (4, 0, 0)
    assert ledger.counts == {LINE: 3, LINE._replace(outcome="401_40101"): 1}
    assert len(ledger.batches) == 1


async def test_the_counter_flushes_until_it_is_stopped(make_counter, ledger):
    counter, stop = make_counter(), asyncio.Event()
    following = asyncio.ensure_future(counter.run(0.01, stop))
    for rounds in range(1, 4):
        counter.count([closed()])
        await ledger.until(lambda rounds=rounds: ledger.counts[LINE] == rounds)
    stop.set()
    await following
    assert (len(ledger.batches), await counter.settle()) == (3, 0)


async def test_without_counts_nothing_is_sent(make_counter, ledger):
    counter = make_counter()
    await counter.flush()
    assert (await counter.settle(), ledger.batches, counter.behind) == (0, {}, 0.0)


async def test_the_only_service_of_an_operator_is_attributed(make_counter, ledger, known):
    counter = make_counter()
    refused = {"client_id": "", "status": 401, "rsp_code": "40101", "provider_status": 0}
    single, several, unknown = (closed(operator=f"ZOPA00000{at}", **refused) for at in (1, 2, 3))
    counter.count([single, several, unknown])
    assert [single.client_id, several.client_id, unknown.client_id] == ["SVC1", "", ""]
    known["callers"] = callers(ZOPA000001=["SVC1", "SVC2"], ZOPA000002=["B"])
    again = [closed(operator=f"ZOPA00000{at}", **refused) for at in (1, 2)]
    counter.count(again)
    assert [exchange.client_id for exchange in again] == ["", "B"]
    await counter.settle()
    assert sum(ledger.counts.values()) == 5


async def test_unattributed_exchanges_are_counted_separately(make_counter, ledger):
    counter = make_counter()
    counter.count(
        [closed(provider=""), closed(operator=""), closed(api_code=""), closed(api_code="지원-103"), closed()]
    )
    await counter.settle()
    assert (counter.unattributed, ledger.counts) == (3, {LINE: 1})


async def test_the_pulse_of_an_institution_is_sent_along(make_counter, ledger):
    def make_exchange(org_code, second, reason="", provider_status=200):
        return closed(provider=org_code, received=NIGHT + second, reason=reason, provider_status=provider_status)

    counter = make_counter()
    counter.count(
        [
            make_exchange("ZBAA000001", 1),
            make_exchange("ZBAA000001", 2, "provider_silent", 0),
            make_exchange("ZBAA000001", 3),
        ]
    )
    counter.count(
        [
            make_exchange("ZBAA000002", 4),
            make_exchange("ZBAA000002", 5, "provider_reset"),
            make_exchange("ZBAA000002", 6, "", 500),
        ]
    )
    counter.count(
        [make_exchange("ZBAA000003", 7, "provider_busy", 0), make_exchange("ZBAA000004", 8, "connect_refused", 0)]
    )
    await counter.settle()
    counter.count([make_exchange("ZBAA000004", 9)])
    await counter.settle()
    night = int(NIGHT)
    assert [dict(batch.pulses) for batch in ledger.batches.values()] == [
        {
            "ZBAA000001": Pulse(night + 3, night + 2, 0),
            "ZBAA000002": Pulse(night + 4, night + 6, 2),
            "ZBAA000004": Pulse(0, night + 8, 1),
        },
        {"ZBAA000004": Pulse(night + 9, 0, 0)},
    ]


async def test_gauges_show_waiting_exchanges_and_their_age(make_counter, ledger, clock):
    counter = make_counter()
    counter.count([closed(), closed(operator="")])
    clock["now"] += 2.5
    assert counter.gauges() == {
        "relay_statistics_waiting": 1,
        "relay_statistics_behind_seconds": 2.5,
        "relay_statistics_unattributed": 1,
        "relay_statistics_failures": 0,
        "relay_statistics_spool_broken": 0,
    }
    ledger.failure = "refuses"
    await counter.settle()
    clock["now"] += 1
    assert (counter.waiting, counter.behind, counter.gauges()["relay_statistics_failures"]) == (1, 3.5, 1)
    assert set(counter.gauges()) <= set(GAUGES)


async def test_a_day_without_the_ledger_loses_no_counts(make_counter, ledger, tmp_path):
    ledger.failure = "refuses"
    counter, stop = make_counter(), asyncio.Event()
    following = asyncio.ensure_future(counter.run(0.002, stop))
    for at in range(120):
        counter.count([closed(received=NIGHT + 300 * at)])
        await counter.flush()
    stop.set()
    await following
    assert await counter.settle() == 120
    assert list(tmp_path.glob("spool/*/*.jsonl"))
    ledger.failure = ""
    successor, stop = make_counter(), asyncio.Event()
    following = asyncio.ensure_future(successor.run(0.002, stop))
    await ledger.until(lambda: sum(ledger.counts.values()) == 120)
    stop.set()
    await following
    assert (await successor.settle(), list(tmp_path.glob("spool/*"))) == (0, [])


@pytest.mark.parametrize("failure", ["refuses", "takes silently", "hangs"])
async def test_unacknowledged_counts_are_soon_on_disk(make_counter, ledger, tmp_path, failure):
    ledger.failure = failure
    spool, written, stop = Spool(tmp_path / "spool"), threading.Event(), asyncio.Event()
    write = spool.write

    def write_and_note(*arguments):
        write(*arguments)
        written.set()

    spool.write = write_and_note
    counter = make_counter(spool)
    counter.count([closed()])
    following = asyncio.ensure_future(counter.run(0.02, stop))
    assert await asyncio.to_thread(written.wait, 20)
    assert len(list(tmp_path.glob("spool/*/*.jsonl"))) == 1
    stop.set()
    await following


EVENTS = ["count", "flush", "busy", "offer", "refuse", "lose the answer", "kill", "disk full", "disk well"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EVENTS), min_size=5, max_size=30), st.data())
def test_every_surviving_exchange_counts_once_in_any_history(tmp_path_factory, make_ledger, events, data):
    asyncio.run(Life(tmp_path_factory.mktemp("life"), make_ledger(), data).live(events))


class Life:
    """Processes that start and are killed, with one spool and one ledger, and the expected counts."""

    def __init__(self, folder, ledger, data):
        self.folder, self.data, self.ledger = folder / "spool", data, ledger
        self.owed = Counter()

    def begin(self):
        known = callers(ZOPA000001=["SVC1"])
        self.spool, self.unflushed = Spool(self.folder), Counter()
        self.delivery = Delivery(self.ledger.take, self.spool, lambda: 0.0, lambda: NIGHT, options=FAST)
        self.counter = StatisticsCounter(COUNTING, lambda: known, self.delivery, lambda: 0.0)
        self.write = self.spool.write

    async def live(self, events):
        self.begin()
        await self.delivery.inherit()
        for event in events:
            await getattr(self, event.replace(" ", "_"))()
        self.ledger.failure, self.spool.write = "", self.write
        assert await self.counter.settle() == 0
        assert self.ledger.counts == self.owed
        assert list(self.folder.glob("*")) == []

    async def count(self):
        exchange = closed(provider=f"ZBAA00000{self.data.draw(st.integers(0, 3))}")
        self.counter.count([exchange])
        self.owed[COUNTING.line(exchange)] += 1
        self.unflushed[COUNTING.line(exchange)] += 1

    async def flush(self):
        self.unflushed.clear()
        await self.counter.flush()

    async def busy(self):
        for _ in range(6):
            await self.count()
            await self.flush()

    async def offer(self):
        self.ledger.failure = ""
        if not self.delivery.is_idle:
            await self.delivery.offer()

    async def refuse(self):
        self.ledger.failure = "refuses"
        if not self.delivery.is_idle:
            await self.delivery.offer()

    async def lose_the_answer(self):
        self.ledger.failure = "takes silently"
        if not self.delivery.is_idle:
            await self.delivery.offer()

    async def disk_full(self):
        def full(*_):
            raise OSError(28, "No space left on device")

        self.spool.write = full

    async def disk_well(self):
        self.spool.write = self.write

    async def kill(self):
        """Drops what was in memory alone and not taken; releases the spool's locks as the kernel does."""
        self.owed -= self.unflushed
        on_disk = "".join(path.read_text() for path in self.folder.glob("*/*.jsonl"))
        for batch in self.delivery.batches:
            if f'"{batch.batch_id}"' not in on_disk and batch.batch_id not in self.ledger.batches:
                self.owed -= Counter(batch.counts)
        self.spool.close()
        self.begin()
        await self.delivery.inherit()

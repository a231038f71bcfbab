"""Counted once, attributed as well as can be known, in the ledger in the end."""

import asyncio
import threading
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.domain.ledger import Unreachable
from relay.domain.party import Operator, Service
from relay.domain.statistics import Line, Pulse
from relay.infra.records.metrics import GAUGES
from relay.infra.statistics import delivery as deliveries
from relay.infra.statistics.counter import Tally
from relay.policy.call.access import Caller, Callers
from relay.policy.statistics.counting import Counting
from relay.standard.catalogue import load_catalogue, load_rsp_codes

COUNTING = Counting(load_catalogue(), load_rsp_codes(), {"invalid_grant"})
NIGHT = 1_800_000_000.0
"""15 January 2027, 17:00 in Korea."""
LINE = Line("20270115", "00", "ZBAA000001", "ZOPA000001", "SVC1", "2", "BA01", "200_00000")


def callers(**services):
    parties = [
        Operator(name, "x", name, ("192.0.2.1",), tuple(Service(one, "x", name) for one in named))
        for name, named in services.items()
    ]
    return Callers.of(map(Caller.of, parties))


def closed(**changes):
    exchange = Exchange(0.0, changes.pop("received", NIGHT))
    good = {"provider": "ZBAA000001", "operator": "ZOPA000001", "client_id": "SVC1", "industry": "bank"}
    good |= {"api_code": "BA01", "status": 200, "rsp_code": "00000", "provider_status": 200}
    for name, value in (good | changes).items():
        setattr(exchange, name, value)
    exchange.close(0.25)
    return exchange


class Ledger:
    """Takes each batch once, unless `misfortune` says otherwise: "refuses", "takes silently", "hangs"."""

    def __init__(self):
        self.batches, self.misfortune = {}, ""
        self.told = asyncio.Condition()

    async def __call__(self, batch, now):
        misfortune = self.misfortune
        async with self.told:
            if misfortune != "refuses":
                self.batches.setdefault(batch.batch_id, batch)
            self.told.notify_all()
        if misfortune == "hangs":
            await asyncio.Event().wait()
        if misfortune:
            raise Unreachable("away")
        return True

    @property
    def counts(self):
        return sum((Counter(batch.counts) for batch in self.batches.values()), Counter())

    async def until(self, reached):
        async with asyncio.timeout(20), self.told:
            await self.told.wait_for(reached)


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def known():
    """Who may call; exchangeable."""
    return {"callers": callers(ZOPA000001=["SVC1"], ZOPA000002=["A", "B"])}


@pytest.fixture
def clock():
    return {"now": 100.0}


@pytest.fixture
def tally(ledger, known, clock, tmp_path):
    """Makes the tally of one more process."""
    return lambda: Tally(
        COUNTING, lambda: known["callers"], ledger, tmp_path / "spool", lambda: clock["now"], lambda: NIGHT
    )


async def test_what_was_counted_is_in_the_ledger_after_a_clean_stop(tally, ledger):
    one = tally()
    one.count([closed(), closed(), closed(status=401, rsp_code="40101", provider_status=0)])
    one.count([closed()])
    assert (one.waiting, await one.settle(), one.waiting) == (4, 0, 0)
    assert ledger.counts == {LINE: 3, LINE._replace(outcome="401_40101"): 1}
    assert len(ledger.batches) == 1


async def test_it_flushes_by_itself_until_it_is_told_to_stop(tally, ledger):
    one, stop = tally(), asyncio.Event()
    following = asyncio.ensure_future(one.follow(0.01, stop))
    for rounds in range(1, 4):
        one.count([closed()])
        await ledger.until(lambda rounds=rounds: ledger.counts[LINE] == rounds)
    stop.set()
    await following
    assert (len(ledger.batches), await one.settle()) == (3, 0)


async def test_nothing_counted_sends_nothing(tally, ledger):
    one = tally()
    await one.flush()
    assert (await one.settle(), ledger.batches, one.behind) == (0, {}, 0.0)


async def test_the_only_service_of_an_operator_is_written_into_the_exchange(tally, ledger, known):
    one = tally()
    refused = {"client_id": "", "status": 401, "rsp_code": "40101", "provider_status": 0}
    single, several, stranger = (closed(operator=f"ZOPA00000{at}", **refused) for at in (1, 2, 3))
    one.count([single, several, stranger])
    assert [single.client_id, several.client_id, stranger.client_id] == ["SVC1", "", ""]
    known["callers"] = callers(ZOPA000001=["SVC1", "SVC2"], ZOPA000002=["B"])
    again = [closed(operator=f"ZOPA00000{at}", **refused) for at in (1, 2)]
    one.count(again)
    assert [exchange.client_id for exchange in again] == ["", "B"]
    await one.settle()
    assert sum(ledger.counts.values()) == 5


async def test_what_cannot_be_attributed_is_counted_apart_and_support_apis_are_not(tally, ledger):
    one = tally()
    one.count([closed(provider=""), closed(operator=""), closed(api_code=""), closed(api_code="지원-103"), closed()])
    await one.settle()
    assert (one.unattributed, ledger.counts) == (3, {LINE: 1})


async def test_an_institutions_pulse_goes_along(tally, ledger):
    def met(org_code, second, reason="", provider_status=200):
        return closed(provider=org_code, received=NIGHT + second, reason=reason, provider_status=provider_status)

    one = tally()
    one.count([met("ZBAA000001", 1), met("ZBAA000001", 2, "provider_silent", 0), met("ZBAA000001", 3)])
    one.count([met("ZBAA000002", 4), met("ZBAA000002", 5, "provider_reset"), met("ZBAA000002", 6, "", 500)])
    one.count([met("ZBAA000003", 7, "provider_busy", 0), met("ZBAA000004", 8, "provider_refused", 0)])
    await one.settle()
    one.count([met("ZBAA000004", 9)])
    await one.settle()
    night = int(NIGHT)
    assert [dict(batch.pulses) for batch in ledger.batches.values()] == [
        {
            "ZBAA000001": Pulse(night + 3, night + 2, 0),
            "ZBAA000002": Pulse(night + 4, night + 6, 2),
            "ZBAA000004": Pulse(0, night + 8, 1),
        },
        {"ZBAA000004": Pulse(night + 9, 0, 0)},
    ]


async def test_its_gauges_are_known_and_tell_what_waits_and_how_long(tally, ledger, clock):
    one = tally()
    one.count([closed(), closed(operator="")])
    clock["now"] += 2.5
    assert one.gauges() == {
        "relay_statistics_waiting": 1,
        "relay_statistics_behind_seconds": 2.5,
        "relay_statistics_unattributed": 1,
        "relay_statistics_failures": 0,
        "relay_statistics_spool_broken": 0,
    }
    ledger.misfortune = "refuses"
    await one.settle()
    clock["now"] += 1
    assert (one.waiting, one.behind, one.gauges()["relay_statistics_failures"]) == (1, 3.5, 1)
    assert set(one.gauges()) <= set(GAUGES)


async def test_a_day_without_the_ledger_costs_nothing_that_was_counted(tally, ledger, tmp_path):
    ledger.misfortune = "refuses"
    one, stop = tally(), asyncio.Event()
    following = asyncio.ensure_future(one.follow(0.002, stop))
    for at in range(120):
        one.count([closed(received=NIGHT + 300 * at)])
        await one.flush()
    stop.set()
    await following
    assert await one.settle() == 120
    assert list(tmp_path.glob("spool/*/*.jsonl"))
    ledger.misfortune = ""
    heir, stop = tally(), asyncio.Event()
    following = asyncio.ensure_future(heir.follow(0.002, stop))
    await ledger.until(lambda: sum(ledger.counts.values()) == 120)
    stop.set()
    await following
    assert (await heir.settle(), list(tmp_path.glob("spool/*"))) == (0, [])


@pytest.mark.parametrize("misfortune", ["refuses", "takes silently", "hangs"])
async def test_what_the_ledger_does_not_acknowledge_is_on_disk_within_a_flush_and_a_half(
    tally, ledger, tmp_path, misfortune
):
    ledger.misfortune = misfortune
    one, stop = tally(), asyncio.Event()
    one.count([closed()])
    written = threading.Event()
    keep = one._delivery._spool.keep

    def kept(*what):
        keep(*what)
        written.set()

    one._delivery._spool.keep = kept
    following = asyncio.ensure_future(one.follow(0.02, stop))
    assert await asyncio.to_thread(written.wait, 20)
    assert len(list(tmp_path.glob("spool/*/*.jsonl"))) == 1
    stop.set()
    await following


EVENTS = ["count", "flush", "busy", "offer", "refuse", "lose the answer", "kill", "disk full", "disk well"]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(EVENTS), min_size=5, max_size=30), st.data())
def test_whatever_happens_to_whom_every_exchange_that_outlived_its_process_counts_once(tmp_path_factory, events, data):
    asyncio.run(Life(tmp_path_factory.mktemp("life"), data).live(events))


class Life:
    """Processes that come and are killed over one spool and one ledger, and what should be in the ledger by then."""

    def __init__(self, folder, data):
        self.folder, self.data, self.ledger = folder / "spool", data, Ledger()
        self.owed, self.unsafe = Counter(), Counter()

    def begin(self):
        known = callers(ZOPA000001=["SVC1"])
        self.tally = Tally(COUNTING, lambda: known, self.ledger, self.folder, lambda: 0.0, lambda: NIGHT)
        self.way = self.tally._delivery
        self.keep = self.way._spool.keep

    async def live(self, events):
        self.begin()
        await self.way._inherit()
        for event in events:
            await getattr(self, event.replace(" ", "_"))()
        self.ledger.misfortune, self.way._spool.keep = "", self.keep
        assert await self.tally.settle() == 0
        assert self.ledger.counts == self.owed
        assert list(self.folder.glob("*")) == []

    async def count(self):
        exchange = closed(provider=f"ZBAA00000{self.data.draw(st.integers(0, 3))}")
        self.tally.count([exchange])
        self.owed[COUNTING.line(exchange)] += 1

    async def flush(self):
        await self.tally.flush()

    async def busy(self):
        for _ in range(6):
            await self.count()
            await self.flush()

    async def offer(self):
        self.ledger.misfortune = ""
        if not self.way.idle:
            await self.way._offer()

    async def refuse(self):
        self.ledger.misfortune = "refuses"
        if not self.way.idle:
            await self.way._offer()

    async def lose_the_answer(self):
        self.ledger.misfortune = "takes silently"
        if not self.way.idle:
            await self.way._offer()

    async def disk_full(self):
        def full(*_):
            raise OSError(28, "No space left on device")

        self.way._spool.keep = full

    async def disk_well(self):
        self.way._spool.keep = self.keep

    async def kill(self):
        """What was in memory alone, and that nobody took, is gone; the spool's locks go as the kernel lets them go."""
        self.owed -= Counter(self.tally._counts)
        for one in (*self.way._offered, *self.way._free):
            if not one.kept and one.batch.batch_id not in self.ledger.batches:
                self.owed -= Counter(one.batch.counts)
        self.way._spool.close()
        self.begin()
        await self.way._inherit()


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """So that merging happens in short stories too."""
    monkeypatch.setattr(deliveries, "FREE_MOST", 3)
    monkeypatch.setattr(deliveries, "_PAUSE_S", 0.001)

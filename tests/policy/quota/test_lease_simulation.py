"""The bound of docs/design/quotas.md: random gateways, loads, outages, partitions and failovers never exceed it."""

import random
from bisect import bisect_right

import pytest
from leasing.gateways import LeasingGateway
from leasing.store import SILENT_S, SimulatedStore

from relay.policy.quota.leases import LEASE_S
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

DURATION_S = 30.0
STEP_S = 0.005
HEARTBEAT_S = 0.2
WINDOWS_S = (0.02, 0.1, 1.0, 5.0)


def find_most(passed, window_s):
    """Returns the most calls that passed in any window, which begins with a call."""
    return max((bisect_right(passed, at + window_s) - index for index, at in enumerate(passed)), default=0)


class Cluster:
    """Gateways with one institution. `outages` counts begins of outages, partitions and failovers."""

    def __init__(self, chance, rate, gateways):
        self.chance, self.rate, self.store, self.outages = chance, rate, SimulatedStore(), []
        table = LimitTable(Rate(per_second=1e6, burst=10**6), {"bank": rate})
        self.gateways = [LeasingGateway(f"g{number}", table, self.store) for number in range(gateways)]
        self.loads = [chance.choice((0, 1, 3, 10)) * rate.per_second for _ in self.gateways]
        self.asked_at = [0.0] * gateways
        for gateway in self.gateways * 2:
            gateway.ask(0.0)

    def step(self, now, *, fails):
        if fails:
            self.fail(now)
        for index, gateway in enumerate(self.gateways):
            if gateway.listed or now - self.asked_at[index] >= HEARTBEAT_S:
                gateway.listed, self.asked_at[index] = 0, now
                gateway.ask(now)
            for _ in range(self.count_calls(index)):
                gateway.call(now + self.chance.random() * 0.0001)

    def count_calls(self, index):
        wanted = self.loads[index] * STEP_S
        return int(wanted) + (self.chance.random() < wanted % 1)

    def fail(self, now):
        """Begins or ends outages of the store, partitions of gateways and failovers now and then."""
        for gateway in self.gateways:
            if self.chance.random() < STEP_S / 3:
                gateway.is_cut_off = not gateway.is_cut_off
                self.outages.append(now)
        if self.chance.random() < STEP_S / 5:
            for gateway in self.gateways:
                gateway.is_cut_off = not gateway.is_cut_off
            self.outages.append(now)
        if self.chance.random() < STEP_S / 10 and not any(gateway.is_cut_off for gateway in self.gateways):
            self.store.forget()
            self.outages.append(now)

    def run(self, *, fails):
        for step in range(round(DURATION_S / STEP_S)):
            self.step(1.0 + step * STEP_S, fails=fails)
        return sorted(at for gateway in self.gateways for at in gateway.passed)


def build_cluster(seed):
    chance = random.Random(seed)
    rate = Rate(per_second=chance.choice((5, 50, 200)), burst=chance.choice((1, 5, 50)))
    return Cluster(chance, rate, chance.choice((1, 2, 3, 5)))


@pytest.mark.parametrize("seed", range(6))
def test_no_window_exceeds_the_rate_while_the_store_answers(seed):
    cluster = build_cluster(seed)
    passed, rate = cluster.run(fails=False), cluster.rate
    for window_s in WINDOWS_S:
        assert find_most(passed, window_s) <= rate.per_second * (window_s + LEASE_S) + rate.burst + 1
    if sum(cluster.loads) >= 3 * rate.per_second and rate.burst > 1:
        assert len(passed) >= 0.8 * rate.per_second * DURATION_S


@pytest.mark.parametrize("seed", range(10))
def test_no_window_exceeds_the_bound_with_outages(seed):
    cluster = build_cluster(100 + seed)
    passed, rate, gateways = cluster.run(fails=True), cluster.rate, len(cluster.gateways)
    burst = max(rate.burst, gateways)
    for window_s in WINDOWS_S:
        for begin in passed:
            count = bisect_right(passed, begin + window_s) - bisect_right(passed, begin - 1e-9)
            outages = sum(begin - FORGIVEN_S <= at <= begin + window_s for at in cluster.outages)
            most = rate.per_second * (window_s + LEASE_S) + burst
            assert count <= most + outages * (burst + rate.per_second * SILENT_S) + 1


FORGIVEN_S = 1.0
"""An outage that began so long before a window may still add to it."""


def run_operators(loads, rate, gateways=2, seconds=20.0, seed=1):
    """Makes the calls of operators at random gateways. Returns which part of each load passed."""
    chance, store = random.Random(seed), SimulatedStore()
    table = LimitTable(Rate(per_second=1e6, burst=10**6), {"bank": rate})
    nodes = [LeasingGateway(f"g{number}", table, store) for number in range(gateways)]
    for gateway in nodes * 2:
        gateway.ask(0.0)
    passed, asked_at = dict.fromkeys(loads, 0), 0.0
    times = ((1 + chance.random() * seconds, call) for call, load in loads.items() for _ in range(int(load * seconds)))
    for now, (operator, is_scheduled) in sorted(times):
        gateway = chance.choice(nodes)
        if now - asked_at >= HEARTBEAT_S or gateway.listed:
            asked_at = now
            for each in nodes:
                each.listed = 0
                each.ask(now)
        passed[operator, is_scheduled] += gateway.call(now, operator, is_scheduled=is_scheduled)
    return {call: passed[call] / (loads[call] * seconds) for call in loads}


@pytest.mark.parametrize("burst", [10, 50])
def test_a_flood_leaves_another_operator_its_share(burst):
    flood, small = ("flood", False), ("small", False)
    parts = run_operators({flood: 300, small: 5}, Rate(per_second=50, burst=burst))
    assert parts[small] >= 0.95
    assert parts[flood] * 300 + parts[small] * 5 >= 45


def test_calls_on_demand_go_before_scheduled_transfers():
    on_demand, scheduled = ("one", False), ("one", True)
    parts = run_operators({on_demand: 30, scheduled: 70}, Rate(per_second=50, burst=50))
    assert parts[on_demand] >= 0.95
    assert parts[on_demand] * 30 + parts[scheduled] * 70 >= 45


@pytest.mark.parametrize(("per_second", "load"), [(30, 25), (50, 45), (200, 120), (200, 180), (1000, 900)])
def test_few_calls_below_a_rate_are_refused(per_second, load):
    (part,) = run_operators({("one", False): load}, Rate(per_second=per_second, burst=per_second)).values()
    assert part >= 0.98

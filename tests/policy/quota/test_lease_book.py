"""Leases of one gateway: what passes without asking the store, what is asked, and what is counted without it."""

import pytest
from leasing.gateways import LeasingGateway
from leasing.store import SimulatedStore

from relay.domain.quota import NotLeased
from relay.policy.quota.leases import LEASE_S
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

CALL = ("one", "bank", "app", False)


def build_table(per_second=50, burst=10, pair=(1000, 1000)):
    bank = Rate(per_second=per_second, burst=burst)
    return LimitTable(Rate(per_second=pair[0], burst=pair[1]), {"bank": bank})


@pytest.fixture
def store():
    return SimulatedStore()


@pytest.fixture
def make_gateway(store):
    def make(name="a", **rates):
        gateway = LeasingGateway(name, build_table(**rates), store)
        gateway.ask(0.0)
        return gateway

    return make


def call_many(gateway, times, now=1.0, **call):
    return sum(gateway.call(now, **call) for _ in range(times))


def test_the_first_call_waits_for_a_lease_of_all_its_limits(make_gateway):
    gateway = make_gateway()
    with pytest.raises(NotLeased):
        gateway.book.take(CALL, 1.0)
    asked = [request for _, request in gateway.book.build_requests(1.0)]
    assert [(request.limit.key, request.wanted) for request in asked] == [
        ("operator_provider:one:bank", 1),
        ("provider:bank", 1),
    ]
    assert gateway.listed == 1


def test_a_burst_passes_and_the_next_call_is_refused_with_a_true_time(make_gateway):
    gateway = make_gateway()
    assert call_many(gateway, 11) == 10
    (_, name, retry_after) = gateway.refusals[-1]
    assert (name, retry_after) == ("provider_rate", pytest.approx(0.02))
    assert call_many(gateway, 2, 1.0 + retry_after - 0.001) == 0
    assert call_many(gateway, 2, 1.0 + retry_after + 0.001) == 1


def test_calls_beyond_the_rate_do_not_ask_the_store(make_gateway):
    gateway = make_gateway()
    call_many(gateway, 11)
    before = gateway.listed
    assert call_many(gateway, 100, 1.01) == 0
    assert gateway.listed == before


def test_most_calls_of_a_high_rate_ask_nobody(make_gateway):
    gateway = make_gateway(per_second=10_000, burst=10_000, pair=(10_000, 10_000))
    asks = 0
    for step in range(2000):
        now = 1.0 + step / 1000
        assert gateway.call(now)
        if gateway.listed:
            gateway.ask(now)
            gateway.listed, asks = 0, asks + 1
    assert asks < 60


def test_a_low_rate_is_counted_exactly(make_gateway, store):
    gateways = [make_gateway(name, per_second=1, burst=3) for name in "abc"]
    passed = [gateway.call(1.0) for gateway in gateways * 2]
    assert passed == [True] * 3 + [False] * 3
    assert store.counts["provider:bank"].level == pytest.approx(3)


def test_leased_requests_expire(make_gateway):
    gateway = make_gateway(per_second=1000, burst=100)
    call_many(gateway, 50)
    gateway.ask(1.0)
    with pytest.raises(NotLeased):
        gateway.book.take(CALL, 1.0 + LEASE_S)


def test_a_refused_call_counts_in_no_limit(make_gateway, store):
    gateway = make_gateway(per_second=1, burst=1, pair=(1, 5))
    assert call_many(gateway, 10) == 1
    gateway.ask(1.0)
    assert store.counts["provider:bank"].level == pytest.approx(1)
    assert store.counts["operator_provider:one:bank"].level == pytest.approx(1, abs=0.03)


def test_a_call_that_was_not_sent_counts_in_no_limit(make_gateway):
    gateway = make_gateway(per_second=1, burst=2)
    assert gateway.call(1.0)
    for _ in range(3):
        assert gateway.call(1.0)
        gateway.book.give_back(CALL)
    assert call_many(gateway, 5) == 1


def test_alone_a_call_that_was_not_sent_counts_in_no_limit(make_gateway):
    gateway = make_gateway(per_second=1, burst=2)
    gateway.book.count_alone(1.0)
    for _ in range(5):
        gateway.book.take(CALL, 1.0)
        gateway.book.give_back(CALL)
    assert call_many(gateway, 5) == 2


def test_a_raised_rate_helps_at_once(make_gateway):
    gateway = make_gateway(per_second=0.01, burst=1)
    assert call_many(gateway, 2) == 1
    gateway.book.adjust(build_table(per_second=1000, burst=10))
    assert gateway.call(1.01)


def test_a_request_given_back_is_returned_to_the_store(make_gateway):
    one, other = make_gateway("a", per_second=0.1, burst=1), make_gateway("b", per_second=0.1, burst=1)
    for gateway in (one, other):
        gateway.ask(1.0)
    assert one.call(1.0)
    one.book.give_back(CALL)
    one.ask(1.01)
    assert call_many(other, 2, 1.1) == 1


def test_a_lowered_burst_blocks_for_one_call_only(make_gateway, store):
    gateways = [make_gateway(name, per_second=100, burst=100) for name in "ab"]
    assert sum(call_many(gateway, 60) for gateway in gateways) == 100
    for gateway in gateways:
        gateway.book.adjust(build_table(per_second=1, burst=2))
        assert not gateway.call(1.0)
    assert store.counts["provider:bank"].level == pytest.approx(2)
    for gateway in gateways * 2:
        gateway.ask(3.0)
    assert sum(call_many(gateway, 5, 3.01) for gateway in gateways) == 2


def test_alone_a_lowered_burst_blocks_for_one_call_only(make_gateway):
    gateway = make_gateway(per_second=100, burst=100)
    gateway.book.count_alone(1.0)
    assert call_many(gateway, 200) == 100
    gateway.book.adjust(build_table(per_second=1, burst=2))
    assert call_many(gateway, 5, 1.0) == 0
    assert call_many(gateway, 5, 3.01) == 2


def test_a_long_denial_is_asked_for_again(make_gateway, store):
    gateway = make_gateway(per_second=0.01, burst=1)
    assert call_many(gateway, 2, 1.0) == 1
    store.forget()
    assert call_many(gateway, 1, 1.9) == 0
    assert gateway.refusals[-1][2] == pytest.approx(99.1)
    assert call_many(gateway, 1, 2.1) == 1


def test_a_new_weight_applies_to_known_operators(make_gateway):
    gateway = make_gateway()
    assert gateway.call(1.0)
    rates = build_table()
    gateway.book.adjust(LimitTable(rates.operator_provider, rates.providers, weights={"one": 4.0}))
    with pytest.raises(NotLeased):
        gateway.book.take(CALL, 2.0)
    asked = [request.limit for _, request in gateway.book.build_requests(2.0)]
    assert [limit.weight for limit in asked if limit.is_fair] == [4.0]


def test_a_former_rate_of_an_idle_operator_does_not_return(make_gateway):
    gateway = make_gateway(per_second=1000, burst=1000)
    assert [gateway.call(1.0), gateway.call(1.0, "idle")] == [True, True]
    gateway.book.adjust(build_table(per_second=1, burst=2))
    gateway.book.count_alone(1.1)
    assert call_many(gateway, 5, 10.0) == 2
    gateway.ask(20.0)  # together again, until the next outage
    assert gateway.call(20.0)
    gateway.book.count_alone(20.1)
    assert call_many(gateway, 5, 30.0) == 2


def test_alone_a_gateway_has_its_part_of_the_rate(make_gateway):
    gateways = [make_gateway(name, per_second=20, burst=4) for name in "ab"]
    for gateway in gateways:
        gateway.ask(0.5)
        gateway.book.count_alone(1.0)
    assert [call_many(gateway, 5, 1.0) for gateway in gateways] == [2, 2]
    assert [call_many(gateway, 5, 2.0) for gateway in gateways] == [2, 2]
    assert gateways[0].refusals[-1][2] == pytest.approx(0.1, abs=1e-5)


def test_what_was_counted_before_an_outage_stays_counted(make_gateway):
    gateway = make_gateway(per_second=10, burst=10)
    assert call_many(gateway, 10) == 10
    gateway.book.count_alone(1.0)
    assert call_many(gateway, 5, 1.05) == 0
    assert call_many(gateway, 5, 1.25) == 2


def test_what_was_counted_alone_is_told_to_the_store(make_gateway, store):
    gateway = make_gateway(per_second=1, burst=10)
    gateway.ask(0.9)
    gateway.book.count_alone(1.0)
    assert call_many(gateway, 4) == 4
    store.forget()
    gateway.ask(1.0)
    assert store.counts["provider:bank"].level == pytest.approx(4)
    assert call_many(gateway, 10) == 6


def test_the_part_of_a_silent_gateway_is_left_to_it(make_gateway):
    present, silent = (make_gateway(name, per_second=20, burst=20) for name in "ab")
    silent.ask(0.0)
    for tick in range(10):
        present.ask(tick / 5)
    assert call_many(present, 30, 2.0) == 10


def test_a_gateway_that_left_shares_no_more(make_gateway, store):
    present, _ = (make_gateway(name, per_second=20, burst=20) for name in "ab")
    store.leave("b")
    present.ask(1.9)
    assert call_many(present, 30, 2.0) == 20


def test_kinds_of_calls_beyond_the_memory_are_looked_up_again(store):
    gateway = LeasingGateway("a", build_table(per_second=1000, burst=1000), store, max_calls=10)
    for number in range(50):
        assert gateway.call(1.0 + number / 50, f"operator{number}")
    assert len(gateway.book) < 30

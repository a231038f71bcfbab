import gc
import weakref

import pytest

from relay.gateway.handshake_limits import FAILED_COST, HandshakeLimits
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

ONE, TWO = "192.0.2.1", "192.0.2.2"


class Address(str):
    """An address that a test can refer to weakly."""

    __slots__ = ("__weakref__",)


@pytest.fixture
def limits(clock):
    """Twelve under way, three of each address; one a second, four at once."""
    return HandshakeLimits(Bucket.of(Rate(per_second=1, burst=4)), 12, clock)


def run_handshakes(limits, address, count, *, failed=False):
    """Run `count` handshakes, one after the other. Returns how many were allowed."""
    allowed = 0
    for _ in range(count):
        if limits.take(address):
            allowed += 1
            limits.release(address, failed=failed)
    return allowed


def test_handshakes_beyond_the_rate_of_an_address_are_refused(limits, clock):
    assert run_handshakes(limits, ONE, 9) == 4
    assert run_handshakes(limits, TWO, 9) == 4
    clock.now += 2
    assert run_handshakes(limits, ONE, 9) == 2


def test_an_address_may_have_a_quarter_of_those_under_way(limits):
    assert [limits.take(ONE) for _ in range(4)] == [True] * 3 + [False]
    assert limits.take(TWO)
    limits.release(ONE, failed=False)
    assert limits.take(ONE)


def test_a_handshake_refused_for_its_share_does_not_count_in_the_rate(limits):
    assert [limits.take(ONE) for _ in range(20)].count(True) == 3
    limits.release(ONE, failed=False)
    assert limits.take(ONE)


def test_an_address_may_always_have_one_under_way(clock):
    limits = HandshakeLimits(Bucket.of(Rate(per_second=1, burst=4)), 1, clock)
    assert [limits.take(ONE) for _ in range(2)] == [True, False]


def test_addresses_of_one_ipv6_network_count_together(limits):
    same = [f"2001:db8:0:1::{number:x}" for number in range(9)]
    assert [limits.take(address) for address in same].count(True) == 3
    assert limits.take("2001:db8:0:2::1")
    assert limits.take("fe80::1%eth0")


def test_a_new_rate_applies_at_once(limits):
    assert run_handshakes(limits, ONE, 9) == 4
    limits.adjust(Bucket.of(Rate(per_second=1, burst=6)))
    assert run_handshakes(limits, ONE, 9) == 2


def test_addresses_within_their_rate_are_deleted(limits, clock):
    held = weakref.WeakSet()
    for number in range(5000):
        clock.now += 2
        held.add(address := Address(f"198.51.{number // 256}.{number % 256}"))
        assert run_handshakes(limits, address, 1) == 1
    gc.collect()
    assert len(held) <= 4096
    assert limits.under_way == 0


def test_handshakes_under_way_are_counted_over_all_addresses(limits):
    assert [limits.take(address) for address in (ONE, ONE, TWO)] == [True] * 3
    assert limits.under_way == 3
    limits.release(ONE, failed=False)
    assert limits.under_way == 2


def test_a_failed_handshake_counts_several_times(clock):
    limits = HandshakeLimits(Bucket.of(Rate(per_second=50, burst=256)), 1024, clock)
    assert run_handshakes(limits, ONE, 256, failed=True) == 256 // FAILED_COST
    clock.now += 10.0
    assert run_handshakes(limits, ONE, 1000, failed=True) == 256 // FAILED_COST
    assert limits.take(TWO)


def test_many_failures_at_once_block_an_address_for_a_short_time(clock):
    limits = HandshakeLimits(Bucket.of(Rate(per_second=50, burst=256)), 1024, clock)
    assert all(limits.take(ONE) for _ in range(200))
    for _ in range(200):
        limits.release(ONE, failed=True)
    assert not limits.take(ONE)
    clock.now += FAILED_COST / 50
    assert limits.take(ONE)

"""The lease of one limit."""

import pytest

from relay.domain.fault import FAULTS
from relay.policy.quota.leases import LEASE_S, Lease, LeaseReply
from relay.policy.quota.limits import Limit
from relay.policy.settings.scalars import Rate

NOW = 50.0


@pytest.fixture
def make_lease():
    def make(per_second=100, burst=50):
        return Lease(Limit("provider:bank", Rate(per_second=per_second, burst=burst), FAULTS["provider_rate"]), NOW)

    return make


def use(lease, times, now=NOW):
    for _ in range(times):
        assert lease.has_permit(now)
        lease.permits -= 1
        lease.used += 1


def test_a_lease_ends_its_time_after_the_request_was_sent(make_lease):
    lease = make_lease()
    lease.receive(LeaseReply(5, 0.0, 5.0), 5, NOW, NOW + 0.09)
    assert lease.has_permit(NOW + 0.099)
    assert not lease.has_permit(NOW + LEASE_S)


def test_the_next_lease_begins_when_the_first_is_used_up_or_ended(make_lease):
    lease = make_lease()
    lease.receive(LeaseReply(2, 0.0, 2.0), 2, NOW, NOW)
    assert lease.has_permit(NOW)
    lease.receive(LeaseReply(3, 0.0, 5.0), 3, NOW + 0.05, NOW + 0.05)
    use(lease, 5, NOW + 0.06)
    assert not lease.has_permit(NOW + 0.06)


def test_a_lease_is_as_large_as_the_use_of_its_time(make_lease):
    lease = make_lease()
    lease.receive(LeaseReply(8, 0.0, 8.0), 8, NOW, NOW)
    use(lease, 4)
    assert lease.count_wanted(NOW + 0.06) == 4
    assert lease.count_wanted(NOW + LEASE_S) == 4
    assert lease.count_wanted(NOW + 3 * LEASE_S) == 0
    use(lease, 4)
    lease.used = 30
    assert lease.count_wanted(NOW + 0.31) == 10  # no more than the rate allows in its time


def test_calls_that_wait_are_wanted_whatever_the_use(make_lease):
    lease = make_lease()
    lease.waiting = 30
    assert lease.count_wanted(NOW) == 30


@pytest.mark.parametrize(("per_second", "used"), [(19, 10), (100, 1)])
def test_little_use_is_leased_for_waiting_calls_only(make_lease, per_second, used):
    lease = make_lease(per_second=per_second)
    lease.used = used
    assert (lease.count_wanted(NOW), lease.is_exact) == (0, True)
    lease.waiting = 1
    assert lease.count_wanted(NOW) == 1


@pytest.mark.parametrize(("per_second", "is_exact"), [(100, True), (499, True), (501, False)])
def test_nothing_expires_unused_while_a_low_rate_is_scarce(make_lease, per_second, is_exact):
    lease = make_lease(per_second=per_second)
    lease.receive(LeaseReply(8, 0.0, 30.0), 8, NOW, NOW)
    use(lease, 8)
    assert (lease.count_wanted(NOW) == 0, lease.is_exact) == (is_exact, is_exact)


@pytest.mark.parametrize(("age_s", "returned"), [(0.0, 2.8), (0.05, 2.3), (0.4, 0.0)])
def test_unused_requests_are_returned_less_what_was_paid_off(make_lease, age_s, returned):
    lease = make_lease(per_second=10)
    lease.receive(LeaseReply(3, 0.0, 3.0), 3, NOW, NOW)
    assert lease.has_permit(NOW)
    assert lease.give_back(NOW + age_s) == pytest.approx(returned)
    assert lease.give_back(NOW + age_s) == 0.0
    assert not lease.has_permit(NOW + age_s)


def test_no_more_is_returned_than_is_unused(make_lease):
    lease = make_lease(per_second=10)
    lease.receive(LeaseReply(3, 0.0, 3.0), 3, NOW, NOW)
    use(lease, 2)
    assert lease.give_back(NOW) == 1.0


def test_a_lease_is_in_use_while_anything_of_it_counts(make_lease):
    lease = make_lease(per_second=10)
    assert not lease.is_in_use(NOW)
    lease.receive(LeaseReply(1, 0.5, 20.0), 2, NOW, NOW)
    assert lease.is_in_use(NOW + 0.01)
    assert lease.is_in_use(NOW + 1.9)
    assert not lease.is_in_use(NOW + 2.1)


def test_the_known_level_is_paid_off_with_the_rate(make_lease):
    lease = make_lease(per_second=10)
    lease.receive(LeaseReply(0, 0.5, 20.0), 2, NOW, NOW)
    assert [lease.get_level(NOW + after) for after in (0, 1, 5)] == [20, 10, 0]
    lease.end()
    assert lease.denied_until == 0

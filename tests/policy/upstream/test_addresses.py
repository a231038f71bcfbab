"""Which address gets the next call; which is ejected, probed and used again."""

import pytest

from relay.policy.upstream.addresses import MOST_FAILURES, PROBE_S, RAMP_S, Addresses

NOW = 50.0


@pytest.fixture
def addresses():
    return Addresses(3)


def choose(addresses, times, now=NOW):
    last, chosen = 0, []
    for _ in range(times):
        last = addresses.choose(last, now)
        chosen.append(last)
    return chosen


def test_addresses_take_turns(addresses):
    assert choose(addresses, 6) == [1, 2, 0, 1, 2, 0]
    assert addresses.are_equal


def test_an_address_that_accepts_no_connection_is_ejected(addresses):
    assert addresses.record_connect_failure(1, NOW)
    assert not addresses.record_connect_failure(1, NOW)
    assert (choose(addresses, 4), addresses.list_ejected(), addresses.are_equal) == ([2, 0, 2, 0], [1], False)


def test_the_last_address_is_never_ejected(addresses):
    assert [addresses.record_connect_failure(index, NOW) for index in range(3)] == [True, True, False]
    assert choose(addresses, 3) == [2, 2, 2]


def test_tried_addresses_are_left_out_and_ejected_ones_come_last(addresses):
    addresses.record_connect_failure(1, NOW)
    assert addresses.choose(0, NOW, {2: "refused"}) == 0
    assert addresses.choose(0, NOW, {2: "refused", 0: "refused"}) == 1


def test_calls_without_a_response_eject_an_address(addresses):
    assert [addresses.record_failure(0, NOW) for _ in range(MOST_FAILURES)] == [False] * 4 + [True]


def test_an_address_with_more_responses_than_failures_stays(addresses):
    addresses.record_failure(0, NOW)
    for _ in range(20):
        addresses.record_success(0, NOW)
    assert not any(addresses.record_failure(0, NOW) for _ in range(15))


def test_failures_of_long_ago_do_not_count(addresses):
    for step in range(20):
        assert not addresses.record_failure(0, NOW + 22 * step)
        addresses.record_success(0, NOW + 22 * step + 11)


def test_a_silent_address_with_few_calls_is_ejected(addresses):
    assert [addresses.record_failure(0, NOW + 60 * step) for step in range(MOST_FAILURES)] == [False] * 4 + [True]


def test_an_address_that_connects_far_slower_is_ejected(addresses):
    addresses.record_connect(1, 0.001, NOW)
    assert [addresses.record_connect(0, 0.8, NOW) for _ in range(MOST_FAILURES)][-1]
    assert not any(addresses.record_connect(1, 0.3, NOW) for _ in range(20))


def test_a_dead_address_is_probed_once_a_second(addresses):
    addresses.record_connect_failure(1, NOW)
    probed = [step / 10 for step in range(40) if addresses.list_due(NOW + step / 10)]
    assert probed == [PROBE_S, 2 * PROBE_S, 3 * PROBE_S]


def test_an_address_that_fails_again_and_again_is_probed_later(addresses):
    now, waits = NOW, []
    for _ in range(7):
        for _ in range(MOST_FAILURES):
            addresses.record_failure(0, now)
        begun = now
        while not addresses.list_due(now):
            now += 0.5
        waits.append(now - begun)
        addresses.restore(0, now)
    assert waits == [1, 2, 4, 8, 16, 30, 30]


def test_an_address_that_returns_silent_is_ejected_by_one_call(addresses):
    for _ in range(MOST_FAILURES):
        addresses.record_failure(0, NOW)
    addresses.restore(0, NOW + 1)
    assert addresses.record_failure(0, NOW + 100)
    addresses.restore(0, NOW + 110)
    addresses.record_success(0, NOW + 120)
    assert not addresses.record_failure(0, NOW + 121)


def test_a_silent_address_gets_one_call_until_it_responds(addresses):
    for _ in range(MOST_FAILURES):
        addresses.record_failure(0, NOW)
    addresses.restore(0, NOW + 1)
    assert choose(addresses, 60, NOW + 1).count(0) == 1
    assert choose(addresses, 60, NOW + 1 + RAMP_S).count(0) == 1
    addresses.record_success(0, NOW + 20)
    assert 2 <= choose(addresses, 60, NOW + 20).count(0) <= 4
    assert choose(addresses, 60, NOW + 20 + RAMP_S).count(0) == 20


def test_an_address_that_returns_gets_few_calls_at_first(addresses):
    addresses.record_connect_failure(1, NOW)
    addresses.restore(1, NOW)
    assert 2 <= choose(addresses, 60).count(1) <= 4
    assert 8 <= choose(addresses, 60, NOW + RAMP_S / 2).count(1) <= 15
    assert choose(addresses, 60, NOW + RAMP_S).count(1) == 20
    assert addresses.are_equal

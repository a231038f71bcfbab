import pytest

from relay.policy.consent.login_limits import ADDRESS_RATE, LOGIN_ID_RATE
from relay.policy.quota.keyed_limits import MAX_PEERS, KeyedRateLimiter, store_next_at

NOW = 1000.0


def count_attempts(limits, key, now):
    """Make attempts at one time until one is refused; return how many were allowed."""
    count = 0
    while not limits.get_wait_s(key, now):
        limits.take(key, now)
        count += 1
    return count


@pytest.mark.parametrize(("rate", "burst", "each_s"), [(ADDRESS_RATE, 30, 30), (LOGIN_ID_RATE, 10, 300)])
def test_attempts_are_limited_to_a_burst_and_a_rate(rate, burst, each_s):
    limits = KeyedRateLimiter(rate)
    assert count_attempts(limits, b"a", NOW) == burst
    assert limits.get_wait_s(b"a", NOW) == pytest.approx(each_s, abs=0.1)
    assert count_attempts(limits, b"a", NOW + each_s) == 1
    assert count_attempts(limits, b"b", NOW) == burst


def test_attempts_given_back_do_not_count():
    limits = KeyedRateLimiter(LOGIN_ID_RATE)
    for _ in range(100):
        assert not limits.get_wait_s(b"a", NOW)
        limits.take(b"a", NOW)
        limits.give_back(b"a")
    limits.give_back(b"never taken")
    assert count_attempts(limits, b"a", NOW) == 10


def test_the_number_of_keys_is_bounded_and_the_worst_stays():
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=100)
    count_attempts(limits, b"worst", NOW)
    for number in range(1000):
        limits.take(b"%d" % number, NOW)
        assert len(limits) <= 100
    assert limits.get_wait_s(b"worst", NOW) > 0


def test_keys_without_recent_attempts_are_evicted_first():
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=3)
    for key in (b"a", b"b"):
        limits.take(key, NOW)
    limits.take(b"c", NOW + 10_000)
    limits.take(b"d", NOW + 10_000)
    assert len(limits) == 2


def test_a_flood_of_peers_keeps_those_with_the_most_requests():
    next_times = {"worst": NOW + 100}
    for number in range(3 * MAX_PEERS):
        store_next_at(next_times, f"peer {number}", NOW + 1, NOW)
        assert len(next_times) <= MAX_PEERS
    assert next_times["worst"] == NOW + 100


def test_peers_within_their_rate_are_deleted_first():
    next_times = {f"peer {number}": NOW for number in range(MAX_PEERS - 1)} | {"busy": NOW + 1}
    store_next_at(next_times, "new", NOW + 1, NOW)
    assert next_times == {"busy": NOW + 1, "new": NOW + 1}


def test_an_attacker_stays_limited_beside_a_flood_of_new_peers():
    """The attacker calls as often as it may while ten times as many peers as are stored call once each."""
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=100)
    assert count_attempts(limits, b"attacker", NOW) == 10
    attempts = 0
    for number in range(1000):
        now = NOW + 3 * number
        limits.take(b"peer %d" % number, now)
        attempts += count_attempts(limits, b"attacker", now)
    assert attempts == 3 * 999 // 300


def test_a_flood_that_one_full_bucket_accompanies_makes_room_for_many():
    """Each deletion reads all keys: it must not happen for each new one."""
    next_times = {f"peer {number}": NOW + number for number in range(MAX_PEERS)}
    store_next_at(next_times, "new", NOW + 1, NOW)
    assert len(next_times) <= MAX_PEERS - MAX_PEERS // 10 + 1
    assert f"peer {MAX_PEERS - 1}" in next_times


def test_a_deleted_peer_loses_nothing():
    """A peer with few requests may be forgotten during a flood: it has its whole burst then."""
    limits = KeyedRateLimiter(LOGIN_ID_RATE, max_keys=100)
    limits.take(b"good", NOW)
    for number in range(1000):
        limits.take(b"%d" % number, NOW)
    assert count_attempts(limits, b"good", NOW) >= 9

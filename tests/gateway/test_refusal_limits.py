import pytest

from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.gateway.caller_connection import ConnectionInfo
from relay.gateway.refusal_limits import RefusalBuckets, RefusalLimits
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

REFUSED = FAULTS["token_missing"]


def build_limits(connection=1000, certificate=1000, address=1000):
    """Build limits of one call a second, with these bursts."""
    return RefusalLimits(
        RefusalBuckets(*(Bucket.of(Rate(per_second=1, burst=n)) for n in (connection, certificate, address)))
    )


def build_info(serial="9998101001", address="192.0.2.1"):
    return ConnectionInfo(Peer(serial, address), is_excess=False)


def count_allowed(limits, infos, now=0.0):
    """Refuse one call of each connection. Returns how many are within the rates."""
    return [limits.take(info, REFUSED, now) for info in infos].count(0.0)


@pytest.mark.parametrize(
    ("limits", "infos"),
    [
        (build_limits(connection=3), [build_info()] * 5),
        (build_limits(certificate=3), [build_info(address=f"192.0.2.{n}") for n in range(5)]),
        (build_limits(address=3), [build_info(serial=str(n)) for n in range(5)]),
        (build_limits(address=3), [build_info(serial=None) for n in range(5)]),
    ],
    ids=["connection", "certificate", "address", "leased line"],
)
def test_a_burst_of_three_allows_three_at_once(limits, infos):
    assert count_allowed(limits, infos) == 3
    assert limits.take(infos[-1], REFUSED, 0.0) == pytest.approx(1.0, abs=1e-3)
    assert count_allowed(limits, infos, now=2.0) == 2


def test_a_flood_of_one_peer_does_not_limit_others():
    limits = build_limits(connection=3, certificate=3)
    assert count_allowed(limits, [build_info()] * 100) == 3
    assert count_allowed(limits, [build_info(serial="1")] * 3) == 3


def test_connections_without_certificate_share_no_certificate():
    assert (
        count_allowed(build_limits(certificate=1), [build_info(serial=None, address=f"192.0.2.{n}") for n in range(9)])
        == 9
    )


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ("token_missing", True),
        ("operator_rate", True),
        ("provider_maintenance", True),
        ("provider_rate", True),
        ("provider_busy", False),
        ("operator_share", False),
        ("breaker_open", False),
        ("relay_broken", False),
        ("ledger_unreachable", False),
        ("authority_busy", False),
    ],
)
def test_faults_of_the_relay_and_busy_institutions_do_not_count(fault, counts):
    limits, info = build_limits(connection=1), build_info()
    assert limits.take(info, FAULTS[fault], 0.0) == 0.0
    assert bool(limits.take(info, FAULTS[fault], 0.0)) == counts


def test_new_rates_apply_at_once_to_counted_calls():
    limits, info = build_limits(connection=1), build_info()
    assert count_allowed(limits, [info] * 3) == 1
    limits.adjust(RefusalBuckets(*[Bucket.of(Rate(per_second=1, burst=10))] * 3))
    assert count_allowed(limits, [info] * 20) == 9


def test_many_peers_do_not_delete_the_state_of_a_flood():
    limits = build_limits(address=1)
    assert count_allowed(limits, [build_info()]) == 1
    assert count_allowed(limits, [build_info(serial=str(n), address=f"2001:db8::{n:x}") for n in range(4095)]) == 4095
    assert count_allowed(limits, [build_info()]) == 0

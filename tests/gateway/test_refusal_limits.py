"""How many refused calls one connection, certificate and address may send."""

import pytest

from relay.domain.fault import FAULTS
from relay.domain.party import Peer
from relay.gateway.connection_registry import Card
from relay.gateway.refusal_limits import RefusalBuckets, RefusalLimits
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate

REFUSED = FAULTS["token_missing"]


def limits(connection=1000, certificate=1000, address=1000):
    """Limits of one call a second and so many at once."""
    return RefusalLimits(
        RefusalBuckets(*(Bucket.of(Rate(per_second=1, burst=n)) for n in (connection, certificate, address)))
    )


def card(serial="9998101001", address="192.0.2.1"):
    return Card(Peer(serial, address), excess=False)


def taken(counted, cards, now=0.0):
    """How many calls are within the rates, of these connections in turn."""
    return [counted.take(one, REFUSED, now) for one in cards].count(0.0)


@pytest.mark.parametrize(
    ("counted", "cards"),
    [
        (limits(connection=3), [card()] * 5),
        (limits(certificate=3), [card(address=f"192.0.2.{n}") for n in range(5)]),
        (limits(address=3), [card(serial=str(n)) for n in range(5)]),
        (limits(address=3), [card(serial=None) for n in range(5)]),
    ],
    ids=["connection", "certificate", "address", "leased line"],
)
def test_three_at_once_are_within_a_burst_of_three(counted, cards):
    assert taken(counted, cards) == 3
    assert counted.take(cards[-1], REFUSED, 0.0) == pytest.approx(1.0, abs=1e-3)
    assert taken(counted, cards, now=2.0) == 2


def test_one_flood_leaves_the_others_their_rates():
    counted = limits(connection=3, certificate=3)
    assert taken(counted, [card()] * 100) == 3
    assert taken(counted, [card(serial="1")] * 3) == 3


def test_connections_without_certificate_share_no_certificate():
    assert taken(limits(certificate=1), [card(serial=None, address=f"192.0.2.{n}") for n in range(9)]) == 9


@pytest.mark.parametrize(
    ("fault", "counts"),
    [
        ("token_missing", True),
        ("operator_rate", True),
        ("provider_maintenance", True),
        ("provider_rate", True),
        ("provider_busy", False),
        ("operator_share", False),
        ("relay_broken", False),
        ("ledger_unreachable", False),
        ("authority_busy", False),
    ],
)
def test_faults_of_the_relay_and_busy_institutions_do_not_count(fault, counts):
    counted, one = limits(connection=1), card()
    assert counted.take(one, FAULTS[fault], 0.0) == 0.0
    assert bool(counted.take(one, FAULTS[fault], 0.0)) == counts


def test_new_rates_hold_at_once_for_what_was_counted():
    counted, one = limits(connection=1), card()
    assert taken(counted, [one] * 3) == 1
    counted.adjust(RefusalBuckets(*[Bucket.of(Rate(per_second=1, burst=10))] * 3))
    assert taken(counted, [one] * 20) == 9


def test_many_peers_do_not_make_a_flood_forgotten():
    counted = limits(address=1)
    assert taken(counted, [card()]) == 1
    assert taken(counted, [card(serial=str(n), address=f"2001:db8::{n:x}") for n in range(4095)]) == 4095
    assert taken(counted, [card()]) == 0

"""The meters of one process: what they share with the settings, and with other gateways."""

import pytest

from relay.domain.fault import Refusal
from relay.policy.quota.limits import LimitTable
from relay.policy.quota.meters import QuotaMeters
from relay.policy.settings.scalars import Rate

NOW = 50.0
CALL = ("one", "bank", "app", False)


def build_meters(share=1.0, burst=4, pair=9, **options):
    table = LimitTable(Rate(per_second=10, burst=pair), {"bank": Rate(per_second=10, burst=burst)})
    return QuotaMeters(table, share, **options)


def count_allowed(meters, now=NOW):
    allowed = 0
    try:
        while True:
            meters.take(CALL, now)
            allowed += 1
    except Refusal:
        return allowed


@pytest.mark.parametrize(("share", "allowed"), [(1.0, 4), (0.5, 2), (0.01, 1)])
def test_a_part_of_the_rates_is_counted(share, allowed):
    assert count_allowed(build_meters(share)) == allowed


def test_a_refused_call_counts_in_no_meter():
    meters = build_meters(burst=1)
    count_allowed(meters)
    with pytest.raises(Refusal) as refusal:
        meters.take(CALL, NOW)
    assert (refusal.value.fault.name, refusal.value.retry_after) == ("provider_rate", pytest.approx(0.1, abs=1e-5))
    assert [round(debt, 3) for _, debt in meters.list_debts(NOW)] == [1, 1]


def test_a_call_that_was_not_sent_counts_in_no_meter():
    meters = build_meters()
    meters.take(CALL, NOW)
    debts = meters.list_debts(NOW)
    meters.take(CALL, NOW)
    meters.give_back(CALL)
    assert meters.list_debts(NOW) == debts


def test_a_new_part_keeps_the_counted_calls():
    meters = build_meters()
    count_allowed(meters)
    meters.set_share(0.5, NOW)
    assert count_allowed(meters, NOW + 0.39) == 0
    assert count_allowed(meters, NOW + 0.61) == 1


def test_a_debt_is_raised_to_what_is_known():
    meters = build_meters()
    meters.take(CALL, NOW)
    (_, (limit, _)) = meters.list_debts(NOW)
    meters.raise_debt(limit, 3, NOW)
    meters.raise_debt(limit, 2, NOW)
    assert count_allowed(meters) == 1


def test_meters_beyond_the_memory_are_looked_up_again():
    meters = build_meters(burst=1000, max_calls=10)
    for number in range(50):
        meters.take((f"operator{number}", "bank", "", False), NOW + number)
    assert len(meters) < 20

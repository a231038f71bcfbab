"""Quotas that are counted in one process."""

import pytest

from relay.domain.fault import Refusal
from relay.infra.quota.local import LocalQuotaCounters
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate


def build_table(operator=(10, 3), provider=(10, 5), **more):
    rates = {code: Rate(per_second=provider[0], burst=provider[1]) for code in ("bank", "card")}
    return LimitTable(Rate(per_second=operator[0], burst=operator[1]), rates, **more)


def build_quotas(**rates):
    return LocalQuotaCounters(build_table(**rates))


def take_refused(quotas, operator="one", provider="bank", now=100.0, *, client_id="", is_scheduled=False):
    with pytest.raises(Refusal) as refusal:
        quotas.take((operator, provider, client_id, is_scheduled), now)
    return refusal.value.fault.name, round(refusal.value.retry_after, 4)


def take_many(quotas, times, operator="one", provider="bank", now=100.0, *, client_id="", is_scheduled=False):
    for _ in range(times):
        quotas.take((operator, provider, client_id, is_scheduled), now)


def test_exactly_a_burst_is_allowed_at_once():
    quotas = build_quotas()
    take_many(quotas, 3)
    assert take_refused(quotas) == ("operator_rate", 0.1)


def test_a_request_is_allowed_after_retry_after_and_not_before():
    quotas = build_quotas()
    take_many(quotas, 3)
    assert take_refused(quotas, now=100.099) == ("operator_rate", 0.001)
    take_many(quotas, 1, now=100.1)
    assert take_refused(quotas, now=100.1) == ("operator_rate", 0.1)


def test_the_rate_holds_over_a_long_time():
    quotas, served = build_quotas(provider=(1000, 1000)), 0
    for step in range(1000):
        try:
            take_many(quotas, 1, now=100 + step / 100)
        except Refusal:
            continue
        served += 1
    assert served == 3 + 99


def test_a_long_pause_allows_no_more_than_a_burst():
    quotas = build_quotas()
    take_many(quotas, 3)
    take_many(quotas, 3, now=1e6)
    assert take_refused(quotas, now=1e6)[0] == "operator_rate"


def test_the_institutions_rate_limits_all_operators_together():
    quotas = build_quotas()
    take_many(quotas, 3)
    take_many(quotas, 2, operator="two")
    assert take_refused(quotas, "two") == ("provider_rate", 0.1)
    take_many(quotas, 1, operator="two", provider="card")


def test_a_service_has_a_rate_over_all_institutions():
    quotas = build_quotas(service=Rate(per_second=1, burst=2))
    take_many(quotas, 1, client_id="app")
    take_many(quotas, 1, provider="card", client_id="app")
    assert take_refused(quotas, client_id="app") == ("service_rate", 1.0)
    take_many(quotas, 2, client_id="other")


def test_an_operator_has_a_rate_over_all_institutions():
    quotas = build_quotas(operator=(10, 3), provider=(10, 5))
    quotas.adjust(LimitTable(Rate(per_second=10, burst=3), {}, operator=Rate(per_second=1, burst=2)))
    take_many(quotas, 1)
    take_many(quotas, 1, provider="card")
    assert take_refused(quotas) == ("operator_rate", 1.0)


def test_scheduled_transfers_have_a_rate_of_their_own_too():
    quotas = build_quotas(scheduled={"bank": Rate(per_second=1, burst=1), "card": None})
    take_many(quotas, 1, is_scheduled=True)
    assert take_refused(quotas, is_scheduled=True) == ("scheduled_rate", 1.0)
    take_many(quotas, 2)
    take_many(quotas, 2, provider="card", is_scheduled=True)


def test_a_request_refused_by_one_limit_does_not_count_in_another():
    quotas = build_quotas(operator=(10, 3), provider=(10, 3))
    take_many(quotas, 3, operator="one")
    for _ in range(10):
        assert take_refused(quotas, "two")[0] == "provider_rate"
    take_many(quotas, 2, operator="two", now=100.3)


def test_counted_requests_stay_counted_when_rates_change():
    quotas = build_quotas()
    take_many(quotas, 3)
    quotas.adjust(build_table(operator=(10, 4)))
    take_many(quotas, 1)
    assert take_refused(quotas) == ("operator_rate", 0.1)


def test_a_raised_rate_helps_at_once():
    quotas = build_quotas(operator=(0.01, 1))
    take_many(quotas, 1)
    assert take_refused(quotas) == ("operator_rate", 100.0)
    quotas.adjust(build_table(operator=(100, 1)))
    assert take_refused(quotas) == ("operator_rate", 0.01)
    take_many(quotas, 1, now=100.01)


async def test_nothing_is_leased_in_one_process():
    quotas = build_quotas()
    assert (await quotas.wait(), await quotas.run(), quotas.gauges()) == (None, None, {})


def test_a_rate_applies_that_changed_again_before_the_next_call():
    quotas = build_quotas(operator=(1000, 1000), provider=(1000, 1000))
    take_many(quotas, 1)
    quotas.adjust(build_table(operator=(500, 500)))
    quotas.adjust(build_table(operator=(1, 1)))
    take_many(quotas, 1, now=100.01)
    assert take_refused(quotas, now=100.02)[0] == "operator_rate"

import pytest

from relay.domain.fault import Refusal
from relay.infra.quota.local import LocalQuotaCounters
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate


def bucket(per_second, burst):
    return Bucket.of(Rate(per_second=per_second, burst=burst))


def build_quotas(operator=(10, 3), provider=(10, 5)):
    return LocalQuotaCounters(bucket(*operator), {"bank": bucket(*provider), "card": bucket(*provider)})


def take_refused(quotas, operator="one", provider="bank", now=100.0):
    with pytest.raises(Refusal) as refusal:
        quotas.take(operator, provider, now)
    return refusal.value.fault.name, round(refusal.value.retry_after, 4)


def take_many(quotas, times, operator="one", provider="bank", now=100.0):
    for _ in range(times):
        quotas.take(operator, provider, now)


def test_exactly_a_burst_is_allowed_at_once():
    quotas = build_quotas()
    take_many(quotas, 3)
    assert take_refused(quotas) == ("operator_rate", 0.1)


def test_a_request_is_allowed_after_retry_after_and_not_before():
    quotas = build_quotas()
    take_many(quotas, 3)
    assert take_refused(quotas, now=100.099) == ("operator_rate", 0.001)
    quotas.take("one", "bank", 100.1)
    assert take_refused(quotas, now=100.1) == ("operator_rate", 0.1)


def test_the_rate_holds_over_a_long_time():
    quotas, served = build_quotas(provider=(1000, 1000)), 0
    for step in range(1000):
        try:
            quotas.take("one", "bank", 100 + step / 100)
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
    quotas.take("two", "card", 100.0)


def test_a_request_refused_by_one_bucket_does_not_count_in_the_other():
    quotas = build_quotas(operator=(10, 3), provider=(10, 3))
    take_many(quotas, 3, operator="one")
    for _ in range(10):
        assert take_refused(quotas, "two")[0] == "provider_rate"
    take_many(quotas, 3, operator="two", now=100.3)


def test_counted_requests_stay_counted_when_rates_change():
    quotas = build_quotas()
    take_many(quotas, 3)
    quotas.adjust(bucket(10, 4), {"bank": bucket(10, 5)})
    quotas.take("one", "bank", 100.0)
    assert take_refused(quotas) == ("operator_rate", 0.1)

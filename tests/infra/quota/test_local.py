import pytest

from relay.domain.fault import Refusal
from relay.infra.quota.local import LocalCounters
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.scalars import Rate


def bucket(per_second, burst):
    return Bucket.of(Rate(per_second=per_second, burst=burst))


def counters(operator=(10, 3), provider=(10, 5)):
    return LocalCounters(bucket(*operator), {"bank": bucket(*provider), "card": bucket(*provider)})


def refused(taken, operator="one", provider="bank", now=100.0):
    with pytest.raises(Refusal) as refusal:
        taken.take(operator, provider, now)
    return refusal.value.fault.name, round(refusal.value.retry_after, 4)


def take(taken, times, operator="one", provider="bank", now=100.0):
    for _ in range(times):
        taken.take(operator, provider, now)


def test_a_burst_is_taken_at_once_and_no_more():
    taken = counters()
    take(taken, 3)
    assert refused(taken) == ("operator_rate", 0.1)


def test_who_waits_as_told_is_served_and_who_waits_less_is_not():
    taken = counters()
    take(taken, 3)
    assert refused(taken, now=100.099) == ("operator_rate", 0.001)
    taken.take("one", "bank", 100.1)
    assert refused(taken, now=100.1) == ("operator_rate", 0.1)


def test_in_the_long_run_the_rate_holds():
    taken, served = counters(provider=(1000, 1000)), 0
    for step in range(1000):
        try:
            taken.take("one", "bank", 100 + step / 100)
        except Refusal:
            continue
        served += 1
    assert served == 3 + 99


def test_a_long_pause_gives_no_more_than_a_burst():
    taken = counters()
    take(taken, 3)
    take(taken, 3, now=1e6)
    assert refused(taken, now=1e6)[0] == "operator_rate"


def test_operators_together_are_held_to_the_institutions_rate():
    taken = counters()
    take(taken, 3)
    take(taken, 2, operator="two")
    assert refused(taken, "two") == ("provider_rate", 0.1)
    taken.take("two", "card", 100.0)


def test_who_is_refused_by_one_bucket_takes_nothing_from_the_other():
    taken = counters(operator=(10, 3), provider=(10, 3))
    take(taken, 3, operator="one")
    for _ in range(10):
        assert refused(taken, "two")[0] == "provider_rate"
    take(taken, 3, operator="two", now=100.3)


def test_what_was_taken_stays_taken_when_rates_change():
    taken = counters()
    take(taken, 3)
    taken.adjust(bucket(10, 4), {"bank": bucket(10, 5)})
    taken.take("one", "bank", 100.0)
    assert refused(taken) == ("operator_rate", 0.1)

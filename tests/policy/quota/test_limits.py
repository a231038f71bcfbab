"""Which limits a call counts against."""

import pytest

from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

RATES = [Rate(per_second=number, burst=number) for number in range(1, 7)]
TABLE = LimitTable(
    RATES[0],
    {"bank": RATES[1], "card": RATES[5]},
    scheduled={"bank": RATES[2], "card": None},
    operator=RATES[3],
    service=RATES[4],
)


def list_limits(table, call):
    return [(limit.key, limit.rate.burst, limit.fault.name) for limit in table.find(call)]


def test_a_scheduled_call_counts_against_every_limit():
    assert list_limits(TABLE, ("one", "bank", "app", True)) == [
        ("operator_provider:one:bank", 1, "operator_rate"),
        ("operator:one", 4, "operator_rate"),
        ("service:app", 5, "service_rate"),
        ("scheduled:bank", 3, "scheduled_rate"),
        ("provider:bank", 2, "provider_rate"),
    ]


@pytest.mark.parametrize("call", [("one", "bank", "app", False), ("one", "card", "app", True)])
def test_scheduled_limits_are_for_scheduled_calls_where_set(call):
    assert [name for _, _, name in list_limits(TABLE, call)].count("scheduled_rate") == 0


def test_limits_that_are_not_set_do_not_apply():
    table = LimitTable(RATES[0], {})
    assert list_limits(table, ("one", "bank", "app", True)) == [("operator_provider:one:bank", 1, "operator_rate")]

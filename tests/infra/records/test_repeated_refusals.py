"""Repeated refusals: which are written, which are summed, and that none is lost."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.exchange import Exchange
from relay.infra.records.access_log import format_records
from relay.infra.records.repeated_refusals import EACH, RepeatedRefusals


def refused(reason="token_missing", operator="ZOPA000001", at=100.0, forwarded_at=0.0):
    exchange = Exchange(0.0, at)
    exchange.reason, exchange.operator, exchange.provider_started = reason, operator, forwarded_at
    exchange.close(0.0)
    return exchange


def written(*batches):
    """Returns reason, operator and number of each record after all batches and a flush."""
    repeated = RepeatedRefusals()
    records = [record for batch in batches for record in repeated.reduce(batch)] + repeated.flush()
    return [(record.reason, record.operator, record.repeated) for record in records]


def test_a_flood_is_twenty_records_and_a_sum():
    assert written([refused() for _ in range(1000)]) == [("token_missing", "ZOPA000001", 1)] * EACH + [
        ("token_missing", "ZOPA000001", 1000 - EACH)
    ]


def test_a_flood_in_many_batches_is_one_sum_per_second():
    batches = [[refused(at=100.0 + number / 100)] * 10 for number in range(200)]
    assert [count for *_, count in written(*batches)] == [1] * EACH + [1000 - EACH] + [1] * EACH + [1000 - EACH]


@pytest.mark.parametrize("kind", [{"reason": ""}, {"forwarded_at": 1.0}], ids=["answered", "forwarded"])
def test_only_refused_calls_are_summed(kind):
    assert [count for *_, count in written([refused(**kind) for _ in range(100)])] == [1] * 100


def test_other_callers_and_reasons_are_written_separately():
    flood = [refused() for _ in range(EACH + 5)]
    others = [refused(operator="ZOPA000002"), refused(reason="scope_missing")]
    assert written(flood + others)[-3:] == [
        ("token_missing", "ZOPA000002", 1),
        ("scope_missing", "ZOPA000001", 1),
        ("token_missing", "ZOPA000001", 5),
    ]


def test_a_sum_waits_until_it_is_flushed():
    repeated = RepeatedRefusals()
    repeated.reduce([refused() for _ in range(EACH)])
    assert not repeated.waits
    repeated.reduce([refused()])
    assert repeated.waits
    repeated.flush()
    assert (repeated.waits, repeated.flush()) == (False, [])


def test_a_record_has_the_number_that_it_stands_for():
    single, many = refused(), refused()
    many.repeated = 7
    assert [json.loads(line).get("repeated") for line in format_records([single, many]).splitlines()] == [None, 7]


kinds = st.builds(
    refused,
    st.sampled_from(["", "token_missing", "scope_missing"]),
    st.sampled_from(["A", "B"]),
    st.sampled_from([100.0, 100.9, 101.0, 102.5]),
    st.sampled_from([0.0, 0.0, 1.0]),
)


@given(st.lists(st.lists(st.tuples(kinds, st.integers(1, 60)), max_size=8), max_size=6))
def test_sums_equal_the_number_of_exchanges_per_second(batches):
    repeated, records, expected = RepeatedRefusals(), [], Counter()
    for batch in batches:
        exchanges = [
            refused(item.reason, item.operator, item.received, item.provider_started)
            for item, times in batch
            for _ in range(times)
        ]
        expected.update((item.reason, item.operator, int(item.received)) for item in exchanges)
        records += repeated.reduce(exchanges)
    records += repeated.flush()
    counted = Counter()
    for record in records:
        counted[record.reason, record.operator, int(record.received)] += record.repeated
    assert counted == expected

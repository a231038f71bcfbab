"""Tests of the comparison of pages and periods."""

import pytest

from relay.policy.conformance.pages import (
    PageWatch,
    choose_period,
    compare_bodies,
    count_rows,
    find_days,
    list_rows,
    select_period,
)
from relay.policy.conformance.parameters import Period
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
MOVEMENTS, APPROVALS, BASIC = APIS["은행-004"], APIS["카드-008"], APIS["은행-005"]
YEAR = Period("20251129", "20261129")


def build_rows(*days):
    return [{"trans_dtime": f"{day}101010"} for day in days]


def walk(*pages):
    watch = PageWatch()
    return [watch.add([{"no": number} for number in rows], cursor) for rows, cursor in pages], watch


def test_pages_that_end_are_right():
    ended, watch = walk(([1, 2], "a"), ([], "b"), ([3], ""))
    assert (ended, watch.is_stale, len(watch.rows)) == ([False, False, False], False, 3)


def test_a_cursor_that_comes_again_never_ends():
    assert walk(([1], "a"), ([2], "b"), ([3], "a"))[0] == [False, False, True]


def test_many_empty_pages_never_end():
    assert walk(([1], "a"), *(([], str(number)) for number in range(4)))[0] == [False] * 4 + [True]


def test_pages_that_repeat_rows_are_stale():
    _, watch = walk(([1], "a"), *(([1], str(number)) for number in range(4)))
    assert watch.is_stale


def test_rows_are_counted_without_order():
    assert count_rows([{"a": 1, "b": 2}, {"c": 3}]) == count_rows([{"c": 3}, {"b": 2, "a": 1}])
    assert count_rows([{"a": 1}]) != count_rows([{"a": 1}, {"a": 1}])


def test_bodies_are_compared_without_their_time():
    assert compare_bodies({"a": "1", "search_timestamp": "1"}, {"a": "1", "search_timestamp": "2"})
    assert compare_bodies({"a": "1", "next_page": "encrypted"}, {"a": "1", "next_page": "anew"})
    assert not compare_bodies({"a": "1"}, {"a": "2"})


def test_bodies_are_compared_without_the_order_of_rows():
    assert compare_bodies({"a": [{"b": "1"}, {"b": "2"}]}, {"a": [{"b": "2"}, {"b": "1"}]})
    assert not compare_bodies({"a": [{"b": "1"}]}, {"a": [{"b": "1"}, {"b": "1"}]})


def test_rows_are_those_of_the_list():
    assert list_rows(MOVEMENTS, {"trans_list": [{"a": "1"}, 1]}) == [{"a": "1"}]
    assert list_rows(MOVEMENTS, {"trans_list": "x"}) == []
    assert list_rows(BASIC, {"trans_list": [{}]}) == []


def test_a_row_counts_by_any_of_its_days():
    row = {"approved_dtime": "20260101101010", "trans_dtime": "20260301"}
    assert find_days(APPROVALS, row, 8) == ("20260101", "20260301")
    assert select_period(APPROVALS, [row], Period("20260201", "20260401")) == [row]
    assert select_period(APPROVALS, [row], Period("20260201", "20260228")) == []


@pytest.mark.parametrize(
    ("days", "period"),
    [
        ((), None),
        (("20260101", "20260101"), None),
        (("20260101", "20260301"), ("20260301", "20260301")),
        (("20260101", "20260201", "20260301"), ("20260201", "20260201")),
        (("20251129", "20260201", "20261129"), ("20260201", "20260201")),
        (("20260101", *["20260201"] * 4, *["20260301"] * 4, "20260401", "20260501"), ("20260201", "20260301")),
    ],
)
def test_a_shorter_period_has_few_rows(days, period):
    assert choose_period(MOVEMENTS, build_rows(*days), YEAR) == period

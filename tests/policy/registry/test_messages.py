import pytest

from relay.policy.registry.messages import (
    EVERYTHING,
    check_unique,
    is_far_ahead,
    is_up_to_date,
    list_rows,
    next_timestamp,
)
from relay.policy.registry.rows import Problems, Row

SINCE, NOW = "20240101000000", "20240102000000"


@pytest.fixture
def root():
    """Returns a function that makes a body of these values."""
    return lambda **values: Row("", values, Problems())


@pytest.mark.parametrize(
    ("timestamp", "since", "following"),
    [
        (NOW, EVERYTHING, NOW),
        (int(NOW), SINCE, NOW),
        (SINCE, SINCE, SINCE),
        (SINCE, NOW, EVERYTHING),
        ("0", SINCE, EVERYTHING),
        (0, EVERYTHING, EVERYTHING),
        (None, SINCE, EVERYTHING),
        ("", SINCE, EVERYTHING),
        ("00000000000000", SINCE, EVERYTHING),
    ],
)
def test_the_next_timestamp_is_the_portals(root, timestamp, since, following):
    body = root(search_timestamp=timestamp)
    assert next_timestamp(body, since) == following
    assert body.problems.count == 0


@pytest.mark.parametrize(
    ("stamp", "is_ahead"),
    [
        ("0", False),
        ("20240101000000", False),
        ("20261124025422", False),  # a day after now, in Korea
        ("20261124025423", True),
        ("20991231235959", True),
        ("99999999999999", True),
    ],
)
def test_a_timestamp_more_than_a_day_after_now_is_far_ahead(stamp, is_ahead):
    assert is_far_ahead(stamp, 1_795_370_062) is is_ahead  # 2026-11-23 02:54:22 in Korea


@pytest.mark.parametrize("timestamp", ["now", "2" * 15, "-1", 1.5, True, ["20240101000000"]])
def test_an_invalid_timestamp_is_a_problem(root, timestamp):
    body = root(search_timestamp=timestamp)
    assert next_timestamp(body, SINCE) == EVERYTHING
    assert body.problems.listed == ["search_timestamp: is not 1 to 14 digits"]


@pytest.mark.parametrize(
    ("rsp_code", "since", "answer", "problems"),
    [
        ("00000", SINCE, False, []),
        (None, SINCE, False, []),
        ("00001", SINCE, True, []),
        ("00001", EVERYTHING, True, ["rsp_code: says up to date, though everything was requested"]),
    ],
)
def test_up_to_date_is_a_problem_when_everything_was_requested(root, rsp_code, since, answer, problems):
    body = root(rsp_code=rsp_code)
    assert is_up_to_date(body, since) is answer
    assert body.problems.listed == problems


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ({"org_cnt": "0", "org_list": []}, []),
        ({"org_cnt": "", "org_list": None}, []),
        ({"org_cnt": "1", "org_list": [{}]}, ["rsp_code: says up to date, though org_list is not empty"]),
        ({"org_list": {"a": 1}}, ["rsp_code: says up to date, though org_list is not empty", "org_list: is no list"]),
        ({"org_cnt": "3"}, ["org_cnt: says 3, org_list holds 0"]),
    ],
)
def test_up_to_date_with_a_list_is_a_problem(root, values, problems):
    body = root(rsp_code="00001", **values)
    assert is_up_to_date(body, SINCE)
    assert body.problems.listed == problems


def test_a_list_needs_its_count(root):
    body = root(org_list=[{}])
    assert [row.place for row in list_rows(body)] == ["org_list[0]"]
    assert body.problems.listed == ["org_cnt: is missing"]


@pytest.mark.parametrize(
    ("org_code", "place"),
    [
        ("ZOPA000001", "org_list[0] (ZOPA000001)"),
        ("ZOPA00001", "org_list[0]"),
        ("ZOPA000001\n", "org_list[0]"),
        ("<script>!!", "org_list[0]"),
        (1000000001, "org_list[0]"),
        (["ZOPA000001"], "org_list[0]"),
        (None, "org_list[0]"),
    ],
)
def test_a_row_is_named_by_its_valid_org_code(root, org_code, place):
    body = root(org_list=[{"org_code": org_code}], org_cnt="1")
    (row,) = list_rows(body)
    row.add_problem("serial_num", "is missing")
    assert body.problems.listed == [f"{place}.serial_num: is missing"]


def test_a_duplicate_is_reported_with_its_first_place(root):
    body, places = root(org_list=[{}, {}, {}], org_cnt="3"), {}
    for row, value in zip(list_rows(body), ["a", "", "a"], strict=True):
        check_unique(row, "name", value, places)
    assert body.problems.listed == ["org_list[2].name: stands twice, first at org_list[0]"]

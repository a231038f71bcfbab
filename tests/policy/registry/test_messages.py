import pytest

from relay.policy.registry.messages import EVERYTHING, far_ahead, listed, next_timestamp, once, up_to_date
from relay.policy.registry.rows import Problems, Row

SINCE, NOW = "20240101000000", "20240102000000"


@pytest.fixture
def root():
    """Makes a body of these values."""
    return lambda **values: Row("", values, Problems())


@pytest.mark.parametrize(
    ("said", "since", "following"),
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
def test_the_next_question_is_from_where_the_portal_says(root, said, since, following):
    body = root(search_timestamp=said)
    assert next_timestamp(body, since) == following
    assert body.problems.found == 0


@pytest.mark.parametrize(
    ("stamp", "far"),
    [
        ("0", False),
        ("20240101000000", False),
        ("20261124025422", False),  # a day after now, in Korea
        ("20261124025423", True),
        ("20991231235959", True),
        ("99999999999999", True),
    ],
)
def test_a_timestamp_more_than_a_day_after_now_is_far_ahead(stamp, far):
    assert far_ahead(stamp, 1_795_370_062) is far  # 2026-11-23 02:54:22 in Korea


@pytest.mark.parametrize("said", ["now", "2" * 15, "-1", 1.5, True, ["20240101000000"]])
def test_a_timestamp_that_is_none_is_told(root, said):
    body = root(search_timestamp=said)
    assert next_timestamp(body, SINCE) == EVERYTHING
    assert body.problems.told == ["search_timestamp: is not 1 to 14 digits"]


@pytest.mark.parametrize(
    ("rsp_code", "since", "answer", "told"),
    [
        ("00000", SINCE, False, []),
        (None, SINCE, False, []),
        ("00001", SINCE, True, []),
        ("00001", EVERYTHING, True, ["rsp_code: says up to date, though everything was asked for"]),
    ],
)
def test_up_to_date_is_no_answer_to_a_question_for_everything(root, rsp_code, since, answer, told):
    body = root(rsp_code=rsp_code)
    assert up_to_date(body, since) is answer
    assert body.problems.told == told


@pytest.mark.parametrize(
    ("beside", "told"),
    [
        ({"org_cnt": "0", "org_list": []}, []),
        ({"org_cnt": "", "org_list": None}, []),
        ({"org_cnt": "1", "org_list": [{}]}, ["rsp_code: says up to date, though org_list is not empty"]),
        ({"org_list": {"a": 1}}, ["rsp_code: says up to date, though org_list is not empty", "org_list: is no list"]),
        ({"org_cnt": "3"}, ["org_cnt: says 3, org_list holds 0"]),
    ],
)
def test_up_to_date_beside_a_list_is_a_contradiction(root, beside, told):
    body = root(rsp_code="00001", **beside)
    assert up_to_date(body, SINCE)
    assert body.problems.told == told


def test_a_list_has_its_count(root):
    body = root(org_list=[{}])
    assert [row.place for row in listed(body)] == ["org_list[0]"]
    assert body.problems.told == ["org_cnt: is missing"]


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
def test_a_row_is_named_by_its_org_code_when_that_is_one(root, org_code, place):
    body = root(org_list=[{"org_code": org_code}], org_cnt="1")
    (row,) = listed(body)
    row.wrong("serial_num", "is missing")
    assert body.problems.told == [f"{place}.serial_num: is missing"]


def test_a_value_that_stands_twice_is_told_with_the_first_place(root):
    body, places = root(org_list=[{}, {}, {}], org_cnt="3"), {}
    for row, value in zip(listed(body), ["a", "", "a"], strict=True):
        once(row, "name", value, places)
    assert body.problems.told == ["org_list[2].name: stands twice, first at org_list[0]"]

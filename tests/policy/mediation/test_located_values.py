import pytest

from relay.policy.mediation.located_values import find_changed_field, find_open_names, locate_values, mask_body
from relay.policy.mediation.telegram.decoding import Decoder

LINES = [
    "code an(2) = 77",
    "count n(1)",
    {"list": "rows", "count": "count", "fields": ["name ah(4)", "many n(1)",
                                                   {"list": "inner", "count": "many", "fields": ["x n(1)"]}]},
    "filler(2)",
    {"optional": ["last n(2)"]},
]  # fmt: skip


def locate(plan_of, data):
    plan = plan_of(LINES)
    return locate_values(plan, Decoder("test", data, {}).decode(plan), data, frozenset({"count"}))


def test_each_field_has_its_path_and_offset(plan_of):
    values = locate(plan_of, b"772" + "가나".encode("euc-kr") + b"212" + "홍".encode("euc-kr") + b"  19" + b"ZZ42")
    assert [(value.path, value.offset, value.value) for value in values if value.plan is not None] == [
        ("code", 0, "77"), ("count", 2, "2"),
        ("rows[0].name", 3, "가나"), ("rows[0].many", 7, "2"), ("rows[0].inner[0].x", 8, "1"),
        ("rows[0].inner[1].x", 9, "2"),
        ("rows[1].name", 10, "홍"), ("rows[1].many", 14, "1"), ("rows[1].inner[0].x", 15, "9"),
        ("filler", 16, ""), ("last", 18, "42"),
    ]  # fmt: skip
    assert [(value.path, value.offset, value.rows) for value in values if value.plan is None] == [
        ("rows", 3, 2), ("rows[0].inner", 8, 2), ("rows[1].inner", 15, 1),
    ]  # fmt: skip


def test_values_of_customers_are_masked(plan_of):
    values = {value.path: value.masked for value in locate(plan_of, b"771" + "가나".encode("euc-kr") + b"0  ")}
    assert (values["code"], values["count"], values["rows[0].name"], values["rows[0].many"]) == ("77", "1", "가가", "9")


def test_an_absent_optional_part_has_no_fields(plan_of):
    assert [value.path for value in locate(plan_of, b"770  ")] == ["code", "count", "rows", "filler"]


def test_the_first_changed_field_is_found_without_fillers(plan_of):
    values = locate(plan_of, b"770  12")
    assert find_changed_field(values, b"770ZZ12") is None
    assert find_changed_field(values, b"770  13").path == "last"


def test_open_names_are_codes_and_counts(institution):
    conversion = institution.conversions["BA23"]
    assert find_open_names(institution.link.settings, conversion.response.parts) == {
        "resp_code", "mgmt_code", "row_count", "int_count",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        ({"rsp_code": "00000", "rsp_msg": "성공"}, {"rsp_code": "00000", "rsp_msg": "성공"}),
        ({"trans_cnt": "2", "next_page": "abc"}, {"trans_cnt": "2", "next_page": "(sealed)"}),
        (
            {"trans_list": [{"trans_amt": "12.5", "int_cnt": "1"}]},
            {"trans_list": [{"trans_amt": "99.9", "int_cnt": "1"}]},
        ),
    ],
)
def test_a_body_is_masked(institution, body, masked):
    assert mask_body(body, institution.conversions["BA04"]) == masked

"""Statistics of operators and relay are compared by key, and each difference is reported."""

from copy import deepcopy

import pytest
from mydata_sandbox.portal.comparing import compare

WEEK, DAY = "20261122", "20261116"
OPERATOR, SERVICE, BANK = "ZOPA000001", "ZOPA000001SVC01", "ZBAA000001"


def slots(*figures):
    return [
        {"tm_slot": slot, "success_api_cnt": str(success), "fail_api_cnt": str(fail)}
        for slot, (success, fail) in zip(("00", "01"), figures, strict=True)
    ]


def upload_004(*figures, kind="2", provider=BANK, service=SERVICE):
    apis = [{"api_type": "BA01", "tm_slot_cnt": "2", "tm_slot_list": slots(*figures)}]
    orgs = [{"org_code": provider, "api_type_cnt": "1", "api_type_list": apis}]
    return {
        "type": kind,
        "client_id": service,
        "inquiry_date": WEEK,
        "stat_date_list": [{"stat_date": DAY, "org_cnt": "1", "org_list": orgs}],
    }


def upload_005(*figures, kind="2", provider=BANK, service=SERVICE, operator=OPERATOR):
    apis = [{"api_type": "BA01", "tm_slot_cnt": "2", "tm_slot_list": slots(*figures)}]
    services = [{"org_code": operator, "client_id": service, "api_type_cnt": "1", "api_type_list": apis}]
    return {
        "org_code": provider,
        "type": kind,
        "inquiry_date": WEEK,
        "stat_date_list": [{"stat_date": DAY, "mydata_svc_cnt": "1", "mydata_svc_list": services}],
    }


SAME = ((3, 1), (0, 2))


def test_equal_figures_have_no_difference():
    assert compare([(OPERATOR, upload_004(*SAME))], [upload_005(*SAME)]) == []


def test_a_difference_has_its_key_and_both_figures():
    assert compare([(OPERATOR, upload_004((3, 1), (0, 2)))], [upload_005((3, 1), (1, 2))]) == [
        (
            "20261116 slot 01, ZOPA000001 ZOPA000001SVC01 at ZBAA000001, type 2, BA01: "
            "the operator reports 0 ok 2 failed, the relay 1 ok 2 failed"
        )
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "1"},
        {"provider": "ZCDA000001"},
        {"service": "ZOPA000001SVC02"},
        {"operator": "ZOPA000002"},
    ],
)
def test_a_figure_of_one_side_is_a_difference(change):
    assert len(compare([(OPERATOR, upload_004(*SAME))], [upload_005(*SAME, **change)])) == 4


@pytest.mark.parametrize(
    ("operator_uploads", "relay_uploads"),
    [([(OPERATOR, upload_004((0, 0), (0, 0)))], []), ([], [upload_005((0, 0), (0, 0))]), ([], [])],
)
def test_a_missing_figure_equals_zero(operator_uploads, relay_uploads):
    assert compare(operator_uploads, relay_uploads) == []


def test_the_last_of_several_uploads_counts():
    operator_uploads = [(OPERATOR, upload_004((9, 9), (9, 9))), (OPERATOR, upload_004(*SAME))]
    relay_uploads = [upload_005((8, 8), (8, 8)), upload_005(*SAME)]
    assert compare(operator_uploads, relay_uploads) == []


def test_operators_do_not_replace_each_others_uploads():
    operator_uploads = [("ZOPA000002", upload_004(*SAME)), (OPERATOR, upload_004(*SAME))]
    assert len(compare(operator_uploads, [upload_005(*SAME)])) == 2


def test_a_duplicate_in_an_upload_is_reported():
    doubled = deepcopy(upload_005(*SAME))
    day = doubled["stat_date_list"][0]
    day["mydata_svc_list"] *= 2
    differences = compare([(OPERATOR, upload_004(*SAME))], [doubled])
    assert [line.rpartition(": ")[2] for line in differences] == ["the relay reports it twice"] * 2


def test_a_day_without_lists_has_no_figures():
    empty = upload_004(*SAME) | {"stat_date_list": [{"stat_date": DAY, "org_cnt": "0"}]}
    assert compare([(OPERATOR, empty)], []) == []


@pytest.mark.parametrize("broken", [{}, {"inquiry_date": WEEK}, upload_005(("many", 0), (0, 0))])
def test_an_invalid_upload_raises(broken):
    with pytest.raises((KeyError, ValueError)):
        compare([], [broken])

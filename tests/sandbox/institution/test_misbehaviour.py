"""Each mode changes one thing. How an operator sees it is in tests/scenarios/test_misbehaving_institutions.py."""

import json

import pytest
from mydata_sandbox.institution.misbehaviour import WrittenReply, change_bytes, change_fields

from relay.standard.catalogue import load_catalogue

API = load_catalogue().apis["은행-001"]
FIELDS = {
    "rsp_code": "00000",
    "rsp_msg": "성공",
    "next_page": "b",
    "account_cnt": "1",
    "account_list": [{"seqno": "1"}],
}
REPLY = WrittenReply(200, {"x-api-tran-id": "ZOPA000001M00000000000000"}, json.dumps(FIELDS).encode())


@pytest.mark.parametrize(
    ("how", "changes"),
    [
        ("no_rsp_code", {"rsp_code": None}),
        ("missing_next_page", {"next_page": None}),
        ("endless_pages", {"next_page": "a"}),
        ("empty_list", {"next_page": None, "account_cnt": "0", "account_list": []}),
        ("wrong_count", {"account_cnt": "2"}),
        ("slow", {}),
    ],
)
def test_a_mode_changes_its_fields_alone(how, changes):
    expected = {name: value for name, value in {**FIELDS, **changes}.items() if value is not None}
    assert change_fields(how, FIELDS, API, {"next_page": "a"}) == expected


def test_an_rsp_code_replaces_all_fields():
    fields = change_fields("50001", FIELDS, API, {})
    assert (fields["rsp_code"], set(fields)) == ("50001", {"rsp_code", "rsp_msg"})
    assert change_bytes("50001", REPLY, fields).status == 500


def test_a_list_of_one_page_stays_as_it_is():
    fields = {name: value for name, value in FIELDS.items() if name != "next_page"}
    assert change_fields("endless_pages", fields, API, {}) == fields


@pytest.mark.parametrize("how", ["half_json", "no_json", "html", "euc_kr"])
def test_a_body_is_no_json_in_utf_8(how):
    body = change_bytes(how, REPLY, FIELDS).body
    with pytest.raises(ValueError, match=r"utf-8|Expecting|Unterminated"):
        json.loads(body.decode())


def test_the_tran_id_is_another_one_or_missing():
    assert change_bytes("wrong_tran_id", REPLY, FIELDS).headers["x-api-tran-id"] == "ZOPA000001M00000000000001"
    assert "x-api-tran-id" not in change_bytes("no_tran_id", REPLY, FIELDS).headers

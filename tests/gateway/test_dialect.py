"""The two languages of answers, side by side."""

import json

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.gateway.dialect import DATA, OAUTH, SUPPORT

TRAN_ID = b"ZOPA000001M00000000000001"
NOTES = {b"x-relay-provider": b"ZBAA000001", b"x-relay-client-id": b"one", b"x-relay-reason": b"code_spent"}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("dialect", [DATA, OAUTH, SUPPORT], ids=["data", "oauth", "support"])
def test_what_is_recorded_is_what_is_answered(dialect, fault):
    status = dialect.status(fault)
    answer = dialect.refusal(Refusal(fault), TRAN_ID, close=False)
    assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_data_apis_say_rsp_code_and_oauth_says_error():
    told = [dialect.refusal(Refusal(FAULTS["header_missing"]), b"", close=False) for dialect in (DATA, OAUTH)]
    assert [list(json.loads(one.partition(b"\r\n\r\n")[2])) for one in told] == [
        ["rsp_code", "rsp_msg"],
        ["error", "error_description"],
    ]


@pytest.mark.parametrize(("status", "data", "oauth"), [(302, False, True), (401, True, False), (503, False, True)])
def test_each_takes_the_statuses_of_its_own_table(status, data, oauth):
    taken = [dialect.flaw_of(status, {}, TRAN_ID) == "" for dialect in (DATA, OAUTH, SUPPORT)]
    assert taken == [data, oauth, data]


def test_an_institution_tells_the_record_no_more_than_its_code():
    noted = Exchange(1.0, 2.0)
    DATA.note(noted, NOTES, b'{"rsp_code":"40401"}')
    assert (noted.rsp_code, noted.provider, noted.client_id, noted.reason) == ("40401", "", "", "")


@pytest.mark.parametrize("dialect", [OAUTH, SUPPORT], ids=["oauth", "support"])
def test_the_authority_tells_the_record_who_and_why(dialect):
    noted = Exchange(1.0, 2.0)
    dialect.note(noted, NOTES, b'{"error":"invalid_grant"}')
    assert (noted.rsp_code, noted.provider, noted.client_id, noted.reason) == ("", "ZBAA000001", "one", "code_spent")


@pytest.mark.parametrize(("fault", "ours"), [("provider_busy", "authority_busy"), ("operator_gone", "operator_gone")])
def test_what_the_wire_says_of_an_institution_is_said_of_the_authority(fault, ours):
    assert [dialect.fault(FAULTS[fault]).name for dialect in (DATA, OAUTH, SUPPORT)] == [fault, ours, ours]

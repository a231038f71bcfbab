import json

import pytest

from relay.domain.exchange import Exchange
from relay.domain.fault import FAULTS, Refusal
from relay.gateway.dialect import DATA, OAUTH, SUPPORT

TRAN_ID = b"ZOPA000001M00000000000001"
NOTES = {b"x-relay-provider": b"ZBAA000001", b"x-relay-client-id": b"one", b"x-relay-reason": b"code_spent"}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("dialect", [DATA, OAUTH, SUPPORT], ids=["data", "oauth", "support"])
def test_the_recorded_status_is_the_sent_status(dialect, fault):
    status = dialect.status(fault)
    response = dialect.refusal(Refusal(fault), TRAN_ID, close=False)
    assert response.startswith(b"HTTP/1.1 %d " % status)


def test_data_apis_send_rsp_code_and_oauth_sends_error():
    refusals = [dialect.refusal(Refusal(FAULTS["header_missing"]), b"", close=False) for dialect in (DATA, OAUTH)]
    assert [list(json.loads(refusal.partition(b"\r\n\r\n")[2])) for refusal in refusals] == [
        ["rsp_code", "rsp_msg"],
        ["error", "error_description"],
    ]


@pytest.mark.parametrize(("status", "data", "oauth"), [(302, False, True), (401, True, False), (503, False, True)])
def test_each_dialect_accepts_its_own_statuses(status, data, oauth):
    accepted = [dialect.find_flaw(status, {}, TRAN_ID) == "" for dialect in (DATA, OAUTH, SUPPORT)]
    assert accepted == [data, oauth, data]


def test_only_the_rsp_code_of_an_institution_is_recorded():
    exchange = Exchange(1.0, 2.0)
    DATA.record(exchange, NOTES, b'{"rsp_code":"40401"}')
    assert (exchange.rsp_code, exchange.provider, exchange.client_id, exchange.reason) == ("40401", "", "", "")


@pytest.mark.parametrize("dialect", [OAUTH, SUPPORT], ids=["oauth", "support"])
def test_the_authority_names_service_and_reason_for_the_record(dialect):
    exchange = Exchange(1.0, 2.0)
    dialect.record(exchange, NOTES, b'{"error":"invalid_grant"}')
    assert (exchange.rsp_code, exchange.provider) == ("", "ZBAA000001")
    assert (exchange.client_id, exchange.reason) == ("one", "code_spent")


@pytest.mark.parametrize(("fault", "ours"), [("provider_busy", "authority_busy"), ("operator_gone", "operator_gone")])
def test_upstream_faults_become_faults_of_the_authority(fault, ours):
    assert [dialect.fault(FAULTS[fault]).name for dialect in (DATA, OAUTH, SUPPORT)] == [fault, ours, ours]

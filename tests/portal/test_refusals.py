"""Error answers of the support APIs."""

import pytest

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import LedgerDown
from relay.endpoint.calls import ForwardedCall
from relay.endpoint.errors import OAuthRefusal
from relay.portal.refusals import build_fault_response


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Refusal(FAULTS["provider_unknown"]), "provider_unknown"),
        (OAuthRefusal.from_fault("method_not_allowed", error="method_not_allowed"), "method_not_allowed"),
        (OAuthRefusal.from_fault("header_malformed"), "header_malformed"),
        (OAuthRefusal.from_fault("body_too_large"), "body_too_large"),
        (LedgerDown("disk is full"), "ledger_unreachable"),
        (ValueError("PRIVATE"), "relay_broken"),
    ],
)
def test_each_error_has_its_fault(error, fault):
    call = ForwardedCall("", frozenset(), "", None, {}, b"")
    with pytest.raises(type(error)) as raised:
        raise error
    answer = build_fault_response(call, raised.value)
    body = {"rsp_code": FAULTS[fault].rsp_code, "rsp_msg": FAULTS[fault].words}
    assert (answer.status, answer.body) == (FAULTS[fault].status, body)
    assert call.note.reason == fault


def test_the_invalid_field_is_named():
    call = ForwardedCall("", frozenset(), "", None, {}, b"")
    answer = build_fault_response(call, Refusal(FAULTS["parameter_malformed"], "org_type (03)"))
    assert answer.body["rsp_msg"].endswith(": org_type (03)")

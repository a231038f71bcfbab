"""Error answers of the support APIs."""

import pytest

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import Unreachable
from relay.endpoint.calls import Call
from relay.endpoint.errors import OAuthRefusal
from relay.portal.refusals import build_fault_answer


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Refusal(FAULTS["provider_unknown"]), "provider_unknown"),
        (OAuthRefusal.of("method_not_allowed", error="method_not_allowed"), "method_not_allowed"),
        (OAuthRefusal.of("header_malformed"), "header_malformed"),
        (OAuthRefusal.of("body_too_large"), "body_too_large"),
        (Unreachable("disk is full"), "ledger_unreachable"),
        (ValueError("PRIVATE"), "relay_broken"),
    ],
)
def test_each_error_has_its_fault(error, fault):
    call = Call("", frozenset(), "", None, {}, b"")
    with pytest.raises(type(error)) as raised:
        raise error
    answer = build_fault_answer(call, raised.value)
    body = {"rsp_code": FAULTS[fault].rsp_code, "rsp_msg": FAULTS[fault].words}
    assert (answer.status, answer.body) == (FAULTS[fault].status, body)
    assert call.note.reason == fault


def test_the_invalid_field_is_named():
    call = Call("", frozenset(), "", None, {}, b"")
    answer = build_fault_answer(call, Refusal(FAULTS["parameter_malformed"], "org_type (03)"))
    assert answer.body["rsp_msg"].endswith(": org_type (03)")

"""Error responses of 지원-102 to -104: rsp_code and rsp_msg of the fault table (규격 첨부1)."""

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import LedgerDown
from relay.endpoint.calls import EndpointResponse, ForwardedCall
from relay.endpoint.errors import OAuthRefusal, log_unexpected
from relay.policy.call.envelope import build_refusal_fields


def build_fault_response(call: ForwardedCall, error: Exception) -> EndpointResponse:
    """Returns the response to a call that raised this error; notes its fault for the record."""
    if isinstance(error, OAuthRefusal):  # raised before an endpoint was called: its reason is a fault
        call.note.reason = error.reason
        fault = FAULTS[error.reason]
        return EndpointResponse(fault.status, {"rsp_code": fault.rsp_code, "rsp_msg": error.description})
    refusal = _to_refusal(error)
    call.note.reason = refusal.fault.name
    return EndpointResponse(refusal.fault.status, build_refusal_fields(refusal.fault, refusal.detail))


def _to_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, LedgerDown):
        return Refusal(FAULTS["ledger_unreachable"])
    log_unexpected(error)
    return Refusal(FAULTS["relay_broken"])

"""Error answers of 지원-102 to -104: rsp_code and rsp_msg of the fault table (규격 첨부1)."""

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import Unreachable
from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal, log_unforeseen
from relay.policy.call.envelope import refusal_told


def build_fault_answer(call: Call, error: Exception) -> Answer:
    """Returns the answer to a call that raised this error; notes its fault for the record."""
    if isinstance(error, OAuthRefusal):  # raised before an endpoint was called: its reason is a fault
        call.note.reason = error.reason
        fault = FAULTS[error.reason]
        return Answer(fault.status, {"rsp_code": fault.rsp_code, "rsp_msg": error.description})
    refusal = _to_refusal(error)
    call.note.reason = refusal.fault.name
    return Answer(refusal.fault.status, refusal_told(refusal.fault, refusal.detail))


def _to_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Unreachable):
        return Refusal(FAULTS["ledger_unreachable"])
    log_unforeseen(error)
    return Refusal(FAULTS["relay_broken"])

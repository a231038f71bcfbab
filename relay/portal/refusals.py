"""What 지원-102 to -104 answer when they cannot: rsp_code and rsp_msg of the table of faults (규격 첨부1)."""

from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import Unreachable
from relay.endpoint.calls import Answer, Call
from relay.endpoint.errors import OAuthRefusal, log_unforeseen
from relay.policy.call.envelope import refusal_told


def fault_answer(call: Call, error: Exception) -> Answer:
    """The answer to a call in which this was raised; its fault is noted for the record."""
    if isinstance(error, OAuthRefusal):  # raised before an endpoint was asked: its reason is a fault
        call.note.reason = error.reason
        fault = FAULTS[error.reason]
        return Answer(fault.status, {"rsp_code": fault.rsp_code, "rsp_msg": error.description})
    refusal = _refusal_of(error)
    call.note.reason = refusal.fault.name
    return Answer(refusal.fault.status, refusal_told(refusal.fault, refusal.detail))


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, Unreachable):
        return Refusal(FAULTS["ledger_unreachable"])
    log_unforeseen(error)
    return Refusal(FAULTS["relay_broken"])

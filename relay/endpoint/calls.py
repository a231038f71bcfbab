"""A call that the gateway forwards to an endpoint, and the response to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.endpoint.errors import OAuthRefusal
from relay.policy.call.oauth_envelope import RECORD_HEADERS, REVOKED_HEADER


@dataclass(slots=True)
class Note:
    """Fields for the gateway's record of the call; "" when unknown. They hold no unverified value of the caller.

    `api_code` is that of 첨부12, S101 to S104 for the support APIs (지원-101 to -104), which have none there.
    `revoked` are the jtis of access tokens that the call revoked, comma-separated: the gateway refuses them at once.
    `reason` is why the call was refused: a fault, an OAuth error, or a Reason of the ledger. `error` is the OAuth error
    in the response (규격 3.10).
    """

    api_code: str = ""
    provider: str = ""
    client_id: str = ""
    operator: str = ""
    reason: str = ""
    error: str = ""
    revoked: str = ""

    def headers(self) -> Mapping[str, str]:
        """Returns the fields as headers; the gateway removes them from the response."""
        values_by_name = {name.decode(): getattr(self, field_name) for name, field_name in RECORD_HEADERS}
        values_by_name[REVOKED_HEADER.decode()] = self.revoked
        return {name: value for name, value in values_by_name.items() if value}


@dataclass(frozen=True, slots=True)
class ForwardedCall:
    """One call, frozen except its `note`.

    `query` is the raw text after `?`, None without one; `headers` are by lower-case name.

    The gateway identifies the caller: `operators` are the org_codes that its certificate and address may act for.
    `fault_name` is that of the row of FAULTS that prevented identification, "" otherwise.
    """

    tran_id: str
    operators: frozenset[str]
    fault_name: str
    query: str | None = field(repr=False)
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)
    body: bytes = field(repr=False)
    note: Note = field(default_factory=Note)

    def single_header(self, name: str) -> str:
        """Returns the value of a header (lower-case name) that occurs exactly once; "" otherwise."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """Status, the JSON object of the body (None: no body), and headers beyond those of every response."""

    status: int
    body: Mapping[str, object] | None = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def build_error_response(refusal: OAuthRefusal) -> EndpointResponse:
    """Returns the JSON error response of a refusal (RFC 6749 5.2, RFC 7009 2.2.1)."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    return EndpointResponse(refusal.status, {"error": refusal.error, "error_description": refusal.description}, headers)

"""A call of an endpoint behind the gateway as the gateway hands it over, and the answer it gets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.endpoint.errors import OAuthRefusal


@dataclass(slots=True)
class Note:
    """What the gateway's record of the call shall say; "" for what is not known yet. Nothing a caller made up.

    `api_code` is that of 첨부12, S101 to S104 for the support APIs (지원-101 to -104), which have none there.
    `revoked` are the jtis of access tokens that the call revoked, comma-separated: the gateway refuses them at once.
    `reason` names why the call was refused: a fault, an OAuth error, or a Why of the ledger. `error` is the OAuth error
    that was answered (규격 3.10).
    """

    api_code: str = ""
    provider: str = ""
    client_id: str = ""
    operator: str = ""
    reason: str = ""
    error: str = ""
    revoked: str = ""

    def headers(self) -> Mapping[str, str]:
        """The headers that tell it; the gateway takes them off the answer."""
        told = {
            "x-relay-api-code": self.api_code,
            "x-relay-provider": self.provider,
            "x-relay-client-id": self.client_id,
            "x-relay-operator": self.operator,
            "x-relay-reason": self.reason,
            "x-relay-error": self.error,
            "x-relay-revoked": self.revoked,
        }
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `query` is what stands behind `?` as it came, None without one; `headers` by lower-case name.

    The gateway tells who calls: `operators` are the org_codes that certificate and address may speak for, `fault` the
    name of the row of FAULTS why nobody is known, "" otherwise.
    """

    tran_id: str
    operators: frozenset[str]
    fault: str
    query: str | None = field(repr=False)
    headers: Mapping[str, tuple[str, ...]] = field(repr=False)
    body: bytes = field(repr=False)
    note: Note = field(default_factory=Note)

    def header(self, name: str) -> str:
        """The value of a header (lower-case name) that stands once; "" otherwise."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, the JSON object of the body (None: no body), and headers beyond those that every answer has."""

    status: int
    body: Mapping[str, object] | None = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def refused(refusal: OAuthRefusal) -> Answer:
    """The answer of a refusal that is told by JSON (RFC 6749 5.2, RFC 7009 2.2.1)."""
    headers = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else {}
    return Answer(refusal.status, {"error": refusal.error, "error_description": refusal.description}, headers)

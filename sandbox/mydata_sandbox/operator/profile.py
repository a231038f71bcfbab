"""Who a simulated operator is."""

from dataclasses import dataclass, field

from mydata_sandbox.credentials.authority import CertificateFiles


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """An operator with its services: client_ids, their secrets in the same order, one callback."""

    org_code: str
    name: str
    client_ids: tuple[str, ...]
    identity: CertificateFiles
    client_secrets: tuple[str, ...] = field(repr=False)
    callback: str

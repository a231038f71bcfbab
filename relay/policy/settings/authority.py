"""What may stand in `relay.yaml` about tokens, the ledger, the authority and the certifiers (통합인증기관)."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator

from relay.policy.settings.scalars import (
    BaseUrl,
    ClientId,
    Model,
    Network,
    OrgCode,
    Path,
    Port,
    Rate,
    Seconds,
    Secret,
    Text,
    at_folder,
    refuse,
)

_URL_SECRET = re.compile(r"(?:file|env):.+")
_POSTGRESQL = re.compile(r"postgres(?:ql(?:\+asyncpg)?)?://[^\s]+")
_WITH_PASSWORD = re.compile(r"postgres(?:ql(?:\+asyncpg)?)?://[^/@\s]*:[^/@\s]*@")


def _ledger_url(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme in {"sqlite", "file"} and rest:
        return f"{scheme}:{at_folder(rest, info)}"
    if _WITH_PASSWORD.match(value):
        raise ValueError("a URL with a password is a secret: write it into a file or variable and refer to that")
    if not (_URL_SECRET.fullmatch(value) or _POSTGRESQL.fullmatch(value)):
        raise ValueError("a ledger is sqlite:PATH, postgresql://HOST/DATABASE, or a reference file:PATH or env:NAME")
    return value


LedgerUrl = Annotated[
    str,
    AfterValidator(_ledger_url),
    Field(description="sqlite:PATH, postgresql://HOST/DATABASE, or file:PATH or env:NAME where such a URL stands"),
]
Kid = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$"), Field(description="1 to 64 of 0-9A-Za-z._-")]
Days = Annotated[int, Field(ge=1, le=365)]


class Tokens(Model):
    """Access tokens: who issues them, the folder with the keys that sign them, how long they last (규격 2.2).

    `leeway_s` is how far clocks may disagree; `memory` how many verified tokens are remembered.
    """

    issuer: OrgCode
    keys: Path
    access_days: Annotated[int, Field(ge=1, le=90)] = 90
    refresh_days: Days = 365
    code_s: Annotated[int, Field(ge=10, le=600)] = 600
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 5.0
    memory: Annotated[int, Field(ge=2, le=10_000_000)] = 100_000


class CustomerKey(Model):
    """A key under which customers are kept in the ledger: 32 random bytes in base64, by reference."""

    kid: Kid
    key: Secret


class LedgerSettings(Model):
    """원장: where consents and tokens are kept. The first customer key seals, all of them open.

    A gateway goes by what it remembers while it cannot reach the ledger, but no longer than `trust_s`.
    """

    url: LedgerUrl
    customer_keys: Annotated[tuple[CustomerKey, ...], Field(min_length=1, max_length=8)]
    connections: Annotated[int, Field(ge=1, le=200)] = 10
    poll_s: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    trust_s: Annotated[float, Field(ge=1, le=3600)] = 60.0

    @model_validator(mode="after")
    def _kids_differ(self) -> Self:
        kids = [key.kid for key in self.customer_keys]
        for index, kid in enumerate(kids):
            if kid in kids[:index]:
                raise refuse(f"customer_keys[{index}].kid", "stands twice", "another kid for each key")
        return self


class PagesTls(Model):
    """The certificate that customers' phones see. PEM files."""

    certificate: Path
    private_key: Secret


class PagesLimits(Model):
    """Connections to the pages at once, in all and of one address; new connections of one address by time.

    Mobile networks put many customers behind one address. Those of `proxies` are under the first limit alone.
    """

    connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = 100
    new_connections: Rate = Rate(per_second=20, burst=200)


class PagesTimeouts(Model):
    """How long the pages wait for a browser."""

    handshake_s: Seconds = 5.0
    head_s: Seconds = 5.0
    body_s: Seconds = 10.0
    idle_s: Seconds = 15.0


class Pages(Model):
    """The pages of individual authentication: a listener of their own, TLS without client certificates.

    `url` is how customers reach it from outside, without a path. `proxies` are the networks of load balancers in front
    that tell customers' addresses in X-Forwarded-For.
    """

    url: BaseUrl
    address: Text = "0.0.0.0"  # noqa: S104 - customers come from everywhere
    port: Port = 8444
    tls: PagesTls | None = None
    proxies: tuple[Network, ...] = ()
    limits: PagesLimits = PagesLimits()
    timeouts: PagesTimeouts = PagesTimeouts()


class AuthoritySettings(Model):
    """인가서버: behind the gateway on a unix socket.

    `verifiers` threads check signatures; `request_s` is how long a customer has for the pages.
    """

    socket: Annotated[Path, Field(validate_default=True)] = "authority.sock"
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 128
    queue: Annotated[int, Field(ge=0, le=10_000)] = 512
    timeout_s: Seconds = 15.0
    verifiers: Annotated[int, Field(ge=1, le=64)] = 2
    request_s: Annotated[int, Field(ge=60, le=3600)] = 600
    pages: Pages | None = None


class CertifierKind(StrEnum):
    """인증서 본인확인기관 (auth_type 0, org_type 05) or 전자서명인증사업자 (auth_type 1, org_type 06)."""

    IDENTITY = "identity"
    SIGNATURE = "signature"


class IdentityDesk(Model):
    """Where an identity certifier confirms identities (UCPID): TCP, and our service code and RSA certificate there.

    `responder` holds the certificates with which the desk signs its answers: any customer has one under its roots.
    """

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    cp_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,12}$"), Field(description="1 to 12 characters")]
    certificate: Path
    private_key: Secret
    responder: Path


class SignatureDesk(Model):
    """Where an e-signature certifier verifies signatures (통합인증-104): its API and our credential there."""

    base_url: BaseUrl
    client_id: ClientId
    client_secret: Secret
    ca: Path | None = None


class Certifier(Model):
    """통합인증기관. An identity certifier has `roots` (and `crls`) and `identity`, an e-signature one `signature`."""

    ca_code: OrgCode
    name: Text
    kind: CertifierKind
    roots: tuple[Path, ...] = ()
    crls: tuple[Path, ...] = ()
    identity: IdentityDesk | None = None
    signature: SignatureDesk | None = None
    timeout_s: Seconds = 5.0

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind is CertifierKind.IDENTITY:
            if not self.roots:
                raise refuse("roots", "is empty", "the CAs that sign customers' certificates, because kind is identity")
            if self.identity is None:
                raise refuse("identity", "is missing", "host, port, cp_code, certificate, private_key")
        elif self.signature is None:
            raise refuse("signature", "is missing", "base_url, client_id, client_secret, because kind is signature")
        return self

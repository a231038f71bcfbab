"""Sections of `relay.yaml` for tokens, the ledger, the authority and the certifiers (통합인증기관)."""

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator

from relay.policy.settings.scalars import (
    BaseUrl,
    ClientId,
    FilePath,
    ListenerTimeouts,
    Network,
    OrgCode,
    Port,
    Rate,
    Seconds,
    SecretReference,
    Section,
    Text,
    build_error,
    describe_section,
    resolve_path,
)

_URL_SECRET = re.compile(r"(?:file|env):.+")
_POSTGRESQL = re.compile(r"postgres(?:ql(?:\+asyncpg)?)?://[^\s]+")
_WITH_PASSWORD = re.compile(r"postgres(?:ql(?:\+asyncpg)?)?://[^/@\s]*:[^/@\s]*@")


def _check_ledger_url(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme in {"sqlite", "file"} and rest:
        return f"{scheme}:{resolve_path(rest, info)}"
    if _WITH_PASSWORD.match(value):
        raise ValueError("a URL with a password is a secret: write it into a file or variable and refer to that")
    if not (_URL_SECRET.fullmatch(value) or _POSTGRESQL.fullmatch(value)):
        raise ValueError("a ledger is sqlite:PATH, postgresql://HOST/DATABASE, or a reference file:PATH or env:NAME")
    return value


LedgerUrl = Annotated[
    str,
    AfterValidator(_check_ledger_url),
    Field(description="sqlite:PATH, postgresql://HOST/DATABASE, or file:PATH or env:NAME that holds such a URL"),
]
Kid = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z._-]{1,64}$"), Field(description="1 to 64 of 0-9A-Za-z._-")]
Days = Annotated[int, Field(ge=1, le=365)]


class TokenSettings(Section):
    """Settings of tokens: issuer, folder of the signing keys, lifetimes (규격 2.2).

    `leeway_s` is the allowed clock skew. `memory` is how many verified tokens a gateway caches.
    """

    issuer: OrgCode
    keys: FilePath
    access_days: Annotated[int, Field(ge=1, le=90)] = 90
    refresh_days: Days = 365
    code_s: Annotated[int, Field(ge=10, le=600)] = 600
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 5.0
    memory: Annotated[int, Field(ge=2, le=10_000_000)] = 100_000


class CustomerKeySettings(Section):
    """A key that encrypts customers' CIs in the ledger: 32 random bytes in base64, by reference."""

    kid: Kid
    key: SecretReference


class LedgerSettings(Section):
    """원장: the database of consents and tokens. The first customer key encrypts, every one of them decrypts.

    A gateway that cannot reach the ledger uses its cache for at most `trust_s`.
    """

    url: LedgerUrl
    customer_keys: Annotated[tuple[CustomerKeySettings, ...], Field(min_length=1, max_length=8)]
    connections: Annotated[int, Field(ge=1, le=200)] = 10
    poll_s: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    trust_s: Annotated[float, Field(ge=1, le=3600)] = 60.0

    @model_validator(mode="after")
    def _check_kids(self) -> Self:
        kids = [key.kid for key in self.customer_keys]
        for index, kid in enumerate(kids):
            if kid in kids[:index]:
                raise build_error(f"customer_keys[{index}].kid", "is a duplicate", "another kid for each key")
        return self


class PagesTls(Section):
    """The certificate that the pages show to browsers, as PEM files."""

    certificate: FilePath
    private_key: SecretReference


class PagesLimits(Section):
    """Limits of connections to the pages: open ones in total and of one address, new ones of one address per second.

    Mobile networks put many customers behind one address. For `proxies` only the first limit applies.
    """

    connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    connections_per_address: Annotated[int, Field(ge=1, le=100_000)] = 100
    new_connections: Rate = Rate(per_second=20, burst=200)


class PagesTimeouts(ListenerTimeouts):
    """How long the pages wait for a browser: TLS handshake, request head, request body, next request."""

    idle_s: Seconds = 15.0


class PagesSettings(Section):
    """The pages of individual authentication (개별인증): a separate listener, with TLS but no client certificates.

    `url` is the base URL that customers open, without a path. `proxies` are networks of load balancers that write the
    customer's address into X-Forwarded-For.
    """

    url: BaseUrl
    address: Text = "0.0.0.0"  # noqa: S104 - customers connect from any address
    port: Port = 8444
    tls: PagesTls | None = None
    proxies: tuple[Network, ...] = ()
    limits: PagesLimits = PagesLimits()
    timeouts: PagesTimeouts = PagesTimeouts()


class AuthoritySettings(Section):
    """인가서버: the process that the gateway reaches on a unix socket.

    `verifiers` is the number of threads that verify signatures. `request_s` is how long an authorization request lasts
    at the pages.
    """

    socket: Annotated[FilePath, Field(validate_default=True)] = "authority.sock"
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 128
    queue: Annotated[int, Field(ge=0, le=10_000)] = 512
    timeout_s: Seconds = 15.0
    verifiers: Annotated[int, Field(ge=1, le=64)] = 2
    request_s: Annotated[int, Field(ge=60, le=3600)] = 600
    pages: PagesSettings | None = None


class AdapterSettings(Section):
    """The process that converts between the standard and the telegrams of institutions, on a unix socket."""

    socket: Annotated[FilePath, Field(validate_default=True)] = "adapter.sock"


class CertifierKind(StrEnum):
    """인증서 본인확인기관 (auth_type 0, org_type 05) or 전자서명인증사업자 (auth_type 1, org_type 06)."""

    IDENTITY = "identity"
    SIGNATURE = "signature"


class IdentityServiceSettings(Section):
    """The UCPID service of an identity certifier: its TCP address, and the relay's service code and RSA certificate.

    `responder` holds the certificates that sign its responses: customers' certificates have the same roots.
    """

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    cp_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,12}$"), Field(description="1 to 12 characters")]
    certificate: FilePath
    private_key: SecretReference
    responder: FilePath


class SignatureServiceSettings(Section):
    """The API of an e-signature certifier that verifies signatures (통합인증-104), and the relay's credential."""

    base_url: BaseUrl
    client_id: ClientId
    client_secret: SecretReference
    ca: FilePath | None = None


class CertifierSettings(Section):
    """통합인증기관. Kind identity needs `roots` and `identity`, may have `crls`; kind signature needs `signature`."""

    ca_code: OrgCode
    name: Text
    kind: CertifierKind
    roots: tuple[FilePath, ...] = ()
    crls: tuple[FilePath, ...] = ()
    identity: IdentityServiceSettings | None = None
    signature: SignatureServiceSettings | None = None
    timeout_s: Seconds = 5.0

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.kind is CertifierKind.IDENTITY:
            if not self.roots:
                raise build_error("roots", "is empty, but kind is identity", "the CAs of customers' certificates")
            if self.identity is None:
                raise build_error(
                    "identity", "is missing, but kind is identity", describe_section(IdentityServiceSettings)
                )
        elif self.signature is None:
            raise build_error(
                "signature", "is missing, but kind is signature", describe_section(SignatureServiceSettings)
            )
        return self

"""What may stand in `config/`: every key, its type, its default. The manual is `config/relay.yaml`.

Names end in their unit (`_s` seconds, `_bytes`). Files named here are relative to the file that names them. Secrets
are references (`file:PATH`, `env:NAME`), never values.
"""

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from relay.domain.ids import INDUSTRIES, normal_serial

Industry = Literal["bank", "card", "invest", "insu", "efin", "capital", "ginsu", "telecom", "p2p", "bond", "usury"]
OrgCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{10}$")]
ClientId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{1,50}$")]
ApiCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9]{2}$")]
Version = Annotated[str, StringConstraints(pattern=r"^v[1-9][0-9]{0,2}$")]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Port = Annotated[int, Field(ge=0, le=65535)]
Path = Annotated[str, StringConstraints(min_length=1)]
SLOT_CLOCK = re.compile(r"([01]\d|2[0-3])[0-5]\d|2400")


def _secret(value: str) -> str:
    scheme, _, rest = value.partition(":")
    if scheme not in {"file", "env"} or not rest:
        raise ValueError("a secret is written as a reference: file:PATH or env:NAME")
    return value


def _network(value: str) -> str:
    ipaddress.ip_network(value, strict=False)
    return value


def _slot(value: str) -> str:
    start, _, end = value.partition(":")
    if not (SLOT_CLOCK.fullmatch(start) and SLOT_CLOCK.fullmatch(end)):
        raise ValueError("a slot is written hhmm:hhmm, for example 0100:0700")
    return value


def _base_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"http", "https"} or not url.hostname or url.query or url.fragment or url.username:
        raise ValueError("a base URL is written https://host[:port][/path] (http:// on a leased line)")
    if re.fullmatch(r"[\d.]+|0x[\da-fA-F]+", url.hostname):
        ipaddress.IPv4Address(url.hostname)  # no 127.1, no 2130706433
    return value.rstrip("/")


def _serial(value: str) -> str:
    if not normal_serial(value):
        raise ValueError("serial_num holds letters or digits")
    return value


Secret = Annotated[str, AfterValidator(_secret)]
Network = Annotated[str, AfterValidator(_network)]
Slot = Annotated[str, AfterValidator(_slot)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
SerialNum = Annotated[str, AfterValidator(_serial), StringConstraints(max_length=20)]


class Model(BaseModel):
    """A section of the settings: nothing unknown in it, nothing changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Checking(StrEnum):
    """How strictly requests are held against the catalogue before a provider sees them."""

    STRICT = "strict"
    LENIENT = "lenient"
    OFF = "off"


class Algorithm(StrEnum):
    """JWS algorithms a key may be pinned to (RFC 7518, RFC 8037)."""

    ES256 = "ES256"
    RS256 = "RS256"
    PS256 = "PS256"
    EDDSA = "EdDSA"


class Rate(Model):
    """So many requests each second, and so many at once."""

    per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Annotated[int, Field(ge=1, le=1_000_000)]


class RelayIdentity(Model):
    """중계기관: our own org_code and name."""

    org_code: OrgCode
    name: str


class ProxyProtocol(Model):
    """PROXY protocol v2 from a load balancer in front; believed only from `trusted` networks."""

    enabled: bool = False
    trusted: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if self.enabled and not self.trusted:
            raise ValueError("proxy_protocol.enabled needs the load balancers' networks in trusted")
        return self


class Listener(Model):
    """One address the gateway listens on. Without mutual TLS it is a leased line or VPN (규격 3.1)."""

    address: str = "0.0.0.0"  # noqa: S104 - a gateway listens on every address unless told
    port: Port = 8443
    tls: bool = True
    client_certificate: bool = True
    proxy_protocol: ProxyProtocol = ProxyProtocol()

    @model_validator(mode="after")
    def _no_certificate_without_tls(self) -> Self:
        if self.client_certificate and not self.tls:
            raise ValueError("client_certificate needs tls; on a leased line write client_certificate: false")
        return self


class ServerTls(Model):
    """The relay's own certificate and the CAs that may sign operators' certificates. PEM files."""

    certificate: Path
    private_key: Secret
    client_ca: Path


class Limits(Model):
    """What the gateway takes from a connection before it refuses."""

    head_bytes: Annotated[int, Field(ge=1024, le=65536)] = 16384
    headers: Annotated[int, Field(ge=8, le=1000)] = 100
    body_bytes: Annotated[int, Field(ge=1024, le=1_048_576)] = 65536
    connections: Annotated[int, Field(ge=1)] = 10000
    connections_per_operator: Annotated[int, Field(ge=1)] = 256
    pipelined: Annotated[int, Field(ge=1, le=256)] = 32


class Timeouts(Model):
    """How long the gateway waits for an operator."""

    handshake_s: Seconds = 5.0
    head_s: Seconds = 5.0
    body_s: Seconds = 10.0
    idle_s: Seconds = 75.0


class Drain(Model):
    """Stopping: not ready but still serving for `delay_s`, then no new connections, then at most `finish_s`."""

    delay_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    finish_s: Seconds = 20.0


class GatewaySettings(Model):
    """The data plane's door."""

    listeners: Annotated[tuple[Listener, ...], Field(min_length=1)] = (Listener(),)
    tls: ServerTls | None = None
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    drain: Drain = Drain()

    @model_validator(mode="after")
    def _tls_where_asked(self) -> Self:
        if self.tls is None and any(listener.tls for listener in self.listeners):
            raise ValueError(
                "gateway.tls is missing (certificate, private_key, client_ca), but a listener asks for tls"
            )
        return self


class TokenKey(Model):
    """A key that signs access tokens; its algorithm is pinned here, not read from the token. Public key, PEM file."""

    kid: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    algorithm: Algorithm = Algorithm.ES256
    public_key: Path


class Tokens(Model):
    """Access tokens: who issues them, which keys sign them, how long a clock may be off, how many are remembered."""

    issuer: OrgCode
    keys: Annotated[tuple[TokenKey, ...], Field(min_length=1)]
    leeway_s: Annotated[float, Field(ge=0, le=300)] = 5.0
    memory: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000

    @model_validator(mode="after")
    def _kids_differ(self) -> Self:
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise ValueError("two keys have the same kid")
        return self


class ProviderTimeouts(Model):
    """How long a provider may take: to accept a connection, to begin an answer, to end it, to keep a line idle."""

    connect_s: Seconds = 2.0
    first_byte_s: Seconds = 12.0
    total_s: Seconds = 15.0
    idle_s: Seconds = 4.0


class UpstreamSettings(Model):
    """What holds for every provider whose file says nothing else."""

    timeouts: ProviderTimeouts = ProviderTimeouts()
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    queue: Annotated[int, Field(ge=0, le=100_000)] = 64


class Rates(Model):
    """Requests per second: of one operator at one provider, and of all operators at one provider."""

    operator_provider: Rate = Rate(per_second=50, burst=100)
    provider: Rate = Rate(per_second=200, burst=400)


class AdminSettings(Model):
    """The private port: health, readiness, metrics. Never reachable from outside."""

    address: str = "127.0.0.1"
    port: Port = 9090


class AccessLog(Model):
    """One JSON line for each exchange, to a file or `stdout`; at most `queue` lines wait, more are counted as lost."""

    path: Path = "stdout"
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000


class Reload(Model):
    """Settings, certificates and keys are looked at again every `watch_s`; 0 only on SIGHUP."""

    watch_s: Annotated[float, Field(ge=0, le=3600)] = 5.0


class Settings(Model):
    """`relay.yaml`."""

    relay: RelayIdentity
    gateway: GatewaySettings
    tokens: Tokens
    checking: Checking = Checking.STRICT
    upstream: UpstreamSettings = UpstreamSettings()
    rates: Rates = Rates()
    admin: AdminSettings = AdminSettings()
    access_log: AccessLog = AccessLog()
    reload: Reload = Reload()
    directory: Path = "directory.yaml"
    providers: Path = "providers"


class ProviderApis(Model):
    """APIs of the industry this institution leaves out, and those that come later but are turned on already."""

    left_out: frozenset[ApiCode] = frozenset()
    turned_on: frozenset[ApiCode] = frozenset()


class Link(StrEnum):
    """How the institution is reached."""

    TLS = "tls"
    LEASED_LINE = "leased_line"


class Provider(Model):
    """`providers/NAME.yaml`: one institution (정보제공자), everything the relay needs to expose it and spare it."""

    org_code: OrgCode
    name: str
    industry: Industry
    base_urls: Annotated[tuple[BaseUrl, ...], Field(min_length=1, max_length=16)]
    version: Version = "v1"
    min_version: Version | None = None
    apis: ProviderApis = ProviderApis()
    checking: Checking | None = None
    timeouts: ProviderTimeouts | None = None
    concurrency: Annotated[int, Field(ge=1, le=100_000)] | None = None
    queue: Annotated[int, Field(ge=0, le=100_000)] | None = None
    rate: Rate | None = None
    scheduled_slots: Annotated[tuple[Slot, ...], Field(max_length=3)] = ()
    link: Link = Link.TLS
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Secret | None = None

    @model_validator(mode="after")
    def _link_and_urls_agree(self) -> Self:
        scheme = "https" if self.link is Link.TLS else "http"
        if any(urlsplit(url).scheme != scheme for url in self.base_urls):
            raise ValueError(f"link: {self.link.value} needs base_urls that begin with {scheme}://")
        if self.link is Link.TLS and self.ca is None:
            raise ValueError("link: tls needs ca, the CA that signed the institution's certificate")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("certificate and private_key go together")
        if self.min_version and int(self.min_version[1:]) > int(self.version[1:]):
            raise ValueError(f"min_version {self.min_version} is above version {self.version}")
        return self


class DirectoryService(Model):
    """A service of an operator (지원-003). The secret is stored as a slow hash, never itself."""

    client_id: ClientId
    name: str
    client_secret_hash: str | None = None
    callbacks: Annotated[tuple[str, ...], Field(max_length=4)] = ()
    app_schemes: tuple[str, ...] = ()


class DirectoryOperator(Model):
    """An operator (지원-002)."""

    org_code: OrgCode
    name: str
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    services: Annotated[tuple[DirectoryService, ...], Field(min_length=1)]


class Directory(Model):
    """`directory.yaml`: who may call, until the portal delivers it."""

    operators: tuple[DirectoryOperator, ...] = ()

    @model_validator(mode="after")
    def _nobody_twice(self) -> Self:
        codes = [operator.org_code for operator in self.operators]
        clients = [service.client_id for operator in self.operators for service in operator.services]
        for what, names in (("org_code", codes), ("client_id", clients)):
            doubled = sorted({name for name in names if names.count(name) > 1})
            if doubled:
                raise ValueError(f"{what} stands twice: {', '.join(doubled)}")
        return self


assert Industry.__args__ == INDUSTRIES  # type: ignore[attr-defined]  # noqa: S101 - one list of industries

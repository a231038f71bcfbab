"""Model of `config/relay.yaml`: every key, its type and its default. `docs/reference/settings.md` describes each key.

Names end in their unit (`_s` seconds, `_bytes`). File paths are relative to the file that contains them. Secrets are
references (`file:PATH`, `env:NAME`), never values.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from relay.policy.settings.authority import (
    AdapterSettings,
    AuthoritySettings,
    CertifierSettings,
    LedgerSettings,
    TokenSettings,
)
from relay.policy.settings.portal import JobsSettings, PortalSettings, RetentionSettings, StatisticsSettings
from relay.policy.settings.rates import OverloadSettings, QuotaSettings, RateSettings
from relay.policy.settings.scalars import (
    STDOUT,
    Answers,
    Checking,
    FilePath,
    ListenerTimeouts,
    LogPath,
    Network,
    OrgCode,
    Port,
    ProviderTimeouts,
    Seconds,
    SecretReference,
    Section,
    Text,
    WorkerCount,
    build_error,
)


class RelayIdentity(Section):
    """중계기관: org_code and name of this relay."""

    org_code: OrgCode
    name: Text


class ProxyProtocol(Section):
    """PROXY protocol v2 of load balancers, accepted from `trusted` networks only."""

    enabled: bool = False
    trusted: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _check_trusted(self) -> Self:
        if self.enabled and not self.trusted:
            raise build_error("trusted", "is empty, but enabled is true", "the networks of the load balancers")
        return self


class Listener(Section):
    """An address on which the gateway listens. Without mutual TLS it is for a leased line or VPN (규격 3.1)."""

    address: Text = "0.0.0.0"  # noqa: S104 - the default is every address
    port: Port = 8443
    tls: bool = True
    client_certificate: bool = True
    proxy_protocol: ProxyProtocol = ProxyProtocol()

    @model_validator(mode="after")
    def _check_client_certificate(self) -> Self:
        if self.client_certificate and not self.tls:
            raise build_error("client_certificate", "requires tls: true", "false on a leased line, or tls: true")
        return self


class ServerTls(Section):
    """The certificate of the relay and the CAs of operators' certificates, as PEM files."""

    certificate: FilePath
    private_key: SecretReference
    client_ca: FilePath


class GatewayLimits(Section):
    """Bounds of connections and requests at the gateway."""

    head_bytes: Annotated[int, Field(ge=1024, le=65536)] = 16384
    headers: Annotated[int, Field(ge=8, le=1000)] = 100
    body_bytes: Annotated[int, Field(ge=1024, le=1_048_576)] = 65536
    connections: Annotated[int, Field(ge=1)] = 10000
    connections_per_operator: Annotated[int, Field(ge=1)] = 256
    handshakes: Annotated[int, Field(ge=1)] = 1024
    pipelined: Annotated[int, Field(ge=1, le=256)] = 8


class GatewayTimeouts(ListenerTimeouts):
    """How long the gateway waits for an operator: TLS handshake, request head, request body, next request."""

    idle_s: Seconds = 75.0


class DrainSettings(Section):
    """Shutdown: not ready but serving for `delay_s`, then no new connections, then at most `finish_s`."""

    delay_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    finish_s: Seconds = 15.0


class GatewaySettings(Section):
    """Listeners of the data plane, their TLS, limits and timeouts.

    With more than one of `workers`, processes share the work, and `relay restart` replaces them through `socket`.
    """

    workers: WorkerCount = 1
    socket: Annotated[FilePath, Field(validate_default=True)] = "gateway.sock"
    listeners: Annotated[tuple[Listener, ...], Field(min_length=1)] = (Listener(),)
    tls: ServerTls | None = None
    limits: GatewayLimits = GatewayLimits()
    timeouts: GatewayTimeouts = GatewayTimeouts()
    drain: DrainSettings = DrainSettings()

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if self.tls is None and any(listener.tls for listener in self.listeners):
            raise build_error("tls", "is missing, but a listener has tls: true", "certificate, private_key, client_ca")
        return self


class UpstreamSettings(Section):
    """Defaults of all institutions; the file of an institution may override them."""

    timeouts: ProviderTimeouts = ProviderTimeouts()
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    queue: Annotated[int, Field(ge=0, le=100_000)] = 64
    adaptive_concurrency: bool = True
    answers: Answers = Answers.SAMPLE


class AdminSettings(Section):
    """The private port of health, readiness and metrics. It must not be reachable from outside."""

    address: Text = "127.0.0.1"
    port: Port = 9090


class HealthSettings(Section):
    """`/healthz` fails when the event loop of the calls, or of a worker, has not run for `stall_s`."""

    stall_s: Annotated[float, Field(ge=2, le=3600)] = 10.0


class AccessLogSettings(Section):
    """One JSON line per exchange, to a file or `stdout`. Lines beyond `queue` waiting ones are dropped and counted."""

    path: LogPath = STDOUT
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000


class ReloadSettings(Section):
    """Settings, certificates and keys are checked for changes every `watch_s` seconds; 0 means on SIGHUP only."""

    watch_s: Annotated[float, Field(ge=0, le=3600)] = 5.0


class Settings(Section):
    """All sections of `relay.yaml`."""

    relay: RelayIdentity
    gateway: GatewaySettings
    tokens: TokenSettings
    ledger: LedgerSettings
    authority: Annotated[
        AuthoritySettings, Field(default_factory=dict, validate_default=True)
    ]  # resolves the default path of its socket
    adapter: Annotated[AdapterSettings, Field(default_factory=dict, validate_default=True)]
    certifiers: tuple[CertifierSettings, ...] = ()
    portal: PortalSettings | None = None
    statistics: Annotated[StatisticsSettings, Field(default_factory=dict, validate_default=True)]
    jobs: JobsSettings = JobsSettings()
    retention: RetentionSettings = RetentionSettings()
    checking: Checking = Checking.STRICT
    upstream: UpstreamSettings = UpstreamSettings()
    rates: RateSettings = RateSettings()
    quotas: QuotaSettings = QuotaSettings()
    overload: OverloadSettings = OverloadSettings()
    admin: AdminSettings = AdminSettings()
    health: HealthSettings = HealthSettings()
    access_log: AccessLogSettings = AccessLogSettings()
    reload: ReloadSettings = ReloadSettings()
    directory: Annotated[FilePath, Field(validate_default=True)] = "directory.yaml"
    providers: Annotated[FilePath, Field(validate_default=True)] = "providers"

"""What may stand in `config/relay.yaml`: every key, its type, its default. The manual is that file itself.

Names end in their unit (`_s` seconds, `_bytes`). Files named here are relative to the file that names them. Secrets
are references (`file:PATH`, `env:NAME`), never values.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from relay.policy.settings.authority import AuthoritySettings, Certifier, LedgerSettings, Tokens
from relay.policy.settings.portal import JobsSettings, PortalSettings, Retention, StatisticsSettings
from relay.policy.settings.scalars import (
    STDOUT,
    Checking,
    LogPath,
    Model,
    Network,
    OrgCode,
    Path,
    Port,
    ProviderTimeouts,
    Rate,
    Seconds,
    Secret,
    Text,
    refuse,
)


class RelayIdentity(Model):
    """중계기관: our own org_code and name."""

    org_code: OrgCode
    name: Text


class ProxyProtocol(Model):
    """PROXY protocol v2 from a load balancer in front; believed only from `trusted` networks."""

    enabled: bool = False
    trusted: tuple[Network, ...] = ()

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if self.enabled and not self.trusted:
            raise refuse("trusted", "is empty though enabled is true", "the networks of the load balancers")
        return self


class Listener(Model):
    """One address the gateway listens on. Without mutual TLS it is a leased line or VPN (규격 3.1)."""

    address: Text = "0.0.0.0"  # noqa: S104 - a gateway listens on every address unless told
    port: Port = 8443
    tls: bool = True
    client_certificate: bool = True
    proxy_protocol: ProxyProtocol = ProxyProtocol()

    @model_validator(mode="after")
    def _no_certificate_without_tls(self) -> Self:
        if self.client_certificate and not self.tls:
            raise refuse("client_certificate", "needs tls", "false on a leased line, or tls: true")
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
    handshakes: Annotated[int, Field(ge=1)] = 1024
    pipelined: Annotated[int, Field(ge=1, le=256)] = 8


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
            raise refuse("tls", "is missing though a listener asks for tls", "certificate, private_key, client_ca")
        return self


class UpstreamSettings(Model):
    """What holds for every provider whose file says nothing else."""

    timeouts: ProviderTimeouts = ProviderTimeouts()
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    queue: Annotated[int, Field(ge=0, le=100_000)] = 64


class RefusedRates(Model):
    """Refused calls per second of one connection, of one certificate and of one address; beyond them it is closed."""

    connection: Rate = Rate(per_second=100, burst=200)
    certificate: Rate = Rate(per_second=500, burst=1000)
    address: Rate = Rate(per_second=1000, burst=2000)


class Rates(Model):
    """Requests per second: of one operator or of all at one provider, of one operator at the authority; refused.

    `handshakes` are those of one address.
    """

    operator_provider: Rate = Rate(per_second=50, burst=100)
    provider: Rate = Rate(per_second=200, burst=400)
    authority: Rate = Rate(per_second=100, burst=1000)
    refused: RefusedRates = RefusedRates()
    handshakes: Rate = Rate(per_second=50, burst=256)


class AdminSettings(Model):
    """The private port: health, readiness, metrics. Never reachable from outside."""

    address: Text = "127.0.0.1"
    port: Port = 9090


class AccessLog(Model):
    """One JSON line for each exchange, to a file or `stdout`; at most `queue` lines wait, more are counted as lost."""

    path: LogPath = STDOUT
    queue: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000


class Reload(Model):
    """Settings, certificates and keys are looked at again every `watch_s`; 0 only on SIGHUP."""

    watch_s: Annotated[float, Field(ge=0, le=3600)] = 5.0


class Settings(Model):
    """`relay.yaml`."""

    relay: RelayIdentity
    gateway: GatewaySettings
    tokens: Tokens
    ledger: LedgerSettings
    authority: Annotated[
        AuthoritySettings, Field(default_factory=dict, validate_default=True)
    ]  # its socket has a place
    certifiers: tuple[Certifier, ...] = ()
    portal: PortalSettings | None = None
    statistics: Annotated[StatisticsSettings, Field(default_factory=dict, validate_default=True)]
    jobs: JobsSettings = JobsSettings()
    retention: Retention = Retention()
    checking: Checking = Checking.STRICT
    upstream: UpstreamSettings = UpstreamSettings()
    rates: Rates = Rates()
    admin: AdminSettings = AdminSettings()
    access_log: AccessLog = AccessLog()
    reload: Reload = Reload()
    directory: Annotated[Path, Field(validate_default=True)] = "directory.yaml"
    providers: Annotated[Path, Field(validate_default=True)] = "providers"

"""What may stand in `relay.yaml` about the portal (종합포털), statistics, jobs and what is kept for how long."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator

from relay.policy.settings.authority import Days
from relay.policy.settings.scalars import (
    BaseUrl,
    ClientId,
    Model,
    Network,
    OrgCode,
    Path,
    Seconds,
    Secret,
    SecretHash,
    SerialNum,
    Text,
    at_folder,
    refuse,
)

_CLOCK = re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]")
_REDIS = re.compile(r"env:\S+|rediss?://[^\s/]\S*|unix://\S+")
_WITH_PASSWORD = re.compile(r"@|\bpassword=")


def _clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError("a time of day is written hhmm, for example 0400")
    return value


def _redis_url(value: str, info: ValidationInfo) -> str:
    scheme, _, rest = value.partition(":")
    if scheme == "file" and rest:
        return f"file:{at_folder(rest, info)}"
    if _WITH_PASSWORD.search(value):
        raise ValueError("a URL with a password is a secret: write it into a file or variable and refer to that")
    if not _REDIS.fullmatch(value):
        raise ValueError("redis://HOST:PORT/0, rediss://..., unix://PATH, or a reference file:PATH or env:NAME")
    return value


Clock = Annotated[
    str, AfterValidator(_clock), Field(description="a time of day in Korea, hhmm in quotes, for example 0400")
]
RedisUrl = Annotated[
    str,
    AfterValidator(_redis_url),
    Field(description="redis://HOST:PORT/0, or file:PATH or env:NAME where such a URL stands"),
]


class PortalCredential(Model):
    """지원API 호출용: what the relay shows the portal (지원-001)."""

    client_id: ClientId
    client_secret: Secret


class OfferedCredential(Model):
    """지원API 제공용: what the portal shows the relay (지원-101). The secret as `relay secret` hashes it.

    `services` are other client_ids the portal calls 공통-001 with.
    """

    client_id: ClientId
    client_secret_hash: SecretHash
    token_days: Days = 90
    services: tuple[ClientId, ...] = ()


class Guard(Model):
    """How much the syncs of 7 days may harm together: institutions, or services, as a share, or this many at least."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.05
    least: Annotated[int, Field(ge=0, le=100_000)] = 3


class SyncLimits(Model):
    """The most that one sync may bring; a list beyond it is not taken.

    `operators` are the entries of 지원-003, `services_each` those of one operator, `secrets` the client secrets that
    were not known before: each of them costs 70 ms of one core.
    """

    operators: Annotated[int, Field(ge=1, le=99_999)] = 10_000
    services_each: Annotated[int, Field(ge=1, le=999)] = 100
    secrets: Annotated[int, Field(ge=1, le=100_000)] = 500


class PortalTimeouts(Model):
    """How long one call to the portal may take, and what is done when none succeeds."""

    connect_s: Seconds = 5.0
    total_s: Seconds = 60.0
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    backoff_s: Seconds = 1.0
    """Waited after the first attempt, twice as long after each other one, with jitter, at most a minute."""


class PortalSettings(Model):
    """종합포털: who it is, where it is, what it and we show each other, how often it is asked.

    `serial_num` and `addresses` are those of its own calls (지원-101 to -104). Without `ca` the system's CAs are
    trusted, without `certificate` the gateway's own is shown. `statistics_at` is when on Monday 지원-005 is sent. The
    consents to an operator or service that is away for longer than `forget_days` end.
    """

    org_code: OrgCode
    base_url: BaseUrl
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    calls: PortalCredential
    offers: OfferedCredential
    ca: Path | None = None
    certificate: Path | None = None
    private_key: Secret | None = None
    timeouts: PortalTimeouts = PortalTimeouts()
    answer_bytes: Annotated[int, Field(ge=65_536, le=134_217_728)] = 16_777_216
    sync_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    guard: Guard = Guard()
    limits: SyncLimits = SyncLimits()
    forget_days: Annotated[int, Field(ge=1, le=90)] = 7
    statistics_at: Clock = "0400"

    @model_validator(mode="after")
    def _certificate_with_its_key(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            alone, absent = (
                ("private_key", "certificate") if self.certificate is None else ("certificate", "private_key")
            )
            raise refuse(absent, f"is missing beside {alone}", "both or neither")
        return self


class StatisticsSettings(Model):
    """How statistics go from the gateways to the ledger: every `flush_s`; what it does not take waits in `spool`."""

    flush_s: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    spool: Annotated[Path, Field(validate_default=True)] = "spool"


class JobsSettings(Model):
    """One leader among many instances: by Redis when it is named, by the ledger otherwise. A term lasts `term_s`."""

    redis: RedisUrl | None = None
    term_s: Annotated[float, Field(ge=5, le=300)] = 15.0
    retention_at: Clock = "0330"


class Retention(Model):
    """How long the ledger keeps what is over. Consents, their evidence and history: law asks for years.

    `statistics_weeks` and `consents_days` reach back at least as far as 지원-104 may ask: 53 weeks, and what is around
    them. `spent_days` is how long tx_ids and nonces are known.
    """

    consents_days: Annotated[int, Field(ge=400, le=36_500)] = 1_830
    requests_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    spent_days: Annotated[int, Field(ge=30, le=36_500)] = 1_830
    statistics_weeks: Annotated[int, Field(ge=54, le=1_000)] = 110
    portal_calls_days: Annotated[int, Field(ge=1, le=3_650)] = 400


class Maintenance(Model):
    """정기점검: when an institution is down by its own plan. `day` of the week, or a `date`; clock times in Korea.

    An end that is not after the start is on the next day.
    """

    day: Annotated[str, StringConstraints(pattern=r"^(daily|mon|tue|wed|thu|fri|sat|sun)$")] | None = None
    date: Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$"), Field(description="YYYYMMDD in quotes")] | None = (
        None
    )
    start: Clock
    end: Clock
    note: Text | None = None

"""Sections of `relay.yaml` for the portal (종합포털), statistics, jobs, retention, and maintenance of institutions."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from relay.policy.settings.authority import Days
from relay.policy.settings.redis_url import RedisUrl
from relay.policy.settings.scalars import (
    BaseUrl,
    ClientId,
    FilePath,
    Network,
    OrgCode,
    Seconds,
    SecretHash,
    SecretReference,
    Section,
    SerialNum,
    Text,
    build_error,
)

_CLOCK = re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]")


def _check_clock(value: str) -> str:
    if not _CLOCK.fullmatch(value):
        raise ValueError("a time of day is written hhmm, for example 0400")
    return value


Clock = Annotated[
    str, AfterValidator(_check_clock), Field(description="a time of day in Korea, hhmm in quotes, for example 0400")
]


class PortalCredential(Section):
    """지원API 호출용: the credential with which the relay calls the portal (지원-001)."""

    client_id: ClientId
    client_secret: SecretReference


class OfferedCredential(Section):
    """지원API 제공용: the credential with which the portal calls the relay (지원-101), its secret as a hash.

    `services` are further client_ids with which the portal calls 공통-001.
    """

    client_id: ClientId
    client_secret_hash: SecretHash
    token_days: Days = 90
    services: tuple[ClientId, ...] = ()


class Guard(Section):
    """How many institutions, or services, the syncs of 7 days may remove or cut off: a share, but at least `least`."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.05
    least: Annotated[int, Field(ge=0, le=100_000)] = 3


class SyncLimits(Section):
    """Limits of one sync; a list that exceeds one of them is rejected.

    `operators` limits the entries of 지원-003, `services_each` the services of one operator, `secrets` the client
    secrets that are new: hashing one takes 70 ms of one core.
    """

    operators: Annotated[int, Field(ge=1, le=99_999)] = 10_000
    services_each: Annotated[int, Field(ge=1, le=999)] = 100
    secrets: Annotated[int, Field(ge=1, le=100_000)] = 500


class PortalTimeouts(Section):
    """Timeouts of a call to the portal, and its retries."""

    connect_s: Seconds = 5.0
    total_s: Seconds = 60.0
    attempts: Annotated[int, Field(ge=1, le=20)] = 5
    backoff_s: Seconds = 1.0
    """Delay after the first attempt; it doubles after each further one, with jitter, up to a minute."""


class PortalSettings(Section):
    """종합포털: its address, the credentials in both directions, how often the relay synchronizes with it.

    `serial_num` and `addresses` identify its own calls (지원-101 to -104). Without `ca` the system's CAs are trusted;
    without `certificate` the relay uses the gateway's. 지원-005 is sent on Monday at `statistics_at`. Consents end when
    their operator or service has been missing from the registry for more than `forget_days`.
    """

    org_code: OrgCode
    base_url: BaseUrl
    serial_num: SerialNum
    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    calls: PortalCredential
    offers: OfferedCredential
    ca: FilePath | None = None
    certificate: FilePath | None = None
    private_key: SecretReference | None = None
    timeouts: PortalTimeouts = PortalTimeouts()
    answer_bytes: Annotated[int, Field(ge=65_536, le=134_217_728)] = 16_777_216
    sync_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    guard: Guard = Guard()
    limits: SyncLimits = SyncLimits()
    forget_days: Annotated[int, Field(ge=1, le=90)] = 7
    statistics_at: Clock = "0400"

    @model_validator(mode="after")
    def _check_certificate_and_key(self) -> Self:
        if (self.certificate is None) != (self.private_key is None):
            given, missing = (
                ("private_key", "certificate") if self.certificate is None else ("certificate", "private_key")
            )
            raise build_error(missing, f"is missing, but {given} is set", "both or neither")
        return self


class StatisticsSettings(Section):
    """Gateways write statistics to the ledger every `flush_s`; the folder `spool` keeps what could not be written."""

    flush_s: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    spool: Annotated[FilePath, Field(validate_default=True)] = "spool"


class JobsSettings(Section):
    """Leader election of the jobs: in Redis when `redis` is set, in the ledger otherwise. A term lasts `term_s`."""

    redis: RedisUrl | None = None
    term_s: Annotated[float, Field(ge=5, le=300)] = 15.0
    retention_at: Clock = "0330"


class RetentionSettings(Section):
    """How long the ledger keeps rows after they ended. The law requires years for consents, evidence and history.

    지원-104 may ask for 53 weeks: `statistics_weeks` and `consents_days` cover them with a margin. `spent_days` is how
    long used tx_ids and nonces are remembered.
    """

    consents_days: Annotated[int, Field(ge=400, le=36_500)] = 1_830
    requests_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    spent_days: Annotated[int, Field(ge=30, le=36_500)] = 1_830
    statistics_weeks: Annotated[int, Field(ge=54, le=1_000)] = 110
    portal_calls_days: Annotated[int, Field(ge=1, le=3_650)] = 400


class MaintenanceWindow(Section):
    """정기점검: planned downtime of an institution, on a `day` of the week or on a `date`, in Korean time.

    An `end` that is not after `start` is on the next day.
    """

    day: Annotated[str, StringConstraints(pattern=r"^(daily|mon|tue|wed|thu|fri|sat|sun)$")] | None = None
    date: Annotated[str, StringConstraints(pattern=r"^[0-9]{8}$"), Field(description="YYYYMMDD in quotes")] | None = (
        None
    )
    start: Clock
    end: Clock
    note: Text | None = None

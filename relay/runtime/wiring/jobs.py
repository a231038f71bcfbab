"""Builds jobs and their leadership from settings."""

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import JobStore, Leadership
from relay.domain.korea import DAY_S
from relay.domain.portal import PortalDown
from relay.domain.registry import RegistryChanges
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.portal.client import PortalClient
from relay.infra.portal.secrets import PortalSecrets
from relay.infra.redis_client import close_redis_client, make_redis_client
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership
from relay.jobs.retention import RetentionJob, next_time_of_day
from relay.jobs.runner import Job, JobFailed, every
from relay.jobs.sending import StatisticsSender
from relay.jobs.sync import RegistrySync
from relay.policy.settings.model import Settings
from relay.policy.settings.portal import JobsSettings, PortalSettings
from relay.runtime.settings.file_references import SecretMissing, read_secret, resolve_redis_url
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.credentials import CredentialError, build_portal_context
from relay.runtime.wiring.ledger import load_fingerprint_key

_LOOK_S: Final = 3600
"""Statistics are checked so often for late figures and refused messages."""

Run = Callable[[int, int], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class JobSet:
    """The jobs of one version of the settings; `close` closes their connections."""

    jobs: tuple[Job, ...]
    sync: RegistrySync | None
    close: Callable[[], Awaitable[None]]


def build_job_set(loaded: LoadedSettings, ledger: SqlLedger) -> JobSet:
    """Builds the jobs of these settings and opens their files; safe on a thread. No job has a connection yet.

    Raises SecretMissing, TlsError, LedgerSettingsError.
    """
    settings = loaded.settings
    tidying = RetentionJob(ledger.archive, settings.retention)
    retention_at = settings.jobs.retention_at
    retention = Job(
        "retention", use_believed_time(ledger, tidying.run), lambda now: next_time_of_day(retention_at, now), DAY_S
    )
    if settings.portal is None:
        return JobSet((retention,), None, _close_nothing)
    portal, relay = settings.portal, settings.relay.org_code
    client = _build_portal_client(settings, portal, ledger)
    hasher = PortalSecrets(load_fingerprint_key(settings.ledger))
    sync = RegistrySync(client, ledger.registry, hasher, portal.guard, relay, portal.forget_days, portal.limits)
    members = [provider.org_code for provider in loaded.providers]
    sending = StatisticsSender(ledger.statistics, client, lambda: members, settings.portal.statistics_at)

    async def close() -> None:
        await client.close()
        hasher.close()

    jobs = (*_build_directory_jobs(sync, portal, ledger), _build_statistics_job(sending, ledger), retention)
    return JobSet(jobs, sync, close)


def use_believed_time(ledger: SqlLedger, run: Run) -> Run:
    """Runs a job at a time that is believed: a clock that is ahead ends no consent, removes and sends nothing."""

    async def run_believed(fence: int, now: int) -> str:
        return await run(fence, await ledger.trusted_clock.get_trusted_time(now))

    return run_believed


def _build_directory_jobs(sync: RegistrySync, portal: PortalSettings, ledger: SqlLedger) -> tuple[Job, ...]:
    interval_s = max(1, round(portal.sync_s))

    async def sync_changes(fence: int, now: int) -> str:
        return await sync.run(full=False, fence=fence, now=now)

    async def sync_all(fence: int, now: int) -> str:
        return await sync.run(full=True, fence=fence, now=now)

    return (
        Job("directory", use_believed_time(ledger, sync_changes), every(interval_s), interval_s),
        Job("directory_full", use_believed_time(ledger, sync_all), every(DAY_S), interval_s),
    )


def _build_statistics_job(sending: StatisticsSender, ledger: SqlLedger) -> Job:
    async def is_wanted() -> bool:
        return await sending.wanted(int(time.time()))

    def next_due(now: int) -> int:
        return min(sending.next_due(now), now + _LOOK_S)

    return Job("statistics", use_believed_time(ledger, sending.run), next_due, _LOOK_S, is_wanted)


def _build_portal_client(settings: Settings, portal: PortalSettings, ledger: SqlLedger) -> PortalClient:
    relay, reference = settings.relay.org_code, portal.calls.client_secret
    context = build_portal_context(portal, settings.gateway.tls)
    return PortalClient(portal, relay, context, lambda: _read_client_secret(reference), ledger.jobs.record_call)


def _read_client_secret(reference: str) -> str:
    """Returns our client secret at the portal. Raises PortalDown: no call succeeds without it."""
    try:
        return read_secret(reference).decode()
    except SecretMissing as error:
        raise PortalDown(f"portal.calls.client_secret: {error}") from error
    except UnicodeDecodeError:
        raise PortalDown("portal.calls.client_secret: the secret is not UTF-8 text") from None


async def _close_nothing() -> None:
    """Retention has no connections."""


async def preview_changes(loaded: LoadedSettings, ledger: SqlLedger) -> RegistryChanges:
    """Returns what a full sync would change now. Raises JobFailed."""
    job_set = build_job_set(loaded, ledger)
    try:
        if job_set.sync is None:
            raise JobFailed("there is no portal in the settings")
        return await job_set.sync.preview(int(time.time()))
    finally:
        await job_set.close()


@asynccontextmanager
async def open_leadership(settings: JobsSettings, book: JobStore) -> AsyncIterator[Leadership]:
    """Yields the leadership of this instance. Raises SecretMissing or CredentialError when jobs.redis is unusable."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    if settings.redis is None:
        yield LedgerLeadership(book, holder, settings.term_s, time.time)
        return
    try:
        redis = make_redis_client(resolve_redis_url(settings.redis))
    except ValueError as error:  # its text repeats the URL, which may hold a password
        raise CredentialError("jobs.redis: no URL of a Redis; write redis://HOST:PORT/0") from error
    try:
        yield RedisLeadership(redis, book, holder, settings.term_s, time.time)
    finally:
        await close_redis_client(redis)

"""From settings to jobs: which there are, what each of them needs, and who leads."""

import os
import secrets
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from relay.domain.jobs import JobsBook, Leadership
from relay.domain.portal import PortalAway
from relay.domain.registry import RegistryChanges
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.infra.portal.client import PortalClient
from relay.infra.portal.secrets import PortalSecrets
from relay.infra.registry.leadership import LedgerLeadership, RedisLeadership, redis_at
from relay.jobs.retention import Tidying, next_at
from relay.jobs.runner import Job, JobFailed, every
from relay.jobs.sending import StatisticsSending
from relay.jobs.sync import Sync
from relay.policy.settings.portal import JobsSettings, PortalSettings
from relay.runtime.settings.loading import Loaded
from relay.runtime.settings.secret_references import SecretMissing, secret
from relay.runtime.wiring.credentials import MaterialError, portal_context
from relay.runtime.wiring.ledger import marks_key

_DAY_S: Final = 86_400
_LOOK_S: Final = 3600
"""Statistics are looked at so often for figures that came late, and messages that were refused."""


Run = Callable[[int, int], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Labour:
    """The jobs of one moment's settings, and how what they hold open is closed."""

    jobs: tuple[Job, ...]
    sync: Sync | None
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Settings with the files that jobs need opened: TLS toward the portal, the key of the marks of its secrets."""

    loaded: Loaded
    context: ssl.SSLContext | None
    marks_key: bytes


def open_job_files(loaded: Loaded) -> JobFiles:
    """Opens what the jobs need. A thread may do it. Raises SecretMissing, TlsError, LedgerUnfit."""
    settings = loaded.settings
    if settings.portal is None:
        return JobFiles(loaded, None, b"")
    return JobFiles(loaded, portal_context(settings.portal, settings.gateway.tls), marks_key(settings.ledger))


def labour_of(loaded: Loaded, ledger: SqlLedger, files: JobFiles | None = None) -> Labour:
    """The jobs of these settings, whose files are opened unless they are given. Raises as `open_job_files`."""
    settings = loaded.settings
    files = files or open_job_files(loaded)
    tidying = Tidying(ledger.archive, settings.retention)
    at = settings.jobs.retention_at
    retention = Job("retention", by_believed_time(ledger, tidying.run), lambda now: next_at(at, now), _DAY_S)
    if settings.portal is None:
        return Labour((retention,), None, _nothing)
    portal, relay = settings.portal, settings.relay.org_code
    client, hasher = _portal(files, portal, ledger), PortalSecrets(files.marks_key)
    sync = Sync(client, ledger.registry, hasher, portal.guard, relay, portal.forget_days, portal.limits)
    members = [provider.org_code for provider in loaded.providers]
    sending = StatisticsSending(ledger.statistics, client, lambda: members, settings.portal.statistics_at)

    async def close() -> None:
        await client.close()
        hasher.close()

    return Labour((*_directory(sync, settings.portal, ledger), _statistics(sending, ledger), retention), sync, close)


def by_believed_time(ledger: SqlLedger, run: Run) -> Run:
    """Runs a job by a time that can be believed: a clock that is ahead ends no consent, removes and sends nothing."""

    async def run_believed(fence: int, now: int) -> str:
        return await run(fence, await ledger.time.believed(now))

    return run_believed


def _directory(sync: Sync, portal: PortalSettings, ledger: SqlLedger) -> tuple[Job, ...]:
    each_s = max(1, round(portal.sync_s))

    async def some(fence: int, now: int) -> str:
        return await sync.run(full=False, fence=fence, now=now)

    async def everything(fence: int, now: int) -> str:
        return await sync.run(full=True, fence=fence, now=now)

    changed, whole = by_believed_time(ledger, some), by_believed_time(ledger, everything)
    return Job("directory", changed, every(each_s), each_s), Job("directory_full", whole, every(_DAY_S), each_s)


def _statistics(sending: StatisticsSending, ledger: SqlLedger) -> Job:
    async def wanted() -> bool:
        return await sending.wanted(int(time.time()))

    def due(now: int) -> int:
        return min(sending.next_due(now), now + _LOOK_S)

    return Job("statistics", by_believed_time(ledger, sending.run), due, _LOOK_S, wanted)


def _portal(files: JobFiles, portal: PortalSettings, ledger: SqlLedger) -> PortalClient:
    relay, reference = files.loaded.settings.relay.org_code, portal.calls.client_secret
    return PortalClient(portal, relay, files.context, lambda: _shown_secret(reference), ledger.jobs.called)


def _shown_secret(reference: str) -> str:
    """What the portal is shown. Raises PortalAway: who has no secret reaches nobody there."""
    try:
        return secret(reference).decode()
    except SecretMissing as error:
        raise PortalAway(f"portal.calls.client_secret: {error}") from error
    except UnicodeDecodeError:
        raise PortalAway("portal.calls.client_secret: what stands there is no text") from None


async def _nothing() -> None:
    """Retention holds nothing open."""


async def changes_ahead(loaded: Loaded, ledger: SqlLedger) -> RegistryChanges:
    """What a sync of everything would change now. Raises JobFailed."""
    labour = labour_of(loaded, ledger)
    try:
        if labour.sync is None:
            raise JobFailed("there is no portal in the settings")
        return await labour.sync.ahead(int(time.time()))
    finally:
        await labour.close()


@asynccontextmanager
async def leadership_of(settings: JobsSettings, book: JobsBook) -> AsyncIterator[Leadership]:
    """Who tells whether this instance leads. Raises SecretMissing or MaterialError when settings lead to no Redis."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    if settings.redis is None:
        yield LedgerLeadership(book, holder, settings.term_s, time.time)
        return
    try:
        redis = redis_at(redis_url(settings.redis))
    except ValueError as error:  # its words would repeat what stands there, maybe with a password
        raise MaterialError("jobs.redis: what stands there is no URL of a Redis: redis://HOST:PORT/0") from error
    try:
        yield RedisLeadership(redis, book, holder, settings.term_s, time.time)
    finally:
        await redis.aclose()


def redis_url(url: str) -> str:
    """A URL as it stands in the settings, or behind the reference that stands there. Raises SecretMissing."""
    return secret(url).decode().strip() if url.startswith(("file:", "env:")) else url

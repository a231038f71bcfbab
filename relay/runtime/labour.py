"""From settings to jobs: which there are, what each of them needs, and who leads."""

import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from relay.domain.jobs import JobsBook, Leadership
from relay.infra.leadership import LedgerLeadership, RedisLeadership, redis_at
from relay.infra.ledger.sql_ledger import SqlLedger
from relay.jobs.runner import Job
from relay.policy.portal import JobsSettings
from relay.runtime.config import Loaded
from relay.runtime.references import secret


@dataclass(frozen=True, slots=True)
class Labour:
    """The jobs of one moment's settings, and how what they hold open is closed."""

    jobs: tuple[Job, ...]
    close: Callable[[], Awaitable[None]]


def labour_of(loaded: Loaded, ledger: SqlLedger) -> Labour:
    """The jobs of these settings. Raises SecretMissing, MaterialError, TlsError."""

    async def close() -> None:
        pass

    return Labour((), close)


@asynccontextmanager
async def leadership_of(settings: JobsSettings, book: JobsBook) -> AsyncIterator[Leadership]:
    """Who tells whether this instance leads; raises SecretMissing when Redis' URL is not where settings say."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    if settings.redis is None:
        yield LedgerLeadership(book, holder, settings.term_s, time.time)
        return
    redis = redis_at(redis_url(settings.redis))
    try:
        yield RedisLeadership(redis, book, holder, settings.term_s, time.time)
    finally:
        await redis.aclose()


def redis_url(url: str) -> str:
    """A URL as it stands in the settings, or behind the reference that stands there. Raises SecretMissing."""
    return secret(url).decode().strip() if url.startswith(("file:", "env:")) else url

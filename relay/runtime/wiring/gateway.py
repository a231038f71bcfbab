"""Builds the gateway from settings: plan, upstream pools, token verification; and replaces the plan while it runs."""

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from relay import __version__
from relay.domain.ports import TokenVerifier
from relay.domain.registry import Registry
from relay.gateway.connection_registry import ConnectionRegistry
from relay.gateway.handler import Gateway, UpstreamTable
from relay.gateway.handshake_limits import HandshakeLimits
from relay.gateway.judge import JudgeServices
from relay.gateway.refusal_limits import RefusalBuckets, RefusalLimits
from relay.infra.authority.liveness import AuthorityLiveness
from relay.infra.authority.upstream import AuthorityPool
from relay.infra.quota.local import LocalQuotaCounters
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics, RelayCollector
from relay.infra.records.recorder import ExchangeRecorder
from relay.infra.registry.follower import RegistryFollower
from relay.infra.registry.grants import GrantCache
from relay.infra.registry.job_states import JobStateWatcher
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.tokens.verification import VerifiedTokens
from relay.infra.upstream.dialing import Dialer, UnixDialer
from relay.infra.upstream.pool import ConnectionPool
from relay.infra.upstream.tls import ReloadableContext
from relay.policy.call.envelope import RequestTemplate
from relay.policy.call.parties import Parties
from relay.policy.call.plan import AUTHORITY_RATE_KEY, Institution, Plan, compile_plan, with_parties
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.authority import AuthoritySettings
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import ProviderTimeouts, Rate
from relay.runtime.settings.job_names import get_job_names
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.counting import build_counting
from relay.runtime.wiring.credentials import (
    PoolKey,
    build_institution_context,
    build_jwks,
    build_listener_context,
    build_verifying_keys,
    compute_pool_key,
    read_token_keys,
)
from relay.runtime.wiring.expired_certificates import Certificates, check_new_certificates, read_certificates
from relay.runtime.wiring.ledger import build_ledger
from relay.runtime.wiring.parties import build_parties, callers_by_org_code
from relay.runtime.wiring.peer_identity import identify_peer
from relay.standard.catalogue import load_catalogue, load_rsp_codes
from relay.wire.deadline_watch import DeadlineWatch

START_ONLY: Final = (
    "gateway.listeners",
    "gateway.limits",
    "gateway.timeouts",
    "gateway.drain",
    "ledger",
    "authority.socket",
    "authority.concurrency",
    "authority.queue",
    "authority.timeout_s",
    "authority.verifiers",
    "authority.pages",
    "admin",
    "access_log",
    "reload",
    "statistics",
    "jobs",
)
"""Sections that are applied at start only, not by a reload."""


def sections_needing_restart(running: Settings, current: Settings) -> list[str]:
    """Returns sections of START_ONLY that changed since the start, and `portal` when it was added or removed."""
    changed = [name for name in START_ONLY if attrgetter(name)(running) != attrgetter(name)(current)]
    return [*changed, "portal"] if (running.portal is None) != (current.portal is None) else changed


@dataclass(frozen=True, slots=True)
class OpenedSettings:
    """New settings with the contents of their files: `Relay.swap` applies them without reading a file.

    `upstream_contexts` holds new and changed institutions, `jwks` the public keys of the keyring.
    """

    loaded: LoadedSettings
    contexts: Mapping[int, ssl.SSLContext]
    parties: Parties
    plan: Plan
    keyring: TokenVerifier
    jwks: Mapping[str, Any]
    pool_keys: Mapping[str, PoolKey]
    upstream_contexts: Mapping[str, ssl.SSLContext | None]
    certificates: Certificates


class Relay:
    """The objects of one gateway process. `swap` applies new settings without dropping a call."""

    def __init__(self, loaded: LoadedSettings, loop: asyncio.AbstractEventLoop) -> None:
        settings = loaded.settings
        self.loop = loop
        self.watch = DeadlineWatch()
        self.pools: dict[str, tuple[PoolKey, ConnectionPool]] = {}
        self.ledger = build_ledger(settings.ledger)
        self.grants = GrantCache(
            self.ledger, self._industry, settings.tokens.memory, settings.ledger.trust_s, time.monotonic
        )
        self.jobs = JobStateWatcher(self.ledger.jobs, get_job_names(settings), time.time)
        self.registry = RegistryFollower(self.ledger.registry, time.time)
        self.parties = Parties.from_directory(loaded.directory)
        self.authority = _authority_pool(settings.authority, self.watch, loop)
        self.authority_liveness = AuthorityLiveness(settings.authority.socket, time.monotonic)
        self._certificates: Certificates | None = None
        opened = self.open_settings(loaded)
        self._set_current(opened)
        self.contexts = {index: ReloadableContext(context) for index, context in opened.contexts.items()}
        plan, upstreams, keyring = opened.plan, self._update_pools(opened), opened.keyring
        self.metrics = Metrics(load_rsp_codes())
        self.access_log = AccessLog(settings.access_log.path, settings.access_log.queue)
        self.counters = LocalQuotaCounters(plan.operator_bucket, _buckets(plan))
        self.authority_counters = LocalQuotaCounters(*_authority_buckets(settings))
        limits = settings.gateway.limits
        self.connection_registry = ConnectionRegistry(
            identify_peer, limits.connections, limits.connections_per_operator, loop.time
        )
        spool = Path(settings.statistics.spool)
        take_batch = self.ledger.statistics.take_batch
        self.tally = StatisticsCounter(build_counting(), lambda: self.gateway.plan.callers, take_batch, spool)
        self.records = ExchangeRecorder(self.metrics, self.access_log, loop, self.tally)
        self.refusals = RefusalLimits(_refusal_buckets(settings))
        self.handshakes = HandshakeLimits(Bucket.of(settings.rates.handshakes), limits.handshakes, loop.time)
        judges = JudgeServices(keyring, self.grants, self.counters, self.authority_counters, self.refusals)
        self.gateway = Gateway(
            plan, upstreams, self.authority, judges, self.records, self.connection_registry, time.monotonic
        )
        self.lost_log_lines: Callable[[], int] = lambda: 0
        self.reloads = 0
        self.reload_failures = 0

    def open_settings(self, loaded: LoadedSettings) -> OpenedSettings:
        """Opens every file of the settings. Changes nothing and is safe on a thread.

        Raises SETTINGS_ERRORS. A certificate that is replaced by an expired one is rejected, except at the start.
        """
        settings = loaded.settings
        tls = settings.gateway.tls
        tls_listeners = [(index, each) for index, each in enumerate(settings.gateway.listeners) if each.tls]
        contexts = {} if tls is None else {index: build_listener_context(each, tls) for index, each in tls_listeners}
        parties = self.parties if settings.portal is not None else Parties.from_directory(loaded.directory)
        plan = compile_plan(settings, loaded.providers, parties, load_catalogue(), loaded.generation)
        keys = read_token_keys(settings.tokens)
        keyring = VerifiedTokens(
            build_verifying_keys(keys), settings.tokens.issuer, settings.tokens.leeway_s, settings.tokens.memory
        )
        pool_keys = {code: compute_pool_key(institution) for code, institution in plan.institutions.items()}
        upstream_contexts = {
            code: build_institution_context(institution.settings)
            for code, institution in plan.institutions.items()
            if code not in self.pools or self.pools[code][0] != pool_keys[code]
        }
        certificates = read_certificates(loaded)
        if self._certificates is not None:
            check_new_certificates(self._certificates, certificates, datetime.now(UTC))
        jwks = build_jwks(keys)
        return OpenedSettings(
            loaded, contexts, parties, plan, keyring, jwks, pool_keys, upstream_contexts, certificates
        )

    def swap(self, opened: OpenedSettings) -> None:
        """Applies new plan, keys, certificates and pools; sections of START_ONLY keep their values."""
        loaded, keyring = opened.loaded, opened.keyring
        self._set_current(opened)
        plan = opened.plan if self.parties is opened.parties else with_parties(opened.plan, self.parties)
        upstreams = self._update_pools(opened)
        for index, followed in self.contexts.items():
            if index in opened.contexts:
                followed.current = opened.contexts[index]
        self.counters.adjust(plan.operator_bucket, _buckets(plan))
        self.authority_counters.adjust(*_authority_buckets(loaded.settings))
        self.refusals.adjust(_refusal_buckets(loaded.settings))
        self.handshakes.adjust(Bucket.of(loaded.settings.rates.handshakes))
        judges = JudgeServices(keyring, self.grants, self.counters, self.authority_counters, self.refusals)
        self.gateway.swap(plan, upstreams, judges)
        self.reloads += 1

    async def apply_registry(self, registry: Registry) -> None:
        """Applies a changed registry and closes connections of removed operators; their next call is refused."""
        org_code = self.loaded.settings.relay.org_code
        self.parties = await build_parties(registry, org_code, callers_by_org_code(self.parties))
        self.gateway.plan = with_parties(self.gateway.plan, self.parties)
        self.connection_registry.close_unknown(self.gateway.plan)

    def collector(self) -> RelayCollector:
        """Returns the collector that Prometheus reads."""
        return RelayCollector(
            self.metrics,
            self._gauges,
            self._pool_counts,
            self._info,
            self.connection_registry.rejected,
            self.jobs.gauges,
        )

    def jwks(self) -> Mapping[str, Any]:
        """Returns the public keys that verify our tokens under the current settings (RFC 7517)."""
        return self._jwks

    def _set_current(self, opened: OpenedSettings) -> None:
        self.loaded, self._certificates, self._jwks = opened.loaded, opened.certificates, opened.jwks
        if opened.loaded.settings.portal is None:  # else the registry may have changed while the files were read
            self.parties = opened.parties

    def _update_pools(self, opened: OpenedSettings) -> UpstreamTable:
        """Returns the pools of a plan. Unchanged institutions keep their pool and its calls.

        A changed institution gets a new pool; the old pool finishes its requests.
        """
        plan, keys = opened.plan, opened.pool_keys
        unchanged = {code: pool for code, (key, pool) in self.pools.items() if keys.get(code) == key}
        pools = {
            code: unchanged.get(code) or self._build_pool(institution, opened.upstream_contexts[code])
            for code, institution in plan.institutions.items()
        }
        for code, (_, pool) in self.pools.items():
            if code not in unchanged:
                pool.retire()
        self.pools = {code: (keys[code], pool) for code, pool in pools.items()}
        return {
            code: (pool, tuple(map(RequestTemplate.from_url, plan.institutions[code].settings.base_urls)))
            for code, pool in pools.items()
        }

    def _build_pool(self, institution: Institution, context: ssl.SSLContext | None) -> ConnectionPool:
        dialer = Dialer(institution.settings.base_urls, context, institution.timeouts, self.loop)
        return ConnectionPool(dialer, institution.concurrency, institution.queue, self.watch, self.loop)

    def _industry(self, org_code: str) -> str:
        institution = self.gateway.plan.institutions.get(org_code)
        return institution.industry if institution is not None else ""

    def _gauges(self) -> dict[str, float]:
        return {
            "relay_in_flight": self.gateway.in_flight,
            "relay_connections": len(self.connection_registry.connections),
            "relay_handshakes": self.handshakes.under_way,
            "relay_plan_reloads": self.reloads,
            "relay_plan_reload_failures": self.reload_failures,
            "relay_access_log_lost": self.access_log.lost,
            "relay_log_lines_lost": self.lost_log_lines(),
            "relay_institutions": len(self.gateway.plan.institutions),
            "relay_ledger_age_seconds": self.grants.age,
            "relay_authority_age_seconds": self.authority_liveness.age,
            **self.tally.gauges(),
            "relay_directory_operators": len(self.parties.callers.all),
            "relay_directory_number": self.registry.registry.number,
            "relay_directory_age_seconds": self.registry.age if self.loaded.settings.portal else 0.0,
            "relay_directory_held_seconds": self.registry.held_seconds,
        }

    def _pool_counts(self) -> dict[str, dict[str, int]]:
        counts = {code: pool.counts() for code, (_, pool) in self.pools.items()}
        return {**counts, AUTHORITY_RATE_KEY: self.authority.counts()}

    def _info(self) -> dict[str, str]:
        return {"version": __version__, "plan": self.gateway.plan.generation}


def _buckets(plan: Plan) -> dict[str, Bucket]:
    return {code: institution.bucket for code, institution in plan.institutions.items()}


def _authority_buckets(settings: Settings) -> tuple[Bucket, dict[str, Bucket]]:
    """Returns the bucket of each operator and of all: ten times as much; beyond it the authority's queue decides."""
    rate = settings.rates.authority
    total = Rate(per_second=min(1e6, 10 * rate.per_second), burst=min(10**6, 10 * rate.burst))
    return Bucket.of(rate), {AUTHORITY_RATE_KEY: Bucket.of(total)}


def _refusal_buckets(settings: Settings) -> RefusalBuckets:
    rates = settings.rates.refused
    return RefusalBuckets(*map(Bucket.of, (rates.connection, rates.certificate, rates.address)))


def _authority_pool(
    settings: AuthoritySettings, watch: DeadlineWatch, loop: asyncio.AbstractEventLoop
) -> AuthorityPool:
    """Returns the pool to the authority. Its calls change state, so that none is ever sent twice."""
    most = settings.timeout_s
    timeouts = ProviderTimeouts(connect_s=min(2.0, most), first_byte_s=most, total_s=most, idle_s=min(30.0, most))
    pool = ConnectionPool(UnixDialer(settings.socket, timeouts, loop), settings.concurrency, 0, watch, loop)
    pool.may_retry = False
    pool.requires_tran_id = False  # the authority is ours and repeats the x-api-tran-id of each call
    return AuthorityPool(pool, settings.concurrency, settings.queue, watch)

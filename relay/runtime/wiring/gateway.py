"""Where the strangers meet: settings become plan, pools, keyring and gateway; a new plan takes the place of the old."""

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
from relay.domain.ports import Keyring
from relay.domain.registry import Registry
from relay.gateway.connection_registry import Welcome
from relay.gateway.handler import Gateway, Reach
from relay.gateway.handshake_limits import HandshakeLimits
from relay.gateway.judge import Judges
from relay.gateway.refusal_limits import RefusalBuckets, RefusalLimits
from relay.infra.authority.liveness import AuthorityLiveness
from relay.infra.authority.upstream import AuthorityPool
from relay.infra.quota.local import LocalCounters
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics, RelayCollector
from relay.infra.records.recorder import Records
from relay.infra.registry.follower import FollowedRegistry
from relay.infra.registry.grants import RememberedGrants
from relay.infra.registry.job_states import WatchedJobs
from relay.infra.statistics.counter import Tally
from relay.infra.tokens.verification import VerifiedTokens
from relay.infra.upstream.dialing import Dialer, UnixDialer
from relay.infra.upstream.pool import Pool
from relay.infra.upstream.tls import FollowedContext
from relay.policy.call.envelope import Address
from relay.policy.call.parties import Parties
from relay.policy.call.plan import AUTHORITY, Institution, Plan, acquainted, compile_plan
from relay.policy.quota.bucket import Bucket
from relay.policy.settings.authority import AuthoritySettings
from relay.policy.settings.model import Settings
from relay.policy.settings.scalars import ProviderTimeouts, Rate
from relay.runtime.settings.job_names import names_of
from relay.runtime.settings.loading import Loaded
from relay.runtime.wiring.counting import counting
from relay.runtime.wiring.credentials import (
    ReachKey,
    key_set,
    listening_context,
    provider_context,
    reach_key,
    token_keys_of,
    verifying_keys,
)
from relay.runtime.wiring.expired_certificates import Certificates, certificates_of, expect_new_unexpired
from relay.runtime.wiring.ledger import ledger_of
from relay.runtime.wiring.parties import by_org_code, parties_of
from relay.runtime.wiring.peer_identity import identify
from relay.standard.catalogue import load_catalogue, load_rsp_codes
from relay.wire.watch import Watch

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
"""Sections that a running relay does not take anew."""


def waiting_for_a_start(running: Settings, read: Settings) -> list[str]:
    """Sections of START_ONLY that were changed since the relay started; and the portal, when it came or went."""
    changed = [name for name in START_ONLY if attrgetter(name)(running) != attrgetter(name)(read)]
    return [*changed, "portal"] if (running.portal is None) != (read.portal is None) else changed


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """New settings with every file they lead to opened: what `Relay.swap` takes without touching a file.

    `upstream_contexts` holds the institutions that are new or changed, `jwks` the public keys of the keyring.
    """

    loaded: Loaded
    contexts: Mapping[int, ssl.SSLContext]
    parties: Parties
    plan: Plan
    keyring: Keyring
    jwks: Mapping[str, Any]
    reach_keys: Mapping[str, ReachKey]
    upstream_contexts: Mapping[str, ssl.SSLContext | None]
    certificates: Certificates


class Relay:
    """One relay process, assembled. `swap` takes new settings without dropping a call."""

    def __init__(self, loaded: Loaded, loop: asyncio.AbstractEventLoop) -> None:
        settings = loaded.settings
        self.loop = loop
        self.watch = Watch()
        self.pools: dict[str, tuple[ReachKey, Pool]] = {}
        self.ledger = ledger_of(settings.ledger)
        self.grants = RememberedGrants(
            self.ledger, self._industry, settings.tokens.memory, settings.ledger.trust_s, time.monotonic
        )
        self.jobs = WatchedJobs(self.ledger.jobs, names_of(settings), time.time)
        self.registry = FollowedRegistry(self.ledger.registry, time.time)
        self.parties = Parties.of_file(loaded.directory)
        self.authority = _authority_pool(settings.authority, self.watch, loop)
        self.authority_liveness = AuthorityLiveness(settings.authority.socket, time.monotonic)
        self._certificates: Certificates | None = None
        read = self.read(loaded)
        self._keep(read)
        self.contexts = {index: FollowedContext(context) for index, context in read.contexts.items()}
        plan, upstreams, keyring = read.plan, self._reach(read), read.keyring
        self.metrics = Metrics(load_rsp_codes())
        self.access_log = AccessLog(settings.access_log.path, settings.access_log.queue)
        self.counters = LocalCounters(plan.operator_bucket, _buckets(plan))
        self.at_authority = LocalCounters(*_authority_buckets(settings))
        limits = settings.gateway.limits
        self.welcome = Welcome(identify, limits.connections, limits.connections_per_operator, loop.time)
        spool = Path(settings.statistics.spool)
        self.tally = Tally(counting(), lambda: self.gateway.plan.callers, self.ledger.statistics.take_batch, spool)
        self.records = Records(self.metrics, self.access_log, loop, self.tally)
        self.refusals = RefusalLimits(_refusal_buckets(settings))
        self.handshakes = HandshakeLimits(Bucket.of(settings.rates.handshakes), limits.handshakes, loop.time)
        judges = Judges(keyring, self.grants, self.counters, self.at_authority, self.refusals)
        self.gateway = Gateway(plan, upstreams, self.authority, judges, self.records, self.welcome, time.monotonic)
        self.log_lost: Callable[[], int] = lambda: 0
        self.reloads = 0
        self.reload_failures = 0

    def read(self, loaded: Loaded) -> SettingsRead:
        """Open every file that settings lead to. Changes nothing, so that a thread may do it.

        Raises UNUSABLE exceptions. Certificates that are exchanged for expired ones are refused, but not at the start.
        """
        settings = loaded.settings
        tls = settings.gateway.tls
        tls_listeners = [(at, each) for at, each in enumerate(settings.gateway.listeners) if each.tls]
        contexts = {} if tls is None else {at: listening_context(each, tls) for at, each in tls_listeners}
        parties = self.parties if settings.portal is not None else Parties.of_file(loaded.directory)
        plan = compile_plan(settings, loaded.providers, parties, load_catalogue(), loaded.generation)
        keys = token_keys_of(settings.tokens)
        keyring = VerifiedTokens(
            verifying_keys(keys), settings.tokens.issuer, settings.tokens.leeway_s, settings.tokens.memory
        )
        reach_keys = {code: reach_key(one) for code, one in plan.institutions.items()}
        upstream_contexts = {
            code: provider_context(one.file)
            for code, one in plan.institutions.items()
            if code not in self.pools or self.pools[code][0] != reach_keys[code]
        }
        certificates = certificates_of(loaded)
        if self._certificates is not None:
            expect_new_unexpired(self._certificates, certificates, datetime.now(UTC))
        jwks = key_set(keys)
        return SettingsRead(loaded, contexts, parties, plan, keyring, jwks, reach_keys, upstream_contexts, certificates)

    def swap(self, read: SettingsRead) -> None:
        """Take new settings: plan, keys, certificates, pools. What START_ONLY names is taken at start only."""
        loaded, keyring = read.loaded, read.keyring
        self._keep(read)
        plan = read.plan if self.parties is read.parties else acquainted(read.plan, self.parties)
        upstreams = self._reach(read)
        for index, followed in self.contexts.items():
            if index in read.contexts:
                followed.current = read.contexts[index]
        self.counters.adjust(plan.operator_bucket, _buckets(plan))
        self.at_authority.adjust(*_authority_buckets(loaded.settings))
        self.refusals.adjust(_refusal_buckets(loaded.settings))
        self.handshakes.adjust(Bucket.of(loaded.settings.rates.handshakes))
        judges = Judges(keyring, self.grants, self.counters, self.at_authority, self.refusals)
        self.gateway.swap(plan, upstreams, judges)
        self.reloads += 1

    async def acquaint(self, registry: Registry) -> None:
        """Go by what the portal tells now: whoever it let go is refused from the next call on, on any connection."""
        org_code = self.loaded.settings.relay.org_code
        self.parties = await parties_of(registry, org_code, by_org_code(self.parties))
        self.gateway.plan = acquainted(self.gateway.plan, self.parties)
        self.welcome.dismiss(self.gateway.plan)

    def collector(self) -> RelayCollector:
        """What Prometheus reads."""
        return RelayCollector(
            self.metrics, self._gauges, self._pool_counts, self._info, self.welcome.rejected, self.jobs.gauges
        )

    def jwks(self) -> Mapping[str, Any]:
        """The public keys that verify our tokens, as the settings in force have them (RFC 7517)."""
        return self._jwks

    def _keep(self, read: SettingsRead) -> None:
        self.loaded, self._certificates, self._jwks = read.loaded, read.certificates, read.jwks
        if read.loaded.settings.portal is None:  # else the registry may have changed while the files were read
            self.parties = read.parties

    def _reach(self, read: SettingsRead) -> Reach:
        """Pools to the institutions of a plan: those of institutions that are what they were stay, with their calls.

        A changed one gets a new pool; the old one ends its flights in peace.
        """
        plan, keys = read.plan, read.reach_keys
        kept = {code: pool for code, (key, pool) in self.pools.items() if keys.get(code) == key}
        fresh = {
            code: kept.get(code) or self._pool(one, read.upstream_contexts[code])
            for code, one in plan.institutions.items()
        }
        for code, (_, pool) in self.pools.items():
            if code not in kept:
                pool.retire()
        self.pools = {code: (keys[code], pool) for code, pool in fresh.items()}
        return {
            code: (pool, tuple(map(Address.of, plan.institutions[code].file.base_urls))) for code, pool in fresh.items()
        }

    def _pool(self, one: Institution, context: ssl.SSLContext | None) -> Pool:
        dialer = Dialer(one.file.base_urls, context, one.timeouts, self.loop)
        return Pool(dialer, one.concurrency, one.queue, self.watch, self.loop)

    def _industry(self, org_code: str) -> str:
        found = self.gateway.plan.institutions.get(org_code)
        return found.industry if found is not None else ""

    def _gauges(self) -> dict[str, float]:
        return {
            "relay_in_flight": self.gateway.in_flight,
            "relay_connections": len(self.welcome.connections),
            "relay_handshakes": self.handshakes.under_way,
            "relay_plan_reloads": self.reloads,
            "relay_plan_reload_failures": self.reload_failures,
            "relay_access_log_lost": self.access_log.lost,
            "relay_log_lines_lost": self.log_lost(),
            "relay_institutions": len(self.gateway.plan.institutions),
            "relay_ledger_age_seconds": self.grants.age,
            "relay_authority_age_seconds": self.authority_liveness.age,
            **self.tally.gauges(),
            "relay_directory_operators": len(self.parties.callers.everyone),
            "relay_directory_number": self.registry.registry.number,
            "relay_directory_age_seconds": self.registry.age if self.loaded.settings.portal else 0.0,
            "relay_directory_held_seconds": self.registry.held,
        }

    def _pool_counts(self) -> dict[str, dict[str, int]]:
        found = {code: pool.counts() for code, (_, pool) in self.pools.items()}
        return {**found, AUTHORITY: self.authority.counts()}

    def _info(self) -> dict[str, str]:
        return {"version": __version__, "plan": self.gateway.plan.generation}


def _buckets(plan: Plan) -> dict[str, Bucket]:
    return {code: one.bucket for code, one in plan.institutions.items()}


def _authority_buckets(settings: Settings) -> tuple[Bucket, dict[str, Bucket]]:
    """Of one operator, and of all of them: ten times as much, beyond which the authority's own queue decides."""
    each = settings.rates.authority
    everyone = Rate(per_second=min(1e6, 10 * each.per_second), burst=min(10**6, 10 * each.burst))
    return Bucket.of(each), {AUTHORITY: Bucket.of(everyone)}


def _refusal_buckets(settings: Settings) -> RefusalBuckets:
    rates = settings.rates.refused
    return RefusalBuckets(*map(Bucket.of, (rates.connection, rates.certificate, rates.address)))


def _authority_pool(settings: AuthoritySettings, watch: Watch, loop: asyncio.AbstractEventLoop) -> AuthorityPool:
    """The way to the authority. A call there changes something: it is never sent twice."""
    most = settings.timeout_s
    timeouts = ProviderTimeouts(connect_s=min(2.0, most), first_byte_s=most, total_s=most, idle_s=min(30.0, most))
    pool = Pool(UnixDialer(settings.socket, timeouts, loop), settings.concurrency, 0, watch, loop)
    pool.asks_again = False
    pool.needs_names = False  # it is ours, and names each call that it was told the name of
    return AuthorityPool(pool, settings.concurrency, settings.queue, watch)

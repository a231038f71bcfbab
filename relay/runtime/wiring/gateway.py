"""Builds the objects of a gateway from settings, and replaces what depends on settings while it runs."""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from relay import __version__
from relay.domain.registry import Registry
from relay.gateway.connection_registry import ConnectionRegistry
from relay.gateway.handler import Gateway
from relay.gateway.handshake_limits import HandshakeLimits
from relay.gateway.judge import JudgeDependencies
from relay.gateway.refusal_limits import RefusalLimits
from relay.infra.authority.liveness import ProcessLiveness
from relay.infra.authority.upstream import AuthorityPool
from relay.infra.process.file_limit import raise_file_limit
from relay.infra.process.loop_lag import LoopLag
from relay.infra.process.overload_watch import OverloadWatch
from relay.infra.quota.local import LocalQuotaCounters
from relay.infra.records.access_log import AccessLog
from relay.infra.records.metrics import Metrics, RelayCollector
from relay.infra.records.recorder import ExchangeRecorder
from relay.infra.registry.follower import RegistryFollower
from relay.infra.registry.grants import GrantCache
from relay.infra.registry.job_states import JobStateWatcher
from relay.infra.statistics.counter import StatisticsCounter
from relay.infra.statistics.delivery import Delivery
from relay.infra.statistics.spool import Spool
from relay.infra.transfers.weekly_transfers import WeeklyTransfers
from relay.infra.upstream.dialing import Dialer, UnixDialer
from relay.infra.upstream.pool import ConnectionPool
from relay.infra.upstream.shared_slots import SharedSlots
from relay.infra.upstream.tls import ReloadableContext
from relay.policy.call.plan import AUTHORITY_RATE_KEY, Institution
from relay.policy.quota.operator_shares import OperatorLimits
from relay.policy.quota.overload import OverloadGate
from relay.policy.settings.authority import AuthoritySettings
from relay.policy.settings.scalars import ProviderTimeouts
from relay.primitives.gradual_release import release_gradually
from relay.runtime.build_form import get_build_form
from relay.runtime.settings.job_names import get_job_names
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.counting import build_answer_watch, build_counting
from relay.runtime.wiring.gateway_state import GatewayState, PoolTable, prepare_gateway_state
from relay.runtime.wiring.ledger import build_ledger
from relay.runtime.wiring.parties import build_parties, callers_by_org_code
from relay.runtime.wiring.peer_identity import identify_peer
from relay.runtime.wiring.quotas import build_quota_counters
from relay.standard.catalogue import load_rsp_codes
from relay.wire.deadline_watch import DeadlineWatch


class Relay:
    """The objects of one gateway process. `state` is what depends on settings and registry.

    `prepare` builds a new state, `commit` puts it in force without dropping a call; see `runtime.processes.reload`.
    """

    name = "gateway"

    def __init__(self, loaded: LoadedSettings, loop: asyncio.AbstractEventLoop, *, is_worker: bool = False) -> None:
        settings = loaded.settings
        self.loop = loop
        self.watch = DeadlineWatch()
        self.overload = OverloadGate()
        self.overload_watch = OverloadWatch(settings.overload, self.overload, lambda: self.gateway.accepted)
        self.loop_lag = LoopLag(loop, self.overload_watch.observe)
        self.ledger = build_ledger(settings.ledger)
        self.grants = GrantCache(
            self.ledger, self._industry, settings.tokens.memory, settings.ledger.trust_s, time.monotonic
        )
        self.jobs = JobStateWatcher(self.ledger.jobs, get_job_names(settings), time.time)
        self.registry = RegistryFollower(self.ledger.registry, time.time)
        self.authority = _authority_pool(settings.authority, self.watch, loop)
        self.authority_liveness = ProcessLiveness(settings.authority.socket, time.monotonic)
        had_adapter = loaded.needs_adapter  # one that a reload needs first does not run, and the others must stay ready
        self.adapter_liveness = ProcessLiveness(
            settings.adapter.socket, time.monotonic, "adapter", lambda: had_adapter and self.loaded.needs_adapter
        )
        self._adapter_socket = settings.adapter.socket
        self.state = state = prepare_gateway_state(loaded, None, self._build_pool)
        self.contexts = {index: ReloadableContext(context) for index, context in state.contexts.items()}
        self.metrics = Metrics(load_rsp_codes())
        self.answers = build_answer_watch(self.metrics.answers)
        self.access_log = AccessLog(settings.access_log.path, settings.access_log.queue, is_shared=is_worker)
        limits = state.limits
        self.counters = build_quota_counters(settings.quotas, limits.data)
        self.authority_counters = LocalQuotaCounters(limits.authority)
        self.transfers = WeeklyTransfers(
            self.ledger.transfers,
            self.ledger.transfer_keys,
            lambda: self.loaded.settings.rates.weekly,
            time.time,
            time.monotonic,
        )
        self._share_slots()
        gateway_limits = settings.gateway.limits
        self.connection_registry = ConnectionRegistry(
            identify_peer, gateway_limits.connections, gateway_limits.connections_per_operator, loop.time
        )
        self.delivery = Delivery(self.ledger.statistics.take_batch, Spool(Path(settings.statistics.spool)))
        self.counter = StatisticsCounter(build_counting(), lambda: self.gateway.plan.callers, self.delivery)
        self.records = ExchangeRecorder(self.metrics, self.access_log, loop, self.counter)
        self.refusals = RefusalLimits(limits.refusals)
        self.handshakes = HandshakeLimits(limits.handshakes, gateway_limits.handshakes, loop.time)
        self.gateway = Gateway(
            state.plan,
            state.upstreams,
            self._build_judges(state),
            authority=self.authority,
            answers=self.answers,
            recorder=self.records,
            connection_registry=self.connection_registry,
            clock=time.monotonic,
        )
        self._releases: set[asyncio.Task[None]] = set()
        self.lost_log_lines: Callable[[], int] = lambda: 0
        self.count_reloads: Callable[[], tuple[int, int]] = lambda: (0, 0)
        """Returns how often settings were applied and rejected."""

    @property
    def loaded(self) -> LoadedSettings:
        """The settings in force."""
        return self.state.loaded

    @property
    def pools(self) -> PoolTable:
        """The pools in use."""
        return self.state.pools

    def prepare(self, loaded: LoadedSettings) -> GatewayState:
        """Returns the state of these settings. Changes nothing and is safe on a thread. Raises SETTINGS_ERRORS."""
        return prepare_gateway_state(loaded, self.state, self._build_pool)

    def join_registry(self, prepared: GatewayState) -> GatewayState:
        """Returns a prepared state with the parties of the registry, which may have changed since. Changes nothing."""
        return prepared if prepared.loaded.settings.portal is None else prepared.with_parties(self.state.parties)

    def prepare_token_keys(self) -> GatewayState | None:
        """Returns the state in force with the keys now in its key folder, None if they are the same."""
        return self.state.with_current_token_keys()

    def commit(self, prepared: GatewayState) -> None:
        """Puts a prepared state in force. Assigns only; sections of START_ONLY keep their values.

        Replaced pools finish their requests.
        """
        former, self.state = self.state, prepared
        for index, followed in self.contexts.items():
            followed.current = prepared.contexts.get(index, followed.current)
        limits = prepared.limits
        self.counters.adjust(limits.data)
        self.authority_counters.adjust(limits.authority)
        self._share_slots()
        self.refusals.adjust(limits.refusals)
        self.handshakes.adjust(limits.handshakes)
        self.overload_watch.adjust(prepared.loaded.settings.overload)
        self.gateway.swap(prepared.plan, prepared.upstreams, self._build_judges(prepared))
        for pool in former.find_replaced_pools(prepared):
            pool.retire()
        if former.token_verifier is not prepared.token_verifier:
            self._release(former.token_verifier.clear())
        self._release(release_gradually(former.list_parts()))
        if prepared.max_files > former.max_files:  # new institutions need more
            raise_file_limit(prepared.max_files)

    async def apply_registry(self, registry: Registry) -> None:
        """Applies a changed registry and closes connections of removed operators; their next call is refused."""
        org_code = self.loaded.settings.relay.org_code
        parties = await build_parties(registry, org_code, callers_by_org_code(self.state.parties))
        self.commit(self.state.with_parties(parties))
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
        return self.state.jwks

    def _release(self, releasing: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(releasing)
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    def _share_slots(self) -> None:
        """Shares the slots of all institutions, if the counters are shared."""
        institutions, shared = self.state.plan.institutions, []
        for code, (_, pool) in self.pools.items():
            limits = institutions[code]
            shared.append((code, limits.concurrency, SharedSlots(pool, limits.concurrency, limits.queue)))
        self.counters.share_slots(shared)

    def _build_judges(self, state: GatewayState) -> JudgeDependencies:
        return JudgeDependencies(
            state.token_verifier,
            self.grants,
            self.counters,
            self.authority_counters,
            self.refusals,
            self.transfers,
            self.overload,
        )

    def _build_pool(self, institution: Institution, context: ssl.SSLContext | None) -> ConnectionPool:
        dialer: Dialer
        if institution.is_adapted:
            dialer = UnixDialer(self._adapter_socket, institution.timeouts, self.loop, "adapter")
        else:
            dialer = Dialer(institution.settings.base_urls, context, institution.timeouts, self.loop)
        pool = ConnectionPool(
            dialer,
            institution.concurrency,
            institution.queue,
            self.watch,
            self.loop,
            operators=OperatorLimits(institution.operator_concurrency, dict(institution.weights)),
            is_adaptive=institution.is_adaptive,
        )
        pool.is_adapter = institution.is_adapted
        return pool

    def _industry(self, org_code: str) -> str:
        institution = self.gateway.plan.institutions.get(org_code)
        return institution.industry if institution is not None else ""

    def _gauges(self) -> dict[str, float]:
        applied, rejected = self.count_reloads()
        return {
            "relay_in_flight": self.gateway.in_flight,
            "relay_connections": len(self.connection_registry.connections),
            "relay_handshakes": self.handshakes.under_way,
            "relay_plan_reloads": applied,
            "relay_plan_reload_failures": rejected,
            "relay_access_log_lost": self.access_log.lost,
            "relay_log_lines_lost": self.lost_log_lines(),
            **self.loop_lag.gauges(),
            **self.overload_watch.gauges(),
            "relay_tasks": len(asyncio.all_tasks(self.loop)),
            "relay_institutions": len(self.gateway.plan.institutions),
            "relay_ledger_age_seconds": self.grants.age,
            "relay_authority_age_seconds": self.authority_liveness.age,
            "relay_adapter_age_seconds": self.adapter_liveness.age,
            **self.counters.gauges(),
            **self.transfers.gauges(),
            **self.counter.gauges(),
            "relay_directory_operators": len(self.state.parties.callers.all),
            "relay_directory_number": self.registry.registry.number,
            "relay_directory_age_seconds": self.registry.age if self.loaded.settings.portal else 0.0,
            "relay_directory_held_seconds": self.registry.held_seconds,
        }

    def _pool_counts(self) -> dict[str, dict[str, int]]:
        counts = {code: pool.counts() | _list_troubles(pool) for code, (_, pool) in self.pools.items()}
        return {**counts, AUTHORITY_RATE_KEY: self.authority.counts()}

    def _info(self) -> dict[str, str]:
        return {"version": __version__, "form": get_build_form(), "plan": self.gateway.plan.fingerprint}


def _list_troubles(pool: ConnectionPool) -> dict[str, int]:
    """Returns the states of a pool that are not as usual, so that healthy institutions have no series of them."""
    state = pool.state()
    return {name: state[name] for name in ("ejected", "breaker_open") if state[name]}


def _authority_pool(
    settings: AuthoritySettings, watch: DeadlineWatch, loop: asyncio.AbstractEventLoop
) -> AuthorityPool:
    """Returns the pool to the authority. Its calls change state, so that none is ever sent twice."""
    total_s = settings.timeout_s
    timeouts = ProviderTimeouts(
        connect_s=min(2.0, total_s), first_byte_s=total_s, total_s=total_s, idle_s=min(30.0, total_s)
    )
    pool = ConnectionPool(UnixDialer(settings.socket, timeouts, loop), settings.concurrency, 0, watch, loop)
    pool.has_breaker = pool.may_retry = False
    pool.requires_tran_id = False  # the authority is ours and repeats the x-api-tran-id of each call
    return AuthorityPool(pool, settings.concurrency, settings.queue, watch)

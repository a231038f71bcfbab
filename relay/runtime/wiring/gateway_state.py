"""What settings and registry determine in a gateway: prepared without side effects, put in force as a whole."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from relay.gateway.handler import UpstreamTable
from relay.gateway.refusal_limits import RefusalBuckets
from relay.infra.tokens.verification import VerifiedTokens
from relay.infra.tokens.verification_turns import VerificationTurns
from relay.infra.upstream.pool import ConnectionPool
from relay.policy.call.institution_request import RequestTemplate
from relay.policy.call.parties import Parties
from relay.policy.call.plan import AUTHORITY_RATE_KEY, Institution, Plan, compile_plan, with_parties
from relay.policy.quota.bucket import Bucket
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.authority import TokenSettings
from relay.policy.settings.model import Settings
from relay.policy.settings.rates import RateSettings
from relay.policy.settings.scalars import Rate
from relay.policy.upstream.adapter_headers import list_base_urls
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.wiring.credentials import (
    PoolKey,
    build_institution_context,
    build_jwks,
    build_listener_context,
    build_verifying_keys,
    compute_pool_key,
    read_token_keys,
)
from relay.runtime.wiring.listener_limits import max_gateway_files
from relay.standard.catalogue import load_catalogue

PoolTable = Mapping[str, tuple[PoolKey, ConnectionPool]]
"""The pool of each institution by org_code, with the key that it depends on."""

PoolBuilder = Callable[[Institution, ssl.SSLContext | None], ConnectionPool]
"""Builds a pool without connections."""


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """All rates: of data calls, of calls of the authority, of refused calls and of handshakes."""

    data: LimitTable
    authority: LimitTable
    refusals: RefusalBuckets
    handshakes: Bucket

    @classmethod
    def from_plan(cls, plan: Plan, rates: RateSettings) -> Self:
        """Returns the limits of a plan. All operators together may call the authority ten times as often as one.

        Beyond it the authority's queue decides.
        """
        authority, refused = rates.authority, rates.refused
        total = Rate(per_second=min(1e6, 10 * authority.per_second), burst=min(10**6, 10 * authority.burst))
        return cls(
            data=LimitTable(
                operator_provider=rates.operator_provider,
                operator=rates.operator,
                service=rates.service,
                providers={code: institution.rate for code, institution in plan.institutions.items()},
                scheduled={code: institution.scheduled_rate for code, institution in plan.institutions.items()},
                weights={each.org_code: each.weight for each in rates.weights},
            ),
            authority=LimitTable(operator_provider=authority, providers={AUTHORITY_RATE_KEY: total}),
            refusals=RefusalBuckets(*map(Bucket.of, (refused.connection, refused.certificate, refused.address))),
            handshakes=Bucket.of(rates.handshakes),
        )


@dataclass(frozen=True, slots=True)
class GatewayState:
    """Everything in a gateway that depends on settings and registry. A reload replaces it as a whole.

    `contexts` are those of the TLS listeners, by index. Institutions that did not change keep the pool of the former
    state, and unchanged keys and settings of tokens the verified tokens. `max_files` is the number of files that the
    gateway may have open.
    """

    loaded: LoadedSettings
    contexts: Mapping[int, ssl.SSLContext]
    parties: Parties
    plan: Plan
    token_verifier: VerifiedTokens
    jwks: Mapping[str, Any]
    pools: PoolTable
    upstreams: UpstreamTable
    limits: GatewayLimits
    max_files: int

    def with_parties(self, parties: Parties) -> "GatewayState":
        """Returns this state with other parties; everything else stays."""
        return (
            self if parties is self.parties else replace(self, parties=parties, plan=with_parties(self.plan, parties))
        )

    def with_current_token_keys(self) -> "GatewayState | None":
        """Returns this state with the keys now in its key folder, None if they are the same. Raises CredentialError."""
        token_verifier, jwks = _read_token_keys(self.loaded.settings.tokens)
        return None if jwks == self.jwks else replace(self, token_verifier=token_verifier, jwks=jwks)

    def find_replaced_pools(self, new: "GatewayState") -> list[ConnectionPool]:
        """Returns the pools of this state that the new one does not use."""
        kept = {id(pool) for _, pool in new.pools.values()}
        return [pool for _, pool in self.pools.values() if id(pool) not in kept]

    def list_parts(self) -> list[object]:
        """Returns what belongs to single institutions: together it takes long to free."""
        plan, loaded = self.plan.institutions, self.loaded
        return [*self.pools.values(), *self.upstreams.values(), *plan.values(), *loaded.providers]


def prepare_gateway_state(
    loaded: LoadedSettings, current: GatewayState | None, build_pool: PoolBuilder
) -> GatewayState:
    """Reads every file that the settings name and builds the state. Changes nothing and is safe on a thread.

    With a portal, the parties are those of the current state: they come from the registry. Raises SETTINGS_ERRORS.
    """
    settings = loaded.settings
    has_parties = current is not None and settings.portal is not None
    parties = current.parties if current and has_parties else Parties.from_directory(loaded.directory)
    contexts = _build_listener_contexts(settings)
    plan = compile_plan(settings, loaded.providers, parties, load_catalogue(), loaded.fingerprint)
    token_verifier, jwks = _read_token_keys(settings.tokens)
    if current is not None and jwks == current.jwks and settings.tokens == current.loaded.settings.tokens:
        token_verifier = current.token_verifier  # it knows the verified tokens
    pools = _build_pools(plan, {} if current is None else current.pools, build_pool)
    return GatewayState(
        loaded=loaded,
        contexts=contexts,
        parties=parties,
        plan=plan,
        token_verifier=token_verifier,
        jwks=jwks,
        pools=pools,
        upstreams=_build_upstreams(plan, pools),
        limits=GatewayLimits.from_plan(plan, settings.rates),
        max_files=max_gateway_files(loaded),
    )


def _build_listener_contexts(settings: Settings) -> dict[int, ssl.SSLContext]:
    tls = settings.gateway.tls
    if tls is None:
        return {}
    listeners = enumerate(settings.gateway.listeners)
    return {index: build_listener_context(listener, tls) for index, listener in listeners if listener.tls}


def _read_token_keys(tokens: TokenSettings) -> tuple[VerifiedTokens, Mapping[str, Any]]:
    """Returns the verification of tokens, and its public keys as a JWK set."""
    keys = read_token_keys(tokens)
    verifier = VerifiedTokens(
        build_verifying_keys(keys), tokens.issuer, tokens.leeway_s, tokens.memory, VerificationTurns()
    )
    return verifier, build_jwks(keys)


def _build_pools(plan: Plan, current: PoolTable, build_pool: PoolBuilder) -> PoolTable:
    """Returns the pools of a plan: the current one where nothing changed that it depends on, else a new one."""
    pools: dict[str, tuple[PoolKey, ConnectionPool]] = {}
    for code, institution in plan.institutions.items():
        key = compute_pool_key(institution)
        if code in current and current[code][0] == key:
            pools[code] = current[code]
        else:
            context = None if institution.is_adapted else build_institution_context(institution.settings)
            pools[code] = (key, build_pool(institution, context))
    return pools


def _build_upstreams(plan: Plan, pools: PoolTable) -> UpstreamTable:
    """Returns the pool of each institution with the addresses of its instances as written in requests."""
    return {
        code: (pool, tuple(map(RequestTemplate.from_url, list_base_urls(plan.institutions[code].settings))))
        for code, (_, pool) in pools.items()
    }

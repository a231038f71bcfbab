"""Builds what counts data calls: in this process, or in Redis for all gateways together."""

import time

from relay.infra.quota.gateway_names import build_gateway_name
from relay.infra.quota.local import LocalQuotaCounters
from relay.infra.quota.shared import SharedQuotaCounters
from relay.infra.quota.store import CONNECT_S, QuotaStore
from relay.infra.redis_client import make_redis_client
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.rates import QuotaSettings
from relay.runtime.settings.file_references import resolve_redis_url
from relay.runtime.wiring.credentials import CredentialError


def build_quota_counters(settings: QuotaSettings, table: LimitTable) -> LocalQuotaCounters | SharedQuotaCounters:
    """Returns the counters of data calls. Raises SecretMissing or CredentialError when quotas.redis is unusable."""
    if settings.redis is None:
        return LocalQuotaCounters(table)
    try:
        redis = make_redis_client(resolve_redis_url(settings.redis), CONNECT_S)
    except ValueError as error:  # its text repeats the URL, which may hold a password
        raise CredentialError("quotas.redis: no URL of a Redis; write redis://HOST:PORT/0") from error
    store = QuotaStore(redis, build_gateway_name(), settings.timeout_s)
    return SharedQuotaCounters(table, store, settings.gateways, time.monotonic)

import time

import pytest

from relay.infra.quota.local import LocalQuotaCounters
from relay.infra.quota.shared import SharedQuotaCounters
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.rates import QuotaSettings
from relay.policy.settings.scalars import Rate
from relay.runtime.settings.file_references import SecretMissing
from relay.runtime.wiring.credentials import CredentialError
from relay.runtime.wiring.quotas import build_quota_counters

TABLE = LimitTable(Rate(per_second=1, burst=2), {})


def test_without_redis_a_process_counts_for_itself():
    quotas = build_quota_counters(QuotaSettings(), TABLE)
    assert isinstance(quotas, LocalQuotaCounters)
    quotas.take(("one", "bank", "", False), time.monotonic())


def test_with_redis_all_gateways_count_together(redis_server):
    quotas = build_quota_counters(QuotaSettings(redis=redis_server.url, gateways=3), TABLE)
    assert isinstance(quotas, SharedQuotaCounters)
    assert quotas.gauges() == {"relay_quota_alone": 1, "relay_quota_gateways": 3}  # until it has asked


def test_an_unusable_url_is_reported_without_its_password(tmp_path):
    (tmp_path / "url").write_text("ftp://user:secret@host")
    with pytest.raises(CredentialError) as error:
        build_quota_counters(QuotaSettings(redis=f"file:{tmp_path}/url"), TABLE)
    assert "secret" not in str(error.value)
    with pytest.raises(SecretMissing):
        build_quota_counters(QuotaSettings(redis=f"file:{tmp_path}/gone"), TABLE)

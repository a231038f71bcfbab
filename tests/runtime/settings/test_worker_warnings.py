"""Workers that cannot work well are warned of."""

import pytest

from relay.runtime.settings.loading import load_settings
from relay.runtime.settings.worker_warnings import find_worker_warnings


def get_warnings(folder, cpus):
    loaded = load_settings(folder.path, {})
    return {warning.key: str(warning) for warning in find_worker_warnings(folder.path, loaded, cpus)}


@pytest.mark.parametrize(("workers", "keys"), [(1, set()), (2, set()), (3, {"gateway.workers"}), ("auto", set())])
def test_more_workers_than_cpus_are_warned_of(folder, workers, keys):
    folder.put("relay.yaml", "gateway.workers", workers)
    assert set(get_warnings(folder, 2)) == keys


@pytest.mark.parametrize(
    ("key", "total", "least"),
    [
        ("gateway.limits.connections_per_operator", 15, 16),
        ("gateway.limits.handshakes", 3, 16),
        ("ledger.connections", 7, 8),
        ("upstream.concurrency", 1, 16),
        ("rates.operator_provider", {"per_second": 9, "burst": 15}, 16),
        ("rates.service", {"per_second": 9, "burst": 15}, 16),
    ],
)
def test_limits_too_small_to_be_divided_are_warned_of(folder, key, total, least):
    folder.put("relay.yaml", "gateway.workers", 4)
    assert get_warnings(folder, 4) == {}
    folder.put("relay.yaml", key, total)
    name = f"{key}.burst" if isinstance(total, dict) else key
    (warning,) = [text for warned, text in get_warnings(folder, 4).items() if warned == name]
    assert f"expected: at least {least} for 4 workers" in warning
    folder.put("relay.yaml", "gateway.workers", 1)
    assert get_warnings(folder, 4) == {}


def test_limits_of_an_institution_are_warned_of_with_its_file(folder):
    folder.put("relay.yaml", "gateway.workers", 2)
    folder.put("providers/bank.yaml", "concurrency", 7)
    folder.put("providers/bank.yaml", "rate", {"per_second": 1, "burst": 2})
    warnings = get_warnings(folder, 2)
    assert set(warnings) == {"concurrency", "rate.burst"}
    assert "providers/bank.yaml: concurrency: is 7: a share of 3 for a worker" in warnings["concurrency"]


def test_what_workers_share_in_redis_is_not_divided(folder):
    folder.put("relay.yaml", "gateway.workers", 4)
    folder.put("relay.yaml", "quotas.redis", "redis://localhost:6379/0")
    folder.put("relay.yaml", "upstream.concurrency", 1)
    folder.put("relay.yaml", "rates.service", {"per_second": 1, "burst": 1})
    folder.put("providers/bank.yaml", "concurrency", 1)
    assert get_warnings(folder, 4) == {}

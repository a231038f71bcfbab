"""Limits of a gateway are divided between its workers."""

import pytest
from pydantic import ValidationError

from relay.policy.settings.directory import Provider
from relay.policy.settings.model import GatewaySettings, Settings
from relay.policy.settings.scalars import MAX_WORKERS, Rate
from relay.policy.settings.worker_shares import WorkerShare, build_log_path, count_workers, is_worker_log

LISTENERS = [{"tls": False, "client_certificate": False}]
RATE = {"per_second": 100, "burst": 84}


def build_settings(**sections):
    return Settings.model_validate(
        {
            "relay": {"org_code": "ZZRELAY001", "name": "Relay"},
            "gateway": {"listeners": LISTENERS},
            "tokens": {"issuer": "ZZRELAY001", "keys": "keys"},
            "ledger": {"url": "sqlite:ledger.db", "customer_keys": [{"kid": "one", "key": "env:K"}]},
            "access_log": {"path": "/var/log/access.log"},
            "overload": {"memory_mb": 1024},
            "rates": {"operator": RATE, "service": RATE, "scheduled": RATE},
        }
        | sections
    )


SETTINGS = build_settings()
PROVIDER = {"org_code": "ZBAA000001", "name": "Bank", "industry": "bank", "base_urls": ["http://bank.example"],
            "link": "leased_line"}  # fmt: skip
DIVIDED = {
    "gateway.limits.connections",
    "gateway.limits.connections_per_operator",
    "gateway.limits.handshakes",
    "tokens.memory",
    "ledger.connections",
    "authority.concurrency",
    "authority.queue",
    "upstream.concurrency",
    "upstream.queue",
    "rates.operator_provider",
    "rates.operator",
    "rates.service",
    "rates.provider",
    "rates.scheduled",
    "rates.authority",
    "rates.refused.certificate",
    "rates.refused.address",
    "rates.handshakes",
    "overload.memory_mb",
    "access_log.queue",
}


def find_leaves(section, path=""):
    """Yields each value of the settings with its key; a rate is one value."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if hasattr(type(value), "model_fields") and not isinstance(value, Rate):
            yield from find_leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def divide_all(workers):
    shares = (WorkerShare(slot, workers).divide_settings(SETTINGS) for slot in range(1, workers + 1))
    return [dict(find_leaves(share)) for share in shares]


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
@pytest.mark.parametrize("total", [7, 8, 10, 256, 10000])
def test_shares_add_up_to_the_total_and_differ_by_one(workers, total):
    shares = [WorkerShare(slot, workers).divide(total) for slot in range(1, workers + 1)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


def test_a_worker_has_at_least_one_of_a_small_total():
    assert [WorkerShare(slot, 4).divide(2) for slot in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert [WorkerShare(slot, 4).divide(2, 0) for slot in (1, 2, 3, 4)] == [1, 1, 0, 0]


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_only_listed_settings_are_divided_and_add_up(workers):
    whole, shares = dict(find_leaves(SETTINGS)), divide_all(workers)
    changed = {key for share in shares for key, value in share.items() if value != whole[key]}
    assert changed == DIVIDED | {"access_log.path"}
    for key in DIVIDED:
        values = [share[key] for share in shares]
        if isinstance(whole[key], Rate):
            assert sum(rate.burst for rate in values) == whole[key].burst
            assert sum(rate.per_second for rate in values) == pytest.approx(whole[key].per_second)
        else:
            assert sum(values) == whole[key]


def test_limits_of_an_institution_are_divided_if_it_has_its_own():
    share = WorkerShare(1, 2)
    plain = Provider.model_validate(PROVIDER)
    assert share.divide_provider(plain, is_shared=False) == plain
    own = PROVIDER | {"concurrency": 5, "queue": 0, "rate": {"per_second": 10, "burst": 1}}
    divided = share.divide_provider(Provider.model_validate(own), is_shared=False)
    assert (divided.concurrency, divided.queue) == (3, 0)
    assert divided.rate == Rate(per_second=5, burst=1)


def test_rates_that_workers_share_in_redis_are_not_divided():
    share, rates = WorkerShare(1, 2), {"service": RATE, "authority": RATE}
    settings = share.divide_settings(build_settings(rates=rates, quotas={"redis": "redis://localhost"}))
    assert (settings.rates.service.per_second, settings.rates.authority.per_second) == (100, 50)
    assert settings.rates.provider == SETTINGS.rates.provider
    own = Provider.model_validate(PROVIDER | {"rate": {"per_second": 10, "burst": 1}})
    assert share.divide_provider(own, is_shared=True).rate == own.rate
    assert settings.upstream.concurrency == SETTINGS.upstream.concurrency


@pytest.mark.parametrize(
    ("path", "log"),
    [
        ("stdout", "stdout"),
        ("/a/access.log", "/a/access.3.log"),
        ("a.b.json", "a.b.3.json"),
        ("/a/access", "/a/access-3"),
    ],
)
def test_each_worker_has_an_access_log_of_its_own(path, log):
    assert build_log_path(path, 3) == log


@pytest.mark.parametrize(
    ("path", "name", "is_log"),
    [
        ("/a/access.log", "access.1.log", True),
        ("/a/access.log", "access.12.log", True),
        ("/a/access.log", "access.log", False),
        ("/a/access.log", "access.0.log", False),
        ("/a/access.log", "access.1.log.1", False),
        ("/a/access.log", "access.log.1", False),
        ("/a/access.log", "access.old.log", False),
        ("/a/access", "access-2", True),
        ("/a/access", "access.2", False),
        ("/a/access2.log", "access2.1.log", True),
    ],
)
def test_access_logs_of_workers_are_recognised(path, name, is_log):
    assert is_worker_log(path, name) is is_log


@pytest.mark.parametrize(("workers", "cpus", "count"), [(1, 8, 1), (3, 2, 3), ("auto", 2, 2), ("auto", 100, 64)])
def test_auto_is_one_worker_for_each_cpu(workers, cpus, count):
    assert count_workers(GatewaySettings(listeners=LISTENERS, workers=workers), cpus) == count


@pytest.mark.parametrize("workers", [0, -1, MAX_WORKERS + 1, True, 1.5, "2", "many", None])
def test_other_numbers_of_workers_are_refused(workers):
    with pytest.raises(ValidationError):
        GatewaySettings(listeners=LISTENERS, workers=workers)


def test_the_lines_of_a_core_are_divided():
    adapted = {
        "org_code": "ZBAC000001",
        "name": "core",
        "industry": "bank",
        "speaks": "telegram",
        "link": "leased_line",
        "core": {"addresses": ["core:1"], "lines": 4, "requests": 2},
    }
    share = WorkerShare(slot=1, workers=4)
    assert share.divide_provider(Provider.model_validate(adapted), is_shared=False).concurrency == 2
    assert share.divide_provider(Provider.model_validate(adapted), is_shared=True).concurrency is None

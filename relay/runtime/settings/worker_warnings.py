"""Warnings of `relay check` about the workers of a gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from relay.policy.settings.directory import Provider
from relay.policy.settings.model import Settings
from relay.policy.settings.worker_shares import WorkerShare, count_workers
from relay.runtime.settings.loading import LoadedSettings
from relay.runtime.settings.problems import SettingsProblem, format_path

MIN_SHARE: Final = 4
"""The kernel spreads connections by chance: with a smaller share, some workers are full while others have room."""

MIN_LEDGER_CONNECTIONS: Final = 2
"""A worker looks up tokens while it delivers statistics."""


def find_worker_warnings(path: Path, loaded: LoadedSettings, usable_cpus: int) -> Iterator[SettingsProblem]:
    """Yields warnings of more workers than CPUs, and of limits that are too small to be divided between workers."""
    workers = count_workers(loaded.settings.gateway, usable_cpus)
    file = format_path(path.absolute())
    if workers > usable_cpus:
        wrong = f"is {workers}, but the relay may use {usable_cpus} CPUs here"
        yield SettingsProblem(file, "gateway.workers", wrong, f"at most {usable_cpus}, or auto")
    if workers == 1:
        return
    for key, total, least in _list_totals(loaded.settings):
        yield from _check(file, key, total, least, workers)
    if loaded.settings.quotas.redis is not None:
        return
    for provider_file, provider in zip(loaded.provider_files, loaded.providers, strict=True):
        for key, total in _list_provider_totals(provider):
            yield from _check(format_path(provider_file), key, total, MIN_SHARE, workers)


def _check(file: str, key: str, total: int, least: int, workers: int) -> Iterator[SettingsProblem]:
    share = WorkerShare(workers, workers).divide(total)
    if share < least:
        wrong = f"is {total}: a share of {share} for a worker"
        yield SettingsProblem(file, key, wrong, f"at least {least * workers} for {workers} workers")


def _list_totals(settings: Settings) -> list[tuple[str, int, int]]:
    """Returns key, value and smallest useful share of each number that is divided."""
    limits, rates = settings.gateway.limits, settings.rates
    totals = [
        ("gateway.limits.connections", limits.connections, MIN_SHARE),
        ("gateway.limits.connections_per_operator", limits.connections_per_operator, MIN_SHARE),
        ("gateway.limits.handshakes", limits.handshakes, MIN_SHARE),
        ("ledger.connections", settings.ledger.connections, MIN_LEDGER_CONNECTIONS),
        ("authority.concurrency", settings.authority.concurrency, MIN_SHARE),
        ("rates.authority.burst", rates.authority.burst, MIN_SHARE),
        ("rates.refused.certificate.burst", rates.refused.certificate.burst, MIN_SHARE),
        ("rates.refused.address.burst", rates.refused.address.burst, MIN_SHARE),
        ("rates.handshakes.burst", rates.handshakes.burst, MIN_SHARE),
    ]
    return totals if settings.quotas.redis is not None else [*totals, *_list_unshared(settings)]


def _list_unshared(settings: Settings) -> Iterator[tuple[str, int, int]]:
    """Yields what is divided only if the workers do not share it in Redis."""
    yield "upstream.concurrency", settings.upstream.concurrency, MIN_SHARE
    for name in ("operator_provider", "operator", "service", "provider", "scheduled"):
        if (rate := getattr(settings.rates, name)) is not None:
            yield f"rates.{name}.burst", rate.burst, MIN_SHARE


def _list_provider_totals(provider: Provider) -> Iterator[tuple[str, int]]:
    if provider.concurrency is not None:
        yield "concurrency", provider.concurrency
    for name in ("rate", "scheduled_rate"):
        if (rate := getattr(provider, name)) is not None:
            yield f"{name}.burst", rate.burst

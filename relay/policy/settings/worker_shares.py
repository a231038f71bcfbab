"""Divides the limits of a gateway between its workers. Each limit counts in one process, so each worker has a share.

The shares of a number add up to it. A worker has at least 1 of each: workers have more than the total together when it
is smaller than their number.
"""

from dataclasses import dataclass
from pathlib import PurePath

from relay.policy.settings.directory import Provider
from relay.policy.settings.model import GatewayLimits, GatewaySettings, Settings
from relay.policy.settings.rates import RateSettings, RefusalRates
from relay.policy.settings.scalars import AUTO, MAX_WORKERS, STDOUT, Rate

MIN_TOKENS = 2
"""The memory of verified tokens has two halves."""


@dataclass(frozen=True, slots=True)
class WorkerShare:
    """The share of one worker: its slot, from 1 to the number of `workers`."""

    slot: int
    workers: int

    def divide(self, total: int, least: int = 1) -> int:
        """Returns this worker's share of a number. The first workers have one more when there is a remainder."""
        share, remainder = divmod(total, self.workers)
        return max(least, share + (self.slot <= remainder))

    def divide_rate(self, rate: Rate) -> Rate:
        """Returns this worker's share of a rate."""
        return Rate(per_second=rate.per_second / self.workers, burst=self.divide(rate.burst))

    def divide_settings(self, settings: Settings) -> Settings:
        """Returns the settings of this worker: its share of the limits, and an access log of its own.

        What workers share in Redis is whole: the rates and slots of institutions.
        """
        upstream, is_shared = settings.upstream, settings.quotas.redis is not None
        memory_mb = settings.overload.memory_mb
        return settings.model_copy(
            update={
                "gateway": settings.gateway.model_copy(update={"limits": self._divide_connections(settings)}),
                "tokens": settings.tokens.model_copy(
                    update={"memory": self.divide(settings.tokens.memory, MIN_TOKENS)}
                ),
                "ledger": settings.ledger.model_copy(update={"connections": self.divide(settings.ledger.connections)}),
                "authority": settings.authority.model_copy(
                    update={
                        "concurrency": self.divide(settings.authority.concurrency),
                        "queue": self.divide(settings.authority.queue, 0),
                    }
                ),
                "upstream": settings.upstream.model_copy(
                    update={
                        "concurrency": upstream.concurrency if is_shared else self.divide(upstream.concurrency),
                        "queue": self.divide(upstream.queue, 0),
                    }
                ),
                "rates": self._divide_rates(settings.rates, is_shared=is_shared),
                "overload": settings.overload.model_copy(
                    update={"memory_mb": None if memory_mb is None else self.divide(memory_mb)}
                ),
                "access_log": settings.access_log.model_copy(
                    update={
                        "path": build_log_path(settings.access_log.path, self.slot),
                        "queue": self.divide(settings.access_log.queue),
                    }
                ),
            }
        )

    def divide_provider(self, provider: Provider, *, is_shared: bool) -> Provider:
        """Returns an institution with this worker's share of its own limits. What workers share in Redis is whole."""
        update: dict[str, int | Rate] = {}
        concurrency = provider.concurrency or (0 if provider.core is None else provider.core.capacity)
        if concurrency and not is_shared:
            update["concurrency"] = self.divide(concurrency)
        if provider.queue is not None:
            update["queue"] = self.divide(provider.queue, 0)
        if not is_shared:
            for name in ("rate", "scheduled_rate"):
                if (rate := getattr(provider, name)) is not None:
                    update[name] = self.divide_rate(rate)
        return provider.model_copy(update=update)

    def _divide_connections(self, settings: Settings) -> GatewayLimits:
        limits = settings.gateway.limits
        names = ("connections", "connections_per_operator", "handshakes")
        return limits.model_copy(update={name: self.divide(getattr(limits, name)) for name in names})

    def _divide_rates(self, rates: RateSettings, *, is_shared: bool) -> RateSettings:
        """Returns this worker's share of the rates. Those of data calls are whole if all workers share their counts."""

        def divide(rate: Rate | None) -> Rate | None:
            return rate if rate is None or is_shared else self.divide_rate(rate)

        return RateSettings(
            operator_provider=rates.operator_provider if is_shared else self.divide_rate(rates.operator_provider),
            operator=divide(rates.operator),
            service=divide(rates.service),
            provider=rates.provider if is_shared else self.divide_rate(rates.provider),
            scheduled=divide(rates.scheduled),
            authority=self.divide_rate(rates.authority),
            refused=RefusalRates(
                connection=rates.refused.connection,  # a connection belongs to one worker
                certificate=self.divide_rate(rates.refused.certificate),
                address=self.divide_rate(rates.refused.address),
            ),
            handshakes=self.divide_rate(rates.handshakes),
            weekly=rates.weekly,
        )


def count_workers(settings: GatewaySettings, usable_cpus: int) -> int:
    """Returns the number of workers: that of the settings, or one for each usable CPU."""
    return min(usable_cpus, MAX_WORKERS) if settings.workers == AUTO else settings.workers


def build_log_path(path: str, slot: int) -> str:
    """Returns the access log of a worker: `access.log` becomes `access.1.log`, `access` becomes `access-1`.

    `stdout` stays.
    """
    if path == STDOUT:
        return path
    file = PurePath(path)
    name = f"{file.stem}.{slot}{file.suffix}" if file.suffix else f"{file.name}-{slot}"
    return str(file.with_name(name))


def is_worker_log(path: str, name: str) -> bool:
    """Returns whether a file name is that of a worker's access log, for the access log `path` of the settings."""
    digits = "".join(filter(str.isdigit, name.removeprefix(PurePath(path).stem)))
    return bool(digits) and int(digits) > 0 and PurePath(build_log_path(path, int(digits))).name == name

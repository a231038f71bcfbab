"""Several recorders as one."""

from relay.domain.exchange import Exchange
from relay.infra.access_log import AccessLog
from relay.infra.metrics import Metrics


class Records:
    """Metrics and access records of every exchange."""

    def __init__(self, metrics: Metrics, access_log: AccessLog) -> None:
        self._count = metrics.record
        self._write = access_log.record

    def record(self, exchange: Exchange) -> None:
        """Take a closed exchange."""
        self._count(exchange)
        self._write(exchange)

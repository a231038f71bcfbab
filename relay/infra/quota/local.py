"""Quotas of this process."""

from relay.policy.quota.meters import QuotaMeters


class LocalQuotaCounters(QuotaMeters):
    """Counts requests in process memory."""

    async def start(self) -> None:
        """Does nothing: there is no store to ask."""

    async def wait(self) -> None:
        """Does nothing: no request is leased."""

    def share_slots(self, users: object) -> None:
        """Does nothing: each process has its own slots."""

    async def run(self) -> None:
        """Does nothing: the counts are not shared."""

    def gauges(self) -> dict[str, float]:
        """Returns no metrics."""
        return {}

"""Gateways that share the rates through a store, with a given clock and outages."""

from leasing.store import FORGOTTEN_S
from relay.domain.fault import Refusal
from relay.domain.quota import NotLeased
from relay.policy.quota.lease_book import FormerGateways, LeaseBook


class LeasingGateway:
    """One gateway: its leases, and calls to the store as `SharedQuotaCounters` makes them, without a network."""

    def __init__(self, name, table, store, *, gateways=1, **options):
        self.name, self.store = name, store
        self.listed = 0
        self.book = LeaseBook(table, gateways, self._count_list, **options)
        self.passed, self.refusals = [], []
        self.is_cut_off = False
        self.known, self.former = 0, FormerGateways(FORGOTTEN_S)

    def _count_list(self):
        self.listed += 1

    def call(self, now, operator="one", provider="bank", client_id="app", *, is_scheduled=False):
        """Makes one call that waits for a lease if it must. Returns whether it passed."""
        key = (operator, provider, client_id, is_scheduled)
        for _ in range(10):
            try:
                self.book.take(key, now)
            except Refusal as refusal:
                self.refusals.append((now, refusal.fault.name, refusal.retry_after))
                return False
            except NotLeased:
                self.ask(now)
                continue
            self.passed.append(now)
            return True
        raise AssertionError("a call waits again and again")

    def ask(self, now):
        """Asks the store once; counts alone if it is unavailable."""
        if self.is_cut_off:
            self.book.count_alone(now)
            return
        if self.book.is_alone:
            self.store.lease(self.name, self.book.build_debts(now), now, is_alone=True)
            self.former.add(self.known, now)
            self.book.count_together()
        asked = self.book.build_requests(now)
        requests = [request for _, request in asked]
        self.book.gateways, replies = self.store.lease(self.name, requests, now, gateways=self.former.count(now))
        self.known = len(self.store.seen)
        self.book.receive(asked, replies, now, now)

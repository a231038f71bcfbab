"""Limits the refused calls of one peer: they count in no other rate, but cost the relay work."""

from dataclasses import dataclass
from typing import Final, Protocol

from relay.domain.fault import FAULTS, Fault, FaultOwner
from relay.domain.party import Peer
from relay.policy.quota.bucket import Bucket
from relay.policy.quota.keyed_limits import store_next_at

_AFTER_RATES: Final = (FAULTS["provider_busy"], FAULTS["operator_share"], FAULTS["breaker_open"])


class CallerConnection(Protocol):
    """The connection of a refused call. `refused_until` is `next_at` of GCRA."""

    peer: Peer
    refused_until: float


@dataclass(frozen=True, slots=True)
class RefusalBuckets:
    """The rates of refused calls of one connection, of one certificate and of one address."""

    connection: Bucket
    certificate: Bucket
    address: Bucket


class RefusalLimits:
    """Counts refused calls of each connection, certificate and address (GCRA)."""

    def __init__(self, buckets: RefusalBuckets) -> None:
        self._buckets = buckets
        self._certificates: dict[str, float] = {}
        self._addresses: dict[str, float] = {}

    def adjust(self, buckets: RefusalBuckets) -> None:
        """Applies new rates. Counted calls stay counted."""
        self._buckets = buckets

    def take(self, caller: CallerConnection, fault: Fault, now: float) -> float:
        """Counts one refused call at monotonic `now`.

        Returns 0.0, or the seconds to wait if the peer exceeds a rate; such a call is not counted. Faults of the relay
        and faults after the rates of an institution are not counted.
        """
        if fault.owner is FaultOwner.RELAY or fault in _AFTER_RATES:
            return 0.0
        buckets, serial, source = self._buckets, caller.peer.serial or "", caller.peer.address
        certificate, address = self._certificates.get(serial, 0.0), self._addresses.get(source, 0.0)
        wait = max(
            buckets.connection.get_wait_s(caller.refused_until, now),
            buckets.certificate.get_wait_s(certificate, now),
            buckets.address.get_wait_s(address, now),
        )
        if wait:
            return wait
        caller.refused_until = buckets.connection.advance(caller.refused_until, now)
        if serial:
            store_next_at(self._certificates, serial, buckets.certificate.advance(certificate, now), now)
        store_next_at(self._addresses, source, buckets.address.advance(address, now), now)
        return 0.0

"""How many refused calls one peer may send. They take nothing from the other rates, and still cost the relay work."""

from dataclasses import dataclass
from typing import Final, Protocol

from relay.domain.fault import FAULTS, Fault, Whose
from relay.domain.party import Peer
from relay.policy.quota.bucket import Bucket, store_arrival

_AFTER_THE_RATE: Final = (FAULTS["provider_busy"], FAULTS["operator_share"])


class Card(Protocol):
    """What is known of the connection of a refused call. `refused_until` is the arrival time of GCRA."""

    peer: Peer
    refused_until: float


@dataclass(frozen=True, slots=True)
class RefusalBuckets:
    """The rates of refused calls of one connection, of one certificate and of one address."""

    connection: Bucket
    certificate: Bucket
    address: Bucket


class RefusalLimits:
    """Counts refused calls per connection, certificate and address (GCRA)."""

    def __init__(self, buckets: RefusalBuckets) -> None:
        self._buckets = buckets
        self._certificates: dict[str, float] = {}
        self._addresses: dict[str, float] = {}

    def adjust(self, buckets: RefusalBuckets) -> None:
        """Take over new rates. What was counted stays counted."""
        self._buckets = buckets

    def take(self, card: Card, fault: Fault, now: float) -> float:
        """Count one refused call at monotonic `now`.

        Returns 0.0, or the seconds to wait when the peer is beyond a rate; such a call is not counted. Faults of the
        relay, and those behind the rates of an institution, do not count.
        """
        if fault.whose is Whose.RELAY or fault in _AFTER_THE_RATE:
            return 0.0
        buckets, serial, source = self._buckets, card.peer.serial or "", card.peer.address
        certificate, address = self._certificates.get(serial, 0.0), self._addresses.get(source, 0.0)
        wait = max(
            buckets.connection.wait(card.refused_until, now),
            buckets.certificate.wait(certificate, now),
            buckets.address.wait(address, now),
        )
        if wait:
            return wait
        card.refused_until = buckets.connection.taken(card.refused_until, now)
        if serial:
            store_arrival(self._certificates, serial, buckets.certificate.taken(certificate, now), now)
        store_arrival(self._addresses, source, buckets.address.taken(address, now), now)
        return 0.0

"""Access control: identifies the calling operator and checks that the token belongs to it (규격 2.2, 3.1)."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from relay.domain.authorization.token import Claims
from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Operator, Peer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PEER_REFUSAL_CODES: Final = frozenset({"40102", "40103"})
"""rsp_codes of refusals of an unidentified peer."""

_MAX_DESCRIBED_OPERATORS: Final = 4
_MAX_DESCRIBED_CHARACTERS: Final = 45
_NOT_PRINTED: Final = re.compile(r"[^0-9A-Za-z.:-]")


@dataclass(frozen=True, slots=True)
class Caller:
    """An operator prepared for look-ups: single addresses as text, networks, and the client_ids of its services.

    `tran_id_prefixes` are the first 11 characters that its `x-api-tran-id` may have: org_code and 주체구분코드.
    """

    operator: Operator
    addresses: frozenset[str]
    networks: tuple[Network, ...]
    client_ids: frozenset[str]
    tran_id_prefixes: tuple[str, ...]

    @classmethod
    def from_operator(cls, operator: Operator) -> Self:
        """Returns the caller for an operator."""
        networks = [ipaddress.ip_network(address, strict=False) for address in operator.addresses]
        single = {str(network.network_address) for network in networks if network.num_addresses == 1}
        wide = tuple(network for network in networks if network.num_addresses > 1)
        client_ids = frozenset(service.client_id for service in operator.services)
        org_code = operator.org_code.upper()  # 거래고유번호 is AN(25); an org_code may have lower case
        prefixes = tuple(org_code + letter for letter in operator.subject_codes)
        return cls(operator, frozenset(single), wide, client_ids, prefixes)

    def has_address(self, address: str) -> bool:
        """Whether the operator registered this address (`ip_list`)."""
        if address in self.addresses:
            return True
        if not self.networks or not address:
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Callers:
    """All callers, and the same callers by normal serial."""

    all: tuple[Caller, ...]
    by_serial: dict[str, tuple[Caller, ...]]

    @classmethod
    def from_iterable(cls, callers: Iterable[Caller]) -> Self:
        """Indexes callers by serial. One company may use one certificate for several org_codes."""
        ordered = tuple(callers)
        by_serial: dict[str, list[Caller]] = {}
        for caller in ordered:
            by_serial.setdefault(caller.operator.serial, []).append(caller)
        return cls(ordered, {serial: tuple(group) for serial, group in by_serial.items()})

    def union(self, other: "Callers") -> "Callers":
        """Returns these callers followed by the few of `other`; the index of these is copied, not built again."""
        by_serial = dict(self.by_serial)
        for serial, callers in other.by_serial.items():
            by_serial[serial] = (*by_serial.get(serial, ()), *callers)
        return Callers((*self.all, *other.all), by_serial)

    def identify(self, peer: Peer) -> tuple[Caller, ...]:
        """Returns the callers that `peer` may be, at least one.

        Raises Refusal: serial_missing, serial_unknown (40103), address_unknown (40102). Without mutual TLS (a leased
        line, 규격 3.1) the address alone identifies the caller.
        """
        if peer.serial is None:
            candidates = self.all
        elif not peer.serial:
            raise Refusal(FAULTS["serial_missing"])
        else:
            candidates = self.by_serial.get(peer.serial, ())
            if not candidates:
                raise Refusal(FAULTS["serial_unknown"])
        callers = tuple(caller for caller in candidates if caller.has_address(peer.address))
        if not callers:
            raise Refusal(FAULTS["address_unknown"])
        return callers

    def describe_peer(self, peer: Peer) -> str:
        """Returns address, serial and operators of an unidentified peer for the record of 40102 and 40103.

        The operators are those with this serial, else those with this address.
        """
        callers = self.by_serial.get(peer.serial or "")
        if not callers:
            callers = tuple(caller for caller in self.all if caller.has_address(peer.address))
        operators = ",".join(caller.operator.org_code for caller in callers[:_MAX_DESCRIBED_OPERATORS])
        return f"address={_sanitize(peer.address)} serial={_sanitize(peer.serial or '')} operator={operators or '-'}"


def _sanitize(text: str) -> str:
    """Returns the value with unsafe characters replaced and cut to length, as a record may hold it."""
    return _NOT_PRINTED.sub("?", text)[:_MAX_DESCRIBED_CHARACTERS] or "-"


def check_tran_id(tran_id: str, callers: Sequence[Caller]) -> None:
    """Raises Refusal tran_id_of_other_operator (40002) unless 거래고유번호 belongs to one of `callers` (첨부14)."""
    for caller in callers:
        if tran_id.startswith(caller.tran_id_prefixes):
            return
    prefixes = [prefix for caller in callers[:_MAX_DESCRIBED_OPERATORS] for prefix in caller.tran_id_prefixes]
    raise Refusal(FAULTS["tran_id_of_other_operator"], f"x-api-tran-id (첫 11자리: {', '.join(prefixes)})")


def find_token_owner(claims: Claims, callers: Sequence[Caller]) -> Caller:
    """Returns the caller to which the token was issued. Raises Refusal token_of_other_operator (40101)."""
    for caller in callers:
        if claims.client_id in caller.client_ids and claims.aud == caller.operator.org_code:
            return caller
    raise Refusal(FAULTS["token_of_other_operator"])


def check_token_institution(claims: Claims, provider: str) -> None:
    """Raises Refusal token_of_other_provider (40101) unless the token is for this institution."""
    if claims.org_code != provider:
        raise Refusal(FAULTS["token_of_other_provider"])

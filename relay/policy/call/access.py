"""May they: who calls, with whose token, for which institution, with which scope (규격 2.2, 3.1)."""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from relay.domain.authorization.token import Claims
from relay.domain.fault import FAULTS, Refusal
from relay.domain.party import Operator, Peer

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNRECOGNISED: Final = frozenset({"40102", "40103"})
"""rsp_codes of a peer that is not recognised."""

_TRACED_MOST: Final = 4
_TRACED_CHARACTERS: Final = 45
_UNTRACEABLE: Final = re.compile(r"[^0-9A-Za-z.:-]")


@dataclass(frozen=True, slots=True)
class Caller:
    """An operator ready to be recognised: its single addresses as text, its networks, its services' client_ids.

    `tran_id_starts` are the first 11 characters that its `x-api-tran-id` may have: org_code and 주체구분코드.
    """

    operator: Operator
    addresses: frozenset[str]
    networks: tuple[Network, ...]
    clients: frozenset[str]
    tran_id_starts: tuple[str, ...]

    @classmethod
    def of(cls, operator: Operator) -> Self:
        """An operator made ready."""
        networks = [ipaddress.ip_network(address, strict=False) for address in operator.addresses]
        single = {str(network.network_address) for network in networks if network.num_addresses == 1}
        wide = tuple(network for network in networks if network.num_addresses > 1)
        clients = frozenset(service.client_id for service in operator.services)
        org_code = operator.org_code.upper()  # 거래고유번호 is AN(25), while an org_code may have small letters
        starts = tuple(org_code + letter for letter in operator.subject_codes)
        return cls(operator, frozenset(single), wide, clients, starts)

    def comes_from(self, address: str) -> bool:
        """Whether the operator registered this address (`ip_list`)."""
        if address in self.addresses:
            return True
        if not self.networks or not address:
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Callers:
    """Everyone who may call, by normal serial."""

    everyone: tuple[Caller, ...]
    by_serial: dict[str, tuple[Caller, ...]]

    @classmethod
    def of(cls, callers: Iterable[Caller]) -> Self:
        """These callers. One certificate may stand for several org_codes of one company."""
        everyone = tuple(callers)
        by_serial: dict[str, list[Caller]] = {}
        for caller in everyone:
            by_serial.setdefault(caller.operator.serial, []).append(caller)
        return cls(everyone, {serial: tuple(known) for serial, known in by_serial.items()})

    def and_also(self, more: "Callers") -> "Callers":
        """These and a few more, without looking at each of these again."""
        by_serial = dict(self.by_serial)
        for serial, callers in more.by_serial.items():
            by_serial[serial] = (*by_serial.get(serial, ()), *callers)
        return Callers((*self.everyone, *more.everyone), by_serial)

    def recognise(self, peer: Peer) -> tuple[Caller, ...]:
        """Who `peer` may be, never empty.

        Raises Refusal: serial_missing, serial_unknown (40103), address_unknown (40102). Without mutual TLS (a leased
        line, 규격 3.1) the address alone tells.
        """
        if peer.serial is None:
            known = self.everyone
        elif not peer.serial:
            raise Refusal(FAULTS["serial_missing"])
        else:
            known = self.by_serial.get(peer.serial, ())
            if not known:
                raise Refusal(FAULTS["serial_unknown"])
        here = tuple(caller for caller in known if caller.comes_from(peer.address))
        if not here:
            raise Refusal(FAULTS["address_unknown"])
        return here

    def trace(self, peer: Peer) -> str:
        """Address, serial and operator of a peer that is not recognised, for the record: 40102 and 40103 name nobody.

        The operators are those of the serial, else those of the address.
        """
        known = self.by_serial.get(peer.serial or "") or [one for one in self.everyone if one.comes_from(peer.address)]
        operators = ",".join(caller.operator.org_code for caller in known[:_TRACED_MOST])
        return f"address={_traced(peer.address)} serial={_traced(peer.serial or '')} operator={operators or '-'}"


def _traced(text: str) -> str:
    """A value as a record may hold it."""
    return _UNTRACEABLE.sub("?", text)[:_TRACED_CHARACTERS] or "-"


def check_tran_id(tran_id: str, callers: tuple[Caller, ...]) -> None:
    """Whether one of `callers` made this 거래고유번호 (첨부14). Raises Refusal tran_id_of_other_operator (40002)."""
    for caller in callers:
        if tran_id.startswith(caller.tran_id_starts):
            return
    raise Refusal(FAULTS["tran_id_of_other_operator"], "x-api-tran-id (기관코드와 주체구분코드)")


def owner_of(claims: Claims, callers: tuple[Caller, ...]) -> Caller:
    """Who of `callers` the token was given to. Raises Refusal token_of_other_operator (40101)."""
    for caller in callers:
        if claims.client_id in caller.clients and claims.aud == caller.operator.org_code:
            return caller
    raise Refusal(FAULTS["token_of_other_operator"])


def check_provider(claims: Claims, provider: str) -> None:
    """Whether the token is for this provider. Raises Refusal token_of_other_provider (40101)."""
    if claims.org_code != provider:
        raise Refusal(FAULTS["token_of_other_provider"])

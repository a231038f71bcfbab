"""What the support APIs decide by, and what they need from outside: the office, swapped whole when settings change."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from relay.domain.authorization.token import Claims
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import CustomerConsents
from relay.domain.statistics import StatisticsBook
from relay.endpoint.calls import Note
from relay.policy.call.maintenance import Calendar, compile_maintenance
from relay.policy.settings.directory import Provider
from relay.policy.settings.portal import PortalSettings


@dataclass(frozen=True, slots=True)
class SupportOffice:
    """Everything that stands in the settings and the registry.

    `relay` is our own org_code, `issuer` what tokens say of who issued them. `members` are the institutions by
    org_code, `calendars` those that plan maintenance, `operators` the org_codes of everyone who may call.
    """

    relay: str
    issuer: str
    portal: PortalSettings
    members: Mapping[str, Provider]
    calendars: Mapping[str, Calendar]
    operators: Collection[str]

    @classmethod
    def of(
        cls, relay: str, issuer: str, portal: PortalSettings, providers: Iterable[Provider], operators: Iterable[str]
    ) -> Self:
        """The office with these institutions and operators."""
        members = {provider.org_code: provider for provider in providers}
        compiled = {code: compile_maintenance(provider.maintenance) for code, provider in members.items()}
        calendars = {code: calendar for code, calendar in compiled.items() if calendar is not None}
        return cls(relay, issuer, portal, members, calendars, frozenset(operators))

    def member(self, org_code: str, note: Note) -> Provider:
        """The institution that `org_code` names, noted. Raises Refusal provider_unknown (40303)."""
        found = self.members.get(org_code)
        if found is None:
            raise Refusal(FAULTS["provider_unknown"])
        note.provider = found.org_code
        return found


class Signer(Protocol):
    """Who signs tokens, and reads those it signed."""

    def sign(self, claims: Mapping[str, object], now: int) -> tuple[str, bytes]:
        """The signed token (JWS compact) and the SHA-256 of its header and payload."""

    def read(self, token: str, now: int, use: str) -> Claims:
        """Claims of one of our own tokens, meant for `use`. Raises Refusal (40101)."""


class Secrets(Protocol):
    """Who compares client secrets with slow hashes, in constant time, off the loop."""

    async def fit(self, whose: str, secret_hash: str, secret: str) -> bool:
        """Whether this is the secret behind the hash. `whose` names the caller, in whose lane it waits.

        Raises Crowded.
        """


class Probe(Protocol):
    """Who tries whether an institution can be reached."""

    async def reaches(self, provider: Provider) -> bool | None:
        """Whether one of its places takes a connection, TLS included, in time; None when that could not be tried."""


@dataclass(slots=True)
class Support:
    """The office and its tools. `office` is read once per call, None while there is no portal.

    `clock` tells epoch seconds, `random` makes jtis.
    """

    office: SupportOffice | None
    consents: CustomerConsents
    statistics: StatisticsBook
    signer: Signer
    secrets: Secrets
    probe: Probe
    clock: Callable[[], float]
    random: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the portal asks in 지원-102 to -104, held to the catalogue. Its token was good; `now` in epoch seconds."""

    office: SupportOffice
    values: Mapping[str, str] = field(repr=False)
    now: float
    note: Note

"""Settings and ports of the support APIs. The settings are replaced as a whole when they change."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

from relay.domain.authorization.ports import SecretChecker, TokenSigner
from relay.domain.fault import FAULTS, Refusal
from relay.domain.ledger import CustomerConsents
from relay.domain.statistics import StatisticsStore
from relay.endpoint.calls import Note
from relay.policy.call.maintenance import MaintenanceCalendar, compile_maintenance
from relay.policy.settings.directory import Provider
from relay.policy.settings.portal import PortalSettings


@dataclass(frozen=True, slots=True)
class SupportSettings:
    """Values of the settings and the registry.

    `relay` is our own org_code, `issuer` the issuer of tokens. `members` are the institutions by org_code, `calendars`
    those with planned maintenance, `operators` the org_codes of all callers.
    """

    relay: str
    issuer: str
    portal: PortalSettings
    members: Mapping[str, Provider]
    calendars: Mapping[str, MaintenanceCalendar]
    operators: Collection[str]

    @classmethod
    def of(
        cls, relay: str, issuer: str, portal: PortalSettings, providers: Iterable[Provider], operators: Iterable[str]
    ) -> Self:
        """Returns the settings with these institutions and operators."""
        members = {provider.org_code: provider for provider in providers}
        compiled = {code: compile_maintenance(provider.maintenance) for code, provider in members.items()}
        calendars = {code: calendar for code, calendar in compiled.items() if calendar is not None}
        return cls(relay, issuer, portal, members, calendars, frozenset(operators))

    def member(self, org_code: str, note: Note) -> Provider:
        """Returns the institution of `org_code` and notes it. Raises Refusal provider_unknown (40303)."""
        member = self.members.get(org_code)
        if member is None:
            raise Refusal(FAULTS["provider_unknown"])
        note.provider = member.org_code
        return member


class Probe(Protocol):
    """Probes institutions."""

    async def reaches(self, provider: Provider) -> bool | None:
        """Returns whether a `base_url` accepts a connection, TLS included, in time; None: it could not be tried."""


@dataclass(slots=True)
class SupportDependencies:
    """The settings and ports. `settings` is read once per call, None without a portal.

    `clock` returns epoch seconds, `random` makes jtis.
    """

    settings: SupportSettings | None
    consents: CustomerConsents
    statistics: StatisticsStore
    signer: TokenSigner
    secrets: SecretChecker
    probe: Probe
    clock: Callable[[], float]
    random: Callable[[], str]


@dataclass(frozen=True, slots=True)
class PortalRequest:
    """A valid request of 지원-102 to -104 with an accepted token; `now` in epoch seconds."""

    settings: SupportSettings
    values: Mapping[str, str] = field(repr=False)
    now: float
    note: Note

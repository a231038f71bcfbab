"""The settings of the authority, replaced as a whole on changes, and the ports to its outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from relay.domain.authorization.ports import SecretChecker, TokenSigner
from relay.domain.authorization.signed_consent import SignedConsent
from relay.domain.institution import Holding
from relay.domain.ledger import Ledger
from relay.domain.party import Service
from relay.policy.settings.authority import CertifierSettings, TokenSettings
from relay.policy.settings.directory import Provider


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client: a registered service and the hash of its secret ("" for none: it gets no tokens)."""

    service: Service
    secret_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """Immutable settings. `providers` by org_code, `clients` by client_id, `certifiers` by ca_code.

    `pages_url` is the public URL of the pages, "" without pages; `request_s` the lifetime of a request in seconds;
    `pages_proxies` the networks of trusted proxies, whose X-Forwarded-For has the customer's address. The pages show
    `relay_name` and `organisations` (names by org_code) to customers.
    """

    relay: str
    tokens: TokenSettings
    providers: Mapping[str, Provider]
    clients: Mapping[str, Client]
    certifiers: Mapping[str, CertifierSettings]
    pages_url: str
    request_s: int
    pages_proxies: tuple[str, ...] = ()
    relay_name: str = ""
    organisations: Mapping[str, str] = field(default_factory=dict)


class InstitutionClient(Protocol):
    """Calls institutions while a customer waits."""

    async def login(self, provider: Provider, login_id: str, password: str, address: str) -> str | None:
        """Returns the CI of the customer; None when the institution rejects the login. Raises InstitutionError.

        `address` is the customer's, sent to the institution; "" when unknown.
        """

    async def holdings(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        """Returns the customer's assets from the institution's list APIs. Raises InstitutionError."""


class SignedConsentVerifier(Protocol):
    """Verifies signed consents: signatures, chains, nonces, and the customer's identity at the certifier."""

    async def verify(self, signed: SignedConsent, ca_code: str, now: int) -> bytes:
        """Returns the consent (전송요구내역, JSON) signed by the customer of `signed.ci`. Raises NotVerified."""


@dataclass(slots=True)
class AuthorityDependencies:
    """Settings and ports of the authority. Handlers read the settings once per call.

    `clock` returns epoch seconds, `random` new ids.
    """

    settings: OAuthSettings
    ledger: Ledger
    signer: TokenSigner
    secrets: SecretChecker
    institutions: InstitutionClient
    consent_verifier: SignedConsentVerifier
    clock: Callable[[], float]
    random: Callable[[], str]


@dataclass(frozen=True, slots=True)
class TokenCall:
    """A valid call of the token or revocation endpoint, with its authenticated client."""

    form: Mapping[str, str] = field(repr=False)
    client: Client
    provider: Provider
    now: int

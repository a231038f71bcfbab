"""What the authority decides by, and what it needs from outside: the office, swapped whole when settings change."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from relay.domain.authorization.proof import SignedConsent
from relay.domain.authorization.token import ACCESS, Claims
from relay.domain.institution import Holding
from relay.domain.ledger import Ledger
from relay.domain.party import Service
from relay.endpoint.outage_log import Complaints
from relay.policy.settings.authority import Certifier, Tokens
from relay.policy.settings.directory import Provider


@dataclass(frozen=True, slots=True)
class Client:
    """A service that may ask for tokens, and the hash of its secret ("" when it has none: it gets no tokens)."""

    service: Service
    secret_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Office:
    """Everything that stands in the settings. `providers` by org_code, `clients` by client_id, `certifiers` by ca_code.

    `pages_url` is where customers reach the pages, "" when there are none; `request_s` how long a customer has;
    `pages_proxies` the networks of the proxies before the pages that tell customers' addresses.
    `relay_name` and `organisations` (names by org_code) are what customers know the relay and the receivers by.
    """

    relay: str
    tokens: Tokens
    providers: Mapping[str, Provider]
    clients: Mapping[str, Client]
    certifiers: Mapping[str, Certifier]
    pages_url: str
    request_s: int
    pages_proxies: tuple[str, ...] = ()
    relay_name: str = ""
    organisations: Mapping[str, str] = field(default_factory=dict)


class Signer(Protocol):
    """Who signs tokens, and reads those it signed."""

    def sign(self, claims: Mapping[str, object], now: int) -> tuple[str, bytes]:
        """The signed token (JWS compact) and the SHA-256 of its header and payload, the same for the same claims."""

    def read(self, token: str, now: int, use: str = ACCESS) -> Claims:
        """Claims of one of our own tokens, meant for `use`. Raises Refusal (40101) as the gateway's keyring does."""

    def issued(self, token: str) -> Claims:
        """Claims of an access or refresh token of ours, expired or not. Raises Refusal (40101)."""


class Secrets(Protocol):
    """Who compares client secrets with slow hashes, in constant time, off the loop, remembering successes shortly."""

    async def fit(self, whose: str, secret_hash: str, secret: str) -> bool:
        """Whether this is the secret behind the hash. `whose` names the caller, in whose lane the comparison waits.

        A client that is not known has no hash (""): it costs the same and never fits. Raises Crowded.
        """


class Institutions(Protocol):
    """What the authority asks institutions for while a customer waits."""

    async def login(self, provider: Provider, login_id: str, password: str, address: str) -> str | None:
        """The CI of the customer who logs in; None when the institution does not know them. Raises DeskFault.

        `address` is the customer's, "" when it is not known; the institution is told it.
        """

    async def holdings(self, provider: Provider, ci: str, client_id: str) -> Sequence[Holding]:
        """The customer's real assets, from the institution's list APIs. Raises DeskFault."""


class Proofs(Protocol):
    """Who proves signed consents: signatures, chains, nonces, the customer's identity at the certifier."""

    async def prove(self, signed: SignedConsent, ca_code: str, now: int) -> bytes:
        """The consent (전송요구내역, JSON in UTF-8) that the customer of `signed.ci` signed. Raises Unproven."""


@dataclass(slots=True)
class Authority:
    """The office and its tools. `office` is read once per call; `clock` tells epoch seconds, `random` makes ids."""

    office: Office
    ledger: Ledger
    signer: Signer
    secrets: Secrets
    institutions: Institutions
    proofs: Proofs
    clock: Callable[[], float]
    random: Callable[[], str]
    complaints: Complaints = field(default_factory=Complaints)

    def complain(self, party: str, what: str) -> None:
        """Tell whoever looks after the relay that `party` does not do its part. Nothing of a call stands in `what`."""
        self.complaints.say(party, what, self.clock())


@dataclass(frozen=True, slots=True)
class TokenCall:
    """A call of the token endpoint that is well-formed and comes from the client it names."""

    form: Mapping[str, str] = field(repr=False)
    client: Client
    provider: Provider
    now: int

"""Obtains access tokens for tools: an operator gets them by integrated authentication (통합인증-002)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mydata_sandbox.certifiers.profile import Certifiers
from mydata_sandbox.credentials.tokens import list_scopes
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import Check, IssuedToken, open_session
from mydata_sandbox.operator.profile import OperatorProfile
from mydata_sandbox.operator.registration import describe_problem, wait_for_registration
from mydata_sandbox.world.model import CUSTOMERS
from relay.domain.api import Catalogue


class UnknownParty(LookupError):
    """There is no such institution, service, customer or scope. The message has the choices."""


class TokenRefused(Exception):
    """The relay issued no token. The message has its response."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """An access token that is wanted. The defaults are the first service, all scopes and the first customer."""

    org_code: str
    client_id: str = ""
    scopes: tuple[str, ...] = ()
    customer: int = 1


@dataclass(frozen=True, slots=True)
class TokenIssuer:
    """Obtains tokens from the relay at `gateway`. `institutions` are by org_code; `ca` signed all certificates."""

    gateway: str
    ca: Path
    operators: Sequence[OperatorProfile]
    institutions: Mapping[str, Institution]
    certifiers: Certifiers
    catalogue: Catalogue
    check: Check

    async def issue(self, request: TokenRequest) -> IssuedToken:
        """Returns a token with a new consent to all assets of the scopes. Raises UnknownParty, TokenRefused.

        The consent replaces that of the same customer, service and institution and revokes its tokens (규격 2.2).
        """
        institution = self.institutions.get(request.org_code)
        if institution is None:
            raise UnknownParty(f"{request.org_code} is not one of {', '.join(self.institutions)}")
        if not 1 <= request.customer <= len(CUSTOMERS):
            raise UnknownParty(f"customer {request.customer} is not one of 1 to {len(CUSTOMERS)}")
        self._check_scopes(request.scopes, institution.industry)
        operator, service = self._find_service(request.client_id)
        async with open_session(operator.identity, self.ca) as session:
            client = AuthorityClient(session, self.gateway, operator, self.catalogue, self.check)
            client.select_service(service)
            if problem := await wait_for_registration(lambda: client.check_registration(institution)):
                raise TokenRefused(describe_problem(operator.org_code, problem))
            customer = CUSTOMERS[request.customer - 1]
            call, tokens = await client.obtain_by_provider(institution, customer, self.certifiers, request.scopes)
        if tokens is None:
            raise TokenRefused(f"the relay issued no token for {request.org_code}: {'; '.join(call.why)}")
        return IssuedToken(institution.org_code, institution.industry, tokens.access, institution.left_out)

    def _check_scopes(self, scopes: Sequence[str], industry: str) -> None:
        """Raises UnknownParty for a scope of another industry: the consent to it would be empty."""
        known = list_scopes(self.catalogue, industry)
        if unknown := [scope for scope in scopes if scope not in known]:
            raise UnknownParty(f"scope {unknown[0]} is not one of {', '.join(known)}")

    def _find_service(self, client_id: str) -> tuple[OperatorProfile, int]:
        """Returns the operator of a service and the service's index, those of the first service for ""."""
        services = {name: (operator, n) for operator in self.operators for n, name in enumerate(operator.client_ids)}
        try:
            return services[client_id or next(iter(services))]
        except KeyError:
            raise UnknownParty(f"{client_id} is not one of {', '.join(services)}") from None

"""A scenario of the demo: tokens by individual and integrated authentication, and one revocation at the end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mydata_sandbox.customer.browser_client import BrowserClient, trust_only
from mydata_sandbox.environment.model import SandboxEnvironment
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.institution.profile import Institution
from mydata_sandbox.operator.authority_client import AuthorityClient, Tokens
from mydata_sandbox.operator.client import Call, IssuedToken, SimulatedOperator
from mydata_sandbox.world.model import CUSTOMERS
from relay.domain.api import Catalogue

AUTHORITY_CALLS: Final = 5
"""개별인증-001 to -004 and 통합인증-002, each reported once."""

CUT_OFF_S: Final = 1.0
"""Seconds after which every gateway rejects a revoked token."""

_LIST: Final = "정보제공-공통-002"
_REFUSED: Final = "40101"
POLL_S: Final = 0.05


@dataclass(slots=True)
class TokenScenario:
    """Obtains tokens for all institutions: the first by individual, the others by integrated authentication.

    Both kinds of certifier alternate. `report` gets the first call of each API and all failed calls.
    """

    client: AuthorityClient
    environment: SandboxEnvironment
    report: Callable[[Call], object]
    _reported: set[str] = field(default_factory=set)
    _first: Tokens | None = None

    async def obtain(self) -> list[IssuedToken]:
        """Returns a token for each institution. It is empty when none was issued: its calls will fail."""
        first = self.environment.login_institution
        others = [entry for entry in self.environment.institutions.values() if entry is not first]
        self._first = await self._obtain_first(first)
        tokens = [_build_token(first, self._first)]
        methods = (self.client.obtain_by_certificate, self.client.obtain_by_provider)
        for number, institution in enumerate(others):
            call, pair = await methods[number % 2](institution, CUSTOMERS[0], self.environment.certifiers)
            self._report(call)
            tokens.append(_build_token(institution, pair))
        return tokens

    async def revoke(self, operator: SimulatedOperator, catalogue: Catalogue) -> None:
        """Revokes the first institution's tokens and checks that the gateway rejects them."""
        if self._first is None:
            return
        first = self.environment.login_institution
        call = await self.client.revoke(first, self._first, LOGINS[0].customer)
        deadline = time.monotonic() + CUT_OFF_S
        while call.ok:
            result = await operator.call_once(catalogue.apis[_LIST], _build_token(first, self._first))
            if result.rsp_code == _REFUSED:
                break
            if time.monotonic() > deadline:
                call.ok, call.why = False, [f"a token revoked {CUT_OFF_S} s ago got {result.rsp_code}"]
            await asyncio.sleep(POLL_S)
        self._report(call)

    async def _obtain_first(self, at: Institution) -> Tokens | None:
        login = LOGINS[0]
        async with BrowserClient(
            trust_only(self.environment.certificates.ca), login.login_id, login.password
        ) as browser:
            calls, tokens = await self.client.obtain_individually(at, login.customer, browser)
        for call in calls:
            self._report(call)
        if tokens is None:
            return None
        call, renewed = await self.client.refresh(at, tokens)
        self._report(call)
        return renewed

    def _report(self, call: Call) -> None:
        if call.api_id not in self._reported or not call.ok:
            self._reported.add(call.api_id)
            self.report(call)


def _build_token(at: Institution, tokens: Tokens | None) -> IssuedToken:
    return IssuedToken(at.org_code, at.industry, tokens.access if tokens is not None else "", at.left_out)

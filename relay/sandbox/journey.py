"""An operator's day at the street: tokens by both ways, all calls with them, and one revocation at the end."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from relay.domain.api import Catalogue
from relay.sandbox.errands import Errands, Tokens
from relay.sandbox.houses import Institution, Street
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import Call, PretendedOperator, Visit
from relay.sandbox.phone import PretendedPhone, trusting
from relay.sandbox.world.model import CUSTOMERS

AUTHORITY_CALLS: Final = 5
"""개별인증-001 to -004 and 통합인증-002, each shown once."""

CUT_OFF_S: Final = 1.0
"""A revoked token opens nothing after this long, on every gateway."""

_LIST: Final = "정보제공-공통-002"
_REFUSED: Final = "40101"
_LOOK_S: Final = 0.05


@dataclass(slots=True)
class Journey:
    """Obtains a token for every institution: the first by individual, the others by integrated authentication.

    Both kinds of certifier take turns. `tell` hears of the first call of each API, and of every call that failed.
    """

    errands: Errands
    street: Street
    tell: Callable[[Call], object]
    _told: set[str] = field(default_factory=set)
    _first: Tokens | None = None

    async def obtain(self) -> list[Visit]:
        """A visit to each institution. An institution without a token is visited without one: its calls will fail."""
        first, *others = self.street.institutions.values()
        self._first = await self._individual(first)
        visits = [_visit(first, self._first)]
        ways = (self.errands.by_certificate, self.errands.by_provider)
        for number, institution in enumerate(others):
            call, tokens = await ways[number % 2](institution, CUSTOMERS[0], self.street.certifiers)
            self._say(call)
            visits.append(_visit(institution, tokens))
        return visits

    async def end(self, operator: PretendedOperator, catalogue: Catalogue) -> None:
        """Revoke the first institution's tokens; from then on they must open nothing."""
        if self._first is None:
            return
        first = next(iter(self.street.institutions.values()))
        call = await self.errands.revoke(first, self._first, LOGINS[0].customer)
        deadline = time.monotonic() + CUT_OFF_S
        while call.ok:
            answered = await operator.ask(catalogue.apis[_LIST], _visit(first, self._first))
            if answered.rsp_code == _REFUSED:
                break
            if time.monotonic() > deadline:
                call.ok, call.why = False, [f"a token revoked {CUT_OFF_S} s ago was answered {answered.rsp_code}"]
            await asyncio.sleep(_LOOK_S)
        self._say(call)

    async def _individual(self, at: Institution) -> Tokens | None:
        login = LOGINS[0]
        async with PretendedPhone(trusting(self.street.certificates.ca), login.login_id, login.password) as phone:
            calls, tokens = await self.errands.individual(at, login.customer, phone)
        for call in calls:
            self._say(call)
        if tokens is None:
            return None
        call, renewed = await self.errands.refresh(at, tokens)
        self._say(call)
        return renewed

    def _say(self, call: Call) -> None:
        if call.api_id not in self._told or not call.ok:
            self._told.add(call.api_id)
            self.tell(call)


def _visit(at: Institution, tokens: Tokens | None) -> Visit:
    return Visit(at.org_code, at.industry, tokens.access if tokens is not None else "")

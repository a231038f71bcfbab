"""The ten support APIs at the street: how the relay got its registry, what the portal asks it, last week's figures."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.domain.api import Catalogue
from relay.domain.ids import TRAN_ID
from relay.domain.statistics import ON_DEMAND
from relay.policy.statistics.weeks import last_week
from relay.sandbox.certificates import Pair
from relay.sandbox.customers import ci_of
from relay.sandbox.figures import Figures
from relay.sandbox.houses import PORTAL_CODE, RELAY_CODE, Portal, Street
from relay.sandbox.login import LOGINS
from relay.sandbox.operator import Call, Check, session_of
from relay.sandbox.portal.application import PretendedPortal, Received
from relay.sandbox.portal.desk import PROVIDERS_FIGURES, Account
from relay.sandbox.signing import SIGNATURE_CERTIFIER
from relay.sandbox.support import CERTIFIERS, OPERATORS, PORTALS, Shown, SupportCaller

SUPPORT_CALLS: Final = 10
"""지원-001 to -006 and -101 to -104, each shown once."""

HEARD_S: Final = 20.0
"""How long the relay may take to fetch its registry and to send statistics it was asked for."""

_OF_THE_RELAY: Final = ("지원-001", "지원-002", "지원-003")
_AVAILABLE: Final = "01"
_LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Callers:
    """Who calls support APIs on the street: the portal at the relay, an operator and a certifier at the portal."""

    portal: SupportCaller
    operator: SupportCaller
    certifier: SupportCaller


@asynccontextmanager
async def callers_of(street: Street, portal: Portal, catalogue: Catalogue, check: Check) -> AsyncIterator[Callers]:
    """The callers of a street with a portal, each with a certificate of their own."""
    async with AsyncExitStack() as stack:

        async def made(identity: Pair, base_url: str, letter: str, token_api: str, account: Account) -> SupportCaller:
            session = await stack.enter_async_context(session_of(identity, street.certificates.ca))
            shown = Shown(account.org_code, letter, token_api, account.client_id, account.client_secret)
            return SupportCaller(session, base_url, shown, catalogue, check)

        operator, certifier = street.operators[0], street.certifiers.pair
        yield Callers(
            await made(portal.identity, street.gateway, PORTALS, "지원-101", portal.offered),
            await made(operator.identity, portal.url, OPERATORS, "지원-001", portal.accounts[operator.org_code]),
            await made(certifier, portal.url, CERTIFIERS, "지원-001", portal.accounts[SIGNATURE_CERTIFIER]),
        )


async def settled(introduced: Callable[[], Awaitable[str]]) -> str:
    """Wait until the relay has taken its registry: what it says last of a caller, "" as soon as it knows it."""
    deadline = time.monotonic() + HEARD_S
    while True:
        why = await introduced()
        if not why or time.monotonic() > deadline:
            return why
        await asyncio.sleep(_LOOK_S)


class PortalDay:
    """Shows each support API once; `tell` hears of every call. `now` is when it begins, with a time zone."""

    def __init__(
        self,
        portal: PretendedPortal,
        street: Street,
        callers: Callers,
        catalogue: Catalogue,
        figures: Figures,
        tell: Callable[[Call], object],
        now: datetime,
    ) -> None:
        self._portal = portal
        self._callers = callers
        self._catalogue = catalogue
        self._figures = figures
        self._tell = tell
        self._week = last_week(now.timestamp())
        self._client_id = street.operators[0].client_ids[0]
        self._about = next(iter(street.institutions.values())).org_code

    async def begin(self, introduced: Callable[[], Awaitable[str]]) -> None:
        """Wait until the relay knows the street's operator, and tell the calls by which it came to (지원-001 to -003).

        `introduced` asks the relay: "" when it does, else what it says.
        """
        why = await settled(introduced)
        for api_id in _OF_THE_RELAY:
            made = (one for one in self._portal.received if (one.api_id, one.caller) == (api_id, RELAY_CODE))
            found = next((one for one in made if one.well), None)
            call = self._shown(api_id, PORTAL_CODE, found)
            if why:
                call.ok, call.why = False, [*call.why, f"the relay took nothing from it: {why}"]
            self._tell(call)

    async def ask(self) -> None:
        """The portal asks the relay for a token, how an institution is, and what a customer consented to there."""
        self._tell(await self._callers.portal.token(RELAY_CODE))
        call, told = await self._callers.portal.ask("지원-102", self._about, {"org_code": self._about})
        self._tell(_expecting(call, "availability", told.get("availability"), _AVAILABLE))
        values = {"org_code": self._about, "user_ci": ci_of(LOGINS[0].customer)}
        call, told = await self._callers.portal.ask("지원-103", self._about, values)
        self._tell(_expecting(call, "is_member", told.get("is_member"), "true"))

    async def end(self) -> None:
        """Last week's statistics: asked of the relay, sent by it, told by the operator; and what certifiers ask."""
        before = self._portal.came
        values = {"org_code": self._about, "org_type": "03", "inquiry_date": self._week, "type": ON_DEMAND}
        call, _ = await self._callers.portal.ask("지원-104", self._about, values)
        self._tell(call)
        self._tell(await self._sent(before))
        body = self._figures.body(self._client_id, ON_DEMAND, self._week)
        call, _ = await self._callers.operator.ask("지원-004", PORTAL_CODE, body)
        self._tell(call)
        call, _ = await self._callers.certifier.ask("지원-006", PORTAL_CODE, {"search_timestamp": "0"})
        self._tell(call)

    async def _sent(self, before: int) -> Call:
        def wanted(one: Received) -> bool:
            values = one.values or {}
            told = (values.get("org_code"), values.get("inquiry_date"), values.get("type"))
            fits = told == (self._about, self._week, ON_DEMAND) and one.api_id == PROVIDERS_FIGURES
            return fits and one.number > before and one.well

        try:
            async with asyncio.timeout(HEARD_S):
                found = await self._portal.heard(wanted)
        except TimeoutError:
            found = None
        return self._shown(PROVIDERS_FIGURES, self._about, found)

    def _shown(self, api_id: str, about: str, received: Received | None) -> Call:
        """A call of the relay as the portal saw it; None when it did not come in time."""
        api = self._catalogue.apis[api_id]
        call = Call(api_id, "", about, api.method, api.path)
        if received is None:
            call.why = [f"the relay did not call it within {HEARD_S:.0f} s"]
            return call
        call.status, call.rsp_code, call.ms = received.status, received.rsp_code, received.ms
        call.why = received.faults()
        if not (TRAN_ID.fullmatch(received.tran_id) and received.tran_id.startswith(f"{RELAY_CODE}R")):
            call.why.append("x-api-tran-id is not the relay's (첨부14)")
        call.ok = not call.why
        return call


def _expecting(call: Call, name: str, told: object, wanted: str) -> Call:
    if call.ok and told != wanted:
        call.ok, call.why = False, [f"{name} is {told}, {wanted} was expected"]
    return call

"""Scenario of the ten support APIs: the relay's registry, calls of the portal, last week's statistics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mydata_sandbox.checks.weeks import last_week
from mydata_sandbox.credentials.authority import CertificateFiles
from mydata_sandbox.environment.model import Portal, SandboxEnvironment
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.operator.client import Call, Check, open_session
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.operator.registration import wait_for_registration
from mydata_sandbox.operator.support import CERTIFIERS, OPERATORS, PORTALS, ClientCredentials, SupportCaller
from mydata_sandbox.parties import PORTAL_CODE, RELAY_CODE, SIGNATURE_CERTIFIER
from mydata_sandbox.portal.application import ReceivedCall, SimulatedPortal
from mydata_sandbox.portal.service import PROVIDERS_FIGURES, Account
from mydata_sandbox.world.ci import get_ci
from relay.domain.api import Catalogue
from relay.domain.ids import is_tran_id
from relay.domain.statistics import ON_DEMAND

SUPPORT_CALLS: Final = 10
"""지원-001 to -006 and -101 to -104, each reported once."""

CALL_TIMEOUT_S: Final = 20.0
"""Seconds in which the relay must fetch its registry or send requested statistics."""

_RELAY_CALLS: Final = ("지원-001", "지원-002", "지원-003")
_AVAILABLE: Final = "01"


@dataclass(frozen=True, slots=True)
class Callers:
    """Callers of support APIs: the portal calls the relay, an operator and a certifier call the portal."""

    portal: SupportCaller
    operator: SupportCaller
    certifier: SupportCaller


@asynccontextmanager
async def open_callers(
    environment: SandboxEnvironment, portal: Portal, catalogue: Catalogue, check: Check
) -> AsyncIterator[Callers]:
    """Opens the callers of a sandbox with a portal, each with its own certificate."""
    async with AsyncExitStack() as stack:

        async def build_caller(
            identity: CertificateFiles, base_url: str, letter: str, token_api: str, account: Account
        ) -> SupportCaller:
            session = await stack.enter_async_context(open_session(identity, environment.certificates.ca))
            credentials = ClientCredentials(
                account.org_code, letter, token_api, account.client_id, account.client_secret
            )
            return SupportCaller(session, base_url, credentials, catalogue, check)

        operator, certifier = environment.operators[0], environment.certifiers.pair
        yield Callers(
            await build_caller(portal.identity, environment.gateway, PORTALS, "지원-101", portal.offered),
            await build_caller(
                operator.identity, portal.url, OPERATORS, "지원-001", portal.accounts[operator.org_code]
            ),
            await build_caller(certifier, portal.url, CERTIFIERS, "지원-001", portal.accounts[SIGNATURE_CERTIFIER]),
        )


class PortalScenario:
    """Calls each support API once. `report` gets all calls. `now` is the start, with a time zone."""

    def __init__(
        self,
        portal: SimulatedPortal,
        environment: SandboxEnvironment,
        callers: Callers,
        catalogue: Catalogue,
        figures: Figures,
        report: Callable[[Call], object],
        now: datetime,
    ) -> None:
        self._portal = portal
        self._callers = callers
        self._catalogue = catalogue
        self._figures = figures
        self._report = report
        self._week = last_week(now.timestamp())
        self._client_id = environment.operators[0].client_ids[0]
        self._about = next(iter(environment.institutions.values())).org_code

    async def report_registration(self, check: Callable[[], Awaitable[str]]) -> None:
        """Waits until the relay knows the operator, and reports the relay's calls to the portal (지원-001 to -003).

        `check` returns "" when the relay knows the operator, else its error. A relay that ran before knows it at once;
        its calls follow within the interval of its synchronization.
        """
        problem = await wait_for_registration(check)
        for api_id in _RELAY_CALLS:
            call = self._build_call(api_id, PORTAL_CODE, await self._wait_for_relay_call(api_id))
            if problem:
                call.ok, call.why = False, [*call.why, f"the relay did not load the registry: {problem}"]
            self._report(call)

    async def _wait_for_relay_call(self, api_id: str) -> ReceivedCall | None:
        def is_wanted(call: ReceivedCall) -> bool:
            return (call.api_id, call.caller) == (api_id, RELAY_CODE) and call.succeeded

        return await self._wait_for_call(is_wanted)

    async def call_relay(self) -> None:
        """Calls of the portal to the relay: token, status of an institution, consents of a customer."""
        self._report(await self._callers.portal.obtain_token(RELAY_CODE))
        call, body = await self._callers.portal.call("지원-102", self._about, {"org_code": self._about})
        self._report(_expect(call, "availability", body.get("availability"), _AVAILABLE))
        values = {"org_code": self._about, "user_ci": get_ci(LOGINS[0].customer)}
        call, body = await self._callers.portal.call("지원-103", self._about, values)
        self._report(_expect(call, "is_member", body.get("is_member"), "true"))

    async def exchange_statistics(self) -> None:
        """Last week's statistics: requested, sent by the relay, sent by the operator. Then the certifiers' list."""
        before = self._portal.received_count
        values = {"org_code": self._about, "org_type": "03", "inquiry_date": self._week, "type": ON_DEMAND}
        call, _ = await self._callers.portal.call("지원-104", self._about, values)
        self._report(call)
        self._report(await self._wait_for_statistics(before))
        body = self._figures.body(self._client_id, ON_DEMAND, self._week)
        call, _ = await self._callers.operator.call("지원-004", PORTAL_CODE, body)
        self._report(call)
        call, _ = await self._callers.certifier.call("지원-006", PORTAL_CODE, {"search_timestamp": "0"})
        self._report(call)

    async def _wait_for_statistics(self, before: int) -> Call:
        def is_wanted(call: ReceivedCall) -> bool:
            values = call.values or {}
            key = (values.get("org_code"), values.get("inquiry_date"), values.get("type"))
            is_requested = key == (self._about, self._week, ON_DEMAND) and call.api_id == PROVIDERS_FIGURES
            return is_requested and call.number > before and call.succeeded

        return self._build_call(PROVIDERS_FIGURES, self._about, await self._wait_for_call(is_wanted))

    async def _wait_for_call(self, is_wanted: Callable[[ReceivedCall], bool]) -> ReceivedCall | None:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await self._portal.wait_for_call(is_wanted)
        except TimeoutError:
            return None

    def _build_call(self, api_id: str, about: str, received: ReceivedCall | None) -> Call:
        """Returns a call of the relay as the portal received it, or a failed call for None."""
        api = self._catalogue.apis[api_id]
        call = Call(api_id, "", about, api.method, api.path)
        if received is None:
            call.why = [f"the relay did not call it within {CALL_TIMEOUT_S:.0f} s"]
            return call
        call.status, call.rsp_code, call.ms = received.status, received.rsp_code, received.ms
        call.why = received.faults()
        if not (is_tran_id(received.tran_id) and received.tran_id.startswith(f"{RELAY_CODE}R")):
            call.why.append("x-api-tran-id is not the relay's (첨부14)")
        call.ok = not call.why
        return call


def _expect(call: Call, name: str, value: object, expected: str) -> Call:
    if call.ok and value != expected:
        call.ok, call.why = False, [f"{name} is {value}, {expected} was expected"]
    return call

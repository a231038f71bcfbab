"""All calls of the standard, once: authentication, data and support APIs."""

from collections.abc import Callable

from mydata_sandbox.checks.conformance import find_strict_violations, find_violations
from mydata_sandbox.environment.portal_registration import now
from mydata_sandbox.environment.running import RunningEnvironment
from mydata_sandbox.institution.provider import today_in_korea
from mydata_sandbox.operator.authority_client import AuthorityClient
from mydata_sandbox.operator.client import Call, SimulatedOperator, open_session
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.scenarios.support_apis import SUPPORT_CALLS, PortalScenario, open_callers
from mydata_sandbox.scenarios.tokens import AUTHORITY_CALLS, TokenScenario


def count_calls(running: RunningEnvironment) -> int:
    """Returns the number of calls that `make_all_calls` reports when all are right."""
    institutions = running.environment.institutions.values()
    pairs = sum(1 for institution in institutions for _ in institution.iter_apis(running.catalogue))
    return pairs + AUTHORITY_CALLS + SUPPORT_CALLS


async def make_all_calls(running: RunningEnvironment, report: Callable[[Call], object]) -> list[Call]:
    """Makes all calls: registry, tokens, data, support APIs, revocation, statistics. `report` gets each call."""
    environment, portal = running.environment, running.portal
    portal_model = environment.portal
    if portal_model is None or portal is None:
        raise RuntimeError("a demo needs a sandbox with a portal")
    calls = list[Call]()

    def add(call: Call) -> None:
        report(call)
        calls.append(call)

    caller, bank, figures = environment.operators[0], environment.institutions["bank"], Figures(now)
    async with (
        open_session(caller.identity, environment.certificates.ca) as session,
        open_callers(environment, portal_model, running.catalogue, find_strict_violations) as callers,
    ):
        client = AuthorityClient(
            session, environment.gateway, caller, running.catalogue, find_strict_violations, figures
        )
        operator = SimulatedOperator(
            session,
            environment.gateway,
            org_code=caller.org_code,
            client_id=caller.client_ids[0],
            check=find_violations,
            today=today_in_korea(),
            figures=figures,
        )
        support = PortalScenario(portal, environment, callers, running.catalogue, figures, add, now())
        await support.report_registration(lambda: client.check_registration(bank))
        scenario = TokenScenario(client, environment, add)
        tokens = await scenario.obtain()
        async for call in operator.call_all(running.catalogue, tokens):
            add(call)
        await support.call_relay()
        await scenario.revoke(operator, running.catalogue)
        await support.exchange_statistics()
    return calls

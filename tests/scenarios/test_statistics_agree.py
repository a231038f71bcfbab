"""After a day of calls the statistics of operator (지원-004) and relay (지원-005) agree."""

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio
from fixtures.waiting import TIMEOUT_S
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.portal_registration import now
from mydata_sandbox.environment.running import running_environment
from mydata_sandbox.institution.provider import today_in_korea
from mydata_sandbox.operator.authority_client import AuthorityClient, Tokens
from mydata_sandbox.operator.client import IssuedToken, SimulatedOperator, open_session
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.operator.registration import wait_for_registration
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED
from mydata_sandbox.portal.comparing import compare
from mydata_sandbox.scenarios.tokens import TokenScenario

from relay.domain.korea import day_in_korea
from relay.policy.statistics.report import TYPES, build_report
from relay.policy.statistics.weeks import days_of, week_of
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger
from relay.standard.catalogue import load_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(tmp_path_factory):
    """Bodies after a day: (operator, 지원-004) of each service, and 지원-005 of each institution."""
    async with running_environment(tmp_path_factory.mktemp("agree") / "env", portal=True) as running:
        sandbox_operator, figures = running.environment.operators[0], Figures(now)
        async with open_session(sandbox_operator.identity, running.environment.certificates.ca) as session:
            client = AuthorityClient(
                session,
                running.environment.gateway,
                sandbox_operator,
                running.catalogue,
                find_strict_violations,
                figures,
            )
            operator = SimulatedOperator(
                session,
                running.environment.gateway,
                org_code=sandbox_operator.org_code,
                client_id=sandbox_operator.client_ids[0],
                check=find_strict_violations,
                today=today_in_korea(),
                figures=figures,
            )
            await run_day(running, client, operator)
        week = week_of(day_in_korea(now().timestamp()))
        operator_bodies = [
            figures.body(client_id, kind, week) for client_id in sandbox_operator.client_ids for kind in TYPES
        ]
        ledger = build_ledger(load_settings(running.environment.settings, {}).settings.ledger)
        try:
            yield (
                [(sandbox_operator.org_code, body) for body in operator_bodies],
                await build_reports(running, ledger.statistics, week, operator_bodies),
            )
        finally:
            await ledger.close()


async def run_day(running, client, operator):
    """Runs all ways of authentication, all data calls, and calls that fail."""
    bank = running.environment.institutions["bank"]
    assert await wait_for_registration(lambda: client.check_registration(bank)) == ""
    calls = []
    scenario = TokenScenario(client, running.environment, calls.append)
    tokens = await scenario.obtain()
    calls += [call async for call in operator.call_all(running.catalogue, tokens)]
    await scenario.revoke(operator, running.catalogue)
    assert [call.why for call in calls if not call.ok] == []
    await client.refresh(bank, Tokens("unknown", "unknown"))
    await client.select_service(1).refresh(bank, Tokens("unknown", "unknown"))
    accounts = running.catalogue.apis["은행-001"]
    for token in ("unknown", "malformed"):
        await operator.call_once(accounts, IssuedToken(bank.org_code, "bank", token))


async def build_reports(running, statistics, week, operator_bodies):
    """Builds the reports of the week so far, once the ledger has all of its calls."""
    days, wanted = days_of(week), sum(map(count_calls, operator_bodies))
    lines = []

    async with asyncio.timeout(TIMEOUT_S):
        while sum(count for _, count in lines) < wanted:
            lines[:] = await statistics.counts(days[0], days[-1])
            await asyncio.sleep(0.02)
    consents = await statistics.consent_counts(days)
    members = [institution.org_code for institution in running.environment.institutions.values()]
    return [build_report(week, member, kind, lines, consents) for member in members for kind in TYPES]


def count_calls(body):
    slots = (
        slot
        for day in body["stat_date_list"]
        for org in day["org_list"]
        for api in org["api_type_list"]
        for slot in api["tm_slot_list"]
    )
    return sum(int(slot["success_api_cnt"]) + int(slot["fail_api_cnt"]) for slot in slots)


def find_consents(day, holders, name):
    """{(provider or service, name of figure): figure} of the consents of one day."""
    return {
        (holder[name], kind): holder[kind]
        for holder in day[holders]
        for kind in ("consent_new", "consent_revoke", "consent_own")
        if kind in holder
    }


async def test_operator_and_relay_differ_only_in_calls_with_bad_tokens(day):
    """This operator has two services, and two of its calls had no valid token."""
    operator_bodies, relay_bodies = day
    assert sum(count_calls(body) for _, body in operator_bodies) > 112
    (difference,) = compare(operator_bodies, relay_bodies)
    assert "ZOPA000001 ZOPA000001SVC01 at ZBAA000001, type 2, BA01: " in difference
    assert difference.endswith("the operator reports 1 ok 2 failed, the relay 1 ok 0 failed")


async def test_a_call_that_the_operator_leaves_out_is_found(day):
    operator_bodies, relay_bodies = day
    assert len(compare([report for report in operator_bodies if report[1]["type"] != "2"], relay_bodies)) > 100


async def test_consents_of_the_day_are_the_same(day):
    operator_bodies, relay_bodies = day
    today = day_in_korea(now().timestamp())
    (body,) = [body for _, body in operator_bodies if body["type"] == "2" and count_calls(body) > 112]
    (operators,) = [row for row in body["stat_date_list"] if row["stat_date"] == today]
    relay_consents = {}
    for report in relay_bodies:
        if report["type"] == "2":
            (row,) = [row for row in report["stat_date_list"] if row["stat_date"] == today]
            for service in row["mydata_svc_list"]:
                if service["client_id"] == body["client_id"]:
                    consents = find_consents({"list": [service]}, "list", "client_id")
                    relay_consents |= {(report["org_code"], kind): figure for (_, kind), figure in consents.items()}
    assert find_consents(operators, "org_list", "org_code") == relay_consents
    own = [figure for (_, kind), figure in relay_consents.items() if kind == "consent_own"]
    assert own.count("1") == len(INSTITUTIONS) + len(MEDIATED) - 1  # that at one institution was revoked


async def test_both_reports_conform_to_the_catalogue(day):
    apis = load_catalogue().apis
    operator_bodies, relay_bodies = day
    for api_id, bodies in (("지원-004", [body for _, body in operator_bodies]), ("지원-005", relay_bodies)):
        request_schema = replace(apis[api_id], response=apis[api_id].request)
        assert [fault for body in bodies for fault in find_strict_violations(request_schema, body)] == []

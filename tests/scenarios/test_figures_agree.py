"""An operator's day through a whole relay: its own figures (지원-004) are those the relay would send (지원-005)."""

import asyncio
from dataclasses import replace

import pytest
import pytest_asyncio
from stage.waiting import PATIENCE_S

from relay.policy.response.conformance import find_violations
from relay.policy.statistics.report import TYPES, build_report
from relay.policy.statistics.weeks import days_of, korean_day, week_of
from relay.runtime.processes.sandbox_environment import running_environment
from relay.runtime.settings.loading import load_settings
from relay.runtime.wiring.ledger import build_ledger
from relay.sandbox.errands import Errands, Tokens
from relay.sandbox.figures import Figures
from relay.sandbox.journey import Journey
from relay.sandbox.operator import PretendedOperator, Visit, session_of
from relay.sandbox.portal.comparing import compare
from relay.sandbox.portal_day import settled
from relay.sandbox.provider import today_in_korea
from relay.sandbox.registered import now
from relay.standard.catalogue import load_catalogue

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(tmp_path_factory):
    """The bodies of both sides after a day: (operator, 지원-004) of each service, and 지원-005 of each member."""
    async with running_environment(tmp_path_factory.mktemp("agree") / "street", portal=True) as around:
        asker, figures = around.street.operators[0], Figures(now)
        async with session_of(asker.identity, around.street.certificates.ca) as session:
            errands = Errands(session, around.street.gateway, asker, around.catalogue, find_violations, figures)
            operator = PretendedOperator(
                session,
                around.street.gateway,
                org_code=asker.org_code,
                client_id=asker.client_ids[0],
                check=find_violations,
                today=today_in_korea(),
                figures=figures,
            )
            await walked(around, errands, operator)
        week = week_of(korean_day(now().timestamp()))
        told = [figures.body(client_id, kind, week) for client_id in asker.client_ids for kind in TYPES]
        ledger = build_ledger(load_settings(around.street.settings, {}).settings.ledger)
        try:
            yield [(asker.org_code, body) for body in told], await counted(around, ledger.statistics, week, told)
        finally:
            await ledger.close()


async def walked(around, errands, operator):
    """A day with everything in it: all ways of authentication, all data calls, and calls that go wrong."""
    bank = around.street.institutions["bank"]
    assert await settled(lambda: errands.introduced(bank)) == ""
    calls = []
    journey = Journey(errands, around.street, calls.append)
    visits = await journey.obtain()
    calls += [call async for call in operator.walk(around.catalogue, visits)]
    await journey.end(operator, around.catalogue)
    assert [call.why for call in calls if not call.ok] == []
    await errands.refresh(bank, Tokens("nobody", "nobody"))
    await errands.for_service(1).refresh(bank, Tokens("nobody", "nobody"))
    accounts = around.catalogue.apis["은행-001"]
    for token in ("", "nobody"):
        await operator.ask(accounts, Visit(bank.org_code, "bank", token))


async def counted(around, statistics, week, told):
    """What the relay would send for the week as far as it is over, as soon as all of it is in the ledger."""
    days, wanted = days_of(week), sum(map(calls_in, told))
    lines = []

    async with asyncio.timeout(PATIENCE_S):
        while sum(count for _, count in lines) < wanted:
            lines[:] = await statistics.counts(days[0], days[-1])
            await asyncio.sleep(0.02)
    consents = await statistics.consent_counts(days)
    members = [institution.org_code for institution in around.street.institutions.values()]
    return [build_report(week, member, kind, lines, consents) for member in members for kind in TYPES]


def calls_in(body):
    slots = (
        slot
        for day in body["stat_date_list"]
        for org in day["org_list"]
        for api in org["api_type_list"]
        for slot in api["tm_slot_list"]
    )
    return sum(int(slot["success_api_cnt"]) + int(slot["fail_api_cnt"]) for slot in slots)


def consents_in(day, holders, name):
    """{(provider or service, name of figure): figure} of the consents of one day."""
    return {
        (holder[name], kind): holder[kind]
        for holder in day[holders]
        for kind in ("consent_new", "consent_revoke", "consent_own")
        if kind in holder
    }


async def test_operator_and_relay_agree_call_by_call_but_where_no_token_told_the_service(day):
    """This operator has two services, and two of its calls came with a token that is none."""
    told, sent = day
    assert sum(calls_in(body) for _, body in told) > 112
    (difference,) = compare(told, sent)
    assert "ZOPA000001 ZOPA000001SVC01 at ZBAA000001, type 2, BA01: " in difference
    assert difference.endswith("the operator says 1 ok 2 failed, the relay 1 ok 0 failed")


async def test_a_call_that_the_operator_leaves_out_is_found(day):
    told, sent = day
    assert len(compare([each for each in told if each[1]["type"] != "2"], sent)) > 100


async def test_consents_of_the_day_are_the_same(day):
    told, sent = day
    today = korean_day(now().timestamp())
    (body,) = [body for _, body in told if body["type"] == "2" and calls_in(body) > 112]
    (operators,) = [one for one in body["stat_date_list"] if one["stat_date"] == today]
    relays = {}
    for each in sent:
        if each["type"] == "2":
            (one,) = [one for one in each["stat_date_list"] if one["stat_date"] == today]
            for service in one["mydata_svc_list"]:
                if service["client_id"] == body["client_id"]:
                    found = consents_in({"list": [service]}, "list", "client_id")
                    relays |= {(each["org_code"], kind): figure for (_, kind), figure in found.items()}
    assert consents_in(operators, "org_list", "org_code") == relays
    assert sum(figure == "1" for (_, kind), figure in relays.items() if kind == "consent_own") == 10


async def test_both_are_true_to_the_catalogue(day):
    apis = load_catalogue().apis
    told, sent = day
    for api_id, bodies in (("지원-004", [body for _, body in told]), ("지원-005", sent)):
        asked = replace(apis[api_id], response=apis[api_id].request)
        assert [fault for body in bodies for fault in find_violations(asked, body)] == []

"""The portal scenario: ten support calls, and the reasons of failed ones."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aiohttp.test_utils import TestServer
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.environment.portal_registration import build_portal, now
from mydata_sandbox.environment.serving import build_server_context
from mydata_sandbox.operator import registration
from mydata_sandbox.operator.client import Call, open_session
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.operator.support import ClientCredentials, SupportCaller
from mydata_sandbox.parties import PORTAL_CODE, RELAY_CODE
from mydata_sandbox.scenarios import support_apis as module
from mydata_sandbox.scenarios.support_apis import SUPPORT_CALLS, Callers, PortalScenario, open_callers

from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
TUESDAY = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
BANK, WEEK = "ZBAA000001", "20261122"
DAYS = [{"stat_date": f"202611{day}", "mydata_svc_cnt": "0", "mydata_svc_list": []} for day in range(15, 22)]
FIGURES = {"type": "2", "inquiry_date": WEEK, "stat_date_cnt": "7", "stat_date_list": DAYS}


class Relay:
    """Responses of the relay to the portal. `sends` is called when statistics are requested."""

    def __init__(self):
        self.availability, self.is_member, self.sends, self.requests = "01", "true", None, []

    async def obtain_token(self, about):
        return Call("지원-101", "", about, "POST", "/", 200, ok=True)

    async def call(self, api_id, about, values):
        self.requests.append((api_id, values))
        if api_id == "지원-104" and self.sends is not None:
            await self.sends()
        body = {"availability": self.availability, "is_member": self.is_member}
        return Call(api_id, "", about, "GET", "/", 200, "00000", ok=True), body


@pytest.fixture
async def setup(with_portal, monkeypatch):
    """A sandbox with a served portal and a fake relay. `.scenario` is the scenario, `.reported` its calls."""
    monkeypatch.setattr(module, "CALL_TIMEOUT_S", 0.2)
    model = with_portal.portal
    portal = build_portal(with_portal, model, CATALOGUE)
    server = TestServer(portal.application(), scheme="https")
    await server.start_server(ssl=build_server_context(model.identity, with_portal.certificates.ca))
    url = str(server.make_url("")).rstrip("/")
    served = SimpleNamespace(
        identity=model.identity, offered=model.offered, accounts=model.accounts, url=url, control_url=""
    )
    reported, relay = [], Relay()
    account = model.accounts[RELAY_CODE]
    credentials = ClientCredentials(RELAY_CODE, "R", "지원-001", account.client_id, account.client_secret)
    async with (
        open_callers(with_portal, served, CATALOGUE, find_strict_violations) as callers,
        open_session(with_portal.certificates.relay, with_portal.certificates.ca) as session,
    ):
        fake_callers = Callers(relay, callers.operator, callers.certifier)
        scenario = PortalScenario(portal, with_portal, fake_callers, CATALOGUE, Figures(now), reported.append, TUESDAY)
        jobs = SupportCaller(session, url, credentials, CATALOGUE, find_strict_violations)
        yield SimpleNamespace(
            scenario=scenario, reported=reported, relay=relay, portal=portal, jobs=jobs, session=session, url=url
        )
    await server.close()


async def known():
    return ""


async def unknown():
    return "HTTP 400 invalid_client"


def rows(reported):
    return [(call.api_id, call.ok) for call in reported]


async def fetch(setup):
    """The relay's calls at its start."""
    for api_id in ("지원-002", "지원-003"):
        await setup.jobs.call(api_id, "portal", {"search_timestamp": "0"})


async def test_the_scenario_reports_each_support_api_once(setup):
    async def sends():
        await setup.jobs.call("지원-005", BANK, {"org_code": BANK, **FIGURES})

    setup.relay.sends = sends
    await fetch(setup)
    await setup.scenario.report_registration(known)
    await setup.scenario.call_relay()
    await setup.scenario.exchange_statistics()
    assert [call.why for call in setup.reported if not call.ok] == []
    assert sorted(call.api_id for call in setup.reported) == sorted(
        api_id for api_id in CATALOGUE.apis if api_id.startswith("지원-")
    )
    assert len(setup.reported) == SUPPORT_CALLS
    assert setup.reported[0].path == "/mgmts/oauth/2.0/token"
    assert setup.reported[1].ms > 0
    assert (setup.reported[0].org_code, setup.reported[-3].org_code) == (PORTAL_CODE, BANK)


async def test_the_portal_requests_last_week(setup):
    await setup.scenario.exchange_statistics()
    assert setup.relay.requests[-1] == (
        "지원-104",
        {"org_code": BANK, "org_type": "03", "inquiry_date": WEEK, "type": "2"},
    )


async def test_calls_that_the_relay_did_not_make_fail(setup):
    await setup.jobs.obtain_token("portal")
    await setup.scenario.report_registration(known)
    assert rows(setup.reported) == [("지원-001", True), ("지원-002", False), ("지원-003", False)]
    assert setup.reported[1].why == ["the relay did not call it within 0 s"]


async def test_calls_with_failed_responses_fail(setup):
    setup.portal.plan_failure("지원-002", "garbage")
    await fetch(setup)
    await setup.scenario.report_registration(known)
    assert rows(setup.reported) == [("지원-001", True), ("지원-002", False), ("지원-003", True)]


async def test_a_registry_that_the_relay_did_not_load_fails(setup, monkeypatch):
    monkeypatch.setattr(registration, "REGISTRATION_S", 0.1)
    await fetch(setup)
    await setup.scenario.report_registration(unknown)
    assert [call.ok for call in setup.reported] == [False] * 3
    assert setup.reported[0].why == ["the relay did not load the registry: HTTP 400 invalid_client"]


async def test_the_relay_is_called_until_it_knows_the_operator(setup, monkeypatch):
    monkeypatch.setattr(registration, "POLL_S", 0)
    problems = ["HTTP 503", "HTTP 400 invalid_client", ""]

    async def introduced():
        return problems.pop(0)

    await fetch(setup)
    await setup.scenario.report_registration(introduced)
    assert (problems, [call.ok for call in setup.reported]) == ([], [True] * 3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"availability": "02"}, "availability is 02, 01 was expected"),
        ({"is_member": "false"}, "is_member is false, true was expected"),
    ],
)
async def test_an_unexpected_response_of_the_relay_fails(setup, answer, words):
    for name, value in answer.items():
        setattr(setup.relay, name, value)
    await setup.scenario.call_relay()
    assert [call.why for call in setup.reported if not call.ok] == [[words]]


async def test_statistics_of_another_week_or_earlier_are_ignored(setup):
    async def sends():
        days = [{**day, "stat_date": f"202611{number:02}"} for number, day in enumerate(DAYS, 8)]
        other = {**FIGURES, "inquiry_date": "20261115", "stat_date_list": days}
        await setup.jobs.call("지원-005", BANK, {"org_code": BANK, **other})

    await setup.jobs.call("지원-005", BANK, {"org_code": BANK, **FIGURES})
    setup.relay.sends = sends
    await setup.scenario.exchange_statistics()
    assert rows(setup.reported) == [("지원-104", True), ("지원-005", False), ("지원-004", True), ("지원-006", True)]
    assert len(setup.portal.service.uploads) == 3


async def test_a_tran_id_of_another_party_fails(setup, with_portal):
    account = with_portal.portal.accounts[RELAY_CODE]
    credentials = ClientCredentials(RELAY_CODE, "M", "지원-001", account.client_id, account.client_secret)
    jobs = SupportCaller(setup.session, setup.url, credentials, CATALOGUE, find_strict_violations)
    await jobs.obtain_token("portal")
    await setup.scenario.report_registration(known)
    assert setup.reported[0].why == ["x-api-tran-id is not the relay's (첨부14)"]

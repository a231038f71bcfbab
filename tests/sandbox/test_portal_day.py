"""The ten support calls of a day: which are told as right, and what is said of those that are not."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aiohttp.test_utils import TestServer

from relay.policy.response.conformance import find_violations
from relay.sandbox import portal_day as room
from relay.sandbox.figures import Figures
from relay.sandbox.houses import PORTAL_CODE, RELAY_CODE
from relay.sandbox.operator import Call, session_of
from relay.sandbox.portal_day import SUPPORT_CALLS, Callers, PortalDay, callers_of
from relay.sandbox.registered import now, portal_of
from relay.sandbox.street import _server_context
from relay.sandbox.support import ClientCredentials, SupportCaller
from relay.standard.catalogue import load_catalogue

CATALOGUE = load_catalogue()
TUESDAY = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
BANK, WEEK = "ZBAA000001", "20261122"
DAYS = [{"stat_date": f"202611{day}", "mydata_svc_cnt": "0", "mydata_svc_list": []} for day in range(15, 22)]
FIGURES = {"type": "2", "inquiry_date": WEEK, "stat_date_cnt": "7", "stat_date_list": DAYS}


class Relay:
    """What the relay answers the portal; when it is asked for statistics it sends what `sends` says."""

    def __init__(self):
        self.availability, self.is_member, self.sends, self.asked = "01", "true", None, []

    async def token(self, about):
        return Call("지원-101", "", about, "POST", "/", 200, ok=True)

    async def ask(self, api_id, about, values):
        self.asked.append((api_id, values))
        if api_id == "지원-104" and self.sends is not None:
            await self.sends()
        told = {"availability": self.availability, "is_member": self.is_member}
        return Call(api_id, "", about, "GET", "/", 200, "00000", ok=True), told


@pytest.fixture
async def street(with_portal, monkeypatch):
    """A street whose portal answers and whose relay is a double; `.day` is a day there, `.told` what it tells."""
    monkeypatch.setattr(room, "CALL_TIMEOUT_S", 0.2)
    house = with_portal.portal
    portal = portal_of(with_portal, house, CATALOGUE)
    server = TestServer(portal.application(), scheme="https")
    await server.start_server(ssl=_server_context(house.identity, with_portal.certificates.ca))
    url = str(server.make_url("")).rstrip("/")
    elsewhere = SimpleNamespace(
        identity=house.identity, offered=house.offered, accounts=house.accounts, url=url, control_url=""
    )
    told, relay = [], Relay()
    account = house.accounts[RELAY_CODE]
    shown = ClientCredentials(RELAY_CODE, "R", "지원-001", account.client_id, account.client_secret)
    async with (
        callers_of(with_portal, elsewhere, CATALOGUE, find_violations) as callers,
        session_of(with_portal.certificates.relay, with_portal.certificates.ca) as session,
    ):
        everybody = Callers(relay, callers.operator, callers.certifier)
        day = PortalDay(portal, with_portal, everybody, CATALOGUE, Figures(now), told.append, TUESDAY)
        jobs = SupportCaller(session, url, shown, CATALOGUE, find_violations)
        yield SimpleNamespace(day=day, told=told, relay=relay, portal=portal, jobs=jobs)
    await server.close()


async def known():
    return ""


async def unknown():
    return "HTTP 400 invalid_client"


def rows(told):
    return [(call.api_id, call.ok) for call in told]


async def fetch(street):
    """What a relay does at its start."""
    for api_id in ("지원-002", "지원-003"):
        await street.jobs.ask(api_id, "portal", {"search_timestamp": "0"})


async def test_the_scenario_reports_each_support_api_once(street):
    async def sends():
        await street.jobs.ask("지원-005", BANK, {"org_code": BANK, **FIGURES})

    street.relay.sends = sends
    await fetch(street)
    await street.day.begin(known)
    await street.day.ask()
    await street.day.end()
    assert [call.why for call in street.told if not call.ok] == []
    assert sorted(call.api_id for call in street.told) == sorted(
        api_id for api_id in CATALOGUE.apis if api_id.startswith("지원-")
    )
    assert len(street.told) == SUPPORT_CALLS
    assert street.told[0].path == "/mgmts/oauth/2.0/token"
    assert street.told[1].ms > 0
    assert (street.told[0].org_code, street.told[-3].org_code) == (PORTAL_CODE, BANK)


async def test_the_portal_requests_last_week(street):
    await street.day.end()
    assert street.relay.asked[-1] == (
        "지원-104",
        {"org_code": BANK, "org_type": "03", "inquiry_date": WEEK, "type": "2"},
    )


async def test_calls_that_the_relay_did_not_make_fail(street):
    await street.jobs.token("portal")
    await street.day.begin(known)
    assert rows(street.told) == [("지원-001", True), ("지원-002", False), ("지원-003", False)]
    assert street.told[1].why == ["the relay did not call it within 0 s"]


async def test_calls_with_failed_responses_fail(street):
    street.portal.misbehave("지원-002", "garbage")
    await fetch(street)
    await street.day.begin(known)
    assert rows(street.told) == [("지원-001", True), ("지원-002", False), ("지원-003", True)]


async def test_a_registry_that_the_relay_did_not_load_fails(street, monkeypatch):
    monkeypatch.setattr(room, "_POLL_S", 0)
    await fetch(street)
    await street.day.begin(unknown)
    assert [call.ok for call in street.told] == [False] * 3
    assert street.told[0].why == ["the relay did not load the registry: HTTP 400 invalid_client"]


async def test_the_relay_is_called_until_it_knows_the_operator(street, monkeypatch):
    monkeypatch.setattr(room, "_POLL_S", 0)
    said = ["HTTP 503", "HTTP 400 invalid_client", ""]

    async def introduced():
        return said.pop(0)

    await fetch(street)
    await street.day.begin(introduced)
    assert (said, [call.ok for call in street.told]) == ([], [True] * 3)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"availability": "02"}, "availability is 02, 01 was expected"),
        ({"is_member": "false"}, "is_member is false, true was expected"),
    ],
)
async def test_an_unexpected_response_of_the_relay_fails(street, answer, words):
    for name, value in answer.items():
        setattr(street.relay, name, value)
    await street.day.ask()
    assert [call.why for call in street.told if not call.ok] == [[words]]


async def test_statistics_of_another_week_or_earlier_are_ignored(street):
    async def sends():
        days = [{**day, "stat_date": f"202611{number:02}"} for number, day in enumerate(DAYS, 8)]
        other = {**FIGURES, "inquiry_date": "20261115", "stat_date_list": days}
        await street.jobs.ask("지원-005", BANK, {"org_code": BANK, **other})

    await street.jobs.ask("지원-005", BANK, {"org_code": BANK, **FIGURES})
    street.relay.sends = sends
    await street.day.end()
    assert rows(street.told) == [("지원-104", True), ("지원-005", False), ("지원-004", True), ("지원-006", True)]
    assert len(street.portal.desk.uploads) == 3


async def test_a_tran_id_of_another_party_fails(street, with_portal):
    account = with_portal.portal.accounts[RELAY_CODE]
    shown = ClientCredentials(RELAY_CODE, "M", "지원-001", account.client_id, account.client_secret)
    jobs = SupportCaller(street.jobs._session, street.jobs._base_url, shown, CATALOGUE, find_violations)
    await jobs.token("portal")
    await street.day.begin(known)
    assert street.told[0].why == ["x-api-tran-id is not the relay's (첨부14)"]

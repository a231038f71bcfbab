"""The portal's control API, as used with curl."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from mydata_sandbox.customer.browser_client import PageFlowError
from mydata_sandbox.institution.failure_modes import InstitutionFailures
from mydata_sandbox.operator.client import Call, IssuedToken
from mydata_sandbox.operator.token_issuer import TokenRefused, TokenRequest, UnknownParty
from mydata_sandbox.parties import INSTITUTIONS, MEDIATED, RELAY_CODE
from mydata_sandbox.portal.control import Control
from mydata_sandbox.world.ci import get_ci
from mydata_sandbox.world.model import CUSTOMERS

BANK, OPERATOR = "ZBAA000001", "ZOPA000001"


class Calls:
    """The portal's calls to a relay that accepts everything."""

    def __init__(self):
        self.requests = []
        self.page = "https://127.0.0.1:18444/authentication/1"

    async def obtain_token(self, about):
        self.requests.append(("지원-101", about, {}))
        return Call("지원-101", "", about, "POST", "/mgmts/oauth/2.0/token", 200, ok=True)

    async def issue_token(self, request):
        self.requests.append(request)
        if request.org_code == "ZZZZ000009":
            raise UnknownParty("ZZZZ000009 is not one of ZBAA000001")
        if request.scopes == ("bank.none",):
            raise TokenRefused("HTTP 400 invalid_scope")
        return IssuedToken(request.org_code, "bank", "token")

    async def start_login(self):
        if not self.page:
            raise PageFlowError("HTTP 400 unauthorized_client")
        return self.page

    async def call(self, api_id, about, values):
        self.requests.append((api_id, about, values))
        return Call(api_id, "", about, "GET", "/", 200, "00000", ok=True), {"rsp_code": "00000"}


@pytest.fixture
async def control(portal):
    """Client of the control API: `ask(method, path, api=...)` returns status and text. `.calls` go to the relay."""
    calls = Calls()
    api = Control(
        portal,
        calls,
        RELAY_CODE,
        lambda: datetime(2026, 11, 24, 3, 0, tzinfo=UTC),
        calls.issue_token,
        calls.start_login,
        InstitutionFailures([BANK, "ZCDA000001"]),
    )
    async with TestClient(TestServer(api.application())) as client:

        async def ask(method, path, **params):
            async with client.request(method, path, params=params) as answer:
                return answer.status, await answer.text()

        yield SimpleNamespace(ask=ask, calls=calls, client=client)


async def test_the_state_is_readable_text(control, portal):
    portal.plan_failure("지원-002", "slow", 2)
    status, text = await control.ask("GET", "/")
    assert status == 200
    assert f"{len(INSTITUTIONS) + len(MEDIATED)} through_relay, 2 operator" in text
    assert "planned failures: 지원-002: slow, slow" in text
    assert "mass_deletion" in text


@pytest.mark.parametrize("api", ["지원-002", "002"])
async def test_failures_are_planned_and_cancelled(control, portal, api):
    assert await control.ask("POST", "/failures", api=api, how="slow", times="3") == (
        200,
        "the next 3 calls of 지원-002: slow, the response is delayed\n",
    )
    assert portal.failures.planned() == {"지원-002": ("slow",) * 3}
    assert await control.ask("POST", "/failures/reset") == (200, "no failures are planned\n")
    assert portal.failures.planned() == {}


async def test_korean_is_escaped_in_a_url_and_plain_in_a_form(control, portal):
    assert (await control.client.post(f"/failures?api={quote('지원-005')}&how=reset")).status == 200
    content = "api=지원-002&how=slow".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await control.client.post("/failures", data=content, headers=headers)).status == 200
    assert portal.failures.planned() == {"지원-005": ("reset",), "지원-002": ("slow",)}


@pytest.mark.parametrize(
    ("method", "path", "params", "words"),
    [
        ("POST", "/failures", {"api": "002", "how": "sulk"}, "how is one of "),
        ("POST", "/failures", {"api": "002", "how": "slow", "times": "often"}, "times must be a number"),
        ("POST", "/failures", {"api": "002", "how": "slow", "times": "9" * 5000}, "times must be a number"),
        ("POST", "/failures", {"how": "slow"}, "api is missing"),
        ("POST", "/registry/remove", {"org_code": "ZNOA000001"}, "ZNOA000001 is not registered"),
        ("POST", "/registry/remove", {}, "org_code is missing"),
        ("POST", "/registry/change", {"org_code": OPERATOR}, "fields that can be changed: addresses, name, serial_num"),
        ("POST", "/registry/change", {"org_code": OPERATOR, "org_type": "04"}, "fields that can be changed: "),
        ("POST", "/registry/change", {"org_code": "ZNOA000001", "name": "x"}, "ZNOA000001 is not registered"),
        ("POST", "/registry/add", {"org_code": OPERATOR, "serial_num": "1"}, "ZOPA000001 is registered already"),
        ("POST", "/registry/add", {"org_code": "ZOPA000009"}, "serial_num is missing"),
        ("POST", "/call/105", {}, "the portal calls 지원-101, "),
        ("POST", "/call/102", {}, "org_code is missing"),
        ("POST", "/call/103", {"org_code": BANK, "login": "nobody"}, "login is one of garam, narae, daon"),
        ("POST", "/registry/change", {"org_code": OPERATOR, "addresses": "banana"}, "addresses are IP addresses, "),
        ("POST", "/registry/change", {"org_code": OPERATOR, "addresses": ""}, "addresses are IP addresses, "),
        ("GET", "/compare", {"week": "1"}, "week is the Sunday after the week, YYYYMMDD, not 1"),
        ("GET", "/compare", {"week": "20261123"}, "week is the Sunday after the week, YYYYMMDD, not 20261123"),
        ("GET", "/compare", {}, "20261122: neither operators nor relay have sent statistics"),
    ],
)
async def test_an_invalid_command_is_400(control, method, path, params, words):
    status, text = await control.ask(method, path, **params)
    assert status == 400
    assert text.startswith(words)


async def test_an_operator_is_removed_with_its_services(control, portal):
    assert await control.ask("POST", "/registry/remove", org_code=OPERATOR) == (200, "ZOPA000001 is removed\n")
    assert OPERATOR not in portal.service.registry.organisations
    assert set(portal.service.registry.services) == {"ZOPA000002SVC01"}


async def test_a_service_is_removed_alone(control, portal):
    await control.ask("POST", "/registry/remove", client_id="ZOPA000001SVC02")
    assert set(portal.service.registry.services) == {"ZOPA000001SVC01", "ZOPA000002SVC01"}


async def test_an_institution_is_changed(control, portal):
    changes = {"org_code": OPERATOR, "serial_num": "999-81-07777", "addresses": "192.0.2.1,192.0.2.2"}
    assert await control.ask("POST", "/registry/change", **changes) == (
        200,
        "ZOPA000001 is changed: addresses, serial_num\n",
    )
    organisation = portal.service.registry.organisations[OPERATOR]
    assert (organisation.serial_num, organisation.addresses) == ("999-81-07777", ("192.0.2.1", "192.0.2.2"))


async def test_a_new_operator_has_a_service_with_a_secret(control, portal):
    _, text = await control.ask("POST", "/registry/add", org_code="ZOPA000009", serial_num="999-81-01009", name="아홉")
    service = portal.service.registry.services["ZOPA000009SVC01"]
    assert text.endswith(f"client_secret {service.client_secret}\n")
    assert portal.service.registry.organisations["ZOPA000009"].name == "아홉"


async def test_a_call_to_the_relay_returns_the_response(control):
    await control.ask("POST", "/call/101")
    await control.ask("POST", "/call/지원-102", org_code=BANK)
    await control.ask("POST", "/call/103", org_code=BANK, login="narae")
    status, text = await control.ask("POST", "/call/104", org_code=BANK)
    assert (status, json.loads(text)["response"], json.loads(text)["call"]["ok"]) == (200, {"rsp_code": "00000"}, True)
    assert control.calls.requests == [
        ("지원-101", RELAY_CODE, {}),
        ("지원-102", BANK, {"org_code": BANK}),
        ("지원-103", BANK, {"org_code": BANK, "user_ci": get_ci(CUSTOMERS[1])}),
        ("지원-104", BANK, {"org_code": BANK, "org_type": "03", "inquiry_date": "20261122", "type": "0"}),
    ]


async def test_calls_are_listed_without_secrets(control, portal, caller, with_portal):
    await (await caller(RELAY_CODE)).obtain_token("portal")
    portal.plan_failure("지원-002", "error_500")
    await (await caller(RELAY_CODE)).call("지원-002", "portal", {"search_timestamp": "0"})
    _, text = await control.ask("GET", "/received")
    first, second, third = text.splitlines()
    assert first.startswith("지원-001  ZRLA000001  200")
    assert third.endswith("error_500")
    assert with_portal.portal.accounts[RELAY_CODE].client_secret not in text
    assert second.startswith("지원-001")


async def test_differences_are_listed(control, portal):
    slots = [{"tm_slot": "00", "success_api_cnt": "1", "fail_api_cnt": "0"}]
    apis = [{"api_type": "BA01", "tm_slot_list": slots}]
    services = [{"org_code": OPERATOR, "client_id": "SVC", "api_type_list": apis}]
    days = [{"stat_date": "20261116", "mydata_svc_list": services}]
    body = {"org_code": BANK, "type": "2", "inquiry_date": "20261122", "stat_date_list": days}
    portal.service.uploads.append(("지원-005", RELAY_CODE, body))
    _, text = await control.ask("GET", "/compare", week="20261122")
    assert "the relay 1 ok 0 failed" in text


async def test_equal_statistics_agree(control, portal):
    days = [{"stat_date": "20261116", "mydata_svc_list": []}]
    body = {"org_code": BANK, "type": "2", "inquiry_date": "20261122", "stat_date_list": days}
    portal.service.uploads.append(("지원-005", RELAY_CODE, body))
    assert await control.ask("GET", "/compare") == (200, "20261122: operators and relay agree\n")


async def test_one_planned_failure_is_called_one(control):
    _, text = await control.ask("POST", "/failures", api="002", how="slow")
    assert text.startswith("the next call of 지원-002: slow, ")


async def test_other_paths_are_not_found(control):
    assert (await control.ask("POST", "/nothing"))[0] == web.HTTPNotFound.status_code


async def test_a_token_is_issued_with_defaults(control):
    status, text = await control.ask("POST", "/tokens", org_code=BANK)
    assert (status, json.loads(text)) == (200, {"org_code": BANK, "industry": "bank", "access_token": "token"})
    assert control.calls.requests == [TokenRequest(BANK)]


async def test_a_token_is_issued_for_a_service_and_a_customer(control):
    await control.ask(
        "POST", "/tokens", org_code=BANK, client_id="ZOPA000001SVC02", scope="bank.list bank.loan", customer="2"
    )
    assert control.calls.requests == [TokenRequest(BANK, "ZOPA000001SVC02", ("bank.list", "bank.loan"), 2)]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (400, "org_code is missing\n")),
        ({"org_code": BANK, "customer": "garam"}, (400, "customer must be a number\n")),
        ({"org_code": "ZZZZ000009"}, (400, "ZZZZ000009 is not one of ZBAA000001\n")),
        ({"org_code": BANK, "scope": "bank.none"}, (502, "HTTP 400 invalid_scope\n")),
    ],
)
async def test_a_token_that_is_not_issued_has_a_reason(control, params, expected):
    assert await control.ask("POST", "/tokens", **params) == expected


async def test_another_login_page_is_started(control):
    assert await control.ask("POST", "/pages") == (200, f"{control.calls.page}\n")
    control.calls.page = ""
    assert await control.ask("POST", "/pages") == (502, "HTTP 400 unauthorized_client\n")


async def test_institutions_fail_by_rules(control):
    status, text = await control.ask("POST", "/failures", api="BA04", how="timeout", page="2", org_code=BANK)
    assert (status, text.startswith("the next call of 은행-004 of page 2 at ZBAA000001: timeout, ")) == (200, True)
    rule = {"api": "은행-004", "how": "timeout", "page": 2, "times": 1, "org_code": BANK}
    assert json.loads((await control.ask("GET", "/failures"))[1]) == [rule]
    assert "failing institutions: the next call of 은행-004" in (await control.ask("GET", "/"))[1]
    assert await control.ask("POST", "/failures/clear") == (200, "no institution fails\n")
    assert json.loads((await control.ask("GET", "/failures"))[1]) == []


async def test_a_reset_also_removes_rules_of_institutions(control):
    await control.ask("POST", "/failures", api="all", how="50001", times="9")
    await control.ask("POST", "/failures/reset")
    assert json.loads((await control.ask("GET", "/failures"))[1]) == []


async def test_an_invalid_rule_is_refused(control):
    status, text = await control.ask("POST", "/failures", api="은행-004", how="sulk")
    assert (status, text.startswith("how is an rsp_code (42901, 50001, ...) or one of timeout, ")) == (400, True)

"""The portal's service: tokens, lists and statistics by caller."""

from dataclasses import replace
from datetime import timedelta

import pytest
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.parties import IDENTITY_CERTIFIER, INSTITUTIONS, MEDIATED, RELAY_CODE, SIGNATURE_CERTIFIER
from mydata_sandbox.portal.service import ReceivedRequest

from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis
OPERATOR, SERVICE, BANK = "ZOPA000001", "ZOPA000001SVC01", "ZBAA000001"
EVERYTHING = {"search_timestamp": "0"}
WEEK = "20261122"
DAYS = [f"202611{day}" for day in range(15, 22)]


@pytest.fixture
def ask(portal, with_portal):
    """Calls the portal as `org_code` with its certificate, and with a new token unless `bearer` is given."""
    accounts = with_portal.portal.accounts

    def call_portal(org_code, api_id, sent, **more):
        api = APIS[api_id]
        call = ReceivedRequest(
            api.method, api.path, f"{org_code}M{'0' * 14}", accounts[org_code].serial_num, "127.0.0.1", "", sent
        )
        if api_id != "지원-001" and "bearer" not in more:
            more["bearer"] = portal.service.respond(token_call(org_code)).body.get("access_token", "")
        return portal.service.respond(replace(call, **more))

    def token_call(org_code, **more):
        form = {
            "grant_type": "client_credentials",
            "client_id": accounts[org_code].client_id,
            "client_secret": accounts[org_code].client_secret,
            "scope": "manage",
        }
        path = APIS["지원-001"].path
        tran_id = f"{org_code}M{'0' * 14}"
        return ReceivedRequest("POST", path, tran_id, accounts[org_code].serial_num, "127.0.0.1", "", form | more)

    call_portal.token = lambda org_code, **more: portal.service.respond(token_call(org_code, **more))
    return call_portal


def upload(kind="2", **changes):
    """A body with the fields of 지원-004 and -005, and one service with one call."""
    slot = {"success_api_cnt": "1", "fail_api_cnt": "0"}
    slots = [{"tm_slot": number} | slot for number in ("00", "01")]
    apis = [{"api_type": "BA01", "tm_slot_cnt": "2", "tm_slot_list": slots}]
    consents = {"consent_new": "1", "consent_revoke": "0", "consent_own": "1"} if kind == "2" else {}
    service = {"org_code": OPERATOR, "client_id": SERVICE, **consents, "api_type_cnt": "1", "api_type_list": apis}
    days = [{"stat_date": day, "mydata_svc_cnt": "1", "mydata_svc_list": [service]} for day in DAYS]
    body = {"org_code": BANK, "type": kind, "inquiry_date": WEEK, "stat_date_cnt": "7", "stat_date_list": days}
    return {name: value for name, value in (body | changes).items() if value is not None}


def operators(kind="2", **changes):
    """The same figures in the operator's form."""
    body = upload(kind)
    times = {"rsp_avg": "5", "rsp_total": "5", "rsp_stdev": "0"}
    days = []
    for day in body["stat_date_list"]:
        (service,) = day["mydata_svc_list"]
        apis = [
            api | {"tm_slot_list": [slot | times for slot in api["tm_slot_list"]]} for api in service["api_type_list"]
        ]
        fields = {name: value for name, value in service.items() if name != "client_id"}
        days.append(
            {
                "stat_date": day["stat_date"],
                "org_cnt": "1",
                "org_list": [fields | {"org_code": BANK, "api_type_list": apis}],
            }
        )
    fields = {"type": kind, "client_id": SERVICE, "inquiry_date": WEEK, "stat_date_cnt": "7", "stat_date_list": days}
    return fields | changes


@pytest.mark.parametrize("org_code", [RELAY_CODE, OPERATOR, IDENTITY_CERTIFIER, SIGNATURE_CERTIFIER])
def test_each_account_gets_a_token(ask, org_code):
    reply = ask.token(org_code)
    assert (reply.status, reply.caller, find_strict_violations(APIS["지원-001"], reply.body)) == (200, org_code, [])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"client_secret": "guess"}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"scope": "ca"}, "invalid_request"),
        ({"more": "1"}, "invalid_request"),
    ],
)
def test_a_wrong_form_gives_no_token(ask, wrong, error):
    reply = ask.token(OPERATOR, **wrong)
    assert (reply.status, reply.body) == (400, {"error": error})


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"serial": None}, 401, "40103"),
        ({"serial": "999-81-09999"}, 401, "40103"),
        ({"address": "192.0.2.7"}, 401, "40102"),
        ({"bearer": ""}, 401, "40101"),
        ({"bearer": "another"}, 401, "40101"),
        ({"tran_id": ""}, 400, "40002"),
        ({"tran_id": "short"}, 400, "40002"),
        ({"values": {}}, 400, "40001"),
        ({"values": None}, 400, "40001"),
        ({"values": {"search_timestamp": "yesterday"}}, 400, "40001"),
        ({"path": "/v1/mgmts/nothing"}, 404, "40401"),
        ({"method": "POST"}, 404, "40401"),
    ],
)
def test_a_wrong_call_gets_its_code(ask, wrong, status, code):
    reply = ask(RELAY_CODE, "지원-002", EVERYTHING, **wrong)
    assert (reply.status, reply.body["rsp_code"]) == (status, code)


def test_hyphens_of_a_serial_number_do_not_matter(ask):
    assert ask(RELAY_CODE, "지원-002", EVERYTHING, serial="9998100001").status == 200


def test_a_token_expires(ask, portal, clock):
    portal.service.token_s = 60
    token = ask.token(RELAY_CODE).body["access_token"]
    assert ask(RELAY_CODE, "지원-002", EVERYTHING, bearer=token).status == 200
    clock.now += timedelta(seconds=60)
    assert ask(RELAY_CODE, "지원-002", EVERYTHING, bearer=token).body["rsp_code"] == "40101"


def test_a_token_is_valid_only_for_its_owner(ask):
    token = ask.token(OPERATOR).body["access_token"]
    assert ask(RELAY_CODE, "지원-002", EVERYTHING, bearer=token).body["rsp_code"] == "40101"


@pytest.mark.parametrize(
    ("api_id", "may"),
    [
        ("지원-002", {RELAY_CODE, OPERATOR, SIGNATURE_CERTIFIER, IDENTITY_CERTIFIER}),
        ("지원-003", {RELAY_CODE}),
        ("지원-006", {SIGNATURE_CERTIFIER, IDENTITY_CERTIFIER}),
    ],
)
def test_lists_follow_the_catalogue_and_the_allowed_callers(ask, api_id, may):
    for org_code in (RELAY_CODE, OPERATOR, SIGNATURE_CERTIFIER, IDENTITY_CERTIFIER):
        reply = ask(org_code, api_id, EVERYTHING)
        assert find_strict_violations(APIS[api_id], reply.body) == []
        assert (reply.status, reply.body["rsp_code"]) == ((200, "00000") if org_code in may else (403, "40301"))


def test_the_whole_sandbox_is_registered(ask, with_portal):
    rows = ask(RELAY_CODE, "지원-002", EVERYTHING).body["org_list"]
    kinds = [row["org_type"] for row in rows]
    assert kinds == ["04", *["02"] * (len(INSTITUTIONS) + len(MEDIATED)), "03", "03", "05", "06", "07"]
    (services, _) = ask(RELAY_CODE, "지원-003", EVERYTHING).body["org_list"]
    secrets = [(row["client_id"], row["client_secret"]) for row in services["service_list"]]
    first = with_portal.operators[0]
    assert secrets == list(zip(first.client_ids, first.client_secrets, strict=True))


def test_a_delta_has_changes_since_the_last_response(ask, portal):
    since = ask(RELAY_CODE, "지원-002", EVERYTHING).body["search_timestamp"]
    portal.service.registry.remove(OPERATOR)
    body = ask(RELAY_CODE, "지원-002", {"search_timestamp": since}).body
    assert [(row["op_type"], row["org_code"]) for row in body["org_list"]] == [("D", OPERATOR)]
    nothing = ask(RELAY_CODE, "지원-002", {"search_timestamp": body["search_timestamp"]}).body
    assert (nothing["rsp_code"], nothing["org_cnt"], nothing["org_list"]) == ("00000", "0", [])


def test_a_removed_party_is_refused(ask, portal):
    portal.service.registry.remove(OPERATOR)
    assert ask.token(OPERATOR).body == {"error": "unauthorized_client"}


def test_an_added_account_is_accepted(ask, portal, with_portal):
    account = with_portal.portal.accounts[OPERATOR]
    portal.service.put_account(replace(account, client_secret="another"))
    assert ask.token(OPERATOR).body == {"error": "invalid_client"}
    assert ask.token(OPERATOR, client_secret="another").status == 200


@pytest.mark.parametrize("kind", ["1", "2"])
def test_statistics_are_accepted_and_stored(ask, portal, kind):
    assert ask(RELAY_CODE, "지원-005", upload(kind)).body["rsp_code"] == "00000"
    assert ask(OPERATOR, "지원-004", operators(kind)).body["rsp_code"] == "00000"
    assert [(api_id, sender) for api_id, sender, _ in portal.service.uploads] == [
        ("지원-005", RELAY_CODE),
        ("지원-004", OPERATOR),
    ]
    assert portal.service.differences(WEEK) == []


def test_differences_are_returned_for_their_week(ask, portal):
    ask(RELAY_CODE, "지원-005", upload())
    assert len(portal.service.differences(WEEK)) == 14
    assert portal.service.differences("20261115") == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"org_code": None}, 403, "40303"),
        ({"org_code": "ZNOA000001"}, 403, "40303"),
        ({"org_code": OPERATOR}, 403, "40303"),
        ({"inquiry_date": "20261123"}, 400, "40001"),
        ({"inquiry_date": "20261115"}, 400, "40001"),
        ({"inquiry_date": "20261322"}, 400, "40001"),
        ({"type": "0"}, 400, "40001"),
        ({"type": "1"}, 400, "40001"),
        ({"stat_date_cnt": "6"}, 400, "40001"),
        ({"stat_date_list": upload()["stat_date_list"][::-1]}, 400, "40001"),
        ({"stat_date_list": upload("1")["stat_date_list"]}, 400, "40001"),
    ],
)
def test_wrong_statistics_are_refused(ask, portal, changes, status, code):
    reply = ask(RELAY_CODE, "지원-005", upload(**changes))
    assert (reply.status, reply.body["rsp_code"], portal.service.uploads) == (status, code, [])


@pytest.mark.parametrize("wrong", [{"api_type": "XX99"}, {"tm_slot_list": []}, {"tm_slot_cnt": "3"}])
def test_unknown_apis_and_missing_slots_are_refused(ask, portal, wrong):
    body = upload()
    body["stat_date_list"][3]["mydata_svc_list"][0]["api_type_list"][0] |= wrong
    assert ask(RELAY_CODE, "지원-005", body).body["rsp_code"] == "40001"


@pytest.mark.parametrize(
    ("org_code", "api_id", "body", "code"),
    [
        ("ZOPA000002", "지원-004", operators(), "40303"),
        (OPERATOR, "지원-004", operators(client_id="unknown"), "40303"),
        (OPERATOR, "지원-005", upload(), "40301"),
        (RELAY_CODE, "지원-004", operators(), "40301"),
    ],
)
def test_statistics_of_another_party_are_refused(ask, org_code, api_id, body, code):
    assert ask(org_code, api_id, body).body["rsp_code"] == code


def test_no_secret_is_printed(ask, portal, with_portal):
    secret = with_portal.portal.accounts[OPERATOR].client_secret
    token = ask.token(OPERATOR)
    printed = repr([with_portal.portal, token, portal.service.registry.services])
    assert secret not in printed
    assert token.body["access_token"] not in printed

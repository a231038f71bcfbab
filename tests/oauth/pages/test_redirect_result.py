"""Signed results of institutions of the redirect flow."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.domain.authorization.consent import Asset, Target
from relay.domain.authorization.request import RequestState
from relay.oauth.pages.redirect_result import ci_hash
from relay.policy.settings.directory import AuthenticationMethod

PATH = "/authentication/return"


@pytest.fixture(autouse=True)
def redirect_flow(authority, bank):
    authority.settings.providers[bank.org_code] = bank.model_copy(
        update={"authentication": AuthenticationMethod.REDIRECT}
    )


@pytest.fixture
def demand():
    return {
        "snd_org_code": "ZBAA000001",
        "rcv_org_code": "ZOPA000001",
        "is_scheduled": "false",
        "end_date": "20270531",
        "purpose": "통합조회",
        "period": "99991231",
        "target_info": [{"scope": "bank.deposit", "asset_list": [{"asset": "1001"}]}],
        "is_consent_trans_memo": "false",
    }


@pytest.fixture
def claims(auth_request, demand, clock):
    return {
        "iss": "ZBAA000001",
        "aud": "ZRLA000001",
        "request_id": auth_request.request_id,
        "iat": int(clock.now),
        "exp": int(clock.now) + 120,
        "result": "consented",
        "ci_hash": ci_hash(auth_request),
        "consent": json.dumps(demand),
    }


@pytest.fixture
def send(browser, bank_key, auth_request):
    async def send_result(claims, key=bank_key, algorithm="ES256", request_id=auth_request.request_id):
        result = jwt.encode(claims, key, algorithm=algorithm)
        return await browser.send("POST", PATH, data={"request_id": request_id, "result": result})

    return send_result


async def test_a_signed_consent_leads_to_the_callback_with_a_code(send, claims, authority, auth_request):
    url, query = (await send(claims)).redirect
    assert url == "https://operator.example/callback"
    assert (query["state"], len(query["code"])) == ("state1", 47)
    (consent,) = authority.ledger.consents
    assert consent.particulars.targets == (Target("bank.list"), Target("bank.deposit", (Asset("1001"),)))
    assert consent.ci == auth_request.ci


async def test_a_denial_leads_to_the_callback_with_access_denied(send, claims, authority):
    denial = {name: value for name, value in claims.items() if name not in {"ci_hash", "consent"}}
    response = await send(denial | {"result": "denied"})
    assert response.redirect[1]["error"] == "access_denied"
    assert authority.ledger.history == [(RequestState.DENIED, "institution_denied")]


@pytest.mark.parametrize("ci", ["", "0" * 43, None, 7])
async def test_another_customer_is_an_unauthorized_user(send, claims, ci):
    assert (await send(claims | {"ci_hash": ci})).redirect[1]["error"] == "unauthorized_user"


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "ZBAA000002"},
        {"aud": "ZRLA000002"},
        {"request_id": "another"},
        {"result": "perhaps"},
        {"result": ["denied"]},
        {"iat": "now"},
        {"exp": True},
        {"exp": 1},
        {"iat": 1_795_316_500},
        {"exp": 1_795_316_400 + 301},
        {"iat": 1_795_316_403, "exp": 1_795_316_398},
        {"exp": 1_795_316_400},
        {"consent": None},
        {"consent": "{}"},
        {"consent": "\ud800"},
        {"consent": 7},
    ],
    ids=str,
)
async def test_an_invalid_result_leaves_the_request_open(send, claims, changed, authority, auth_request):
    response = await send(claims | changed)
    assert (response.status, response.title) == (400, "확인 결과를 받지 못했습니다")
    assert authority.ledger.requests[auth_request.request_id].state is RequestState.OPEN


@pytest.mark.parametrize(
    "changed",
    [
        {"rcv_org_code": "ZOPA000002"},
        {"end_date": "20280101"},
        {"target_info": [{"scope": "card.bill", "asset_list": [{"asset": "all_asset"}]}]},
    ],
    ids=str,
)
async def test_a_consent_for_another_request_is_refused(send, claims, demand, changed):
    assert (await send(claims | {"consent": json.dumps(demand | changed)})).status == 400


@pytest.mark.parametrize("missing", ["iss", "aud", "request_id", "iat", "exp", "result", "consent"])
async def test_a_result_without_one_of_its_claims_is_refused(send, claims, missing):
    del claims[missing]
    assert (await send(claims)).status == 400


async def test_a_result_signed_by_another_key_is_refused(send, claims):
    assert (await send(claims, key=ec.generate_private_key(ec.SECP256R1()))).status == 400


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_a_result_of_another_algorithm_is_refused(send, claims, algorithm):
    key = "x" * 64 if algorithm == "HS256" else None
    assert (await send(claims, key=key, algorithm=algorithm)).status == 400


async def test_a_repeated_claim_is_refused(browser, bank_key, auth_request, claims):
    payload = json.dumps(claims)[:-1] + ', "result": "consented"}'
    result = jwt.PyJWS().encode(payload.encode(), bank_key, algorithm="ES256")
    response = await browser.send("POST", PATH, data={"request_id": auth_request.request_id, "result": result})
    assert response.status == 400


async def test_a_repeated_result_gets_the_same_redirect_briefly(send, browser, claims, clock):
    # ES256 signatures differ each time, so the same result is sent twice
    results = []
    send_raw = browser.send
    browser.send = lambda *target, data: results.append(data) or send_raw(*target, data=data)
    first = await send(claims)
    again = await send_raw("POST", PATH, data=results[0])
    assert again.headers["Location"] == first.headers["Location"]
    clock.now += 6
    assert (await send_raw("POST", PATH, data=results[0])).status == 410


async def test_a_result_for_a_completed_request_is_refused(send, claims):
    await send(claims)
    assert (await send(claims | {"result": "denied"})).status == 410


@pytest.mark.parametrize("data", [{}, {"request_id": "unknown", "result": "x"}, {"result": "x"}])
async def test_an_unknown_request_is_not_found(browser, data):
    assert (await browser.send("POST", PATH, data=data)).status in {400, 404}


async def test_a_result_in_a_url_is_not_found(browser):
    assert (await browser.send("GET", f"{PATH}?request_id=request-number-one&result=x")).status == 404


async def test_a_request_of_the_hosted_flow_takes_no_result(send, claims, authority, bank):
    authority.settings.providers[bank.org_code] = bank
    assert (await send(claims)).status == 404


async def test_an_authenticated_request_can_still_be_completed(send, claims, authority, auth_request, clock):
    await authority.ledger.answer_request(auth_request.request_id, RequestState.AUTHENTICATED, "", clock.now)
    assert (await send(claims)).status == 302


def test_a_ci_hash_is_valid_for_one_request(auth_request):
    other = type(auth_request)(
        **{name: getattr(auth_request, name) for name in auth_request.__slots__} | {"request_id": "two"}
    )
    assert ci_hash(auth_request) != ci_hash(other)
    assert auth_request.ci not in ci_hash(auth_request)

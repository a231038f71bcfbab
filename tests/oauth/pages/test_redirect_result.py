"""An institution of the redirect way sends the customer back with what it signed."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from relay.domain.authorization.consent import Asset, Target
from relay.domain.authorization.request import RequestState
from relay.oauth.pages.redirect_result import ci_hash
from relay.policy.settings.directory import Authentication

PLACE = "/authentication/return"


@pytest.fixture(autouse=True)
def redirecting(authority, bank):
    authority.office.providers[bank.org_code] = bank.model_copy(update={"authentication": Authentication.REDIRECT})


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
def claims(asked, demand, clock):
    return {
        "iss": "ZBAA000001",
        "aud": "ZRLA000001",
        "request_id": asked.request_id,
        "iat": int(clock.now),
        "exp": int(clock.now) + 120,
        "result": "consented",
        "ci_hash": ci_hash(asked),
        "consent": json.dumps(demand),
    }


@pytest.fixture
def send(phone, bank_key, asked):
    async def sent(claims, key=bank_key, algorithm="ES256", request_id=asked.request_id):
        result = jwt.encode(claims, key, algorithm=algorithm)
        return await phone.ask("POST", PLACE, data={"request_id": request_id, "result": result})

    return sent


async def test_a_signed_consent_leads_to_the_callback_with_a_code(send, claims, authority, asked):
    place, told = (await send(claims)).back
    assert place == "https://operator.example/callback"
    assert (told["state"], len(told["code"])) == ("state1", 47)
    (consent,) = authority.ledger.consents
    assert consent.particulars.targets == (Target("bank.list"), Target("bank.deposit", (Asset("1001"),)))
    assert consent.ci == asked.ci


async def test_a_denial_leads_to_the_callback_with_access_denied(send, claims, authority):
    told = {name: value for name, value in claims.items() if name not in {"ci_hash", "consent"}}
    answer = await send(told | {"result": "denied"})
    assert answer.back[1]["error"] == "access_denied"
    assert authority.ledger.history == [(RequestState.DENIED, "institution_denied")]


@pytest.mark.parametrize("ci", ["", "0" * 43, None, 7])
async def test_another_customer_is_an_unauthorized_user(send, claims, ci):
    assert (await send(claims | {"ci_hash": ci})).back[1]["error"] == "unauthorized_user"


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
async def test_a_result_that_does_not_fit_is_refused_and_the_request_stays_open(
    send, claims, changed, authority, asked
):
    answer = await send(claims | changed)
    assert (answer.status, answer.title) == (400, "확인 결과를 받지 못했습니다")
    assert authority.ledger.requests[asked.request_id].state is RequestState.OPEN


@pytest.mark.parametrize(
    "changed",
    [
        {"rcv_org_code": "ZOPA000002"},
        {"end_date": "20280101"},
        {"target_info": [{"scope": "card.bill", "asset_list": [{"asset": "all_asset"}]}]},
    ],
    ids=str,
)
async def test_a_consent_for_something_else_is_refused(send, claims, demand, changed):
    assert (await send(claims | {"consent": json.dumps(demand | changed)})).status == 400


@pytest.mark.parametrize("missing", ["iss", "aud", "request_id", "iat", "exp", "result", "consent"])
async def test_a_result_without_one_of_its_claims_is_refused(send, claims, missing):
    del claims[missing]
    assert (await send(claims)).status == 400


async def test_a_result_signed_by_somebody_else_is_refused(send, claims):
    assert (await send(claims, key=ec.generate_private_key(ec.SECP256R1()))).status == 400


@pytest.mark.parametrize("algorithm", ["HS256", "none"])
async def test_a_result_of_another_algorithm_is_refused(send, claims, algorithm):
    key = "x" * 64 if algorithm == "HS256" else None
    assert (await send(claims, key=key, algorithm=algorithm)).status == 400


async def test_a_name_that_stands_twice_is_refused(phone, bank_key, asked, claims):
    payload = json.dumps(claims)[:-1] + ', "result": "consented"}'
    result = jwt.PyJWS().encode(payload.encode(), bank_key, algorithm="ES256")
    answer = await phone.ask("POST", PLACE, data={"request_id": asked.request_id, "result": result})
    assert answer.status == 400


async def test_the_same_result_sent_again_at_once_gets_the_same_answer_and_later_none(send, phone, claims, clock):
    # the signature of ES256 differs each time, so one result is sent twice
    results = []
    ask = phone.ask
    phone.ask = lambda *where, data: results.append(data) or ask(*where, data=data)
    first = await send(claims)
    again = await ask("POST", PLACE, data=results[0])
    assert again.headers["Location"] == first.headers["Location"]
    clock.now += 6
    assert (await ask("POST", PLACE, data=results[0])).status == 410


async def test_a_second_result_for_an_answered_request_is_refused(send, claims):
    await send(claims)
    assert (await send(claims | {"result": "denied"})).status == 410


@pytest.mark.parametrize("data", [{}, {"request_id": "unknown", "result": "x"}, {"result": "x"}])
async def test_an_unknown_request_is_not_found(phone, data):
    assert (await phone.ask("POST", PLACE, data=data)).status in {400, 404}


async def test_a_result_never_comes_in_a_url(phone):
    assert (await phone.ask("GET", f"{PLACE}?request_id=request-number-one&result=x")).status == 404


async def test_a_request_of_the_hosted_way_takes_no_result(send, claims, authority, bank):
    authority.office.providers[bank.org_code] = bank
    assert (await send(claims)).status == 404


async def test_what_broke_off_between_the_two_steps_goes_on(send, claims, authority, asked, clock):
    await authority.ledger.answer_request(asked.request_id, RequestState.AUTHENTICATED, "", clock.now)
    assert (await send(claims)).status == 302


def test_a_ci_hash_is_good_for_one_request(asked):
    other = type(asked)(**{name: getattr(asked, name) for name in asked.__slots__} | {"request_id": "two"})
    assert ci_hash(asked) != ci_hash(other)
    assert asked.ci not in ci_hash(asked)

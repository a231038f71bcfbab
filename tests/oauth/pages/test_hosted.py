"""The hosted flow through the relay's own pages."""

import asyncio
import hashlib
import re

import pytest

from relay.domain.authorization.consent import Asset, Authentication, Target
from relay.domain.authorization.request import MAX_LOGINS, RequestState
from relay.domain.institution import Holding

CALLBACK = "https://operator.example/callback"
ALWAYS = {"from": "relay", "state": "state1", "api_tran_id": "ZOPA000001M00000000000001"}


async def at_consent(browser):
    await browser.log_in()
    return await browser.get("/consent")


async def test_login_and_consent_lead_to_the_callback_with_a_code(browser, authority, consent_form):
    login = await browser.log_in()
    assert (login.status, login.headers["Location"]) == (303, f"{browser.path}/consent")
    page = await browser.get("/consent")
    assert "모아보기" in page.text
    url, query = (await browser.post("/consent", page.token, **consent_form)).redirect
    code = query.pop("code")
    assert (url, query) == (CALLBACK, ALWAYS)
    (record,) = authority.ledger.codes
    assert record.digest == hashlib.sha256(code.encode()).digest()
    assert record.expires_at == authority.clock() + 600


async def test_a_disconnected_customer_cancels_the_list_calls(browser, authority, caplog):
    """The list calls at the institution are cancelled when the customer disconnects."""
    await browser.log_in()
    started, ended = asyncio.Event(), asyncio.Event()

    async def holdings(*_):
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    authority.institutions.holdings = holdings
    page_request = asyncio.create_task(browser.get("/consent"))
    async with asyncio.timeout(10):
        await started.wait()
        page_request.cancel()
        await ended.wait()
    assert not caplog.records


async def test_the_consent_is_recorded_as_chosen(browser, authority, consent_form, auth_request):
    page = await at_consent(browser)
    del consent_form["all.bank.deposit"], consent_form["all.bank.loan"]
    minus = page.keys("bank.deposit")[1]
    chosen = consent_form | {"asset.bank.deposit": minus, "is_scheduled": "yes", "period": "end"}
    assert (await browser.post("/consent", page.token, **chosen)).status == 302
    (consent,) = authority.ledger.consents
    assert (consent.ci, consent.provider, consent.operator) == (
        auth_request.ci,
        auth_request.provider,
        auth_request.operator,
    )
    assert (consent.client_id, consent.authentication) == (auth_request.client_id, Authentication.INDIVIDUAL)
    particulars = consent.particulars
    account = (Asset("1002", "001"),)
    assert particulars.targets == (Target("bank.list"), Target("bank.deposit", account), Target("bank.loan", account))
    assert (particulars.is_scheduled, particulars.fnd_cycle, particulars.add_cycle) == (True, "1/w", "1/w")
    assert particulars.end_date.isoformat() == particulars.period.isoformat() == "2027-05-31"
    assert (particulars.is_consent_trans_memo, particulars.is_consent_merchant_name_regno) == (True, None)


async def test_the_form_contains_no_account_number(browser):
    page = await at_consent(browser)
    assert not {"1001", "1002", "3001"} & {part for key in page.keys("bank.deposit") for part in (key, key[:4])}
    assert 'value="1001"' not in page.text


async def test_a_label_is_escaped(browser):
    assert "입출금통장 &lt;b&gt;1&lt;/b&gt;" in (await at_consent(browser)).text


async def test_a_changed_consent_shows_the_former_choices(browser, open_browser, authority, consent_form, auth_request):
    page = await at_consent(browser)
    del consent_form["all.bank.deposit"]
    ticked_key = page.keys("bank.deposit")[0]
    await browser.post(
        "/consent", page.token, **consent_form | {"asset.bank.deposit": ticked_key, "is_consent_trans_memo": "no"}
    )
    authority.ledger.requests.clear()
    authority.ledger.browsers.clear()
    await authority.ledger.open_request(auth_request)
    again = await at_consent(await open_browser())
    assert "전송요구 내용을 변경합니다" in again.text
    assert {f"asset-{ticked_key}", "all-bank.loan", "is_consent_trans_memo-no", "is_scheduled-no"} <= set(again.ticked)
    assert "all-bank.deposit" not in again.ticked


async def test_unticking_accounts_of_a_consent_to_all_needs_an_answer(
    browser, open_browser, authority, consent_form, auth_request
):
    page = await at_consent(browser)
    await browser.post("/consent", page.token, **consent_form)
    authority.ledger.requests.clear()
    authority.ledger.browsers.clear()
    await authority.ledger.open_request(auth_request)
    browser = await open_browser()
    page = await at_consent(browser)
    first, second = page.keys("bank.deposit")
    assert {"all-bank.deposit", f"asset-{first}", f"asset-{second}", "is_consent_trans_memo-no"} & set(page.ticked) == {
        "all-bank.deposit",
        f"asset-{first}",
        f"asset-{second}",
    }
    form = consent_form | {"asset.bank.deposit": first, "asset.bank.loan": page.keys("bank.loan")}
    contradictory = await browser.post("/consent", page.token, **form)
    assert (contradictory.status, len(authority.ledger.consents)) == (422, 1)
    assert 'href="#which.bank.deposit"' in contradictory.text
    assert "which.bank.loan" not in contradictory.text
    assert "전송요구 내용을 변경합니다" in contradictory.text
    decided = await browser.post("/consent", page.token, **form | {"which.bank.deposit": "ticked"})
    assert decided.status == 302
    targets = {target.scope: target.assets for target in authority.ledger.consents[-1].particulars.targets}
    assert targets["bank.deposit"] == (Asset("1001"),)
    assert targets["bank.loan"] is None


async def test_cancelling_sends_access_denied(browser, authority):
    page = await browser.get()
    url, query = (await browser.post("/cancel", page.token)).redirect
    assert url == CALLBACK
    assert query == ALWAYS | {"error": "access_denied", "error_description": "정보주체가 취소하였습니다"}
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]


async def test_cancelling_twice_cancels_once(browser, authority, clock):
    page = await browser.get()
    both = await asyncio.gather(*(browser.post("/cancel", page.token) for _ in range(2)))
    assert [response.status for response in both] == [302, 302]
    assert both[0].headers["Location"] == both[1].headers["Location"]
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]
    clock.now += 6
    assert (await browser.post("/cancel", page.token)).status == 410


@pytest.mark.parametrize("buttons", [("/consent", "/cancel"), ("/cancel", "/consent")])
async def test_another_button_does_not_get_a_remembered_redirect(browser, consent_form, buttons):
    page = await at_consent(browser)
    statuses = [(await browser.post(button, page.token, **consent_form)).status for button in buttons]
    assert statuses == [302, 410]


async def test_cancelling_after_the_login_sends_access_denied(browser):
    page = await at_consent(browser)
    _, query = (await browser.post("/cancel", page.token)).redirect
    assert query["error"] == "access_denied"


async def test_another_customers_password_looks_like_a_wrong_one(browser, open_browser, authority, auth_request):
    responses = [await browser.log_in("kim", password) for password in ("right", "wrong")]
    texts = [re.sub(r"[0-9]회 더", "N회 더", response.text) for response in responses]
    assert [response.status for response in responses] == [422, 422]
    assert texts[0] == texts[1]
    assert authority.ledger.requests[auth_request.request_id].failures == 2
    for _ in range(2):
        await browser.log_in("kim", "right")
    url, query = (await browser.log_in("kim", "right")).redirect
    assert (url, query["error"], query["state"]) == (CALLBACK, "access_denied", "state1")


async def test_a_wrong_login_shows_the_form_again_without_the_password(browser):
    response = await browser.log_in(password="nearly-right")
    assert response.status == 422
    assert "4회 더 시도할 수 있습니다" in response.text
    assert 'value="hong"' in response.text
    assert "nearly-right" not in response.text


async def test_five_wrong_logins_lock_the_request(browser, authority, auth_request):
    for _ in range(MAX_LOGINS - 1):
        assert (await browser.log_in(password="wrong")).status == 422
    page = await browser.get()
    last = await browser.post("/login", page.token, login_id="hong", password="wrong")
    assert last.redirect[1]["error"] == "access_denied"
    assert authority.ledger.requests[auth_request.request_id].state is RequestState.LOCKED
    assert (await browser.post("/login", page.token, login_id="hong", password="right")).status == 403


async def test_guesses_sent_at_once_are_counted_one_after_the_other(browser, authority):
    page = await browser.get()
    guesses = [browser.post("/login", page.token, login_id="hong", password=f"guess{n}") for n in range(20)]
    statuses = [response.status for response in await asyncio.gather(*guesses)]
    assert sorted(statuses) == [302] + [403] * 15 + [422] * 4
    assert len(authority.institutions.logins) == MAX_LOGINS


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({}, {"login_id": "아이디를 입력해 주세요.", "password": "비밀번호를 입력해 주세요."}),
        ({"login_id": "hong"}, {"password": "비밀번호를 입력해 주세요."}),
        ({"login_id": ["hong", "kim"], "password": "p"}, {"login_id": "아이디를 입력해 주세요."}),
        ({"login_id": "h" * 65, "password": "p"}, {"login_id": "아이디는 64자까지 입력할 수 있습니다."}),
        (
            {"login_id": "a\0", "password": "p"},
            {"login_id": "아이디에 쓸 수 없는 문자가 있습니다. 다시 입력해 주세요."},
        ),
        ({"login_id": "hong", "password": "p" * 129}, {"password": "비밀번호는 128자까지 입력할 수 있습니다."}),
        (
            {"login_id": "hong", "password": "\u200b"},
            {"password": "비밀번호에 쓸 수 없는 문자가 있습니다. 다시 입력해 주세요."},
        ),
    ],
    ids=range(7),
)
async def test_an_unreadable_login_is_explained_and_not_counted(browser, authority, auth_request, fields, messages):
    page = await browser.get()
    response = await browser.post("/login", page.token, **fields)
    assert (response.status, authority.institutions.logins) == (422, [])
    above = dict(re.findall(r'<li><a href="#(\w+)">([^<]+)</a>', response.text))
    beside = dict(re.findall(r'id="(\w+)-mistake"><span class="unseen">오류: </span>([^<]+)</p>', response.text))
    assert above == beside == messages
    assert re.findall(r'id="(\w+)"[^>]* aria-invalid="true"', response.text) == list(messages)
    assert authority.ledger.requests[auth_request.request_id].failures == 0


async def test_an_outage_of_the_institution_costs_no_attempt(browser, authority, auth_request):
    authority.institutions.is_silent = True
    response = await browser.log_in()
    assert response.status == 503
    assert "응답하지 않아" in response.text
    assert authority.ledger.requests[auth_request.request_id].failures == 0


async def test_a_failed_load_of_assets_can_be_retried(browser, authority):
    await browser.log_in()
    authority.institutions.is_silent = True
    response = await browser.get("/consent")
    assert response.status == 503
    assert f'href="{browser.path}/consent"' in response.text


async def test_invalid_assets_of_an_institution_are_logged_without_them(browser, authority, consent_form, caplog):
    authority.institutions.held[0] = Holding(("bank.deposit",), Asset("1" * 99), "입출금통장")
    page = await at_consent(browser)
    del consent_form["all.bank.deposit"]
    chosen = consent_form | {"asset.bank.deposit": page.keys("bank.deposit")[0]}
    assert (await browser.post("/consent", page.token, **chosen)).status == 503
    assert caplog.messages == ['institution sent invalid assets: org_code=ZBAA000001 fields="asset" count=1']


async def test_a_mistake_is_shown_at_its_field_and_in_the_summary(browser, consent_form):
    page = await at_consent(browser)
    response = await browser.post("/consent", page.token, **consent_form | {"end_date": "2031-01-01"})
    assert response.status == 422
    assert 'id="end_date-mistake"' in response.text
    assert 'aria-describedby="end_date-hint end_date-mistake"' in response.text
    assert 'href="#end_date"' in response.text
    assert response.title.startswith("오류: ")
    assert "all-bank.loan" in response.ticked


@pytest.mark.parametrize(("state", "step", "target"), [("open", "/consent", ""), ("authenticated", "", "/consent")])
async def test_each_state_has_its_page(browser, state, step, target):
    await (browser.get() if state == "open" else browser.log_in())
    response = await browser.get(step)
    assert (response.status, response.headers["Location"]) == (303, browser.path + target)


async def test_a_premature_form_redirects_to_the_right_page(browser, consent_form):
    page = await browser.get()
    early = await browser.post("/consent", page.token, **consent_form)
    assert (early.status, early.headers["Location"]) == (303, browser.path)
    late = await browser.log_in()
    again = await browser.post("/login", page.token, login_id="hong", password="wrong")
    assert (again.status, again.headers["Location"]) == (303, late.headers["Location"])


async def test_a_double_click_gets_the_same_response(browser, authority, consent_form):
    page = await at_consent(browser)
    both = await asyncio.gather(*(browser.post("/consent", page.token, **consent_form) for _ in range(2)))
    assert both[0].headers["Location"] == both[1].headers["Location"]
    assert len(authority.ledger.consents) == 1


async def test_a_later_submit_finds_the_request_completed(browser, clock, consent_form):
    page = await at_consent(browser)
    await browser.post("/consent", page.token, **consent_form)
    clock.now += 6
    response = await browser.post("/consent", page.token, **consent_form)
    assert (response.status, response.title) == (410, "이미 처리된 요청입니다")


@pytest.mark.parametrize("step", ["", "/consent"])
async def test_the_back_button_finds_the_request_completed(browser, consent_form, step):
    page = await at_consent(browser)
    await browser.post("/consent", page.token, **consent_form)
    assert (await browser.get(step)).status == 410


async def test_an_expired_request_gets_410(browser, clock):
    page = await browser.get()
    clock.now += 601
    for response in (await browser.get(), await browser.post("/login", page.token, login_id="hong", password="right")):
        assert (response.status, response.title) == (410, "유효 시간이 지났습니다")


@pytest.mark.parametrize("step", ["/login", "/consent", "/cancel"])
@pytest.mark.parametrize("token", ["", "x" * 44, "가"])
async def test_a_form_without_its_token_does_nothing(browser, authority, step, token):
    await browser.get()
    response = await browser.post(step, token, login_id="hong", password="right")
    assert (response.status, authority.institutions.logins, authority.ledger.history) == (403, [], [])


async def test_an_institution_of_another_flow_has_no_pages(browser, authority, bank):
    changed = bank.model_copy(update={"authentication": "redirect"})
    authority.settings.providers[bank.org_code] = changed
    assert (await browser.get("?again")).status == 404


async def test_a_removed_institution_has_no_pages(browser, authority):
    authority.settings.providers.clear()
    assert (await browser.get("?again")).status == 404


async def test_form_action_allows_the_callback_and_the_apps_scheme(browser):
    policy = (await browser.get()).headers["Content-Security-Policy"]
    assert "form-action 'self' https://operator.example moabogi:;" in policy

"""The walk of a customer through the relay's own pages."""

import asyncio
import hashlib
import re

import pytest

from relay.domain.authorization.consent import Asset, Authentication, Target
from relay.domain.authorization.request import LOGINS_MOST, RequestState

CALLBACK = "https://operator.example/callback"
TOLD = {"from": "relay", "state": "state1", "api_tran_id": "ZOPA000001M00000000000001"}


async def at_consent(phone):
    await phone.log_in()
    return await phone.get("/consent")


async def test_login_leads_to_the_consent_form_and_that_to_the_callback_with_a_code(phone, authority, everything):
    login = await phone.log_in()
    assert (login.status, login.headers["Location"]) == (303, f"{phone.place}/consent")
    page = await phone.get("/consent")
    assert "모아보기" in page.text
    place, told = (await phone.post("/consent", page.token, **everything)).back
    code = told.pop("code")
    assert (place, told) == (CALLBACK, TOLD)
    (kept,) = authority.ledger.codes
    assert kept.digest == hashlib.sha256(code.encode()).digest()
    assert kept.expires_at == authority.clock() + 600


async def test_a_customer_that_hangs_up_is_waited_for_no_longer(phone, authority, caplog):
    """The institution's lists are asked for no longer than somebody waits for them."""
    await phone.log_in()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def holdings(*_):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    authority.institutions.holdings = holdings
    look = asyncio.create_task(phone.get("/consent"))
    async with asyncio.timeout(10):
        await begun.wait()
        look.cancel()
        await ended.wait()
    assert not caplog.records


async def test_the_consent_is_written_as_it_was_chosen(phone, authority, everything, asked):
    page = await at_consent(phone)
    del everything["all.bank.deposit"], everything["all.bank.loan"]
    minus = page.keys("bank.deposit")[1]
    chosen = everything | {"asset.bank.deposit": minus, "is_scheduled": "yes", "period": "end"}
    assert (await phone.post("/consent", page.token, **chosen)).status == 302
    (consent,) = authority.ledger.consents
    assert (consent.ci, consent.provider, consent.operator) == (asked.ci, asked.provider, asked.operator)
    assert (consent.client_id, consent.authentication) == (asked.client_id, Authentication.INDIVIDUAL)
    told = consent.particulars
    account = (Asset("1002", "001"),)
    assert told.targets == (Target("bank.list"), Target("bank.deposit", account), Target("bank.loan", account))
    assert (told.is_scheduled, told.fnd_cycle, told.add_cycle) == (True, "1/w", "1/w")
    assert told.end_date.isoformat() == told.period.isoformat() == "2027-05-31"
    assert (told.is_consent_trans_memo, told.is_consent_merchant_name_regno) == (True, None)


async def test_no_account_number_stands_in_the_form(phone):
    page = await at_consent(phone)
    assert not {"1001", "1002", "3001"} & {part for key in page.keys("bank.deposit") for part in (key, key[:4])}
    assert 'value="1001"' not in page.text


async def test_a_label_is_shown_as_text(phone):
    assert "입출금통장 &lt;b&gt;1&lt;/b&gt;" in (await at_consent(phone)).text


async def test_a_changed_consent_shows_the_former_choices(phone, pick_up, authority, everything, asked):
    page = await at_consent(phone)
    del everything["all.bank.deposit"]
    kept = page.keys("bank.deposit")[0]
    await phone.post("/consent", page.token, **everything | {"asset.bank.deposit": kept, "is_consent_trans_memo": "no"})
    authority.ledger.requests.clear()
    authority.ledger.browsers.clear()
    await authority.ledger.open_request(asked)
    again = await at_consent(pick_up())
    assert "전송요구 내용을 바꿉니다" in again.text
    assert {f"asset-{kept}", "all-bank.loan", "is_consent_trans_memo-no", "is_scheduled-no"} <= set(again.ticked)
    assert "all-bank.deposit" not in again.ticked


async def test_ticking_one_account_of_a_consent_to_all_is_asked_about(phone, pick_up, authority, everything, asked):
    page = await at_consent(phone)
    await phone.post("/consent", page.token, **everything)
    authority.ledger.requests.clear()
    authority.ledger.browsers.clear()
    await authority.ledger.open_request(asked)
    phone = pick_up()
    page = await at_consent(phone)
    one, other = page.keys("bank.deposit")
    assert {"all-bank.deposit", f"asset-{one}", f"asset-{other}", "is_consent_trans_memo-no"} & set(page.ticked) == {
        "all-bank.deposit",
        f"asset-{one}",
        f"asset-{other}",
    }
    form = everything | {"asset.bank.deposit": one, "asset.bank.loan": page.keys("bank.loan")}
    doubtful = await phone.post("/consent", page.token, **form)
    assert (doubtful.status, len(authority.ledger.consents)) == (422, 1)
    assert 'href="#which.bank.deposit"' in doubtful.text
    assert "which.bank.loan" not in doubtful.text
    assert "전송요구 내용을 바꿉니다" in doubtful.text
    decided = await phone.post("/consent", page.token, **form | {"which.bank.deposit": "ticked"})
    assert decided.status == 302
    targets = {target.scope: target.assets for target in authority.ledger.consents[-1].particulars.targets}
    assert targets["bank.deposit"] == (Asset("1001"),)
    assert targets["bank.loan"] is None


async def test_cancelling_tells_access_denied(phone, authority):
    page = await phone.get()
    place, told = (await phone.post("/cancel", page.token)).back
    assert place == CALLBACK
    assert told == TOLD | {"error": "access_denied", "error_description": "정보주체가 취소하였습니다"}
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]


async def test_cancelling_twice_is_cancelling_once(phone, authority, clock):
    page = await phone.get()
    both = await asyncio.gather(*(phone.post("/cancel", page.token) for _ in range(2)))
    assert [answer.status for answer in both] == [302, 302]
    assert both[0].headers["Location"] == both[1].headers["Location"]
    assert authority.ledger.history == [(RequestState.DENIED, "customer_cancelled")]
    clock.now += 6
    assert (await phone.post("/cancel", page.token)).status == 410


@pytest.mark.parametrize("buttons", [("/consent", "/cancel"), ("/cancel", "/consent")])
async def test_another_button_gets_no_answer_that_was_not_its_own(phone, everything, buttons):
    page = await at_consent(phone)
    statuses = [(await phone.post(button, page.token, **everything)).status for button in buttons]
    assert statuses == [302, 410]


async def test_cancelling_after_the_login_tells_access_denied_too(phone):
    page = await at_consent(phone)
    _, told = (await phone.post("/cancel", page.token)).back
    assert told["error"] == "access_denied"


async def test_a_right_password_of_another_customer_is_answered_like_a_wrong_one(phone, pick_up, authority, asked):
    answers = [await phone.log_in("kim", password) for password in ("right", "wrong")]
    texts = [re.sub(r"[0-9]번 더", "N번 더", answer.text) for answer in answers]
    assert [answer.status for answer in answers] == [422, 422]
    assert texts[0] == texts[1]
    assert authority.ledger.requests[asked.request_id].failures == 2
    for _ in range(2):
        await phone.log_in("kim", "right")
    place, told = (await phone.log_in("kim", "right")).back
    assert (place, told["error"], told["state"]) == (CALLBACK, "access_denied", "state1")


async def test_a_wrong_login_shows_the_form_again_without_the_password(phone):
    answer = await phone.log_in(password="nearly-right")
    assert answer.status == 422
    assert "4번 더 시도할 수 있습니다" in answer.text
    assert 'value="hong"' in answer.text
    assert "nearly-right" not in answer.text


async def test_five_wrong_logins_lock_the_request(phone, authority, asked):
    for _ in range(LOGINS_MOST - 1):
        assert (await phone.log_in(password="wrong")).status == 422
    page = await phone.get()
    last = await phone.post("/login", page.token, login_id="hong", password="wrong")
    assert last.back[1]["error"] == "access_denied"
    assert authority.ledger.requests[asked.request_id].state is RequestState.LOCKED
    assert (await phone.post("/login", page.token, login_id="hong", password="right")).status == 403


async def test_guesses_sent_at_once_are_counted_one_after_the_other(phone, authority):
    page = await phone.get()
    guesses = [phone.post("/login", page.token, login_id="hong", password=f"guess{n}") for n in range(20)]
    statuses = [answer.status for answer in await asyncio.gather(*guesses)]
    assert sorted(statuses) == [302] + [403] * 15 + [422] * 4
    assert len(authority.institutions.asked) == LOGINS_MOST


@pytest.mark.parametrize(
    ("fields", "told"),
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
async def test_a_login_that_cannot_be_read_says_why_asks_nobody_and_is_not_counted(
    phone, authority, asked, fields, told
):
    page = await phone.get()
    answer = await phone.post("/login", page.token, **fields)
    assert (answer.status, authority.institutions.asked) == (422, [])
    above = dict(re.findall(r'<li><a href="#(\w+)">([^<]+)</a>', answer.text))
    beside = dict(re.findall(r'id="(\w+)-mistake"><span class="unseen">오류: </span>([^<]+)</p>', answer.text))
    assert above == beside == told
    assert re.findall(r'id="(\w+)"[^>]* aria-invalid="true"', answer.text) == list(told)
    assert authority.ledger.requests[asked.request_id].failures == 0


async def test_a_silent_institution_costs_no_attempt(phone, authority, asked):
    authority.institutions.silent = True
    answer = await phone.log_in()
    assert answer.status == 503
    assert "응답하지 않아" in answer.text
    assert authority.ledger.requests[asked.request_id].failures == 0


async def test_holdings_that_do_not_come_can_be_asked_for_again(phone, authority):
    await phone.log_in()
    authority.institutions.silent = True
    answer = await phone.get("/consent")
    assert answer.status == 503
    assert f'href="{phone.place}/consent"' in answer.text


async def test_an_institution_that_does_not_do_its_part_is_told_and_nothing_of_the_customer(phone, authority, caplog):
    await phone.log_in()
    authority.institutions.silent = True
    assert (await phone.get("/consent")).status == 503
    assert (await phone.get("/consent")).status == 503
    assert [record.getMessage() for record in caplog.records] == [
        "institution ZBAA000001: nothing came; 0 more since the last line"
    ]


async def test_a_login_that_nobody_answers_is_told_without_who_logs_in(phone, authority, caplog):
    authority.institutions.silent = True
    await phone.log_in("hong", "right")
    assert [record.getMessage() for record in caplog.records] == [
        "institution ZBAA000001: nothing came; 0 more since the last line"
    ]


async def test_what_is_wrong_stands_beside_its_field_and_above(phone, everything):
    page = await at_consent(phone)
    answer = await phone.post("/consent", page.token, **everything | {"end_date": "2031-01-01"})
    assert answer.status == 422
    assert 'id="end_date-mistake"' in answer.text
    assert 'aria-describedby="end_date-hint end_date-mistake"' in answer.text
    assert 'href="#end_date"' in answer.text
    assert answer.title.startswith("오류: ")
    assert "all-bank.loan" in answer.ticked


@pytest.mark.parametrize(("state", "there", "led"), [("open", "/consent", ""), ("authenticated", "", "/consent")])
async def test_each_state_has_its_page(phone, state, there, led):
    await (phone.get() if state == "open" else phone.log_in())
    answer = await phone.get(there)
    assert (answer.status, answer.headers["Location"]) == (303, phone.place + led)


async def test_a_form_sent_before_its_time_leads_to_the_right_page(phone, everything):
    page = await phone.get()
    early = await phone.post("/consent", page.token, **everything)
    assert (early.status, early.headers["Location"]) == (303, phone.place)
    late = await phone.log_in()
    again = await phone.post("/login", page.token, login_id="hong", password="wrong")
    assert (again.status, again.headers["Location"]) == (303, late.headers["Location"])


async def test_the_second_submit_of_an_impatient_finger_gets_the_same_answer(phone, authority, everything):
    page = await at_consent(phone)
    both = await asyncio.gather(*(phone.post("/consent", page.token, **everything) for _ in range(2)))
    assert both[0].headers["Location"] == both[1].headers["Location"]
    assert len(authority.ledger.consents) == 1


async def test_a_submit_that_comes_back_later_finds_the_request_answered(phone, clock, everything):
    page = await at_consent(phone)
    await phone.post("/consent", page.token, **everything)
    clock.now += 6
    answer = await phone.post("/consent", page.token, **everything)
    assert (answer.status, answer.title) == (410, "이미 처리된 요청입니다")


@pytest.mark.parametrize("step", ["", "/consent"])
async def test_the_back_button_after_the_end_finds_the_request_answered(phone, everything, step):
    page = await at_consent(phone)
    await phone.post("/consent", page.token, **everything)
    assert (await phone.get(step)).status == 410


async def test_an_expired_request_says_so(phone, clock):
    page = await phone.get()
    clock.now += 601
    for answer in (await phone.get(), await phone.post("/login", page.token, login_id="hong", password="right")):
        assert (answer.status, answer.title) == (410, "시간이 지났습니다")


@pytest.mark.parametrize("step", ["/login", "/consent", "/cancel"])
@pytest.mark.parametrize("token", ["", "x" * 44, "가"])
async def test_a_form_without_our_token_does_nothing(phone, authority, step, token):
    await phone.get()
    answer = await phone.post(step, token, login_id="hong", password="right")
    assert (answer.status, authority.institutions.asked, authority.ledger.history) == (403, [], [])


async def test_an_institution_of_another_way_has_no_pages_here(phone, authority, bank):
    changed = bank.model_copy(update={"authentication": "redirect"})
    authority.office.providers[bank.org_code] = changed
    assert (await phone.get("?again")).status == 404


async def test_an_institution_that_left_has_no_pages(phone, authority):
    authority.office.providers.clear()
    assert (await phone.get("?again")).status == 404


async def test_the_callback_and_the_apps_scheme_may_follow_a_form_and_nothing_else(phone):
    policy = (await phone.get()).headers["Content-Security-Policy"]
    assert "form-action 'self' https://operator.example moabogi:;" in policy

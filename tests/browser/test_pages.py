"""Individual authentication walked by a real browser, as customers and their fingers do."""

import asyncio

import pytest

from relay.sandbox.login import LOGINS
from relay.sandbox.phone import PretendedPhone

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def at_consent(phone, town, fill_in, **asked):
    await phone.goto(await town.asked(**asked))
    await fill_in.log_in(phone)
    await phone.get_by_role("button", name="동의하고 보내기").wait_for()


async def test_a_consent_is_given(phone, town, fill_in, submit, told, picture):
    await phone.goto(await town.asked())
    await picture(phone, "login")
    await fill_in.log_in(phone)
    await phone.get_by_role("button", name="동의하고 보내기").wait_for()
    await picture(phone, "consent")
    await fill_in.consent(phone)
    await submit(phone)
    answer = await told(phone)
    assert answer.keys() == {"code", "state", "api_tran_id"}
    particulars = await town.consent()
    assert particulars.is_scheduled is False
    assert {target.assets for target in particulars.targets} == {None}


async def test_a_consent_is_changed_and_the_former_choices_are_shown(phone, town, fill_in, submit, told, picture):
    await at_consent(phone, town, fill_in)
    first = phone.locator("input[name^='asset.']").first
    label = await phone.locator(f"label[for='{await first.get_attribute('id')}']").inner_text()
    await first.check()
    for radio in ("is_consent_trans_memo", "is_scheduled"):
        await phone.locator(f"input[name='{radio}'][value='yes']").check()
    await submit(phone)
    await told(phone)
    await at_consent(phone, town, fill_in)
    assert await phone.get_by_role("heading", level=1).inner_text() == "전송요구 내용을 바꿉니다"
    assert await phone.get_by_label(label, exact=True).first.is_checked()
    assert await phone.get_by_label("예, 매주 1회 보냅니다").is_checked()
    assert not await phone.get_by_label("모두 선택").first.is_checked()
    await picture(phone, "consent-changed")
    await phone.locator("input[name='is_scheduled'][value='no']").check()
    await submit(phone)
    assert "code" in await told(phone)
    assert (await town.consent()).is_scheduled is False


async def test_one_account_of_a_consent_to_all_is_asked_about(phone, town, fill_in, submit, told, violations, picture):
    await at_consent(phone, town, fill_in)
    await fill_in.consent(phone)
    await submit(phone)
    await told(phone)
    await at_consent(phone, town, fill_in)
    boxes = await phone.locator("input[name='asset.bank.deposit']").all()
    assert len(boxes) > 1
    assert all([await box.is_checked() for box in boxes])
    await boxes[0].uncheck()
    await submit(phone)
    await phone.get_by_role("alert").wait_for()
    await picture(phone, "consent-asked")
    assert await violations(phone) == []
    await phone.get_by_role("alert").get_by_role("link").click()
    assert await phone.evaluate("document.activeElement.id") == "which.bank.deposit"
    await phone.get_by_label("선택한 것만 보내기").check()
    await submit(phone)
    await told(phone)
    targets = {target.scope: target.assets for target in (await town.consent()).targets}
    assert len(targets["bank.deposit"]) == len(boxes) - 1


@pytest.mark.parametrize("logged_in", [False, True])
async def test_a_customer_cancels(phone, town, fill_in, told, logged_in):
    await phone.goto(await town.asked())
    if logged_in:
        await fill_in.log_in(phone)
    await phone.get_by_role("button", name="취소하고 돌아가기").click()
    assert (await told(phone))["error"] == "access_denied"
    assert await town.consent() is None


async def test_a_wrong_login_is_told_beside_the_field(phone, town, fill_in, picture):
    await phone.goto(await town.asked())
    await fill_in.log_in(phone, password="wrong")
    await phone.get_by_role("alert").wait_for()
    await picture(phone, "login-wrong")
    field = phone.get_by_label("아이디")
    assert await field.get_attribute("aria-invalid") == "true"
    described = await field.get_attribute("aria-describedby")
    assert "4번 더 시도할 수 있습니다" in await phone.locator(f"#{described}").inner_text()
    assert await phone.get_by_label("비밀번호", exact=True).input_value() == ""


async def test_five_wrong_logins_end_the_request(phone, town, fill_in, told, picture):
    location = await town.asked()
    await phone.goto(location)
    for _ in range(5):
        await fill_in.log_in(phone, password="wrong")
    assert (await told(phone))["error"] == "access_denied"
    answer = await phone.goto(location)
    assert answer.status == 403
    await picture(phone, "locked")


async def test_another_customer_of_the_bank_reads_what_a_wrong_password_reads(phone, town, fill_in):
    await phone.goto(await town.asked())
    await fill_in.log_in(phone, LOGINS[1])
    assert "아이디 또는 비밀번호가 올바르지 않습니다" in await phone.content()


async def test_an_expired_page_says_what_to_do(phone, town, fill_in, submit, picture):
    await at_consent(phone, town, fill_in)
    await fill_in.consent(phone)
    town.clock.ahead = 601
    await submit(phone)
    await phone.get_by_role("heading", name="시간이 지났습니다").wait_for()
    await picture(phone, "expired")
    assert "처음부터 다시 시작해 주세요" in await phone.locator("main").inner_text()
    assert await town.consent() is None


async def test_two_clicks_are_one_consent_and_reach_the_operator(phone, town, fill_in, told, monkeypatch):
    await at_consent(phone, town, fill_in)
    await fill_in.consent(phone)
    holdings, answered = town.authority.institutions.holdings, asyncio.Event()

    async def slow(*asked):
        await answered.wait()
        return await holdings(*asked)

    monkeypatch.setattr(town.authority.institutions, "holdings", slow)
    button = phone.get_by_role("button", name="동의하고 보내기")
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    for _ in range(2):
        async with phone.expect_request(lambda request: request.method == "POST"):
            await phone.mouse.click(box["x"] + 9, box["y"] + 9)
    answered.set()
    assert "code" in await told(phone)


async def test_the_back_button_finds_the_request_answered(phone, town, fill_in, submit, told, picture):
    await at_consent(phone, town, fill_in)
    await fill_in.consent(phone)
    await submit(phone)
    await told(phone)
    await phone.go_back()
    await phone.get_by_role("heading", name="이미 처리된 요청입니다").wait_for()
    await picture(phone, "answered")


@pytest.mark.parametrize("is_one_request", [True, False])
async def test_two_tabs_of_a_fresh_browser_both_work(phone, town, fill_in, submit, told, is_one_request):
    first = await town.asked()
    second = first if is_one_request else await town.asked("card")
    other = await phone.context.new_page()
    answers = await asyncio.gather(phone.goto(first), other.goto(second))
    assert [answer.status for answer in answers] == [200, 200]
    await fill_in.log_in(phone)
    await phone.get_by_role("button", name="동의하고 보내기").wait_for()
    if is_one_request:
        await other.reload()
    else:
        await fill_in.log_in(other)
    await other.get_by_role("button", name="동의하고 보내기").wait_for()
    await fill_in.consent(other)
    await submit(other)
    assert "code" in await told(other)


async def test_another_browser_is_not_let_in(phone, pick_up, town, picture):
    location = await town.asked()
    await phone.goto(location)
    stranger = await pick_up()
    assert (await stranger.goto(location)).status == 404
    await picture(stranger, "unknown")


async def test_it_works_without_javascript(pick_up, town, fill_in, submit, told):
    phone = await pick_up(java_script_enabled=False)
    await at_consent(phone, town, fill_in)
    await submit(phone)
    await phone.get_by_role("alert").wait_for()
    await fill_in.consent(phone)
    await submit(phone)
    assert "code" in await told(phone)


async def test_it_works_by_keyboard_alone(phone, town, told):
    await phone.goto(await town.asked())
    keys = phone.keyboard
    await keys.press("Tab")
    await keys.type(LOGINS[0].login_id)
    await keys.press("Tab")
    await keys.type(LOGINS[0].password)
    await keys.press("Enter")
    await phone.get_by_role("button", name="동의하고 보내기").wait_for()
    answered = set()
    for _ in range(80):
        await keys.press("Tab")
        name, kind, text = await phone.evaluate(
            "(it => [it.name || '', it.type || '', it.innerText])(document.activeElement)"
        )
        outline = await phone.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (name, kind, outline) == (name, kind, "solid")
        if text == "동의하고 보내기":
            break
        if name.startswith("all.") or (kind == "radio" and name not in answered):
            answered.add(name)
            await keys.press("Space")
    await keys.press("Enter")
    assert "code" in await told(phone)
    assert (await town.consent()).is_scheduled is True


async def test_mistakes_are_told_above_with_links_to_their_fields(phone, town, fill_in, submit, picture):
    await at_consent(phone, town, fill_in)
    await submit(phone)
    summary = phone.get_by_role("alert")
    await summary.wait_for()
    await picture(phone, "consent-mistakes")
    assert await summary.evaluate("it => it === document.activeElement")
    links = await summary.get_by_role("link").all()
    targets = [(await link.get_attribute("href")).removeprefix("#") for link in links]
    assert targets == ["assets", "is_consent_trans_memo", "is_scheduled"]
    for link, target in zip(links, targets, strict=True):
        await link.click()
        assert await phone.evaluate("document.activeElement.id") == target


async def test_a_callback_may_be_an_app(phone, town, fill_in, submit):
    # no app is installed here, so the browser gives up at its door; a policy against it would stop the form before
    await at_consent(phone, town, fill_in, callback="moabogi://done")
    await fill_in.consent(phone)
    async with phone.expect_event("requestfailed") as failed:
        await submit(phone)
    assert (await failed.value).url.startswith("moabogi://done?code=")
    assert await town.consent() is not None


@pytest.mark.parametrize(
    ("industry", "width"),
    [
        ("bank", 320),
        *(pytest.param(*each, marks=pytest.mark.full) for each in (("bank", 1280), ("card", 320), ("efin", 320))),
    ],
)
async def test_no_page_is_wider_than_the_screen_and_axe_finds_nothing(
    pick_up, town, fill_in, submit, violations, industry, width
):
    phone = await pick_up(viewport={"width": width, "height": 700})
    location = await town.asked(industry)

    async def fits():
        assert await violations(phone) == []
        assert await phone.evaluate("document.documentElement.scrollWidth") <= width

    await phone.goto(location)
    await fits()
    await fill_in.log_in(phone, password="wrong")
    await phone.get_by_role("alert").wait_for()
    await fits()
    await fill_in.log_in(phone)
    await phone.get_by_role("button", name="동의하고 보내기").wait_for()
    await fits()
    await submit(phone)
    await phone.get_by_role("alert").wait_for()
    await fits()
    town.clock.ahead = 601
    await phone.goto(location)
    await fits()


async def test_axe_would_find_what_is_wrong(phone, violations):
    await phone.set_content(
        "<!DOCTYPE html><html><title>x</title><main><h1>x</h1><input><p style='color:#aaa;background:#fff'>pale</p>"
    )
    assert {"label", "html-has-lang", "color-contrast"} <= {rule for rule, _ in await violations(phone)}


async def test_the_sandboxes_phone_walks_the_same_pages(town):
    locations = [await town.asked(industry) for industry in ("bank", "card", "efin")]

    async def walk(location):
        async with PretendedPhone(town.trust, LOGINS[0].login_id, LOGINS[0].password) as phone:
            return await phone.walk(location)

    for url in await asyncio.gather(*map(walk, locations)):
        assert url.startswith(f"{town.callback}?code=")
    assert (await town.consent("efin")).is_consent_trans_category is True

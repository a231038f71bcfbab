"""Individual authentication in a real browser."""

import asyncio

import pytest
from mydata_sandbox.customer.browser_client import BrowserClient
from mydata_sandbox.institution.login import LOGINS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def at_consent(page, environment, fill_in, **options):
    await page.goto(await environment.open_request(**options))
    await fill_in.log_in(page)
    await page.get_by_role("button", name="동의하고 보내기").wait_for()


async def test_a_consent_is_given(page, environment, fill_in, submit, callback_parameters, picture):
    await page.goto(await environment.open_request())
    await picture(page, "login")
    await fill_in.log_in(page)
    await page.get_by_role("button", name="동의하고 보내기").wait_for()
    await picture(page, "consent")
    await picture(page, "consent-top", whole=False)
    await fill_in.consent(page)
    await submit(page)
    response = await callback_parameters(page)
    assert response.keys() == {"code", "state", "api_tran_id"}
    particulars = await environment.consent()
    assert particulars.is_scheduled is False
    assert {target.assets for target in particulars.targets} == {None}


async def test_a_consent_is_changed_and_the_former_choices_are_shown(
    page, environment, fill_in, submit, callback_parameters, picture
):
    await at_consent(page, environment, fill_in)
    first = page.locator("input[name^='asset.']").first
    label = await page.locator(f"label[for='{await first.get_attribute('id')}']").inner_text()
    await first.check()
    for radio in ("is_consent_trans_memo", "is_scheduled"):
        await page.locator(f"input[name='{radio}'][value='yes']").check()
    await submit(page)
    await callback_parameters(page)
    await at_consent(page, environment, fill_in)
    assert await page.get_by_role("heading", level=1).inner_text() == "전송요구 내용을 변경합니다"
    assert await page.get_by_label(label, exact=True).first.is_checked()
    assert await page.get_by_label("예, 매주 1회 보냅니다").is_checked()
    assert not await page.get_by_label("모두 선택").first.is_checked()
    await picture(page, "consent-changed")
    await page.locator("input[name='is_scheduled'][value='no']").check()
    await submit(page)
    assert "code" in await callback_parameters(page)
    assert (await environment.consent()).is_scheduled is False


async def test_unticking_an_account_of_a_consent_to_all_is_asked(
    page, environment, fill_in, submit, callback_parameters, violations, picture
):
    await at_consent(page, environment, fill_in)
    await fill_in.consent(page)
    await submit(page)
    await callback_parameters(page)
    await at_consent(page, environment, fill_in)
    boxes = await page.locator("input[name='asset.bank.deposit']").all()
    assert len(boxes) > 1
    assert all([await box.is_checked() for box in boxes])
    await boxes[0].uncheck()
    await submit(page)
    await page.get_by_role("alert").wait_for()
    await picture(page, "consent-asked")
    assert await violations(page) == []
    await page.get_by_role("alert").get_by_role("link").click()
    assert await page.evaluate("document.activeElement.id") == "which.bank.deposit"
    await page.get_by_label("선택한 것만 보내기").check()
    await submit(page)
    await callback_parameters(page)
    targets = {target.scope: target.assets for target in (await environment.consent()).targets}
    assert len(targets["bank.deposit"]) == len(boxes) - 1


@pytest.mark.parametrize("logged_in", [False, True])
async def test_a_customer_cancels(page, environment, fill_in, callback_parameters, logged_in):
    await page.goto(await environment.open_request())
    if logged_in:
        await fill_in.log_in(page)
    await page.get_by_role("button", name="취소하고 돌아가기").click()
    assert (await callback_parameters(page))["error"] == "access_denied"
    assert await environment.consent() is None


async def test_a_wrong_login_is_shown_at_its_field(page, environment, fill_in, picture):
    await page.goto(await environment.open_request())
    await fill_in.log_in(page, password="wrong")
    await page.get_by_role("alert").wait_for()
    await picture(page, "login-wrong")
    field = page.get_by_label("아이디")
    assert await field.get_attribute("aria-invalid") == "true"
    described = await field.get_attribute("aria-describedby")
    assert "4회 더 시도할 수 있습니다" in await page.locator(f"#{described}").inner_text()
    assert await page.get_by_label("비밀번호", exact=True).input_value() == ""


async def test_five_wrong_logins_end_the_request(page, environment, fill_in, callback_parameters, picture):
    location = await environment.open_request()
    await page.goto(location)
    for _ in range(5):
        await fill_in.log_in(page, password="wrong")
    assert (await callback_parameters(page))["error"] == "access_denied"
    response = await page.goto(location)
    assert response.status == 403
    await picture(page, "locked")


async def test_another_customer_gets_the_message_of_a_wrong_password(page, environment, fill_in):
    await page.goto(await environment.open_request())
    await fill_in.log_in(page, LOGINS[1])
    assert "아이디 또는 비밀번호가 올바르지 않습니다" in await page.content()


async def test_an_expired_page_says_what_to_do(page, environment, fill_in, submit, picture):
    await at_consent(page, environment, fill_in)
    await fill_in.consent(page)
    environment.clock.offset_s = 601
    await submit(page)
    await page.get_by_role("heading", name="유효 시간이 지났습니다").wait_for()
    await picture(page, "expired")
    assert "처음부터 다시 시작해 주세요" in await page.locator("main").inner_text()
    assert await environment.consent() is None


async def test_a_double_click_gives_one_consent_and_redirects(
    page, environment, fill_in, callback_parameters, monkeypatch
):
    await at_consent(page, environment, fill_in)
    await fill_in.consent(page)
    holdings, clicked = environment.authority.institutions.holdings, asyncio.Event()

    async def wait_for_clicks(*arguments):
        await clicked.wait()
        return await holdings(*arguments)

    monkeypatch.setattr(environment.authority.institutions, "holdings", wait_for_clicks)
    button = page.get_by_role("button", name="동의하고 보내기")
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    for _ in range(2):
        async with page.expect_request(lambda request: request.method == "POST"):
            await page.mouse.click(box["x"] + 9, box["y"] + 9)
    clicked.set()
    assert "code" in await callback_parameters(page)


async def test_the_back_button_finds_the_request_completed(
    page, environment, fill_in, submit, callback_parameters, picture
):
    await at_consent(page, environment, fill_in)
    await fill_in.consent(page)
    await submit(page)
    await callback_parameters(page)
    await page.go_back()
    await page.get_by_role("heading", name="이미 처리된 요청입니다").wait_for()
    await picture(page, "answered")


@pytest.mark.parametrize("is_one_request", [True, False])
async def test_two_tabs_of_a_fresh_browser_both_work(
    page, environment, fill_in, submit, callback_parameters, is_one_request
):
    first = await environment.open_request()
    second = first if is_one_request else await environment.open_request("card")
    other = await page.context.new_page()
    responses = await asyncio.gather(page.goto(first), other.goto(second))
    assert [response.status for response in responses] == [200, 200]
    await fill_in.log_in(page)
    await page.get_by_role("button", name="동의하고 보내기").wait_for()
    if is_one_request:
        await other.reload()
    else:
        await fill_in.log_in(other)
    await other.get_by_role("button", name="동의하고 보내기").wait_for()
    await fill_in.consent(other)
    await submit(other)
    assert "code" in await callback_parameters(other)


async def test_another_browser_gets_404(page, open_page, environment, picture):
    location = await environment.open_request()
    await page.goto(location)
    other_page = await open_page()
    assert (await other_page.goto(location)).status == 404
    await picture(other_page, "unknown")


async def test_it_works_without_javascript(open_page, environment, fill_in, submit, callback_parameters):
    page = await open_page(java_script_enabled=False)
    await at_consent(page, environment, fill_in)
    await submit(page)
    await page.get_by_role("alert").wait_for()
    await fill_in.consent(page)
    await submit(page)
    assert "code" in await callback_parameters(page)


async def test_it_works_by_keyboard_alone(page, environment, callback_parameters):
    await page.goto(await environment.open_request())
    keys = page.keyboard
    await keys.press("Tab")
    await keys.type(LOGINS[0].login_id)
    await keys.press("Tab")
    await keys.type(LOGINS[0].password)
    await keys.press("Enter")
    await page.get_by_role("button", name="동의하고 보내기").wait_for()
    answered = set()
    for _ in range(80):
        await keys.press("Tab")
        name, kind, text = await page.evaluate(
            "(it => [it.name || '', it.type || '', it.innerText])(document.activeElement)"
        )
        outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert (name, kind, outline) == (name, kind, "solid")
        if text == "동의하고 보내기":
            break
        if name.startswith("all.") or (kind == "radio" and name not in answered):
            answered.add(name)
            await keys.press("Space")
    await keys.press("Enter")
    assert "code" in await callback_parameters(page)
    assert (await environment.consent()).is_scheduled is True


async def test_the_summary_links_mistakes_to_their_fields(page, environment, fill_in, submit, picture):
    await at_consent(page, environment, fill_in)
    await submit(page)
    summary = page.get_by_role("alert")
    await summary.wait_for()
    await picture(page, "consent-mistakes")
    assert await summary.evaluate("it => it === document.activeElement")
    links = await summary.get_by_role("link").all()
    targets = [(await link.get_attribute("href")).removeprefix("#") for link in links]
    assert targets == ["assets", "is_consent_trans_memo", "is_scheduled"]
    for link, target in zip(links, targets, strict=True):
        await link.click()
        assert await page.evaluate("document.activeElement.id") == target


async def test_a_callback_may_be_an_app(page, environment, fill_in, submit):
    # no app is installed, so the request fails; a CSP violation would have stopped the form before
    await at_consent(page, environment, fill_in, callback="moabogi://done")
    await fill_in.consent(page)
    async with page.expect_event("requestfailed") as failed:
        await submit(page)
    assert (await failed.value).url.startswith("moabogi://done?code=")
    assert await environment.consent() is not None


@pytest.mark.parametrize(
    ("industry", "width"),
    [
        ("bank", 320),
        *(pytest.param(*case, marks=pytest.mark.full) for case in (("bank", 1280), ("card", 320), ("efin", 320))),
    ],
)
async def test_every_page_fits_the_screen_and_passes_axe(
    open_page, environment, fill_in, submit, violations, industry, width
):
    page = await open_page(viewport={"width": width, "height": 700})
    location = await environment.open_request(industry)

    async def check_page():
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width

    await page.goto(location)
    await check_page()
    await fill_in.log_in(page, password="wrong")
    await page.get_by_role("alert").wait_for()
    await check_page()
    await fill_in.log_in(page)
    await page.get_by_role("button", name="동의하고 보내기").wait_for()
    await check_page()
    await submit(page)
    await page.get_by_role("alert").wait_for()
    await check_page()
    environment.clock.offset_s = 601
    await page.goto(location)
    await check_page()


async def test_axe_finds_violations(page, violations):
    await page.set_content(
        "<!DOCTYPE html><html><title>x</title><main><h1>x</h1><input><p style='color:#aaa;background:#fff'>pale</p>"
    )
    assert {"label", "html-has-lang", "color-contrast"} <= {rule for rule, _ in await violations(page)}


async def test_the_sandbox_browser_completes_the_same_pages(environment):
    locations = [await environment.open_request(industry) for industry in ("bank", "card", "efin")]

    async def walk(location):
        async with BrowserClient(environment.trust, LOGINS[0].login_id, LOGINS[0].password) as page:
            return await page.consent(location)

    for url in await asyncio.gather(*map(walk, locations)):
        assert url.startswith(f"{environment.callback}?code=")
    assert (await environment.consent("efin")).is_consent_trans_category is True

"""The hosted pages in several tabs and browsers, and the names that each page shows."""

import asyncio
from dataclasses import replace


async def consent_page(browser):
    await browser.log_in()
    return await browser.get("/consent")


async def test_the_first_browser_owns_the_request(browser, open_browser):
    page = await browser.get()
    other_browser = await open_browser()
    first = await other_browser.get()  # another tab of the same browser may have got its cookie just now
    assert (first.status, first.headers["Location"]) == (303, f"{other_browser.path}?again")
    assert (await other_browser.get("?again")).status == 404
    assert (await other_browser.post("/login", page.token, login_id="hong", password="right")).status == 403


async def test_one_browser_handles_two_requests_at_once(browser, authority, auth_request):
    first = await browser.get()
    other = type(auth_request)(
        **{name: getattr(auth_request, name) for name in auth_request.__slots__} | {"request_id": "request-two"}
    )
    await authority.ledger.open_request(other)
    browser.path = "/authentication/request-two"
    second = await browser.get()
    assert second.status == 200
    assert first.token != second.token
    assert authority.ledger.browsers[auth_request.request_id] != authority.ledger.browsers["request-two"]
    assert (await browser.post("/login", first.token, login_id="hong", password="right")).status == 403


async def test_two_tabs_of_a_fresh_browser_are_both_logged_in(browser, authority, auth_request):
    """Both are opened before the response to either sets a cookie."""
    other = type(auth_request)(
        **{name: getattr(auth_request, name) for name in auth_request.__slots__} | {"request_id": "request-two"}
    )
    await authority.ledger.open_request(other)
    paths = ["/authentication/request-number-one", "/authentication/request-two"]
    tabs = await asyncio.gather(*(browser.send("GET", path) for path in paths))
    for path, tab in zip(paths, tabs, strict=True):
        form = {"form_token": tab.token, "login_id": "hong", "password": "right"}
        response = await browser.send("POST", f"{path}/login", data=form)
        assert (response.status, response.headers["Location"]) == (303, f"{path}/consent")


async def test_the_pages_name_the_receiver_and_the_relay(browser, authority):
    authority.settings = replace(
        authority.settings, relay_name="가온중계원", organisations={"ZOPA000001": "모아 <주>", "ZRLA000001": "x"}
    )
    for page in (await browser.get(), await consent_page(browser)):
        assert "모아보기 (모아 &lt;주&gt;)" in page.text
        assert "이 화면은 마이데이터 중계기관 가온중계원에서 운영합니다." in page.text


async def test_the_cookie_is_limited_to_this_host(browser):
    cookie = (await browser.get()).headers["Set-Cookie"]
    assert cookie.startswith("__Host-relay-")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Set-Cookie" not in (await browser.get()).headers

"""The hosted pages in several tabs and browsers: whose request it is, and what every page names."""

import asyncio
from dataclasses import replace


async def consent_page(phone):
    await phone.log_in()
    return await phone.get("/consent")


async def test_the_first_browser_owns_the_request(phone, pick_up):
    page = await phone.get()
    stranger = pick_up()
    first = await stranger.get()  # another tab of the same browser may have got its cookie just now
    assert (first.status, first.headers["Location"]) == (303, f"{stranger.place}?again")
    assert (await stranger.get("?again")).status == 404
    assert (await stranger.post("/login", page.token, login_id="hong", password="right")).status == 403


async def test_one_browser_walks_two_requests_side_by_side(phone, authority, asked):
    first = await phone.get()
    other = type(asked)(**{name: getattr(asked, name) for name in asked.__slots__} | {"request_id": "request-two"})
    await authority.ledger.open_request(other)
    phone.place = "/authentication/request-two"
    second = await phone.get()
    assert second.status == 200
    assert first.token != second.token
    assert authority.ledger.browsers[asked.request_id] != authority.ledger.browsers["request-two"]
    assert (await phone.post("/login", first.token, login_id="hong", password="right")).status == 403


async def test_two_tabs_of_a_fresh_browser_are_both_logged_in(phone, authority, asked):
    """Both are opened before the answer to either sets a cookie."""
    other = type(asked)(**{name: getattr(asked, name) for name in asked.__slots__} | {"request_id": "request-two"})
    await authority.ledger.open_request(other)
    places = ["/authentication/request-number-one", "/authentication/request-two"]
    tabs = await asyncio.gather(*(phone.ask("GET", place) for place in places))
    for place, tab in zip(places, tabs, strict=True):
        form = {"form_token": tab.token, "login_id": "hong", "password": "right"}
        answer = await phone.ask("POST", f"{place}/login", data=form)
        assert (answer.status, answer.headers["Location"]) == (303, f"{place}/consent")


async def test_the_pages_name_who_receives_and_who_runs_them(phone, authority):
    authority.office = replace(
        authority.office, relay_name="가온중계원", organisations={"ZOPA000001": "모아 <주>", "ZRLA000001": "x"}
    )
    for page in (await phone.get(), await consent_page(phone)):
        assert "모아보기 (모아 &lt;주&gt;)" in page.text
        assert "이 화면은 마이데이터 중계기관 가온중계원에서 운영합니다." in page.text


async def test_the_cookie_is_kept_to_us(phone):
    cookie = (await phone.get()).headers["Set-Cookie"]
    assert cookie.startswith("__Host-relay-")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Set-Cookie" not in (await phone.get()).headers

"""Limits against password spraying: over new requests, many login ids and addresses."""

from dataclasses import replace

import pytest


@pytest.fixture
def open_request(authority, auth_request, open_browser):
    """Opens a browser at a new request."""
    numbers = iter(range(10_000))

    async def open_next():
        request = replace(auth_request, request_id=f"request-{next(numbers)}")
        await authority.ledger.open_request(request)
        return await open_browser(f"/authentication/{request.request_id}")

    return open_next


async def test_guesses_at_one_login_id_are_limited_over_requests(open_request, authority, clock):
    responses = [await (await open_request()).log_in(password="wrong") for _ in range(12)]
    assert [response.status for response in responses] == [422] * 10 + [429] * 2
    assert responses[-1].headers["Retry-After"] == "300"
    assert "5분 후에 다시 시도해 주세요" in responses[-1].text
    assert len(authority.institutions.logins) == 10
    assert (await (await open_request()).log_in()).status == 429  # the password is not even checked
    assert (await (await open_request()).log_in("lee", "wrong")).status == 422
    clock.now += 300
    assert (await (await open_request()).log_in()).status == 303


async def test_eighty_guesses_from_one_address_stop_at_thirty(open_request, authority):
    responses = [await (await open_request()).log_in(f"user{number % 20}", "wrong") for number in range(80)]
    assert [response.status for response in responses] == [422] * 30 + [429] * 50
    assert len(authority.institutions.logins) == 30


async def test_addresses_of_a_trusted_proxy_count_separately(open_request, authority):
    authority.settings = replace(authority.settings, pages_proxies=("127.0.0.0/8",))

    async def guess(number, address):
        browser = await open_request()
        page = await browser.get()
        browser.http.session.headers["X-Forwarded-For"] = f"198.51.100.1, {address}"
        return (await browser.post("/login", page.token, login_id=f"user{number}", password="wrong")).status

    assert [await guess(number, "203.0.113.7") for number in range(31)] == [422] * 30 + [429]
    assert await guess(31, "203.0.113.8") == 422
    assert set(authority.institutions.addresses) == {"203.0.113.7", "203.0.113.8"}


async def test_variants_of_a_login_id_count_as_one(open_request):
    statuses = [
        (await (await open_request()).log_in(login_id, "wrong")).status
        for login_id in ("hong", "HONG", " hong ", "ｈong") * 3
    ]
    assert statuses == [422] * 10 + [429] * 2


async def test_right_logins_and_outages_are_not_counted(open_request, authority):
    authority.institutions.is_silent = True
    for _ in range(40):
        assert (await (await open_request()).log_in()).status == 503
    authority.institutions.is_silent = False
    for _ in range(40):
        assert (await (await open_request()).log_in()).status == 303


async def test_the_institution_gets_the_customers_address(open_request, authority):
    await (await open_request()).log_in()
    assert authority.institutions.addresses == ["127.0.0.1"]

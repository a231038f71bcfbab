"""Password spraying: guesses over new requests, at many login ids, from one address and from many."""

from dataclasses import replace

import pytest


@pytest.fixture
def fresh(authority, asked, pick_up):
    """A phone at a request of its own."""
    numbers = iter(range(10_000))

    async def open_one():
        request = replace(asked, request_id=f"request-{next(numbers)}")
        await authority.ledger.open_request(request)
        return pick_up(f"/authentication/{request.request_id}")

    return open_one


async def test_guesses_at_one_login_id_end_whatever_request_they_use(fresh, authority, clock):
    answers = [await (await fresh()).log_in(password="wrong") for _ in range(12)]
    assert [answer.status for answer in answers] == [422] * 10 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "300"
    assert "5분 후에 다시 시도해 주세요" in answers[-1].text
    assert len(authority.institutions.asked) == 10
    assert (await (await fresh()).log_in()).status == 429  # right or wrong: it is not tried
    assert (await (await fresh()).log_in("lee", "wrong")).status == 422
    clock.now += 300
    assert (await (await fresh()).log_in()).status == 303


async def test_eighty_guesses_at_twenty_ids_of_one_address_end_at_thirty(fresh, authority):
    answers = [await (await fresh()).log_in(f"user{number % 20}", "wrong") for number in range(80)]
    assert [answer.status for answer in answers] == [422] * 30 + [429] * 50
    assert len(authority.institutions.asked) == 30


async def test_addresses_that_a_trusted_proxy_tells_count_each_for_itself(fresh, authority):
    authority.office = replace(authority.office, pages_proxies=("127.0.0.0/8",))

    async def guess(number, address):
        phone = await fresh()
        page = await phone.get()
        phone.session.headers["X-Forwarded-For"] = f"198.51.100.1, {address}"
        return (await phone.post("/login", page.token, login_id=f"user{number}", password="wrong")).status

    assert [await guess(number, "203.0.113.7") for number in range(31)] == [422] * 30 + [429]
    assert await guess(31, "203.0.113.8") == 422
    assert set(authority.institutions.addresses) == {"203.0.113.7", "203.0.113.8"}


async def test_spelling_a_login_id_otherwise_is_no_new_id(fresh):
    statuses = [
        (await (await fresh()).log_in(login_id, "wrong")).status for login_id in ("hong", "HONG", " hong ", "ｈong") * 3
    ]
    assert statuses == [422] * 10 + [429] * 2


async def test_right_logins_and_a_silent_institution_cost_nothing(fresh, authority):
    authority.institutions.silent = True
    for _ in range(40):
        assert (await (await fresh()).log_in()).status == 503
    authority.institutions.silent = False
    for _ in range(40):
        assert (await (await fresh()).log_in()).status == 303


async def test_the_institution_hears_the_customers_address(fresh, authority):
    await (await fresh()).log_in()
    assert authority.institutions.addresses == ["127.0.0.1"]

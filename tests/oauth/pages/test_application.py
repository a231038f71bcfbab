"""What holds for every answer of the pages."""

import asyncio
import logging
import ssl

import pytest

from relay.domain.ledger import NotGranted, Unreachable, Why

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
    "Server": "relay",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/authentication/request-number-one", 200),
        ("GET", "/authentication/unknown", 303),
        ("GET", "/authentication/unknown?again", 404),
        ("GET", "/authentication/..%2fx?again", 404),
        ("GET", "/authentication/%00", 404),
        ("GET", "/authentication/a%00b/consent", 404),
        ("POST", "/authentication/%00/login", 404),
        ("GET", f"/authentication/{'a' * 129}", 404),
        ("GET", "/", 404),
        ("GET", "/static/other.css", 404),
        ("GET", "/static/../pages.css", 404),
        ("HEAD", "/authentication/request-number-one", 405),
        ("PUT", "/authentication/request-number-one", 405),
        ("GET", "/authentication/request-number-one/login", 405),
        ("POST", "/authentication/request-number-one", 405),
        ("GET", "/authentication/request-number-one/consent", 403),
    ],
)
async def test_every_answer_keeps_to_itself(phone, method, path, status):
    answer = await phone.ask(method, path)
    assert answer.status == status
    assert {name: answer.headers[name] for name in ALWAYS} == ALWAYS
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


async def test_a_link_preview_does_not_take_the_request_away(phone, pick_up):
    await pick_up().ask("HEAD", phone.place)
    assert (await phone.get()).status == 200


async def test_the_style_may_be_kept(phone):
    answer = await phone.ask("GET", "/static/pages.css")
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (
        "text/css; charset=utf-8",
        "max-age=3600",
    )


async def test_what_breaks_is_a_page_and_a_line_without_values(phone, authority, monkeypatch, caplog):
    async def broken(provider, login_id, password, address):
        raise RuntimeError(f"{login_id} {password}")

    monkeypatch.setattr(authority.institutions, "login", broken)
    with caplog.at_level(logging.DEBUG):
        answer = await phone.log_in()
    assert (answer.status, answer.title) == (500, "문제가 생겼습니다")
    assert "RuntimeError at " in caplog.text
    assert not {"hong", "right"} & set(caplog.text.split())


async def test_a_ledger_that_is_away_is_told_and_the_page_says_later(phone, authority, monkeypatch, caplog):
    async def away(*_):
        raise Unreachable("database or disk is full")

    monkeypatch.setattr(authority.ledger, "request", away)
    for _ in range(3):
        answer = await phone.get()
        assert (answer.status, answer.title) == (503, "지금은 처리할 수 없습니다")
    assert caplog.messages == []  # the outage of the ledger is logged by itself


async def test_nothing_of_a_walk_is_logged(phone, everything, caplog):
    with caplog.at_level(logging.DEBUG):
        await phone.log_in(password="wrong")
        await phone.log_in()
        page = await phone.get("/consent")
        assert (await phone.post("/consent", page.token, **everything)).status == 302
    assert [record for record in caplog.records if record.name.startswith("relay")] == []


async def test_a_reason_of_the_ledger_that_is_none_of_the_pages_is_ours_to_mend(phone, authority, monkeypatch, caplog):
    async def odd(*_):
        raise NotGranted(Why.CODE_SPENT)

    monkeypatch.setattr(authority.ledger, "request", odd)
    assert (await phone.get()).status == 500
    assert "code_spent" in caplog.text


async def test_a_browser_that_leaves_within_a_form_writes_no_error(phone, pages, certificates, caplog):
    caplog.set_level(logging.DEBUG)
    trust = ssl.create_default_context(cafile=str(certificates.ca))
    _, writer = await asyncio.open_connection("127.0.0.1", pages.port, ssl=trust)
    writer.write(f"POST {phone.place}/login HTTP/1.1\r\nHost: a\r\n{FORM}Content-Length: 99\r\n\r\na=b".encode())
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while "a page broke: " not in caplog.text:  # noqa: ASYNC110 - it is told to nobody
            await asyncio.sleep(0.005)
    assert [each.message for each in caplog.records if each.levelno > logging.DEBUG] == []

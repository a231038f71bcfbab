"""ApiRules of all responses of the pages."""

import asyncio
import logging
import ssl

import pytest

from relay.domain.ledger import LedgerDown, LedgerRefused, Reason

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Strict-Transport-Security": "max-age=31536000",
    "Server": "relay",
}


class FailingLedger:
    """A ledger whose methods all raise `error`."""

    def __init__(self, error):
        self.error = error

    def __getattr__(self, name):
        async def fail(*_):
            raise self.error

        return fail


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
async def test_every_response_has_the_security_headers(browser, method, path, status):
    response = await browser.send(method, path)
    assert response.status == status
    assert {name: response.headers[name] for name in ALWAYS} == ALWAYS
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


async def test_a_link_preview_does_not_bind_the_request(browser, open_browser):
    await (await open_browser()).send("HEAD", browser.path)
    assert (await browser.get()).status == 200


async def test_the_stylesheet_may_be_cached(browser):
    response = await browser.send("GET", "/static/pages.css")
    assert (response.headers["Content-Type"], response.headers["Cache-Control"]) == (
        "text/css; charset=utf-8",
        "max-age=3600",
    )


async def test_an_error_is_a_page_and_a_log_line_without_values(browser, authority, monkeypatch, caplog):
    async def fail(provider, login_id, password, address):
        raise RuntimeError(f"{login_id} {password}")

    monkeypatch.setattr(authority.institutions, "login", fail)
    with caplog.at_level(logging.DEBUG):
        response = await browser.log_in()
    assert (response.status, response.title) == (500, "오류가 발생했습니다")
    assert "page failed: error=RuntimeError place=" in caplog.text
    assert not {"hong", "right"} & set(caplog.text.split())


async def test_a_ledger_outage_gets_503_and_the_page_says_later(browser, authority, monkeypatch, caplog):
    monkeypatch.setattr(authority, "ledger", FailingLedger(LedgerDown("database or disk is full")))
    for _ in range(3):
        response = await browser.get()
        assert (response.status, response.title) == (503, "지금은 처리할 수 없습니다")
    assert caplog.messages == []  # the ledger logs its outage


async def test_a_successful_flow_is_not_logged(browser, consent_form, caplog):
    with caplog.at_level(logging.DEBUG):
        await browser.log_in(password="wrong")
        await browser.log_in()
        page = await browser.get("/consent")
        assert (await browser.post("/consent", page.token, **consent_form)).status == 302
    assert [record for record in caplog.records if record.name.startswith("relay")] == []


async def test_an_unexpected_reason_of_the_ledger_is_a_server_error(browser, authority, monkeypatch, caplog):
    monkeypatch.setattr(authority, "ledger", FailingLedger(LedgerRefused(Reason.CODE_SPENT)))
    assert (await browser.get()).status == 500
    assert "code_spent" in caplog.text


async def test_a_browser_that_disconnects_in_a_form_logs_no_error(browser, pages, certificates, caplog):
    caplog.set_level(logging.DEBUG)
    trust = ssl.create_default_context(cafile=str(certificates.ca))
    _, writer = await asyncio.open_connection("127.0.0.1", pages.port, ssl=trust)
    writer.write(f"POST {browser.path}/login HTTP/1.1\r\nHost: a\r\n{FORM}Content-Length: 99\r\n\r\na=b".encode())
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while "page failed: " not in caplog.text:  # noqa: ASYNC110 - no event signals it
            await asyncio.sleep(0.005)
    assert [record.message for record in caplog.records if record.levelno > logging.DEBUG] == []

"""The browser client with small pages. tests/browser uses it on the relay's pages."""

import ssl
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.credentials.certificates import make_dev_certificates
from mydata_sandbox.customer.browser_client import BrowserClient, PageFlowError, parse_forms

LOGIN = """<title>Log in</title><form method="post" action="/in"><input type="hidden" name="t" value="1">
<input name="login_id"><input type="password" name="password"><button>in</button></form>"""
CONSENT = """<form method="post" action="/cancel"><input type="hidden" name="form_token" value="x"></form>
<form method="post" action="consent"><input type="hidden" name="form_token" value="x">
<input type="checkbox" name="all.a" value="yes"><input type="checkbox" name="b" checked>
<input type="radio" name="r" value="yes"><input type="radio" name="r" value="no" checked>
<select name="s"><option value="1">1</option><option value="2" selected>2</option></select>
<select name="u"><option value="3">3</option></select><input type="date" name="d" value="2027-01-01">
<input type="submit" name="go"></form>"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_dev_certificates(tmp_path_factory.mktemp("certs"), datetime.now(UTC))


@pytest.fixture
async def pages(certificates):
    """A server of pages by (method, path). `.received` are the submitted forms."""
    shown, received = {}, []

    async def show(request):
        received.append((request.path, list((await request.post()).items()), dict(request.cookies)))
        response = shown[request.method, request.path]
        if isinstance(response, str):
            return web.Response(text=response, content_type="text/html")
        status, location = response
        answer = web.Response(status=status, headers={"Location": location})
        answer.set_cookie("c", "1", secure=True)
        return answer

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", show)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=context)
    server.shown, server.received = shown, received
    yield server
    await server.close()


@pytest.fixture
async def browser(certificates):
    trust = ssl.create_default_context(cafile=str(certificates.ca))
    async with BrowserClient(trust, "garam", "garam-1985") as browser:
        yield browser


async def test_the_browser_logs_in_consents_and_reaches_the_callback(pages, browser):
    pages.shown |= {
        ("GET", "/start"): LOGIN,
        ("POST", "/in"): (303, "/deep/consent"),
        ("GET", "/deep/consent"): CONSENT,
        ("POST", "/deep/consent"): (302, "https://operator.example/callback?code=1"),
    }
    assert await browser.consent(str(pages.make_url("/start"))) == "https://operator.example/callback?code=1"
    sent = {path: data for path, data, _ in pages.received if data}
    assert sent["/in"] == [("t", "1"), ("login_id", "garam"), ("password", "garam-1985")]
    checked = [("all.a", "yes"), ("b", "on"), ("r", "yes"), ("s", "2"), ("u", "3"), ("d", "2027-01-01")]
    assert sent["/deep/consent"] == [("form_token", "x"), *checked]
    assert pages.received[-1][2] == {"c": "1"}


async def test_a_callback_can_have_an_app_scheme(pages, browser):
    pages.shown["GET", "/start"] = (302, "moabogi://done?error=access_denied")
    assert await browser.consent(str(pages.make_url("/start"))) == "moabogi://done?error=access_denied"


async def test_an_error_page_raises(pages, browser):
    pages.shown["GET", "/start"] = "<title>Expired</title>"
    with pytest.raises(PageFlowError, match="HTTP 200: Expired"):
        await browser.consent(str(pages.make_url("/start")))


async def test_a_redirect_loop_raises(pages, browser):
    pages.shown["GET", "/start"] = (303, "/start")
    with pytest.raises(PageFlowError, match="do not end"):
        await browser.consent(str(pages.make_url("/start")))


def test_a_form_has_the_data_that_a_browser_sends():
    _, form = parse_forms(CONSENT)
    assert (form.method, form.action) == ("post", "consent")
    assert dict(form.data()) == {"form_token": "x", "b": "on", "r": "no", "s": "2", "u": "3", "d": "2027-01-01"}

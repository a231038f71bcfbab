import pytest
from aiohttp.test_utils import TestClient, TestServer
from mydata_sandbox.operator.callback import PATH, application


@pytest.fixture
async def browser():
    async with TestClient(TestServer(application())) as browser:
        yield browser


async def page(browser, **params):
    async with browser.get(PATH, params=params) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        return await answer.text()


async def test_the_callback_shows_the_received_code(browser):
    shown = await page(browser, code="c0de", state="st4te", api_tran_id="ZOPA000001M00000000000001")
    assert "전송요구가 전달되었습니다" in shown
    assert all(row in shown for row in ("code = c0de", "state = st4te", "api_tran_id = ZOPA000001M00000000000001"))


@pytest.mark.parametrize("params", [{"error": "access_denied", "state": "st4te"}, {}])
async def test_the_callback_shows_a_missing_code(browser, params):
    shown = await page(browser, **params)
    assert "전송요구가 전달되지 않았습니다" in shown
    assert "인가코드" not in shown


@pytest.mark.parametrize("params", [{"code": "<script>1</script>"}, {"<script>": "1"}, {"error": "</pre><script>"}])
async def test_parameters_are_escaped(browser, params):
    assert "<script" not in await page(browser, **params)


@pytest.mark.parametrize(("method", "path", "status"), [("POST", PATH, 405), ("GET", "/", 404)])
async def test_other_paths_and_methods_are_refused(browser, method, path, status):
    async with browser.request(method, path) as answer:
        assert answer.status == status

"""The pages of docs/reference/apis in a browser, opened as files."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "apis"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_page_shows_apis_codes_and_examples_offline(open_page):
    page = await open_page(viewport={"width": 1400, "height": 900}, offline=True)
    answered, errors = [], []
    page.on("requestfinished", lambda request: answered.append(request.url))
    page.on("pageerror", lambda error: errors.append(error))  # noqa: PLW0108 - playwright sets attributes
    await page.goto((FOLDER / "bank.html").as_uri())
    await page.get_by_role("heading", name="수신계좌 거래내역 조회").wait_for()
    text = await page.locator("body").inner_text()
    assert "은행-004" in text
    assert "/v1/bank/accounts/deposit/transactions" in text
    assert "필수 요청 파라미터가 없습니다" in await page.content()
    assert {url.partition(":")[0] for url in answered} <= {"file", "blob", "data"}
    assert errors == []


async def test_the_index_leads_to_an_industry(open_page):
    page = await open_page(viewport={"width": 1400, "height": 900}, offline=True)
    await page.goto((FOLDER / "index.html").as_uri())
    await page.get_by_role("link", name="P2P 업권").click()
    await page.get_by_role("heading", name="마이데이터 표준 API").wait_for()
    assert page.url.endswith("/p2p.html")

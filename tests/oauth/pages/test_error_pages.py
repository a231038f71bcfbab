import pytest

from relay.domain.ledger import Reason
from relay.oauth.pages import error_pages as problems
from relay.oauth.pages.error_pages import ERRORS_BY_REASON, ErrorPage

PAGES = [value for value in vars(problems).values() if isinstance(value, ErrorPage)]


def test_every_reason_about_a_request_has_its_page():
    assert set(ERRORS_BY_REASON) == {why for why in Reason if why.value.startswith("request_")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.title)
def test_every_page_explains_and_advises(page):
    assert page.status in {400, 403, 404, 405, 410, 413, 500, 503}
    assert page.explanation.endswith(".")
    assert page.advice.endswith("주세요.")

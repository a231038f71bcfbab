import pytest

from relay.domain.ledger import Why
from relay.oauth.pages import problems
from relay.oauth.pages.problems import BY_WHY, Problem

ALL = [value for value in vars(problems).values() if isinstance(value, Problem)]


def test_every_reason_about_a_request_has_its_page():
    assert set(BY_WHY) == {why for why in Why if why.value.startswith("request_")}


@pytest.mark.parametrize("problem", ALL, ids=lambda problem: problem.title)
def test_every_page_says_what_happened_and_what_to_do(problem):
    assert problem.status in {400, 403, 404, 405, 410, 413, 500, 503}
    assert problem.what.endswith(".")
    assert problem.advice.endswith("주세요.")

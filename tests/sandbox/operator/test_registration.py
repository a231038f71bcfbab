import pytest
from mydata_sandbox.operator import registration as module
from mydata_sandbox.operator.registration import describe_problem, wait_for_registration


async def test_the_relay_is_asked_until_it_knows_the_operator(monkeypatch):
    monkeypatch.setattr(module, "POLL_S", 0)
    problems = ["HTTP 400 unauthorized_client", "HTTP 400 unauthorized_client", ""]

    async def check():
        return problems.pop(0)

    assert await wait_for_registration(check) == ""
    assert problems == []


async def test_the_last_problem_is_returned_after_the_timeout(monkeypatch):
    monkeypatch.setattr(module, "REGISTRATION_S", 0)

    async def check():
        return "HTTP 503"

    assert await wait_for_registration(check) == "HTTP 503"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            "HTTP 400 unauthorized_client",
            "the relay does not know the operator ZOPA000001: HTTP 400 unauthorized_client",
        ),
        ("ClientConnectorError: refused", "the relay does not answer: ClientConnectorError: refused"),
    ],
)
def test_a_relay_that_does_not_answer_is_told_from_one_that_refuses(problem, words):
    assert describe_problem("ZOPA000001", problem) == words

import pytest

from relay.policy.answers.question import Question, read_parameters
from relay.standard.catalogue import load_catalogue

APIS = load_catalogue().apis


@pytest.mark.parametrize(
    ("api_id", "question", "parameters"),
    [
        (
            "은행-001",
            Question(b"/v1/bank/accounts", b"limit=10&next_page=a%2Fb", b""),
            {"limit": "10", "next_page": "a/b"},
        ),
        ("은행-004", Question(b"/x", b"", b'{"limit":10}'), {"limit": 10}),
        (
            "카드-008",
            Question(b"/v1/card/cards/c%201/approval-domestic", b"limit=1", b""),
            {"limit": "1", "card_id": "c 1"},
        ),
        ("카드-008", Question(b"/v1", b"", b""), {"card_id": ""}),
        ("은행-004", Question(b"/x", b"", b"{"), {}),
        ("은행-001", Question(b"/x", b"a=1&a=2", b""), {}),
    ],
    ids=["query", "body", "path", "no path", "no JSON", "a name twice"],
)
def test_the_parameters_of_a_call_are_read(api_id, question, parameters):
    assert dict(read_parameters(APIS[api_id], question)) == parameters

"""Error answers: every status has its codes and the relay's messages."""

import pytest

from relay.domain.fault import FAULTS
from relay.policy.call.envelope import format_message
from relay.policy.documents.answers import TRAN_ID_PATTERN, build_error_components, list_error_answers, list_messages


def get_codes(answer):
    (content,) = answer["content"].values()
    return content["schema"]["properties"]["rsp_code"]["enum"]


def test_every_rsp_code_is_in_the_answer_of_its_status(source):
    answers = build_error_components(source)
    for code, (status, _) in source.rsp_codes.items():
        if status != 200:
            assert code in get_codes(answers[f"Error{status}"])


def test_answers_have_the_messages_of_the_relay(source):
    text = build_error_components(source)["Error400"]["description"]
    assert FAULTS["parameter_missing"].words in text
    assert FAULTS["version_not_served"].words in text


@pytest.mark.parametrize("name", ["operator_gone", "answer_without_code", "code_unknown"])
def test_faults_without_a_response_have_no_message(source, name):
    fault = FAULTS[name]
    assert format_message(fault, "") not in list_messages(source, fault.rsp_code)


def test_a_code_of_institutions_has_its_meaning(source):
    assert list_messages(source, "40402") == [source.rsp_codes["40402"][1]]


def test_oauth_answers_have_their_errors(source):
    (content,) = build_error_components(source)["TokenError400"]["content"].values()
    assert "invalid_client" in content["schema"]["properties"]["error"]["enum"]
    assert list(list_error_answers(source, "token")) == ["400", "405", "500", "503"]


def test_a_refusal_for_now_says_when_to_call_again(source):
    answers = build_error_components(source)
    assert "Retry-After" in answers["Error429"]["headers"]
    assert "Allow" in answers["Error405"]["headers"]


def test_the_pattern_of_a_tran_id_has_its_parts():
    assert TRAN_ID_PATTERN == "^[0-9A-Z]{10}[MSRCPA][0-9A-Z]{14}$"

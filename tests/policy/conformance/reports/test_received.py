"""Tests of what came: each problem in one language, codes unchanged."""

import pytest

from relay.policy.conformance.judgement import CUT_VALUE, OTHER_CASE, OTHER_VALUE
from relay.policy.conformance.reports.received import PROBLEMS, describe_received
from relay.wire.head import Violation


@pytest.mark.parametrize(
    ("received", "korean", "english"),
    [
        ("nothing after 12 s", "12초 동안 응답이 시작되지 않음", "nothing after 12 s"),
        ("closed before 0.5 s", "0.5초가 되기 전에 연결을 닫음", "closed before 0.5 s"),
        ("cut after 2 of 9 bytes", "본문 9바이트 중 2바이트에서 끊김", "cut after 2 of 9 bytes"),
        ("head_malformed", "헤더 형식 오류 또는 중복된 헤더", "malformed or repeated headers"),
        ("404 40402", "404 40402", "404 40402"),
        ("tls_expired", "tls_expired", "tls_expired"),
    ],
)
def test_a_problem_is_in_one_language(received, korean, english):
    assert (describe_received(received, "ko"), describe_received(received, "en")) == (korean, english)


def test_each_problem_has_both_languages():
    for text in PROBLEMS.values():
        assert text.en.isascii()
        assert not text.ko.isascii()


def test_problems_of_headers_and_responses_are_in_the_table():
    responses = {Violation.HEAD_MALFORMED, Violation.HEAD_TOO_LARGE, Violation.BODY_MALFORMED, Violation.BODY_TOO_LARGE}
    assert PROBLEMS.keys() >= {OTHER_VALUE, OTHER_CASE, CUT_VALUE, *responses}

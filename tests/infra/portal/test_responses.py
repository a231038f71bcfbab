import json
import threading
from dataclasses import replace

import pytest

from relay.infra.portal import responses as answers
from relay.infra.portal.connection import RawResponse
from relay.infra.portal.responses import MIN_THREAD_BYTES, Verdict, check_rsp_code, find_code, judge_response

TRAN_ID = "RLAY000001R00000000000001"
GOOD = RawResponse("", 200, (TRAN_ID,), "application/json", b'{"rsp_code":"00000"}')


async def judge(raw):
    return await judge_response(raw, TRAN_ID, check_rsp_code)


@pytest.mark.parametrize("code", ["00000", "00001"])
async def test_a_success_is_accepted(code):
    response = await judge(replace(GOOD, content=b'{"rsp_code":"%s","a":[1]}' % code.encode()))
    assert (response.verdict, response.status, response.rsp_code, response.outcome) == (
        Verdict.ACCEPTED,
        200,
        code,
        "ok",
    )
    assert response.body["a"] == [1]
    assert "body" not in repr(response)


async def test_a_response_without_tran_id_is_accepted():
    assert (await judge(replace(GOOD, tran_ids=()))).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("changed", "verdict", "outcome"),
    [
        ({"problem": "no connection"}, Verdict.RETRY, "no connection"),
        ({"problem": "too long", "is_retryable": False}, Verdict.FAILED, "too long"),
        ({"tran_ids": ("other",)}, Verdict.RETRY, "the answer names another call"),
        ({"tran_ids": (TRAN_ID, "other")}, Verdict.RETRY, "the answer names another call"),
        ({"status": 403, "tran_ids": ("other",)}, Verdict.RETRY, "the answer names another call"),
        ({"content": b""}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b"<html>"}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b"[]"}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b'{"rsp_code":"00000"'}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b'{"rsp_code":"00000","rsp_code":"00000"}'}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b'{"rsp_code":"00000","a":NaN}'}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b'{"a":' + b"[" * 100_000}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b'{"a":' + b"1" * 5_000 + b"}"}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content_type": "text/html"}, Verdict.RETRY, "the answer is not a JSON object"),
        ({"content": b"{}"}, Verdict.RETRY, "the answer has no rsp_code"),
        ({"content": b'{"rsp_code":0}'}, Verdict.RETRY, "the answer has no rsp_code"),
        ({"content": b'{"rsp_code":"40303"}'}, Verdict.REFUSED, "refused"),
        ({"content": b'{"rsp_code":"50001"}'}, Verdict.RETRY, "refused"),
        ({"content": b'{"rsp_code":"42901"}'}, Verdict.RETRY, "refused"),
        ({"status": 201}, Verdict.RETRY, "HTTP 201"),
        ({"status": 204}, Verdict.RETRY, "HTTP 204"),
        ({"status": 301}, Verdict.RETRY, "HTTP 301"),
        ({"status": 400}, Verdict.REFUSED, "refused"),
        ({"status": 499}, Verdict.REFUSED, "refused"),
        ({"status": 429}, Verdict.RETRY, "HTTP 429"),
        ({"status": 500}, Verdict.RETRY, "HTTP 500"),
        ({"status": 503}, Verdict.RETRY, "HTTP 503"),
    ],
)
async def test_other_responses_are_refused_or_retried(changed, verdict, outcome):
    response = await judge(replace(GOOD, **changed))
    assert (response.verdict, response.outcome) == (verdict, outcome)
    assert response.body == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"rsp_code": "40001"}, "40001"),
        ({"error": "invalid_client"}, "invalid_client"),
        ({"rsp_code": "secret value", "error": "Bad!"}, ""),
        ({"rsp_code": None, "error": 7}, ""),
        (None, ""),
    ],
)
def test_only_a_well_formed_code_is_returned(body, code):
    assert find_code(body) == code


@pytest.mark.parametrize(("size", "is_on_thread"), [(MIN_THREAD_BYTES - 1, False), (MIN_THREAD_BYTES, True)])
async def test_a_large_response_is_parsed_on_a_thread(monkeypatch, size, is_on_thread):
    calls = []

    def record(content):
        calls.append(threading.current_thread() is not threading.main_thread())
        return json.loads(content)

    monkeypatch.setattr(answers, "read_object", record)
    content = b'{"rsp_code":"00000","a":"' + b"x" * (size - 27) + b'"}'
    assert (await judge(replace(GOOD, content=content))).verdict is Verdict.ACCEPTED
    assert (len(content), calls) == (size, [is_on_thread])


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1", b'""'])
async def test_a_response_with_too_many_values_is_not_parsed(monkeypatch, value):
    """Empty lists take thirty times the memory of their text."""
    monkeypatch.setattr(answers, "MAX_VALUES", 100)
    for count, verdict in ((40, Verdict.ACCEPTED), (120, Verdict.RETRY)):
        content = b'{"rsp_code":"00000","a":[' + b",".join([value] * count) + b"]}"
        assert (await judge(replace(GOOD, content=content))).verdict is verdict

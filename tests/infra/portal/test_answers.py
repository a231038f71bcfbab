import json
import threading
from dataclasses import replace

import pytest

from relay.infra.portal import answers
from relay.infra.portal.answers import THREAD_FROM, Verdict, code_of, judged, lacks_code
from relay.infra.portal.connection import Heard

TRAN_ID = "RLAY000001R00000000000001"
GOOD = Heard("", 200, (TRAN_ID,), "application/json", b'{"rsp_code":"00000"}')


async def verdict_on(heard):
    return await judged(heard, TRAN_ID, lacks_code)


@pytest.mark.parametrize("code", ["00000", "00001"])
async def test_a_success_is_taken(code):
    answer = await verdict_on(replace(GOOD, content=b'{"rsp_code":"%s","a":[1]}' % code.encode()))
    assert (answer.verdict, answer.status, answer.rsp_code, answer.outcome) == (Verdict.TAKEN, 200, code, "ok")
    assert answer.body["a"] == [1]
    assert "body" not in repr(answer)


async def test_an_answer_without_tran_id_is_taken():
    assert (await verdict_on(replace(GOOD, tran_ids=()))).verdict is Verdict.TAKEN


@pytest.mark.parametrize(
    ("changed", "verdict", "outcome"),
    [
        ({"words": "no connection"}, Verdict.AGAIN, "no connection"),
        ({"words": "too long", "again": False}, Verdict.HOPELESS, "too long"),
        ({"tran_ids": ("other",)}, Verdict.AGAIN, "the answer names another call"),
        ({"tran_ids": (TRAN_ID, "other")}, Verdict.AGAIN, "the answer names another call"),
        ({"status": 403, "tran_ids": ("other",)}, Verdict.AGAIN, "the answer names another call"),
        ({"content": b""}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b"<html>"}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b"[]"}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b'{"rsp_code":"00000"'}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b'{"rsp_code":"00000","rsp_code":"00000"}'}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b'{"rsp_code":"00000","a":NaN}'}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b'{"a":' + b"[" * 100_000}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b'{"a":' + b"1" * 5_000 + b"}"}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content_type": "text/html"}, Verdict.AGAIN, "the answer is no JSON object"),
        ({"content": b"{}"}, Verdict.AGAIN, "the answer has no rsp_code"),
        ({"content": b'{"rsp_code":0}'}, Verdict.AGAIN, "the answer has no rsp_code"),
        ({"content": b'{"rsp_code":"40303"}'}, Verdict.REFUSED, "refused"),
        ({"content": b'{"rsp_code":"50001"}'}, Verdict.AGAIN, "refused"),
        ({"content": b'{"rsp_code":"42901"}'}, Verdict.AGAIN, "refused"),
        ({"status": 201}, Verdict.AGAIN, "HTTP 201"),
        ({"status": 204}, Verdict.AGAIN, "HTTP 204"),
        ({"status": 301}, Verdict.AGAIN, "HTTP 301"),
        ({"status": 400}, Verdict.REFUSED, "refused"),
        ({"status": 499}, Verdict.REFUSED, "refused"),
        ({"status": 429}, Verdict.AGAIN, "HTTP 429"),
        ({"status": 500}, Verdict.AGAIN, "HTTP 500"),
        ({"status": 503}, Verdict.AGAIN, "HTTP 503"),
    ],
)
async def test_other_answers_are_refusals_or_worth_another_attempt(changed, verdict, outcome):
    answer = await verdict_on(replace(GOOD, **changed))
    assert (answer.verdict, answer.outcome) == (verdict, outcome)
    assert answer.body == {}


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
def test_only_a_well_formed_code_is_told(body, code):
    assert code_of(body) == code


@pytest.mark.parametrize(("size", "aside"), [(THREAD_FROM - 1, False), (THREAD_FROM, True)])
async def test_a_large_answer_is_parsed_aside(monkeypatch, size, aside):
    seen = []

    def noted(content):
        seen.append(threading.current_thread() is not threading.main_thread())
        return json.loads(content)

    monkeypatch.setattr(answers, "read_object", noted)
    content = b'{"rsp_code":"00000","a":"' + b"x" * (size - 27) + b'"}'
    assert (await verdict_on(replace(GOOD, content=content))).verdict is Verdict.TAKEN
    assert (len(content), seen) == (size, [aside])


@pytest.mark.parametrize("one", [b"[]", b"{}", b"1", b'""'])
async def test_an_answer_of_more_values_than_a_list_has_is_not_read(monkeypatch, one):
    """Empty lists take thirty times the memory of their text."""
    monkeypatch.setattr(answers, "VALUES_MOST", 100)
    for count, verdict in ((40, Verdict.TAKEN), (120, Verdict.AGAIN)):
        content = b'{"rsp_code":"00000","a":[' + b",".join([one] * count) + b"]}"
        assert (await verdict_on(replace(GOOD, content=content))).verdict is verdict

"""Broken responses of a core that speaks JSON: each has its rsp_code and the exact place, and never a value."""

import asyncio
import json

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.json_core import INSURER, JsonCore
from fixtures.life_insurer import CASES
from fixtures.waiting import until

ENVIRONMENT_CLASS = AdapterEnvironment
PATH = "/v1/insu"
SECRET = "secret-7"


def ENVIRONMENT(_):  # noqa: N802 - read by conftest
    return [JsonCore(timeouts={"connect_s": 1, "first_byte_s": 1.5, "total_s": 2})], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def change(**values):
    """Answers with the policy of the case, in which values at paths (`a__b`) are replaced."""

    def answer(request):
        body = json.loads(json.dumps(request.wrap(CASES["IS02"][1])))
        for path, value in values.items():
            *keys, last = path.split("__")
            member = body
            for key in keys:
                member = member[int(key)] if key.isdigit() else member[key]
            if value is ...:
                del member[last]
            else:
                member[last] = value
        request.send(body)

    return answer


def rewrite(edit):
    """Answers with the text of the case, changed by `edit`."""

    def answer(request):
        text = json.dumps(request.wrap(CASES["IS02"][1]), ensure_ascii=False)
        changed = edit(text)
        request.send(changed if isinstance(changed, bytes) else changed.encode())

    return answer


def send(values=None, status=200, **fields):
    """Answers with the case, or with other values or bytes."""

    def answer(request):
        request.send(request.wrap(CASES["IS02"][1]) if values is None else values, status, **fields)

    return answer


def cut(request):
    body = json.dumps(request.wrap(CASES["IS02"][1])).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request.writer.write(head.encode() + body[:40])
    request.writer.close()


def write(data):
    def answer(request):
        request.writer.write(data)
        request.writer.close()

    return answer


def send_endless(request):
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    for _ in range(24):
        request.writer.write(piece)


def stall(request):
    request.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")


P = "data.policy"
BROKEN = {
    "no JSON": (send(b"resultCode=OK"), "50007", "IS02.yaml response: offset 0: $: expected JSON"),
    "truncated JSON": (rewrite(lambda text: text[:-30]), "50007", "$: expected JSON"),
    "two documents": (rewrite(lambda text: text + text), "50007", "$: expected JSON"),
    "an empty body": (send(b""), "50007", "offset 0: $: expected JSON"),
    "another charset": (rewrite(lambda text: text.encode("euc-kr")), "50007", "$: expected JSON in UTF-8"),
    "a byte order mark": (rewrite(lambda text: b"\xef\xbb\xbf" + text.encode()), "50007", "$: expected JSON"),
    "another charset in its type": (
        send(content_type="application/json; charset=EUC-KR"), "50007", "Content-Type: expected the charset UTF-8"),
    "a page of a proxy": (send(b"<html>", content_type="text/html"), "50007", "Content-Type: expected application/"),
    "a compressed body": (send(Content_Encoding="gzip"), "50007", "Content-Encoding: expected no content coding"),
    "a duplicate name": (
        rewrite(lambda text: text.replace('"flags"', f'"policyNo": "{SECRET}", "flags"')),
        "50007", "$: expected objects without duplicate names"),
    "NaN": (rewrite(lambda text: text.replace("100000000.125", "NaN")), "50007", "JSON, which has no NaN"),
    "Infinity": (rewrite(lambda text: text.replace("100000000.125", "-Infinity")), "50007", "no NaN or Infinity"),
    "nested too deeply": (send(b"[" * 100_000), "50007", "$: expected fewer lists and objects in each other"),
    "a list instead of an object": (send(b"[]"), "50007", "$: expected an object"),
    "a number instead of an object": (change(data__policy=7), "50007", f"$.{P}: expected an object"),
    "longer than max_bytes": (send(b'"' + b"x" * 1_100_000 + b'"'), "50007", "$: expected at most 1048576 bytes"),
    "endless": (send_endless, "50007", "$: expected at most 1048576 bytes"),
    "no response code": (change(result__code=...), "50007", "$.result.code: expected a response code"),
    "another request's number": (
        change(result__requestNo="999999999999"), "50007", "$.result.requestNo: expected the $unique_number of the"),
    "no number of the request": (
        change(result__requestNo=None), "50007", "$.result.requestNo: expected the $unique_number of the request"),
    "another policy": (
        change(data__policy__policyNo=SECRET), "50007", f"$.{P}.policyNo: expected the $insu_num of the request"),
    "no policy": (change(data__policy=None), "50007", f"$.{P}.policyNo: expected the $insu_num of the request"),
    "a day that no calendar has": (
        change(data__policy__period__to="2026-02-30"), "50007", f"$.{P}.period.to: expected a date, YYYY-MM-DD"),
    "a date of another form": (
        change(data__policy__period__to="20260131"), "50007", f"$.{P}.period.to: expected a date, YYYY-MM-DD"),
    "a date missing": (
        change(data__policy__period__to=None), "50007", f"$.{P}.period.to (exp_date): expected a value: the standard"),
    "text instead of a number": (
        change(data__policy__sumInsured__amount=SECRET), "50007", f"$.{P}.sumInsured.amount: expected a number of at"),
    "too many digits": (
        change(data__policy__sumInsured__amount=10**15), "50007", "expected a number of at most 15 digits and 3"),
    "too many decimals": (
        rewrite(lambda text: text.replace("0.125", "0.12345")), "50007", f"$.{P}.sumInsured.amount: expected a number"),
    "a truth value as text": (
        change(data__policy__flags__loanable=SECRET), "50007", f"$.{P}.flags.loanable: expected true or false"),
    "a number that is a truth value": (
        change(data__policy__sumInsured__amount=True), "50007", f"$.{P}.sumInsured.amount: expected a number"),
    "an object instead of a text": (
        change(data__policy__persons__0__maskedName={"a": SECRET}), "50007", f"$.{P}.persons[0].maskedName: expected"),
    "half a character": (
        rewrite(lambda text: text.replace("김", "\\ud800")), "50007", f"$.{P}.persons[0].maskedName: expected text of"),
    "a control character": (
        rewrite(lambda text: text.replace("김", "\\u0007")), "50007", "maskedName: expected text without control"),
    "a text too long": (
        change(data__policy__persons__0__maskedName="가" * 11), "50007", "persons[0].maskedName: expected at most 10"),
    "a row that is no object": (
        change(data__policy__persons=[{"seq": 1, "maskedName": "김*람", "main": True}, SECRET]),
        "50007", f"$.{P}.persons[1]: expected an object"),
    "no list": (change(data__policy__persons=...), "50007", f"$.{P}.persons: expected a list"),
    "too many rows": (
        change(data__policy__persons=[{}] * 11), "50007", f"$.{P}.persons: expected at most 10 rows"),
    "a code that no table has": (
        change(data__policy__pension={"everyMonths": 7}), "50007", f"$.{P}.pension.everyMonths (pension_rcv_cycle): "),
    "no HTTP": (write(b"0040OK\r\n\r\n"), "50005", ""),
    "a cut body": (cut, "50005", ""),
    "a closed connection": (write(b""), "50005", ""),
    "half a body": (stall, "50003", ""),
}  # fmt: skip
"""Name -> answer, rsp_code, part of the detail."""


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_response_has_its_place(env, name):
    answer, rsp_code, detail = BROKEN[name]
    core = env.institutions[INSURER]

    async def script(request, _):
        answer(request)

    core.script = script
    values = {"org_code": INSURER, "insu_num": CASES["IS02"][0]["insu_num"], "search_timestamp": "0"}
    call = env.build_post(f"{PATH}/insurances/basic", values, provider=INSURER)
    received = await env.call(call)
    assert (received.status, received.rsp_code) == (500, rsp_code)
    exchange = await env.get_exchange()
    assert detail in exchange.detail, exchange.detail
    assert SECRET not in exchange.detail + exchange.reason + received.body.decode()
    if rsp_code == "50007":
        assert exchange.reason == "conversion_failed"


async def test_a_good_response_follows_all_broken_ones(env):
    env.institutions[INSURER].data["IS02"] = CASES["IS02"][1]
    values = {"org_code": INSURER, "insu_num": CASES["IS02"][0]["insu_num"], "search_timestamp": "0"}

    async def call():
        return await env.call(env.build_post(f"{PATH}/insurances/basic", values, provider=INSURER))

    answers = [await call() for _ in range(3)]
    assert [answer.rsp_code for answer in answers] == ["00000"] * 3


async def test_answers_of_parallel_calls_are_never_exchanged(env):
    """The core answers in reverse order; each call gets its own policy."""
    core, waiting = env.institutions[INSURER], []

    async def script(request, _):
        waiting.append(request)

    core.script = script
    calls = []
    for index in range(5):
        values = {"org_code": INSURER, "insu_num": f"P{index}", "search_timestamp": "0"}
        call = env.build_post(f"{PATH}/insurances/basic", values, provider=INSURER)
        calls.append(asyncio.create_task(env.call(call)))
    await until(lambda: len(waiting) == 5, "5 calls")
    for request in reversed(waiting):
        policy = CASES["IS02"][1]["policy"] | {"policyNo": request.path.rpartition("/")[2]}
        persons = [{"seq": 1, "maskedName": policy["policyNo"], "main": True}]
        request.send(request.wrap({"policy": policy | {"persons": persons}}))
    names = [(await call).json()["insured_list"][0]["insured_name"] for call in calls]
    assert names == [f"P{index}" for index in range(5)]

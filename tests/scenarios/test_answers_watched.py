"""Answers of institutions over real sockets: passed on unchanged, checked beside the call, counted by rule."""

import json
import re

import pytest
from fixtures.gateway_environment import ACCOUNT, LONG_TIMEOUTS
from fixtures.institution import Institution, build_response
from fixtures.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

WATCHED, UNWATCHED = "ZBAA000001", "ZBAA000002"
MOVEMENTS = "/v1/bank/accounts/deposit/transactions"
PERIOD = {"from_date": "20261101", "to_date": "20261130", "limit": "2"}
SECRET = "9876543210987"


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    watched = Institution(WATCHED, "bank", timeouts=LONG_TIMEOUTS, answers="all")
    return [watched, Institution(UNWATCHED, "bank", timeouts=LONG_TIMEOUTS, answers="off")], {}


def build_page(days, **more):
    row = {
        "trans_dtime": "", "trans_no": "1", "trans_type": "03", "trans_class": "이체", "currency_code": "KRW",
        "trans_amt": "1000.000", "balance_amt": "5000.000",
    }  # fmt: skip
    rows = [row | {"trans_dtime": day} for day in days]
    page = {"rsp_code": "00000", "rsp_msg": "성공", "trans_cnt": str(len(rows)), "trans_list": rows} | more
    return json.dumps(page, ensure_ascii=False).encode()


def answer_with(body):
    async def script(_call, wire):
        await wire.send(build_response(body))

    return script


async def read_counts(env, name):
    """Returns the values of a counter by its labels, sorted by their names."""
    answer = await env.admin("/metrics")
    series = re.findall(rf"^{name}_total\{{(.*)\}} (.*)$", answer.body.decode(), re.MULTILINE)
    return {tuple(re.findall(r'="([^"]*)"', labels)): int(float(value)) for labels, value in series}


async def ask(env, body, provider=WATCHED, **parameters):
    """Returns the operator's answer; the institution answers with `body`."""
    env.institutions[provider].script = answer_with(body)
    data = env.build_post(MOVEMENTS, PERIOD | parameters, provider=provider)
    return await env.call(data)


async def wait_checked(env, number):
    await until(lambda: env.relay.answers.counts.checked.total() >= number, "checked answers")


async def test_each_broken_rule_is_counted_and_no_value_is_kept(env, caplog):
    pages = {
        "period": build_page(["20261130", "20260101"]),
        "order": build_page(["20261102", "20261130"]),
        "limit": build_page(["20261103", "20261102", "20261101"]),
        "count": build_page(["20261103"], trans_cnt="2"),
        "next_page": build_page(["20261103"], next_page="p2"),
        "asset": build_page(["20261103"], account_num=SECRET),
        "code_unknown": b'{"rsp_code":"77777","rsp_msg":"?"}',
        "code_missing": b'{"result":"OK"}',
        "json": b'{"rsp_code":"00000","rsp_msg":"a",}',
    }
    for body in pages.values():
        answer = await ask(env, body, next_page="p2")
        assert (answer.status, answer.body) == (200, body)
    assert (await ask(env, build_page(["20261103"]))).status == 200
    await wait_checked(env, len(pages) + 1)
    assert await read_counts(env, "relay_answers_checked") == {
        ("BA04", WATCHED, "broken"): len(pages),
        ("BA04", WATCHED, "clean"): 1,
    }
    broken = await read_counts(env, "relay_answers_broken")
    assert broken == {
        ("BA04", "trans_list[].trans_dtime", WATCHED, "period"): 1,
        ("BA04", "trans_list[].trans_dtime", WATCHED, "order"): 1,
        ("BA04", "trans_list", WATCHED, "limit"): 1,
        ("BA04", "trans_cnt", WATCHED, "count"): 1,
        ("BA04", "next_page", WATCHED, "next_page"): 1,
        ("BA04", "account_num", WATCHED, "asset"): 1,
        ("BA04", "", WATCHED, "unknown_field"): 1,
        ("BA04", "rsp_code", WATCHED, "code_unknown"): 1,
        ("BA04", "rsp_code", WATCHED, "code_missing"): 1,
        ("BA04", "", WATCHED, "json"): 1,
    }
    assert await read_counts(env, "relay_answers_unknown_codes") == {("77777", WATCHED): 1}
    metrics = (await env.admin("/metrics")).body.decode()
    assert not {SECRET, ACCOUNT} & set(re.findall(r"\d+", metrics + caplog.text))


async def test_a_streamed_answer_is_checked_as_a_whole(env):
    before = env.relay.answers.counts.checked.total()
    limit_before = (await read_counts(env, "relay_answers_broken")).get(("BA04", "trans_list", WATCHED, "limit"), 0)
    answer = await ask(env, build_page(["20261103"] * 1000))
    assert (answer.status, len(answer.body) > 100_000) == (200, True)
    await wait_checked(env, before + 1)
    broken = await read_counts(env, "relay_answers_broken")
    assert broken["BA04", "trans_list", WATCHED, "limit"] == limit_before + 1


async def test_an_institution_that_is_not_watched_has_no_counts(env):
    assert (await ask(env, b'{"result":"OK"}', provider=UNWATCHED)).status == 200
    assert (await ask(env, build_page(["20261103"]))).status == 200
    await until(lambda: env.relay.answers.counts.checked, "a checked answer")
    counted = {labels[1] for labels in await read_counts(env, "relay_answers_checked")}
    assert counted == {WATCHED}

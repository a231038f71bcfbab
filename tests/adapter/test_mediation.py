import asyncio
import json

import pytest

from relay.adapter.mediation import serve_call
from relay.domain.fault import FAULTS, Refusal
from relay.policy.mediation.conversion import Call

BANK = "ZBAC000001"
NOW = 1_800_000_000.0
ACCOUNT = {"account_num": "110200300400", "seqno": "001"}
PERIOD = {**ACCOUNT, "from_date": "20260101", "to_date": "20260131"}
ROW = {"tran_date": "20260131", "tran_time": "101112", "trans_no": "1", "kind": "10", "trans_class": "급여",
       "currency_code": "KRW", "trans_amt": "5", "balance_amt": "1"}  # fmt: skip


def serve(plan, api_code, parameters, org_code=BANK):
    call = Call(org_code, {"org_code": org_code, **parameters}, consent="c1", user_ci="c" * 88)
    return serve_call(plan, api_code, call, lambda: NOW)


async def catch(serving):
    with pytest.raises(Refusal) as caught:
        await serving
    return caught.value.fault.name, caught.value.detail


def rows(first, count, more="N"):
    numbered = [ROW | {"trans_no": str(first + number)} for number in range(count)]
    key = {"next_date": "20260131", "next_no": str(first + count)} if more == "Y" else {}
    return {"more": more, "trans_list": numbered, **key}


async def test_a_call_becomes_one_telegram(plan, listed_core, cases):
    parameters, values, body = cases["BA12"]
    listed_core.responses = [values]
    answer = await serve(plan, "BA12", parameters)
    assert json.loads(answer.body) == {"rsp_code": "00000", "rsp_msg": "성공", **body}
    assert 9 < listed_core.deadlines[0] - asyncio.get_running_loop().time() <= 10


async def test_a_page_may_take_several_telegrams(plan, listed_core):
    listed_core.responses = [rows(0, 3, "Y"), rows(3, 3, "Y"), rows(6, 1)]
    answer = await serve(plan, "BA04", PERIOD | {"limit": "100"})
    assert len(json.loads(answer.body)["trans_list"]) == 7
    assert len(listed_core.requests) == 3


async def test_a_page_ends_early_when_most_time_is_used(plan, listed_core, monkeypatch):
    times = iter([0.0, 7.0])
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: next(times), raising=False)
    listed_core.responses = [rows(0, 3, "Y")]
    body = json.loads((await serve(plan, "BA04", PERIOD | {"limit": "100"})).body)
    monkeypatch.undo()
    assert (len(body["trans_list"]), "next_page" in body) == (3, True)


async def test_rows_before_a_fault_are_a_page(plan, listed_core):
    listed_core.responses = [rows(0, 3, "Y"), Refusal(FAULTS["provider_reset"], "closed")]
    body = json.loads((await serve(plan, "BA04", PERIOD | {"limit": "100"})).body)
    assert (len(body["trans_list"]), "next_page" in body) == (3, True)
    listed_core.responses = [rows(3, 1)]
    body = json.loads((await serve(plan, "BA04", PERIOD | {"limit": "100", "next_page": body["next_page"]})).body)
    assert [int(row["trans_no"]) for row in body["trans_list"]] == [3]


async def test_what_cannot_be_converted_is_50007_with_its_place(plan, listed_core):
    listed_core.responses = [b"000200" + b"x" * 200]
    assert await catch(serve(plan, "BA12", ACCOUNT)) == (
        "conversion_failed",
        "BA12 response: offset 6: msg_type: expected 4 digits",
    )


async def test_a_parameter_that_fits_in_no_telegram_is_50007(plan, listed_core):
    name, detail = await catch(serve(plan, "BA04", PERIOD | {"limit": "9", "from_date": "20260230"}))
    assert (name, detail) == ("conversion_failed", "BA04 request: offset 217: from_date: expected a date, YYYYMMDD")


@pytest.mark.parametrize("asset", [{"account_num": "1" * 21}, {"seqno": "12345678"}])
async def test_an_account_that_fits_in_no_telegram_is_unknown(plan, listed_core, asset):
    answer = await serve(plan, "BA12", ACCOUNT | asset)
    assert (answer.status, answer.rsp_code) == (404, "40402")
    assert json.loads(answer.body).keys() == {"rsp_code", "rsp_msg"}
    assert listed_core.responses == []


@pytest.mark.parametrize("fault", ["provider_silent", "connect_refused", "provider_reset"])
async def test_a_fault_of_the_core_stays(plan, listed_core, fault):
    listed_core.responses = [Refusal(FAULTS[fault], "why")]
    assert await catch(serve(plan, "BA12", ACCOUNT)) == (fault, "why")


async def test_an_unknown_code_of_the_core_is_named(plan, listed_core):
    listed_core.responses = [{"resp_code": "7777"}]
    assert await catch(serve(plan, "BA12", ACCOUNT)) == ("code_unknown", "resp_code: 7777")


async def test_a_code_that_is_none_is_not_repeated(plan, listed_core):
    listed_core.responses = [{"resp_code": "7 .1"}]
    assert await catch(serve(plan, "BA12", ACCOUNT)) == ("code_unknown", "resp_code")


async def test_a_cursor_of_another_call_is_40001(plan):
    refused = serve(plan, "BA04", PERIOD | {"next_page": "a" * 40})
    assert await catch(refused) == ("parameter_malformed", "next_page (같은 조회의 이전 응답에 있는 값)")


async def test_an_unknown_institution_or_api_is_refused(plan):
    assert (await catch(serve(plan, "BA12", ACCOUNT, "ZBAC000002")))[0] == "provider_unknown"
    assert (await catch(serve(plan, "IR01", ACCOUNT)))[0] == "api_not_offered"

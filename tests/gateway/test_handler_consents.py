import asyncio
import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from relay.domain.fault import FAULTS, Refusal
from relay.infra.quota.local import LocalQuotaCounters
from relay.policy.quota.limits import LimitTable
from relay.policy.settings.scalars import Rate

TODAY = f"{datetime.now(UTC):%Y%m%d}"
TRANSACTIONS = json.dumps(
    {"org_code": "ZBAA000002", "account_num": "1", "from_date": TODAY, "to_date": TODAY, "limit": "10"}
).encode()
MEMO = b'{"rsp_code":"00000","trans_list":[{"trans_memo":"private"}]}'


def test_the_consents_are_answered_from_the_ledger(scene):
    scene.ask("/v1/bank/consents?org_code=ZBAA000001")
    assert json.loads(scene.connection.body) == {"rsp_code": "00000", "scope_list": []}
    assert scene.upstream.asked == []
    assert [(exchange.api_code, exchange.status) for exchange in scene.records] == [("CM02", 200)]


def test_the_institution_gets_the_ci_of_the_grant(scene):
    scene.ask(x_user_ci="another")
    request = scene.upstream.asked[0](0)
    assert b"\r\nx-user-ci: the-ci\r\n" in request
    assert b"another" not in request


@pytest.mark.parametrize(
    ("withheld", "body", "is_coded"),
    [({"trans_memo"}, b'{"rsp_code":"00000","trans_list":[{}]}', False), ((), MEMO, True), ({"other"}, MEMO, True)],
)
def test_withheld_fields_are_removed_from_the_response(scene, withheld, body, is_coded):
    object.__setattr__(scene.token_verifier.known, "org_code", "ZBAA000002")
    scene.grants.grant.withheld = frozenset(withheld)
    lines = {"Content_Type": "application/json", "Accept_Encoding": "gzip"}
    scene.ask("/v1/bank/accounts/deposit/transactions", "POST", body=TRANSACTIONS, **lines)
    scene.upstream.receiver.response_received(200, {b"content-length": b"1"}, MEMO)
    assert scene.connection.body == body
    assert (b"accept-encoding: gzip" in scene.upstream.asked[0](0)) is is_coded


@pytest.fixture
def waiting(scene):
    """A scene whose ledger answers once `grants.answered` is set."""
    scene.grants.unknown, scene.grants.answered = True, asyncio.Event()
    return scene


async def answer_ledger(scene):
    scene.grants.answered.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


async def test_a_call_continues_after_its_grant_is_fetched(waiting):
    waiting.ask()
    assert (waiting.upstream.asked, waiting.recorded, waiting.gateway.in_flight) == ([], [], 1)
    await answer_ledger(waiting)
    assert (len(waiting.upstream.asked), waiting.grants.fetched, waiting.gateway.in_flight) == (1, ["one"], 1)
    headers = {b"x-api-tran-id": b"ZOPA000001M00000000000001"}
    waiting.upstream.receiver.response_received(200, headers, b'{"rsp_code":"00000"}')
    assert (waiting.recorded, waiting.gateway.in_flight) == ([""], 0)


async def test_an_operator_that_disconnects_meanwhile_ends_the_call(waiting):
    waiting.ask()
    waiting.connection.source.peer_disconnected()
    assert (waiting.recorded, waiting.gateway.in_flight) == (["operator_gone"], 0)
    await answer_ledger(waiting)
    assert (waiting.upstream.asked, len(waiting.recorded), waiting.connection.written) == ([], 1, b"")


async def test_a_plan_replaced_meanwhile_judges_the_call(waiting, replan):
    waiting.ask()
    waiting.gateway.swap(replan(("ZOPA000002", "999-81-01002")), {}, waiting.dependencies)
    await answer_ledger(waiting)
    assert waiting.recorded == ["serial_unknown"]
    assert (waiting.upstream.asked, waiting.connection.source, waiting.gateway.in_flight) == ([], None, 0)


@pytest.mark.parametrize(("fault", "rsp_code"), [("ledger_unreachable", "50001"), ("token_unknown", "40101")])
async def test_a_missing_grant_ends_the_call(waiting, fault, rsp_code):
    waiting.ask()
    waiting.grants.refused = fault
    await answer_ledger(waiting)
    assert (json.loads(waiting.connection.body)["rsp_code"], waiting.recorded) == (rsp_code, [fault])


async def test_a_waiting_call_is_judged_by_the_time_after_the_wait(waiting, monotonic):
    waiting.ask()
    monotonic.now += 8.0
    await answer_ledger(waiting)
    (_, before), (_, after) = waiting.token_verifier.asked
    assert after - before == 8.0
    assert waiting.counters.taken == [("ZOPA000001", "ZBAA000001", "ZOPA000001SVC01", False, 9.0)]


async def test_a_token_that_expired_meanwhile_is_refused(waiting, monotonic, monkeypatch):
    known = waiting.token_verifier.verify
    ends = time.time() + 5.0

    def refuse_late(authorization, now):
        if now >= ends:
            raise Refusal(FAULTS["token_unknown"])
        return known(authorization, now)

    monkeypatch.setattr(waiting.token_verifier, "verify", refuse_late)
    waiting.ask()
    monotonic.now += 8.0
    await answer_ledger(waiting)
    assert (waiting.recorded, waiting.upstream.asked) == (["token_unknown"], [])


async def test_a_consent_that_ended_meanwhile_is_refused(waiting, monotonic):
    waiting.grants.grant.ends_at = time.time() + 5.0
    waiting.ask()
    monotonic.now += 8.0
    await answer_ledger(waiting)
    assert (waiting.recorded, waiting.upstream.asked) == (["consent_ended"], [])


async def test_later_calls_do_not_refuse_a_waiting_one(waiting, monotonic):
    rate = Rate(per_second=1, burst=2)
    counters = LocalQuotaCounters(LimitTable(rate, {"ZBAA000001": rate}))
    waiting.gateway.swap(waiting.gateway.plan, {}, replace(waiting.dependencies, quotas=counters))
    waiting.ask("/v1/bank/consents?org_code=ZBAA000001")
    for monotonic.now in (3.0, 4.0, 5.0):
        counters.take(("ZOPA000001", "ZBAA000001", "", False), monotonic.now)
    await answer_ledger(waiting)
    assert waiting.recorded == [""]


async def test_later_refusals_do_not_refuse_a_waiting_call(waiting, monotonic):
    waiting.ask()
    waiting.grants.refused = "token_revoked"
    monotonic.now = 9.0
    for _ in range(199):
        assert waiting.dependencies.refusals.take(waiting.connection.info, FAULTS["token_revoked"], 9.0) == 0.0
    await answer_ledger(waiting)
    assert waiting.recorded == ["token_revoked"]

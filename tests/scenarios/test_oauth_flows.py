"""Flows of consents and tokens over real sockets. Gateway and authority are processes."""

import asyncio
import os
import signal
import time
from collections import Counter
from datetime import timedelta

import pytest
import pytest_asyncio
import yaml
from fixtures.gateway_environment import request
from fixtures.operator_servers import claims, find_authority_pid
from fixtures.waiting import until
from mydata_sandbox.institution.login import LOGINS
from mydata_sandbox.institution.provider import today_in_korea
from mydata_sandbox.scenarios.tokens import CUT_OFF_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVOKED = "40101"
START_S = 30.0
"""As long as the relay itself waits for a starting authority."""


@pytest.fixture
def institutions(servers):
    return servers.sandbox.institutions


@pytest_asyncio.fixture(loop_scope="module")
async def server(servers):
    return servers.server()


@pytest_asyncio.fixture(loop_scope="module")
async def other(servers):
    """The server of another operator."""
    return servers.server(1)


async def call_data(server, institution, token):
    """Makes a data call with this token. Returns its rsp_code."""
    return (await server.get_data(institution, token)).body["rsp_code"]


async def wait_until_refused(ask):
    """Calls `ask` until a token is refused. Fails if a call that starts CUT_OFF_S later still passes."""
    deadline, sent_at, response = time.monotonic() + CUT_OFF_S, 0.0, ""
    while response != REVOKED:
        assert sent_at < deadline, f"answered {response}"
        sent_at = time.monotonic()
        response = await ask()


async def list_transactions(server, efin, token):
    """Returns rows of 전금-103 of half a year, of every account."""
    today = today_in_korea()
    window = {"from_date": f"{today - timedelta(days=180):%Y%m%d}", "to_date": f"{today:%Y%m%d}", "limit": "500"}
    rows = []
    for account in (await server.get_data(efin, token, "paid")).body["account_list"]:
        response = await server.post_data(efin, token, "paid/transactions", sub_key=account["sub_key"], **window)
        rows += response.body["trans_list"]
    return rows


def collect_names(rows):
    return {name for row in rows for name in row}


async def test_an_authorization_code_flow_from_consent_to_revocation(server, institutions):
    bank = institutions["bank"]
    tokens = (await server.redeem(bank, await server.get_code(bank))).body
    assert tokens["scope"].startswith("bank.list")
    assert await call_data(server, bank, tokens["access_token"]) == "00000"
    renewed = (await server.refresh(bank, tokens["refresh_token"])).body
    assert await call_data(server, bank, renewed["access_token"]) == "00000"
    assert await call_data(server, bank, tokens["access_token"]) == REVOKED
    assert (await server.revoke(bank, renewed["access_token"])).body["rsp_code"] == "00000"
    assert await call_data(server, bank, renewed["access_token"]) == REVOKED
    assert (await server.refresh(bank, tokens["refresh_token"])).body["error"] == "invalid_grant"
    assert (await server.revoke(bank, renewed["access_token"])).body["rsp_code"] == "99999"


async def test_a_revoked_token_is_refused_at_once(servers, server, institutions):
    card = institutions["card"]
    async with await servers.connect() as connection:
        for _ in range(10):
            token = (await server.get_tokens(card))["access_token"]
            bearer = server.build_headers(x_api_type="user-refresh", Authorization=f"Bearer {token}")
            path = f"/v1/card/cards?org_code={card.org_code}&search_timestamp=0&limit=10"
            call = request("GET", path, {"Host": "relay.test"} | bearer)
            assert (await connection.call(call)).rsp_code == "00000"
            assert (await server.revoke(card, token)).body["rsp_code"] == "00000"
            assert (await connection.call(call)).rsp_code == REVOKED


async def test_a_refresh_revokes_the_former_access_token(server, institutions):
    bank = institutions["bank"]
    tokens = await server.get_tokens(bank)
    assert await call_data(server, bank, tokens["access_token"]) == "00000"
    renewed = (await server.refresh(bank, tokens["refresh_token"])).body["access_token"]
    assert await call_data(server, bank, tokens["access_token"]) == REVOKED
    assert await call_data(server, bank, renewed) == "00000"


async def test_a_new_consent_revokes_the_token_on_open_connections(servers, server, institutions):
    card = institutions["card"]
    old = await server.get_tokens(card)
    async with await servers.connect() as connection:

        async def ask():
            bearer = server.build_headers(x_api_type="user-refresh", Authorization=f"Bearer {old['access_token']}")
            path = f"/v1/card/cards?org_code={card.org_code}&search_timestamp=0&limit=10"
            return (await connection.call(request("GET", path, {"Host": "relay.test"} | bearer))).rsp_code

        assert await ask() == "00000"
        new = await server.get_tokens(card)
        assert await ask() == REVOKED
    assert (await server.refresh(card, old["refresh_token"])).body["error"] == "invalid_grant"
    assert (await server.get_data(card, new["access_token"], "cards")).body["rsp_code"] == "00000"


async def test_fifty_refreshes_at_once_give_one_token(server, institutions):
    bank = institutions["bank"]
    tokens = await server.get_tokens(bank)
    answers = await asyncio.gather(*(server.refresh(bank, tokens["refresh_token"]) for _ in range(50)))
    assert {response.status for response in answers} == {200}
    given = {
        (payload["jti"], payload["exp"]) for payload in (claims(response.body["access_token"]) for response in answers)
    }
    assert len(given) == 1
    assert await call_data(server, bank, answers[0].body["access_token"]) == "00000"
    await wait_until_refused(lambda: call_data(server, bank, tokens["access_token"]))


async def test_a_code_redeemed_twenty_times_gives_one_revoked_token(server, institutions):
    bank = institutions["bank"]
    code = await server.get_code(bank)
    answers = await asyncio.gather(*(server.redeem(bank, code) for _ in range(20)))
    assert Counter(response.body.get("error", "given") for response in answers) == {"given": 1, "invalid_grant": 19}
    (tokens,) = (response.body for response in answers if response.status == 200)
    await wait_until_refused(lambda: call_data(server, bank, tokens["access_token"]))
    assert (await server.refresh(bank, tokens["refresh_token"])).body["error"] == "invalid_grant"


async def test_fifty_signed_consents_do_not_block_other_calls(servers, server, other, institutions):
    bank, login = institutions["bank"], LOGINS[1]
    other_tokens = await other.get_tokens(bank, login)
    clients = [server, servers.server(service=1)]
    pairs = [(client, institution) for client in clients for institution in institutions.values()]
    forms = [(client, client.build_signed_form(institution)) for client, institution in (pairs * 3)[:50]]
    tasks = [asyncio.ensure_future(client.post("token", form)) for client, form in forms]
    await until(lambda: any(task.done() for task in tasks), "the first response")

    assert (await other.refresh(bank, other_tokens["refresh_token"])).status == 200
    assert not all(task.done() for task in tasks)
    renewed = (await other.refresh(bank, other_tokens["refresh_token"])).body["access_token"]
    for _ in range(5):
        assert await call_data(other, bank, renewed) == "00000"
    pending = sum(not task.done() for task in tasks)
    assert pending > 0

    answers = await asyncio.gather(*tasks)
    assert Counter(response.status for response in answers) == {200: 50}
    assert len({claims(response.body["access_token"])["jti"] for response in answers}) == 50


async def test_a_scheduled_call_needs_a_consent_to_regular_transfer(server, institutions):
    bank = institutions["bank"]
    for scheduled, rsp_code in ((False, "40301"), (True, "00000")):
        token = (await server.get_tokens(bank, is_scheduled=scheduled))["access_token"]
        response = await server.get_data(bank, token, api_type="scheduled")
        assert response.body["rsp_code"] == rsp_code
        assert await call_data(server, bank, token) == "00000"


async def test_the_consents_api_returns_what_the_customer_signed(server, institutions):
    efin = institutions["efin"]
    token = (await server.get_tokens(efin, purpose="가계부 쓰기", days=90))["access_token"]
    consents = (await server.get_data(efin, token, "consents")).body
    assert {name: consents[name] for name in ("is_scheduled", "fnd_cycle", "add_cycle", "purpose", "period")} == {
        "is_scheduled": "true",
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "purpose": "가계부 쓰기",
        "period": "99991231",
    }
    token = (await server.get_tokens(efin, is_scheduled=False))["access_token"]
    consents = (await server.get_data(efin, token, "consents")).body
    assert (consents["is_scheduled"], consents.get("fnd_cycle"), consents.get("add_cycle")) == ("false", None, None)


async def test_fields_without_consent_are_withheld(servers, server, institutions):
    efin = institutions["efin"]
    token = (await server.get_tokens(efin))["access_token"]
    rows = await list_transactions(server, efin, token)
    withheld = {"trans_memo", "merchant_name", "merchant_regno", "trans_category"}
    assert collect_names(rows) & withheld == set()

    file = servers.sandbox.folder / "providers" / "efin.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"withholding": "relay"}, allow_unicode=True))
    reloads = servers.logs.count("settings applied: role=gateway")
    os.kill(servers.running.pid, signal.SIGHUP)
    await until(lambda: servers.logs.count("settings applied: role=gateway") > reloads, "the new plan")
    assert await list_transactions(server, efin, token) == rows

    (unrestricted,) = [visit.token for visit in await servers.running.issue_tokens() if visit.industry == "efin"]
    all_rows = await list_transactions(server, efin, unrestricted)  # with a consent to everything
    assert collect_names(all_rows) >= {"trans_memo", "merchant_name", "trans_category"}
    assert rows == [{name: value for name, value in row.items() if name not in withheld} for row in all_rows]


async def test_a_killed_authority_restarts_and_blocks_no_data_call(servers, server, institutions):
    bank = institutions["bank"]
    tokens = await server.get_tokens(bank)
    former, starts = find_authority_pid(servers.running.pid), servers.logs.count("authority ready")
    os.kill(former, signal.SIGKILL)
    response = await server.refresh(bank, tokens["refresh_token"])
    assert (response.status, response.body["error"]) == (503, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
    assert {await call_data(server, bank, tokens["access_token"]) for _ in range(5)} == {"00000"}
    assert servers.logs.count("authority ready") == starts
    await until(lambda: servers.logs.count("authority ready") > starts, "the authority's restart", START_S)
    assert find_authority_pid(servers.running.pid) != former
    assert (await server.refresh(bank, tokens["refresh_token"])).status == 200
    assert (await server.redeem(bank, await server.get_code(bank))).status == 200

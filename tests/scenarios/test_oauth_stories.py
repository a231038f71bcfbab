"""What consents and tokens promise, over real sockets; gateway and authority are processes."""

import asyncio
import os
import signal
import time
from collections import Counter
from datetime import timedelta

import pytest
import pytest_asyncio
import yaml
from stage.neighbours import claims, pid_of_authority
from stage.town import request
from stage.waiting import until

from relay.sandbox.journey import CUT_OFF_S
from relay.sandbox.login import LOGINS
from relay.sandbox.provider import today_in_korea

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVOKED = "40101"
START_S = 30.0
"""As long as the relay itself waits for an authority that starts."""


@pytest.fixture
def houses(neighbours):
    return neighbours.street.institutions


@pytest_asyncio.fixture(loop_scope="module")
async def server(neighbours):
    return neighbours.server()


@pytest_asyncio.fixture(loop_scope="module")
async def other(neighbours):
    """The server of another operator."""
    return neighbours.server(1)


async def opens(server, at, token):
    """What a call with this token is answered."""
    return (await server.ask(at, token)).body["rsp_code"]


async def cut_off(ask):
    """Ask until a token is refused. A call begun CUT_OFF_S after this moment must be."""
    deadline, asked, said = time.monotonic() + CUT_OFF_S, 0.0, ""
    while said != REVOKED:
        assert asked < deadline, f"answered {said}"
        asked = time.monotonic()
        said = await ask()


async def moves(server, efin, token):
    """Rows of 전금-103 of half a year, of every account."""
    today = today_in_korea()
    window = {"from_date": f"{today - timedelta(days=180):%Y%m%d}", "to_date": f"{today:%Y%m%d}", "limit": "500"}
    rows = []
    for account in (await server.ask(efin, token, "paid")).body["account_list"]:
        said = await server.tell(efin, token, "paid/transactions", sub_key=account["sub_key"], **window)
        rows += said.body["trans_list"]
    return rows


def named(rows):
    return {name for row in rows for name in row}


async def test_a_customer_walks_the_pages_and_the_tokens_open_what_was_consented_to(server, houses):
    bank = houses["bank"]
    tokens = (await server.redeem(bank, await server.code(bank))).body
    assert tokens["scope"].startswith("bank.list")
    assert await opens(server, bank, tokens["access_token"]) == "00000"
    renewed = (await server.refresh(bank, tokens["refresh_token"])).body
    assert await opens(server, bank, renewed["access_token"]) == "00000"
    assert await opens(server, bank, tokens["access_token"]) == REVOKED
    assert (await server.revoke(bank, renewed["access_token"])).body["rsp_code"] == "00000"
    assert await opens(server, bank, renewed["access_token"]) == REVOKED
    assert (await server.refresh(bank, tokens["refresh_token"])).body["error"] == "invalid_grant"
    assert (await server.revoke(bank, renewed["access_token"])).body["rsp_code"] == "99999"


async def test_from_the_answer_to_a_withdrawal_on_its_token_opens_nothing(neighbours, server, houses):
    card = houses["card"]
    async with await neighbours.line() as line:
        for _ in range(10):
            token = (await server.integrated(card))["access_token"]
            bearer = server.headers(x_api_type="user-refresh", Authorization=f"Bearer {token}")
            path = f"/v1/card/cards?org_code={card.org_code}&search_timestamp=0&limit=10"
            call = request("GET", path, {"Host": "relay.test"} | bearer)
            assert (await line.ask(call)).rsp_code == "00000"
            assert (await server.revoke(card, token)).body["rsp_code"] == "00000"
            assert (await line.ask(call)).rsp_code == REVOKED


async def test_a_refreshed_token_ends_with_the_answer_that_brings_the_new_one(server, houses):
    bank = houses["bank"]
    tokens = await server.integrated(bank)
    assert await opens(server, bank, tokens["access_token"]) == "00000"
    renewed = (await server.refresh(bank, tokens["refresh_token"])).body["access_token"]
    assert await opens(server, bank, tokens["access_token"]) == REVOKED
    assert await opens(server, bank, renewed) == "00000"


async def test_a_new_consent_cuts_the_old_token_off_on_a_connection_that_stands(neighbours, server, houses):
    card = houses["card"]
    old = await server.integrated(card)
    async with await neighbours.line() as line:

        async def ask():
            bearer = server.headers(x_api_type="user-refresh", Authorization=f"Bearer {old['access_token']}")
            path = f"/v1/card/cards?org_code={card.org_code}&search_timestamp=0&limit=10"
            return (await line.ask(request("GET", path, {"Host": "relay.test"} | bearer))).rsp_code

        assert await ask() == "00000"
        new = await server.integrated(card)
        assert await ask() == REVOKED
    assert (await server.refresh(card, old["refresh_token"])).body["error"] == "invalid_grant"
    assert (await server.ask(card, new["access_token"], "cards")).body["rsp_code"] == "00000"


async def test_fifty_refreshes_at_once_give_one_token(server, houses):
    bank = houses["bank"]
    tokens = await server.integrated(bank)
    answers = await asyncio.gather(*(server.refresh(bank, tokens["refresh_token"]) for _ in range(50)))
    assert {said.status for said in answers} == {200}
    given = {(told["jti"], told["exp"]) for told in (claims(said.body["access_token"]) for said in answers)}
    assert len(given) == 1
    assert await opens(server, bank, answers[0].body["access_token"]) == "00000"
    await cut_off(lambda: opens(server, bank, tokens["access_token"]))


async def test_a_code_sent_twenty_times_has_one_winner_and_ends_what_it_gave(server, houses):
    bank = houses["bank"]
    code = await server.code(bank)
    answers = await asyncio.gather(*(server.redeem(bank, code) for _ in range(20)))
    assert Counter(said.body.get("error", "given") for said in answers) == {"given": 1, "invalid_grant": 19}
    (won,) = (said.body for said in answers if said.status == 200)
    await cut_off(lambda: opens(server, bank, won["access_token"]))
    assert (await server.refresh(bank, won["refresh_token"])).body["error"] == "invalid_grant"


async def test_fifty_signed_consents_at_once_hold_up_nobody_else(neighbours, server, other, houses):
    bank, narae = houses["bank"], LOGINS[1]
    theirs = await other.integrated(bank, narae)
    servers = [server, neighbours.server(service=1)]
    places = [(one, house) for one in servers for house in houses.values()]
    forms = [(one, one.signed(house)) for one, house in (places * 3)[:50]]
    fifty = [asyncio.ensure_future(one.post("token", form)) for one, form in forms]
    await until(lambda: any(each.done() for each in fifty), "the first of fifty")

    assert (await other.refresh(bank, theirs["refresh_token"])).status == 200
    assert not all(each.done() for each in fifty)
    renewed = (await other.refresh(bank, theirs["refresh_token"])).body["access_token"]
    for _ in range(5):
        assert await opens(other, bank, renewed) == "00000"
    pending = sum(not each.done() for each in fifty)
    assert pending > 0

    answers = await asyncio.gather(*fifty)
    assert Counter(said.status for said in answers) == {200: 50}
    assert len({claims(said.body["access_token"])["jti"] for said in answers}) == 50


async def test_a_scheduled_call_needs_a_consent_to_regular_transfer(server, houses):
    bank = houses["bank"]
    for scheduled, rsp_code in ((False, "40301"), (True, "00000")):
        token = (await server.integrated(bank, scheduled=scheduled))["access_token"]
        said = await server.ask(bank, token, api_type="scheduled")
        assert said.body["rsp_code"] == rsp_code
        assert await opens(server, bank, token) == "00000"


async def test_the_consents_api_tells_what_the_customer_signed(server, houses):
    efin = houses["efin"]
    token = (await server.integrated(efin, purpose="가계부 쓰기", days=90))["access_token"]
    told = (await server.ask(efin, token, "consents")).body
    assert {name: told[name] for name in ("is_scheduled", "fnd_cycle", "add_cycle", "purpose", "period")} == {
        "is_scheduled": "true",
        "fnd_cycle": "1/w",
        "add_cycle": "1/w",
        "purpose": "가계부 쓰기",
        "period": "99991231",
    }
    token = (await server.integrated(efin, scheduled=False))["access_token"]
    told = (await server.ask(efin, token, "consents")).body
    assert (told["is_scheduled"], told.get("fnd_cycle"), told.get("add_cycle")) == ("false", None, None)


async def test_what_was_not_consented_to_is_left_out_by_the_institution_or_by_the_relay(neighbours, server, houses):
    efin = houses["efin"]
    token = (await server.integrated(efin))["access_token"]
    told = await moves(server, efin, token)
    withheld = {"trans_memo", "merchant_name", "merchant_regno", "trans_category"}
    assert named(told) & withheld == set()

    file = neighbours.street.folder / "providers" / "efin.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"withholding": "relay"}, allow_unicode=True))
    taken = neighbours.logs.count("settings applied: role=gateway")
    os.kill(neighbours.around.pid, signal.SIGHUP)
    await until(lambda: neighbours.logs.count("settings applied: role=gateway") > taken, "the new plan")
    assert await moves(server, efin, token) == told

    (free,) = [visit.token for visit in await neighbours.around.issue_tokens() if visit.industry == "efin"]
    whole = await moves(server, efin, free)  # by a consent to everything
    assert named(whole) >= {"trans_memo", "merchant_name", "trans_category"}
    assert told == [{name: value for name, value in row.items() if name not in withheld} for row in whole]


async def test_a_killed_authority_stops_no_data_call_and_comes_back(neighbours, server, houses):
    bank = houses["bank"]
    tokens = await server.integrated(bank)
    former, starts = pid_of_authority(neighbours.around.pid), neighbours.logs.count("authority ready")
    os.kill(former, signal.SIGKILL)
    said = await server.refresh(bank, tokens["refresh_token"])
    assert (said.status, said.body["error"]) == (503, "temporarily_unavailable")
    assert int(said.headers["Retry-After"]) >= 1
    assert {await opens(server, bank, tokens["access_token"]) for _ in range(5)} == {"00000"}
    assert neighbours.logs.count("authority ready") == starts
    await until(lambda: neighbours.logs.count("authority ready") > starts, "the authority's return", START_S)
    assert pid_of_authority(neighbours.around.pid) != former
    assert (await server.refresh(bank, tokens["refresh_token"])).status == 200
    assert (await server.redeem(bank, await server.code(bank))).status == 200

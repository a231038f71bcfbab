"""The authority client counts calls and consents, and checks its registration."""

from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from mydata_sandbox.checks.conformance import find_strict_violations
from mydata_sandbox.operator.authority_client import AuthorityClient, Tokens
from mydata_sandbox.operator.figures import Figures
from mydata_sandbox.world.model import CUSTOMERS

from relay.standard.catalogue import load_catalogue

MONDAY, WEEK = datetime(2026, 11, 16, 3, 0, tzinfo=UTC), "20261122"
ACCESS = {"token_type": "Bearer", "access_token": "acc3ss", "expires_in": "60"}
PAIR = ACCESS | {"refresh_token": "r3fresh", "refresh_token_expires_in": "600", "scope": "bank.list"}
OLD = Tokens("old.access", "old.refresh")


@pytest.fixture
def answers():
    """The next responses of the authority, in order."""
    return []


@pytest.fixture
def figures():
    return Figures(lambda: MONDAY)


@pytest.fixture
async def client(answers, figures, built):
    async def handle(request):
        status, body = answers.pop(0)
        body = body | {"tx_id": form["tx_id"]} if "tx_id" in (form := await request.post()) else body
        where = {"Location": body["to"]} if "to" in body else {}
        headers = {"x-api-tran-id": request.headers["x-api-tran-id"], **where}
        return web.json_response(body, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{anything:.*}", handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("")).rstrip("/")
        yield AuthorityClient(session, url, built.operators[0], load_catalogue(), find_strict_violations, figures)


def counted(figures, client_id):
    """Returns {api: (success, fail)} and (new, revoked, own) of Monday at the bank."""
    days = figures.body(client_id, "2", WEEK)["stat_date_list"]
    (org,) = next(day for day in days if day["stat_date"] == "20261116")["org_list"]
    slots = {api["api_type"]: api["tm_slot_list"][0] for api in org["api_type_list"]}
    calls = {code: (int(slot["success_api_cnt"]), int(slot["fail_api_cnt"])) for code, slot in slots.items()}
    return calls, tuple(int(org[f"consent_{name}"]) for name in ("new", "revoke", "own"))


async def test_calls_and_consents_are_counted_by_service(client, answers, figures, built):
    bank = built.institutions["bank"]
    answers += [(302, {"to": "https://pages.example/"}), (302, {"to": "https://cb.example/?error=invalid_scope"})]
    await client.authorize(bank, CUSTOMERS[0])
    with pytest.raises(Exception, match="HTTP 302"):
        await client.authorize(bank, CUSTOMERS[0])
    answers += [(200, PAIR), (200, ACCESS), (400, {"error": "invalid_grant"})]
    await client.obtain_by_certificate(bank, CUSTOMERS[0], built.certifiers)
    await client.refresh(bank, OLD)
    await client.refresh(bank, OLD)
    answers += [(200, {"rsp_code": "99999", "rsp_msg": "no"}), (200, {"rsp_code": "00000", "rsp_msg": "ok"})]
    await client.revoke(bank, OLD, CUSTOMERS[0])
    await client.revoke(bank, OLD, CUSTOMERS[0])
    calls, consents = counted(figures, built.operators[0].client_ids[0])
    assert calls == {"AU01": (1, 1), "AU03": (1, 1), "AU04": (1, 1), "AU11": (1, 0)}
    assert consents == (1, 1, 0)


@pytest.mark.parametrize(
    ("status", "error", "problem"),
    [
        (400, "invalid_grant", ""),
        (400, "invalid_client", "HTTP 400 invalid_client"),
        (400, "unauthorized_client", "HTTP 400 unauthorized_client"),
        (503, "temporarily_unavailable", "HTTP 503 temporarily_unavailable"),
    ],
)
async def test_invalid_grant_means_that_the_operator_is_registered(client, answers, built, status, error, problem):
    answers.append((status, {"error": error}))
    assert await client.check_registration(built.institutions["bank"]) == problem

from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from mydata_sandbox.institution.login import LOGINS, PATH
from mydata_sandbox.institution.provider import Provider, ProviderRequest
from mydata_sandbox.world.ci import CUSTOMER_BY_CI, get_ci
from mydata_sandbox.world.handlers import DATA_HANDLERS

from relay.standard.catalogue import load_catalogue

CODE = "ZTEA000001"
GOOD = {"org_code": CODE, "login_id": "garam", "password": "garam-1985"}


@pytest.fixture
def telecom():
    return Provider(CODE, "telecom", load_catalogue(), DATA_HANDLERS)


@pytest.mark.parametrize("login", LOGINS, ids=lambda login: login.login_id)
def test_a_login_of_each_customer_returns_the_ci(telecom, login):
    params = {"org_code": CODE, "login_id": login.login_id, "password": login.password}
    reply = telecom.respond(ProviderRequest("POST", PATH, params))
    assert (reply.status, reply.body["rsp_code"]) == (200, "00000")
    assert CUSTOMER_BY_CI[reply.body["user_ci"]] is login.customer


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"password": "narae-1992"}, 401),
        ({"password": ""}, 401),
        ({"password": "비밀"}, 401),
        ({"login_id": "unknown"}, 401),
        ({"org_code": "ZBAA000001"}, 403),
    ],
)
def test_a_wrong_login_is_refused(telecom, changed, status):
    reply = telecom.respond(ProviderRequest("POST", PATH, GOOD | changed))
    assert (reply.status, "user_ci" in reply.body) == (status, False)


def test_a_login_with_get_is_not_found(telecom):
    assert telecom.respond(ProviderRequest("GET", PATH, GOOD)).status == 404


async def test_a_login_is_posted_as_json(telecom):
    async with TestClient(TestServer(telecom.application())) as client:
        answer = await client.post(PATH, json=GOOD)
        assert (answer.status, (await answer.json())["rsp_msg"]) == (200, "성공")


def test_no_password_is_printed():
    assert not [login for login in LOGINS if login.password in repr(login)]


def test_the_readme_has_the_login_that_a_server_must_accept():
    readme = (Path(__file__).parents[3] / "sandbox" / "README.md").read_text()
    login = LOGINS[0]
    assert f"| `{login.login_id}` | `{login.password}` | `{get_ci(login.customer)}` |" in readme

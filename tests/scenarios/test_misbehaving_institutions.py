"""Simulated institutions that fail when told: what an operator gets for each failure mode, over real sockets."""

import json
from urllib.parse import quote

import pytest
import pytest_asyncio
from fixtures.gateway_environment import request
from fixtures.portal_environment import ONE, open_synchronized_environment
from mydata_sandbox.institution.failure_modes import FAILURE_MODES, FailureRule, find_mode

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNTS, OTHER = "은행-001", "은행-002"
TIMEOUTS = {"timeouts": {"first_byte_s": 0.5, "total_s": 1.0}}
CODES = ("42901", "50001", "50005", "40403", "40105")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_env(tmp_path_factory):
    folder = tmp_path_factory.mktemp("misbehaving") / "env"
    async with open_synchronized_environment(folder, upstream=TIMEOUTS) as (opened, _):
        opened.sandbox.failures.slow_s = 0.05
        opened.sandbox.failures.silent_s = 1.5
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def env(module_env):
    yield module_env
    module_env.sandbox.failures.clear()


@pytest.fixture
def call(env):
    """Calls the bank's list of accounts on a new connection. Returns the answer."""

    async def send(limit=1, next_page=""):
        query = f"org_code={env.bank.org_code}&search_timestamp=0&limit={limit}"
        if next_page:
            query += f"&next_page={quote(next_page)}"
        fields = {
            "Host": "relay.test",
            "x-api-tran-id": f"{ONE}M00000000000001",
            "x-api-type": "user-refresh",
            "Authorization": f"Bearer {await env.get_token()}",
        }
        async with await env.connect() as connection:
            return await connection.call(request("GET", f"/v1/bank/accounts?{query}", fields))

    return send


def read(answer):
    """Returns the JSON of an answer whose charset may be wrong."""
    return json.loads(answer.body.decode(errors="replace"))


@pytest.mark.parametrize("how", [*FAILURE_MODES, *CODES])
async def test_the_operator_gets_what_the_table_says(env, call, how):
    env.sandbox.failures.add(FailureRule(ACCOUNTS, how))
    answer, mode = await call(), find_mode(how)
    assert (answer.status, read(answer).get("rsp_code", "")) == (mode.status, mode.rsp_code)
    assert env.sandbox.failures.rules() == ()
    assert (await call()).rsp_code == "00000"


async def test_a_rule_fails_its_page_alone(env, call):
    env.sandbox.failures.add(FailureRule(ACCOUNTS, "timeout", page=2))
    first = (await call()).json()
    assert (await call(next_page=first["next_page"])).rsp_code == "50003"
    assert (await call(next_page=first["next_page"])).rsp_code == "00000"


async def test_a_rule_of_another_api_or_institution_is_kept(env, call):
    rules = FailureRule(OTHER, "50001"), FailureRule("all", "50001", org_code="ZCDA000001")
    for rule in rules:
        env.sandbox.failures.add(rule)
    assert (await call()).rsp_code == "00000"
    assert env.sandbox.failures.rules() == rules


async def test_pages_without_an_end_repeat_the_second_page(env, call):
    env.sandbox.failures.add(FailureRule(ACCOUNTS, "endless_pages", times=3))
    cursors = [(await call()).json()["next_page"]]
    for _ in range(2):
        cursors.append((await call(next_page=cursors[-1])).json()["next_page"])
    assert len(set(cursors)) == 1


async def test_a_list_loses_its_other_pages_and_rows(env, call):
    for how in ("missing_next_page", "empty_list", "wrong_count"):
        env.sandbox.failures.add(FailureRule(ACCOUNTS, how))
    cut, empty, miscounted = (await call()).json(), (await call()).json(), (await call()).json()
    assert ("next_page" in cut, cut["account_cnt"]) == (False, "1")
    assert (empty["account_cnt"], empty["account_list"], "next_page" in empty) == ("0", [], False)
    assert (miscounted["account_cnt"], len(miscounted["account_list"])) == ("2", 1)


async def test_a_limit_says_when_to_call_again(env, call):
    env.sandbox.failures.add(FailureRule("BA01", "42901"))
    assert (await call()).headers["retry-after"] == "1"


async def test_korean_in_euc_kr_is_forwarded_unchanged(env, call):
    env.sandbox.failures.add(FailureRule(ACCOUNTS, "euc_kr"))
    assert "성공" in (await call()).body.decode("cp949")

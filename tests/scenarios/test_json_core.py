"""An insurer with an HTTP API of its own answers the APIs of the standard through gateway and adapter."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.adapter_environment import AdapterEnvironment
from fixtures.gateway_environment import CARD, ONE, TWO
from fixtures.institution import Institution
from fixtures.json_core import FILES, INSURER, JsonCore, answer_nothing
from fixtures.life_insurer import CASES
from fixtures.waiting import until
from mydata_sandbox.checks.conformance import find_violations

from relay.standard.catalogue import load_catalogue

ENVIRONMENT_CLASS = AdapterEnvironment
APIS = {api.api_code: api for api in load_catalogue().iter_apis("insu")}
OTHER, SECURE = "ZISC000002", "ZISC000003"
TIMES = {"connect_s": 1, "first_byte_s": 3, "total_s": 4}


def ENVIRONMENT(certificates):  # noqa: N802 - read by conftest
    pair = certificates.providers["insu"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.private_key)
    secure = JsonCore(SECURE, context, timeouts=TIMES, link="tls", ca=str(certificates.ca))
    cores = [JsonCore(timeouts=TIMES), JsonCore(OTHER, timeouts=TIMES), secure]
    return [*cores, Institution(CARD, "card")], {}


pytestmark = pytest.mark.asyncio(loop_scope="module")


def core_of(env, org_code=INSURER):
    return env.institutions[org_code]


def build_call(env, api_code, parameters=None, **fields):
    """Builds a call of an API with the parameters of its case; the period is that of today."""
    api = APIS[api_code]
    values = dict(CASES[api_code][0]) | (parameters or {})
    if "from_date" in values:
        today = datetime.now(UTC).date()
        values |= {"from_date": f"{today - timedelta(days=20):%Y%m%d}", "to_date": f"{today:%Y%m%d}"}
    path = api.path_for("insu")
    fields.setdefault("provider", INSURER)
    if api.method == "GET":
        return env.build_get(path, values, **fields)
    return env.build_post(path, {**values, "org_code": fields["provider"]}, **fields)


async def call_case(env, api_code, parameters=None, **fields):
    """Calls an API whose core answers with the data of its case."""
    core_of(env, fields.get("provider", INSURER)).data[api_code] = CASES[api_code][1]
    return await env.call(build_call(env, api_code, parameters, **fields))


@pytest.mark.parametrize("api_code", CASES)
async def test_an_api_of_insurers_is_answered_by_json(env, api_code):
    answer = await call_case(env, api_code)
    assert (answer.status, answer.json()) == (200, {"rsp_code": "00000", "rsp_msg": "성공", **CASES[api_code][2]})
    assert find_violations(APIS[api_code], answer.json()) == []
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.detail, exchange.provider_status) == ("", "", 200)


async def test_the_core_sees_the_values_of_the_call(env):
    await call_case(env, "IS07")
    (request,) = core_of(env).received
    customer = env.tokens.customer(ONE, INSURER, "insu")
    assert (request.headers["x-customer-ci"], request.headers["x-channel"]) == (customer, "MYDATA")
    assert (request.json["plateNo"], request.json["size"], "cursor" in request.json) == ("12가3456", 100, False)
    assert request.json["period"]["to"] == f"{datetime.now(UTC).date():%Y-%m-%d}"
    assert not {"authorization", "cookie", "x-api-tran-id"} & set(request.headers)


async def read_pages(env, api_code, limit, rows, number):
    """Returns the numbers of the rows of all pages, page by page."""
    pages, cursor = [], {}
    while True:
        answer = await env.call(build_call(env, api_code, {"limit": str(limit)} | cursor))
        body = answer.json()
        assert answer.status == 200, body
        pages.append([row[number] for row in body[rows]])
        if "next_page" not in body:
            return pages
        cursor = {"next_page": body["next_page"]}


async def test_a_list_continues_by_page_number(env):
    policies = [CASES["IS01"][1]["items"][0] | {"policyNo": f"P{index}"} for index in range(7)]

    async def answer(request, core):
        number, size = int(request.query["page"]), int(request.query["size"])
        items = policies[(number - 1) * size : number * size]
        request.send(request.wrap({"page": {"totalElements": len(policies)}, "items": items}))

    core_of(env).script = answer
    pages = await read_pages(env, "IS01", 3, "insu_list", "insu_num")
    assert pages == [["P0", "P1", "P2"], ["P3", "P4", "P5"], ["P6"]]
    assert [request.query["page"] for request in core_of(env).received] == ["1", "2", "3"]


async def test_a_list_continues_by_offset(env):
    payments = [CASES["IS06"][1]["payments"][0] | {"times": index} for index in range(450)]

    async def answer(request, core):
        start, limit = int(request.query["offset"]), int(request.query["limit"])
        rows = payments[start : start + limit]
        data = {"policyNo": "L01201506220001", "hasMore": start + limit < len(payments), "payments": rows}
        request.send(request.wrap(data))

    core_of(env).script = answer
    pages = await read_pages(env, "IS06", 420, "trans_list", "paid_in_cnt")
    assert [[page[0], page[-1], len(page)] for page in pages] == [["0", "419", 420], ["420", "449", 30]]
    assert [request.query["offset"] for request in core_of(env).received] == ["0", "200", "400", "420"]


async def test_a_list_continues_by_key(env):
    rows = [CASES["IS14"][1]["history"][0] | {"no": str(index)} for index in range(1, 8)]

    async def answer(request, core):
        start = int(request.json.get("after", 0))
        end = min(start + 3, len(rows))
        data = {"loanNo": "8400210318001", "more": end < len(rows), "history": rows[start:end]}
        request.send(request.wrap(data))

    core_of(env).script = answer
    pages = await read_pages(env, "IS14", 4, "trans_list", "trans_no")
    assert pages == [["1", "2", "3", "4"], ["5", "6", "7"]]


async def test_a_cursor_of_another_customer_is_refused(env):
    data = {"page": {"totalElements": 9}, "items": [CASES["IS01"][1]["items"][0]] * 3}
    core_of(env).data["IS01"] = data
    body = (await env.call(build_call(env, "IS01", {"limit": "3"}))).json()
    second = build_call(env, "IS01", {"limit": "3", "next_page": body["next_page"]}, operator=TWO)
    answer = await env.call(second, env.get_pair(TWO))
    assert (answer.status, answer.rsp_code) == (400, "40001")


@pytest.mark.parametrize(
    ("code", "status", "http", "rsp_code", "reason", "detail"),
    [
        ("E1001", 200, 404, "40402", "", ""),
        ("E1001", 404, 404, "40402", "", ""),
        ("E9001", 500, 500, "50008", "", ""),
        ("SAME", 200, 200, "00001", "", ""),
        (None, 503, 500, "50008", "", ""),
        (None, 404, 404, "40402", "", ""),
        ("E7777", 200, 500, "50005", "code_unknown", "$.result.code: E7777"),
        ("E7777", 418, 500, "50005", "code_unknown", "status: 418"),
        ("OK", 500, 500, "50005", "code_unknown", "status: 500"),
        (None, 302, 500, "50005", "code_unknown", "status: 302"),
        (None, 401, 500, "50005", "code_unknown", "status: 401"),
    ],
)
async def test_a_failure_of_the_core_has_its_rsp_code(env, code, status, http, rsp_code, reason, detail):
    async def answer(request, core):
        body = b"<html>" if code is None else request.wrap(None, code)
        request.send(body, status, Location="http://127.0.0.1:1/", Set_Cookie="a=b")

    core_of(env).script = answer
    received = await env.call(build_call(env, "IS12"))
    assert (received.status, received.rsp_code) == (http, rsp_code)
    exchange = await env.get_exchange()
    assert (exchange.reason, exchange.detail) == (reason, detail)
    assert len(core_of(env).received) == 1


async def test_no_data_is_a_list_without_rows(env):
    async def answer(request, core):
        request.send(request.wrap(None, "NODATA"))

    core_of(env).script = answer
    answer = await env.call(build_call(env, "IS01"))
    assert answer.json() == {"rsp_code": "00000", "rsp_msg": "성공", "insu_cnt": "0", "insu_list": []}


async def test_a_redirect_is_not_followed_and_cookies_are_not_kept(env):
    async def answer(request, core):
        request.send(b"", 302, Location=f"http://127.0.0.1:{core.port}/core/v2/loans/1", Set_Cookie="a=b")

    core_of(env).script = answer
    for _ in range(2):
        await env.call(build_call(env, "IS12"))
    assert [request.headers.get("cookie") for request in core_of(env).received] == [None, None]


async def test_a_request_without_response_is_50003(env):
    core_of(env).script = answer_nothing
    answer = await env.call(build_call(env, "IS12"))
    assert (answer.status, answer.rsp_code) == (500, "50003")
    assert (await env.get_exchange()).reason == "provider_silent"


async def test_a_page_with_rows_is_answered_when_the_core_stops(env):
    async def answer(request, core):
        if request.query["offset"] == "0":
            payments = CASES["IS06"][1]["payments"] * 200
            request.send(request.wrap({"policyNo": "L01201506220001", "hasMore": True, "payments": payments}))

    core_of(env).script = answer
    body = (await env.call(build_call(env, "IS06"))).json()
    assert (body["trans_cnt"], "next_page" in body) == ("200", True)


async def test_a_core_that_is_away_is_50005_and_comes_back(env):
    await core_of(env).stop()
    answer = await env.call(build_call(env, "IS12"))
    assert answer.rsp_code == "50005"
    assert (await env.get_exchange()).reason in {"connect_refused", "provider_reset"}
    await core_of(env).open()

    async def is_back():
        return (await call_case(env, "IS12")).rsp_code == "00000"

    for _ in range(20):
        if await is_back():
            break
    assert await is_back()


async def test_a_stuck_core_does_not_delay_another(env):
    core_of(env).script = answer_nothing
    stuck = [asyncio.create_task(env.call(build_call(env, "IS12"))) for _ in range(8)]
    await until(lambda: len(core_of(env).received) == 8, "8 stuck calls")
    for _ in range(5):
        answer = await call_case(env, "IS12", provider=OTHER)
        assert answer.rsp_code == "00000"
    assert not any(task.done() for task in stuck)
    assert {(await task).rsp_code for task in stuck} == {"50003"}


async def test_connections_are_reused_and_calls_run_at_once(env):
    core = core_of(env, OTHER)
    await call_case(env, "IS12", provider=OTHER)
    before = core.connections
    for _ in range(4):
        await call_case(env, "IS12", provider=OTHER)
    assert core.connections == before
    release = asyncio.Event()

    async def answer(request, core):
        await release.wait()
        request.send(request.wrap(CASES["IS12"][1]))

    core.script = answer
    calls = [asyncio.create_task(env.call(build_call(env, "IS12", provider=OTHER))) for _ in range(6)]
    await until(lambda: len(core.received) == 5 + 6, "6 calls at once")
    release.set()
    assert {(await call).rsp_code for call in calls} == {"00000"}


async def test_a_core_is_called_over_tls(env):
    assert (await call_case(env, "IS12", provider=SECURE)).rsp_code == "00000"
    (request,) = core_of(env, SECURE).received
    assert request.writer.get_extra_info("cipher")
    assert request.headers["host"] == f"localhost:{core_of(env, SECURE).port}"


async def test_a_reload_keeps_unchanged_institutions(env):
    former = env.adapter.state.servers
    await call_case(env, "IS12")
    assert FILES.exists()
    settings = core_of(env).build_file() | {"timeouts": TIMES | {"connect_s": 2}}
    env.write_file(f"providers/{INSURER}.yaml", settings)
    env.adapter.reloader.request()
    await until(lambda: env.adapter.state.servers[INSURER] is not former[INSURER], "new servers")
    assert env.adapter.state.servers[OTHER] is former[OTHER]
    assert (await call_case(env, "IS12")).rsp_code == "00000"

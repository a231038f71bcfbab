"""The client of institutions over real HTTP, with correct and faulty institutions."""

import asyncio
import gzip
import itertools
import json
import socket
import ssl
from datetime import UTC, datetime

import pytest
from aiohttp import web
from mydata_sandbox.credentials.certificates import make_dev_certificates

from relay.domain.institution import InstitutionError
from relay.infra.institutions.client import MAX_BODY_BYTES, HttpInstitutionClient
from relay.infra.institutions.shared_lists import CONCURRENCY, QUEUE_LENGTH
from relay.infra.user_agent import USER_AGENT
from relay.policy.settings.directory import HostedLogin, LinkKind, Provider, ProviderApis
from relay.policy.settings.scalars import ProviderTimeouts
from relay.standard.catalogue import load_catalogue

CODE = "ZBAA000001"
CI = "Q0ktb2YtYS1jdXN0b21lcg=="
KNOWN = {"rsp_code": "00000", "rsp_msg": "", "user_ci": CI}
ROW = {"is_consent": "false", "prod_name": "통장", "is_minus": "false", "account_type": "1001", "account_status": "01"}


def listed(*numbers, **fields):
    rows = [ROW | {"account_num": str(number)} for number in numbers]
    return {"rsp_code": "00000", "rsp_msg": "", "account_cnt": str(len(rows)), "account_list": rows, **fields}


class Bank:
    """Returns the configured response of a path and records its requests."""

    def __init__(self):
        self.responses, self.requests = {}, []

    async def answer(self, request):
        body = await request.read()
        self.requests.append((request.method, request.path, dict(request.query), dict(request.headers), body))
        response = self.responses.get(request.path, {"rsp_code": "00000", "irp_list": []})
        response = response.pop(0) if isinstance(response, list) else response
        return await response(request) if callable(response) else web.json_response(response)


def build_application(bank):
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", bank.answer)
    return app


@pytest.fixture
def bank():
    return Bank()


@pytest.fixture
async def base_url(bank, aiohttp_server):
    server = await aiohttp_server(build_application(bank))
    return str(server.make_url("")).rstrip("/")


@pytest.fixture
def provider(base_url):
    return Provider(org_code=CODE, name="가온", industry="bank", base_urls=(base_url,), link=LinkKind.LEASED_LINE)


@pytest.fixture
async def institutions():
    numbers = itertools.count(1)
    client = HttpInstitutionClient("ZRLA000001", load_catalogue(), lambda _: None, lambda: f"{next(numbers):014}")
    yield client
    await client.close()


async def test_a_login_is_sent_as_documented(bank, provider, institutions):
    bank.responses["/own/login"] = KNOWN
    own = provider.model_copy(update={"hosted": HostedLogin(login="/own/login")})
    assert await institutions.login(own, "hong", "비밀", "203.0.113.7") == CI
    ((method, path, query, headers, body),) = bank.requests
    assert (method, path, query) == ("POST", "/own/login", {})
    assert json.loads(body) == {"org_code": CODE, "login_id": "hong", "password": "비밀"}
    assert headers["x-api-tran-id"] == "ZRLA000001R00000000000001"
    assert headers["User-Agent"] == USER_AGENT
    assert headers["Content-Type"] == "application/json; charset=UTF-8"
    assert headers["x-customer-ip"] == "203.0.113.7"
    await institutions.login(own, "hong", "비밀", "")
    assert "x-customer-ip" not in bank.requests[-1][3]


@pytest.mark.parametrize("status", [401, 404])
async def test_a_rejected_login_has_no_ci(bank, provider, institutions, status):
    async def refuse(_):
        return web.json_response({"rsp_code": "40101"}, status=status)

    bank.responses["/relay/login"] = refuse
    assert await institutions.login(provider, "hong", "wrong", "") is None


def respond_with(**options):
    async def reply(_):
        return web.Response(**options)

    return reply


async def hang_up(request):
    request.transport.abort()
    return web.Response()


async def respond_endlessly(request):
    answer = web.StreamResponse()
    await answer.prepare(request)
    for _ in range(MAX_BODY_BYTES // 65536 + 1):
        await answer.write(b" " * 65536)
    return answer


GOOD = json.dumps(KNOWN).encode()


@pytest.mark.parametrize(
    "response",
    [
        KNOWN | {"user_ci": ""},
        KNOWN | {"user_ci": 7},
        KNOWN | {"user_ci": "a\nb"},
        KNOWN | {"user_ci": "a" * 101},
        KNOWN | {"rsp_code": "40403"},
        {"rsp_code": "00000"},
        [KNOWN],
        respond_with(body=b"<html>"),
        respond_with(body=b"[" * 100_000),
        respond_with(body=GOOD[:-1] + b',"user_ci":"other"}'),
        respond_with(body=b"\xff"),
        respond_with(body=b""),
        respond_with(body=GOOD, status=500),
        respond_with(body=GOOD, status=302, headers={"Location": "/elsewhere"}),
        respond_with(body=gzip.compress(GOOD), headers={"Content-Encoding": "gzip"}),
        respond_with(body=GOOD, headers={"x-api-tran-id": "ZRLA000001R99999999999999"}),
        hang_up,
        respond_endlessly,
    ],
    ids=lambda response: getattr(response, "__name__", str(response)),
)
async def test_a_faulty_login_response_is_an_error_without_values(bank, provider, institutions, response):
    bank.responses["/relay/login"] = (
        response if callable(response) else respond_with(body=json.dumps(response).encode())
    )
    with pytest.raises(InstitutionError) as fault:
        await institutions.login(provider, "hong", "right", "")
    assert str(fault.value).startswith("login: ")
    assert not {"hong", "right", CI} & set(str(fault.value).split())
    assert len(bank.requests) == 1


async def test_a_silent_institution_times_out(bank, provider, institutions):
    async def hold(_):
        await asyncio.Event().wait()

    bank.responses["/relay/login"] = hold
    hasty = provider.model_copy(update={"timeouts": ProviderTimeouts(total_s=0.2)})
    with pytest.raises(InstitutionError, match="login: TimeoutError"):
        await institutions.login(hasty, "hong", "right", "")


async def test_an_unreachable_base_url_is_skipped(bank, provider, institutions, base_url):
    bank.responses["/relay/login"] = KNOWN
    with socket.socket() as unused_socket:
        unused_socket.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused_socket.getsockname()[1]}"
        both = provider.model_copy(update={"base_urls": (closed, base_url)})
        assert await institutions.login(both, "hong", "right", "") == CI
        alone = provider.model_copy(update={"org_code": "ZBAA000002", "base_urls": (closed,)})
        with pytest.raises(InstitutionError, match="cannot be reached"):
            await institutions.login(alone, "hong", "right", "")


async def test_holdings_are_read_page_by_page(bank, provider, institutions):
    bank.responses["/v1/bank/accounts"] = [listed(1, 2, next_page="p2"), listed(2, 3)]
    holdings = await institutions.holdings(provider, CI, "ZOPA000001SVC01")
    assert [holding.asset.asset for holding in holdings] == ["1", "2", "3"]
    first, second, *_ = [
        (query, headers) for _, path, query, headers, _ in bank.requests if path == "/v1/bank/accounts"
    ]
    assert first[0] == {"org_code": CODE, "search_timestamp": "0", "limit": "500"}
    assert second[0] == {"org_code": CODE, "limit": "500", "next_page": "p2"}
    assert first[1]["x-user-ci"] == CI
    assert (first[1]["x-api-type"], first[1]["x-client-id"]) == ("user-consent", "ZOPA000001SVC01")
    assert first[1]["x-api-tran-id"] != second[1]["x-api-tran-id"]


def endless():
    return [listed(number, next_page=f"p{number}") for number in range(200)]


@pytest.mark.parametrize(
    "responses",
    [
        [listed(1, next_page="same"), listed(2, next_page="same")],
        [listed(1, next_page=7)],
        [listed(1, next_page="x" * 1001)],
        [{"rsp_code": "40403"}],
        [{"rsp_code": "00000"}],
        endless(),
        [listed(*range(n * 500, n * 500 + 500), next_page=f"p{n}") for n in range(10)],
    ],
    ids=["circle", "number", "long", "refused", "no list", "endless", "too many"],
)
async def test_lists_without_an_end_are_an_error(bank, provider, institutions, responses):
    bank.responses["/v1/bank/accounts"] = responses
    with pytest.raises(InstitutionError):
        await institutions.holdings(provider, CI, "ZOPA000001SVC01")
    assert len(bank.requests) <= 101


async def test_only_offered_apis_are_called(bank, provider, institutions):
    bank.responses["/v1/bank/prepaid"] = {"rsp_code": "00000", "pp_cnt": "0", "pp_list": []}
    bank.responses["/v1/bank/accounts"] = listed(1)
    await institutions.holdings(provider, CI, "ZOPA000001SVC01")
    assert [path for _, path, *_ in bank.requests] == ["/v1/bank/accounts", "/v1/bank/irps"]
    bank.requests.clear()
    apis = ProviderApis(left_out=frozenset({"IR01"}), turned_on=frozenset({"PP01"}))
    await institutions.holdings(provider.model_copy(update={"apis": apis}), CI, "ZOPA000001SVC01")
    assert [path for _, path, *_ in bank.requests] == ["/v1/bank/accounts", "/v1/bank/prepaid"]


async def test_the_oldest_served_version_is_called(bank, provider, institutions):
    bank.responses["/v2/bank/accounts"] = listed(1)
    bank.responses["/v2/bank/irps"] = {"rsp_code": "00000", "irp_list": []}
    newer = provider.model_copy(update={"version": "v3", "min_version": "v2"})
    assert len(await institutions.holdings(newer, CI, "ZOPA000001SVC01")) == 1


class SlowBank:
    """Lists that wait until `go` is set. `cancelled` counts calls whose connection was closed."""

    def __init__(self):
        self.go, self.started, self.cancelled = asyncio.Event(), asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def answer(self, _request):
        self.started.release()
        try:
            await self.go.wait()
        except asyncio.CancelledError:  # aiohttp's server of tests does so when the connection is lost
            self.cancelled.release()
            raise
        return web.json_response(listed(1))


async def test_requests_of_one_customer_share_a_list_call(bank, provider, institutions):
    slow = SlowBank()
    bank.responses["/v1/bank/accounts"] = slow.answer
    requests = [asyncio.create_task(institutions.holdings(provider, CI, "ZOPA000001SVC01")) for _ in range(20)]
    async with asyncio.timeout(10):
        await slow.started.acquire()
        slow.go.set()
        assert [len(holdings) for holdings in await asyncio.gather(*requests)] == [1] * 20
    assert [path for _, path, *_ in bank.requests] == ["/v1/bank/accounts", "/v1/bank/irps"]


async def test_a_list_call_is_cancelled_with_its_last_request(bank, provider, institutions):
    slow = SlowBank()
    bank.responses["/v1/bank/accounts"] = slow.answer
    requests = [asyncio.create_task(institutions.holdings(provider, CI, "ZOPA000001SVC01")) for _ in range(2)]
    async with asyncio.timeout(10):
        await slow.started.acquire()
        for request in requests:
            request.cancel()
        await slow.cancelled.acquire()
    assert len(bank.requests) == 1


async def test_list_calls_to_a_slow_institution_are_limited(bank, provider, institutions):
    slow = SlowBank()
    bank.responses["/v1/bank/accounts"] = slow.answer
    requests = [asyncio.create_task(institutions.holdings(provider, f"ci{number}", "svc")) for number in range(90)]
    async with asyncio.timeout(20):
        for _ in range(CONCURRENCY):
            await slow.started.acquire()
        assert len(bank.requests) == CONCURRENCY
        slow.go.set()
        results = await asyncio.gather(*requests, return_exceptions=True)
    assert sum(isinstance(result, InstitutionError) for result in results) == 90 - CONCURRENCY - QUEUE_LENGTH
    assert sum(not isinstance(result, Exception) for result in results) == CONCURRENCY + QUEUE_LENGTH


async def test_the_certificate_of_an_institution_is_verified(bank, provider, tmp_path, aiohttp_server):
    certificates = make_dev_certificates(tmp_path, datetime.now(UTC))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificates.relay.certificate, certificates.relay.private_key)
    bank.responses["/relay/login"] = KNOWN
    server = await aiohttp_server(build_application(bank), ssl=own)
    secured = provider.model_copy(update={"base_urls": (f"https://127.0.0.1:{server.port}",)})
    for ca, is_trusted in ((certificates.authority, True), (certificates.foreign_authority, False)):
        trusting = ssl.create_default_context(cafile=str(ca.certificate))
        institutions = HttpInstitutionClient(
            "ZRLA000001", load_catalogue(), lambda _, context=trusting: context, lambda: "0" * 14
        )
        login = institutions.login(secured, "hong", "right", "")
        if is_trusted:
            assert await login == CI
        else:
            with pytest.raises(InstitutionError, match="cannot be reached"):
                await login
        await institutions.close()
    assert len(bank.requests) == 1


async def test_an_outage_is_logged_once_without_the_customer(bank, provider, institutions, caplog):
    bank.responses["/relay/login"] = hang_up
    for _ in range(2):
        with pytest.raises(InstitutionError):
            await institutions.login(provider, "hong", "right", "203.0.113.7")
    bank.responses["/relay/login"] = KNOWN
    await institutions.login(provider, "hong", "right", "203.0.113.7")
    assert caplog.messages[0] == (
        f'institution unavailable: org_code={CODE} cause="login: ServerDisconnectedError" failures=1'
    )
    assert caplog.messages[1].startswith(f"institution available again: org_code={CODE} after_s=")
    assert len(caplog.messages) == 2


async def test_lists_that_cannot_be_read_are_an_outage(bank, provider, institutions, caplog):
    bank.responses["/v2/bank/accounts"] = respond_with(body=b"none")
    with pytest.raises(InstitutionError):
        await institutions.holdings(provider, CI, "client")
    assert f"institution unavailable: org_code={CODE} cause=" in caplog.text

"""Headers, targets and bodies that the relay forwards and drops, in both directions."""

import gzip

import pytest
from fixtures.failure_modes import SCRIPTS
from fixtures.gateway_environment import BANK, CARD, DETAIL, LONG_TIMEOUTS, ONE, request
from fixtures.institution import Institution, build_body, build_response

pytestmark = pytest.mark.asyncio(loop_scope="module")

WITH_BASE_PATH = "ZBAA000002"
PERIOD = {"from_date": "20240101", "to_date": "20240131"}
DROPPED_HEADERS = {
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "evil.test",
    "Forwarded": "for=10.0.0.1",
    "Via": "1.1 other",
    "x-user-ci": "Y2k=",
    "x-client-id": "ZOPA000002SVC01",
    "Cookie": "a=b",
    "Connection": "keep-alive, x-api-tran-id, x-api-type",
    "Keep-Alive": "timeout=5",
    "TE": "trailers",
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "caller/1",
    "Accept": "*/*",
    "X-Anything": "at all",
}


def ENVIRONMENT(_certificates):  # noqa: N802 - a constant that needs a fixture
    based = Institution(WITH_BASE_PATH, "bank", base_path="/relay/base", timeouts=LONG_TIMEOUTS)
    return [Institution(BANK, "bank"), Institution(CARD, "card"), based], {}


async def test_the_institution_gets_only_these_headers(env):
    fields = env.build_fields()
    await env.call(request("GET", f"/v1/bank/accounts?org_code={BANK}&limit=1", fields | DROPPED_HEADERS))
    (call,) = env.bank.received
    assert call.fields == [
        ("Host", f"127.0.0.1:{env.bank.port}"),
        ("x-api-tran-id", fields["x-api-tran-id"]),
        ("x-client-id", f"{ONE}SVC01"),
        ("x-user-ci", env.tokens.customer(ONE, BANK, "bank")),
        ("x-api-type", "user-refresh"),
    ]
    assert call.body == b""


async def test_a_post_is_forwarded_with_type_length_and_exact_bytes(env):
    body = b'{ "org_code" : "ZBAA000001","account_num":"1","search_timestamp":"0", "x":"\xea\xb0\x80\\u0041" }'
    fields = env.build_fields() | {"Content-Type": "application/json"}
    await env.call(request("POST", DETAIL, fields | DROPPED_HEADERS, body))
    (call,) = env.bank.received
    assert call.body == body
    assert call.fields[-2:] == [
        ("Content-Type", "application/json; charset=UTF-8"),
        ("Content-Length", str(len(body))),
    ]
    assert set(call.headers) == {
        *("host", "x-api-tran-id", "x-client-id", "x-user-ci", "x-api-type", "content-type", "content-length"),
    }


async def test_readable_codings_of_accept_encoding_are_forwarded(env):
    await env.call(env.build_get(Accept_Encoding="gzip;q=0.5, br"))
    assert env.bank.received[0].headers["accept-encoding"] == "gzip;q=0.5"


@pytest.mark.parametrize(
    "query",
    [
        "limit=1&org_code=ZBAA000001",
        "org_code=ZBAA000001&limit=1&x=%ed%95%9C%2b+%20~!$'()*,:@/?",
        "org%5fcode=ZBAA000001&limit=%31",
        "org_code=ZBAA000001&limit=1&x=&y&z==&",
    ],
)
async def test_the_target_is_forwarded_byte_for_byte(env, query):
    target = f"/v1/bank/accounts?{query}"
    answer = await env.call(request("GET", target, env.build_fields()))
    assert (answer.status, env.bank.received[0].target) == (200, target)


async def test_the_base_path_is_prefixed_to_the_target(env):
    await env.call(env.build_get(provider=WITH_BASE_PATH))
    (call,) = env.institutions[WITH_BASE_PATH].received
    assert call.target.startswith("/relay/base/v1/bank/accounts?org_code=")
    assert call.headers["host"] == f"127.0.0.1:{env.institutions[WITH_BASE_PATH].port}"


async def test_a_card_id_in_the_path_is_forwarded_unchanged(env):
    await env.call(
        env.build_get("/v1/card/cards/aB9/approval-domestic", PERIOD, provider=CARD, x_api_type="user-search")
    )
    assert env.institutions[CARD].received[0].target.startswith("/v1/card/cards/aB9/approval-domestic?")


async def test_the_operator_gets_only_allowed_headers(env):
    async def send_extra_headers(call, wire):
        lines = [
            "Server: secret/1.0",
            "Set-Cookie: a=b",
            "X-Powered-By: age",
            "Location: http://elsewhere.test/",
            "Connection: x-kept",
            "X-Kept: 1",
            "Retry-After: 3",
            f"X-API-Tran-Id: {call.tran_id}",
            "x-user-ci: Y2k=",
            "Cache-Control: no-store",
        ]
        await wire.send(build_response(build_body(call), *lines))

    env.bank.script = send_extra_headers
    fields = env.build_fields() | {"x-api-tran-id": "ZOPA000001MABCDEFGHIJKLMN"}
    answer = await env.call(request("GET", f"/v1/bank/accounts?org_code={BANK}&limit=1", fields))
    assert answer.fields == [
        ("content-type", "application/json; charset=UTF-8"),
        ("x-api-tran-id", "ZOPA000001MABCDEFGHIJKLMN"),
        ("retry-after", "3"),
        ("content-length", str(len(answer.body))),
    ]


async def test_an_encoded_body_is_forwarded_unchanged(env):
    env.bank.script = SCRIPTS["answers_gzip"]
    answer = await env.call(env.build_get(Accept_Encoding="gzip"))
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.body == gzip.compress(build_body(env.bank.received[0]), mtime=0)
    assert (await env.get_exchange()).rsp_code == "00000"


async def test_the_authorization_scheme_is_case_insensitive(env):
    token = env.tokens.get_valid(ONE, BANK, "bank")
    assert (await env.call(env.build_get(Authorization=f"bearer {token}"))).status == 200


async def test_header_names_are_case_insensitive(env):
    data = env.build_get().replace(b"x-api-tran-id", b"X-API-Tran-ID").replace(b"Authorization", b"aUTHORIZATION")
    assert (await env.call(data)).status == 200

"""What passes the relay and what does not, in both directions."""

import gzip

import pytest
from stage.institution import Institution, body_for, whole
from stage.misdeeds import SCRIPTS
from stage.town import BANK, CARD, DETAIL, ONE, PATIENT, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASED = "ZBAA000002"
PERIOD = {"from_date": "20240101", "to_date": "20240131"}
OUTSIDERS = {
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


def TOWN(_certificates):  # noqa: N802 - a constant of the module, made late
    based = Institution(BASED, "bank", base_path="/relay/base", timeouts=PATIENT)
    return [Institution(BANK, "bank"), Institution(CARD, "card"), based], {}


async def test_the_institution_gets_these_lines_and_no_others(town):
    fields = town.fields()
    await town.ask(request("GET", f"/v1/bank/accounts?org_code={BANK}&limit=1", fields | OUTSIDERS))
    (asked,) = town.bank.seen
    assert asked.fields == [
        ("Host", f"127.0.0.1:{town.bank.port}"),
        ("x-api-tran-id", fields["x-api-tran-id"]),
        ("x-client-id", f"{ONE}SVC01"),
        ("x-user-ci", town.mint.customer(ONE, BANK, "bank")),
        ("x-api-type", "user-refresh"),
    ]
    assert asked.body == b""


async def test_of_a_post_the_type_and_length_go_along_and_the_same_bytes(town):
    body = b'{ "org_code" : "ZBAA000001","account_num":"1","search_timestamp":"0", "x":"\xea\xb0\x80\\u0041" }'
    fields = town.fields() | {"Content-Type": "application/json"}
    await town.ask(request("POST", DETAIL, fields | OUTSIDERS, body))
    (asked,) = town.bank.seen
    assert asked.body == body
    assert asked.fields[-2:] == [
        ("Content-Type", "application/json; charset=UTF-8"),
        ("Content-Length", str(len(body))),
    ]
    assert set(asked.headers) == {
        *("host", "x-api-tran-id", "x-client-id", "x-user-ci", "x-api-type", "content-type", "content-length"),
    }


async def test_accept_encoding_goes_along(town):
    await town.ask(town.get(Accept_Encoding="gzip;q=0.5, br"))
    assert town.bank.seen[0].headers["accept-encoding"] == "gzip;q=0.5, br"


@pytest.mark.parametrize(
    "query",
    [
        "limit=1&org_code=ZBAA000001",
        "org_code=ZBAA000001&limit=1&x=%ed%95%9C%2b+%20~!$'()*,:@/?",
        "org%5fcode=ZBAA000001&limit=%31",
        "org_code=ZBAA000001&limit=1&x=&y&z==&",
    ],
)
async def test_the_target_goes_on_byte_by_byte(town, query):
    target = f"/v1/bank/accounts?{query}"
    answer = await town.ask(request("GET", target, town.fields()))
    assert (answer.status, town.bank.seen[0].target) == (200, target)


async def test_the_base_path_stands_before_the_target(town):
    await town.ask(town.get(provider=BASED))
    (asked,) = town.institutions[BASED].seen
    assert asked.target.startswith("/relay/base/v1/bank/accounts?org_code=")
    assert asked.headers["host"] == f"127.0.0.1:{town.institutions[BASED].port}"


async def test_a_card_in_the_path_goes_on_as_it_came(town):
    await town.ask(town.get("/v1/card/cards/aB9/approval-domestic", PERIOD, provider=CARD, x_api_type="user-search"))
    assert town.institutions[CARD].seen[0].target.startswith("/v1/card/cards/aB9/approval-domestic?")


async def test_the_operator_gets_allowed_lines_alone(town):
    async def chats(asked, wire):
        lines = [
            "Server: secret/1.0",
            "Set-Cookie: a=b",
            "X-Powered-By: age",
            "Location: http://elsewhere.test/",
            "Connection: x-kept",
            "X-Kept: 1",
            "Retry-After: 3",
            f"X-API-Tran-Id: {asked.tran_id}",
            "x-user-ci: Y2k=",
            "Cache-Control: no-store",
        ]
        await wire.send(whole(body_for(asked), *lines))

    town.bank.script = chats
    fields = town.fields() | {"x-api-tran-id": "ZOPA000001MABCDEFGHIJKLMN"}
    answer = await town.ask(request("GET", f"/v1/bank/accounts?org_code={BANK}&limit=1", fields))
    assert answer.fields == [
        ("content-type", "application/json; charset=UTF-8"),
        ("x-api-tran-id", "ZOPA000001MABCDEFGHIJKLMN"),
        ("retry-after", "3"),
        ("content-length", str(len(answer.body))),
    ]


async def test_a_coded_body_passes_untouched_with_its_coding(town):
    town.bank.script = SCRIPTS["answers_gzip"]
    answer = await town.ask(town.get(Accept_Encoding="gzip"))
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.body == gzip.compress(body_for(town.bank.seen[0]), mtime=0)
    assert (await town.record()).rsp_code == "00000"


async def test_an_older_name_of_the_scheme_is_the_same_scheme(town):
    token = town.mint.good(ONE, BANK, "bank")
    assert (await town.ask(town.get(Authorization=f"bearer {token}"))).status == 200


async def test_names_of_headers_have_no_case(town):
    data = town.get().replace(b"x-api-tran-id", b"X-API-Tran-ID").replace(b"Authorization", b"aUTHORIZATION")
    assert (await town.ask(data)).status == 200

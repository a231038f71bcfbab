"""OAuth's dialect of the gateway: what the authority never sees, whose name it hears, and what no log tells."""

import asyncio
import json
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
import pytest_asyncio
from stage.neighbours import FORM
from stage.town import request

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = {"authorize": "GET", "token": "POST", "revoke": "POST"}


@pytest.fixture
def bank(neighbours):
    return neighbours.street.institutions["bank"]


@pytest_asyncio.fixture(loop_scope="module")
async def server(neighbours):
    return neighbours.server()


@pytest_asyncio.fixture(loop_scope="module")
async def stranger(neighbours):
    """Operator one's service, on a connection of somebody the directory does not know."""
    return neighbours.server(identity=neighbours.street.certificates.unregistered_operator)


def refreshing(server, bank):
    """A whole form with a refresh token that nobody issued."""
    return server.form(bank, grant_type="refresh_token", refresh_token=secrets.token_urlsafe(32))


def refused(said, error, status=400):
    """Whether an answer is this error in OAuth's words (규격 3.10)."""
    assert said.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert said.headers["Cache-Control"] == "no-store"
    assert "rsp_code" not in said.body
    return (said.status, said.body["error"]) == (status, error)


async def test_an_unknown_certificate_on_token_and_revoke_is_an_unauthorized_client(stranger, bank):
    form = refreshing(stranger, bank)
    for name in ("token", "revoke"):
        headers = stranger.headers()
        said = await stranger.send("POST", f"/oauth/2.0/{name}", headers | FORM, data=form)
        assert refused(said, "unauthorized_client")
        assert said.headers["x-api-tran-id"] == headers["x-api-tran-id"]


async def test_an_unknown_certificate_on_authorize_is_told_to_the_registered_callback(stranger, bank):
    tran_id = stranger.tran_id()
    said = await stranger.authorize(bank, x_api_tran_id=tran_id)
    where, told = said.told
    assert (said.status, where) == (302, stranger.neighbour.callback)
    assert (told["error"], told["api_tran_id"]) == ("unauthorized_client", tran_id)
    assert told["state"] in stranger.around.said


@pytest.mark.parametrize("wrong", [{"client_id": "nobody"}, {"redirect_uri": "https://evil.example/callback"}])
async def test_an_unknown_client_or_callback_is_never_redirected(stranger, server, bank, wrong):
    for caller in (stranger, server):
        params = caller.asked(bank, **wrong)
        said = await caller.send("GET", "/oauth/2.0/authorize", caller.headers(x_user_ci="A" * 88), params=params)
        assert refused(said, "invalid_request")
        assert "Location" not in said.headers


@pytest.mark.parametrize(
    "path", ["/oauth/2.0/introspect", "/oauth/2.0/token/", "/oauth/token", "/oauth", "/oauth/3.0/token"]
)
async def test_a_path_that_is_none_of_oauths_is_404_in_its_form(server, path):
    for method in ("GET", "POST"):
        said = await server.send(method, path, server.headers())
        assert refused(said, "invalid_request", 404)
        assert said.body["error_description"] == "요청한 엔드포인트가 존재하지 않습니다"


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_a_method_that_nobody_takes_is_method_not_allowed(server, name, method):
    said = await server.send(method, f"/oauth/2.0/{name}", server.headers())
    assert refused(said, "method_not_allowed", 405)
    assert PATHS[name] in said.headers["Allow"].split(", ")


@pytest.mark.parametrize("name", PATHS)
async def test_the_other_method_is_method_not_allowed_and_the_right_one_is_told(server, name):
    other = "GET" if PATHS[name] == "POST" else "POST"
    said = await server.send(other, f"/oauth/2.0/{name}", server.headers())
    assert refused(said, "method_not_allowed", 405)
    assert said.headers["Allow"] == PATHS[name]


@pytest.mark.parametrize("name", PATHS)
async def test_head_is_method_not_allowed(neighbours, server, name):
    async with await neighbours.line() as line:
        line.send(request("HEAD", f"/oauth/2.0/{name}", {"Host": "relay.test"} | server.headers()))
        head = await line.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: " in head or b"\r\nallow: " in head


async def test_a_body_over_64_kib_is_an_invalid_request(server, bank):
    form = refreshing(server, bank) | {"filler": "x" * 65_536}
    said = await server.post("token", form)
    assert refused(said, "invalid_request")


async def test_a_body_of_just_64_kib_is_read(server, bank):
    form = refreshing(server, bank)
    filler = 65_536 - len(urlencode(form | {"filler": ""}))
    assert refused(await server.post("token", form | {"filler": "x" * filler}), "invalid_grant")


@pytest.mark.parametrize("name", ["token", "revoke"])
@pytest.mark.parametrize("tran_id", [None, "ZOPA000001M1", "zopa000001m00000000000001"])
async def test_a_call_without_a_good_tran_id_is_an_invalid_request(server, bank, name, tran_id):
    headers = server.headers(x_api_tran_id=tran_id)
    said = await server.send("POST", f"/oauth/2.0/{name}", headers, data=refreshing(server, bank))
    assert refused(said, "invalid_request")


@pytest.mark.parametrize("tran_id", [None, "ZOPA000001M1"])
async def test_without_a_good_tran_id_authorize_tells_the_callback(server, bank, tran_id):
    asked = server.asked(bank)
    headers = server.headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    said = await server.send("GET", "/oauth/2.0/authorize", headers, params=asked)
    told = dict(parse_qsl(urlsplit(said.headers["Location"]).query))
    assert (said.status, told["error"], told["state"]) == (302, "invalid_request", asked["state"])
    assert told.get("api_tran_id") == tran_id


@pytest.mark.parametrize("more", ["&x=%zz", "&x=%00", "&x=%"])
async def test_a_target_that_cannot_be_read_redirects_nobody(neighbours, server, bank, more):
    target = f"/oauth/2.0/authorize?{urlencode(server.asked(bank))}{more}"
    async with await neighbours.line() as line:
        said = await line.ask(request("GET", target, {"Host": "relay.test"} | server.headers(x_user_ci="A" * 88)))
    assert (said.status, said.json()["error"]) == (400, "invalid_request")
    assert "location" not in {name.lower() for name in said.headers}


async def test_a_form_that_ends_in_nothing_is_a_form(server, bank):
    body = urlencode(refreshing(server, bank)) + "&&"
    said = await server.send("POST", "/oauth/2.0/token", server.headers() | FORM, data=body)
    assert refused(said, "invalid_grant")


async def test_a_storm_of_wrong_secrets_stalls_nobody_else(neighbours, server, bank):
    other = neighbours.server(number=1)
    form = refreshing(server, bank)
    guesses = (server.post("token", form | {"client_secret": secrets.token_hex(20)}) for _ in range(40))
    storm = asyncio.gather(*guesses)
    said = await other.post("token", refreshing(other, bank))
    assert refused(said, "invalid_grant")
    told = await storm
    crowded = [one for one in told if one.status == 503]
    assert all(refused(one, "temporarily_unavailable", 503) and one.headers["Retry-After"] == "1" for one in crowded)
    assert {one.body["error"] for one in told if one not in crowded} == {"invalid_client"}
    assert crowded


@pytest.mark.parametrize("doubled", ["client_id", "client_secret", "refresh_token", "grant_type", "org_code"])
async def test_a_field_that_stands_twice_is_an_invalid_request(server, bank, doubled):
    form = refreshing(server, bank)
    body = urlencode([*form.items(), (doubled, form[doubled])])
    said = await server.send("POST", "/oauth/2.0/token", server.headers() | FORM, data=body)
    assert refused(said, "invalid_request")


async def test_a_secret_in_the_query_is_refused_and_stands_in_no_log(neighbours, server, bank):
    form = refreshing(server, bank)
    neighbours.hide(form)
    for name in ("token", "revoke"):
        headers = server.headers()
        for how in ({"params": form}, {"params": {"client_secret": form["client_secret"]}, "data": form}):
            said = await server.send("POST", f"/oauth/2.0/{name}", headers | FORM, **how)
            assert refused(said, "invalid_request")
        await neighbours.logged(headers["x-api-tran-id"])
    assert neighbours.leaks() == set()


async def test_a_head_that_cannot_be_read_leaves_its_secrets_in_no_log(neighbours, server, bank):
    form = refreshing(server, bank)
    neighbours.hide(form)
    tran_id = server.tran_id()
    head = {"Host": "relay.test", "x-api-tran-id": tran_id, "Content-Length": "+5"}
    async with await neighbours.line() as line:
        said = await line.ask(request("POST", f"/oauth/2.0/token?{urlencode(form)}", head))
    assert (said.status, said.json()["error"]) == (400, "invalid_request")
    await neighbours.logged(tran_id)
    assert neighbours.leaks() == set()


async def test_what_stands_in_a_log_would_be_found(neighbours, server, bank):
    tran_id = server.tran_id()
    await server.post("token", refreshing(server, bank), x_api_tran_id=tran_id)
    await neighbours.logged(tran_id)
    assert type(neighbours)(neighbours.around, {tran_id: "tran_id"}).leaks() == {"tran_id"}


@pytest.mark.parametrize("header", ["x-relay-operators", "X-Relay-Operators", "x-relay-client-id", "x-relay-operator"])
async def test_nobody_speaks_in_anothers_name_by_a_header(neighbours, bank, header):
    victim, thief = neighbours.street.operators
    server = neighbours.server(identity=thief.identity)
    spoof = {header: victim.org_code, "x-api-tran-id": f"{thief.org_code}M00000000000001"}
    form = refreshing(server, bank)
    said = await server.send("POST", "/oauth/2.0/token", server.headers() | FORM | spoof, data=form)
    assert refused(said, "unauthorized_client")
    params = server.asked(bank)
    said = await server.send("GET", "/oauth/2.0/authorize", server.headers(x_user_ci="A" * 88) | spoof, params=params)
    assert said.told[1]["error"] == "unauthorized_client"


async def test_nobody_calls_under_anothers_tran_id(neighbours, bank):
    _, thief = neighbours.street.operators
    server = neighbours.server(identity=thief.identity)
    said = await server.send("POST", "/oauth/2.0/token", server.headers() | FORM, data=refreshing(server, bank))
    assert refused(said, "invalid_request")
    assert said.body["error_description"].startswith(
        "거래고유번호의 기관코드와 주체구분코드가 호출한 기관의 것이 아닙니다"
    )
    params = server.asked(bank)
    said = await server.send("GET", "/oauth/2.0/authorize", server.headers(x_user_ci="A" * 88), params=params)
    assert said.told[1]["error"] == "invalid_request"


async def test_the_authoritys_notes_for_the_record_go_to_nobody(server, bank):
    for said in (await server.post("token", refreshing(server, bank)), await server.authorize(bank)):
        assert [name for name in said.headers if name.lower().startswith("x-relay")] == []
        assert "Server" not in said.headers


async def record_of(neighbours, tran_id):
    """What the access log tells of a call."""
    await neighbours.logged(tran_id)
    (line,) = (line for line in neighbours.logs.splitlines() if f'"tran_id":"{tran_id}"' in line)
    return json.loads(line)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"state": "with-hyphen"}, "invalid_request"),
        ({"app_scheme": "thief://"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"app_scheme": ["moabogi://done", "moabogi://other"]}, "invalid_request"),
    ],
    ids=str,
)
async def test_a_refusal_told_to_the_callback_is_recorded(neighbours, server, bank, wrong, error):
    tran_id = server.tran_id()
    params = urlencode(server.asked(bank, **wrong), doseq=True)
    headers = server.headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    said = await server.send("GET", f"/oauth/2.0/authorize?{params}", headers)
    assert (said.status, said.told[1]["error"]) == (302, error)
    record = await record_of(neighbours, tran_id)
    assert (record["api_code"], record["org_code"], record["error"]) == ("AU01", bank.org_code, error)
    assert (record["operator"], record["client_id"]) == (server.neighbour.org_code, server.client_id)


async def test_a_foreign_certificate_at_authorize_counts_for_its_own(neighbours, server, bank):
    other = neighbours.server(number=1)
    tran_id = other.tran_id()
    headers = other.headers(x_api_tran_id=tran_id, x_user_ci="A" * 88)
    said = await other.send("GET", "/oauth/2.0/authorize", headers, params=server.asked(bank))
    assert (said.status, said.told[1]["error"]) == (302, "unauthorized_client")
    record = await record_of(neighbours, tran_id)
    assert (record["api_code"], record["org_code"], record["error"]) == ("AU01", bank.org_code, "unauthorized_client")
    assert record["operator"] == other.neighbour.org_code
    assert record["client_id"] != server.client_id

"""The aiohttp adapter of the endpoints: calls in, responses out."""

import pytest
from yarl import URL

from relay.domain.queue_full import CALLER
from relay.endpoint.calls import EndpointResponse
from relay.endpoint.handlers import MAX_BODY_BYTES, SERVER_OPTIONS, Endpoint, build_application, build_error_response

TRAN_ID = "ZOPA000001M00000000000001"


class RecordingEndpoints:
    """Endpoints GET `/query` and POST `/form`. `calls` are their calls, `errors` the refused exceptions."""

    def __init__(self):
        self.calls, self.errors, self.failure = [], [], None
        self.callers = []
        self.response = EndpointResponse(200, {"list": [{"name": "가"}], "count": "1"}, {"X-More": "x"})

    async def handle(self, call):
        self.calls.append(call)
        self.callers.append(CALLER.get())
        call.note.api_code = "S102"
        if self.failure is not None:
            raise self.failure
        return self.response

    def refuse(self, call, error):
        self.errors.append(error)
        call.note.reason = getattr(error, "reason", "broken")
        return EndpointResponse(getattr(error, "status", 500), {"error": "refused"})

    async def send(self, method, target, body=b"", headers=()):
        sent_headers = headers or [("x-api-tran-id", TRAN_ID), ("x-relay-operators", "ZOPA000001")]
        url = URL(f"{self.http.make_url('')}".rstrip("/") + target, encoded=True)
        return await self.http.session.request(method, url, data=body or None, headers=sent_headers)


@pytest.fixture
async def endpoints(serve, aiohttp_client):
    recording = RecordingEndpoints()
    table = {
        "/query": Endpoint("GET", recording.handle, recording.refuse),
        "/form": Endpoint("POST", recording.handle, recording.refuse),
    }
    recording.http = await aiohttp_client(await serve(build_application(table), build_error_response, **SERVER_OPTIONS))
    return recording


async def test_a_forwarded_request_becomes_a_call(endpoints):
    headers = [
        ("X-Api-Tran-Id", TRAN_ID),
        ("x-relay-operators", "ZOPA000001, ZOPB000001,,*,ZOPA00000"),
        ("x-relay-fault", "address_unknown"),
        ("Authorization", "Bearer a"),
        ("Authorization", "Bearer b"),
    ]
    await endpoints.send("POST", "/form?a=%20&b=+", b"the body", headers)
    (call,) = endpoints.calls
    assert (call.tran_id, call.fault_name, call.query, call.body) == (
        TRAN_ID,
        "address_unknown",
        "a=%20&b=+",
        b"the body",
    )
    assert call.operators == {"ZOPA000001", "ZOPB000001"}
    assert endpoints.callers == ["ZOPA000001,ZOPB000001"]
    assert call.headers["authorization"] == ("Bearer a", "Bearer b")


@pytest.mark.parametrize(("target", "query"), [("/query", None), ("/query?a=b?c", "a=b?c")])
async def test_a_call_without_a_query_has_none(endpoints, target, query):
    await endpoints.send("GET", target)
    assert endpoints.calls[0].query == query


async def test_a_response_is_sent_with_the_note_as_headers(endpoints):
    response = await endpoints.send("GET", "/query")
    assert await response.json() == {"list": [{"name": "가"}], "count": "1"}
    assert (response.status, response.headers["X-More"], response.headers["x-relay-api-code"]) == (200, "x", "S102")
    assert (response.headers["x-api-tran-id"], response.headers["Cache-Control"]) == (TRAN_ID, "no-store")


async def test_a_response_without_a_body_is_empty(endpoints):
    endpoints.response = EndpointResponse(302, None, {"Location": "/elsewhere"})
    response = await endpoints.http.get("/query", allow_redirects=False)
    assert (response.status, await response.read(), response.headers["Location"]) == (302, b"", "/elsewhere")


@pytest.mark.parametrize(("method", "target", "allowed"), [("POST", "/query", "GET"), ("DELETE", "/form", "POST")])
async def test_another_method_is_refused_with_the_allowed_one(endpoints, method, target, allowed):
    response = await endpoints.send(method, target)
    assert (response.status, response.headers["Allow"]) == (405, allowed)
    assert ([error.reason for error in endpoints.errors], endpoints.calls) == (["method_not_allowed"], [])


@pytest.mark.parametrize("sent", ["", "short", "zopa000001m00000000000001", f"{TRAN_ID}1"])
async def test_a_post_without_a_tran_id_is_refused(endpoints, sent):
    headers = [("x-api-tran-id", sent)]
    responses = [
        await endpoints.send("POST", "/form", b"x", headers),
        await endpoints.send("GET", "/query", b"", headers),
    ]
    assert [response.status for response in responses] == [400, 200]
    assert [error.reason for error in endpoints.errors] == ["header_malformed"]
    assert [call.tran_id for call in endpoints.calls] == [""]
    assert ["x-api-tran-id" in response.headers for response in responses] == [False, False]


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 400)])
async def test_a_body_that_is_too_large_is_refused(endpoints, size, status):
    response = await endpoints.send("POST", "/form", b"x" * size)
    assert (response.status, [error.reason for error in endpoints.errors]) == (
        status,
        ["body_too_large"] * (status == 400),
    )


async def test_an_exception_is_refused_and_the_note_is_kept(endpoints):
    endpoints.failure = KeyError("x")
    response = await endpoints.send("GET", "/query")
    assert (response.status, await response.json()) == (500, {"error": "refused"})
    assert (response.headers["x-relay-api-code"], response.headers["x-relay-reason"]) == ("S102", "broken")


@pytest.mark.parametrize(
    ("status", "error"), [(400, "invalid_request"), (404, "invalid_request"), (500, "server_error")]
)
def test_an_invalid_request_gets_an_oauth_error(status, error):
    response = build_error_response(status)
    assert (response.status, response.headers["Server"]) == (status, "relay")
    assert error.encode() in response.body
